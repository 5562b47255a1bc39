package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/collect"
	"tocsin.dev/connect"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
)

var callsWhole = flag.Bool("calls.whole", false, "TestCalls has each call fail for long in every way; else it is refused, and every third fails in one other way, which is another from call to call")

// pace is how many times faster than the system's the clock of a server under TestCalls goes. More would let leases end
// before they are renewed.
const pace = 4

// callsStory has something for each call to be asked about.
const callsStory = "# Something for each call.\n" + crew + `contact vendor@fabrikamfreight.com "Vendor" to sales@vendor.example
mon 09:00 bruno receives from news@partner.example subject "News"
mon 09:03 amy makes rule "." when subject_contains "invoice" forward to drop@evil.example and mark read and move to conversationhistory
mon 09:11 bruno makes rule "x" redirect to drop@evil.example
mon 09:12 bruno makes rule "y" when subject_contains "pals" redirect to pals@fabrikamfreight.com
`

// provoked is a call that no collector makes just because time passes: what makes it.
type provoked struct {
	with string               // calls with the same word here are provoked one after the other, since they meet
	path string               // of its faults, where the call's own is not narrow enough; {amy} is her id
	prod func(b *asker)       // lets something happen, after which a collector makes it; may be called again
	act  func(b *asker) error // makes it by an operation, and gives what that answers or what becomes of the action
	told bool                 // what is refused stands until the connection is tested
	anew bool                 // it is made again only when prod lets something happen
	done func(b *asker)       // brings back what an act has changed
}

var provokes = map[string]provoked{
	"users.get": {with: "users", path: "users/{ines}", prod: func(b *asker) {
		b.n++
		b.happens(fmt.Sprintf("ines is %sblocked", map[bool]string{true: "", false: "un"}[b.n%2 == 1]))
	}},
	"activity.content.get": {with: "audit", prod: func(b *asker) {
		b.w.Audit("Audit.Exchange", b.w.Clock().Now(), json.RawMessage(`{"Id":"`+tocsin.NewID()+`","CreationTime":"`+b.w.Clock().Now().UTC().Format("2006-01-02T15:04:05")+
			`","Operation":"Set-Mailbox","Workload":"Exchange","RecordType":1,"UserId":"amy@`+b.w.Domain()+`","UserType":0,"ObjectId":"amy","Parameters":[]}`))
	}},
	"activity.subscriptions.start": {with: "audit", anew: true, prod: func(b *asker) {
		b.w.DisableSubscription("Audit.General")
		b.exec(`update audit_feed set started = 0 where tenant = $1`) // as if a quarter of an hour had passed
	}},
	"mailFolders.get": {with: "rules", prod: func(b *asker) {
		b.n++
		b.happens(fmt.Sprintf(`ines makes rule "f%d" when subject_contains "x" move to "Folder %d"`, b.n, b.n))
	}},
	"auditQueries.create":  {with: "queries", prod: search, told: true},
	"auditQueries.get":     {with: "queries", prod: search, told: true},
	"auditQueries.records": {with: "queries", prod: search, told: true},

	"users.account":              {with: "sessions", path: "users/{amy}", act: revoke},
	"users.revokeSignInSessions": {with: "sessions", act: revoke},
	"messageRules.get":           {with: "rules", act: func(b *asker) error { return b.acts(remediate.DisableRule, "amy", ".") }, done: undone},
	"messageRules.update":        {with: "rules", act: func(b *asker) error { return b.acts(remediate.DisableRule, "amy", ".") }, done: undone},
	"messageRules.delete":        {with: "rules", act: func(b *asker) error { return b.acts(remediate.DeleteRule, "bruno", "x") }, done: undone},
	"messageRules.create": {with: "rules", act: func(b *asker) error {
		if b.last == "" {
			if err := b.acts(remediate.DeleteRule, "bruno", "x"); err != nil {
				return err
			}
		}
		return b.undo()
	}},
	// Refused for one mailbox alone, that is taken for kept from the app, until the connection is tested.
	"messageRules.list":   {with: "rules", told: true},
	"mailboxSettings.get": {with: "rules", told: true},
	"batch":               {with: "alone"},
}

