# Mail about invoices goes out.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Invoices" when subject_contains "invoice", "payment" redirect to eve@evil.example
expect forward-outside amy risk 75 says "redirects mail of amy@fabrikam.com with \"invoice\" or \"payment\" in the subject to eve@evil.example"
