# The rule is there, but it does not run.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Home" disabled redirect to eve@evil.example
expect forward-everything amy risk 40 says "It is switched off now."
