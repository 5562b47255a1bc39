# RSS by its well-known name, and by its name in German.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Feeds" when subject_contains "quarter" move to rssfeeds mark read
mon 09:00 bob makes rule "Ablage" when subject_contains "angebot" move to "RSS-Feeds"
mon 09:00 cyd makes rule "Talks" move to conversationhistory
expect hidden-folder amy risk 60 says "moves mail of amy@fabrikam.com with \"quarter\" in the subject to the RSS Feeds folder and marks it as read"
expect hidden-folder bob risk 60
expect hidden-folder cyd risk 75
