# What people do with their mail all day is nobody's business.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Newsletter" when sender_contains "newsletter@" move to "Newsletters"
mon 09:01 amy makes rule "From the boss" when from_addresses cyd mark high
mon 09:02 amy makes rule "Jira" when subject_contains "[JIRA]" and sender_contains "jira@fabrikam.com" move to "Jira" stop
mon 09:03 amy makes rule "Calendar answers" when is_meeting_response delete
mon 09:04 bob makes rule "Copy to me" when sent_to_addresses sales@fabrikam.com copy to "Sales"
mon 09:05 bob makes rule "Bob's deputy" when subject_contains "holiday" forward to cyd
mon 09:06 bob makes rule "Read receipts" when is_read_receipt mark read move to archive
mon 09:07 cyd makes rule "Rechnungen" when subject_contains "Rechnung" move to "Rechnungen" stop
mon 09:08 cyd makes rule "Spam" when sender_contains "casino" delete
mon 09:09 cyd makes rule "CI" when from_addresses ci@fabrikam.com and subject_contains "build failed" move to "CI" mark read
mon 09:10 amy sets automatic reply "I am away until Monday. Bob helps: bob@fabrikam.com"
silent
