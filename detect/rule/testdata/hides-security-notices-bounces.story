# Reports that mail in amy's name was not delivered vanish.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Returned" when subject_contains "Undeliverable" and sender_contains "postmaster" purge

expect hides-security-notices amy risk 55 says "Undeliverable"
