# A policy added, what failed, a domain's name servers, and other settings.
domain fabrikam.com
person root "Rita Root" admin

mon 09:00 root audits "Add conditional access policy" target "MFA for all"
mon 09:10 root audits "Delete conditional access policy" result failure target "MFA for all"
mon 09:20 root audits "Set domain authentication" target "fabrikam.com" Something="1" becoming "2"
mon 09:30 root audits "Authentication Methods Policy Update" Passwordless="false" becoming "true"
mon 09:40 root audits "Update authorization policy" AllowInvitesFrom="everyone" becoming "adminsAndGuestInviters"
mon 09:50 root audits "Update policy" result failure target "Token lifetime"
mon 09:55 "Azure AD Identity Protection" audits "Add named location" as system target "Office"
silent
silent conditional-access-weakened
silent directory-policy-changed
silent domain-federation-changed
silent domain-added
silent sign-in-provider-changed
silent cross-tenant-access-changed
silent user-consent-loosened
silent named-location-changed
