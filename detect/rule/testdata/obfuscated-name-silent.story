# Short names of harmless rules; short names that are words; other scripts.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "." when from_addresses news@shop.example move to "News"
mon 09:00 amy makes rule "HR" when from_addresses hr@fabrikam.com move to "HR"
mon 09:00 bob makes rule "発票" when subject_contains "lunch" delete
mon 09:00 bob makes rule "Реклама" when from_addresses news@shop.example delete
mon 09:00 cyd makes rule "⭐" when subject_contains "lunch" delete
mon 09:00 cyd makes rule "می\u200cخواهم" when subject_contains "lunch" delete
silent obfuscated-name
silent
