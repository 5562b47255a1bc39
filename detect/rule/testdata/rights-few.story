# One account in four mailboxes, one of which it has lost again.
domain fabrikam.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
person desk "Desk" desk@fabrikam.com
person root "Rita Root" admin

mon 10:00 root runs Add-MailboxPermission as admin Identity="amy@fabrikam.com" User="desk@fabrikam.com" AccessRights="FullAccess"
mon 10:01 root runs Add-MailboxPermission as admin Identity="bob@fabrikam.com" User="desk@fabrikam.com" AccessRights="FullAccess"
mon 10:02 root runs Add-MailboxPermission as admin Identity="cyd@fabrikam.com" User="desk@fabrikam.com" AccessRights="FullAccess"
mon 10:03 root runs Remove-MailboxPermission as admin Identity="cyd@fabrikam.com" User="desk@fabrikam.com" AccessRights="FullAccess"
expect mailbox-full-access-granted amy
expect mailbox-full-access-granted bob
expect mailbox-full-access-granted cyd
silent trustee-of-many-mailboxes
