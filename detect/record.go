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
}