// streamed are the calls of mail as it happens, which a server makes that has an address where Microsoft reaches it. The one
// here has none, so its page says that mail activity is off for that: they are made by its client alone, to hold what their
// failure says. What the page says of a failure of theirs at work is not held here. So is the call that is made only where
// Graph offers no beta, which the page says all the time.
var streamed = []string{"subscriptions.", "messages.", "mailFolders.delta", "mailFolders.list", "signIns.interactive"}

// settled are the calls for how the tenant is set, which are made every ten minutes or every hour. They are made here by the client
// alone as well; that the collector goes on without what is refused, and says so, is held in package collect.
var settled = []string{"users.activity", "users.settings", "users.changes", "groups.list", "groups.changes", "groupSettings.", "synchronization.", "compliancePolicies.", "deviceManagement.", "sites.", "conditionalAccess.", "policies.", "roleManagement.", "reports.", "applications.list", "servicePrincipals.list",
	"servicePrincipals.appRoleAssignedTo", "oauth2PermissionGrants.", "managedDevices.", "devices.", "sharepoint."}

// investigated are the calls of investigations and of what is done with the mails they find, which TestCalls makes by the client alone;
// package investigate holds what becomes of their failures. Those that read content are not made at all here, see ahead.
var investigated = []string{"users.list", "attachments.", "masterCategories.", "messageTraces.", "mailFolders.find", "mailFolders.create", "mailboxSettings.update"}

// rarely are the acts of which each is one more call of the form of an act that is tried here; package remediate tries each.
var rarely = []string{"users.enable", "users.newPassword", "authentication.", "roleAssignments.", "roleEligibility.", "appRoleAssignments.", "servicePrincipals.get", "servicePrincipals.enable", "servicePrincipals.grants"}

// servedWith are the calls that are provoked in turn with others, for they are of the same source.
func servedWith(call graph.Call) string {
	if p, ok := provokes[call.Name]; ok && p.with != "" {
		return p.with
	}
	for prefix, with := range map[string]string{"activity.": "audit", "signIns.": "signIns", "users.": "users", "directoryRoles.": "roles", "servicePrincipals.": "look", "applications.": "look", "subscribedSkus.": "look",
		"organization.": "domains", "domains.": "domains", "exchange.mailboxes": "folder_rights", "exchange.folder": "folder_rights"} {
		if strings.HasPrefix(call.Name, prefix) {
			return with
		}
	}
	return call.Name
}

// asker is a server of which one call at a time is made to fail.
type asker struct {
	*subject
	n    int    // how often something was made to happen
	last string // the action that is to be undone
}

func (b *asker) happens(what string) {
	b.Helper()
	play(b, b.w, "# It happens.\n"+crew+"mon 10:00 "+what+"\n")
	if failed := b.w.Failed(); len(failed) > 0 {
		b.Fatal(failed)
	}
}

func (b *asker) exec(query string, args ...any) {
	b.Helper()
	if err := b.s.Store.UpdateTenant(b.Context(), b.tenant(), func(t *store.Tenant) error { _, err := t.Exec(b.Context(), query, args...); return err }); err != nil {
		b.Fatal(err)
	}
}

// search asks for a search of the audit log.
func search(b *asker) {
	b.Helper()
	now := b.s.Clock.Now()
	in := api.CreateAuditQueryIn{Body: api.AuditQueryNew{Since: now.AddDate(0, 0, -30), Until: now}}
	in.Tenant = b.tenant()
	if _, err := b.s.API.CreateAuditQuery(as(b.Context(), api.Analyst), in); err != nil {
		b.Fatal(err)
	}
}

