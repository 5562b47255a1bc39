# Golden SAML: the key of AD FS is read, the directory is copied, an application is allowed and reads mail.
domain fabrikam.com
person ada
person wes

mon 09:00 wes audits "LdapSearch" ldap_base="CN=596f,CN=ADFS,CN=Microsoft,CN=Program Data,DC=fabrikam,DC=com" ldap_wants="thumbnailphoto" program="powershell.exe" device="adfs01.fabrikam.com"
mon 09:05 ada audits "Directory Services replication" device="adfs01.fabrikam.com"
mon 10:00 ada audits "Consent to application" target "Mail Helper" ConsentAction.Permissions="" becoming "[] => [[Id: x, ConsentType: Principal, Scope: Mail.Read offline_access, CreatedDateTime: ]]" ConsentContext.IsAdminConsent="" becoming "False"
mon 10:20 ada audits "MailItemsAccessed" app "Client=REST;;" items=7 app_id="5a95e683-08ad-424e-a441-1d1aec52c02c"
expect federation-key-read wes risk 90 says "adfs01.fabrikam.com"
expect directory-replicated ada risk 80
expect consent-by-user ada
expect mail-read-after-consent ada risk 65 says "20 minutes after"
