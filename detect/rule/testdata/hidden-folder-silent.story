# Newsletters to a folder, a narrow rule to the archive, notes to notes.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "News" when from_addresses news@shop.example move to "Newsletters" mark read
mon 09:00 amy makes rule "Done" when subject_contains "[closed]" move to archive
mon 09:00 bob makes rule "Minutes" when subject_contains "minutes" move to "Notes"
mon 09:00 bob makes rule "Deputy" redirect to cyd move to archive
mon 09:00 cyd makes rule "Adverts" when sender_contains "@shop.example" move to junkemail
silent hidden-folder
silent
