# The finance group has a member nobody expects.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
group finance@fabrikam.com "Finance" with bob, eve@evil.example

mon 09:00 amy makes rule "Finance" forward to finance@fabrikam.com
expect forward-to-group-or-contact amy risk 60 says "eve@evil.example through the group \"Finance\" (finance@fabrikam.com)"
