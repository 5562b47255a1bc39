package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
)

// emailView is the page of e-mail connections and addresses.
type emailView struct {
	Connections []api.EmailConnection
	Addresses   []api.EmailAddress
	Entered     bool // the installation has an app registration for shared mailboxes; to who may not see, as if it had
	In          api.EmailAddressNew
	App         api.EmailConnectionNew // that was typed, but for its secret
	Method      string
	Refused     *notice
}

// on are the connections that an address can be connected by.
func (v emailView) on() (out []api.EmailConnection) {
	for _, c := range v.Connections {
		if c.State == connect.On {
			out = append(out, c)
		}
	}
	return out
}

// mends is the connection that has to sign in again for an address to be read; empty where that does not help.
func (v emailView) mends(a api.EmailAddress) string {
	for _, c := range v.Connections {
		if a.State == "broken" && c.ID == a.Connection && c.Method == connect.MethodDelegated && c.State != connect.On {
			return c.ID
		}
	}
	return ""
}

// wantsConsent says that a connection is mended by an administrator's consent before the account signs in again.
func wantsConsent(c api.EmailConnection) bool {
	return c.State != connect.On && strings.Contains(strings.ToLower(c.Because), "consent")
}

// account is the service account that the guide speaks of: the first one's that is connected.
func (v emailView) account(p *page) string {
	for _, c := range v.Connections {
		if c.Account != "" {
			return c.Account
		}
	}
	return "inbox.service@" + firstDomain(v)
}

func firstDomain(v emailView) string {
	for _, a := range v.Addresses {
		if _, domain, ok := strings.Cut(a.Address, "@"); ok {
			return domain
		}
	}
	return "contoso.com"
}

func (w *web) emailView(r *http.Request, p *page) (v emailView, err error) {
	v.Method, v.App.Cloud = "secret", "global"
	in := api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}}
	connections, err := w.svc.ListEmailConnections(r.Context(), in)
	if err != nil {
		return v, err
	}
	v.Connections = connections.Items
	for {
		got, err := w.svc.ListEmailAddresses(r.Context(), in)
		if err != nil {
			return v, err
		}
		v.Addresses = append(v.Addresses, got.Items...)
		if in.After = got.Next; in.After == "" {
			break
		}
	}
	if !p.installs(api.Admin) {
		v.Entered = true // who may not see registrations is told by beginning whether there is one
		return v, nil
	}
	v.Entered, err = w.entered(r, connect.Inbox)
	return v, err
}

// email shows by what shared mailboxes are read, and which.
func (w *web) email(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v, err := w.emailView(r, p)
	return emailPage(p, v), err
}

// emailRefused shows the page with what was typed and why it was refused.
func (w *web) emailRefused(rw http.ResponseWriter, r *http.Request, p *page, refused error, typed func(*emailView)) (templ.Component, error) {
	w.note(r, refused)
	v, err := w.emailView(r, p)
	if err != nil {
		return nil, refused
	}
	problem := tocsin.AsProblem(refused)
	v.Refused = &notice{Kind: "bad", What: problem.What, Do: problem.Do}
	typed(&v)
	w.render(rw, r, api.StatusOf(refused), emailPage(p, v))
	return nil, nil
}

// emailConsent leaves for Microsoft: an administrator consents, or the service account signs in.
func (w *web) emailConsent(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	r.Body = http.MaxBytesReader(rw, r.Body, 64<<10)
	f := r.FormValue
	step, err := w.svc.BeginEmailConnection(r.Context(), api.BeginEmailConnectionIn{Body: api.EmailSignInNew{Tenant: string(p.Tenant.ID), Name: trim(f("name")), Consent: f("consent") == "yes", Reconnect: f("reconnect")}})
	if err != nil {
		return w.emailRefused(rw, r, p, err, func(*emailView) {})
	}
	host := step.Next
	if u, err := url.Parse(step.Next); err == nil {
		host = u.Host
	}
	rw.Header().Set("Refresh", "0; url="+step.Next)
	return leavingPage(p, host, step.Next), nil
}

