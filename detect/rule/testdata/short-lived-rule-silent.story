# A harmless try, and a rule that lived for days.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Try" when subject_contains "lunch" move to "Lunch"
mon 09:10 amy deletes rule "Try"
mon 09:10 bob makes rule "Out" when subject_contains "lunch" forward to bob@home.example
mon 09:20 cyd makes rule "Adverts" when from_addresses news@shop.example delete
mon 09:30 cyd deletes rule "Adverts"
fri 09:00 bob deletes rule "Out"
silent short-lived-rule
silent
