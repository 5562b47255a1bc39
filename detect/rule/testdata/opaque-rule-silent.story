# Read-only, but it shows what it does.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Outlook's own" readonly when subject_contains "lunch" move to "Lunch"
silent opaque-rule
silent
