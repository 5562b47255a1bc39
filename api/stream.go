package api

import (
	"context"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/store"
)

// Stream is how well a tenant's mail is told of. State is off (no address, no permission, or nobody to watch), starting, whole
// (every mailbox that can be read is told of, and nothing is lacking) or incomplete.
type Stream struct {
	State     string    `json:"state"`
	Because   string    `json:"because"`
	Mend      string    `json:"mend"`
	Mailboxes int       `json:"mailboxes"` // that can be read
	Told      int       `json:"told"`      // of them, those that Microsoft Graph tells of
	LeftOut   int       `json:"left_out"`  // of them, those that are not watched by choice
	Refused   int       `json:"refused"`   // for which no subscription could be made
	Refusal   string    `json:"refusal"`   // why, of the first of them
	Since     time.Time `json:"since,omitzero"`
	Heard     time.Time `json:"heard,omitzero"`   // the last notification that was folded
	Renewed   time.Time `json:"renewed,omitzero"` // the next subscription to be renewed
	Parked    int       `json:"parked"`           // messages that could not be looked at yet
	Parking   string    `json:"parking"`          // why, of the first of them
	Gaps      int       `json:"gaps"`             // open
	Closed    int       `json:"closed"`           // gaps that were closed
	Found     int       `json:"found"`            // events that were found by closing them
	Unseen    int       `json:"unseen"`           // messages that came and went between two looks
	Dead      int       `json:"dead"`             // notifications that were given up
	LastHour  int       `json:"last_hour"`        // events
	Silent    int       `json:"silent"`           // mailboxes to which nothing comes, though it should; the whole tenant is one
	Canary    Canary    `json:"canary"`           // how long it takes from a mailbox to here

	Rich         int                 `json:"rich"`         // mailboxes in which Microsoft Graph sends what changed
	Certificates []StreamCertificate `json:"certificates"` // for which it is encrypted, of the installation, the newest first; none where no mailbox is told of so
}

// StreamCertificate is a certificate for which Microsoft Graph encrypts what changed.
type StreamCertificate struct {
	ID        string    `json:"id"`
	Made      time.Time `json:"made"`
	Expires   time.Time `json:"expires"`
	Replaced  time.Time `json:"replaced,omitzero"` // a newer one took its place; it is kept until nothing can come under it
	Mailboxes int       `json:"mailboxes"`         // of the tenant, whose subscriptions are made with it
}

// Gap is a time of which not every change of a mailbox was told.
type Gap struct {
	Person  tocsin.PersonID `json:"person"`
	Who     string          `json:"who"`
	Name    string          `json:"name"`
	Began   time.Time       `json:"began"`
	Ended   time.Time       `json:"ended"`
	Because string          `json:"because"`
	Closed  time.Time       `json:"closed,omitzero"`
	Found   int             `json:"found"` // events
	Lost    string          `json:"lost"`  // what nobody can find out
}

// GetStream says how well a tenant's mail is told of.
func (s *Service) GetStream(ctx context.Context, in In) (Stream, error) {
	return view(ctx, s, "stream get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Stream, error) {
		var out Stream
		is, err := collect.CountStream(ctx, t)
		if err != nil {
			return out, err
		}
		on, refused := is.In("on"), is.In("refused")
		out.Mailboxes, out.Told, out.LeftOut, out.Refused, out.Refusal = is.Mailboxes, on.Count, is.LeftOut, refused.Count, refused.Because
		out.Parked, out.Gaps, out.Closed, out.Found, out.Unseen, out.Dead, out.Silent, out.Rich = is.Told, is.Open, is.Closed, is.Found, is.Unseen, is.Lost, is.Silent, is.Rich
		if out.Parked > 0 {
			out.Parking = is.Parking
		}
		out.Since, out.Heard, out.Renewed = tocsin.FromMillis(is.Since), tocsin.FromMillis(is.Heard), tocsin.FromMillis(on.Due)
		hour := tocsin.Millis(s.now().Add(-time.Hour))
		if err := t.QueryRow(ctx, `select coalesce(sum(n), 0) from mail_tally where tenant = $1 and grain = 60000 and at >= $2 and what not like 'lag/%'`, hour).Scan(&out.LastHour); err != nil {
			return out, err
		}
		if out.Because, out.Mend, err = streamOff(ctx, t); err != nil {
			return out, err
		}
		if out.Because != "" {
			out.State = "off"
		}
		if err := out.readCertificates(ctx, t, is.ByCert); err != nil {
			return out, err
		}
		if s.o.Stream.Deaf != nil && out.State != "off" {
			out.deaf(s.o.Stream.Deaf())
		}
		if out.State == "" {
			if err := s.late(ctx, t, &out); err != nil {
				return out, err
			}
		}
		out.judge(is.Vain)
		out.Canary, err = canaryOf(ctx, t, s.now())
		return out, err
	})
}

