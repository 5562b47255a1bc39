# Made at night, used, and gone before the office opens.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
person dan "Dan Dark"

mon 02:10 amy makes rule "x" forward to eve@evil.example
mon 05:40 amy deletes rule "x"
mon 09:00 bob makes rule "Hide" when subject_contains "invoice" delete
mon 09:20 bob deletes rule "Hide"
mon 09:20 cyd makes rule "Cover" when subject_contains "offer" forward to bob
mon 10:00 cyd changes rule "Cover" when subject_contains "offer" forward to eve@evil.example
mon 11:00 cyd changes rule "Cover" when subject_contains "offer" move to "Offers"
mon 12:00 cyd deletes rule "Cover"
mon 13:00 dan makes rule "x" forward to eve@evil.example
mon 13:00 dan deletes rule "x"
expect short-lived-rule amy risk 70 says "deleted 4 hours later; it was a rule that sends every mail"
expect short-lived-rule bob risk 60 says "20 minutes"
expect short-lived-rule dan risk 70 says "at 13:00 UTC, and deleted within a minute; it was"
expect short-lived-rule cyd risk 60
