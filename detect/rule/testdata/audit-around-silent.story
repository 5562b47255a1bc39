# The same operations where nothing goes around anything.
domain fabrikam.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
person root "Rita Root" admin

mon 02:00 root audits "Add member to group" target amy Group.DisplayName="" becoming "Choir"
mon 02:10 bob audits "Add member to group" target amy actor_name="Bob Brown" Group.DisplayName="" becoming "Choir"
mon 05:00 cyd audits "Add device" target cyd DeviceOSVersion="" becoming "10.0.26100.1742"
mon 07:00 root runs Set-CsTenantFederationConfiguration workload MicrosoftTeams AllowFederatedUsers="False"
silent spared-group-gained-member
silent service-acted-as-a-person
silent roles-granted-in-series
silent device-like-a-kit
silent device-no-longer-compliant
silent teams-opened-outside
