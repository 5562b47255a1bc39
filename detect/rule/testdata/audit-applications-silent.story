# An application's own description changes, a key is removed, and Microsoft keeps its own.
domain fabrikam.com
person root "Rita Root" admin

mon 09:00 root audits "Update application" target "Payroll" DisplayName="Payroll" becoming "Payroll 2"
mon 09:10 root audits "Update application – Certificates and secrets management" target "Payroll" KeyDescription="[KeyIdentifier=59eaeebc-8a6b-44a6-9f24-7d55e64420c9]" becoming "[]"
mon 09:20 "Microsoft Azure AD Internal - Jit Provisioning" audits "Add service principal credentials" as system target "Exchange"
mon 09:30 root audits "Consent to application" result failure target "Mail Helper"
mon 09:40 "Microsoft.Azure.SyncFabric" audits "Add app role assignment to service principal" as system target "Sync" AppRole.Value="" becoming "Directory.ReadWrite.All"
mon 09:50 root audits "Add owner to application" result failure target "amy@fabrikam.com"
silent
silent consent-by-user
silent consent-for-everybody
silent application-permission-granted
silent application-credential-added
silent federated-credential-changed
silent application-redirect-changed
silent application-owner-added
