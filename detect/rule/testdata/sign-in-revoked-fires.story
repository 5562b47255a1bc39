# Sessions that live on after they were revoked, and after the account was disabled.
domain fabrikam.com
person ada
person ben

mon 09:00 ada signs in from Leeds session=s-ada
mon 10:00 admin@fabrikam.com audits "Update StsRefreshTokenValidFrom Timestamp" target ada workload AzureActiveDirectory
mon 12:00 ada signs in from Leeds session=s-ada kind=non_interactive mfa=claim
mon 13:00 ben signs in from Leeds session=s-ben
mon 14:00 admin@fabrikam.com audits "Disable account" target ben workload AzureActiveDirectory
tue 09:00 ben signs in from Leeds session=s-ben kind=non_interactive mfa=claim
expect session-outlived-revocation ada risk 80 says "2 hours later"
expect session-outlived-revocation ben says "was disabled"
