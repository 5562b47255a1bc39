package connect

import (
	"slices"
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/graph"
)

// TestCapabilities: known small sets of permissions work whole, or degrade with the reason (DESIGN.md part 4).
func TestCapabilities(t *testing.T) {
	for _, c := range []struct {
		name    string
		granted string
		want    map[string]State
	}{
		{"everything that is read", "User.Read.All GroupMember.Read.All OrgContact.Read.All Organization.Read.All Domain.Read.All RoleManagement.Read.Directory MailboxSettings.Read Mail.ReadBasic.All",
			map[string]State{"directory": Works, "domains": Works, "roles": Works, "mailbox-rules": Works, "mailbox-settings": Works, "mailbox-forwarding": Off}},
		{"the stream", "Mail.Read MailboxSettings.Read User.Read.All",
			map[string]State{"directory": Degraded, "domains": Degraded, "roles": Off, "mailbox-rules": Works, "mailbox-settings": Works}},
		{"Entra by API credentials", "Directory.Read.All AuditLog.Read.All",
			map[string]State{"directory": Works, "domains": Works, "roles": Works, "mailbox-rules": Off, "mailbox-settings": Off}},
		{"investigations", "Directory.Read.All Mail.ReadWrite MailboxSettings.ReadWrite User.Read.All",
			map[string]State{"directory": Works, "domains": Works, "roles": Works, "mailbox-rules": Works, "mailbox-settings": Works, Investigations: Works, MessagesMove: Works, RuleChange: Works, MessageTrace: Off, MailSend: Off}},
		{"the respond tier alone", "User.Read.All User.RevokeSessions.All MailboxSettings.ReadWrite", map[string]State{"revoke-sessions": Works, "rule-change": Works}},
		{"reading alone", "User.Read.All MailboxSettings.Read", map[string]State{"revoke-sessions": Off, "rule-change": Off}},
		{"nothing", "", map[string]State{"directory": Off, "domains": Off, "roles": Off, "mailbox-rules": Off, "mailbox-settings": Off, "mailbox-forwarding": Off}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, v := range Judge(strings.Fields(c.granted), nil) {
				if want, ok := c.want[v.Name]; ok && v.State != want {
					t.Errorf("%s is %s (%s), want %s", v.Name, v.State, v.Because, want)
				}
				if v.State != Works && (v.Because == "" || v.Mend == "") {
					t.Errorf("%s is %s without a reason or a way to mend it: %+v", v.Name, v.State, v)
				}
			}
		})
	}
}

// TestMailPermissions: the four permissions that a mail configuration asks for make it whole, and none of them is too much; a
// connection for metadata only investigates nothing whatever is granted, and one to read is told when it could act.
func TestMailPermissions(t *testing.T) {
	guide := MakeGuide(Investigate, ByCredentials, nil, "", "")
	is := Standing{Granted: guide.Names()}
	if want := strings.Fields("Directory.Read.All User.Read.All Mail.ReadWrite MailboxSettings.ReadWrite"); !slices.Equal(is.Granted, want) {
		t.Errorf("a mail configuration asks for %v, want %v", is.Granted, want)
	}
	for _, a := range guide.Permissions {
		if a.Permission.ID == "" || len(a.For) == 0 || len(a.Why) == 0 {
			t.Errorf("%s is asked for, id %q, for %q, because %q", a.Permission.Name, a.Permission.ID, a.Titles(), a.Why)
		}
	}
	if e := is.Excess(Investigate); len(e) != 0 {
		t.Errorf("too much for a mail configuration: %+v", e)
	}
	if e := is.Excess(Read); len(e) != 2 || e[0].Permission != "Mail.ReadWrite" || e[1].Permission != "MailboxSettings.ReadWrite" {
		t.Errorf("too much for a connection to read: %+v", e)
	}
	also := Standing{Granted: append(guide.Names(), "Mail.Send", "ExchangeMessageTrace.Read.All", "User.RevokeSessions.All")}
	if e := also.Excess(Investigate); len(e) != 1 || e[0].Permission != "User.RevokeSessions.All" {
		t.Errorf("too much for a mail configuration: %+v", e)
	}
	if e := (Standing{Granted: strings.Fields("User.Read.All Mail.Send ExchangeMessageTrace.Read.All")}).Excess(Read); len(e) != 1 || e[0].Permission != "Mail.Send" {
		t.Errorf("too much for a connection to read: %+v", e)
	}
	is.Metadata = true
	for _, v := range is.Judge() {
		if want := map[string]State{Investigations: Off, MessageTrace: Off, MessagesMove: Works}[v.Name]; want != "" && v.State != want {
			t.Errorf("for metadata only, %s is %s (%s)", v.Name, v.State, v.Because)
		}
		if v.Name == Investigations && (!strings.Contains(v.Because, "metadata only") || !strings.Contains(v.Mend, "mail configuration")) {
			t.Errorf("%s: %q, %q", v.Name, v.Because, v.Mend)
		}
	}
}

