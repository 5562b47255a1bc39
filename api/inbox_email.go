package api

import (
	"context"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/inbox"
	"tocsin.dev/inbox/work"
	"tocsin.dev/store"
)

// EmailConnection is by what shared mailboxes are read and written: a service account that signed in, or an app registration of the tenant's own.
type EmailConnection struct {
	ID          string          `json:"id"`
	Tenant      tocsin.TenantID `json:"tenant"`
	Name        string          `json:"name"`
	Method      string          `json:"method"` // delegated, secret or certificate
	Cloud       string          `json:"cloud"`
	ClientID    string          `json:"client_id"`
	Account     string          `json:"account"` // that signed in; empty for an app registration of the tenant's own
	AccountName string          `json:"account_name"`
	State       string          `json:"state"` // on or broken
	Because     string          `json:"because"`
	Mend        string          `json:"mend"`
	Consented   time.Time       `json:"consented,omitzero"` // when an administrator last consented, here
	ConsentedBy string          `json:"consented_by"`       // who began that
	SignedIn    time.Time       `json:"signed_in,omitzero"`
	SignedInBy  string          `json:"signed_in_by"`
	Proven      time.Time       `json:"proven,omitzero"` // when Microsoft last gave a token
	Addresses   int             `json:"addresses"`       // that are connected by it
	Created     time.Time       `json:"created,omitzero"`
	Version     int64           `json:"version"`
}

// EmailAddress is the address of a shared inbox, and how it is connected. Its id is the inbox's, which outlives it.
type EmailAddress struct {
	ID             string          `json:"id"`
	Tenant         tocsin.TenantID `json:"tenant"`
	Name           string          `json:"name"` // of the inbox
	Address        string          `json:"address"`
	Connection     string          `json:"connection"` // empty while disconnected
	ConnectionName string          `json:"connection_name"`
	State          string          `json:"state"` // connected, broken or disconnected
	Because        string          `json:"because"`
	Mend           string          `json:"mend"`
	Sending        string          `json:"sending"`         // unknown, as (Send As), behalf (Send on Behalf) or refused
	SendingBecause string          `json:"sending_because"` // what that means, or why
	SendingTested  time.Time       `json:"sending_tested,omitzero"`
	BackfillDays   int             `json:"backfill_days"` // 0: everything
	Created        time.Time       `json:"created,omitzero"`
	Changed        time.Time       `json:"changed,omitzero"`
	Version        int64           `json:"version"`
}

// EmailConnectionNew makes an e-mail connection without a service account. Give a secret, or a certificate with its key as PEM. Authority, graph and ca
// are for a cloud of one's own (a simulator), and for who administers the installation.
type EmailConnectionNew struct {
	Name        string `json:"name,omitempty" maxLength:"200" doc:"What to call it"`
	Tenant      string `json:"tenant" minLength:"1" maxLength:"200" doc:"The Entra tenant's id (a GUID)"`
	ClientID    string `json:"client_id" minLength:"1" maxLength:"200" doc:"The app registration's application (client) id; it needs Mail.ReadWrite and Mail.Send"`
	Secret      string `json:"client_secret,omitempty" maxLength:"4096" doc:"A client secret's value"`
	Certificate string `json:"certificate,omitempty" maxLength:"65536" doc:"A certificate with its private key, as PEM"`
	Cloud       string `json:"cloud,omitempty" maxLength:"200" doc:"global (when absent), gcc, usgov, dod, china, or own with authority and graph"`
	Authority   string `json:"authority,omitempty" maxLength:"1000" doc:"Sign-in address of a cloud of one's own"`
	Graph       string `json:"graph,omitempty" maxLength:"1000" doc:"Graph address of a cloud of one's own"`
	CA          string `json:"ca,omitempty" maxLength:"65536" doc:"Certificate authority of a cloud of one's own, as PEM"`
}

// CreateEmailConnectionIn makes one.
type CreateEmailConnectionIn struct{ Body EmailConnectionNew }

