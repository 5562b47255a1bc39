# The destination looks like the organisation itself.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Copies" forward to amy@fabrikarn.com
expect forward-everything amy risk 100
