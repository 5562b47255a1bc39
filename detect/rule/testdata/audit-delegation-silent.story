# Exchange's own grants, rights that read nothing, rights taken away, a calendar, and what failed.
domain fabrikam.com
person amy "Amy Adams"
person root "Rita Root" admin

mon 09:00 "NT SERVICE\\MSExchangeAdminApiNetCore" runs Add-MailboxPermission as system Identity="DiscoverySearchMailbox{D919BA05}" User="Discovery Management" AccessRights="FullAccess"
mon 09:05 root runs Add-MailboxPermission as admin Identity="amy@fabrikam.com" User="NT AUTHORITY\\SELF" AccessRights="FullAccess"
mon 09:10 root runs Add-MailboxPermission as admin Identity="amy@fabrikam.com" User="bob@fabrikam.com" AccessRights="ReadPermission"
mon 09:15 root runs Add-MailboxPermission as admin result False Identity="amy@fabrikam.com" User="bob@fabrikam.com" AccessRights="FullAccess"
mon 09:20 root runs Remove-MailboxPermission as admin Identity="amy@fabrikam.com" User="bob@fabrikam.com" AccessRights="FullAccess"
mon 09:30 amy runs Set-Mailbox Identity="amy@fabrikam.com" GrantSendOnBehalfTo="$null"
mon 10:00 amy runs Add-MailboxFolderPermission Identity="amy@fabrikam.com:\\Calendar" User="bob@fabrikam.com" AccessRights="Editor"
mon 10:10 amy runs Set-MailboxFolderPermission Identity="amy@fabrikam.com:\\Inbox" User="Default" AccessRights="None"
mon 11:00 root runs New-ManagementRoleAssignment as admin Role="My Contact Information" Policy="Default"
silent
silent mailbox-full-access-granted
silent mailbox-access-to-oneself
silent delegation-to-look-alike
silent send-as-granted
silent send-on-behalf-granted
silent mail-folder-opened-to-everyone
silent mail-folder-shared
silent exchange-role-assigned