// EmailSignInNew begins the sign-in of a service account.
type EmailSignInNew struct {
	Tenant    string `json:"tenant" minLength:"1" maxLength:"200" doc:"The Entra tenant's id (a GUID)"`
	Name      string `json:"name,omitempty" maxLength:"200" doc:"What to call the connection; the account's name where empty"`
	Consent   bool   `json:"consent,omitempty" doc:"An administrator consents for the tenant first; then the account signs in"`
	Reconnect string `json:"reconnect,omitempty" maxLength:"100" doc:"Id of the connection that signs in again; it keeps its addresses and threads"`
}

// BeginEmailConnectionIn begins it.
type BeginEmailConnectionIn struct{ Body EmailSignInNew }

// DisconnectEmailIn gives up an e-mail connection.
type DisconnectEmailIn struct {
	ByIDAct
	Body EmailDisconnect
}

// EmailDisconnect says what becomes of the messages.
type EmailDisconnect struct {
	Messages string `json:"messages,omitempty" enum:"keep,erase" doc:"keep (when absent): they stay in their inboxes, as long as those keep them; erase: the inboxes go with all that was read and written in them"`
}

// ConnectAddressIn connects an address.
type ConnectAddressIn struct {
	In
	Key
	Body EmailAddressNew
}

// EmailAddressNew connects the address of a shared mailbox.
type EmailAddressNew struct {
	Connection   string `json:"connection" minLength:"1" maxLength:"100" doc:"Id of the e-mail connection"`
	Address      string `json:"address" minLength:"3" maxLength:"320" doc:"The shared mailbox's primary address"`
	Name         string `json:"name,omitempty" maxLength:"200" doc:"What to call the inbox; what stands before the @ where empty"`
	BackfillDays *int   `json:"backfill_days,omitempty" minimum:"0" maximum:"36500" doc:"How many days of mail are read at first, 30 when absent; 0 is everything"`
}

// ReconnectAddressIn connects an inbox's address again.
type ReconnectAddressIn struct {
	ByIDAct
	Body AddressReconnect
}

// AddressReconnect says by which connection.
type AddressReconnect struct {
	Connection string `json:"connection,omitempty" maxLength:"100" doc:"Id of the e-mail connection; the one that it has when absent"`
}

// addresses connects addresses for the server.
func (s *Service) addresses() (*inbox.Addresses, error) {
	if s.o.Connections == nil {
		return nil, errNoConnect
	}
	return &inbox.Addresses{Store: s.st, Keeper: s.o.Connections.Keeper, Client: s.o.Connections.Mailbox, Forget: s.o.Connections.DeleteEmail}, nil
}

// ListEmailConnections lists a tenant's.
func (s *Service) ListEmailConnections(ctx context.Context, in ListIn) (Page[EmailConnection], error) {
	return view(ctx, s, "email-connections list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[EmailConnection], error) {
		return slice("email-connections", in.Paging, func() ([]EmailConnection, error) { return emailConnectionsOf(ctx, t, "") }, func(c EmailConnection) string { return c.ID })
	})
}

// GetEmailConnection is one of them.
func (s *Service) GetEmailConnection(ctx context.Context, in ByID) (EmailConnection, error) {
	return view(ctx, s, "email-connections get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (EmailConnection, error) {
		return emailConnectionOf(ctx, t, in.ID)
	})
}

func emailConnectionOf(ctx context.Context, t *store.Tenant, id string) (EmailConnection, error) {
	all, err := emailConnectionsOf(ctx, t, id)
	if err == nil && len(all) != 1 {
		err = notFound("e-mail connection")
	}
	if err != nil {
		return EmailConnection{}, err
	}
	return all[0], nil
}

