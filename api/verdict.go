package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/store"
)

// Verdict is what all sources together say of a mailbox's forwarding, or of the rights of others over it. It never says
// none where a source that could tell is off.
type Verdict struct {
	// State is, of forwarding, outside, unplaced (to somebody nobody can place), inside, partner; of delegation, risky or
	// delegated; of both none, or unknown: nothing is known to be there, and not all is known.
	State   string    `json:"state"`
	Says    string    `json:"says"`           // a sentence
	AsOf    time.Time `json:"as_of,omitzero"` // as old as the oldest of what it rests on
	Ways    []Way     `json:"ways"`           // by which mail goes on, the worst first
	Others  int       `json:"others"`         // with rights over it
	Risky   int       `json:"risky"`          // of these, who should not have them
	Sources []Told    `json:"sources"`        // what it rests on
	Unknown []string  `json:"unknown"`        // what is not known, a sentence each
}

// Told says of which source something is known, and as of when.
type Told struct {
	What   string    `json:"what"`   // inbox_rules, automatic_reply, forwarding, full_access, send_as, send_on_behalf, folder, transport
	Source string    `json:"source"` // graph, audit, admin_api, invoke_command, export
	AsOf   time.Time `json:"as_of"`
}

// Way is a way by which a mailbox's mail goes on.
type Way struct {
	Kind  string    `json:"kind"` // rule, mailbox, auto_reply
	ID    string    `json:"id,omitempty"`
	Name  string    `json:"name"`
	To    string    `json:"to"`
	Place string    `json:"place"` // outside, unknown, inside, partner
	Since time.Time `json:"since,omitzero"`
	Every bool      `json:"every"` // all mail, not only some
}

// RightsCover says of a kind what tells of it, and what is not known.
type RightsCover struct {
	Kind      string    `json:"kind"`           // forwarding, full_access, send_as, send_on_behalf, folder, transport
	Source    string    `json:"source"`         // audit; of the others none, since they look mailbox by mailbox
	State     string    `json:"state"`          // on, late (more than a day behind), off
	Since     time.Time `json:"since,omitzero"` // every change since then was told
	Until     time.Time `json:"until,omitzero"`
	Looked    int       `json:"looked"`    // mailboxes of which all was looked at once
	Mailboxes int       `json:"mailboxes"` // that there are
	Because   string    `json:"because"`
	Mend      string    `json:"mend"`
	Unknown   string    `json:"unknown"` // what is not known; empty where all is
}

// rightKinds are what is told of mailboxes besides Graph's own, and how each is called.
var rightKinds = []struct{ kind, what, mend string }{
	{detect.RightForwarding, "mailbox forwarding", "connect the audit feed or Exchange, or import an export"},
	{detect.RightFullAccess, "full access", "connect the audit feed or Exchange, or import an export"},
	{detect.RightSendAs, "the right to send as", "connect the audit feed or Exchange, or import an export"},
	{detect.RightSendOnBehalf, "the right to send on behalf", "connect the audit feed or the Exchange Admin API, or import an export"},
	{detect.RightFolder, "rights over folders", "connect the audit feed or the Exchange Admin API, or import an export"},
	{detect.RightTransport, "the organisation's mail flow rules", "connect the audit feed or Exchange"},
}

func kindWord(kind string) (what, mend string) {
	for _, k := range rightKinds {
		if k.kind == kind {
			return k.what, k.mend
		}
	}
	return kind, ""
}

// cover is from when to when a source told every change.
type cover struct {
	source, kind  string
	since, until  int64
	because, mend string
}

// coversOf are what tells of changes, by kind the one that reaches furthest.
func coversOf(ctx context.Context, t *store.Tenant) (map[string]cover, error) {
	rows, err := find(ctx, t, (&query{}).add("select source, kind, since, until, because, mend from rights_cover where tenant = $1 order by kind, until, source"),
		func(c *cover) []any { return []any{&c.source, &c.kind, &c.since, &c.until, &c.because, &c.mend} })
	out := map[string]cover{}
	for _, c := range rows {
		out[c.kind] = c
	}
	return out, err
}

