package posture

import (
	"encoding/json"
	"strings"
	"time"
)

// list is a list of words. Graph has some as lists and some as words with commas between; exports made with PowerShell have a list
// of one as a word alone.
type list []string

func (l *list) UnmarshalJSON(body []byte) error {
	var many []string
	if json.Unmarshal(body, &many) == nil {
		*l = many
		return nil
	}
	var one string
	if err := json.Unmarshal(body, &one); err != nil {
		*l = nil // neither: not told
		return nil
	}
	*l = nil
	for word := range strings.SplitSeq(one, ",") {
		if word = strings.TrimSpace(word); word != "" {
			*l = append(*l, word)
		}
	}
	return nil
}

// has says whether a word is in the list, without regard to case.
func (l list) has(word string) bool {
	for _, w := range l {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

// all says whether every one of words is in the list.
func (l list) all(words ...string) bool {
	for _, w := range words {
		if !l.has(w) {
			return false
		}
	}
	return true
}

// moment is a time as Graph writes it; zero where it is null or not readable.
type moment struct{ time.Time }

func (m *moment) UnmarshalJSON(body []byte) error {
	var s string
	if json.Unmarshal(body, &s) != nil {
		return nil
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(form, s); err == nil {
			m.Time = t
			return nil
		}
	}
	return nil
}

// The objects, with the fields that are looked at. https://learn.microsoft.com/graph/api/overview has them under their names.

type user struct {
	ID                    string `json:"id"`
	DisplayName           string `json:"displayName"`
	UserPrincipalName     string `json:"userPrincipalName"`
	AccountEnabled        *bool  `json:"accountEnabled"`
	Mail                  string `json:"mail"`
	UserType              string `json:"userType"`
	OnPremisesSyncEnabled *bool  `json:"onPremisesSyncEnabled"`
	EmployeeHireDate      moment `json:"employeeHireDate"`
	CreatedDateTime       moment `json:"createdDateTime"`
	PasswordPolicies      list   `json:"passwordPolicies"`
	AssignedLicenses      []struct {
		SkuID string `json:"skuId"`
	} `json:"assignedLicenses"`
	SignInActivity *struct {
		LastSignInDateTime           moment `json:"lastSignInDateTime"`
		LastSuccessfulSignInDateTime moment `json:"lastSuccessfulSignInDateTime"`
		LastNonInteractive           moment `json:"lastNonInteractiveSignInDateTime"`
	} `json:"signInActivity"`
}

func (u *user) enabled() bool { return u.AccountEnabled == nil || *u.AccountEnabled }
func (u *user) guest() bool   { return strings.EqualFold(u.UserType, "Guest") }
func (u *user) synced() bool  { return u.OnPremisesSyncEnabled != nil && *u.OnPremisesSyncEnabled }
func (u *user) name() string  { return or(u.DisplayName, u.UserPrincipalName, u.ID) }

// lastSeen is the last sign-in of any kind; zero where none is told.
func (u *user) lastSeen() time.Time {
	var last time.Time
	if a := u.SignInActivity; a != nil {
		for _, at := range []moment{a.LastSignInDateTime, a.LastSuccessfulSignInDateTime, a.LastNonInteractive} {
			if at.After(last) {
				last = at.Time
			}
		}
	}
	return last
}

type group struct {
	ID                     string  `json:"id"`
	DisplayName            string  `json:"displayName"`
	Visibility             string  `json:"visibility"`
	GroupTypes             list    `json:"groupTypes"`
	MembershipRule         string  `json:"membershipRule"`
	IsAssignableToRole     bool    `json:"isAssignableToRole"`
	IsManagementRestricted bool    `json:"isManagementRestricted"`
	Mail                   string  `json:"mail"`
	Owners                 []owner `json:"owners"`
}

type domain struct {
	ID       string `json:"id"`
	Verified bool   `json:"isVerified"`
}

// sku is a licence that the tenant holds.
type sku struct {
	SkuID   string `json:"skuId"`
	Part    string `json:"skuPartNumber"`
	Prepaid *struct {
		Enabled int `json:"enabled"`
	} `json:"prepaidUnits"`
	Plans []struct {
		Name string `json:"servicePlanName"`
	} `json:"servicePlans"`
}

// mailbox says whether one of its plans is a mailbox.
func (k *sku) mailbox() bool {
	for _, p := range k.Plans {
		if n := strings.ToUpper(p.Name); strings.HasPrefix(n, "EXCHANGE_S_") && n != "EXCHANGE_S_FOUNDATION" {
			return true
		}
	}
	return false
}

type namedLocation struct {
	Type        string            `json:"@odata.type"`
	ID          string            `json:"id"`
	DisplayName string            `json:"displayName"`
	IsTrusted   bool              `json:"isTrusted"`
	IPRanges    []json.RawMessage `json:"ipRanges"`
	Countries   list              `json:"countriesAndRegions"`
	Unknown     bool              `json:"includeUnknownCountriesAndRegions"`
}

type strength struct {
	ID                  string `json:"id"`
	DisplayName         string `json:"displayName"`
	AllowedCombinations list   `json:"allowedCombinations"`
}

type registration struct {
	ID                string `json:"id"`
	UserPrincipalName string `json:"userPrincipalName"`
	UserDisplayName   string `json:"userDisplayName"`
	IsAdmin           bool   `json:"isAdmin"`
	IsMfaCapable      *bool  `json:"isMfaCapable"`
	IsMfaRegistered   *bool  `json:"isMfaRegistered"`
	MethodsRegistered list   `json:"methodsRegistered"`
}

type credential struct {
	KeyID         string `json:"keyId"`
	DisplayName   string `json:"displayName"`
	StartDateTime moment `json:"startDateTime"`
	EndDateTime   moment `json:"endDateTime"`
}

// live says whether a credential works at that time, or will.
func (c *credential) live(now time.Time) bool {
	return c.EndDateTime.IsZero() || now.Before(c.EndDateTime.Time)
}

type publisher struct {
	DisplayName         string `json:"displayName"`
	VerifiedPublisherID string `json:"verifiedPublisherId"`
}

// owner owns a group or an application. Where the list of them is nil it was not asked for.
type owner struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
}

type application struct {
	ID                  string       `json:"id"`
	AppID               string       `json:"appId"`
	DisplayName         string       `json:"displayName"`
	SignInAudience      string       `json:"signInAudience"`
	PasswordCredentials []credential `json:"passwordCredentials"`
	KeyCredentials      []credential `json:"keyCredentials"`
	VerifiedPublisher   *publisher   `json:"verifiedPublisher"`
	Owners              []owner      `json:"owners"`
}

type servicePrincipal struct {
	ID                     string       `json:"id"`
	AppID                  string       `json:"appId"`
	DisplayName            string       `json:"displayName"`
	AppOwnerOrganizationID string       `json:"appOwnerOrganizationId"`
	ServicePrincipalType   string       `json:"servicePrincipalType"`
	AccountEnabled         *bool        `json:"accountEnabled"`
	PasswordCredentials    []credential `json:"passwordCredentials"`
	KeyCredentials         []credential `json:"keyCredentials"`
	VerifiedPublisher      *publisher   `json:"verifiedPublisher"`
	Owners                 []owner      `json:"owners"`
	Tags                   list         `json:"tags"`
	AppRoles               []struct {
		ID    string `json:"id"`
		Value string `json:"value"`
	} `json:"appRoles"`
	AppRoleAssignments []appRoleAssignment `json:"appRoleAssignments"`
}

type appRoleAssignment struct {
	AppRoleID   string `json:"appRoleId"`
	PrincipalID string `json:"principalId"`
	ResourceID  string `json:"resourceId"`
}

type permissionGrant struct {
	ID          string `json:"id"`
	ClientID    string `json:"clientId"`
	ConsentType string `json:"consentType"`
	PrincipalID string `json:"principalId"`
	Scope       string `json:"scope"`
}

type appActivity struct {
	AppID              string `json:"appId"`
	LastSignInActivity *struct {
		LastSignInDateTime moment `json:"lastSignInDateTime"`
	} `json:"lastSignInActivity"`
}

func or(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}
