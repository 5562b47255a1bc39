# A rule that shows nothing.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Client rule" readonly
expect opaque-rule amy risk 45 says "neither conditions nor actions"
