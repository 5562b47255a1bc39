# The same switches turned on, and other settings.
domain fabrikam.com
person amy "Amy Adams"
person root "Rita Root" admin

mon 09:00 root runs Set-AdminAuditLogConfig as admin UnifiedAuditLogIngestionEnabled="True"
mon 09:10 root runs Set-Mailbox as admin Identity="amy@fabrikam.com" AuditEnabled="True"
mon 09:20 root runs Set-MailboxAuditBypassAssociation as admin Identity="svc@fabrikam.com" AuditBypassEnabled="False"
mon 09:30 root runs Set-DkimSigningConfig as admin Identity="fabrikam.com" Enabled="True"
mon 09:40 root runs Set-HostedOutboundSpamFilterPolicy as admin Identity="Default" AutoForwardingMode="Off"
mon 09:50 root runs Set-OrganizationConfig as admin AuditDisabled="False"
silent
silent audit-log-off
silent mailbox-audit-off
silent mailbox-audit-bypass
silent mail-protection-off
silent automatic-forwarding-allowed
