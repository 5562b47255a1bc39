package rule

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// main is who is meant by a name in a record: an address, or an alias at an accepted domain.
func (w *world) main(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if strings.Contains(name, "@") {
		return tocsin.CanonicalAddress(name)
	}
	for d := range w.org.Domains {
		if k := w.known[name+"@"+d]; k.Address != "" {
			return k.Address
		}
	}
	return name
}

// hold keeps what a record tells of forwarding, rights and mail flow, as the tables do; records come in order here.
func (w *world) hold(r *detect.Record) {
	for _, s := range Rights(r) {
		is := detect.Told{At: r.Time, Since: r.Time, Source: s.Source, Record: s.Record, Actor: s.Actor, ActorKind: s.ActorKind}
		owner := w.main(s.Mailbox)
		for name, v := range s.Settings {
			is.Value = v
			if name == detect.ForwardingRecipient || name == detect.ForwardingSMTP {
				is.Value = w.main(v)
			}
			if s.Org || name == detect.AuditBypass || name == detect.AuditEnabled {
				w.exchange.Settings = append(slices.DeleteFunc(w.exchange.Settings, func(o detect.Setting) bool { return o.Name == name && o.Mailbox == owner }),
					detect.Setting{Told: is, Name: name, Mailbox: owner})
			} else if m := w.box(owner); m != nil {
				if m.Settings == nil {
					m.Settings = map[string]detect.Told{}
				}
				m.Settings[name] = is
			}
		}
		for _, g := range s.Rights {
			m := w.box(owner)
			if m == nil || BuiltIn(g.Trustee) || w.main(g.Trustee) == owner {
				continue
			}
			is.Value = strings.Join(g.Levels, ", ")
			now := detect.Grant{Told: is, Kind: g.Kind, Folder: strings.ToLower(g.Folder), Path: g.Folder, Trustee: w.main(g.Trustee), Name: g.Trustee, Denied: g.Deny}
			m.Grants = slices.DeleteFunc(m.Grants, func(o detect.Grant) bool {
				return o.Kind == now.Kind && o.Folder == now.Folder && o.Trustee == now.Trustee && o.Denied == now.Denied
			})
			if !g.Removed {
				m.Grants = append(m.Grants, now)
			}
		}
		for _, f := range s.MailFlow {
			w.flow(f, is)
		}
	}
}

func (w *world) box(address string) *detect.Mailbox {
	for _, m := range w.mailboxes {
		if m.Address == address {
			return m
		}
	}
	return nil
}

func (w *world) flow(f detect.MailFlowSeen, is detect.Told) {
	id := strings.ToLower(f.Name)
	i := slices.IndexFunc(w.exchange.Flow, func(m detect.MailFlow) bool { return m.ID == id && m.Kind == f.Kind })
	if f.Removed || f.Made {
		if i >= 0 {
			w.exchange.Flow = slices.Delete(w.exchange.Flow, i, i+1)
		}
		i = -1
	}
	if f.Removed {
		return
	}
	if i < 0 {
		w.exchange.Flow = append(w.exchange.Flow, detect.MailFlow{Kind: f.Kind, ID: id, Name: f.Name, Enabled: true, Params: map[string]detect.Told{}})
		i = len(w.exchange.Flow) - 1
	}
	m := &w.exchange.Flow[i]
	for p, v := range f.Params {
		is.Value = v
		m.Params[p] = is
		if p == "enabled" {
			m.Enabled = !strings.EqualFold(v, "false")
		}
	}
}

// TestRecordAndStateMeet: what a rule finds on a record, and what stands in the state after it, is one finding.
func TestRecordAndStateMeet(t *testing.T) {
	met := map[string]bool{}
	for _, s := range stories(t) {
		w := play(t, s)
		var state []tocsin.Finding
		for _, m := range w.mailboxes {
			state = append(state, Mailbox(&w.org, m)...)
		}
		state = append(state, Organisation(&w.org, &w.exchange)...)
		id := func(f *tocsin.Finding) string {
			return f.Rule + "\n" + string(f.Person) + "\n" + f.Subject + "\n" + f.Cause
		}
		told := map[string]bool{}
		for i := range w.found {
			told[id(&w.found[i])] = true
		}
		for i := range state {
			f := &state[i]
			if !Held(f.Rule) {
				continue
			}
			if !told[id(f)] {
				t.Errorf("%s: the state alone has %q: %s", filepath.Base(s.Name), id(f), f.Why)
				continue
			}
			met[f.Rule] = true
		}
	}
	for name := range heldRules {
		if !met[name] && name != trusteeOfMany.Name {
			t.Errorf("%s: in no story the record and the state meet", name)
		}
	}
}

