package connect

import (
	"slices"
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
)

// mailSuffices are the permissions with which a mail configuration is whole.
var mailSuffices = []string{"Directory.Read.All", "Mail.ReadWrite", "MailboxSettings.ReadWrite", "User.Read.All"}

// mailbox is somebody's address who has a mailbox.
func (b *bench) mailbox(gc *graph.Client) string {
	b.Helper()
	for u, err := range graph.Pages[graph.User](b.Context(), gc, "users.list", nil) {
		if err != nil {
			b.Fatal(err)
		}
		if u.Mail == "" || u.AccountEnabled == nil || !*u.AccountEnabled {
			continue
		}
		if gc.Get(b.Context(), "mailboxSettings.get", graph.P{"user": u.ID}, &graph.MailboxSettings{}) == nil {
			return u.Mail
		}
	}
	b.Fatal("nobody has a mailbox")
	return ""
}

// drafts are those of a test that are in the mailbox.
func (b *bench) drafts(c Connection, user string) (n int) {
	b.Helper()
	var found struct {
		Value []graph.Message `json:"value"`
	}
	if err := b.client(c).Get(b.Context(), "messages.search.folder", graph.P{"user": user, "folder": "drafts", "$filter": "startswith(subject,'" + draftMark + "')"}, &found); err != nil {
		b.Fatal(err)
	}
	return len(found.Value)
}

// configured is a mail configuration for the tenant's own domain.
func (b *bench) configured() (Connection, string) {
	b.Helper()
	b.w.AllowContent(true)
	b.w.Consent(mailSuffices...)
	gc, err := b.s.open(func() New { n := b.good(); n.Cloud = "own"; return n }(), nil)
	if err != nil {
		b.Fatal(err)
	}
	address := b.mailbox(gc)
	n := b.good()
	n.Name = "Mail"
	c, err := b.s.CreateMail(b.Context(), "amy@x.example", n, MailSettings{TestAddress: " " + strings.ToUpper(address), Domains: []string{"@" + strings.ToUpper(b.w.Domain()), b.w.Domain()}})
	if err != nil {
		b.Fatal(err)
	}
	return c, address
}

func (b *bench) tested(c Connection) (MailConfiguration, map[string]MailTest) {
	b.Helper()
	m, err := b.s.TestMail(b.Context(), "amy@x.example", c.Tenant, c.ID)
	if err != nil {
		b.Fatal(err)
	}
	out := map[string]MailTest{}
	for _, t := range m.Tests {
		if out[t.Name] = t; t.State != TestPassed && (!strings.HasSuffix(t.Because, ".") || !strings.HasSuffix(t.Mend, ".")) {
			b.Errorf("%s is %s because %q, mended by %q", t.Name, t.State, t.Because, t.Mend)
		}
	}
	if len(out) != len(mailTests) {
		b.Errorf("%d things were tried, want %d", len(out), len(mailTests))
	}
	return m, out
}

// TestMailConfiguration: with exactly four permissions a mail configuration is whole; without one of them its test says which,
// and nothing is left in the test address's mailbox.
func TestMailConfiguration(t *testing.T) {
	onBoth(t, func(b *bench) {
		c, address := b.configured()
		m, tests := b.tested(c)
		if !m.Passed || m.Tested.IsZero() || m.Testing {
			b.Errorf("the test: %+v", m)
		}
		for name, is := range tests {
			if want := map[bool]Tried{true: TestSkipped, false: TestPassed}[name == tryTrace]; is.State != want {
				b.Errorf("%s: %+v, want %s", name, is, want)
			}
		}
		if m.TestAddress != address || !slices.Equal(m.Domains, []string{b.w.Domain()}) || m.AllDomains || m.Connection.Tier != Investigate || m.Connection.MetadataOnly {
			b.Errorf("as it is kept: %+v", m)
		}
		if n := b.drafts(c, address); n != 0 {
			b.Errorf("%d drafts were left", n)
		}
		if v := b.verdicts(c); v[Investigations] != Works || v[MessagesMove] != Works || v["directory"] != Works || v["mailbox-settings"] != Works || v[MessageTrace] != Off {
			b.Errorf("it can %v", v)
		}
		if v := b.w.Violations(); len(v) > 0 {
			b.Errorf("the simulator complains: %v", v)
		}
		for _, without := range []struct{ permission, fails, passes string }{
			{"Mail.ReadWrite", tryWrite, tryPeople}, {"MailboxSettings.ReadWrite", trySettings, tryWrite}, {"Directory.Read.All", tryDirectory, tryWrite},
		} {
			b.w.Consent(slices.DeleteFunc(slices.Clone(mailSuffices), func(p string) bool { return p == without.permission })...)
			m, tests := b.tested(c)
			if f := tests[without.fails]; m.Passed || f.State != TestFailed || !strings.Contains(f.Because, without.permission+" is not granted") || !strings.Contains(f.Mend, "some minutes") {
				b.Errorf("without %s: %+v", without.permission, f)
			}
			if p := tests[without.passes]; p.State != TestPassed {
				b.Errorf("without %s: %+v", without.permission, p)
			}
		}
		b.w.Consent("Mail.Read", "MailboxSettings.Read", "Directory.Read.All")
		if m, tests := b.tested(c); m.Passed || tests[tryRead].State != TestPassed || tests[tryWrite].State != TestFailed || tests[trySettings].State != TestPassed || tests[tryChange].State != TestFailed {
			b.Errorf("with permissions to read alone: %+v", tests)
		}
		b.w.Consent(mailSuffices...)
		if m, _ := b.tested(c); !m.Passed {
			b.Errorf("granted again: %+v", m.Tests)
		}
	})
}

