# Money has a word in every language, and some letters only look Latin.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Eins" when subject_contains "Rechnungsnummer" delete
mon 09:00 bob makes rule "Zwei" when body_or_subject_contains "請求書" purge
mon 09:00 cyd makes rule "Three" when subject_contains "\u0456nv\u043eice" delete
expect hides-money-mail amy risk 55
expect hides-money-mail bob risk 60
expect hides-money-mail cyd risk 55
expect evasion-tricks cyd risk 50 says "letters of another script"
