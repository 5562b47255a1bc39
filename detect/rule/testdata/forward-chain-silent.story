# A circle of colleagues; the last rule is off.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "To bob" forward to bob
mon 09:05 bob makes rule "To amy" forward to amy
mon 09:05 bob makes rule "To cyd" forward to cyd
mon 09:10 cyd makes rule "Out" disabled forward to eve@evil.example
expect forward-everything cyd
silent forward-chain