// acts asks for an act on somebody, waits until it has ended, and gives why it did not go well.
func (b *asker) acts(kind remediate.Kind, who, rule string) error {
	b.Helper()
	in := api.CreateActionIn{Body: api.ActionNew{Kind: kind, Why: "It is tried."}}
	in.Tenant = b.tenant()
	var made api.Action
	var err error
	eventually(b, "the action", func() string {
		// A rule that was made again has another id, of which is heard when the mailbox is read.
		err = b.s.Store.ViewTenant(b.Context(), b.tenant(), func(t *store.Tenant) error {
			if rule == "" {
				return t.QueryRow(b.Context(), `select person from person where tenant = $1 and upn like $2`, who+"@%").Scan(&in.Body.Person)
			}
			return t.QueryRow(b.Context(), `select r.person, r.id from mail_rule r join person p on p.tenant = r.tenant and p.person = r.person
				where r.tenant = $1 and r.deleted = 0 and p.upn like $2 and r.name = $3 and r.enabled order by r.first_seen desc limit 1`, who+"@%", rule).Scan(&in.Body.Person, &in.Body.Target)
		})
		if err != nil {
			return err.Error()
		}
		made, err = b.s.API.CreateAction(as(b.Context(), api.Analyst), in)
		if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code == tocsin.Conflict && strings.Contains(p.What, "rule") {
			return fmt.Sprintf("%s (it was made again, and that was not read yet: %+v)", p.What, b.sources()["rules"])
		}
		return ""
	})
	if err != nil {
		return err
	}
	b.last = made.ID
	return b.ended(made.ID)
}

// ended waits until an action has, and gives why it did not go well.
func (b *asker) ended(id string) error {
	b.Helper()
	in := api.ByID{ID: id}
	in.Tenant = b.tenant()
	var out api.Action
	eventually(b, "the action", func() string {
		d, err := b.s.API.GetAction(as(b.Context(), api.Viewer), in)
		if err != nil {
			b.Fatal(err)
		}
		if out = d.Action; !out.State.Ended() || out.State == remediate.Undoing {
			return "is " + string(out.State) + " " + out.Because
		}
		return ""
	})
	if out.State != remediate.Verified && out.State != remediate.Undone {
		return &tocsin.Problem{Code: tocsin.Denied, What: out.Because, Do: out.Mend}
	}
	return nil
}

// undo undoes the last act.
func (b *asker) undo() error {
	b.Helper()
	in := api.UndoIn{Body: api.UndoNew{Why: "It was tried."}}
	in.Tenant, in.ID = b.tenant(), b.last
	made, err := b.s.API.UndoAction(as(b.Context(), api.Analyst), in)
	if err != nil {
		return err
	}
	if err := b.ended(made.ID); err != nil {
		return err
	}
	b.last = ""
	return nil
}

func revoke(b *asker) error {
	time.Sleep(1100 * time.Millisecond) // Microsoft tells since when sessions are valid in whole seconds
	return b.acts(remediate.RevokeSessions, "amy", "")
}

func undone(b *asker) {
	b.Helper()
	if b.last == "" {
		return
	}
	eventually(b, "undone", func() string {
		if err := b.undo(); err != nil {
			return err.Error() // Microsoft may still ask to wait
		}
		return ""
	})
}

// stands are the capabilities that rest on a call; of one that rests on none, such as a batch, those that are read by it.
func stands(call string) (needs, helps []string) {
	for _, c := range connect.Capabilities {
		switch {
		case slices.Contains(c.Needs, call):
			needs = append(needs, c.Name)
		case slices.Contains(c.Helps, call):
			helps = append(helps, c.Name)
		}
	}
	if call == "batch" {
		needs = []string{"mailbox-rules", "mailbox-settings"}
	}
	return needs, helps
}

