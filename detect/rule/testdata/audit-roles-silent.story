# What is only asked for, what failed, an activation's bookkeeping, and a role taken away.
domain fabrikam.com
person bob "Bob Brown"
person root "Rita Root" admin

mon 09:00 root audits "Add member to role in PIM requested (permanent)" target bob Role.DisplayName="" becoming "Global Administrator"
mon 09:10 root audits "Add member to role" result failure target bob Role.DisplayName="" becoming "Global Administrator"
mon 09:20 "MS-PIM" audits "Add member to role" as system target bob Role.DisplayName="" becoming "Global Administrator"
mon 09:30 root audits "Add member to role completed (PIM activation)" target bob Role.DisplayName="" becoming "Global Administrator"
mon 09:40 root audits "Remove member from role" target bob Role.DisplayName="Global Administrator" becoming ""
silent
silent global-administrator-granted
silent privileged-role-granted
silent role-granted
silent role-granted-outside-pim
silent role-granted-through-pim
silent role-setting-changed
silent elevated-access-to-azure
