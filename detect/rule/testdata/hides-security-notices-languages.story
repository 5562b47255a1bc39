# The same in other languages, and with a null character in the word.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Aufräumen" when subject_contains "Verdächtige Anmeldung" delete
mon 09:00 bob makes rule "Чистка" when subject_contains "подозрительная активность" move to rssfeeds
mon 09:00 cyd makes rule "Tidy up" when subject_contains "ph\x00ishing" delete
expect hides-security-notices amy risk 65
expect hides-security-notices bob risk 75
expect hidden-folder bob
expect hides-security-notices cyd risk 65
expect evasion-tricks cyd risk 60
