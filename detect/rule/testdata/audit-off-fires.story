# Logging and protection are switched off, and forwarding is allowed.
domain fabrikam.com
person amy "Amy Adams"
person root "Rita Root" admin

mon 02:00 root runs Set-AdminAuditLogConfig as admin UnifiedAuditLogIngestionEnabled="False"
mon 02:10 root runs Set-Mailbox as admin Identity="amy@fabrikam.com" AuditEnabled="False"
mon 02:20 root runs Set-MailboxAuditBypassAssociation as admin Identity="svc@fabrikam.com" AuditBypassEnabled="True"
mon 02:30 root runs Set-DkimSigningConfig as admin Identity="fabrikam.com" Enabled="False"
mon 02:40 root runs Set-HostedOutboundSpamFilterPolicy as admin Identity="Default" AutoForwardingMode="On"
expect audit-log-off root risk 85
expect mailbox-audit-off root risk 65
expect mailbox-audit-bypass root risk 65
expect mail-protection-off root says "DKIM"
expect automatic-forwarding-allowed root