// looked is when a mailbox was looked at whole: kind → the last time and who looked.
type looked map[string]lookAtAll

type lookAtAll struct {
	at     int64
	source string
}

func looksOf(ctx context.Context, t *store.Tenant, people []any) (map[tocsin.PersonID]looked, error) {
	type row struct {
		person       tocsin.PersonID
		source, text string
	}
	q := &query{}
	q.add("select person, source, looks from rights_look where tenant = $1 and person in (" + q.in(people...) + ") order by person, source")
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.person, &r.source, &r.text} })
	out := map[tocsin.PersonID]looked{}
	for _, r := range rows {
		var at map[string]int64
		if err := json.Unmarshal([]byte(r.text), &at); err != nil {
			return nil, fmt.Errorf("looks at %s: %w", r.person, err)
		}
		if out[r.person] == nil {
			out[r.person] = looked{}
		}
		for kind, ms := range at {
			if ms > out[r.person][kind].at {
				out[r.person][kind] = lookAtAll{ms, r.source}
			}
		}
	}
	return out, err
}

// late is how far behind a source of changes may be before what it tells is no longer called the present.
const late = 24 * time.Hour

// knownOf says as of when a kind is known of a mailbox, and by what; or a sentence on what is not.
func knownOf(kind string, looks looked, covers map[string]cover, now time.Time) (told []Told, unknown string) {
	what, mend := kindWord(kind)
	look, c := looks[kind], covers[kind]
	behind := c.until > 0 && now.Sub(tocsin.FromMillis(c.until)) > late
	switch {
	case look.at == 0 && c.until == 0:
		unknown = fmt.Sprintf("Unknown: no source of %s is on; %s.", what, mend)
		if c.because != "" {
			unknown = fmt.Sprintf("Unknown: %s is not told. %s %s", what, c.because, c.mend)
		}
		return nil, unknown
	case look.at == 0:
		told = append(told, Told{kind, c.source, tocsin.FromMillis(c.until)})
		return told, fmt.Sprintf("Of %s only what changed since %s is known; what was there before is told by a look at all of it: connect Exchange, or import an export.", what, moment(c.since))
	case c.until <= look.at || c.until == 0:
		return append(told, Told{kind, look.source, tocsin.FromMillis(look.at)}), stale(what, look.at, now)
	case c.since > look.at:
		return append(told, Told{kind, look.source, tocsin.FromMillis(look.at)}, Told{kind, c.source, tocsin.FromMillis(c.until)}),
			fmt.Sprintf("Of %s it is not known what changed between %s and %s: nothing told of it then.", what, moment(look.at), moment(c.since))
	}
	told = append(told, Told{kind, look.source, tocsin.FromMillis(look.at)}, Told{kind, c.source, tocsin.FromMillis(c.until)})
	if behind {
		unknown = stale(what, c.until, now)
	}
	return told, unknown
}

// stale says of what is known as of a day or more ago that it is not known since.
func stale(what string, at int64, now time.Time) string {
	if now.Sub(tocsin.FromMillis(at)) <= late {
		return ""
	}
	return fmt.Sprintf("Of %s it is not known what changed since %s.", what, moment(at))
}

func moment(ms int64) string {
	return tocsin.FromMillis(ms).UTC().Format("2 January 2006 15:04") + " UTC"
}

// judged is what the last judgement left of a mailbox.
type judged struct {
	person    tocsin.PersonID
	forwards  string
	body      string
	delegates int
	risky     int
}

