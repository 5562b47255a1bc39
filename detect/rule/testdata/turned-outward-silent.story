# Turned inward, turned to another colleague, or outside from the start.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Deputy" when subject_contains "contract" forward to bob
tue 09:00 amy changes rule "Deputy" when subject_contains "contract" forward to cyd
mon+1 09:00 bob makes rule "Out" when subject_contains "contract" forward to eve@evil.example
tue+1 09:00 bob changes rule "Out" when subject_contains "contract", "offer" forward to eve@evil.example
expect forward-outside bob
silent turned-outward
