# An application is allowed, commanded, keyed, led elsewhere and owned.
domain fabrikam.com
person amy "Amy Adams"
person root "Rita Root" admin

mon 09:00 amy audits "Consent to application" target "Mail Helper" ConsentAction.Permissions="" becoming "[] => [[Id: x, ConsentType: Principal, Scope: Mail.Read offline_access, CreatedDateTime: ]]" ConsentContext.IsAdminConsent="" becoming "False"
mon 09:10 root audits "Consent to application" target "Planner Plus" ConsentContext.IsAdminConsent="" becoming "True" ConsentAction.Permissions="" becoming "Scope: Mail.ReadWrite"
mon 09:20 root audits "Add app role assignment to service principal" target "Backup" AppRole.Value="" becoming "RoleManagement.ReadWrite.Directory"
mon 09:30 root audits "Update application – Certificates and secrets management" target "Payroll" KeyDescription="[]" becoming "[KeyIdentifier=59eaeebc-8a6b-44a6-9f24-7d55e64420c9,KeyType=Password]"
mon 09:40 root audits "Update application" target "Payroll" FederatedIdentityCredentials="[]" becoming "https://evil.example"
mon 09:50 root audits "Update application" target "Portal" AppAddress="https://portal.fabrikam.com" becoming "http://evil.example"
mon 10:00 root audits "Add owner to application" target amy Application.DisplayName="" becoming "Payroll"
expect consent-by-user amy risk 50 says "Mail.Read offline_access"
expect consent-for-everybody root risk 65
expect application-permission-granted root risk 85
expect application-credential-added root risk 65
expect federated-credential-changed root risk 65
expect application-redirect-changed root risk 50
expect application-owner-added amy says "Payroll"
