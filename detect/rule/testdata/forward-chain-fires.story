# Amy's mail goes to bob, bob's to the shared mailbox, and that one's outside.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
person desk "Desk" desk@fabrikam.com shared blocked

mon 09:00 amy makes rule "To bob" forward to bob
mon 09:05 bob makes rule "Desk" forward to desk@fabrikam.com
mon 09:10 desk makes rule "Out" forward to eve@evil.example
expect forward-chain amy risk 75 says "to bob@fabrikam.com, whose rule \"Desk\" sends everything to desk@fabrikam.com, whose rule \"Out\" sends everything on to eve@evil.example"
expect forward-chain bob risk 75
expect forward-everything desk risk 85
