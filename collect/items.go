package collect

import (
	"bytes"
	"encoding/json"
	"sync"

	"tocsin.dev"
)

// The kinds of items.
const (
	kindPerson   = "person"
	kindGroup    = "group"
	kindMembers  = "members"
	kindRole     = "role"
	kindDomains  = "domains"
	kindSettings = "settings"
	kindRules    = "rules"
	kindJudge    = "judge"
	kindRights   = "rights"
	kindCover    = "cover"
	kindAudit    = "audit"
	kindFolders  = "folders"

	// Graph said so: look at a message (or at what is parked of a mailbox), and how a subscription stands.
	kindNotified = "notified"
	kindSignal   = "signal"
	kindMail     = "mail" // what the looks gave
)

// personSeen is a person as the directory gives it. Pointers are unknown where nil: unknown is never no.
type personSeen struct {
	Object     string   `json:"object"`
	Name       string   `json:"name,omitempty"`
	UPN        string   `json:"upn,omitempty"`
	Mail       string   `json:"mail,omitempty"`
	Kind       string   `json:"kind,omitempty"` // member, guest
	Enabled    *bool    `json:"enabled,omitempty"`
	Synced     *bool    `json:"synced,omitempty"`
	Licensed   *bool    `json:"licensed,omitempty"` // has an Exchange plan
	Department string   `json:"department,omitempty"`
	Title      string   `json:"title,omitempty"`
	Addresses  []string `json:"addresses,omitempty"`
	Created    int64    `json:"created,omitempty"`
	Removed    bool     `json:"removed,omitempty"`
}

type groupSeen struct {
	ID        string   `json:"id"`
	Name      string   `json:"name,omitempty"`
	Mail      string   `json:"mail,omitempty"`
	Kind      string   `json:"kind,omitempty"` // unified, distribution, mail_security, security, contact
	Addresses []string `json:"addresses,omitempty"`
	Removed   bool     `json:"removed,omitempty"`
}

// membersSeen are a group's members outside the organisation, looked through nested groups.
type membersSeen struct {
	Group   string           `json:"group"`
	Outside []tocsin.Address `json:"outside"`
}

type roleSeen struct {
	ID       string       `json:"id"`
	Name     string       `json:"name"`
	Template string       `json:"template"`
	Members  []roleMember `json:"members"`
}

type roleMember struct {
	Object string          `json:"object"`
	Name   string          `json:"name"`
	Person tocsin.PersonID `json:"person,omitempty"`
}

type domainsSeen struct {
	Tenant  string       `json:"tenant,omitempty"` // the organisation's name
	Domains []domainSeen `json:"domains"`
}

type domainSeen struct {
	Name           string `json:"name"`
	Default        bool   `json:"default,omitempty"`
	Authentication string `json:"authentication,omitempty"`
}

// settingsSeen is a mailbox's settings, or why there are none.
type settingsSeen struct {
	Purpose   string            `json:"purpose,omitempty"` // user, shared, room, equipment, linked, others
	TimeZone  string            `json:"timezone,omitempty"`
	Language  string            `json:"language,omitempty"`
	AutoReply *tocsin.AutoReply `json:"auto_reply,omitempty"`
	Absent    string            `json:"absent,omitempty"` // why there is no mailbox to read
	State     string            `json:"state,omitempty"`  // none, out_of_scope; empty when read
}

// rulesSeen is a mailbox's whole list of inbox rules, or why it could not be read.
type rulesSeen struct {
	Rules   []ruleSeen               `json:"rules,omitempty"`
	Folders map[string]tocsin.Folder `json:"folders,omitempty"` // newly resolved, by id
	Absent  string                   `json:"absent,omitempty"`
	State   string                   `json:"state,omitempty"`
}

type ruleSeen struct {
	tocsin.MailRule
	Raw json.RawMessage `json:"raw,omitempty"` // Graph's own object, as evidence
}

// encode is JSON without HTML escapes, so that what is kept reads as it was given.
func encode(v any) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer func() {
		if e.into.Cap() <= 64<<10 {
			encoders.Put(e)
		}
	}()
	e.into.Reset()
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.Clone(bytes.TrimRight(e.into.Bytes(), "\n")), nil
}

type encoder struct {
	*json.Encoder
	into *bytes.Buffer
}

var encoders = sync.Pool{New: func() any {
	b := &bytes.Buffer{}
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return &encoder{e, b}
}}