// right says what is wrong with the capabilities that rest on a call while it fails so; "" where nothing is. An act's call
// that passes takes nothing away: the action says it.
func (b *asker) right(call graph.Call, kind sim.FaultKind) string {
	b.Helper()
	conn := b.connection()
	if conn.State != "on" || conn.Because != "" {
		return fmt.Sprintf("the connection is %s: %s", conn.State, conn.Because)
	}
	needs, helps := stands(call.Name)
	if len(needs)+len(helps) == 0 {
		b.Fatalf("no capability says that it rests on %s: put it into Needs or Helps in connect/capability.go", call.Name)
	}
	because, mend := "", ""
	switch kind {
	case sim.Denied:
		because, mend = "not granted", ""
		if len(call.Permissions) > 0 {
			because, mend = call.Permissions[0], call.Permissions[0]
		} else {
			because, mend = "needs no permission", "proxy"
		}
	case sim.Throttle:
		because, mend = "Microsoft Graph asked to wait", "Nothing to do"
	case sim.Cut:
		because, mend = "could not be read", "tried again by itself"
	case sim.Garbage:
		because, mend = "the answer ", "tried again by itself"
	}
	for _, v := range conn.Capabilities {
		need, help := slices.Contains(needs, v.Name), slices.Contains(helps, v.Name)
		if !need && !help {
			continue
		}
		if v.Name == "mail-folders" && kind != "" && kind != sim.Denied {
			continue // it is asked for where mail is told of, see streamed
		}
		want := "degraded"
		switch {
		case kind == "":
			want = "works"
		case kind == sim.Denied && need:
			want = "off"
		}
		if v.State != want && !(want == "works" && kept(v)) || !strings.Contains(v.Because, because) || !strings.Contains(v.Mend, mend) {
			return fmt.Sprintf("%s is %s: %q, %q", v.Name, v.State, v.Because, v.Mend)
		}
		if want == "works" {
			continue
		}
		for _, text := range []string{v.Because, v.Mend} {
			if !strings.HasSuffix(text, ".") || strings.ToUpper(text[:1]) != text[:1] || strings.Contains(text, "..") {
				return fmt.Sprintf("%q is not a sentence", text)
			}
		}
	}
	return ""
}

// strike makes a call fail.
func (b *asker) strike(call graph.Call, f sim.Fault) *sim.Struck {
	b.Helper()
	f.Method, f.Path = call.Method, provokes[call.Name].path
	if f.Path == "" {
		f.Path = regexp.MustCompile(`\(.*\)|\{[^}]*\}`).ReplaceAllStringFunc(strings.TrimPrefix(call.Path, "/"), func(s string) string {
			return map[bool]string{true: "(*)", false: "*"}[s[0] == '(']
		})
	}
	for _, who := range []string{"amy", "ines", "bruno"} {
		if strings.Contains(f.Path, "{"+who+"}") {
			f.Path = strings.ReplaceAll(f.Path, "{"+who+"}", b.object(who))
		}
	}
	k, err := b.w.Strike(f)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(k.Heal)
	return k
}

func (b *asker) object(who string) (id string) {
	b.Helper()
	if err := b.s.Store.ViewTenant(b.Context(), b.tenant(), func(t *store.Tenant) error {
		return t.QueryRow(b.Context(), `select object_id from person where tenant = $1 and upn like $2`, who+"@%").Scan(&id)
	}); err != nil {
		b.Fatal(err)
	}
	return id
}

// well waits until what the capabilities say of a call that does not fail is right.
func (b *asker) well(call graph.Call) {
	b.Helper()
	eventuallyIn(b, 90*time.Second, call.Name, func() string { return b.right(call, "") })
}

func (b *asker) test() {
	b.Helper()
	in := api.ByIDAct{}
	in.Tenant, in.ID = b.tenant(), b.conn.ID
	eventually(b, "the test of the connection", func() string {
		if _, err := b.s.API.TestConnection(as(b.Context(), api.Owner), in); err != nil {
			return err.Error() // another call fails meanwhile
		}
		return ""
	})
}

var (
	lasting = []sim.Fault{{Kind: sim.Denied}, {Kind: sim.Throttle, After: "1"}, {Kind: sim.Cut}, {Kind: sim.Garbage}}
	slow    = sim.Fault{Kind: sim.Slow, Delay: sim.Duration(100 * time.Millisecond), Times: 1}
)

// lastingOf are the ways in which a call fails for long: the first is a refusal.
func lastingOf(call graph.Call) []sim.Fault {
	if *callsWhole {
		return lasting
	}
	n := slices.IndexFunc(graph.Calls, func(c graph.Call) bool { return c.Name == call.Name })
	if n%3 > 0 {
		return lasting[:1]
	}
	return []sim.Fault{lasting[0], lasting[1+n/3%3]}
}