// emailCallback is the way back from Microsoft of what was begun on the page.
func (w *web) emailCallback(rw http.ResponseWriter, r *http.Request, step api.ConsentStep, err error) {
	tenant := tocsin.TenantID(step.Begun.Tenant)
	to := tenantAt(tenant, "settings", "email")
	switch {
	case err != nil:
		w.note(r, err)
		problem := tocsin.AsProblem(err)
		w.leaveNotice(rw, &notice{Kind: "bad", What: problem.What, Do: problem.Do})
		if me, err := w.svc.Me(r.Context(), api.NoInput{}); err == nil && tenantOf(&me, tenant) == nil {
			to = with("/settings/email", "tenant", "new") // nothing is known of it yet
		}
	case step.Next != "":
		to = step.Next
	default:
		w.leaveNotice(rw, &notice{Kind: "good", What: "The service account has signed in.", Do: "Connect the addresses of the shared mailboxes that it is a member of."})
	}
	http.Redirect(rw, r, to, http.StatusSeeOther)
}

// emailApp makes an e-mail connection by an app registration of the tenant's own.
func (w *web) emailApp(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	r.Body = http.MaxBytesReader(rw, r.Body, 256<<10)
	in := typedEmailApp(r, string(p.Tenant.ID))
	if _, err := w.svc.CreateEmailConnection(r.Context(), api.CreateEmailConnectionIn{Body: in}); err != nil {
		in.Secret, in.Certificate = "", ""
		return w.emailRefused(rw, r, p, err, func(v *emailView) { v.App, v.Method = in, r.FormValue("method") })
	}
	w.leaveNotice(rw, &notice{Kind: "good", What: "The app is connected.", Do: "Connect the addresses of shared mailboxes."})
	http.Redirect(rw, r, p.at("settings", "email"), http.StatusSeeOther)
	return nil, nil
}

// emailAddressAdd connects an address; what is refused is shown with what was typed.
func (w *web) emailAddressAdd(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	r.Body = http.MaxBytesReader(rw, r.Body, 64<<10)
	f := r.FormValue
	days, err := strconv.Atoi(f("days"))
	if err != nil {
		days = 30
	}
	in := api.EmailAddressNew{Connection: f("connection"), Address: trim(f("address")), Name: trim(f("name")), BackfillDays: &days}
	got, err := w.svc.ConnectEmailAddress(r.Context(), api.ConnectAddressIn{In: api.In{Tenant: p.Tenant.ID}, Body: in})
	if err != nil {
		return w.emailRefused(rw, r, p, err, func(v *emailView) { v.In = in })
	}
	w.leaveNotice(rw, &notice{Kind: "good", What: got.Address + " is connected.", Do: "Its mail is read now, newest first. Test sending, which cannot be known before it is tried."})
	http.Redirect(rw, r, p.at("settings", "email"), http.StatusSeeOther)
	return nil, nil
}

// emailDo tests or gives up an e-mail connection.
func (w *web) emailDo(r *http.Request) (string, *notice, error) {
	tenant, id := tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id")
	to := tenantAt(tenant, "settings", "email")
	switch r.PathValue("do") {
	case "test":
		c, err := w.svc.TestEmailConnection(r.Context(), mailAct(tenant, id))
		if err == nil && c.State != connect.On {
			return to, &notice{Kind: "bad", What: c.Because, Do: c.Mend}, nil
		}
		return to, &notice{Kind: "good", What: "Microsoft gave a new token: the connection works."}, err
	case "disconnect":
		_, err := w.svc.DisconnectEmailConnection(r.Context(), api.DisconnectEmailIn{ByIDAct: mailAct(tenant, id), Body: api.EmailDisconnect{Messages: r.PostFormValue("messages")}})
		said := "It is disconnected, and its tokens are forgotten. What was read stays in the inboxes."
		if r.PostFormValue("messages") == connect.Erase {
			said = "It is disconnected, its tokens are forgotten, and its inboxes are erased."
		}
		return to, &notice{Kind: "good", What: said}, err
	}
	return to, nil, errNoSuchDeed
}

