# The help desk is made silent by its address.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Tickets" when from_addresses helpdesk@fabrikam.com purge
expect hides-security-notices amy risk 55
