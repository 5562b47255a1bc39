package connect

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"tocsin.dev"
	"tocsin.dev/store"
)

// MailSettings is what a connection to investigate is configured for.
type MailSettings struct {
	Version     int64    // as it was looked at; 0 while there is none
	TestAddress string   // in whose mailbox a test reads and writes
	AllDomains  bool     // it may search and act in every mailbox of the tenant
	Domains     []string // else in the mailboxes of these domains alone
}

// MailConfiguration is a connection to investigate, what it is configured for, and what its last test found.
type MailConfiguration struct {
	Connection Connection
	MailSettings
	Tested           time.Time // zero before the first test
	Passed           bool      // all that it needs went well
	Tests            []MailTest
	Testing          bool // a test is under way
	Created, Changed time.Time
}

// maxMailDomains is how many domains a configuration names at most; a tenant has up to 5,000, and few take mail.
const maxMailDomains = 1000

var domainForm = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}$`)

// fold writes the settings as they are kept: addresses and domains in lower case, in ASCII, each domain once, in order.
func (m MailSettings) fold() MailSettings {
	m.TestAddress = tocsin.CanonicalAddress(m.TestAddress)
	var out []string
	for _, d := range m.Domains {
		d = strings.ToLower(strings.Trim(strings.TrimSpace(d), "@."))
		if ascii, err := idna.Lookup.ToASCII(d); err == nil {
			d = ascii
		}
		if d != "" {
			out = append(out, d)
		}
	}
	slices.Sort(out)
	m.Domains = slices.Compact(out)
	if m.AllDomains {
		m.Domains = nil
	}
	return m
}

// Faults are all that cannot be right about m, whatever the tenant is like.
func (m MailSettings) Faults() (all []*tocsin.Problem) {
	bad := func(do, what string, args ...any) {
		all = append(all, tocsin.Problemf(tocsin.Invalid, do, what, args...))
	}
	named := len(m.Domains)
	m = m.fold()
	at := tocsin.Address{Address: m.TestAddress}.Domain()
	if at == "" || strings.HasPrefix(m.TestAddress, "@") || strings.ContainsAny(m.TestAddress, " ,;\"'()\\") {
		bad("Give the address of one mailbox, such as tocsin-test@contoso.com.", "%q is not an address.", m.TestAddress)
	}
	for _, d := range m.Domains {
		if !domainForm.MatchString(d) {
			bad("Write domains as contoso.com, without * and without addresses.", "%q is not a domain.", d)
		}
	}
	switch {
	case m.AllDomains && named > 0:
		bad("Leave the domains away, or do not authorise all.", "Domains are named although every mailbox of the tenant is authorised.")
	case !m.AllDomains && len(m.Domains) == 0:
		bad("Name the domains in whose mailboxes it may search and act, or authorise all.", "No domain is authorised, so nothing could be searched.")
	case len(m.Domains) > maxMailDomains:
		bad(fmt.Sprintf("Name at most %d, or authorise all.", maxMailDomains), "Too many domains are named.")
	case at != "" && !Inside(m.TestAddress, m.Domains, m.AllDomains):
		bad("Give a test address in one of the authorised domains, or authorise its domain: a test reads and writes in its mailbox.", "The test address is in %s, which is not authorised.", at)
	}
	return all
}

// keep writes the settings of a connection. Those that say where it may go, or with what address it is tried, outdate its test.
func (m MailSettings) keep(ctx context.Context, t *store.Tenant, id string) error {
	m = m.fold()
	now := tocsin.Millis(t.Tx().Clock().Now())
	n, err := t.Exec(ctx, `insert into mail_configuration (tenant, connection, test_address, all_domains, created, changed, version)
		select $1, cast($2 as text), cast($3 as text), cast($4 as boolean), cast($5 as bigint), cast($5 as bigint), 1 where cast($6 as bigint) = 0
		on conflict (tenant, connection) do nothing`, id, m.TestAddress, m.AllDomains, now, m.Version)
	if err == nil && n == 0 {
		n, err = t.Exec(ctx, `update mail_configuration set test_address = $3, all_domains = $4, changed = $5, version = version + 1,
			tested = case when test_address = $3 then tested else 0 end, passed = passed and test_address = $3, tests = case when test_address = $3 then tests else '[]' end
			where tenant = $1 and connection = $2 and version = $6`, id, m.TestAddress, m.AllDomains, now, m.Version)
	}
	if err == nil && n == 0 {
		err = tocsin.Problemf(tocsin.Conflict, "Look at it as it is now, and change that.", "The mail configuration was changed meanwhile.")
	}
	if err != nil {
		return err
	}
	if _, err := t.Exec(ctx, `delete from mail_domain where tenant = $1 and connection = $2`, id); err != nil {
		return err
	}
	for _, d := range m.Domains {
		if _, err := t.Exec(ctx, `insert into mail_domain (tenant, connection, domain) values ($1, $2, $3)`, id, d); err != nil {
			return err
		}
	}
	return nil
}

// CreateMail makes a mail configuration, with a connection of its own that has proven itself. Where the tenant is connected by
// the same app already, to read and with a credential of its own, that connection becomes one to investigate and keeps what it
// collected.
func (s *Connections) CreateMail(ctx context.Context, actor string, n New, m MailSettings) (Connection, error) {
	m.Version = 0
	if err := tocsin.Together(append(n.Faults(), m.Faults()...)...); err != nil {
		return Connection{}, err
	}
	n.Tier, n.Products, n.Mail = Investigate, nil, &m
	return s.Create(ctx, actor, n)
}

// mayTake says whether a mail configuration may take the connection that its app has already: one to read with a credential of
// its own, or a mail configuration that no longer works, which is made anew.
func (n New) mayTake(ctx context.Context, t *store.Tenant, id string, tier Tier, state, method string) error {
	switch {
	case tier == Investigate && (state == Closed || state == Broken):
		_, err := t.Exec(ctx, `delete from mail_configuration where tenant = $1 and connection = $2`, id)
		return err
	case tier == Investigate:
		return tocsin.Problemf(tocsin.Conflict, "Change that one, or make an app registration of its own for this one.", "There is a mail configuration with this app already.")
	case tier != Read || method == MethodOAuth:
		return tocsin.Problemf(tocsin.Conflict, "Make an app registration for mail alone.", "This tenant is connected by this app already, for something else.")
	}
	return nil
}

// EditMail changes the name of a mail configuration (nil leaves it) and what it is configured for.
func (s *Connections) EditMail(ctx context.Context, actor string, tenant tocsin.TenantID, id string, name *string, m MailSettings) error {
	faults := m.Faults()
	if name != nil && strings.TrimSpace(*name) == "" {
		faults = append(faults, tocsin.Problemf(tocsin.Invalid, "Give it a name that tells it apart.", "The name is empty."))
	}
	if err := tocsin.Together(faults...); err != nil {
		return err
	}
	return s.Store.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		if _, err := mailConfiguration(ctx, t, id); err != nil {
			return err
		}
		if err := m.keep(ctx, t, id); err != nil {
			return err
		}
		if name != nil {
			if _, err := t.Exec(ctx, `update connection set name = $3 where tenant = $1 and id = $2`, id, strings.TrimSpace(*name)); err != nil {
				return err
			}
		}
		return t.Append(ctx, store.Fact{Kind: "connection.changed", Subject: id, Actor: actor})
	})
}

// MailConfigurations are a tenant's, in the order in which they were made; or the one with that id, which is its connection's.
func MailConfigurations(ctx context.Context, t *store.Tenant, id string) ([]MailConfiguration, error) {
	var out []MailConfiguration
	err := rowsOf(ctx, t, func(scan func(...any) error) error {
		var m MailConfiguration
		var tested, testing, created, changed int64
		var tests string
		if err := scan(&m.Connection.ID, &m.TestAddress, &m.AllDomains, &tested, &m.Passed, &tests, &testing, &created, &changed, &m.Version); err != nil {
			return err
		}
		m.Tested, m.Created, m.Changed = tocsin.FromMillis(tested), tocsin.FromMillis(created), tocsin.FromMillis(changed)
		m.Testing = under(testing, t.Tx().Clock().Now())
		out = append(out, m)
		return json.Unmarshal([]byte(tests), &out[len(out)-1].Tests)
	}, `select connection, test_address, all_domains, tested, passed, tests, testing, created, changed, version from mail_configuration
		where tenant = $1 and ($2 = '' or connection = $2) order by connection`, id)
	if err != nil {
		return nil, err
	}
	all, err := list(ctx, t, id)
	if err != nil {
		return nil, err
	}
	of := func(m MailConfiguration) int {
		return slices.IndexFunc(all, func(c Connection) bool { return c.ID == m.Connection.ID })
	}
	out = slices.DeleteFunc(out, func(m MailConfiguration) bool { return of(m) < 0 }) // without its connection it is nothing
	for i := range out {
		m := &out[i]
		m.Connection = all[of(*m)]
		if m.Domains, err = domainsOf(ctx, t, m.Connection.ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// mailConfiguration is the one with that id.
func mailConfiguration(ctx context.Context, t *store.Tenant, id string) (MailConfiguration, error) {
	all, err := MailConfigurations(ctx, t, id)
	if err != nil {
		return MailConfiguration{}, err
	}
	if len(all) != 1 || id == "" {
		return MailConfiguration{}, tocsin.Problemf(tocsin.NotFound, "Look at the list of mail configurations.", "There is no such mail configuration.")
	}
	return all[0], nil
}