// emailForget erases somebody from the inboxes.
func (w *web) emailForget(r *http.Request) (string, *notice, error) {
	tenant, address := tocsin.TenantID(r.PathValue("tenant")), trim(r.PostFormValue("person"))
	gone, err := w.svc.ForgetInboxPerson(r.Context(), api.ForgetPersonIn{In: api.In{Tenant: tenant}, Body: api.ForgetPerson{Address: address}})
	said := "Nothing of theirs was in the inboxes, or is now: their address is gone from others' mails too."
	if gone.Mails > 0 {
		said = plural(gone.Mails, "mail was", "mails were") + " erased, and their address is gone from others' mails."
	}
	return tenantAt(tenant, "settings", "email"), &notice{Kind: "good", What: said, Do: "The mailboxes are as they were: delete the mails there, too, where they have to go."}, err
}

var errNoSuchDeed = tocsin.Problemf(tocsin.NotFound, "Use the buttons of the page.", "There is nothing of that name to do.")

// emailAddressDo tests sending from an address, disconnects it or connects it again.
func (w *web) emailAddressDo(r *http.Request) (string, *notice, error) {
	tenant, id := tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id")
	to := tenantAt(tenant, "settings", "email")
	in := mailAct(tenant, id)
	switch r.PathValue("do") {
	case "test":
		a, err := w.svc.TestSending(r.Context(), in)
		if err != nil {
			return to, nil, err
		}
		kind := map[string]string{"refused": "bad", "unknown": "warn"}[a.Sending]
		if kind == "" {
			kind = "good"
		}
		return to, &notice{Kind: kind, What: a.Address + ": " + sendingWord(a.Sending)[1] + ".", Do: a.SendingBecause}, nil
	case "disconnect":
		a, err := w.svc.DisconnectEmailAddress(r.Context(), in)
		return to, &notice{Kind: "good", What: a.Address + " is disconnected. Its inbox stays with what was read."}, err
	case "reconnect":
		a, err := w.svc.ReconnectEmailAddress(r.Context(), api.ReconnectAddressIn{ByIDAct: in, Body: api.AddressReconnect{Connection: r.PostFormValue("connection")}})
		return to, &notice{Kind: "good", What: a.Address + " is connected again, with its threads."}, err
	}
	return to, nil, errNoSuchDeed
}

// emailState is how a connection or an address stands: mark and word.
func emailState(state string) [2]string {
	switch state {
	case "on", "connected":
		return [2]string{"ok", "Connected"}
	case "disconnected":
		return [2]string{"off", "Disconnected"}
	}
	return [2]string{"bad", "Broken"}
}

// sendingWord says as whom mail goes out: mark and word.
func sendingWord(sending string) [2]string {
	switch sending {
	case "as":
		return [2]string{"ok", "Sends as the address"}
	case "behalf":
		return [2]string{"part", "Sends on behalf of it"}
	case "refused":
		return [2]string{"bad", "May not send"}
	}
	return [2]string{"unknown", "Not known until it is tried"}
}

// emailMethod is how a connection signs in, in a line.
func emailMethod(c api.EmailConnection) string {
	switch c.Method {
	case connect.MethodDelegated:
		return "Service account"
	case "certificate":
		return "App registration, by certificate"
	}
	return "App registration, by secret"
}

// backfills are how far back a first reading goes, as the form offers it.
var backfills = []struct {
	Days int
	Word string
}{{7, "7 days"}, {30, "30 days"}, {90, "90 days"}, {365, "A year"}, {0, "Everything"}}

// backfillWord says how far back an address was to be read.
func backfillWord(days int) string {
	for _, b := range backfills {
		if b.Days == days {
			return strings.ToLower(b.Word[:1]) + b.Word[1:]
		}
	}
	return plural(days, "day", "days")
}

// memberCommands are what makes an account a member of a mailbox that may send from it, in Exchange's PowerShell.
func memberCommands(mailbox, account string) string {
	return "Connect-ExchangeOnline\n" +
		"Add-MailboxPermission -Identity " + mailbox + " -User " + account + " -AccessRights FullAccess -AutoMapping $false\n" +
		"Add-RecipientPermission -Identity " + mailbox + " -Trustee " + account + " -AccessRights SendAs -Confirm:$false"
}
