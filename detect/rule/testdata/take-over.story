# The whole thing: a rule that hides, one that sends, one that is gone.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 02:13 amy signs in from 203.0.113.7/KP
mon 02:20 amy makes rule "." when body_or_subject_contains "invoice", "payment", "iban" move to rssfeeds mark read
mon 02:22 amy makes rule ".." forward to eve@evil.example
mon 02:40 bob makes rule "..." forward to eve@evil.example
mon 06:00 amy deletes rule ".."
expect hides-money-mail amy risk 85
expect hidden-folder amy risk 70
expect short-lived-rule amy risk 70
expect forward-everything bob risk 95
