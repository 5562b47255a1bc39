# Bookkeepers sort their mail; some only colour it.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Invoices" when subject_contains "invoice" move to "Invoices"
mon 09:00 amy makes rule "Paid" when subject_contains "payment received" move to "Done" mark read
mon 09:00 bob makes rule "Colour" when subject_contains "invoice", "payment" categorise "Green" mark high
mon 09:00 bob makes rule "Keep" when subject_contains "invoice" copy to "Invoices"
mon 09:00 cyd makes rule "Adverts" when from_addresses deals@bank.example and subject_contains "payment" delete
mon 09:00 cyd makes rule "Old" when subject_contains "invoice" move to archive
silent hides-money-mail
silent
