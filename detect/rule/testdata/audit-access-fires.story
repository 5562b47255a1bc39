# An application of nobody's reads a mailbox whole and then nine others; somebody looks for invoices; a search is exported.
domain fabrikam.com
person amy "Amy Adams"
person bob "Bob Brown"
person root "Rita Root" admin

mon 01:00 amy audits "MailItemsAccessed" from 203.0.113.7 app "Client=REST;;" items="60" app_id="5a95e683-08ad-424e-a441-1d1aec52c02c" mailbox="amy@fabrikam.com"
mon 01:20 amy audits "MailItemsAccessed" from 203.0.113.7 app "Client=REST;;" items="60" app_id="5a95e683-08ad-424e-a441-1d1aec52c02c" mailbox="amy@fabrikam.com"
mon 02:00 amy audits "MailItemsAccessed" items="5" app_id="5a95e683-08ad-424e-a441-1d1aec52c02c" mailbox="m1@fabrikam.com"
mon 02:01 amy audits "MailItemsAccessed" items="5" app_id="5a95e683-08ad-424e-a441-1d1aec52c02c" mailbox="m2@fabrikam.com"
mon 02:02 amy audits "MailItemsAccessed" items="5" app_id="5a95e683-08ad-424e-a441-1d1aec52c02c" mailbox="m3@fabrikam.com"
mon 02:03 amy audits "MailItemsAccessed" items="5" app_id="5a95e683-08ad-424e-a441-1d1aec52c02c" mailbox="m4@fabrikam.com"
mon 02:04 amy audits "MailItemsAccessed" items="5" app_id="5a95e683-08ad-424e-a441-1d1aec52c02c" mailbox="m5@fabrikam.com"
mon 02:05 amy audits "MailItemsAccessed" items="5" app_id="5a95e683-08ad-424e-a441-1d1aec52c02c" mailbox="m6@fabrikam.com"
mon 02:06 amy audits "MailItemsAccessed" items="5" app_id="5a95e683-08ad-424e-a441-1d1aec52c02c" mailbox="m7@fabrikam.com"
mon 02:07 amy audits "MailItemsAccessed" items="5" app_id="5a95e683-08ad-424e-a441-1d1aec52c02c" mailbox="m8@fabrikam.com"
mon 02:08 amy audits "MailItemsAccessed" items="5" app_id="5a95e683-08ad-424e-a441-1d1aec52c02c" mailbox="m9@fabrikam.com"
mon 03:00 bob audits "SearchQueryInitiatedExchange" from 203.0.113.7 query="invoice iban"
mon 04:00 root runs New-ComplianceSearchAction as admin SearchName="All mail" Export="True"
expect mail-read-in-bulk amy risk 50 says "120 messages"
expect app-reads-many-mailboxes "5a95e683-08ad-424e-a441-1d1aec52c02c" risk 65 says "10 mailboxes"
expect mailbox-searched-for-money bob
expect mail-exported root
