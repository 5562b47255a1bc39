# A subdomain is not an accepted domain.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Lab" when subject_contains "lab" forward to amy@lab.fabrikam.com
expect forward-outside amy risk 45 says "amy@lab.fabrikam.com"
