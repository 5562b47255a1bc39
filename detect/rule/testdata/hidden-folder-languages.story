# Folders nobody opens, as Outlook names them in other languages.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "One" when subject_contains "alpha" move to "Flux RSS"
mon 09:00 bob makes rule "Two" when subject_contains "alpha" move to "Журнал бесед"
mon 09:00 cyd makes rule "Three" when subject_contains "alpha" move to "会話の履歴"
expect hidden-folder amy risk 60
expect hidden-folder bob risk 60
expect hidden-folder cyd risk 60
