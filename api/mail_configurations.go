package api

import (
	"context"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/store"
)

// MailConfiguration is a connection to search mail and to take it out, in whose mailboxes it may, and what its last test
// found. Its id is its connection's.
type MailConfiguration struct {
	ID          string          `json:"id"`
	Tenant      tocsin.TenantID `json:"tenant"`
	Provider    string          `json:"provider"` // microsoft_365
	Name        string          `json:"name"`
	Cloud       string          `json:"cloud"`
	ClientID    string          `json:"client_id"`
	Method      string          `json:"method"` // secret or certificate
	TestAddress string          `json:"test_address"`
	AllDomains  bool            `json:"all_domains"` // it may search and act in every mailbox of the tenant
	Domains     []string        `json:"domains"`     // else in the mailboxes of these alone
	State       string          `json:"state"`       // untested, testing, passed, failed; or its connection's, where that is not on
	Because     string          `json:"because"`     // why it failed, or its connection is not on
	Mend        string          `json:"mend"`
	Tested      time.Time       `json:"tested,omitzero"` // when the last test ended
	Tests       []MailTest      `json:"tests"`           // what it found, in the order in which it was tried
	Expires     time.Time       `json:"expires,omitzero"`
	Created     time.Time       `json:"created,omitzero"`
	Changed     time.Time       `json:"changed,omitzero"`
	Version     int64           `json:"version"`
}

// MailTest is a thing that a test of a mail configuration tried.
type MailTest struct {
	Name       string `json:"name"`
	Title      string `json:"title"`
	Permission string `json:"permission"` // that is tried; empty where it takes none
	State      string `json:"state"`      // passed, failed, skipped
	Detail     string `json:"detail"`     // what was found, where it passed
	Because    string `json:"because"`
	Mend       string `json:"mend"`
	Extra      bool   `json:"extra"` // a configuration does without
}

// MailConfigurationNew makes a mail configuration. Give a secret, or a certificate with its key as PEM. Authority, graph and ca
// are for a cloud of one's own (a simulator), and for who administers the installation.
type MailConfigurationNew struct {
	Provider    string   `json:"provider,omitempty" enum:"microsoft_365" doc:"Whose mail; microsoft_365 when absent"`
	Name        string   `json:"name,omitempty" maxLength:"200" doc:"What to call it; the tenant's name where empty"`
	Tenant      string   `json:"tenant" minLength:"1" maxLength:"200" doc:"The Entra tenant's id (a GUID)"`
	ClientID    string   `json:"client_id" minLength:"1" maxLength:"200" doc:"The app registration's application (client) id"`
	Secret      string   `json:"client_secret,omitempty" maxLength:"4096" doc:"A client secret's value"`
	Certificate string   `json:"certificate,omitempty" maxLength:"65536" doc:"A certificate with its private key, as PEM"`
	Expires     string   `json:"expires,omitempty" maxLength:"40" doc:"When the secret ends (2027-01-31, or a time), so that a warning comes before"`
	TestAddress string   `json:"test_address" minLength:"3" maxLength:"320" doc:"In whose mailbox a test reads, and makes a draft and deletes it"`
	AllDomains  bool     `json:"all_domains,omitempty" doc:"Whether it may search and act in every mailbox of the tenant"`
	Domains     []string `json:"domains,omitempty" maxItems:"1000" doc:"Else the domains in whose mailboxes it may, and in no others"`
	Cloud       string   `json:"cloud,omitempty" maxLength:"200" doc:"global (when absent), gcc, usgov, dod, china, or own with authority and graph"`
	Authority   string   `json:"authority,omitempty" maxLength:"1000" doc:"Sign-in address of a cloud of one's own"`
	Graph       string   `json:"graph,omitempty" maxLength:"1000" doc:"Graph address of a cloud of one's own"`
	CA          string   `json:"ca,omitempty" maxLength:"65536" doc:"Certificate authority of a cloud of one's own, as PEM"`
}

// MailConfigurationEdit changes a mail configuration; what is absent stays. A new secret or certificate is proven before the
// old one is replaced. Its tenant and its app stay what they are.
type MailConfigurationEdit struct {
	Version     int64     `json:"version" minimum:"1" doc:"The version that was looked at"`
	Name        *string   `json:"name,omitempty" maxLength:"200" doc:"What to call it"`
	TestAddress *string   `json:"test_address,omitempty" maxLength:"320" doc:"In whose mailbox a test reads and writes"`
	AllDomains  *bool     `json:"all_domains,omitempty" doc:"Whether it may search and act in every mailbox of the tenant"`
	Domains     *[]string `json:"domains,omitempty" maxItems:"1000" doc:"Else the domains in whose mailboxes it may"`
	Secret      string    `json:"client_secret,omitempty" maxLength:"4096" doc:"Another client secret's value"`
	Certificate string    `json:"certificate,omitempty" maxLength:"65536" doc:"Another certificate with its private key, as PEM"`
	Expires     string    `json:"expires,omitempty" maxLength:"40" doc:"When the new secret ends (2027-01-31, or a time)"`
}

