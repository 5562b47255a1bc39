package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// TimelineIn asks for a mailbox's time. The newest first.
type TimelineIn struct {
	ByPerson
	Paging
	Kinds string    `query:"kinds" maxLength:"100" doc:"Only these, with commas between: mail, folder, rule, signin, directory, finding, action, gap"`
	Until time.Time `query:"until" doc:"Only what was before this time"`
	Zone  string    `query:"zone" maxLength:"64" doc:"In whose hours the day is told, such as Europe/Berlin; UTC when absent"`
}

// timelineKinds are what a mailbox's time is made of.
var timelineKinds = []string{"mail", "folder", "rule", "signin", "directory", "finding", "action", "gap"}

// Timeline is a piece of a mailbox's time.
type Timeline struct {
	Person tocsin.PersonID `json:"person"`
	Who    string          `json:"who"`
	Name   string          `json:"name"`
	Items  []TimelineItem  `json:"items"`
	Next   time.Time       `json:"next,omitzero"` // until of the next piece; none at the end
	Hours  []int           `json:"hours"`         // mail events of the last 30 days, the newest 5,000 at most, by hour of the day: 24
	Of     int             `json:"of"`            // how many these are
}

// TimelineItem is something at a time. Ended is of gaps: then nobody watched from At to Ended.
type TimelineItem struct {
	Kind    string    `json:"kind"`
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	Ended   time.Time `json:"ended,omitzero"`
	Action  string    `json:"action"` // of events; of findings the severity, of actions the kind
	What    string    `json:"what"`
	Because string    `json:"because,omitempty"`
	Open    bool      `json:"open,omitempty"` // of gaps and findings
}

// GetTimeline gives a mailbox's mail, folders, rules, findings, actions and gaps on one line of time, the newest first.
func (s *Service) GetTimeline(ctx context.Context, in TimelineIn) (Timeline, error) {
	return view(ctx, s, "mailboxes timeline", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Timeline, error) {
		var out Timeline
		person, err := personNamed(ctx, t, in.Person)
		if err != nil {
			return out, err
		}
		names, err := namesOf(ctx, t, map[tocsin.PersonID]bool{person: true})
		if err != nil {
			return out, err
		}
		out.Person, out.Who, out.Name = person, names[person].address, names[person].name
		wanted := map[string]bool{}
		for _, k := range strings.Split(in.Kinds, ",") {
			if k = strings.TrimSpace(k); k != "" {
				if !slices.Contains(timelineKinds, k) {
					return out, invalid("Give some of "+strings.Join(timelineKinds, ", ")+".", "%q is nothing that a mailbox's time is made of.", k)
				}
				wanted[k] = true
			}
		}
		l := line{ctx: ctx, t: t, person: person, limit: in.limit(), wants: func(k string) bool { return len(wanted) == 0 || wanted[k] }}
		l.until = tocsin.Millis(in.Until)
		if in.Until.IsZero() {
			l.until = 1 << 53
		}
		for _, part := range []func() error{l.events, l.findings, l.actions, l.gaps} {
			if err := part(); err != nil {
				return out, err
			}
		}
		out.Items, out.Next = l.piece()
		err = l.density(&out, s.now(), in.Zone)
		return out, err
	})
}

// densest is how many events make the picture of a day.
const densest = 5_000

// density counts the newest mail of a month by hour of the day. It reads nothing but an index.
func (l *line) density(out *Timeline, now time.Time, zone string) error {
	at, err := time.LoadLocation(cmp.Or(zone, "UTC"))
	if err != nil || zone == "Local" {
		return invalid("Give one as Europe/Berlin.", "%q is no time zone.", zone)
	}
	q := (&query{}).add("select at from event where tenant = $1 and person = ? and at >= ? order by at desc limit ?", l.person, now.AddDate(0, 0, -30), densest)
	times, err := find(l.ctx, l.t, q, func(ms *int64) []any { return []any{ms} })
	out.Hours, out.Of = make([]int, 24), len(times)
	for _, ms := range times {
		out.Hours[tocsin.FromMillis(ms).In(at).Hour()]++
	}
	return err
}

// line gathers, of each kind the newest, what may stand in a piece.
type line struct {
	ctx    context.Context
	t      *store.Tenant
	person tocsin.PersonID
	limit  int
	until  int64
	wants  func(string) bool
	items  []TimelineItem
	full   bool // of some kind there may be more
}