// readCertificates reads for which certificates Graph encrypts what changed, where it does in this tenant; by is how many
// mailboxes each has.
func (s *Stream) readCertificates(ctx context.Context, t *store.Tenant, by map[string]int) error {
	s.Certificates = []StreamCertificate{}
	if s.Rich == 0 {
		return nil
	}
	var err error
	s.Certificates, err = certificatesBy(ctx, t.Tx(), by)
	return err
}

// deaf says that notifications cannot be stored since a time, where that is so.
func (s *Stream) deaf(since time.Time) {
	if since.IsZero() {
		return
	}
	s.State, s.Because, s.Mend = "incomplete", "Notifications cannot be stored since "+since.UTC().Format("2 January 15:04 MST")+": the journal is full or away.",
		"See that the journal's disk or cluster is well. Microsoft Graph sends again what was not taken, for four hours; of what it gives up gaps are opened, and closed when the journal is back."
}

// lateAfter is how long it may take from what Microsoft Graph told to the tables, in milliseconds, and lateMost how much may wait.
const (
	lateAfter = 10_000
	lateMost  = 1000
)

// late says that what was told is not in the tables yet, where that is so: nothing is lost, and not everything can be seen.
func (s *Service) late(ctx context.Context, t *store.Tenant, out *Stream) error {
	if s.o.Stream.Partitions != nil {
		for _, p := range s.o.Stream.Partitions() {
			if p.Held && p.Trouble != "" {
				out.State, out.Because, out.Mend = "incomplete", "What was told is kept, and is not in the tables yet: the reader of the journal is held up.",
					"It is tried again by itself. The page of the stream's health says by what."
				return nil
			}
		}
	}
	type cell struct {
		what string
		n    int
	}
	q := (&query{}).add("select what, n from mail_tally where tenant = $1 and grain = ? and at >= ? and what like 'lag/%'", collect.Minute, tocsin.Millis(s.now())-2*collect.Minute)
	cells, err := find(ctx, t, q, func(c *cell) []any { return []any{&c.what, &c.n} })
	if err != nil {
		return err
	}
	lags := map[string]int{}
	for _, c := range cells {
		lags[strings.TrimPrefix(c.what, "lag/")] += c.n
	}
	below, more, ok := collect.LagBelow(lags, 99)
	if !ok || !more && below <= lateAfter || s.o.Stream.Lag == nil {
		return nil
	}
	waiting, err := s.o.Stream.Lag(ctx) // what took long may have come late from Microsoft Graph itself
	if err == nil && waiting >= lateMost {
		out.State, out.Because, out.Mend = "incomplete", "What was told is kept, and comes into the tables late: it took "+lagWords(below, more)+" in the last two minutes.",
			"Nothing to do: it is worked off by itself. Where it lasts, look at the database's disk and processor."
	}
	return err
}

