package connect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// A test of a mail configuration does with each permission what an investigation does with it: it reads the directory, finds
// the test address, searches its mailbox, makes a draft there, reads it and deletes it for good, reads the mailbox's settings
// and writes its time zone as it is. What is to be put away is written down before it is made, so that the next test does it
// where this one is cut off.

// MailTest is a thing that a test of a mail configuration tried.
type MailTest struct {
	Name       string `json:"name"`
	Title      string `json:"title"`
	Permission string `json:"permission"`      // that is tried; empty for the sign-in and the domains
	State      Tried  `json:"state"`           //
	Detail     string `json:"detail"`          // what was found, where it passed
	Because    string `json:"because"`         // why it failed or was left out
	Mend       string `json:"mend"`            //
	Extra      bool   `json:"extra,omitempty"` // a configuration does without
}

// Tried is what came of it.
type Tried string

// What may come of it.
const (
	TestPassed  Tried = "passed"
	TestFailed  Tried = "failed"
	TestSkipped Tried = "skipped" // it rests on one that failed, or a configuration does without
)

// A test's steps, in the order in which they are tried and shown.
const (
	tryCredential = "credential"
	tryDirectory  = "directory"
	tryDomains    = "domains"
	tryPeople     = "people"
	tryRead       = "mail-read"
	tryWrite      = "mail-write"
	trySettings   = "settings-read"
	tryChange     = "settings-write"
	tryTrace      = "message-trace"
)

var mailTests = []MailTest{
	{Name: tryCredential, Title: "Sign in with the app's credential"},
	{Name: tryDirectory, Title: "Read the directory", Permission: "Directory.Read.All"},
	{Name: tryDomains, Title: "Compare the authorised domains with the tenant's"},
	{Name: tryPeople, Title: "Find the test address among the people", Permission: "User.Read.All"},
	{Name: tryRead, Title: "Search the test address's mailbox", Permission: "Mail.ReadWrite"},
	{Name: tryWrite, Title: "Make a draft there, read it, delete it for good", Permission: "Mail.ReadWrite"},
	{Name: trySettings, Title: "Read the mailbox's settings", Permission: "MailboxSettings.ReadWrite"},
	{Name: tryChange, Title: "Write the mailbox's time zone as it is", Permission: "MailboxSettings.ReadWrite"},
	{Name: tryTrace, Title: "Trace messages", Permission: "ExchangeMessageTrace.Read.All", Extra: true},
}

// testTakes is how long a test may take; one that takes longer was cut off.
const testTakes = 3 * time.Minute

// under says whether a test that began then is under way.
func under(since int64, now time.Time) bool {
	return since > 0 && now.Sub(tocsin.FromMillis(since)) < testTakes
}

// TestMail tries a mail configuration and gives it with what was found. What it may do is judged anew by that.
func (s *Connections) TestMail(ctx context.Context, actor string, tenant tocsin.TenantID, id string) (MailConfiguration, error) {
	ctx, cancel := context.WithTimeout(graph.WithPriority(ctx, graph.High), testTakes)
	defer cancel()
	m, err := s.Mail(ctx, tenant, id)
	if err == nil {
		err = m.Connection.asks()
	}
	if err == nil {
		err = s.beginTest(ctx, tenant, id)
	}
	if err != nil {
		return m, err
	}
	y := trial{s: s, m: m, tests: slices.Clone(mailTests)}
	tried := y.all(ctx)
	if ctx.Err() != nil {
		tried = errors.Join(tried, ctx.Err())
	}
	if tried == nil {
		tried = s.endTest(ctx, actor, y)
	} else if err := s.stopTest(context.WithoutCancel(ctx), tenant, id); err != nil { // what it found so far says nothing
		tried = errors.Join(tried, err)
	}
	if tried != nil {
		return m, tried
	}
	return s.Mail(ctx, tenant, id)
}

// Mail gives a mail configuration; its id is its connection's.
func (s *Connections) Mail(ctx context.Context, tenant tocsin.TenantID, id string) (m MailConfiguration, err error) {
	err = s.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error { m, err = mailConfiguration(ctx, t, id); return err })
	return m, err
}

// beginTest notes that a test is under way: two at once would take away each other's draft.
func (s *Connections) beginTest(ctx context.Context, tenant tocsin.TenantID, id string) error {
	now := s.Store.Clock().Now()
	return s.Store.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		n, err := t.Exec(ctx, `update mail_configuration set testing = $3 where tenant = $1 and connection = $2 and testing <= $4`, id, tocsin.Millis(now), tocsin.Millis(now.Add(-testTakes)))
		if err == nil && n == 0 {
			err = tocsin.Problemf(tocsin.Conflict, "Wait some seconds and look at what it finds.", "A test of it is under way.")
		}
		return err
	})
}

