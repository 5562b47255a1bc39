package graph

// Group is a group of the directory. https://learn.microsoft.com/graph/api/resources/group
type Group struct {
	ID              string   `json:"id,omitempty"`
	DisplayName     string   `json:"displayName,omitempty"`
	Mail            string   `json:"mail,omitempty"`
	MailEnabled     *bool    `json:"mailEnabled,omitempty"`
	SecurityEnabled *bool    `json:"securityEnabled,omitempty"`
	GroupTypes      []string `json:"groupTypes,omitempty"` // Unified, DynamicMembership
	ProxyAddresses  []string `json:"proxyAddresses,omitempty"`
}

// OrgContact is a contact in the organisation's address list. Mail is where it is reached; its further addresses may be
// inside. https://learn.microsoft.com/graph/api/resources/orgcontact
type OrgContact struct {
	ID             string   `json:"id,omitempty"`
	DisplayName    string   `json:"displayName,omitempty"`
	Mail           string   `json:"mail,omitempty"`
	ProxyAddresses []string `json:"proxyAddresses,omitempty"`
}

// Member is a member of a group or role: a user, group, contact, device or service principal.
type Member struct {
	Type              string   `json:"@odata.type,omitempty"` // #microsoft.graph.user …
	ID                string   `json:"id,omitempty"`
	DisplayName       string   `json:"displayName,omitempty"`
	Mail              string   `json:"mail,omitempty"`
	UserPrincipalName string   `json:"userPrincipalName,omitempty"`
	UserType          string   `json:"userType,omitempty"`
	AccountEnabled    *bool    `json:"accountEnabled,omitempty"`
	ProxyAddresses    []string `json:"proxyAddresses,omitempty"`
}
