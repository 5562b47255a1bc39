# What goes around the ways that are watched.
domain fabrikam.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
person root "Rita Root" admin

mon 02:00 root audits "Add member to group" target amy Group.DisplayName="" becoming "Carrier Partners"
mon 03:00 bob audits "Add user" target "helper@fabrikam.com" actor_name="Office 365 Exchange Online" workload AzureActiveDirectory
mon 04:00 root audits "Add member to role" target amy Role.DisplayName="" becoming "Directory Readers"
mon 04:10 root audits "Add member to role" target bob Role.DisplayName="" becoming "Directory Readers"
mon 04:20 root audits "Add member to role" target cyd Role.DisplayName="" becoming "Directory Readers"
mon 05:00 cyd audits "Add device" target cyd DeviceOSVersion="" becoming "10.0.19041.928"
mon 06:00 root audits "Device no longer compliant" on "LAP-7" workload AzureActiveDirectory
mon 07:00 root runs Set-CsTenantFederationConfiguration workload MicrosoftTeams AllowFederatedUsers="True" AllowTeamsConsumer="True"
expect spared-group-gained-member amy risk 65 says "1 conditional access policy"
expect service-acted-as-a-person bob risk 65 says "Exchange Online"
expect account-made "helper@fabrikam.com"
expect role-granted amy
expect role-granted bob
expect role-granted cyd
expect roles-granted-in-series root risk 65 says "3 roles"
expect device-like-a-kit cyd risk 65 says "10.0.19041.928"
expect device-no-longer-compliant "lap-7"
expect teams-opened-outside root says "2 more kinds"
