# Roles, by each way they are given.
domain fabrikam.com
person bob "Bob Brown"
person cyd "Cyd Clark"
person dan "Dan Dorn"
person eva "Eva Ernst"
person fay "Fay Frost"
person root "Rita Root" admin

mon 02:00 root audits "Add member to role" target bob Role.DisplayName="" becoming "Global Administrator"
mon 02:10 root audits "Add member to role" target cyd Role.DisplayName="" becoming "Exchange Administrator"
mon 02:20 root audits "Add member to role" target dan Role.DisplayName="" becoming "Directory Readers"
mon 02:30 root audits "Add member to role outside of PIM (permanent)" target eva Role.DisplayName="" becoming "User Administrator"
mon 02:40 root audits "Add eligible member to role in PIM completed (permanent)" target fay Role.DisplayName="" becoming "Security Administrator"
mon 02:50 root audits "Update role setting in PIM" target "Global Administrator"
mon 03:00 root audits "User has elevated their access to User Access Administrator for their Azure Resources"
expect global-administrator-granted bob risk 85
expect privileged-role-granted cyd risk 65
expect role-granted dan
expect role-granted-outside-pim eva risk 65
expect role-granted-through-pim fay
expect role-setting-changed root
expect elevated-access-to-azure root risk 65
expect roles-granted-in-series root risk 65 says "roles within an hour"
