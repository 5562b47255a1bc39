# Every mail is junk.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Clean up" move to junkemail
expect hidden-folder amy risk 55 says "every mail of amy@fabrikam.com"
