package api

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/export"
	"tocsin.dev/store"
)

// Export is where events are sent on to, and how far it has come. Of a webhook's address only the host is shown, of a
// credential only that there is one.
type Export struct {
	ID          string          `json:"id"`
	Tenant      tocsin.TenantID `json:"tenant"`
	Kind        string          `json:"kind"` // webhook, syslog, file, nats, kafka
	Name        string          `json:"name"`
	Address     string          `json:"address"`
	Form        string          `json:"form"` // native, ocsf
	Types       []string        `json:"types"`
	Actions     []string        `json:"actions"`
	People      []string        `json:"people"`
	To          string          `json:"to"` // subject, topic, or file's name
	User        string          `json:"user"`
	Body        string          `json:"body"` // of a webhook's request: lines, array, splunk, elastic
	Gzip        bool            `json:"gzip"`
	Header      string          `json:"header"`
	Unconfirmed bool            `json:"unconfirmed"`
	SASL        string          `json:"sasl"`
	CA          string          `json:"ca"`          // what the receiver's authority of its own is called
	Certificate string          `json:"certificate"` // whose certificate is shown to it, and until when that holds
	MaxMB       int             `json:"max_mb"`
	MaxHours    int             `json:"max_hours"`
	Keep        int             `json:"keep"`
	Batch       int             `json:"batch"`
	Wait        int             `json:"wait_ms"`
	State       string          `json:"state"` // new, works, failing, paused
	Because     string          `json:"because"`
	Mend        string          `json:"mend"`
	Behind      int64           `json:"behind"`                // things that came and are not dealt with yet
	Since       time.Time       `json:"behind_since,omitzero"` // when the oldest of them came
	Sent        int64           `json:"sent"`                  // events that were taken
	SentAt      time.Time       `json:"sent_at,omitzero"`      // the last time that some were
	Failures    int             `json:"failures"`              // tries that failed since the last that went well
	Failed      time.Time       `json:"failed,omitzero"`       // the first of them
	Next        time.Time       `json:"next,omitzero"`         // when it is tried again
	Refused     int64           `json:"refused"`               // events that the receiver refused while it took others
	Lost        int64           `json:"lost"`                  // things that retention deleted before they could be sent …
	LostFrom    time.Time       `json:"lost_from,omitzero"`    // … and that had come from then …
	LostTo      time.Time       `json:"lost_to,omitzero"`      // … to then
	PastFrom    time.Time       `json:"past_from,omitzero"`    // the stored events since then are sent first
	PastUntil   time.Time       `json:"past_until,omitzero"`   // as far as that has come; absent when they all are
	PastSent    int64           `json:"past_sent"`             // events of the past that were taken
	Created     time.Time       `json:"created"`
	CreatedBy   string          `json:"created_by"`
	Version     int64           `json:"version"`
	Secret      string          `json:"secret,omitempty"` // a webhook's signing secret: given once, by its making and its rotation
	OldUntil    time.Time       `json:"old_until,omitzero"`
}

