# Rights over mailboxes: to a colleague, to a look-alike, to send, over folders, and roles that open every mailbox.
domain fabrikam.com
person amy "Amy Adams"
person bob "Bob Brown"
person cydney "Cydney Clark"
person root "Rita Root" admin

mon 09:00 root runs Add-MailboxPermission as admin Identity="amy@fabrikam.com" User="bob@fabrikam.com" AccessRights="FullAccess"
mon 09:10 root runs Add-RecipientPermission as admin Identity="amy@fabrikam.com" Trustee="bob@fabrikam.com" AccessRights="SendAs"
mon 09:20 amy runs Set-Mailbox Identity="amy@fabrikam.com" GrantSendOnBehalfTo="bob@fabrikam.com"
mon 09:30 root runs Add-MailboxPermission as admin Identity="cydney@fabrikam.com" User="cydnay@fabrikam.com" AccessRights="FullAccess"
mon 10:00 bob runs Add-MailboxFolderPermission Identity="bob@fabrikam.com:\\Inbox" User="Default" AccessRights="Reviewer"
mon 10:10 bob runs Add-MailboxFolderPermission Identity="bob@fabrikam.com:\\Inbox" User="amy@fabrikam.com" AccessRights="Reviewer"
mon 10:20 amy runs AddFolderPermissions Identity="amy@fabrikam.com:\\Sent Items" User="eve@evil.example" AccessRights="ReadAny, FolderVisible"
mon 11:00 root runs New-ManagementRoleAssignment as admin Role="ApplicationImpersonation" User="bob"
expect mailbox-full-access-granted amy says "bob@fabrikam.com received full access"
expect send-as-granted amy
expect send-on-behalf-granted amy
expect delegation-to-look-alike cydney risk 65 says "cydnay@fabrikam.com"
expect mail-folder-opened-to-everyone bob risk 65
expect mail-folder-shared bob
expect mail-folder-shared amy risk 60 says "eve@evil.example"
expect exchange-role-assigned "bob" risk 65
