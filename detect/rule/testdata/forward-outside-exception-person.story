# Amy is excused by her address; bob is not.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
exception forward-outside for person amy by bob because "bookkeeping"

mon 09:00 amy makes rule "Receipts" when subject_contains "receipt" forward to box@books.example
mon 09:00 bob makes rule "Receipts" when subject_contains "orders" forward to desk@shop.example
expect forward-outside bob risk 60