// ExportSettings are what can be set of an export. What is absent keeps what it is, or is the usual.
type ExportSettings struct {
	Name        string   `json:"name,omitempty" maxLength:"200" doc:"What it is called"`
	Address     string   `json:"address,omitempty" trail:"-" maxLength:"4000" doc:"https://host/path; tls://host:6514, tcp:// or udp:// for syslog; tls://host:4222 or nats://; tls://broker:9093,broker:9093 or tcp:// for Kafka"`
	Credential  string   `json:"credential,omitempty" trail:"-" maxLength:"16384" doc:"A header's value such as Bearer …, a password, a token, or the text of a NATS credentials file; it is not shown again. - takes it away"`
	Form        string   `json:"form,omitempty" enum:"native,ocsf" doc:"The form of an event; native when absent"`
	Types       []string `json:"types,omitempty" maxLength:"20" doc:"Only events of these types: EMAIL, FOLDER, RULE, SIGN_IN, AUDIT, DEVICE, FINDING, ACTION"`
	Actions     []string `json:"actions,omitempty" maxLength:"100" doc:"Only these actions, such as email_received or rule_created"`
	People      []string `json:"people,omitempty" maxLength:"200" doc:"Only these people, by their id"`
	To          string   `json:"to,omitempty" maxLength:"200" doc:"The subject (NATS), topic (Kafka) or file's name; {tenant}, {type} and {action} are put in"`
	User        *string  `json:"user,omitempty" maxLength:"200" doc:"The user to sign in as, of NATS or Kafka"`
	Body        string   `json:"body,omitempty" enum:"lines,array,splunk,elastic" doc:"The shape of a webhook's request: a JSON object a line, a JSON array, or what Splunk's HTTP event collector or Elasticsearch's _bulk takes"`
	Gzip        *bool    `json:"gzip,omitempty" doc:"Compress requests of a webhook, and files that are complete"`
	Header      string   `json:"header,omitempty" maxLength:"64" doc:"The header of a webhook's request that holds the credential; Authorization when absent"`
	Unconfirmed *bool    `json:"unconfirmed,omitempty" doc:"Syslog: keep one connection, and count what was written as taken"`
	SASL        string   `json:"sasl,omitempty" enum:"none,plain,scram-sha-256,scram-sha-512" doc:"How to sign in to Kafka"`
	CA          string   `json:"ca,omitempty" trail:"-" maxLength:"65536" doc:"PEM: the authority of a receiver by TLS (syslog, NATS, Kafka), trusted besides those of the server. - takes it away"`
	Certificate string   `json:"certificate,omitempty" trail:"-" maxLength:"65536" doc:"PEM: the certificate to show to a receiver by TLS, with its private key; it is not shown again. - takes it away"`
	MaxMB       int      `json:"max_mb,omitempty" minimum:"0" maximum:"10000" doc:"Begin another file after so many megabytes; 100 when absent"`
	MaxHours    int      `json:"max_hours,omitempty" minimum:"0" maximum:"744" doc:"… or hours; 24 when absent"`
	Keep        *int     `json:"keep,omitempty" minimum:"0" maximum:"10000" doc:"How many complete files are kept; 30 when absent, 0 for all"`
	Batch       int      `json:"batch,omitempty" minimum:"0" maximum:"5000" doc:"How many events go out at once, at most; 500 when absent"`
	Wait        *int     `json:"wait_ms,omitempty" minimum:"0" maximum:"60000" doc:"How many milliseconds an event may wait for others; 500 when absent"`
}

// ExportNew is what makes an export.
type ExportNew struct {
	Kind string    `json:"kind" enum:"webhook,syslog,file,nats,kafka" doc:"What receives the events"`
	From time.Time `json:"from,omitzero" doc:"Send the stored events since then first, in the order of time; absent: only what comes from now on"`
	ExportSettings
}

// CreateExportIn makes an export.
type CreateExportIn struct {
	In
	Body ExportNew
}

// ExportEdit changes an export.
type ExportEdit struct {
	Version int64 `json:"version" minimum:"1" doc:"The version that was looked at"`
	ExportSettings
}

// EditExportIn changes an export.
type EditExportIn struct {
	ByIDAct
	Body ExportEdit
}

// ExportTest is how sending a sample went.
type ExportTest struct {
	OK   bool   `json:"ok"`
	What string `json:"what"`
	Do   string `json:"do"`
	Took int    `json:"took_ms"`
}

// RefusedIn asks for the events that an export's receiver refused.
type RefusedIn struct {
	ByID
	Paging
}

// Refused is an event that a receiver refused while it took others.
type Refused struct {
	Event   string          `json:"event"`
	At      time.Time       `json:"at"`
	Because string          `json:"because"`
	Body    json.RawMessage `json:"body"`
}

// ExportExample is one event in each form.
type ExportExample struct {
	Sample bool            `json:"sample"` // nothing has happened yet in the tenant, so it is made up
	Native json.RawMessage `json:"native"`
	OCSF   json.RawMessage `json:"ocsf"`
}

// exports is what sends events on, or the problem that it is not here.
func (s *Service) exports() (*export.Exports, error) {
	if s.o.Exports == nil {
		return nil, tocsin.Problemf(tocsin.Unavailable, "Use the running server.", "Exports cannot be changed here.")
	}
	return s.o.Exports, nil
}

// ListExports lists the exports of a tenant.
func (s *Service) ListExports(ctx context.Context, in ListIn) (Page[Export], error) {
	return view(ctx, s, "exports list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Export], error) {
		return slice("exports", in.Paging, func() ([]Export, error) {
			list, err := export.List(ctx, t)
			out := make([]Export, len(list))
			for i := range list {
				out[i] = exportOf(list[i])
			}
			return out, err
		}, func(e Export) string { return e.ID })
	})
}

// GetExport is one of them.
func (s *Service) GetExport(ctx context.Context, in ByID) (Export, error) {
	return view(ctx, s, "exports get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Export, error) {
		e, err := export.Get(ctx, t, in.ID)
		return exportOf(e), err
	})
}

