# Every mail as an attachment, kept nowhere, by a condition that every mail meets.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Backup" when sent_to_me attach to eve@gmail.com purge
expect forward-everything amy risk 95 says "as an attachment to eve@gmail.com"
