# Two rules of amy's, an older and a newer one, take one way outside: one finding that names both.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person desk "Desk" desk@fabrikam.com

mon 09:00 amy makes rule "Old" when subject_contains "contract" forward to bob
mon 09:01 amy makes rule "New" forward to bob
mon 09:02 amy makes rule "Desk" forward to desk@fabrikam.com
mon 09:05 bob makes rule "Out" forward to eve@evil.example
mon 09:10 desk makes rule "Out" forward to eve@evil.example
expect forward-chain amy risk 75 says "\"New\" sends every mail of amy@fabrikam.com to bob@fabrikam.com, whose rule \"Out\" sends everything on to eve@evil.example, outside your 2 accepted domains. The rule \"Old\" leads there as well."
expect forward-chain amy risk 75 says "to desk@fabrikam.com"
expect forward-everything bob
expect forward-everything desk
expect shared-destination eve@evil.example
