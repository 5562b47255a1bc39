# Invoices can sign in itself.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
person invoices "Invoices" shared

mon 09:00 invoices makes rule "Sort" when subject_contains "invoice" move to "Invoices"
mon 10:00 amy becomes shared
expect shared-mailbox-sign-in invoices risk 45 says "its account can sign in itself"
expect shared-mailbox-sign-in amy