// CreateExport makes an export, which begins with what comes from now on, or with what is stored since a time. A webhook's signing secret is in the answer, this once.
func (s *Service) CreateExport(ctx context.Context, in CreateExportIn) (Export, error) {
	return act(ctx, s, "exports create", in, func(ctx context.Context, t *store.Tenant, c Caller) (Export, error) {
		x, err := s.exports()
		if err != nil {
			return Export{}, err
		}
		e, secret, err := x.Create(ctx, t, c.Email, in.Body.Kind, in.Body.settings(export.Usual(in.Body.Kind)), export.Given{Credential: in.Body.Credential, CA: in.Body.CA, Certificate: in.Body.Certificate, From: in.Body.From})
		out := exportOf(e)
		out.Secret = secret
		return out, err
	})
}

// EditExport changes an export. Fields that are absent keep what they are.
func (s *Service) EditExport(ctx context.Context, in EditExportIn) (Export, error) {
	return act(ctx, s, "exports edit", in, func(ctx context.Context, t *store.Tenant, c Caller) (Export, error) {
		x, err := s.exports()
		if err != nil {
			return Export{}, err
		}
		had, err := export.Get(ctx, t, in.ID)
		if err != nil {
			return Export{}, err
		}
		base := had.Settings
		base.Address = ""
		e, err := x.Edit(ctx, t, c.Email, in.ID, in.Body.Version, in.Body.settings(base), export.Given{Credential: in.Body.Credential, CA: in.Body.CA, Certificate: in.Body.Certificate})
		return exportOf(e), err
	})
}

// DeleteExport forgets an export.
func (s *Service) DeleteExport(ctx context.Context, in ByIDAct) (None, error) {
	return act(ctx, s, "exports delete", in, func(ctx context.Context, t *store.Tenant, c Caller) (None, error) {
		x, err := s.exports()
		if err != nil {
			return None{}, err
		}
		return None{}, x.Delete(ctx, t, c.Email, in.ID)
	})
}

// PauseExport stops an export; what comes meanwhile waits.
func (s *Service) PauseExport(ctx context.Context, in ByIDAct) (Export, error) {
	return s.pauseExport(ctx, "exports pause", in, true)
}

// ResumeExport lets an export go on from where it stopped.
func (s *Service) ResumeExport(ctx context.Context, in ByIDAct) (Export, error) {
	return s.pauseExport(ctx, "exports resume", in, false)
}

func (s *Service) pauseExport(ctx context.Context, name string, in ByIDAct, paused bool) (Export, error) {
	return act(ctx, s, name, in, func(ctx context.Context, t *store.Tenant, c Caller) (Export, error) {
		x, err := s.exports()
		if err != nil {
			return Export{}, err
		}
		e, err := x.Pause(ctx, t, c.Email, in.ID, paused)
		return exportOf(e), err
	})
}

// RotateExport gives a webhook a new signing secret, shown this once. The old one signs beside it for a day.
func (s *Service) RotateExport(ctx context.Context, in ByID) (Export, error) {
	return act(ctx, s, "exports rotate", in, func(ctx context.Context, t *store.Tenant, c Caller) (Export, error) {
		x, err := s.exports()
		if err != nil {
			return Export{}, err
		}
		e, secret, until, err := x.Rotate(ctx, t, c.Email, in.ID)
		out := exportOf(e)
		out.Secret, out.OldUntil = secret, until
		return out, err
	})
}

// TestExport sends a sample, now, and says how that went.
func (s *Service) TestExport(ctx context.Context, in ByID) (ExportTest, error) {
	_, err := act(ctx, s, "exports test", in, func(ctx context.Context, t *store.Tenant, _ Caller) (None, error) {
		_, err := export.Get(ctx, t, in.ID)
		return None{}, err
	})
	if err != nil {
		return ExportTest{}, err
	}
	x, err := s.exports()
	if err != nil {
		return ExportTest{}, err
	}
	r, err := x.Test(ctx, in.Tenant, in.ID)
	return ExportTest{OK: r.OK, What: r.What, Do: r.Do, Took: int(r.Took.Milliseconds())}, err
}