// TestReaders: a tenant is read by what is for reading; a mail configuration does where there is nothing else, not while that is paused.
func TestReaders(t *testing.T) {
	at := func(tenant, id string, tier Tier, state string) Connection {
		return Connection{Tenant: tocsin.TenantID(tenant), ID: id, Tier: tier, State: state}
	}
	got := ""
	for _, c := range Readers([]Connection{
		at("a", "a-mail", Investigate, On), at("a", "a-act", Respond, On), at("a", "a-read", Read, On),
		at("b", "b-act", Respond, On), at("b", "b-mail", Investigate, On),
		at("c", "c-mail", Investigate, On), at("c", "c-read", Read, Paused),
		at("d", "d-closed", Read, Closed), at("d", "d-mail", Investigate, Broken),
		at("e", "e-1", Read, Paused), at("e", "e-2", Read, On), at("f", "f-act", Privileged, On)}) {
		got += c.ID + " "
	}
	if want := "a-read b-mail d-mail e-2 "; got != want {
		t.Errorf("read by %s, want %s", got, want)
	}
}

// TestRefusalOutweighsGrant: what Graph refuses in practice is off, whatever the token says.
func TestRefusalOutweighsGrant(t *testing.T) {
	granted := strings.Fields("User.Read.All MailboxSettings.Read")
	for _, v := range Judge(granted, map[string]string{"messageRules.list": "The permission MailboxSettings.Read is not granted."}) {
		if v.Name == "mailbox-rules" && (v.State != Off || !strings.Contains(v.Because, "MailboxSettings.Read")) {
			t.Errorf("a refused capability is %s, because %q", v.State, v.Because)
		}
	}
}

// TestCapabilitiesNameCalls: every call a capability names is in the table of calls.
func TestCapabilitiesNameCalls(t *testing.T) {
	known := map[string]bool{}
	for _, c := range graph.Calls {
		known[c.Name] = true
	}
	for _, c := range Capabilities {
		for _, name := range append(append([]string{}, c.Needs...), c.Helps...) {
			if !known[name] {
				t.Errorf("%s needs the call %s, which is in no table", c.Name, name)
			}
		}
		if c.Cost == "" || (len(c.Helps) > 0) != (c.Lost != "") {
			t.Errorf("%s does not say what is lost without it", c.Name)
		}
	}
	if len(Permissions(Read)) < 5 || len(Permissions(Respond)) < 2 {
		t.Errorf("permissions: %v, %v", Permissions(Read), Permissions(Respond))
	}
}

func TestCheck(t *testing.T) {
	const id = "11111111-2222-4333-8444-555555555555"
	for _, c := range []struct {
		name string
		n    New
		says string
	}{
		{"no tenant id", New{Tenant: "contoso", Client: id, Secret: "s"}, "is not a tenant id"},
		{"no client id", New{Tenant: id, Client: "app", Secret: "s"}, "is not an application id"},
		{"no credential", New{Tenant: id, Client: id}, "The credential is missing."},
		{"two credentials", New{Tenant: id, Client: id, Secret: "s", Certificate: "c"}, "There are two credentials."},
		{"the secret's id", New{Tenant: id, Client: id, Secret: id}, "a secret's id, not its value"},
		{"all at once", New{Tenant: "contoso", Client: "app", Cloud: "mars"}, `"contoso" is not a tenant id. Copy the tenant ID from Entra → Overview; it looks like 1b2c3d4e-0000-4000-8000-1234567890ab. "app" is not an application id. Copy the Application (client) ID from the app registration's overview. The credential is missing. Give client_secret, or certificate with its private key, as PEM. No cloud is called "mars".`},
		{"no such cloud", New{Tenant: id, Client: id, Secret: "s", Cloud: "mars"}, `No cloud is called "mars"`},
		{"own cloud without TLS", New{Tenant: id, Client: id, Secret: "s", Own: Own{Graph: "http://x", Authority: "https://y"}}, "addresses of Graph"},
	} {
		if err := c.n.check(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
	good := New{Tenant: " " + strings.ToUpper(id) + " ", Client: id, Secret: "s"}
	if err := good.check(); err != nil || good.Cloud != "global" || good.Tenant != id {
		t.Errorf("a good one: %v, %+v", err, good)
	}
}
