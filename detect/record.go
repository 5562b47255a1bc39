package detect

import (
	"encoding/json"
	"time"
)

// Record is one record of the unified audit log, in one form whichever workload wrote it.
type Record struct {
	ID         string
	Time       time.Time
	Operation  string // New-InboxRule, UserLoggedIn, "Add member to role." …
	Workload   string // Exchange, AzureActiveDirectory, SharePoint …
	RecordType string
	Actor      string // the address or name of who did it
	ActorKind  string // user, admin, service, system, app
	IP         string // without port
	Object     string // ObjectId: what was acted on, as the record names it
	Target     string // the person or object meant, where the record tells it apart
	Result     string
	UserAgent  string
	ClientApp  string
	Params     map[string]string    // parameters of a cmdlet
	Modified   map[string][2]string // property → old, new
	Extra      map[string]any       // further members of the record
	Raw        json.RawMessage
	Hits       []Hit `json:",omitempty"` // the rules of the customer's own that it meets
}

// Hit says that a record meets a rule of the customer's own.
type Hit struct {
	Rule  string `json:"rule"` // the name that its findings are filed under
	At    int    `json:"at,omitempty"`
	Why   string `json:"why,omitempty"`
	Feeds []Feed `json:"feeds,omitempty"`
}

// Feed is what a correlation needs to know of a record: the group it is of, and the value that is counted.
type Feed struct {
	Correlation int      `json:"correlation"`
	Group       []string `json:"group,omitempty"`
	Value       string   `json:"value,omitempty"`
}