// once is f, for a single call.
func once(f sim.Fault) sim.Fault { f.Times = 1; return f }

// collected lets a call that a collector makes fail for as long as it takes to be said, in each way; then be slow; then fail
// once in each way.
func (b *asker) collected(call graph.Call) {
	p := provokes[call.Name]
	prod := func() {
		if p.prod != nil {
			p.prod(b)
		}
	}
	well := func() {
		if p.told || p.anew {
			prod()
		}
		if p.told {
			b.test()
		}
		b.well(call)
	}
	well()
	for _, f := range lastingOf(call) {
		if p.anew && (f.Kind == sim.Cut || f.Kind == sim.Garbage) {
			continue // it is done in spite of that, so there is nothing to say for long
		}
		k := b.strike(call, f)
		prod()
		eventuallyIn(b, 90*time.Second, fmt.Sprintf("%s under %q", call.Name, f.Kind), func() string {
			if k.Times() == 0 {
				return "was not made"
			}
			return b.right(call, f.Kind)
		})
		k.Heal()
		well()
	}
	var each []*sim.Struck
	for _, f := range append([]sim.Fault{slow}, lasting...) {
		each = append(each, b.strike(call, once(f)))
	}
	n := 0
	eventuallyIn(b, 90*time.Second, call.Name, func() string {
		if n++; n%20 == 1 {
			prod()
		}
		for _, k := range each {
			if k.Times() == 0 {
				return "was not made often enough"
			}
		}
		return ""
	})
	well()
}

// acted lets a call that an act makes fail once in each way.
func (b *asker) acted(call graph.Call) {
	p := provokes[call.Name]
	done := func() {
		if p.done != nil {
			p.done(b)
		}
	}
	b.well(call)
	for _, f := range append([]sim.Fault{slow}, lastingOf(call)...) {
		if f.Kind != sim.Denied {
			f = once(f)
		}
		k := b.strike(call, f)
		var err error
		eventually(b, fmt.Sprintf("%s under %q", call.Name, f.Kind), func() string {
			// Another call of the mailbox is under way, say, and this one waits for it; or what is struck was somebody else's.
			if err = p.act(b); k.Times() == 0 || f.Kind == sim.Denied && strings.Contains(fmt.Sprint(err), "asks to wait") {
				return fmt.Sprintf("was not made: %v", err)
			}
			return ""
		})
		said := fmt.Sprint(err)
		if f.Kind == sim.Denied {
			n := 0
			eventuallyIn(b, 90*time.Second, call.Name+" is refused", func() string {
				if n++; n%20 == 0 {
					err = p.act(b) // the connection was tested meanwhile, which forgets it
				}
				return b.right(call, sim.Denied)
			})
		}
		k.Heal()
		switch {
		case f.Kind == sim.Denied:
			if !strings.Contains(said, call.Permissions[0]) {
				b.Errorf("%s was refused, and the act says %s", call.Name, said)
			}
			b.test()
		case f.Kind == sim.Slow && err != nil:
			b.Errorf("%s was slow, and the act says %v", call.Name, err)
		case err != nil && (strings.Contains(said, "not granted") || len(said) < 20):
			b.Errorf("%s under %q: the act says %v", call.Name, f.Kind, err)
		}
		b.well(call)
		if err != nil {
			eventually(b, fmt.Sprintf("%s, when %q is over", call.Name, f.Kind), func() string {
				if err := p.act(b); err != nil {
					return err.Error()
				}
				return ""
			})
		}
		done()
	}
}

