package tocsin

import (
	"encoding/json"
	"time"
)

// Event is what every source is turned into, and what subscribers and exports receive. The field names are fixed.
type Event struct {
	EventID             string          `json:"event_id"`
	EventType           string          `json:"event_type"`  // EMAIL, FOLDER, RULE, SIGN_IN, AUDIT, DEVICE, FINDING, ACTION
	Source              string          `json:"source"`      // OUTLOOK, ENTRA …
	SignalType          string          `json:"signal_type"` // COMMUNICATIONS, IDENTITY …
	DomainID            TenantID        `json:"domain_id"`
	TUID                PersonID        `json:"tuid"`
	Timestamp           time.Time       `json:"timestamp"`
	Payload             json.RawMessage `json:"payload"`
	RawMetadata         json.RawMessage `json:"raw_metadata"`
	PlatformEventID     string          `json:"platform_event_id"`
	PlatformEventSource string          `json:"platform_event_source"`
}