func emailConnectionsOf(ctx context.Context, t *store.Tenant, id string) ([]EmailConnection, error) {
	all, err := connect.EmailConnections(ctx, t, id)
	if err != nil {
		return nil, err
	}
	type count struct {
		connection string
		n          int
	}
	counts, err := find(ctx, t, (&query{}).add("select connection, count(*) from inbox where tenant = $1 and connection <> '' group by connection"), func(c *count) []any { return []any{&c.connection, &c.n} })
	out := make([]EmailConnection, 0, len(all))
	for _, c := range all {
		o := EmailConnection{ID: c.ID, Tenant: t.ID(), Name: c.Name, Method: c.Method, Cloud: c.Cloud, ClientID: c.Client, Account: c.Account, AccountName: c.AccountName, State: c.State, Because: c.Because,
			Mend: c.Mend, Consented: c.Consented, ConsentedBy: c.ConsentedBy, SignedIn: c.SignedIn, SignedInBy: c.SignedInBy, Proven: c.Proven, Created: c.Created, Version: c.Version}
		for _, n := range counts {
			if n.connection == c.ID {
				o.Addresses = n.n
			}
		}
		out = append(out, o)
	}
	return out, err
}

// BeginEmailConnection begins the sign-in of a service account: the answer is where to send the browser. What comes back is taken by FinishConsent.
func (s *Service) BeginEmailConnection(ctx context.Context, in BeginEmailConnectionIn) (_ ConsentStep, err error) {
	const name = "email-connections begin"
	tenant := tenantOf(in)
	c, err := s.allow(ctx, name, tenant)
	defer func() { s.noteAfter(ctx, name, tenant, in, c, err) }()
	if err != nil {
		return ConsentStep{}, err
	}
	if err := valid(in); err != nil {
		return ConsentStep{}, err
	}
	who, err := s.asker(ctx, c)
	if err != nil {
		return ConsentStep{}, err
	}
	redirect, err := s.callback(ctx)
	if err != nil {
		return ConsentStep{}, err
	}
	next, err := s.o.Connections.BeginEmail(ctx, who, connect.BeginEmail{Tenant: string(tenant), Name: in.Body.Name, Consent: in.Body.Consent, Reconnect: in.Body.Reconnect, Redirect: redirect})
	return ConsentStep{Next: next}, err
}

// CreateEmailConnection makes an e-mail connection by an app registration of the tenant's own.
func (s *Service) CreateEmailConnection(ctx context.Context, in CreateEmailConnectionIn) (out EmailConnection, err error) {
	const name = "email-connections create"
	tenant := tenantOf(in)
	c, err := s.allow(ctx, name, tenant)
	defer func() { s.noteAfter(ctx, name, tenant, in, c, err) }()
	if err != nil {
		return out, err
	}
	b := in.Body
	n := ConnectionNew{Name: b.Name, Tenant: b.Tenant, ClientID: b.ClientID, Secret: b.Secret, Certificate: b.Certificate, Cloud: b.Cloud, Authority: b.Authority, Graph: b.Graph, CA: b.CA}
	if err := mayName(c, n); err != nil {
		return out, err
	}
	if err := tocsin.Together(append(faults(in, plainName), n.faults()...)...); err != nil {
		return out, err
	}
	if s.o.Connections == nil {
		return out, errNoConnect
	}
	made, err := s.o.Connections.CreateEmail(ctx, c.Email, connect.NewEmail{Name: b.Name, Tenant: string(tenant), Client: b.ClientID, Secret: b.Secret, Certificate: b.Certificate, Cloud: b.Cloud,
		Own: connect.Own{Authority: b.Authority, Graph: b.Graph, CA: b.CA}})
	if err != nil {
		return out, err
	}
	err = s.st.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		out, err = emailConnectionOf(ctx, t, made.ID)
		return err
	})
	return out, err
}

// onEmail does something that asks Microsoft, and so is no transaction of ours, to what the input names: get finds it before, so that nothing is done to
// what is not there.
func onEmail[O any](ctx context.Context, s *Service, name string, in any, get func(context.Context, *store.Tenant) error, do func(ctx context.Context, a *inbox.Addresses, actor string, tenant tocsin.TenantID) error,
	then func(context.Context, *store.Tenant) (O, error)) (out O, err error) {
	c, _ := CallerOf(ctx)
	tenant := tenantOf(in)
	defer func() { s.noteAfter(ctx, name, tenant, in, c, err) }()
	if _, err := view(ctx, s, name, in, func(ctx context.Context, t *store.Tenant, _ Caller) (None, error) {
		if get == nil {
			return None{}, nil
		}
		return None{}, get(ctx, t)
	}); err != nil {
		return out, err
	}
	a, err := s.addresses()
	if err != nil {
		return out, err
	}
	if err := do(ctx, a, c.Email, tenant); err != nil || then == nil {
		return out, err
	}
	err = s.st.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		out, err = then(ctx, t)
		return err
	})
	return out, err
}

