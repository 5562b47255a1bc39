# One device, a few applications, one key, an account that was enabled and reset on different days, a member's guest.
domain fabrikam.com
partner trusted.example
person ada
person ben

mon 09:00 ada audits "Register device" on device-1
mon 09:30 ada audits "Register device" on device-1
mon 10:00 ada audits "Register device" on device-2
mon 11:00 ada audits "Add service principal" on app-1
mon 11:01 ada audits "Add service principal" on app-2
mon 11:02 "Windows Azure Service Management API" audits "Add service principal" as system on app-3
mon 12:00 ben audits "Read BitLocker key" on device-1
mon 13:00 ada audits "Enable account" target old@fabrikam.com
tue 13:10 ada audits "Reset user password" target old@fabrikam.com
tue 14:00 ada audits "Invite external user" invited="eve@trusted.example"
tue 15:00 ada audits "Set Company Information" TechnicalNotificationMails="a" becoming "b"
silent
silent devices-registered-in-series
silent applications-added-in-series
silent recovery-secrets-read
silent account-enabled-and-reset
silent guest-invited-by-guest
silent certificate-authority-added