func (s *Connections) stopTest(ctx context.Context, tenant tocsin.TenantID, id string) error {
	return s.Store.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update mail_configuration set testing = 0 where tenant = $1 and connection = $2`, id)
		return err
	})
}

// endTest writes down what was found, and judges the capabilities by it.
func (s *Connections) endTest(ctx context.Context, actor string, y trial) error {
	c := y.m.Connection
	tests, err := json.Marshal(y.tests)
	if err != nil {
		return err
	}
	if err := s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update mail_configuration set tested = $3, passed = $4, tests = $5, testing = 0 where tenant = $1 and connection = $2`,
			c.ID, tocsin.Millis(s.Store.Clock().Now()), y.passed(), string(tests))
		return errors.Join(err, t.Append(ctx, store.Fact{Kind: "connection.changed", Subject: c.ID, Actor: actor}))
	}); err != nil {
		return err
	}
	if y.gc == nil || y.tests[0].State != TestPassed {
		return nil // that the credential does not work was said of the connection
	}
	for _, r := range refusals(y.met) {
		if !r.lasts {
			continue // it is said with the test, and nobody asks again by itself
		}
		if err := s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error { return keepEach(ctx, t, c, askedByAct, []refusal{r}) }); err != nil {
			return err
		}
	}
	return s.rejudge(ctx, c)
}

// trial is a test under way.
type trial struct {
	s     *Connections
	m     MailConfiguration
	gc    *graph.Client
	user  string // the test address's object id
	box   graph.MailboxSettings
	tests []MailTest
	met   []error
}

// passed says whether all went well that a configuration needs.
func (y *trial) passed() bool {
	return !slices.ContainsFunc(y.tests, func(t MailTest) bool { return t.State != TestPassed && !t.Extra })
}

// all tries everything that does not rest on what failed. The error is one of ours: what Microsoft refuses is a test that failed.
func (y *trial) all(ctx context.Context) error {
	c := y.m.Connection
	broken := y.signIn(ctx)
	y.note(tryCredential, "The tenant is the one that was named.", broken)
	if broken != nil {
		for i := range y.tests[1:] {
			y.skip(&y.tests[i+1], "The app cannot sign in.", "Mend that first.")
		}
		_, err := y.s.broken(ctx, c, broken)
		return err
	}
	if err := errors.Join(y.s.proven(ctx, c), y.s.askAnew(ctx, c)); err != nil {
		return err
	}
	if err := y.s.Look(ctx, c); err != nil { // it says what is granted and not carried yet; without it nothing is lost here
		y.s.Log.Debug("what is granted was not read from the tenant", "tenant", c.Tenant, "error", err)
	}
	accepted, err := y.domains(ctx)
	y.note(tryDirectory, plural(len(accepted), "domain is accepted by the tenant.", "domains are accepted by the tenant."), err)
	y.compare(accepted, err)
	err = y.find(ctx)
	y.note(tryPeople, y.m.TestAddress+" is there.", err)
	if err != nil {
		for _, name := range []string{tryRead, tryWrite, trySettings, tryChange} {
			y.skip(y.test(name), "The test address was not found.", "Mend that first.")
		}
	} else if err := y.mailbox(ctx); err != nil {
		return err
	}
	return y.trace(ctx)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// signIn gets a fresh token and sees whose tenant it is of.
func (y *trial) signIn(ctx context.Context) (err error) {
	if y.gc, err = y.s.Client(ctx, y.m.Connection); err != nil {
		return err
	}
	if err := y.gc.SignIn(ctx); err != nil {
		return err
	}
	_, err = prove(ctx, y.gc, y.m.Connection.Tenant)
	return err
}

// domains are those that the tenant has verified.
func (y *trial) domains(ctx context.Context) (out []string, err error) {
	for d, err := range graph.Pages[graph.Domain](ctx, y.gc, "domains.list", nil) {
		if err != nil {
			return nil, err
		}
		if d.IsVerified {
			out = append(out, strings.ToLower(d.ID))
		}
	}
	return out, nil
}

// compare says which of the authorised domains the tenant does not have: nothing will be found there.
func (y *trial) compare(accepted []string, lost error) {
	t := y.test(tryDomains)
	if lost != nil {
		y.skip(t, "The tenant's domains could not be read.", "Mend that first.")
		return
	}
	if y.m.AllDomains {
		t.State, t.Detail = TestPassed, "Every mailbox of the tenant is authorised."
		return
	}
	var strange []string
	for _, d := range y.m.Domains {
		if !slices.Contains(accepted, d) {
			strange = append(strange, d)
		}
	}
	if len(strange) > 0 {
		t.State = TestFailed
		t.Because = "The tenant does not have " + strings.Join(strange, ", ") + ", so no mailbox is there."
		t.Mend = "Take it out of the authorised domains, or correct it; the tenant has " + few(accepted, 5) + "."
		return
	}
	t.State, t.Detail = TestPassed, strings.TrimSuffix(plural(len(y.m.Domains), "authorised domain", "authorised domains"), ".")+", all of them the tenant's."
}

// few names the first of a list, and how many there are besides.
func few(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, ", ")
	}
	return strings.Join(list[:n], ", ") + fmt.Sprintf(" and %d more", len(list)-n)
}

