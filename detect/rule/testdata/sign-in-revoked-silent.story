# A token that runs out within the hour, a new session after the revocation, and a session of somebody else.
domain fabrikam.com
person ada
person ben

mon 09:00 ada signs in from Leeds session=s-ada
mon 09:10 ben signs in from Leeds session=s-ben
mon 10:00 admin@fabrikam.com audits "Update StsRefreshTokenValidFrom Timestamp" target ada workload AzureActiveDirectory
mon 10:40 ada signs in from Leeds session=s-ada kind=non_interactive mfa=claim
mon 11:00 ada signs in from Leeds session=s-new
mon 14:00 ada signs in from Leeds session=s-new kind=non_interactive mfa=claim
mon 15:00 ben signs in from Leeds session=s-ben kind=non_interactive mfa=claim
silent
silent session-outlived-revocation
