# Sharing inside and with the partner, the owner of a new site, a setting made stricter.
domain fabrikam.com
partner trusted.example
person amy "Amy Adams"
person root "Rita Root" admin

mon 09:00 amy audits "AddedToSecureLink" on "https://fabrikam.sharepoint.com/plan.xlsx" recipient="bob@fabrikam.com" recipient_type="Member"
mon 09:10 amy audits "AddedToSecureLink" on "https://fabrikam.sharepoint.com/plan.xlsx" recipient="jo@trusted.example" recipient_type="Guest"
mon 09:20 amy audits "SiteCollectionAdminAdded" on "https://fabrikam-my.sharepoint.com/personal/amy_fabrikam_com" recipient="amy@fabrikam.com"
mon 09:30 root audits "SharingPolicyChanged" on "https://fabrikam-admin.sharepoint.com" ShareUsingAnonymousLinks="Enabled" becoming "Disabled"
mon 09:40 amy audits "FileDownloaded" on "https://fabrikam.sharepoint.com/plan.xlsx"
silent
silent anonymous-link
silent file-shared-outside
silent sharing-policy-weakened
silent site-administrator-added
silent malware-in-files
silent mass-download
