# A dot sends all of amy's mail away and marks it as read.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "." forward to eve@evil.example and mark read
expect forward-everything amy risk 95 says "\".\" sends every mail of amy@fabrikam.com to eve@evil.example, outside your 2 accepted domains, and marks it as read."
silent obfuscated-name
