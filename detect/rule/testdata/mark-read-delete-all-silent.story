# Deleting some, and passing all on to the successor.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Adverts" when from_addresses news@shop.example mark read delete
mon 09:00 bob makes rule "Successor" redirect to cyd delete
mon 09:00 cyd makes rule "Robots" when sender_contains "noreply@shop.example" delete
silent mark-read-delete-all
silent