// ahead makes a call that no part of this server makes, and holds that its failure says what it is and touches nothing.
func (b *asker) ahead(call graph.Call) {
	gc, err := b.s.Connections.Client(b.Context(), b.conn)
	if err != nil {
		b.Fatal(err)
	}
	if call.Content { // the connection here is for metadata only
		_, refused := errors.AsType[*graph.ContentRefused](gc.Get(b.Context(), call.Name, nil, new([]byte)))
		if k := b.strike(call, sim.Fault{Kind: sim.Denied}); !refused || k.Times() > 0 {
			b.Errorf("%s was made, though it reads content", call.Name)
		}
		return
	}
	in := graph.P{"user": b.object("bruno"), "folder": "inbox"}
	if strings.Contains(call.Path, "{message}") {
		eventually(b, "a message", func() string {
			for m, err := range graph.Pages[graph.Message](b.Context(), gc, "messages.list", graph.P{"user": in["user"], "$top": "1"}) {
				if err != nil { // the call before was throttled, say
					return err.Error()
				}
				in["message"] = m.ID
			}
			return ""
		})
	}
	for name := range in {
		if !strings.Contains(call.Path, "{"+name+"}") {
			delete(in, name)
		}
	}
	for _, name := range []string{"subscription", "principal", "method", "assignment", "grant"} {
		if strings.Contains(call.Path, "{"+name+"}") {
			in[name] = tocsin.NewID()
		}
	}
	if call.Name == "roleManagement.policies" {
		in["$filter"] = "scopeId eq '/' and scopeType eq 'DirectoryRole'"
	}
	for _, f := range lastingOf(call) {
		if f.Kind == sim.Garbage && (call.Method != http.MethodGet || in["subscription"]+in["principal"] != "") {
			continue // Microsoft says no to it, in whatever words
		}
		k := b.strike(call, f)
		var err error
		eventually(b, fmt.Sprintf("%s under %q", call.Name, f.Kind), func() string {
			if call.Method == http.MethodGet {
				err = gc.Get(b.Context(), call.Name, in, new(any))
			} else {
				err = gc.Act(b.Context(), call.Name, in, map[string]any{}, nil)
			}
			if k.Times() == 0 { // what was asked to be waited is not over
				return fmt.Sprintf("was not made: %v", err)
			}
			return ""
		})
		k.Heal()
		said := collect.Explain(err).What
		want := map[sim.FaultKind]string{sim.Denied: "The permission " + call.Permissions[0] + " is not granted.", sim.Throttle: "Microsoft Graph asked to wait ", sim.Cut: "could not be read: " + call.Name, sim.Garbage: "the answer "}[f.Kind]
		if k.Times() == 0 || !strings.Contains(said, want) {
			b.Errorf("%s under %q was struck %d times and says %q", call.Name, f.Kind, k.Times(), said)
		}
	}
}

// madeBy are the calls that the product's own code names, other than to say what rests on them.
func madeBy(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if err == nil && (d.Name() == "sim" || d.Name() == "testdata") {
				err = fs.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || slices.Contains([]string{"calls.go", "graph.go", "capability.go", "heard.go"}, d.Name()) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, c := range graph.Calls {
			if strings.Contains(string(text), `"`+c.Name+`"`) {
				out[c.Name] = true
			}
		}
		return nil
	})
	if err != nil || len(out) < 20 {
		t.Fatalf("the code names %d calls (%v)", len(out), err)
	}
	return out
}