// TestHeldAtFirstLook: of what was there when we first looked, what is wrong in itself is found, and the rest is left alone.
func TestHeldAtFirstLook(t *testing.T) {
	o := &detect.Org{Domains: map[string]bool{"x.example": true}, Partners: map[string]bool{"partner.example": true}, Now: monday, Lookup: func(a string) detect.Known {
		switch a {
		case "bob@x.example":
			return detect.Known{Kind: detect.Person, Person: "bob", Address: a}
		case "left@x.example":
			return detect.Known{Kind: detect.Person, Person: "left", Address: a, Blocked: true}
		case "guest@y.example":
			return detect.Known{Kind: detect.Guest, Person: "guest", Address: a, Outside: []string{a}}
		case "guest@partner.example":
			return detect.Known{Kind: detect.Guest, Person: "guest2", Address: a, Outside: []string{a}}
		case "team@x.example":
			return detect.Known{Kind: detect.Group, Address: a, Outside: []string{"eve@evil.example"}}
		}
		return detect.Known{}
	}}
	at := detect.Told{Value: "FullAccess", At: monday, Source: "export"}
	grant := func(trustee, kind, folder, level string) detect.Grant {
		g := detect.Grant{Told: at, Kind: kind, Folder: strings.ToLower(folder), Path: folder, Trustee: trustee, Name: trustee}
		g.Value = level
		return g
	}
	since := func(g detect.Grant, kind string) detect.Grant {
		g.Since, g.ActorKind = monday.Add(-time.Hour), kind
		return g
	}
	denied := grant("eve@evil.example", "full_access", "", "FullAccess")
	denied.Denied = true
	for _, c := range []struct {
		name string
		g    detect.Grant
		want string
	}{
		{"a colleague", grant("bob@x.example", "full_access", "", "FullAccess"), ""},
		{"a colleague, since an hour", since(grant("bob@x.example", "full_access", "", "FullAccess"), ""), "mailbox-full-access-granted"},
		{"by the service", since(grant("bob@x.example", "full_access", "", "FullAccess"), "system"), ""},
		{"who left", grant("left@x.example", "send_as", "", "SendAs"), "send-as-granted"},
		{"a guest", grant("guest@y.example", "send_on_behalf", "", "SendOnBehalf"), "send-on-behalf-granted"},
		{"a partner's guest", grant("guest@partner.example", "full_access", "", "FullAccess"), ""},
		{"somebody outside", grant("eve@evil.example", "full_access", "", "FullAccess"), "mailbox-full-access-granted"},
		{"somebody outside, denied", denied, ""},
		{"a group with a member outside", grant("team@x.example", "full_access", "", "FullAccess"), "mailbox-full-access-granted"},
		{"a look-alike of the owner", grant("amyadarns@x.example", "full_access", "", "FullAccess"), "delegation-to-look-alike"},
		{"everybody, the inbox", grant("default", "folder", "Inbox", "Reviewer"), "mail-folder-opened-to-everyone"},
		{"everybody, free and busy", grant("default", "folder", "Calendar", "AvailabilityOnly"), ""},
		{"everybody, the calendar", grant("default", "folder", "Calendar", "Reviewer"), ""},
		{"everybody may write the calendar", grant("default", "folder", "Calendar", "Editor"), "mail-folder-opened-to-everyone"},
		{"strangers, the calendar", grant("anonymous", "folder", "Calendar", "Reviewer"), "mail-folder-opened-to-everyone"},
		{"a colleague, the inbox", grant("bob@x.example", "folder", "Inbox", "Reviewer"), ""},
		{"somebody outside, the sent items", grant("eve@evil.example", "folder", "Sent Items", "Reviewer"), "mail-folder-shared"},
	} {
		m := &detect.Mailbox{Person: "amy", Address: "amyadams@x.example", Grants: []detect.Grant{c.g}}
		var got []string
		for _, f := range Mailbox(o, m) {
			got = append(got, f.Rule)
			sound(t, &f)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %q", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		name, smtp, recipient, deliver string
		want                           string
	}{
		{"none", "", "", "true", ""},
		{"outside", "eve@evil.example", "", "true", "mailbox-forwards-outside 65"},
		{"outside, no copy", "eve@evil.example", "", "false", "mailbox-forwards-outside 80"},
		{"a partner", "desk@partner.example", "", "false", ""},
		{"a colleague", "bob@x.example", "", "false", ""},
		{"a group with a member outside", "", "team@x.example", "true", "mailbox-forwards-outside 65"},
		{"passed over", "eve@evil.example", "bob@x.example", "true", "mailbox-forwards-outside 20"},
		{"nobody known", "", "somebody", "true", "mailbox-forwards-outside 40"},
	} {
		m := &detect.Mailbox{Person: "amy", Address: "amyadams@x.example", Settings: map[string]detect.Told{}}
		for name, v := range map[string]string{detect.ForwardingSMTP: c.smtp, detect.ForwardingRecipient: c.recipient, detect.ForwardingDeliver: c.deliver} {
			m.Settings[name] = detect.Told{Value: v, At: monday, Source: "export"}
		}
		var got []string
		for _, f := range Mailbox(o, m) {
			got = append(got, f.Rule+" "+strconv.Itoa(f.Risk))
			sound(t, &f)
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %v, want %q", c.name, got, c.want)
		}
	}
}

// TestTrustees: an account with many people's mailboxes is found, one with a few is not.
func TestTrustees(t *testing.T) {
	o := &detect.Org{Domains: map[string]bool{"x.example": true}, Now: monday}
	for _, c := range []struct {
		count, lately, risk int
		who                 string
	}{{4, 4, 0, "a@x.example"}, {19, 0, 0, "a@x.example"}, {20, 0, 40, "a@x.example"}, {5, 5, 65, "a@x.example"}, {5, 5, 90, "eve@evil.example"}} {
		got := Organisation(o, &detect.Exchange{Trustees: []detect.Trustee{{Who: c.who, Count: c.count, Lately: c.lately, Owners: []string{"b@x.example", "c@x.example"}}}})
		switch {
		case c.risk == 0 && len(got) > 0, c.risk > 0 && (len(got) != 1 || got[0].Risk != c.risk):
			t.Errorf("%+v: %s", c, show(got))
		case c.risk > 0:
			sound(t, &got[0])
		}
	}
}
