package api

import (
	"time"

	"tocsin.dev"
)

// Channel is a way in which people are told of findings. Of a webhook's address only the host is shown.
type Channel struct {
	ID            string          `json:"id"`
	Tenant        tocsin.TenantID `json:"tenant"` // whose it is; * for the installation's
	Kind          string          `json:"kind"`   // email, slack, teams, webhook, ocsf, syslog
	Name          string          `json:"name"`
	Address       string          `json:"address"`
	Severity      tocsin.Severity `json:"severity"` // at least
	Tenants       []string        `json:"tenants"`  // of an installation's channel: only these; empty for all
	Rules         []string        `json:"rules"`    // only these detections, or families; empty for all
	Changes       []string        `json:"changes"`  // opened, reopened, worse, fixed
	QuietFrom     string          `json:"quiet_from"`
	QuietTo       string          `json:"quiet_to"`
	QuietDays     []string        `json:"quiet_days"`
	QuietZone     string          `json:"quiet_zone"`
	QuietExcept   tocsin.Severity `json:"quiet_except"` // from this severity on it tells all the same; empty for nothing
	DigestOver    int             `json:"digest_over"`  // more than so many in …
	DigestMinutes int             `json:"digest_minutes"`
	Enabled       bool            `json:"enabled"`
	State         string          `json:"state"` // new, works, failing, off
	Snoozed       time.Time       `json:"snoozed_until,omitzero"`
	Delivered     time.Time       `json:"delivered,omitzero"` // when a message was taken last
	Failed        time.Time       `json:"failed,omitzero"`    // when one was not
	Failures      int             `json:"failures"`           // tries that failed since the last that went well
	Because       string          `json:"because"`
	Mend          string          `json:"mend"`
	Created       time.Time       `json:"created"`
	CreatedBy     string          `json:"created_by"`
	Version       int64           `json:"version"`
	Secret        string          `json:"secret,omitempty"` // a webhook's signing secret: given once, by its making and its rotation
	OldUntil      time.Time       `json:"old_until,omitzero"`
}

// ChannelSettings are what can be set of a channel. What is absent keeps what it is, or is the usual.
type ChannelSettings struct {
	Name          string          `json:"name,omitempty" maxLength:"200" doc:"What it is called"`
	Address       string          `json:"address,omitempty" trail:"-" maxLength:"4000" doc:"E-mail addresses, separated by commas; the webhook's https address, which is not shown again; or a syslog server as host:port"`
	Severity      tocsin.Severity `json:"severity,omitempty" enum:"info,low,medium,high,critical" doc:"At least this severity; high when absent"`
	Tenants       []string        `json:"tenants,omitempty" maxLength:"100" doc:"For a channel of the installation: only these tenants"`
	Rules         []string        `json:"rules,omitempty" maxLength:"100" doc:"Only these detections, or families of them"`
	Changes       []string        `json:"changes,omitempty" enum:"opened,reopened,worse,fixed" doc:"What is told; opened, reopened and worse when absent"`
	QuietFrom     *string         `json:"quiet_from,omitempty" maxLength:"5" doc:"Quiet from this time of day on, such as 22:00"`
	QuietTo       *string         `json:"quiet_to,omitempty" maxLength:"5" doc:"… until this one, such as 07:00"`
	QuietDays     []string        `json:"quiet_days,omitempty" enum:"mon,tue,wed,thu,fri,sat,sun" doc:"Days that are quiet as a whole"`
	QuietZone     string          `json:"quiet_zone,omitempty" maxLength:"100" doc:"The time zone of the quiet hours, such as Europe/Berlin; UTC when absent"`
	QuietExcept   *string         `json:"quiet_except,omitempty" enum:"info,low,medium,high,critical,none" doc:"From this severity on it tells in quiet hours too; critical when absent"`
	DigestOver    int             `json:"digest_over,omitempty" minimum:"0" maximum:"1000" doc:"More than so many alerts in digest-minutes become one message; 10 when absent"`
	DigestMinutes int             `json:"digest_minutes,omitempty" minimum:"0" maximum:"1440" doc:"See digest-over; 15 when absent"`
	Enabled       *bool           `json:"enabled,omitempty" doc:"Whether it tells at all"`
}

