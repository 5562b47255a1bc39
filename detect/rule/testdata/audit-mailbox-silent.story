# A quota, and the service's own bookkeeping: nothing to see.
domain fabrikam.com
person amy "Amy Adams"
person root "Rita Root" admin

mon 09:00 root runs Set-Mailbox as admin on amy Identity="amy@fabrikam.com" ProhibitSendQuota="50GB"
mon 09:30 "NT AUTHORITY\\SYSTEM (Microsoft.Exchange)" runs Add-MailboxPermission as system Identity="amy@fabrikam.com" User="NT AUTHORITY\\SELF" AccessRights="FullAccess"
silent
