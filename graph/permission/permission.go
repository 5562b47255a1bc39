// Package permission knows the application permissions that a tenant can grant an app, and the ids under which an app
// registration's manifest names them. It imports nothing, so that the simulator, which imports nothing of package graph
// either, knows the same.
package permission

import "strings"

// Permission is an application permission that can be asked for: an app role of a service, with the id under which a
// manifest names it.
type Permission struct {
	Name string // User.Read.All
	ID   string // the app role's, the same in every tenant; empty where it must be looked up by name
	App  string // application id of the service that has it; empty for Microsoft Graph
}

// The application ids of the services whose permissions are known here, the same in every tenant.
// https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in
const (
	Graph      = "00000003-0000-0000-c000-000000000000"
	Exchange   = "00000002-0000-0ff1-ce00-000000000000"
	Management = "c5393580-f805-4401-95e8-94b7a6ef2fc2" // Office 365 Management APIs
)

// Service is the application id of the service that has the permission.
func (p Permission) Service() string {
	if p.App == "" {
		return Graph
	}
	return p.App
}

// ServiceName is that service as the Entra portal calls it.
func (p Permission) ServiceName() string {
	switch p.App {
	case Exchange:
		return "Office 365 Exchange Online"
	case Management:
		return "Office 365 Management APIs"
	}
	return "Microsoft Graph"
}

// Find is the application permission of that name; false where it is not in [All].
func Find(name string) (Permission, bool) {
	for _, p := range All {
		if strings.EqualFold(p.Name, name) {
			return p, true
		}
	}
	return Permission{}, false
}

