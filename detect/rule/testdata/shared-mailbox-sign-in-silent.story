# Invoices is blocked; amy is a person.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
person invoices "Invoices" shared blocked

mon 09:00 invoices makes rule "Sort" when subject_contains "invoice" move to "Invoices"
silent shared-mailbox-sign-in
silent
