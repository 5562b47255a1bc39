# An exception for one address does not excuse another.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
exception forwarding for address box@books.example by bob because "bookkeeping"

mon 09:00 amy makes rule "Receipts" when subject_contains "receipt" forward to box@books.example, eve@evil.example
expect forward-outside amy risk 60 says "to eve@evil.example, outside"
