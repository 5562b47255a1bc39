# A person reads with Outlook, its copy is kept in step, and somebody searches for a colleague.
domain fabrikam.com
person amy "Amy Adams"
person root "Rita Root" admin

mon 09:00 amy audits "MailItemsAccessed" items="90" app_id="9199bf20-a13f-4107-85dc-02114787ef48" mailbox="amy@fabrikam.com"
mon 10:30 amy audits "MailItemsAccessed" items="90" app_id="9199bf20-a13f-4107-85dc-02114787ef48" mailbox="amy@fabrikam.com"
mon 11:00 amy audits "SearchQueryInitiatedExchange" query="holiday plans"
mon 12:00 root runs New-ComplianceSearchAction as admin SearchName="All mail" Preview="True"
mon 13:00 "S-1-5-18" audits "MailItemsAccessed" as system items="5000" mailbox="amy@fabrikam.com"
silent
silent mail-read-in-bulk
silent app-reads-many-mailboxes
silent mailbox-searched-for-money
silent mail-exported