// CreateMailConfigurationIn makes one.
type CreateMailConfigurationIn struct {
	Key
	Body MailConfigurationNew
}

// EditMailConfigurationIn changes one.
type EditMailConfigurationIn struct {
	ByIDAct
	Body MailConfigurationEdit
}

// connection is n as what makes a connection.
func (n MailConfigurationNew) connection() ConnectionNew {
	return ConnectionNew{Name: n.Name, Tenant: n.Tenant, ClientID: n.ClientID, Secret: n.Secret, Certificate: n.Certificate, Cloud: n.Cloud, Authority: n.Authority, Graph: n.Graph, CA: n.CA, Expires: n.Expires}
}

func (n MailConfigurationNew) settings() connect.MailSettings {
	return connect.MailSettings{TestAddress: n.TestAddress, AllDomains: n.AllDomains, Domains: n.Domains}
}

// ListMailConfigurations lists a tenant's mail configurations.
func (s *Service) ListMailConfigurations(ctx context.Context, in ListIn) (Page[MailConfiguration], error) {
	return view(ctx, s, "mail-configurations list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[MailConfiguration], error) {
		return slice("mail-configurations", in.Paging, func() ([]MailConfiguration, error) { return mailConfigurationsOf(ctx, t, "") }, func(m MailConfiguration) string { return m.ID })
	})
}

// GetMailConfiguration is one of them.
func (s *Service) GetMailConfiguration(ctx context.Context, in ByID) (MailConfiguration, error) {
	return view(ctx, s, "mail-configurations get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (MailConfiguration, error) {
		return mailConfigurationOf(ctx, t, in.ID)
	})
}

func mailConfigurationOf(ctx context.Context, t *store.Tenant, id string) (MailConfiguration, error) {
	all, err := mailConfigurationsOf(ctx, t, id)
	if err == nil && len(all) == 0 {
		err = notFound("mail configuration")
	}
	if err != nil {
		return MailConfiguration{}, err
	}
	return all[0], nil
}

func mailConfigurationsOf(ctx context.Context, t *store.Tenant, id string) ([]MailConfiguration, error) {
	all, err := connect.MailConfigurations(ctx, t, id)
	out := make([]MailConfiguration, 0, len(all))
	for _, m := range all {
		c := m.Connection
		o := MailConfiguration{ID: c.ID, Tenant: t.ID(), Provider: "microsoft_365", Name: c.Name, Cloud: c.Cloud, ClientID: c.Client, Method: c.Method,
			TestAddress: m.TestAddress, AllDomains: m.AllDomains, Domains: append([]string{}, m.Domains...), Tested: m.Tested, Tests: []MailTest{},
			Expires: c.Expires, Created: m.Created, Changed: m.Changed, Version: m.Version}
		for _, x := range m.Tests {
			o.Tests = append(o.Tests, MailTest{Name: x.Name, Title: x.Title, Permission: x.Permission, State: string(x.State), Detail: x.Detail, Because: x.Because, Mend: x.Mend, Extra: x.Extra})
		}
		o.State, o.Because, o.Mend = mailState(m)
		out = append(out, o)
	}
	return out, err
}

// mailState is how a mail configuration stands, and why.
func mailState(m connect.MailConfiguration) (state, because, mend string) {
	switch c := m.Connection; {
	case c.State == connect.Paused:
		return c.State, "Its connection is paused: nothing is asked of Microsoft.", "Resume it."
	case c.State != connect.On:
		return c.State, c.Because, c.Mend
	case m.Testing:
		return "testing", "", ""
	case m.Tested.IsZero():
		return "untested", "It was not tested since it was made or its test address was changed.", "Test it."
	case m.Passed:
		return "passed", "", ""
	}
	for _, x := range m.Tests {
		if x.State == connect.TestFailed && !x.Extra {
			return "failed", x.Because, x.Mend
		}
	}
	return "failed", "Something could not be tried.", "Test it again."
}

