package rule

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/story"
)

// monday is when the first week of every story begins.
var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// world is a small organisation in memory in which a story is played.
type world struct {
	t         *testing.T
	story     *story.Story
	org       detect.Org
	mailboxes []*detect.Mailbox
	known     map[string]detect.Known
	memory    detect.Memory
	found     []tocsin.Finding // on records
	rules     int
	exchange  detect.Exchange
}

func play(t *testing.T, s *story.Story) *world {
	w := &world{t: t, story: s, known: map[string]detect.Known{}}
	w.org = detect.Org{Tenant: "00000000-0000-0000-0000-000000000001", Domains: map[string]bool{}, Partners: map[string]bool{}, Now: monday}
	w.org.Spared = func(group string) []string {
		if strings.EqualFold(group, "Carrier Partners") {
			return []string{"Everybody: second factor"}
		}
		return nil
	}
	w.org.Lookup = func(addr string) detect.Known { return w.known[w.main(addr)] }
	for i := range s.World {
		w.declare(&s.World[i])
	}
	for i := range s.Acts {
		w.act(&s.Acts[i])
	}
	return w
}

func (w *world) declare(d *story.Decl) {
	addr := tocsin.CanonicalAddress(d.Address)
	switch d.Kind {
	case story.Domain:
		w.org.Domains[d.Name] = true
	case story.Partner:
		w.org.Partners[d.Name] = true
	case story.Group:
		k := detect.Known{Kind: detect.Group, Address: addr, Name: d.Title}
		for _, m := range d.Members {
			if !w.inside(m) {
				k.Outside = append(k.Outside, m)
			}
		}
		w.known[addr] = k
	case story.Contact:
		w.known[addr] = detect.Known{Kind: detect.Contact, Address: addr, Name: d.Title, Outside: d.Members}
	case story.Person:
		w.person(d, addr)
	case story.Exception:
		e := detect.Exception{Rule: d.Name, Scope: detect.Scope(d.Scope), Value: d.Address, Owner: d.Owner, Reason: d.Title}
		if d.Until > 0 {
			e.Expires = monday.Add(d.Until)
		}
		w.org.Exceptions = append(w.org.Exceptions, e)
	}
}

func (w *world) person(d *story.Decl, addr string) {
	k := detect.Known{Kind: detect.Person, Person: tocsin.PersonID("person-" + d.Name), Address: addr, Name: d.Title, Blocked: d.Has(story.Blocked), Admin: d.Has(story.Admin)}
	if d.Has(story.Newcomer) {
		k.Created = monday
	}
	if d.Has(story.Guest) {
		k.Kind, k.Outside = detect.Guest, []string{addr}
		for domain := range w.org.Domains { // as Entra names guests
			w.known[strings.ReplaceAll(addr, "@", "_")+"#ext#@"+domain] = k
		}
	}
	w.known[addr] = k
	if k.Kind == detect.Guest {
		return
	}
	canSignIn := !d.Has(story.Blocked)
	m := &detect.Mailbox{Person: k.Person, Address: addr, Name: d.Title, Purpose: "user", SignIn: &canSignIn}
	if d.Has(story.Shared) {
		m.Purpose = "shared"
	}
	w.mailboxes = append(w.mailboxes, m)
}

func (w *world) inside(addr string) bool {
	p := w.org.Place(tocsin.Address{Address: addr})
	return p == detect.Inside
}

func (w *world) mailbox(a *story.Act) *detect.Mailbox {
	w.t.Helper()
	addr := tocsin.CanonicalAddress(w.story.Address(a.Who))
	for _, m := range w.mailboxes {
		if m.Address == addr {
			return m
		}
	}
	w.t.Fatalf("%s:%d: %s has no mailbox", w.story.Name, a.Line, a.Who)
	return nil
}

// rule finds the newest rule of that name which exists.
func (w *world) rule(a *story.Act) *detect.Rule {
	w.t.Helper()
	m := w.mailbox(a)
	for i := len(m.Rules) - 1; i >= 0; i-- {
		if r := &m.Rules[i]; r.Name == a.Args["name"] && !r.Deleted() {
			return r
		}
	}
	w.t.Fatalf("%s:%d: %s has no rule %q", w.story.Name, a.Line, a.Who, a.Args["name"])
	return nil
}

var linkIn = regexp.MustCompile(`https?://[^\s"<>]+|[\w.+-]+@[\w-]+(\.[\w-]+)+`)

func (w *world) act(a *story.Act) {
	at := monday.Add(a.At)
	w.org.Now = at
	switch a.Verb {
	case story.MakesRule:
		w.rules++
		r := detect.Rule{MailRule: *a.Rule, FirstSeen: at}
		r.ID = fmt.Sprintf("rule-%d", w.rules)
		m := w.mailbox(a)
		m.Rules = append(m.Rules, r)
	case story.ChangesRule:
		w.change(a, at, func(r *tocsin.MailRule) { id := r.ID; *r = *a.Rule; r.ID = id })
	case story.DisablesRule:
		w.change(a, at, func(r *tocsin.MailRule) { r.Enabled = false })
	case story.EnablesRule:
		w.change(a, at, func(r *tocsin.MailRule) { r.Enabled = true })
	case story.DeletesRule:
		w.rule(a).DeletedAt = at
	case story.SetsAutoReply:
		w.mailbox(a).AutoReply = &tocsin.AutoReply{Status: "always_enabled", Audience: "all", Links: linkIn.FindAllString(a.Args["text"], -1)}
	case story.StopsAutoReply:
		w.mailbox(a).AutoReply = &tocsin.AutoReply{Status: "disabled"}
	case story.IsBlocked, story.IsUnblocked:
		canSignIn := a.Verb == story.IsUnblocked
		w.mailbox(a).SignIn = &canSignIn
	case story.BecomesShared:
		w.mailbox(a).Purpose = "shared"
	case story.SignsIn:
		w.found = append(w.found, Record(&w.org, &w.memory, w.signIn(a, at))...)
	case story.Runs, story.Audits:
		r := w.record(a, at)
		w.found = append(w.found, Record(&w.org, &w.memory, r)...)
		w.hold(r)
	}
}

