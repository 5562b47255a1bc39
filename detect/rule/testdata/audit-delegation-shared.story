# The mailbox of a department, whose account nobody can sign in to, is given by an administrator: that is how it is read. Given to oneself it is not.
domain fabrikam.com
person amy "Amy Adams"
person box "Invoices" shared blocked
person root "Rita Root" admin

mon 09:00 root runs Add-MailboxPermission as admin Identity="box@fabrikam.com" User="amy@fabrikam.com" AccessRights="FullAccess"
mon 09:10 root runs Add-MailboxPermission as admin Identity="box@fabrikam.com" User="root@fabrikam.com" AccessRights="FullAccess"
expect mailbox-full-access-granted box says "amy@fabrikam.com received full access"
expect mailbox-access-to-oneself box risk 60