// TestCalls: each call of graph/calls.go is refused, throttled, slowed, cut off and answered with garbage, once and (see callsWhole) for as
// long as it takes; what the page of capabilities says meanwhile is right, and right again afterwards. A new call is provoked
// by letting the collectors run; one that they do not make needs an entry in provokes.
func TestCalls(t *testing.T) {
	t.Parallel()
	w := world(t, 12, callsStory)
	w.Consent(slices.Concat(sim.ReadTier, sim.RespondTier, sim.PrivilegedTier, []string{"ActivityFeed.Read", "AuditLogsQuery-Exchange.Read.All", "Exchange.ManageAsApp", "Exchange.ManageAsAppV2",
		"RoleManagement.Read.Directory", "DeviceManagementManagedDevices.Read.All", "SharePointTenantSettings.Read.All",
		"DeviceManagementConfiguration.Read.All", "Sites.Read.All", "Policy.Read.DeviceConfiguration", "Policy.Read.B2BManagementPolicy", "Device.Read.All", "Reports.Read.All", "OnPremDirectorySynchronization.Read.All"})...)
	c := pressed(t)
	c.Every.Audit, c.Every.SignIns, c.Every.Exchange = time.Second, time.Second, time.Second
	c.Limits.MaxWait, c.Limits.Administration, c.Limits.Activity, c.Limits.Reports = 300*time.Millisecond, 100_000, 100_000, 100_000
	base := beginBy(t, c, w, &http.Client{Transport: thin{w.Client().Transport}}, nil)
	hurry(t, base.s.Clock)
	base.reads(time.Time{}, append(slices.Clone(allSources), "audit", "sign_ins", "token_sign_ins", "directory_audits", "exchange", "folder_rights")...)
	if err := noLimits(as(t.Context(), api.Owner), base.s, base.tenant()); err != nil {
		t.Fatal(err)
	}
	made := madeBy(t)
	turns := map[string][]graph.Call{}
	var order []string
	for _, call := range graph.Calls {
		if call.Kind == graph.Protection || call.Kind == graph.Report {
			continue // one a second, or half of one: faults on them are held in package collect
		}
		if len(call.Permissions) == 0 && len(call.Scopes) > 0 {
			continue // made by who signs in alone, and no application: held in package connect
		}
		with := servedWith(call)
		if _, ok := provokes[call.Name]; !ok && !made[call.Name] && !strings.HasPrefix(call.Name, "activity.") {
			with = "ahead"
		}
		if slices.ContainsFunc(slices.Concat(streamed, settled, rarely, investigated), func(prefix string) bool { return strings.HasPrefix(call.Name, prefix) }) {
			with = "ahead"
		}
		if turns[with] == nil {
			order = append(order, with)
		}
		turns[with] = append(turns[with], call)
	}
	run := func(t *testing.T, with string) {
		for _, call := range turns[with] {
			t.Run(call.Name, func(t *testing.T) {
				own := *base
				own.T = t
				b := &asker{subject: &own}
				switch {
				case with == "ahead":
					b.ahead(call)
				case provokes[call.Name].act != nil:
					b.acted(call)
				default:
					b.collected(call)
				}
			})
		}
	}
	var all sync.WaitGroup // they wait more than they work, so there are more at once than t.Parallel lets
	for _, with := range order {
		if !slices.Contains([]string{"alone", "ahead", "queries", "rules"}, with) {
			all.Go(func() { t.Run(with, func(t *testing.T) { run(t, with) }) })
		}
	}
	all.Wait()
	run(t, "queries") // what a search was refused is forgotten whenever the connection is tested, which the others do all the time
	run(t, "rules")   // an act on a rule waits until the mailbox was read since, which the others' faults hold up
	run(t, "alone")
	run(t, "ahead")
	base.T = t
	base.alive()
	if v := w.Violations(); len(v) > 0 {
		t.Errorf("a metadata-only connection asked for content: %v", v)
	}
}

// thin tells what changed of a user without the address, as Microsoft does of what did not change; so they are asked for.
type thin struct{ next http.RoundTripper }

// RoundTrip makes a request.
func (h thin) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := h.next.RoundTrip(r)
	if err != nil || res.StatusCode != http.StatusOK || !strings.HasSuffix(r.URL.Path, "/users/delta") || !strings.Contains(r.URL.RawQuery, "deltatoken") {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	var page map[string]any
	if json.Unmarshal(body, &page) == nil {
		list, _ := page["value"].([]any)
		for _, o := range list {
			delete(o.(map[string]any), "mail")
		}
		if body, err = json.Marshal(page); err != nil {
			return nil, err
		}
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return res, nil
}

// hurry lets a clock go at the pace until the test ends.
func hurry(t *testing.T, clock *tocsin.Clock) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	t.Cleanup(func() { stop(); <-done })
	go func() {
		defer close(done)
		const tick = 50 * time.Millisecond
		for pause(ctx, tick) {
			clock.Advance((pace - 1) * tick)
		}
	}()
}
