package graph

// ServicePrincipal is an app in the tenant. https://learn.microsoft.com/graph/api/resources/serviceprincipal
type ServicePrincipal struct {
	ID                     string    `json:"id,omitempty"`
	AppID                  string    `json:"appId,omitempty"`
	DisplayName            string    `json:"displayName,omitempty"`
	AccountEnabled         *bool     `json:"accountEnabled,omitempty"`
	AppOwnerOrganizationID string    `json:"appOwnerOrganizationId,omitempty"`
	ServicePrincipalType   string    `json:"servicePrincipalType,omitempty"`
	AppRoles               []AppRole `json:"appRoles,omitempty"`
}

// AppRole is an application permission that an app offers: those of Microsoft Graph are the permissions of Calls.
type AppRole struct {
	ID          string `json:"id,omitempty"`
	Value       string `json:"value,omitempty"` // Mail.Read …
	DisplayName string `json:"displayName,omitempty"`
	IsEnabled   bool   `json:"isEnabled,omitempty"`
}

// AppRoleAssignment is an application permission granted. https://learn.microsoft.com/graph/api/resources/approleassignment
type AppRoleAssignment struct {
	ID                   string `json:"id,omitempty"`
	AppRoleID            string `json:"appRoleId,omitempty"`
	PrincipalID          string `json:"principalId,omitempty"`
	PrincipalType        string `json:"principalType,omitempty"`
	PrincipalDisplayName string `json:"principalDisplayName,omitempty"`
	ResourceID           string `json:"resourceId,omitempty"`
	ResourceDisplayName  string `json:"resourceDisplayName,omitempty"`
	CreatedDateTime      Time   `json:"createdDateTime,omitzero"`
}

// GraphAppID is the app id of Microsoft Graph in every tenant and cloud.
const GraphAppID = "00000003-0000-0000-c000-000000000000"

// Application is an app registration. https://learn.microsoft.com/graph/api/resources/application
type Application struct {
	ID                  string               `json:"id,omitempty"`
	AppID               string               `json:"appId,omitempty"`
	DisplayName         string               `json:"displayName,omitempty"`
	PasswordCredentials []PasswordCredential `json:"passwordCredentials,omitempty"`
	KeyCredentials      []KeyCredential      `json:"keyCredentials,omitempty"`
}

// PasswordCredential is a client secret without its value; Hint is the first three letters of it.
type PasswordCredential struct {
	KeyID         string `json:"keyId,omitempty"`
	DisplayName   string `json:"displayName,omitempty"`
	Hint          string `json:"hint,omitempty"`
	StartDateTime Time   `json:"startDateTime,omitzero"`
	EndDateTime   Time   `json:"endDateTime,omitzero"`
}

// KeyCredential is a certificate; CustomKeyIdentifier is its SHA-1 thumbprint in base64.
type KeyCredential struct {
	KeyID               string `json:"keyId,omitempty"`
	DisplayName         string `json:"displayName,omitempty"`
	CustomKeyIdentifier string `json:"customKeyIdentifier,omitempty"`
	StartDateTime       Time   `json:"startDateTime,omitzero"`
	EndDateTime         Time   `json:"endDateTime,omitzero"`
}