func (w *world) change(a *story.Act, at time.Time, change func(*tocsin.MailRule)) {
	r := w.rule(a)
	before := r.MailRule
	change(&r.MailRule)
	r.Before, r.Changed = &before, at
}

// record is the audit record that an act writes.
func (w *world) record(a *story.Act, at time.Time) *detect.Record {
	r := &detect.Record{
		ID: fmt.Sprintf("record-%d", a.Line), Time: at, Operation: a.Args["operation"], Workload: a.Args["workload"], Actor: w.story.Address(a.Who),
		ActorKind: a.Args["as"], IP: a.Args["ip"], Object: a.Args["on"], Target: a.Args["target"], Result: a.Args["result"],
		UserAgent: a.Args["agent"], ClientApp: a.Args["app"], Modified: a.Modified,
	}
	if r.ActorKind == "" {
		r.ActorKind = "user"
	}
	if a.Verb == story.Runs {
		r.Params = a.Params
		return r
	}
	r.Extra = map[string]any{}
	if a.Args["country"] != "" {
		r.Extra["country"] = a.Args["country"]
	}
	for k, v := range a.Params {
		var any any = v
		if json.Valid([]byte(v)) && strings.ContainsAny(v[:1], "[{") {
			if err := json.Unmarshal([]byte(v), &any); err != nil {
				w.t.Fatal(err)
			}
		}
		r.Extra[k] = any
	}
	return r
}

// signIn is the record of a sign-in, as the directory's own log has it.
func (w *world) signIn(a *story.Act, at time.Time) *detect.Record {
	r := w.record(a, at)
	r.Operation, r.Workload, r.Result, r.ClientApp = "UserLoggedIn", "SignIn", "success", a.Params["client"]
	x := r.Extra
	x["error"] = "0"
	if a.Args["result"] == "failure" {
		x["error"] = "50126"
	}
	if code := a.Params["error"]; code != "" {
		x["error"] = code
	}
	if x["error"] != "0" {
		r.Operation, r.Result = "UserLoginFailed", "failure"
	} else if x["mfa"] == nil {
		x["mfa"] = "asked"
	}
	if app := a.Args["app"]; app != "" {
		x["app"] = app
	}
	if kind := a.Params["kind"]; kind == "service_principal" || kind == "managed_identity" {
		r.ActorKind = "app"
	}
	if p := story.PlaceOf(a.Args["city"]); p != nil {
		x["city"], x["country"], x["latitude"], x["longitude"] = p.City, p.Country, fmt.Sprint(p.Latitude), fmt.Sprint(p.Longitude)
		if x["asn"] == nil {
			x["asn"] = p.ASN
		}
		if r.IP == "" {
			r.IP = p.IP
		}
	}
	return r
}

// trustees counts who has rights over how many mailboxes, as the tables do.
func (w *world) trustees() {
	by := map[string]*detect.Trustee{}
	for _, m := range w.mailboxes {
		counted := map[string]bool{}
		for _, g := range m.Grants {
			if g.Kind == detect.RightFolder || g.Kind == detect.RightSendOnBehalf || g.Denied || counted[g.Trustee] || m.Purpose != "user" {
				continue
			}
			counted[g.Trustee] = true
			t := by[g.Trustee]
			if t == nil {
				t = &detect.Trustee{Who: g.Trustee}
				by[g.Trustee] = t
			}
			t.Count, t.Owners, t.Granted = t.Count+1, append(t.Owners, m.Address), g.Since
			if w.org.Now.Sub(g.Since) <= 7*24*time.Hour {
				t.Lately++
			}
		}
	}
	for _, t := range by {
		w.exchange.Trustees = append(w.exchange.Trustees, *t)
	}
}

// judge gives all that is found in the world as it stands, and was found on records; one cause once.
func (w *world) judge() []tocsin.Finding {
	all := w.found
	for _, m := range w.mailboxes {
		all = append(all, Mailbox(&w.org, m)...)
	}
	var sending []*detect.Mailbox
	for _, m := range w.mailboxes {
		if len(forwardings(m)) > 0 {
			sending = append(sending, m)
			continue
		}
		for i := range m.Rules {
			if len(m.Rules[i].Targets()) > 0 {
				sending = append(sending, m)
				break
			}
		}
	}
	all = append(all, Across(&w.org, sending)...)
	w.trustees()
	all = append(all, Organisation(&w.org, &w.exchange)...)
	once := map[string]tocsin.Finding{}
	var order []string
	for _, f := range all {
		f.ID = tocsin.NewFindingID(w.org.Tenant, f.Rule, Identity(&f), f.Cause)
		if was, twice := once[f.ID]; !twice {
			order = append(order, f.ID)
		} else if Held(f.Rule) && was.Risk >= f.Risk {
			f = was // a story asks for what the record's rule said
		}
		once[f.ID] = f
	}
	out := make([]tocsin.Finding, 0, len(once))
	for _, id := range order {
		out = append(out, once[id])
	}
	return out
}
