# Colleagues, the own site, a profile, and a reply that is off.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy sets automatic reply "Away. Please ask bob@fabrikam.com, or see https://www.fabrikam.com/help"
mon 09:00 bob sets automatic reply "Away. https://www.linkedin.com/in/bob"
mon 09:00 cyd sets automatic reply "Write to cyd@home.example"
tue 09:00 cyd stops automatic reply
silent auto-reply-foreign-address
silent