// CreateMailConfiguration makes a mail configuration, with a connection of its own that has proven itself. The role is needed
// in that tenant, or everywhere for one that is not there yet.
func (s *Service) CreateMailConfiguration(ctx context.Context, in CreateMailConfigurationIn) (out MailConfiguration, err error) {
	const name = "mail-configurations create"
	tenant := tenantOf(in)
	c, err := s.allow(ctx, name, tenant)
	defer func() { s.noteAfter(ctx, name, tenant, in, c, err) }()
	if err != nil {
		return out, err
	}
	n := in.Body.connection()
	if err := mayName(c, n); err != nil {
		return out, err
	}
	if err := tocsin.Together(append(append(faults(in, plainName), n.faults()...), in.Body.settings().Faults()...)...); err != nil {
		return out, err
	}
	if s.o.Connections == nil {
		return out, errNoConnect
	}
	if in.Key.Key != "" {
		had := false
		if err := s.st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
			had, err = recall(ctx, t, in.Key.Key, c.Account, mailRequest(in), s.now(), &out)
			return err
		}); had || err != nil {
			return out, err
		}
	}
	made, err := s.o.Connections.CreateMail(ctx, c.Email, connect.New{Name: n.Name, Tenant: string(tenant), Client: n.ClientID, Secret: n.Secret, Certificate: n.Certificate,
		Cloud: n.Cloud, Own: connect.Own{Authority: n.Authority, Graph: n.Graph, CA: n.CA}, Expires: n.Ends()}, in.Body.settings())
	if err != nil {
		return out, err
	}
	err = s.st.UpdateTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		if out, err = mailConfigurationOf(ctx, t, made.ID); err != nil || in.Key.Key == "" {
			return err
		}
		if _, err := t.Exec(ctx, `insert into request_key (tenant, key, account, answer, at) values ($1, $2, $3, '', $4) on conflict (tenant, key, account) do nothing`, in.Key.Key, c.Account, s.now()); err != nil {
			return err
		}
		return remember(ctx, t, in.Key.Key, c.Account, mailRequest(in), out)
	})
	return out, err
}

// mailRequest is what tells two requests for a mail configuration apart. The secret is not among it, nor kept by its hash.
func mailRequest(in CreateMailConfigurationIn) string {
	in.Body.Secret, in.Body.Certificate = "", ""
	in.Body.Tenant = string(tenantOf(in))
	return requestHash("mail-configurations create", in)
}

// changeMail does something to a mail configuration and gives it as it is then.
func (s *Service) changeMail(ctx context.Context, name string, in any, do connectionAct) (MailConfiguration, error) {
	if _, err := s.onConnection(ctx, name, in, func(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error {
		if s.o.Connections == nil {
			return errNoConnect
		}
		if _, err := s.o.Connections.Mail(ctx, tenant, id); err != nil {
			return err
		}
		return do(ctx, actor, tenant, id)
	}); err != nil {
		return MailConfiguration{}, err
	}
	return view(ctx, s, name, in, func(ctx context.Context, t *store.Tenant, _ Caller) (MailConfiguration, error) {
		return mailConfigurationOf(ctx, t, subjectOf(in))
	})
}

// EditMailConfiguration changes a mail configuration.
func (s *Service) EditMailConfiguration(ctx context.Context, in EditMailConfigurationIn) (MailConfiguration, error) {
	b := in.Body
	return s.changeMail(ctx, "mail-configurations edit", in, func(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error {
		m, err := s.o.Connections.Mail(ctx, tenant, id)
		if err != nil {
			return err
		}
		set := m.MailSettings
		set.Version = b.Version
		if b.TestAddress != nil {
			set.TestAddress = *b.TestAddress
		}
		if b.Domains != nil {
			set.Domains, set.AllDomains = *b.Domains, false
		}
		if b.AllDomains != nil {
			if set.AllDomains = *b.AllDomains; set.AllDomains && b.Domains == nil {
				set.Domains = nil
			}
		}
		if b.Secret+b.Certificate != "" {
			by := connect.Credential{Secret: b.Secret, Certificate: b.Certificate}
			if err := tocsin.Together(ConnectionNew{Secret: b.Secret, Certificate: b.Certificate}.faults()...); err != nil {
				return err
			}
			if by.Expires, err = day(b.Expires); err != nil {
				return err
			}
			if b.Version != m.Version {
				return tocsin.Problemf(tocsin.Conflict, "Look at it as it is now, and change that.", "The mail configuration was changed meanwhile.")
			}
			if err := tocsin.Together(set.Faults()...); err != nil { // nothing is done by half
				return err
			}
			if _, err := s.o.Connections.Rotate(ctx, actor, tenant, id, by); err != nil {
				return err
			}
		}
		return s.o.Connections.EditMail(ctx, actor, tenant, id, b.Name, set)
	})
}

// TestMailConfiguration tries each permission of a mail configuration, and gives it with what was found.
func (s *Service) TestMailConfiguration(ctx context.Context, in ByIDAct) (MailConfiguration, error) {
	return s.changeMail(ctx, "mail-configurations test", in, func(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error {
		_, err := s.o.Connections.TestMail(ctx, actor, tenant, id)
		return err
	})
}

// DeleteMailConfiguration forgets a mail configuration with its connection and credential. What was found by it stays.
func (s *Service) DeleteMailConfiguration(ctx context.Context, in ByIDAct) (None, error) {
	_, err := s.onConnection(ctx, "mail-configurations delete", in, func(ctx context.Context, actor string, tenant tocsin.TenantID, id string) error {
		if s.o.Connections == nil {
			return errNoConnect
		}
		if _, err := s.o.Connections.Mail(ctx, tenant, id); err != nil {
			return err
		}
		return s.o.Connections.Delete(ctx, actor, tenant, id)
	})
	return None{}, err
}