// TestEmailConnection asks Microsoft for a new token by an e-mail connection.
func (s *Service) TestEmailConnection(ctx context.Context, in ByIDAct) (EmailConnection, error) {
	get := func(ctx context.Context, t *store.Tenant) (EmailConnection, error) {
		return emailConnectionOf(ctx, t, in.ID)
	}
	return onEmail(ctx, s, "email-connections test", in, only(get), func(ctx context.Context, _ *inbox.Addresses, _ string, tenant tocsin.TenantID) error {
		_, err := s.o.Connections.TestEmail(ctx, tenant, in.ID)
		return err
	}, get)
}

// only drops what was found.
func only[O any](get func(context.Context, *store.Tenant) (O, error)) func(context.Context, *store.Tenant) error {
	return func(ctx context.Context, t *store.Tenant) error { _, err := get(ctx, t); return err }
}

// DisconnectEmailConnection gives up an e-mail connection: its addresses are disconnected, its tokens forgotten.
func (s *Service) DisconnectEmailConnection(ctx context.Context, in DisconnectEmailIn) (None, error) {
	get := func(ctx context.Context, t *store.Tenant) (EmailConnection, error) {
		return emailConnectionOf(ctx, t, in.ID)
	}
	return onEmail[None](ctx, s, "email-connections disconnect", in, only(get), func(ctx context.Context, a *inbox.Addresses, actor string, tenant tocsin.TenantID) error {
		return a.DisconnectAll(ctx, actor, tenant, in.ID, in.Body.Messages == connect.Erase)
	}, nil)
}

// ListEmailAddresses lists a tenant's.
func (s *Service) ListEmailAddresses(ctx context.Context, in ListIn) (Page[EmailAddress], error) {
	return view(ctx, s, "email-addresses list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[EmailAddress], error) {
		return slice("email-addresses", in.Paging, func() ([]EmailAddress, error) { return emailAddressesOf(ctx, t, "") }, func(a EmailAddress) string { return a.ID })
	})
}

// GetEmailAddress is one of them.
func (s *Service) GetEmailAddress(ctx context.Context, in ByID) (EmailAddress, error) {
	return view(ctx, s, "email-addresses get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (EmailAddress, error) {
		return emailAddressOf(ctx, t, in.ID)
	})
}

func emailAddressOf(ctx context.Context, t *store.Tenant, id string) (EmailAddress, error) {
	all, err := emailAddressesOf(ctx, t, id)
	if err == nil && len(all) != 1 {
		err = notFound("e-mail address")
	}
	if err != nil {
		return EmailAddress{}, err
	}
	return all[0], nil
}

// emailAddressesOf are a tenant's addresses, or the one with the id. One whose connection is broken says so, whatever its mailbox last answered.
func emailAddressesOf(ctx context.Context, t *store.Tenant, id string) ([]EmailAddress, error) {
	type row struct {
		EmailAddress
		tried, created, changed  int64
		state, because, mendWith string
	}
	rows, err := find(ctx, t, (&query{}).add(`select i.id, i.name, i.address, i.connection, i.state, i.because, i.mend, i.sending, i.sending_because, i.sending_at, i.backfill_days, i.created, i.changed, i.version,
		coalesce(c.name, ''), coalesce(c.state, ''), coalesce(c.because, ''), coalesce(c.mend, '') from inbox i left join email_connection c on c.tenant = i.tenant and c.id = i.connection
		where i.tenant = $1 and (? = '' or i.id = ?) order by lower(i.name), i.id`, id, id), func(r *row) []any {
		return []any{&r.ID, &r.Name, &r.Address, &r.Connection, &r.State, &r.Because, &r.Mend, &r.Sending, &r.SendingBecause, &r.tried, &r.BackfillDays, &r.created, &r.changed, &r.Version,
			&r.ConnectionName, &r.state, &r.because, &r.mendWith}
	})
	out := make([]EmailAddress, 0, len(rows))
	for _, r := range rows {
		r.Tenant, r.SendingTested, r.Created, r.Changed = t.ID(), tocsin.FromMillis(r.tried), tocsin.FromMillis(r.created), tocsin.FromMillis(r.changed)
		if r.State != inbox.Disconnected && r.state == connect.Broken {
			r.State, r.Because, r.Mend = inbox.Broken, r.because, r.mendWith
		}
		out = append(out, r.EmailAddress)
	}
	return out, err
}

