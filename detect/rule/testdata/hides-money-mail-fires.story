# Talk of invoices goes where nobody looks.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Sort" when subject_contains "invoice", "IBAN", "wire transfer" move to rssfeeds mark read
expect hides-money-mail amy risk 75 says "hides mail about money: it moves mail of amy@fabrikam.com"
expect hidden-folder amy risk 70