// All are application permissions with their ids, by name: Microsoft Graph's from Microsoft's permissions reference,
// https://learn.microsoft.com/graph/permissions-reference, then those of two older services.
var All = []Permission{
	{Name: "AppRoleAssignment.ReadWrite.All", ID: "06b708a9-e830-4db3-a914-8e69da51d44f"},
	{Name: "Application.Read.All", ID: "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"},
	{Name: "Application.ReadWrite.All", ID: "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9"},
	{Name: "Application.ReadWrite.OwnedBy", ID: "18a4783c-866b-4cc7-a460-3d5e5662c884"},
	{Name: "AuditLog.Read.All", ID: "b0afded3-3588-46d8-8b3d-9842eff778da"},
	{Name: "AuditLogsQuery-CRM.Read.All", ID: "20e6f8e4-ffac-4cf7-82f7-70ddb7564318"},
	{Name: "AuditLogsQuery-Endpoint.Read.All", ID: "0bc85aed-7b0b-437a-bac8-3b29a1b84c99"},
	{Name: "AuditLogsQuery-Entra.Read.All", ID: "7276d950-48fc-4269-8348-f22f2bb296d0"},
	{Name: "AuditLogsQuery-Exchange.Read.All", ID: "6b0d2622-d34e-4470-935b-b96550e5ca8d"},
	{Name: "AuditLogsQuery-OneDrive.Read.All", ID: "8a169a81-841c-45fd-ad43-96aede8801a0"},
	{Name: "AuditLogsQuery-SharePoint.Read.All", ID: "91c64a47-a524-4fce-9bf3-3d569a344ecf"},
	{Name: "AuditLogsQuery.Read.All", ID: "5e1e9171-754d-478c-812c-f1755a9a4c2d"},
	{Name: "Calendars.ReadWrite", ID: "ef54d2bf-783f-4e0f-bca1-3210c0444d99"},
	{Name: "DelegatedPermissionGrant.ReadWrite.All", ID: "8e8e4742-1d95-4f68-9d56-6ee75648c72a"},
	{Name: "Device.Read.All", ID: "7438b122-aefc-4978-80ed-43db9fcc7715"},
	{Name: "Device.ReadWrite.All", ID: "1138cb37-bd11-4084-a2b7-9f71582aeddb"},
	{Name: "DeviceManagementApps.Read.All", ID: "7a6ee1e7-141e-4cec-ae74-d9db155731ff"},
	{Name: "DeviceManagementApps.ReadWrite.All", ID: "78145de6-330d-4800-a6ce-494ff2d33d07"},
	{Name: "DeviceManagementConfiguration.Read.All", ID: "dc377aa6-52d8-4e23-b271-2a7ae04cedf3"},
	{Name: "DeviceManagementConfiguration.ReadWrite.All", ID: "9241abd9-d0e6-425a-bd4f-47ba86e767a4"},
	{Name: "DeviceManagementManagedDevices.PrivilegedOperations.All", ID: "5b07b0dd-2377-4e44-a38d-703f09a0dc3c"},
	{Name: "DeviceManagementManagedDevices.Read.All", ID: "2f51be20-0bb4-4fed-bf7b-db946066c75e"},
	{Name: "DeviceManagementManagedDevices.ReadWrite.All", ID: "243333ab-4d21-40cb-a475-36241daa0842"},
	{Name: "DeviceManagementServiceConfig.Read.All", ID: "06a5fe6d-c49d-46a7-b082-56b1b14103c7"},
	{Name: "DeviceManagementServiceConfig.ReadWrite.All", ID: "5ac13192-7ace-4fcf-b828-1a26f28068ee"},
	{Name: "Directory.Read.All", ID: "7ab1d382-f21e-4acd-a863-ba3e13f7da61"},
	{Name: "Directory.ReadWrite.All", ID: "19dbc75e-c2e2-444c-a770-ec69d8559fc7"},
	{Name: "Domain.Read.All", ID: "dbb9058a-0e50-45d7-ae91-66909b5d4664"},
	{Name: "Domain.ReadWrite.All", ID: "7e05723c-0bb0-42da-be95-ae9f08a6e53c"},
	{Name: "ExchangeMessageTrace.Read.All"},
	{Name: "Files.Read.All", ID: "01d4889c-1287-42c6-ac1f-5d1e02578ef6"},
	{Name: "Files.ReadWrite.All", ID: "75359482-378d-4052-8f01-80520e7db3cd"},
	{Name: "Group.Read.All", ID: "5b567255-7703-4780-807c-7be8301ae99b"},
	{Name: "Group.ReadWrite.All", ID: "62a82d76-70ea-41e2-9197-370581804d09"},
	{Name: "GroupMember.Read.All", ID: "98830695-27a2-44f7-8c18-0c3ebc9698f6"},
	{Name: "GroupMember.ReadWrite.All", ID: "dbaae8cf-10b5-4b86-a4a1-f871c94c6695"},
	{Name: "IdentityRiskEvent.Read.All", ID: "6e472fd1-ad78-48da-a0f0-97ab2c6b769e"},
	{Name: "IdentityRiskyServicePrincipal.Read.All", ID: "607c7344-0eed-41e5-823a-9695ebe1b7b0"},
	{Name: "IdentityRiskyServicePrincipal.ReadWrite.All", ID: "cb8d6980-6bcb-4507-afec-ed6de3a2d798"},
	{Name: "IdentityRiskyUser.Read.All", ID: "dc5007c0-2d7d-4c42-879c-2dab87571379"},
	{Name: "IdentityRiskyUser.ReadWrite.All", ID: "656f6061-f9fe-4807-9708-6a2e0934df76"},
	{Name: "Mail.Read", ID: "810c84a8-4a9e-49e6-bf7d-12d183f40d01"},
	{Name: "Mail.ReadBasic.All", ID: "693c5e45-0940-467d-9b8a-1022fb9d42ef"},
	{Name: "Mail.ReadWrite", ID: "e2a3a72e-5f79-4c64-b1b1-878b674786c9"},
	{Name: "Mail.Send", ID: "b633e1c5-b582-4048-a93e-9f11b44c7e96"},
	{Name: "MailboxSettings.Read", ID: "40f97065-369a-49f4-947c-6a255697ae91"},
	{Name: "MailboxSettings.ReadWrite", ID: "6931bccd-447a-43d1-b442-00a195474933"},
	{Name: "OnPremDirectorySynchronization.Read.All", ID: "bb70e231-92dc-4729-aff5-697b3f04be95"},
	{Name: "OrgContact.Read.All", ID: "e1a88a34-94c4-4418-be12-c87b00e26bea"},
	{Name: "Organization.Read.All", ID: "498476ce-e0fe-48b0-b801-37ba7e2685c6"},
	{Name: "Organization.ReadWrite.All", ID: "292d869f-3427-49a8-9dab-8c70152b74e9"},
	{Name: "Policy.Read.All", ID: "246dd0d5-5bd0-4def-940b-0421030a5b68"},
	{Name: "Policy.Read.B2BManagementPolicy"},
	{Name: "Policy.Read.DeviceConfiguration", ID: "bdba4817-6ba1-4a7c-8a01-be9bc7c242dd"},
	{Name: "Policy.ReadWrite.AuthenticationMethod", ID: "29c18626-4985-4dcd-85c0-193eef327366"},
	{Name: "Policy.ReadWrite.Authorization", ID: "fb221be6-99f2-473f-bd32-01c6a0e9ca3b"},
	{Name: "Policy.ReadWrite.ConsentRequest", ID: "999f8c63-0a38-4f1b-91fd-ed1947bdd1a9"},
	{Name: "Policy.ReadWrite.CrossTenantAccess", ID: "338163d7-f101-4c92-94ba-ca46fe52447c"},
	{Name: "Policy.ReadWrite.SecurityDefaults", ID: "1c6e93a6-28e2-4cbb-9f64-1a46a821124d"},
	{Name: "Reports.Read.All", ID: "230c1aed-a721-4c5d-9cb4-a90514e508ef"},
	{Name: "RoleAssignmentSchedule.Read.Directory", ID: "d5fe8ce8-684c-4c83-a52c-46e882ce4be1"},
	{Name: "RoleAssignmentSchedule.ReadWrite.Directory", ID: "dd199f4a-f148-40a4-a2ec-f0069cc799ec"},
	{Name: "RoleAssignmentSchedule.Remove.Directory", ID: "d3495511-98b7-4df3-b317-4e35c19f6129"},
	{Name: "RoleEligibilitySchedule.Read.Directory", ID: "ff278e11-4a33-4d0c-83d2-d01dc58929a5"},
	{Name: "RoleEligibilitySchedule.ReadWrite.Directory", ID: "fee28b28-e1f3-4841-818e-2704dc62245f"},
	{Name: "RoleEligibilitySchedule.Remove.Directory", ID: "79c7e69c-0d9f-4eff-97a8-49170a5a08ba"},
	{Name: "RoleManagement.Read.All", ID: "c7fbd983-d9aa-4fa7-84b8-17382c103bc4"},
	{Name: "RoleManagement.Read.Directory", ID: "483bed4a-2ad3-4361-a73b-c83ccdbdc53c"},
	{Name: "RoleManagement.ReadWrite.Directory", ID: "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8"},
	{Name: "SecurityAnalyzedMessage.ReadWrite.All", ID: "04c55753-2244-4c25-87fc-704ab82a4f69"},
	{Name: "SharePointTenantSettings.Read.All", ID: "83d4163d-a2d8-4d3b-9695-4ae3ca98f888"},
	{Name: "SharePointTenantSettings.ReadWrite.All", ID: "19b94e34-907c-4f43-bde9-38b1909ed408"},
	{Name: "Sites.FullControl.All", ID: "a82116e5-55eb-4c41-a434-62fe8a61c773"},
	{Name: "Sites.Manage.All", ID: "0c0bf378-bf22-4481-8f81-9e89a9b4960a"},
	{Name: "Sites.Read.All", ID: "332a536c-c7ef-4017-ab91-336970924f0d"},
	{Name: "Sites.ReadWrite.All", ID: "9492366f-7969-46a4-8d15-ed1a20078fff"},
	{Name: "Team.ReadBasic.All", ID: "2280dda6-0bfd-44ee-a2f4-cb867cfc4c1e"},
	{Name: "User-Mail.ReadWrite.All", ID: "280d0935-0796-47d1-8d26-273470a3f17a"},
	{Name: "User-PasswordProfile.ReadWrite.All", ID: "cc117bb9-00cf-4eb8-b580-ea2a878fe8f7"},
	{Name: "User-Phone.ReadWrite.All", ID: "86ceff06-c822-49ff-989a-d912845ffe69"},
	{Name: "User.EnableDisableAccount.All", ID: "3011c876-62b7-4ada-afa2-506cbbecc68c"},
	{Name: "User.ManageIdentities.All", ID: "c529cfca-c91b-489c-af2b-d92990b66ce6"},
	{Name: "User.Read.All", ID: "df021288-bdef-4463-88db-98f22de89214"},
	{Name: "User.ReadBasic.All", ID: "97235f07-e226-4f63-ace3-39588e11d3a1"},
	{Name: "User.ReadWrite.All", ID: "741f803b-c850-494e-b5df-cde7c675a1ca"},
	{Name: "User.RevokeSessions.All", ID: "77f3a031-c388-4f99-b373-dc68676a979e"},
	{Name: "UserAuthMethod-Passkey.Read.All", ID: "72e00c1d-3e3d-43bb-a0b9-c435611bb1d2"},
	{Name: "UserAuthMethod-Passkey.ReadWrite.All", ID: "0400e371-7db1-4338-a269-96069eb65227"},
	{Name: "UserAuthenticationMethod.Read.All", ID: "38d9df27-64da-44fd-b7c5-a6fbac20248f"},
	{Name: "UserAuthenticationMethod.ReadWrite.All", ID: "50483e42-d915-4231-9639-7fdb7fd190e5"},

	{Name: "ActivityFeed.Read", ID: "594c1fb6-4f81-4475-ae41-0c394909246c", App: Management},
	{Name: "Exchange.ManageAsApp", ID: "dc50a0fb-09a3-484d-be87-e023b12c6440", App: Exchange},
	{Name: "Exchange.ManageAsAppV2", App: Exchange},
}

// Scopes are delegated permissions with their ids: what an app may do in the name of who signed in. Of Microsoft's permissions reference as well.
var Scopes = []Permission{
	{Name: "Mail.Read.Shared", ID: "7b9103a5-4610-446b-9670-80643382c1fa"},
	{Name: "Mail.ReadWrite.Shared", ID: "5df07973-7d5d-46ed-9847-1271055cbd51"},
	{Name: "Mail.Send.Shared", ID: "a367ab51-6b49-43bf-a716-a1fb06d2a174"},
	{Name: "User.Read", ID: "e1fe6dd8-ba31-4d61-89e7-88639da4683d"},
	{Name: "offline_access", ID: "7427e0e9-2fba-42fe-b0c0-848c9e6a8182"},
}

// FindScope is the delegated permission of that name; false where it is not in [Scopes].
func FindScope(name string) (Permission, bool) {
	for _, p := range Scopes {
		if strings.EqualFold(p.Name, name) {
			return p, true
		}
	}
	return Permission{}, false
}
