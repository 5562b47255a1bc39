package api

import (
	"context"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// The ways a mailbox's mail is seen.
const (
	WayTold       = "told"       // Microsoft tells of every change
	WayWaits      = "waits"      // it is about to be
	WayRefused    = "refused"    // Microsoft does not, and says why
	WayLeftOut    = "left_out"   // by choice
	WayUnreadable = "unreadable" // the mailbox cannot be read, or there is none
)

// What a mailbox can lack, however it is seen.
const (
	LackGaps   = "gaps"   // a time of which not every change was told is being made up for
	LackParked = "parked" // something waits that could not be looked at
	LackSilent = "silent" // nothing comes, though it should
)

// lacking are the rows x of those whose mailboxes lack it.
var lacking = map[string]string{
	LackGaps:   `mail_gap x where x.tenant = $1 and x.closed = 0`,
	LackParked: `parked x where x.tenant = $1`,
	LackSilent: `silence x where x.tenant = $1 and x.ended = 0`,
}

// WatchedIn filters mailboxes by the way they are seen.
type WatchedIn struct {
	In
	Paging
	State string `query:"state" enum:"told,waits,refused,left_out,unreadable,gaps,parked,silent" doc:"Only those that are seen in this way, or lack this: gaps (being caught up on), parked (something waits to be looked at), silent (nothing comes, though it should)"`
	Q     string `query:"q" maxLength:"200" doc:"Only with this in the name or the address"`
}

// Watched is which way a mailbox is seen. Its mail is told of by notifications; its rules and settings Microsoft tells
// nobody of, so they are read again and again.
type Watched struct {
	Person   tocsin.PersonID `json:"person"`
	Name     string          `json:"name"`
	Address  string          `json:"address"`
	Purpose  string          `json:"purpose"` // user, shared, room, equipment …; empty where it is not known
	State    string          `json:"state"`
	Because  string          `json:"because"`
	Mend     string          `json:"mend"`
	Form     string          `json:"form,omitempty"` // basic or rich, where it is told of
	Changes  []string        `json:"changes,omitempty"`
	Since    time.Time       `json:"since,omitzero"`    // every change is told, or caught up on
	Until    time.Time       `json:"until,omitzero"`    // the subscription ends, unless it is renewed
	Renewed  time.Time       `json:"renewed,omitzero"`  // it is seen to next
	Heard    time.Time       `json:"heard,omitzero"`    // the last notification that was folded
	Left     time.Time       `json:"left,omitzero"`     // not watched since, by choice
	Checked  time.Time       `json:"checked,omitzero"`  // looked at without having been told
	Rules    time.Time       `json:"rules,omitzero"`    // read last
	Settings time.Time       `json:"settings,omitzero"` // read last
	Gaps     int             `json:"gaps"`              // open
	Parked   int             `json:"parked"`            // what waits to be looked at
	Silent   time.Time       `json:"silent,omitzero"`   // nothing comes since, though it should
}

type watchedRow struct {
	Watched
	upn, mail, box, boxBecause, state, because, mend, changes, form               string
	since, until, renewed, heard, left, checked, rules, settings, created, silent int64
}

const watchedColumns = `select p.person, p.name, p.upn, p.mail, p.mailbox, p.mailbox_because, coalesce(m.purpose, ''), coalesce(m.rules_seen, 0), coalesce(m.settings_seen, 0),
	coalesce(s.state, ''), coalesce(s.because, ''), coalesce(s.mend, ''), coalesce(s.changes, ''), coalesce(s.made, ''), coalesce(s.created, 0), coalesce(s.expires, 0), coalesce(s.due, 0),
	coalesce(l.since, 0), coalesce(l.heard, 0), coalesce(l.checked, 0), coalesce(l.unwatched, 0),
	(select count(*) from mail_gap g where g.tenant = p.tenant and g.person = p.person and g.closed = 0),
	(select count(*) from parked k where k.tenant = p.tenant and k.person = p.person), coalesce((select min(q.began) from silence q where q.tenant = p.tenant and q.person = p.person and q.ended = 0), 0)`

const watchedFrom = ` from person p left join subscription s on s.tenant = p.tenant and s.person = p.person`

const watchedMore = ` left join mailbox m on m.tenant = p.tenant and m.person = p.person left join mail_ledger l on l.tenant = p.tenant and l.person = p.person`

func (r *watchedRow) fields() []any {
	return []any{&r.Person, &r.Name, &r.upn, &r.mail, &r.box, &r.boxBecause, &r.Purpose, &r.rules, &r.settings, &r.state, &r.because, &r.mend, &r.changes, &r.form, &r.created, &r.until, &r.renewed,
		&r.since, &r.heard, &r.checked, &r.left, &r.Gaps, &r.Parked, &r.silent}
}

// view says which way it is. off is why nothing is told of at all, empty where something is.
func (r *watchedRow) view(now time.Time, off, mend string) Watched {
	at := tocsin.FromMillis
	r.Address = firstOf(r.mail, r.upn)
	r.Rules, r.Settings, r.Checked, r.Heard, r.Since, r.Left, r.Silent = at(r.rules), at(r.settings), at(r.checked), at(r.heard), at(r.since), at(r.left), at(r.silent)
	r.Because, r.Mend = r.because, r.mend
	switch {
	case r.box != mailboxRead:
		r.State, r.Because, r.Mend = WayUnreadable, r.boxBecause, ""
		if r.Because == "" {
			r.Because = "It was not asked for yet."
		}
	case r.left > 0:
		r.State, r.Because, r.Mend = WayLeftOut, "It is not among the mailboxes that the connection watches.", "Change which mailboxes are watched, on the connection's page."
	case r.state == "on" && at(r.until).After(now):
		r.State, r.Changes, r.Form = WayTold, strings.Split(r.changes, ","), r.form
		r.Until, r.Renewed = at(r.until), at(r.renewed)
	case r.state == "on":
		r.State = WayRefused
		r.Because = firstOf(r.Because, "The subscription has lapsed.")
		r.Mend = firstOf(r.Mend, "Nothing to do: it is made anew by itself, and what was missed is read.")
	case off != "":
		r.State, r.Because, r.Mend = WayWaits, off, mend
	case r.state == "refused":
		r.State = WayRefused
	default:
		r.State, r.Because, r.Mend = WayWaits, "Its subscription is being made.", "Nothing to do: it comes by itself."
	}
	return r.Watched
}

// watchedStates are what the table has of a way to be seen.
var watchedStates = map[string][]any{WayTold: {"on"}, WayWaits: {"wanted"}, WayRefused: {"refused"}, WayLeftOut: {"off", "ending"}}

// ListWatched lists which way each mailbox is seen, by address.
func (s *Service) ListWatched(ctx context.Context, in WatchedIn) (Page[Watched], error) {
	return view(ctx, s, "watched list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Watched], error) {
		var p Page[Watched]
		after, err := parseCursor(in.After, "watched", 2)
		if err != nil {
			return p, err
		}
		rare, err := watchedFew(ctx, t, in.State)
		if err != nil {
			return p, err
		}
		n := in.limit()
		q := (&query{}).add(watchedColumns + watchedFrom + watchedMore)
		watchedFilters(q, in, rare)
		if !after.begins() {
			q.add(" and (p.upn, p.person) > (?, ?)", after.text(0), after.text(1))
		}
		if rare {
			q.add(" order by p.upn || '', p.person limit ?", n+1) // by the index on the state, then sorted
		} else {
			q.add(" order by p.upn, p.person limit ?", n+1)
		}
		rows, err := find(ctx, t, q, (*watchedRow).fields)
		if err != nil {
			return p, err
		}
		off, mend, err := streamOff(ctx, t)
		if err != nil {
			return p, err
		}
		pieces := paged(rows, n, func(r watchedRow) string { return cursor("watched", r.upn, string(r.Person)) })
		p.Items, p.Next = make([]Watched, len(pieces.Items)), pieces.Next
		for i := range pieces.Items {
			p.Items[i] = pieces.Items[i].view(s.now(), off, mend)
		}
		return total(in.Paging, p, func() (int, bool, error) {
			from := (&query{}).add(strings.TrimPrefix(watchedFrom, " from "))
			watchedFilters(from, in, rare)
			return counted(ctx, t, from)
		})
	})
}

