# Nothing arrives.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Inbox" mark read delete
mon 09:00 bob makes rule "Zero" move to deleteditems
expect mark-read-delete-all amy risk 75 says "marks every mail of amy@fabrikam.com as read and deletes it"
expect mark-read-delete-all bob risk 60
