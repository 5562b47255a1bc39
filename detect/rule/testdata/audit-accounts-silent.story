# Accounts made by synchronisation, long-lived ones deleted, a method added, a guest of the partner.
domain fabrikam.com
partner trusted.example
person amy "Amy Adams"
person root "Rita Root" admin

mon 09:00 "Sync_DC1_0a1b@fabrikam.onmicrosoft.com" audits "Add user" as system target "new@fabrikam.com"
mon 09:10 root audits "Delete user" target "old@fabrikam.com"
mon 09:20 amy audits "Update user" target amy StrongAuthenticationMethod="[]" becoming "[{MethodType: 7}]"
mon 09:30 amy audits "Invite external user" invited="jo@trusted.example"
mon 09:40 root audits "Invite external user" result failed invited="eve@evil.example"
mon 09:50 root audits "Update user" target amy DisplayName="Amy" becoming "Amy Adams"
mon 09:55 root audits "Admin registered security info" target amy reason="Admin registered phone method for user"
silent
silent account-made
silent account-made-and-deleted
silent mfa-removed
silent temporary-access-pass-made
silent guest-invited
silent guest-made-member
silent synchronisation-anchor-changed
silent prompt-reported
