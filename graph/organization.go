package graph

// Organization is the tenant. https://learn.microsoft.com/graph/api/resources/organization
type Organization struct {
	ID                    string           `json:"id,omitempty"`
	DisplayName           string           `json:"displayName,omitempty"`
	VerifiedDomains       []VerifiedDomain `json:"verifiedDomains,omitempty"`
	AssignedPlans         []AssignedPlan   `json:"assignedPlans,omitempty"`
	CountryLetterCode     string           `json:"countryLetterCode,omitempty"`
	CreatedDateTime       Time             `json:"createdDateTime,omitzero"`
	OnPremisesSyncEnabled *bool            `json:"onPremisesSyncEnabled,omitempty"`
	TenantType            string           `json:"tenantType,omitempty"` // AAD, AAD B2C, CIAM
}

// VerifiedDomain is a domain that the tenant proved to be its own.
type VerifiedDomain struct {
	Name         string `json:"name,omitempty"`
	Type         string `json:"type,omitempty"` // Managed, Federated
	Capabilities string `json:"capabilities,omitempty"`
	IsDefault    bool   `json:"isDefault,omitempty"`
	IsInitial    bool   `json:"isInitial,omitempty"`
}

// Domain is a domain of the tenant, verified or not. https://learn.microsoft.com/graph/api/resources/domain
type Domain struct {
	ID                 string   `json:"id,omitempty"` // its name
	IsVerified         bool     `json:"isVerified,omitempty"`
	IsDefault          bool     `json:"isDefault,omitempty"`
	IsInitial          bool     `json:"isInitial,omitempty"`
	AuthenticationType string   `json:"authenticationType,omitempty"` // Managed, Federated
	SupportedServices  []string `json:"supportedServices,omitempty"`  // Email …
}

// SubscribedSku is a licence that the tenant holds. https://learn.microsoft.com/graph/api/resources/subscribedsku
type SubscribedSku struct {
	ID               string        `json:"id,omitempty"`
	SkuID            string        `json:"skuId,omitempty"`
	SkuPartNumber    string        `json:"skuPartNumber,omitempty"`
	CapabilityStatus string        `json:"capabilityStatus,omitempty"`
	ConsumedUnits    int           `json:"consumedUnits,omitempty"`
	ServicePlans     []ServicePlan `json:"servicePlans,omitempty"`
}

// ServicePlan is a service of a licence.
type ServicePlan struct {
	ServicePlanID      string `json:"servicePlanId,omitempty"`
	ServicePlanName    string `json:"servicePlanName,omitempty"` // AAD_PREMIUM_P2 …
	ProvisioningStatus string `json:"provisioningStatus,omitempty"`
	AppliesTo          string `json:"appliesTo,omitempty"`
}
