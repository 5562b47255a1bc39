# Colleagues, partners and deleted rules.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
partner trusted.example

mon 09:00 amy makes rule "Bob too" when subject_contains "project" forward to bob, cyd@FABRIKAM.onmicrosoft.com
mon 09:00 bob makes rule "Agency" when from_addresses press@news.example forward to desk@trusted.example
mon 09:05 cyd makes rule "Old" when subject_contains "project" forward to cyd@home.example
wed 09:05 cyd deletes rule "Old"
silent forward-outside
silent