// ChannelNew is what makes a channel.
type ChannelNew struct {
	Kind string `json:"kind" enum:"email,slack,teams,webhook,ocsf,syslog" doc:"How it tells"`
	ChannelSettings
}

// CreateChannelIn makes a channel.
type CreateChannelIn struct {
	In
	Body ChannelNew
}

// ChannelEdit changes a channel.
type ChannelEdit struct {
	Version int64 `json:"version" minimum:"1" doc:"The version that was looked at"`
	ChannelSettings
}

// EditChannelIn changes a channel.
type EditChannelIn struct {
	ByID
	Body ChannelEdit
}

// ChannelTest is how a test message went.
type ChannelTest struct {
	OK     bool   `json:"ok"`
	Status int    `json:"status"` // of the receiver's answer; 0 for none
	What   string `json:"what"`
	Do     string `json:"do"`
	Took   int    `json:"took_ms"`
}

// Alert is a change of a finding that a channel tells, or told.
type Alert struct {
	ID          string          `json:"id"`
	At          time.Time       `json:"at"`
	Tenant      tocsin.TenantID `json:"tenant"` // the finding's
	Owner       string          `json:"owner"`  // the channel's: a tenant, or *
	Channel     string          `json:"channel"`
	ChannelName string          `json:"channel_name"` // empty where it was deleted
	ChannelKind string          `json:"channel_kind"`
	Finding     string          `json:"finding"`
	Rule        string          `json:"rule"`
	Title       string          `json:"title"`
	Who         string          `json:"who"`
	Severity    tocsin.Severity `json:"severity"`
	Change      string          `json:"change"`         // opened, reopened, worse, fixed; test
	State       string          `json:"state"`          // waiting, sending, sent, dead, dropped
	Held        string          `json:"held,omitempty"` // why it waits, or was dropped
	Next        time.Time       `json:"next,omitzero"`  // when it is looked at, or tried, again
	Message     string          `json:"message"`        // the id that the receiver gets, at every try the same
	Digest      bool            `json:"digest"`         // it went with others …
	With        int             `json:"with"`           // … so many in the message
	Tries       int             `json:"tries"`          // of the message
	Because     string          `json:"because"`        // why the last try failed
	Mend        string          `json:"mend"`           // what to do about it
	Ended       time.Time       `json:"ended,omitzero"` // when it was taken, given up or dropped
}

// AlertsIn filters the log of alerts. Newest first.
type AlertsIn struct {
	In
	Paging
	Channel  string            `query:"channel" maxLength:"100" doc:"Only of this channel"`
	Finding  string            `query:"finding" maxLength:"100" doc:"Only of this finding"`
	State    []string          `query:"state" enum:"waiting,sending,sent,dead,dropped" doc:"Only in these states"`
	Severity []tocsin.Severity `query:"severity" enum:"info,low,medium,high,critical" doc:"Only of these severities"`
}

// TriesIn asks for the tries of an alert.
type TriesIn struct {
	ByID
	Paging
}

// Try is one sending of a message.
type Try struct {
	N       int       `json:"n"`
	At      time.Time `json:"at"`
	Outcome string    `json:"outcome"` // taken, refused, failed; unknown: the server stopped meanwhile
	Status  int       `json:"status"`  // of the answer; 0 for none
	Took    int       `json:"took_ms"`
	Because string    `json:"because"`
}

// Snooze keeps alerts back until a date. Name and Who say what is snoozed.
type Snooze struct {
	ID        string    `json:"id"`
	Scope     string    `json:"scope"` // finding, rule, channel
	Value     string    `json:"value"`
	Name      string    `json:"name"`
	Who       string    `json:"who,omitempty"`
	Until     time.Time `json:"until"`
	Reason    string    `json:"reason"`
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
}

// SnoozeNew is what makes a snooze.
type SnoozeNew struct {
	Scope  string    `json:"scope" enum:"finding,rule,channel" doc:"What is snoozed"`
	Value  string    `json:"value" minLength:"1" maxLength:"200" doc:"A finding's or a channel's id, a detection's name or family"`
	Until  time.Time `json:"until" doc:"When it ends; within a year"`
	Reason string    `json:"reason,omitempty" maxLength:"2000" doc:"Why"`
}

// CreateSnoozeIn makes a snooze.
type CreateSnoozeIn struct {
	In
	Key
	Body SnoozeNew
}