// judge says how the stream stands; vain is why a gap could not be closed yet.
func (s *Stream) judge(vain string) {
	switch {
	case s.State != "":
	case s.Mailboxes == 0:
		s.State, s.Because, s.Mend = "off", "No mailbox can be read.", "Look at the connections."
	case s.LeftOut >= s.Mailboxes:
		s.State, s.Because, s.Mend = "off", "No mailbox is watched, by choice.", "Change which mailboxes are watched, on the connection's page."
	case s.Told == 0 && s.Refused == 0:
		s.State, s.Because, s.Mend = "starting", "No mailbox is told of yet.", "Nothing to do: subscriptions are made by themselves."
	case s.Refused > 0:
		s.State, s.Because, s.Mend = "incomplete", "Not told of: "+plural(s.Refused, "mailbox")+". "+s.Refusal, "It is tried again by itself."
	case s.Told < s.Mailboxes-s.LeftOut:
		s.State, s.Because, s.Mend = "starting", "Not told of yet: "+plural(s.Mailboxes-s.LeftOut-s.Told, "mailbox")+".", "Nothing to do: subscriptions are made by themselves."
	case s.Gaps > 0 && vain != "":
		s.State, s.Because, s.Mend = "incomplete", "Not closed yet: "+plural(s.Gaps, "gap")+". "+vain, "It is tried again by itself. A gap of a mailbox that cannot be read any more is closed as such."
	case s.Gaps > 0:
		s.State, s.Because, s.Mend = "incomplete", "Being closed: "+plural(s.Gaps, "gap")+".", "Nothing to do: what changed meanwhile is read."
	case s.Parked > 0:
		s.State, s.Because, s.Mend = "incomplete", "Not looked at yet: "+plural(s.Parked, "message")+". "+s.Parking, "Nothing to do: it is tried again by itself."
	case s.Dead > 0:
		s.State, s.Because, s.Mend = "incomplete", "Given up: "+plural(s.Dead, "notification")+".", "Look at what was given up, on the page of the stream's health, and have it looked at again."
	case s.Silent > 0:
		s.State, s.Because, s.Mend = "incomplete", "Nothing comes, though it should, to "+plural(s.Silent, "mailbox")+".", "Look at these mailboxes: mail may be led elsewhere before it reaches Microsoft 365."
	default:
		s.State = "whole"
	}
}

// ListGaps lists times of which not every change was told: the open ones first, then the last that were closed.
func (s *Service) ListGaps(ctx context.Context, in ListIn) (Page[Gap], error) {
	return view(ctx, s, "gaps list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Gap], error) {
		var p Page[Gap]
		after, err := parseCursor(in.After, "gaps", 3)
		if err != nil {
			return p, err
		}
		type row struct {
			Gap
			began, ended, closed int64
			open                 int64
		}
		n := in.limit()
		q := (&query{}).add("select person, began, ended, because, closed, found, lost, case when closed = 0 then 1 else 0 end from mail_gap where tenant = $1")
		if !after.begins() {
			q.add(" and (case when closed = 0 then 1 else 0 end, began, person) < (?, ?, ?)", after.number(0), after.number(1), after.text(2))
		}
		q.add(" order by 8 desc, began desc, person desc limit ?", n+1)
		rows, err := find(ctx, t, q, func(r *row) []any {
			return []any{&r.Person, &r.began, &r.ended, &r.Because, &r.closed, &r.Found, &r.Lost, &r.open}
		})
		if err != nil {
			return p, err
		}
		pieces := paged(rows, n, func(r row) string { return cursor("gaps", r.open, r.began, string(r.Person)) })
		people := map[tocsin.PersonID]bool{}
		for _, r := range pieces.Items {
			people[r.Person] = true
		}
		names, err := namesOf(ctx, t, people)
		p.Items, p.Next = make([]Gap, len(pieces.Items)), pieces.Next
		for i, r := range pieces.Items {
			r.Began, r.Ended, r.Closed = tocsin.FromMillis(r.began), tocsin.FromMillis(r.ended), tocsin.FromMillis(r.closed)
			r.Who, r.Name = names[r.Person].address, names[r.Person].name
			p.Items[i] = r.Gap
		}
		return p, err
	})
}
