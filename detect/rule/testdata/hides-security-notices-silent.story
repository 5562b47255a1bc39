# Those who work with warnings sort them.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Reports" when subject_contains "phishing report" move to "Phishing reports"
mon 09:00 bob makes rule "Scanner" when subject_contains "virus scan finished" and from_addresses scanner@fabrikam.com delete
mon 09:00 cyd makes rule "Tickets" when subject_contains "[helpdesk]" move to "Tickets" mark read
mon 09:00 cyd makes rule "Red" when subject_contains "security alert" categorise "Red"
silent hides-security-notices
silent
