# A rule that helped a colleague now helps somebody else.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Deputy" when subject_contains "contract" forward to bob
thu 03:10 amy changes rule "Deputy" when subject_contains "contract" forward to eve@evil.example
expect turned-outward amy risk 75 says "before, it sent mail to bob@fabrikam.com"
expect forward-outside amy risk 60