// piece are the newest limit of what was gathered. Items of one millisecond are not parted: a piece may be longer by these.
func (l *line) piece() ([]TimelineItem, time.Time) {
	slices.SortStableFunc(l.items, func(a, b TimelineItem) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	n := min(l.limit, len(l.items))
	if n == 0 || !l.full && n == len(l.items) {
		return append([]TimelineItem{}, l.items...), time.Time{}
	}
	last := l.items[n-1].At
	for n < len(l.items) && l.items[n].At.Equal(last) {
		n++
	}
	if n == len(l.items) && !l.full {
		return l.items, time.Time{}
	}
	return l.items[:n], last
}

// rareKinds are the types of events by kind, but for mail, among which the others would be looked for in vain.
var rareKinds = map[string]string{"folder": "FOLDER", "rule": "RULE", "signin": "SIGN_IN", "directory": "AUDIT"}

// most is how many are read of a kind: as many again as fit, for those of the last millisecond.
func (l *line) most() int { return 2 * l.limit }

func (l *line) events() error {
	kindOf := map[string]string{"EMAIL": "mail"}
	var rare []any
	for kind, t := range rareKinds {
		kindOf[t] = kind
		if l.wants(kind) {
			rare = append(rare, t)
		}
	}
	for _, mail := range []bool{true, false} {
		q := (&query{}).add("select "+eventColumns+" from event where tenant = $1 and person = ? and at < ?", l.person, l.until)
		switch {
		case mail && l.wants("mail"):
			q.add(" and type = 'EMAIL'")
		case !mail && len(rare) > 0:
			q.add(" and type <> 'EMAIL' and type in (" + q.in(rare...) + ")")
		default:
			continue
		}
		q.add(" order by at desc limit ?", l.most())
		rows, err := find(l.ctx, l.t, q, (*eventRow).fields)
		if err != nil {
			return err
		}
		l.full = l.full || len(rows) == l.most()
		views, err := eventViews(l.ctx, l.t, rows)
		if err != nil {
			return err
		}
		for _, e := range views {
			l.items = append(l.items, TimelineItem{Kind: kindOf[e.Type], ID: e.ID, At: e.At, Action: e.Action, What: e.What})
		}
	}
	return nil
}

func (l *line) findings() error {
	if !l.wants("finding") {
		return nil
	}
	q := (&query{}).add("select "+findingColumns+" from finding where tenant = $1 and person = ? and first_seen < ? order by first_seen desc limit ?", l.person, l.until, l.most())
	rows, err := find(l.ctx, l.t, q, (*findingRow).fields)
	l.full = l.full || len(rows) == l.most()
	for _, r := range rows {
		f := r.view()
		l.items = append(l.items, TimelineItem{Kind: "finding", ID: f.ID, At: f.FirstSeen, Action: string(f.Severity), What: f.Title, Because: f.Why, Open: f.Status == "open" || f.Status == "in_work"})
	}
	return err
}

func (l *line) actions() error {
	if !l.wants("action") {
		return nil
	}
	type row struct {
		id, kind, state, why string
		at                   int64
	}
	q := (&query{}).add("select id, kind, state, why, created from action where tenant = $1 and person = ? and created < ? order by created desc limit ?", l.person, l.until, l.most())
	rows, err := find(l.ctx, l.t, q, func(r *row) []any { return []any{&r.id, &r.kind, &r.state, &r.why, &r.at} })
	l.full = l.full || len(rows) == l.most()
	for _, r := range rows {
		l.items = append(l.items, TimelineItem{Kind: "action", ID: r.id, At: tocsin.FromMillis(r.at), Action: r.kind, What: r.state, Because: r.why})
	}
	return err
}

func (l *line) gaps() error {
	if !l.wants("gap") {
		return nil
	}
	type row struct {
		began, ended, closed int64
		because, lost        string
		found                int
	}
	q := (&query{}).add("select began, ended, closed, because, lost, found from mail_gap where tenant = $1 and person = ? and began < ? order by began desc limit ?", l.person, l.until, l.most())
	rows, err := find(l.ctx, l.t, q, func(r *row) []any {
		return []any{&r.began, &r.ended, &r.closed, &r.because, &r.lost, &r.found}
	})
	l.full = l.full || len(rows) == l.most()
	for _, r := range rows {
		i := TimelineItem{Kind: "gap", ID: fmt.Sprint(r.began), At: tocsin.FromMillis(r.began), Ended: tocsin.FromMillis(r.ended), Because: r.because, Open: r.closed == 0, What: "What changed meanwhile is being read."}
		if r.closed > 0 {
			i.What = fmt.Sprintf("Caught up: %s found.", plural(r.found, "event"))
			if r.lost != "" {
				i.What += " Not to be known: " + r.lost
			}
		}
		l.items = append(l.items, i)
	}
	return err
}