// TestMailTestIsCutOff: a draft of which nobody knows whether it was made is deleted by the next test, as is one that could not
// be deleted.
func TestMailTestIsCutOff(t *testing.T) {
	onBoth(t, func(b *bench) {
		c, address := b.configured()
		strike := func(f sim.Fault) {
			b.Helper()
			k, err := b.w.Strike(f)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(k.Heal)
		}
		strike(sim.Fault{Method: "POST", Path: "users/*/messages", Kind: sim.Lost, Times: 1})
		if m, tests := b.tested(c); m.Passed || tests[tryWrite].State != TestFailed || b.drafts(c, address) != 1 {
			b.Errorf("the answer was lost: %+v, %d drafts", tests[tryWrite], b.drafts(c, address))
		}
		if m, _ := b.tested(c); !m.Passed || b.drafts(c, address) != 0 {
			b.Errorf("the next test: %+v, %d drafts", m.Tests, b.drafts(c, address))
		}
		strike(sim.Fault{Method: "POST", Path: "users/*/messages/*/permanentDelete", Kind: sim.Denied, Times: 1})
		if m, _ := b.tested(c); m.Passed || b.drafts(c, address) != 1 {
			b.Errorf("it could not be deleted: %+v, %d drafts", m.Tests, b.drafts(c, address))
		}
		if m, _ := b.tested(c); !m.Passed || b.drafts(c, address) != 0 {
			b.Errorf("the test after that: %+v, %d drafts", m.Tests, b.drafts(c, address))
		}
		b.exec(c.Tenant, `update mail_configuration set testing = 9000000000000 where tenant = $1`)
		_, err := b.s.TestMail(b.Context(), "amy", c.Tenant, c.ID)
		b.problem("two at once", err, tocsin.Conflict, "A test of it is under way.", "Wait")
	})
}

