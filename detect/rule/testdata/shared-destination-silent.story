# One mailbox with two rules; a partner; a colleague; a rule that is off.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
partner trusted.example

mon 09:00 amy makes rule "One" when subject_contains "contract" forward to eve@evil.example
mon 09:00 amy makes rule "Two" when subject_contains "offer" forward to eve@evil.example
mon 09:00 bob makes rule "Off" disabled when subject_contains "offer" forward to eve@evil.example
mon 09:00 bob makes rule "Agency" when subject_contains "press" forward to desk@trusted.example
mon 09:00 cyd makes rule "Agency" when subject_contains "press" forward to desk@trusted.example
expect forward-outside amy says "contract"
expect forward-outside amy says "offer"
expect forward-outside bob
silent shared-destination
