# The exception has expired, so the rule is found.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
exception forward-everything for domain audit.example by amy because "the yearly audit" until wed 10:00

mon 09:00 cyd makes rule "To audit" forward to cyd@audit.example
thu 09:00 bob makes rule "News" when from_addresses news@shop.example move to "News"
expect forward-everything cyd risk 80
