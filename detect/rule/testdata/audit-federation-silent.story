# The same as it is every day: AD FS reads its own key, domain controllers and Entra Connect replicate, mail is read by what was allowed long ago.
domain fabrikam.com
person ada

mon 09:00 ada audits "LdapSearch" ldap_base="CN=596f,CN=ADFS,CN=Microsoft,CN=Program Data,DC=fabrikam,DC=com" ldap_wants="thumbnailphoto" program="Microsoft.IdentityServer.ServiceHost.exe" device="adfs01.fabrikam.com"
mon 09:01 ada audits "LdapSearch" ldap_base="CN=596f,CN=ADFS,CN=Microsoft,CN=Program Data,DC=fabrikam,DC=com" ldap_wants="objectClass" program="powershell.exe" device="adfs01.fabrikam.com"
mon 09:05 "DC01$" audits "Directory Services replication" device="dc01.fabrikam.com"
mon 09:06 MSOL_1234@fabrikam.com audits "Directory Services replication" device="sync.fabrikam.com"
mon 10:20 ada audits "MailItemsAccessed" app "Client=REST;;" items=7 app_id="5a95e683-08ad-424e-a441-1d1aec52c02c"
silent federation-key-read
silent directory-replicated
silent mail-read-after-consent
