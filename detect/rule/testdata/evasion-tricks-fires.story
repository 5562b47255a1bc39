# Tricks nobody plays by hand.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Sort" when subject_contains "con\x00tract" move to "Contracts"
mon 09:00 bob makes rule "Plan" when from_addresses cyd move to calendar
mon 09:00 cyd makes rule "Large mail" when within_size_range 1-999999 forward to eve@evil.example
expect evasion-tricks amy risk 50 says "U+0000"
expect evasion-tricks bob risk 60 says "calendar"
expect hidden-folder bob
expect evasion-tricks cyd risk 60 says "in disguise"
expect forward-everything cyd risk 85