// watchedFew says whether few mailboxes are seen in a way or lack something, so that they are rather sorted than met one by
// one.
func watchedFew(ctx context.Context, t *store.Tenant, state string) (bool, error) {
	q := &query{}
	switch {
	case lacking[state] != "":
		q.add("select count(*) from (select 1 from "+lacking[state]+" limit ?) as few", few)
	case watchedStates[state] != nil:
		q.add("select count(*) from (select 1 from subscription where tenant = $1 and state in ("+q.in(watchedStates[state]...)+") limit ?) as few", few)
	default:
		return false, nil
	}
	n := 0
	rows, err := find(ctx, t, q, func(n *int) []any { return []any{n} })
	if len(rows) > 0 {
		n = rows[0]
	}
	return n < few, err
}

func watchedFilters(q *query, in WatchedIn, rare bool) {
	q.add(" where p.tenant = $1 and p.deleted = 0")
	switch states := watchedStates[in.State]; {
	case in.State == WayUnreadable:
		q.add(" and p.mailbox <> 'read'")
	case lacking[in.State] != "" && rare:
		q.add(" and p.person in (select x.person from " + lacking[in.State] + ")")
	case lacking[in.State] != "":
		q.add(" and exists (select 1 from " + lacking[in.State] + " and x.person = p.person)")
	case rare && in.State != WayWaits:
		q.add(" and p.mailbox || '' = 'read' and s.state in (" + q.in(states...) + ") and p.person in (select x.person from subscription x where x.tenant = $1 and x.state in (" + q.in(states...) + "))")
	case in.State == "":
		q.add(" and p.mailbox <> 'none'")
	case in.State == WayWaits:
		q.add(" and p.mailbox = 'read' and (s.state is null or s.state = 'wanted')")
	default: // by address, as most are in such a state
		q.add(" and p.mailbox || '' = 'read' and s.state || '' in (" + q.in(states...) + ")")
	}
	if strings.TrimSpace(in.Q) != "" {
		like := q.arg(contains(in.Q))
		q.add(` and (lower(p.name) like ` + like + ` escape '\' or lower(p.upn) like ` + like + ` escape '\')`)
	}
}

// streamOff is why nothing is told of mail at all, and what mends it; empty where something is.
func streamOff(ctx context.Context, t *store.Tenant) (because, mend string, err error) {
	err = t.QueryRow(ctx, `select coalesce(min(because), ''), coalesce(min(mend), '') from capability where tenant = $1 and name = 'mail-activity' and state = 'off'
		and not exists (select 1 from capability o where o.tenant = capability.tenant and o.name = capability.name and o.state <> 'off')`).Scan(&because, &mend)
	return because, mend, err
}

// watchedOf is which way a mailbox is seen.
func (s *Service) watchedOf(ctx context.Context, t *store.Tenant, person tocsin.PersonID) (Watched, error) {
	rows, err := find(ctx, t, (&query{}).add(watchedColumns+watchedFrom+watchedMore+" where p.tenant = $1 and p.person = ?", person), (*watchedRow).fields)
	if err != nil || len(rows) == 0 {
		return Watched{}, err
	}
	off, mend, err := streamOff(ctx, t)
	return rows[0].view(s.now(), off, mend), err
}
