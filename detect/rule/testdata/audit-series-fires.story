# What is weighty in numbers or together: devices, applications, keys; an account enabled and reset; a guest's guest; an authority.
domain fabrikam.com
person ada
person ben
person gil "Gil Guest" gil@evil.example guest

mon 09:00 ada audits "Register device" on device-1
mon 09:30 ada audits "Register device" on device-2
mon 10:00 ada audits "Register device" on device-3
mon 11:00 ada audits "Add service principal" on app-1
mon 11:01 ada audits "Add service principal" on app-2
mon 11:02 ada audits "Add service principal" on app-3
mon 11:03 ada audits "Add service principal" on app-4
mon 11:04 ada audits "Add service principal" on app-5
mon 12:00 ben audits "Read BitLocker key" on device-1
mon 12:10 ben audits "Recover device local administrator password" on device-2
mon 12:20 ben audits "Read BitLocker key" on device-3
mon 13:00 ada audits "Enable account" target old@fabrikam.com
mon 13:10 ada audits "Reset user password" target old@fabrikam.com
mon 14:00 "gil_evil.example#EXT#@fabrikam.onmicrosoft.com" audits "Invite external user" invited="eve@evil.example"
mon 15:00 ada audits "Set Company Information" TrustedCAsForPasswordlessAuth="[]" becoming "[{\"issuer\":\"CN=Evil\"}]"
expect devices-registered-in-series ada says "3 devices"
expect applications-added-in-series ada says "5 applications"
expect recovery-secrets-read ben says "3 devices"
expect account-enabled-and-reset "old@fabrikam.com" says "within 10 minutes"
expect guest-invited-by-guest "gil_evil.example#EXT#@fabrikam.onmicrosoft.com"
expect guest-invited "gil_evil.example#EXT#@fabrikam.onmicrosoft.com"
expect certificate-authority-added ada risk 65
