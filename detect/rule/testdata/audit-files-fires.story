# Files go outside, and sites change hands.
domain fabrikam.com
person amy "Amy Adams"
person root "Rita Root" admin

mon 09:00 amy audits "AnonymousLinkCreated" on "https://fabrikam.sharepoint.com/plan.xlsx" file="plan.xlsx"
mon 09:10 amy audits "AddedToSecureLink" on "https://fabrikam.sharepoint.com/plan.xlsx" file="plan.xlsx" recipient="eve@evil.example" recipient_type="Guest"
mon 09:20 root audits "SharingPolicyChanged" on "https://fabrikam-admin.sharepoint.com" ShareUsingAnonymousLinks="Disabled" becoming "Enabled"
mon 09:30 root audits "SiteCollectionAdminAdded" on "https://fabrikam-my.sharepoint.com/personal/amy_fabrikam_com" recipient="root@fabrikam.com"
mon 09:40 amy audits "FileMalwareDetected" on "https://fabrikam.sharepoint.com/invoice.doc" file="invoice.doc"
expect anonymous-link amy
expect file-shared-outside amy says "eve@evil.example"
expect sharing-policy-weakened root
expect site-administrator-added root risk 65
expect malware-in-files amy risk 65
