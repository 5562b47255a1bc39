# Groups of colleagues and partners.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
partner trusted.example
group finance@fabrikam.com "Finance" with bob, cyd
group press@fabrikam.com "Press" with cyd, desk@trusted.example

mon 09:00 amy makes rule "Finance" forward to finance@fabrikam.com
mon 09:00 bob makes rule "Press" forward to press@fabrikam.com
silent forward-to-group-or-contact
silent
