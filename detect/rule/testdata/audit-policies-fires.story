# What the directory demands is lowered.
domain fabrikam.com
person root "Rita Root" admin

mon 02:00 root audits "Update conditional access policy" target "MFA for all" ConditionalAccessPolicy="{\"state\":\"enabled\",\"grantControls\":{\"builtInControls\":[\"mfa\"]}}" becoming "{\"state\":\"enabledForReportingButNotEnforced\",\"grantControls\":{\"builtInControls\":[\"mfa\"]}}"
mon 02:10 root audits "Update policy" target "Token lifetime"
mon 02:20 root audits "Set federation settings on domain" target "fabrikam.com"
mon 02:30 root audits "Add unverified domain" target "fabr1kam.com"
mon 02:40 root audits "Authentication Methods Policy Update" OpenIdConnectConfiguration="{\"discoveryUrl\":\"https://login.fabrikam.com\"}" becoming "{\"discoveryUrl\":\"https://idp.evil.example\"}"
mon 02:50 root audits "Add a partner to cross-tenant access setting" target "evil.example"
mon 03:00 root audits "Update authorization policy" PermissionGrantPolicyIdsAssignedToDefaultUserRole="[]" becoming "[microsoft-user-default-legacy]"
mon 03:10 root audits "Add named location" target "Office" Location="" becoming "{\"isTrusted\": true}"
expect conditional-access-weakened root risk 65 says "no longer acts"
expect directory-policy-changed root
expect domain-federation-changed root risk 85
expect domain-added root
expect sign-in-provider-changed root risk 65
expect cross-tenant-access-changed root
expect user-consent-loosened root
expect named-location-changed root risk 60
