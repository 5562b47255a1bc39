# Sizes and words that mean what they say; Cyrillic words that are Cyrillic.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Large" when within_size_range 5000-20000 move to "Large"
mon 09:00 amy makes rule "Small" when within_size_range 1-999999 categorise "Blue"
mon 09:00 bob makes rule "Договор" when subject_contains "договор", "акт" move to "Договоры"
mon 09:00 cyd makes rule "Mine" when sent_to_me categorise "Me"
silent evasion-tricks
silent