// ConnectEmailAddress connects the address of a shared mailbox, once it is seen to be open: that makes its inbox, or gives it back.
func (s *Service) ConnectEmailAddress(ctx context.Context, in ConnectAddressIn) (EmailAddress, error) {
	days, made := 30, ""
	if in.Body.BackfillDays != nil {
		days = *in.Body.BackfillDays
	}
	return onEmail(ctx, s, "email-addresses connect", in, nil, func(ctx context.Context, a *inbox.Addresses, actor string, tenant tocsin.TenantID) error {
		got, err := a.Connect(ctx, actor, tenant, inbox.NewAddress{Connection: in.Body.Connection, Address: in.Body.Address, Name: in.Body.Name, BackfillDays: days})
		if made = got.ID; err != nil {
			return err
		}
		c, _ := CallerOf(ctx)
		return s.st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error { return firstMember(ctx, t, made, c.Account) })
	}, func(ctx context.Context, t *store.Tenant) (EmailAddress, error) { return emailAddressOf(ctx, t, made) })
}

// firstMember makes whoever connected an inbox the first of its team: one that nobody works in shows its mail to nobody.
func firstMember(ctx context.Context, t *store.Tenant, inbox, account string) error {
	had, err := work.Members(ctx, t, inbox)
	if err != nil || len(had) > 0 || account == "" {
		return err
	}
	return work.SetMembers(ctx, t, inbox, []work.Member{{Kind: work.Account, ID: account}})
}

// changeAddress does something to an address and gives it as it is then.
func (s *Service) changeAddress(ctx context.Context, name, id string, in any, do func(ctx context.Context, a *inbox.Addresses, actor string, tenant tocsin.TenantID) error) (EmailAddress, error) {
	get := func(ctx context.Context, t *store.Tenant) (EmailAddress, error) { return emailAddressOf(ctx, t, id) }
	return onEmail(ctx, s, name, in, only(get), do, get)
}

// DisconnectEmailAddress takes one address off its connection; its inbox stays.
func (s *Service) DisconnectEmailAddress(ctx context.Context, in ByIDAct) (EmailAddress, error) {
	return s.changeAddress(ctx, "email-addresses disconnect", in.ID, in, func(ctx context.Context, a *inbox.Addresses, actor string, tenant tocsin.TenantID) error {
		_, err := a.Disconnect(ctx, actor, tenant, in.ID)
		return err
	})
}

// ReconnectEmailAddress connects an inbox's address again, with its threads.
func (s *Service) ReconnectEmailAddress(ctx context.Context, in ReconnectAddressIn) (EmailAddress, error) {
	return s.changeAddress(ctx, "email-addresses reconnect", in.ID, in, func(ctx context.Context, a *inbox.Addresses, actor string, tenant tocsin.TenantID) error {
		_, err := a.Reconnect(ctx, actor, tenant, in.ID, in.Body.Connection)
		return err
	})
}

// TestSending tries whether mail can be sent from an address, with one mail to itself.
func (s *Service) TestSending(ctx context.Context, in ByIDAct) (EmailAddress, error) {
	return s.changeAddress(ctx, "email-addresses test-sending", in.ID, in, func(ctx context.Context, a *inbox.Addresses, actor string, tenant tocsin.TenantID) error {
		_, err := a.TestSending(ctx, actor, tenant, in.ID)
		return err
	})
}
