package graph

// User is a user of the directory: a person, a shared mailbox, a room. https://learn.microsoft.com/graph/api/resources/user
type User struct {
	ID                    string            `json:"id,omitempty"`
	DisplayName           string            `json:"displayName,omitempty"`
	UserPrincipalName     string            `json:"userPrincipalName,omitempty"`
	Mail                  string            `json:"mail,omitempty"`
	ProxyAddresses        []string          `json:"proxyAddresses,omitempty"` // SMTP: before the primary one, smtp: before the others
	OtherMails            []string          `json:"otherMails,omitempty"`
	UserType              string            `json:"userType,omitempty"` // Member, Guest; empty on old objects
	AccountEnabled        *bool             `json:"accountEnabled,omitempty"`
	OnPremisesSyncEnabled *bool             `json:"onPremisesSyncEnabled,omitempty"`
	AssignedPlans         []AssignedPlan    `json:"assignedPlans,omitempty"`
	AssignedLicenses      []AssignedLicense `json:"assignedLicenses,omitempty"`
	Department            string            `json:"department,omitempty"`
	JobTitle              string            `json:"jobTitle,omitempty"`
	CreatedDateTime       Time              `json:"createdDateTime,omitzero"`
}

// AssignedPlan is a service that a licence brings.
type AssignedPlan struct {
	AssignedDateTime Time   `json:"assignedDateTime,omitzero"`
	CapabilityStatus string `json:"capabilityStatus,omitempty"` // Enabled, Warning, Suspended, Deleted, LockedOut
	Service          string `json:"service,omitempty"`          // exchange, AADPremiumService …
	ServicePlanID    string `json:"servicePlanId,omitempty"`
}

// AssignedLicense is a licence of a user.
type AssignedLicense struct {
	SkuID         string   `json:"skuId,omitempty"`
	DisabledPlans []string `json:"disabledPlans,omitempty"`
}
