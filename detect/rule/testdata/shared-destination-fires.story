# One address, three mailboxes; Gmail heeds no dots.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Copies" when subject_contains "contract" forward to ev.e+1@gmail.com
mon 09:05 bob makes rule "Copies" when subject_contains "contract" redirect to eve@googlemail.com
mon 09:10 cyd makes rule "Copies" forward to eve+cyd@gmail.com
expect shared-destination eve@gmail.com risk 90 says "amy@fabrikam.com, bob@fabrikam.com and cyd@fabrikam.com"
expect forward-outside amy
expect forward-outside bob
expect forward-everything cyd
