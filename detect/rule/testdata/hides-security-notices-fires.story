# Whoever asks whether amy was hacked is not heard.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Cleanup" when body_or_subject_contains "hacked", "phishing", "suspicious" delete mark read
expect hides-security-notices amy risk 75 says "hides security notices: it marks mail of amy@fabrikam.com"