// TestMailBoundary: what is configured is what bounds, and what cannot be is refused with what to do.
func TestMailBoundary(t *testing.T) {
	onBoth(t, func(b *bench) {
		for what, is := range map[string]struct {
			m        MailSettings
			says, do string
		}{
			"no domain":      {MailSettings{TestAddress: "a@b.example"}, "No domain is authorised", "authorise all"},
			"both":           {MailSettings{TestAddress: "a@b.example", AllDomains: true, Domains: []string{"b.example"}}, "although every mailbox", "Leave the domains away"},
			"no address":     {MailSettings{TestAddress: "amy", AllDomains: true}, `"amy" is not an address`, "one mailbox"},
			"two addresses":  {MailSettings{TestAddress: "a@b.example,c@b.example", AllDomains: true}, "is not an address", "one mailbox"},
			"no such domain": {MailSettings{TestAddress: "a@b.example", Domains: []string{"b.example", "*.b.example"}}, `"*.b.example" is not a domain`, "without *"},
			"outside":        {MailSettings{TestAddress: "a@b.example", Domains: []string{"c.example"}}, "in b.example, which is not authorised", "test address in one"},
			"a subdomain's":  {MailSettings{TestAddress: "a@eu.b.example", Domains: []string{"b.example"}}, "eu.b.example, which is not authorised", "test address in one"},
			"a quote":        {MailSettings{TestAddress: "a' or 1 eq 1@b.example", AllDomains: true}, "is not an address", "one mailbox"},
			"an address":     {MailSettings{TestAddress: "a@b.example", Domains: []string{"b.example", "a@b.example"}}, "is not a domain", "without addresses"},
		} {
			_, err := b.s.CreateMail(b.Context(), "amy", b.good(), is.m)
			b.problem(what, err, tocsin.Invalid, is.says, is.do)
		}
		c, address := b.configured()
		_, err := b.s.CreateMail(b.Context(), "amy", b.good(), MailSettings{TestAddress: address, AllDomains: true})
		b.problem("the same app again", err, tocsin.Conflict, "There is a mail configuration with this app already.", "Change that one")
		m, _ := b.tested(c)
		edit := m.MailSettings
		edit.Domains = append(edit.Domains, "nowhere.example", "bücher.example")
		if err := b.s.EditMail(b.Context(), "amy", c.Tenant, c.ID, nil, edit); err != nil {
			b.Fatal(err)
		}
		err = b.s.EditMail(b.Context(), "amy", c.Tenant, c.ID, nil, edit)
		b.problem("an old version", err, tocsin.Conflict, "changed meanwhile", "Look at it")
		m, tests := b.tested(c)
		if d := tests[tryDomains]; m.Passed || d.State != TestFailed || !strings.Contains(d.Because, "nowhere.example, xn--bcher-kva.example") && !strings.Contains(d.Because, "xn--bcher-kva.example") || tests[tryWrite].State != TestPassed {
			b.Errorf("a domain that the tenant does not have: %+v", d)
		}
		edit = m.MailSettings
		edit.TestAddress = "nobody@" + b.w.Domain()
		if err := b.s.EditMail(b.Context(), "amy", c.Tenant, c.ID, nil, edit); err != nil {
			b.Fatal(err)
		}
		if m, err := b.s.Mail(b.Context(), c.Tenant, c.ID); err != nil || !m.Tested.IsZero() || m.Passed || len(m.Tests) != 0 {
			b.Errorf("with another test address it is as if it had been tested: %+v, %v", m, err)
		}
		if _, tests := b.tested(c); tests[tryPeople].State != TestFailed || !strings.Contains(tests[tryPeople].Because, "Nobody in the tenant") || tests[tryWrite].State != TestSkipped {
			b.Errorf("nobody's address: %+v", tests)
		}
		b.w.ReplaceSecret("another~secret~0123456789", tocsin.FromMillis(0))
		if m, tests := b.tested(c); m.Connection.State != Broken || tests[tryCredential].State != TestFailed || tests[tryRead].State != TestSkipped {
			b.Errorf("with a secret that is gone: %s, %+v", m.Connection.State, tests)
		}
		if err := b.s.Delete(b.Context(), "amy", c.Tenant, c.ID); err != nil {
			b.Fatal(err)
		}
		_, err = b.s.Mail(b.Context(), c.Tenant, c.ID)
		b.problem("deleted", err, tocsin.NotFound, "no such mail configuration", "Look at the list")
	})
}

// TestMailTakesItsConnection: the app of a connection to read becomes a mail configuration's, with what was collected by it.
func TestMailTakesItsConnection(t *testing.T) {
	onBoth(t, func(b *bench) {
		c := b.create(b.good())
		if v := b.verdicts(c); v[Investigations] != Off {
			b.Errorf("a connection for metadata only investigates: %v", v)
		}
		address := b.mailbox(b.client(c))
		n := b.good()
		n.Name = "Now for mail"
		b.w.AllowContent(true)
		b.w.Consent(mailSuffices...)
		got, err := b.s.CreateMail(b.Context(), "amy", n, MailSettings{TestAddress: address, AllDomains: true})
		if err != nil || got.ID != c.ID {
			b.Fatalf("another connection was made: %+v, %v", got, err)
		}
		if now := b.get(c); now.Tier != Investigate || now.Name != "Now for mail" || now.MetadataOnly {
			b.Errorf("as it is now: %+v", now)
		}
		if m, tests := b.tested(c); !m.Passed {
			b.Errorf("its test: %+v", tests)
		}
		if gc, err := b.s.Reading(b.Context(), c.Tenant); err != nil || gc == nil {
			b.Errorf("the tenant is not read any more: %v", err)
		}
	})
}
