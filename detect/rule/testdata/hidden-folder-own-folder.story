# A folder of one's own whose name nobody can read.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Tidy" when from_addresses ceo@fabrikam.com move to "\u200b" mark read
expect hidden-folder amy risk 40 says "whose name holds a character nobody sees (U+200B)"