// find finds the test address, by any address that its mailbox has.
func (y *trial) find(ctx context.Context) error {
	quoted := strings.ReplaceAll(y.m.TestAddress, "'", "''")
	filter := fmt.Sprintf("mail eq '%[1]s' or userPrincipalName eq '%[1]s' or proxyAddresses/any(p:p eq 'smtp:%[1]s')", quoted)
	for u, err := range graph.Pages[graph.User](ctx, y.gc, "users.list", graph.P{"$filter": filter}) {
		if err != nil {
			return err
		}
		y.user = u.ID
		return nil
	}
	return tocsin.Problemf(tocsin.NotFound, "Correct the test address, or make a mailbox with it.", "Nobody in the tenant has the address %s.", y.m.TestAddress)
}

// mailbox tries what is done in a mailbox. The error is one of ours.
func (y *trial) mailbox(ctx context.Context) error {
	var found struct {
		Value []graph.Message `json:"value"`
	}
	y.note(tryRead, "It was searched.", y.gc.Get(ctx, "messages.search", graph.P{"user": y.user, "$top": "1"}, &found))
	ours, theirs := y.write(ctx)
	if ours != nil {
		return ours
	}
	y.note(tryWrite, "The draft is gone again.", theirs)
	err := y.gc.Get(ctx, "mailboxSettings.get", graph.P{"user": y.user}, &y.box)
	y.note(trySettings, "Its time zone is "+cmp.Or(y.box.TimeZone, "not set")+".", err)
	switch zone := y.box.TimeZone; {
	case err != nil:
		y.skip(y.test(tryChange), "The mailbox's settings could not be read.", "Mend that first.")
	case zone == "":
		y.note(tryChange, "Nothing was written: no time zone is set.", y.gc.Act(ctx, "mailboxSettings.update", graph.P{"user": y.user}, map[string]any{}, nil))
	default:
		y.note(tryChange, "Nothing is different.", y.gc.Act(ctx, "mailboxSettings.update", graph.P{"user": y.user}, map[string]any{"timeZone": zone}, nil))
	}
	return nil
}

// trace tries the message trace, where it is granted.
func (y *trial) trace(ctx context.Context) error {
	t := y.test(tryTrace)
	granted, err := y.gc.Roles(ctx)
	if err != nil {
		y.note(tryTrace, "", err)
		return nil
	}
	if !slices.Contains(granted, t.Permission) {
		y.skip(t, t.Permission+" is not granted. An investigation does without: it searches mailboxes that a trace would leave out.", "Nothing to do; grant it where investigations over many mailboxes shall be faster.")
		return nil
	}
	now := y.s.Store.Clock().Now().UTC()
	filter := fmt.Sprintf("receivedDateTime ge %s and receivedDateTime le %s", now.Add(-time.Hour).Format(time.RFC3339), now.Format(time.RFC3339))
	var found struct {
		Value []json.RawMessage `json:"value"`
	}
	y.note(tryTrace, "The last hour was looked at.", y.gc.Get(ctx, "messageTraces.list", graph.P{"$filter": filter, "$top": "1"}, &found))
	return nil
}

func (y *trial) test(name string) *MailTest {
	return &y.tests[slices.IndexFunc(y.tests, func(t MailTest) bool { return t.Name == name })]
}

func (y *trial) skip(t *MailTest, because, mend string) {
	t.State, t.Because, t.Mend = TestSkipped, because, mend
}

// note writes down what came of a step: why it failed, and what mends it.
func (y *trial) note(name, detail string, err error) {
	t := y.test(name)
	if err == nil {
		t.State, t.Detail = TestPassed, detail
		return
	}
	y.met = append(y.met, err)
	p := asTried(err)
	t.State, t.Because, t.Mend = TestFailed, p.What, p.Do
	if d, denied := errors.AsType[*graph.Denied](err); denied && !d.OutOfScope && t.Permission != "" {
		t.Because = t.Permission + " is not granted, or not honoured yet."
		t.Mend = grant([]string{t.Permission}) + " A fresh grant takes Microsoft some minutes to honour."
	}
}

// asTried is what Microsoft answered to somebody who looks on.
func asTried(err error) *tocsin.Problem {
	if d, ok := errors.AsType[*graph.Denied](err); ok && d.OutOfScope {
		return tocsin.Problemf(tocsin.Denied, "Put the mailbox into the scope of the app's role in Exchange or of its application access policy, or choose another test address.",
			"The tenant keeps the test address's mailbox from the app.")
	}
	if _, ok := errors.AsType[*graph.NoMailbox](err); ok {
		return tocsin.Problemf(tocsin.Invalid, "Choose an address with a mailbox in Exchange Online.", "The test address has no mailbox in Exchange Online.")
	}
	if p := asProblem(err); p.Code != tocsin.Unavailable {
		return p
	}
	p := *Explain(err)
	p.Do = "Test again. If it stays, look at the network between Tocsin and Microsoft Graph."
	return &p
}