// verdicts adds to mailboxes what all sources together say of their forwarding and of the rights over them.
func verdicts(ctx context.Context, t *store.Tenant, boxes []Mailbox, now time.Time) error {
	if len(boxes) == 0 {
		return nil
	}
	ids := make([]any, len(boxes))
	for i := range boxes {
		ids[i] = string(boxes[i].Person)
	}
	q := &query{}
	q.add("select person, forwards, body, delegates, risky from mailbox_verdict where tenant = $1 and person in (" + q.in(ids...) + ")")
	rows, err := find(ctx, t, q, func(h *judged) []any { return []any{&h.person, &h.forwards, &h.body, &h.delegates, &h.risky} })
	if err != nil {
		return err
	}
	by := map[tocsin.PersonID]judged{}
	for _, h := range rows {
		by[h.person] = h
	}
	looks, err := looksOf(ctx, t, append(ids, ""))
	if err != nil {
		return err
	}
	covers, err := coversOf(ctx, t)
	if err != nil {
		return err
	}
	for i := range boxes {
		b := &boxes[i]
		of := looks[b.Person]
		if whole := looks[""]; len(whole) > 0 { // what is the organisation's
			merged := looked{}
			for k, v := range of {
				merged[k] = v
			}
			merged[detect.RightTransport] = whole[detect.RightTransport]
			of = merged
		}
		if b.Forwarding, err = forwardingVerdict(b, by[b.Person], of, covers, now); err != nil {
			return err
		}
		b.Delegation = delegationVerdict(b, by[b.Person], of, covers, now)
	}
	return nil
}

func forwardingVerdict(b *Mailbox, h judged, looks looked, covers map[string]cover, now time.Time) (*Verdict, error) {
	v := &Verdict{Ways: []Way{}, Sources: []Told{}, Unknown: []string{}}
	if h.body != "" {
		var ways []rule.Way
		if err := json.Unmarshal([]byte(h.body), &ways); err != nil {
			return nil, fmt.Errorf("verdict on %s: %w", b.Person, err)
		}
		for _, w := range ways {
			v.Ways = append(v.Ways, Way{w.Kind, w.ID, w.Name, w.To, string(w.Place), tocsin.FromMillis(w.Since), w.Every})
		}
	}
	if b.State == "none" {
		v.State, v.Says = "none", "There is no mailbox that could forward."
		return v, nil
	}
	v.rests(b.Read, "inbox_rules", b.RulesSeen, "Its inbox rules are not known: "+lowerFirst(firstOf(b.Because, "the mailbox was not read yet.")))
	v.rests(!b.SettingsSeen.IsZero(), "automatic_reply", b.SettingsSeen, "Its automatic reply is not known: its settings were not read yet.")
	for _, kind := range []string{detect.RightForwarding, detect.RightTransport} {
		v.take(knownOf(kind, looks, covers, now))
	}
	var to []string
	for _, w := range v.Ways {
		if w.Kind != "auto_reply" && (len(v.Ways) == 0 || w.Place == h.forwards) && !slices.Contains(to, w.To) {
			to = append(to, w.To)
		}
	}
	v.State = map[string]string{"": "none", "outside": "outside", "unknown": "unplaced", "inside": "inside", "partner": "partner"}[h.forwards]
	switch {
	case h.forwards != "":
		where := map[string]string{"outside": "outside the organisation", "unknown": "which nobody can place", "inside": "inside the organisation", "partner": "a trusted partner"}[h.forwards]
		v.Says = fmt.Sprintf("Mail goes on to %s, %s.", destinationsOf(to), where)
	case len(v.Unknown) > 0:
		v.State, v.Says = "unknown", "No forwarding is known, and not all is known."
	default:
		v.Says = "Nothing forwards, as of " + moment(tocsin.Millis(v.AsOf)) + "."
	}
	return v, nil
}

func delegationVerdict(b *Mailbox, h judged, looks looked, covers map[string]cover, now time.Time) *Verdict {
	v := &Verdict{Ways: []Way{}, Sources: []Told{}, Unknown: []string{}, Others: h.delegates, Risky: h.risky}
	if b.State == "none" {
		v.State, v.Says = "none", "There is no mailbox that could be opened."
		return v
	}
	for _, kind := range []string{detect.RightFullAccess, detect.RightSendAs, detect.RightSendOnBehalf, detect.RightFolder} {
		v.take(knownOf(kind, looks, covers, now))
	}
	switch {
	case h.risky > 0:
		v.State, v.Says = "risky", fmt.Sprintf("%s, %d of whom should be looked at.", others(h.delegates), h.risky)
	case h.delegates > 0:
		v.State, v.Says = "delegated", others(h.delegates)+"."
	case len(v.Unknown) > 0:
		v.State, v.Says = "unknown", "Nobody else is known to have rights over it, and not all is known."
	default:
		v.State, v.Says = "none", "Nobody else has rights over it, as of "+moment(tocsin.Millis(v.AsOf))+"."
	}
	return v
}