// ListRefused are the events that an export's receiver refused, newest first.
func (s *Service) ListRefused(ctx context.Context, in RefusedIn) (Page[Refused], error) {
	return view(ctx, s, "exports refused", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Refused], error) {
		var p Page[Refused]
		if _, err := export.Get(ctx, t, in.ID); err != nil {
			return p, err
		}
		after, err := parseCursor(in.After, "refused", 2)
		if err != nil {
			return p, err
		}
		type row struct {
			Refused
			at   int64
			body string
		}
		n := in.limit()
		q := (&query{}).add("select event, at, because, body from export_refused where tenant = $1 and export = ?", in.ID)
		if !after.begins() {
			q.add(" and (at, event) < (?, ?)", after.number(0), after.text(1))
		}
		rows, err := find(ctx, t, q.add(" order by at desc, event desc limit ?", n+1), func(r *row) []any { return []any{&r.Event, &r.at, &r.Because, &r.body} })
		if err != nil {
			return p, err
		}
		pieces := paged(rows, n, func(r row) string { return cursor("refused", r.at, r.Event) })
		p.Items, p.Next = make([]Refused, len(pieces.Items)), pieces.Next
		for i, r := range pieces.Items {
			r.At, r.Body = tocsin.FromMillis(r.at), rawJSON(r.body)
			p.Items[i] = r.Refused
		}
		return p, nil
	})
}

// ExampleExport is the newest event of the tenant in each form, or a sample.
func (s *Service) ExampleExport(ctx context.Context, in In) (ExportExample, error) {
	return view(ctx, s, "exports example", in, func(ctx context.Context, t *store.Tenant, _ Caller) (ExportExample, error) {
		native, ocsf, sample, err := export.Example(ctx, t)
		return ExportExample{Sample: sample, Native: native, OCSF: ocsf}, err
	})
}

// settings are those of base, with what was given in their place.
func (b ExportSettings) settings(base export.Settings) export.Settings {
	put := func(to *string, v string) {
		if v != "" {
			*to = v
		}
	}
	some := func(to *[]string, v []string) {
		if v != nil {
			*to = slices.DeleteFunc(slices.Clone(v), func(s string) bool { return s == "" })
		}
	}
	number := func(to *int, v int) {
		if v > 0 {
			*to = v
		}
	}
	put(&base.Name, b.Name)
	base.Address = b.Address
	put(&base.Form, b.Form)
	some(&base.Types, b.Types)
	some(&base.Actions, b.Actions)
	some(&base.People, b.People)
	put(&base.To, b.To)
	put(&base.Body, b.Body)
	put(&base.Header, b.Header)
	put(&base.SASL, b.SASL)
	number(&base.MaxMB, b.MaxMB)
	number(&base.MaxHours, b.MaxHours)
	number(&base.Batch, b.Batch)
	if b.User != nil {
		base.User = *b.User
	}
	if b.Gzip != nil {
		base.Gzip = *b.Gzip
	}
	if b.Unconfirmed != nil {
		base.Unconfirmed = *b.Unconfirmed
	}
	if b.Keep != nil {
		base.Keep = *b.Keep
	}
	if b.Wait != nil {
		base.Wait = *b.Wait
	}
	return base
}

func exportOf(e export.Export) Export {
	out := Export{ID: e.ID, Tenant: e.Tenant, Kind: e.Kind, Name: e.Name, Address: e.Address, Form: e.Form, Types: e.Types, Actions: e.Actions, People: e.People, To: e.To, User: e.User,
		Body: e.Body, Gzip: e.Gzip, Header: e.Header, Unconfirmed: e.Unconfirmed, SASL: e.SASL, CA: e.CA, Certificate: e.Certificate, PastFrom: e.BackFrom, PastSent: e.BackSent, MaxMB: e.MaxMB, MaxHours: e.MaxHours, Keep: e.Keep, Batch: e.Batch, Wait: e.Wait,
		State: exportState(e), Because: e.Because, Mend: e.Mend, Behind: e.Behind, Since: e.Since, Sent: e.Sent, SentAt: e.SentAt, Failures: e.Failures, Failed: e.Failed, Next: e.Next,
		Refused: e.Refused, Lost: e.Lost, LostFrom: e.LostFrom, LostTo: e.LostTo, Created: e.Created, CreatedBy: e.CreatedBy, Version: e.Version}
	if !e.BackTo.IsZero() {
		out.PastUntil = e.BackAt
	}
	for _, list := range []*[]string{&out.Types, &out.Actions, &out.People} {
		if *list == nil {
			*list = []string{}
		}
	}
	return out
}

// exportState is paused, failing, works, or new (nothing was sent yet).
func exportState(e export.Export) string {
	switch {
	case e.State == export.Paused:
		return "paused"
	case e.Failures > 0:
		return "failing"
	case e.SentAt.IsZero():
		return "new"
	}
	return "works"
}