func others(n int) string {
	if n == 1 {
		return "One other has rights over it"
	}
	return fmt.Sprintf("%d others have rights over it", n)
}

// rests adds what Graph tells, or that it does not.
func (v *Verdict) rests(is bool, what string, at time.Time, unknown string) {
	if !is {
		v.take(nil, unknown)
		return
	}
	v.take([]Told{{what, "graph", at}}, "")
}

// take adds what is known, and what is not. Of several that tell of one thing the last counts for how old it is.
func (v *Verdict) take(told []Told, unknown string) {
	v.Sources = append(v.Sources, told...)
	if n := len(told); n > 0 && (v.AsOf.IsZero() || told[n-1].AsOf.Before(v.AsOf)) {
		v.AsOf = told[n-1].AsOf
	}
	if unknown != "" {
		v.Unknown = append(v.Unknown, unknown)
	}
}

func destinationsOf(list []string) string {
	switch n := len(list); {
	case n == 0:
		return "somebody"
	case n > 3:
		return fmt.Sprintf("%s and %d more", strings.Join(list[:3], ", "), n-3)
	case n > 1:
		return strings.Join(list[:n-1], ", ") + " and " + list[n-1]
	}
	return list[0]
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// ListRights says what tells of forwarding and of rights over mailboxes, how fresh that is, and what is not known.
func (s *Service) ListRights(ctx context.Context, in ListIn) (Page[RightsCover], error) {
	return view(ctx, s, "rights list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[RightsCover], error) {
		return slice("rights", in.Paging, func() ([]RightsCover, error) { return rightsCovers(ctx, t, s.now()) }, func(c RightsCover) string { return c.Kind })
	})
}

func rightsCovers(ctx context.Context, t *store.Tenant, now time.Time) ([]RightsCover, error) {
	covers, err := coversOf(ctx, t)
	if err != nil {
		return nil, err
	}
	boxes, err := number(ctx, t, (&query{}).add("select count(*) from person where tenant = $1 and deleted = 0 and mailbox <> 'none'"))
	if err != nil {
		return nil, err
	}
	var out []RightsCover
	for _, k := range rightKinds {
		c := covers[k.kind]
		r := RightsCover{Kind: k.kind, Source: c.source, State: "off", Since: tocsin.FromMillis(c.since), Until: tocsin.FromMillis(c.until), Mailboxes: boxes, Because: c.because, Mend: c.mend}
		q := &query{}
		q.add("select count(distinct person) from rights_look where tenant = $1 and looks like ?", `%"`+k.kind+`":%`)
		if r.Looked, err = number(ctx, t, q); err != nil {
			return nil, err
		}
		if k.kind == detect.RightTransport {
			r.Mailboxes = 1
		}
		switch {
		case c.until > 0 && now.Sub(r.Until) <= late:
			r.State = "on"
		case c.until > 0:
			r.State = "late"
		}
		switch {
		case r.State == "off" && r.Looked == 0:
			r.Unknown = fmt.Sprintf("No source of %s is on; %s.", k.what, k.mend)
		case r.State == "off":
			r.Unknown = fmt.Sprintf("Changes of %s are told by no source; what is shown is as old as the last look.", k.what)
		case r.Looked < r.Mailboxes && k.kind == detect.RightTransport:
			r.Unknown = fmt.Sprintf("Of %s only what changed since %s is known.", k.what, moment(c.since))
		case r.Looked < r.Mailboxes:
			r.Unknown = fmt.Sprintf("Of %s only what changed since %s is known for %d of %d mailboxes.", k.what, moment(c.since), r.Mailboxes-r.Looked, r.Mailboxes)
		}
		if r.State == "late" {
			r.Unknown = strings.TrimSpace(fmt.Sprintf("Nothing was told since %s. %s", moment(c.until), r.Unknown))
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b RightsCover) int { return strings.Compare(a.Kind, b.Kind) })
	return out, nil
}
