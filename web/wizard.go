package web

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
)

// wizard is what a page of the wizard shows: what is to be connected, by which way, and the guide to it.
type wizard struct {
	Tier     connect.Tier
	Way      string // oauth, credentials, or empty: not chosen yet
	Products []connect.Product
	Tenant   string
	Guide    api.Guide
	Entered  bool   // an app registration is there for the tier
	Redirect string // empty where the server does not know its own address; Lost then says so
	Lost     *tocsin.Problem
	// Of the form for API credentials, as typed; secrets are not.
	In      api.ConnectionNew
	Method  string
	Refused *notice
}

func (z wizard) ticked(p connect.Product) bool { return slices.Contains(z.Products, p) }

// step is how far one has come, from 1.
func (z wizard) step() int {
	if z.Way == "" {
		return 1
	}
	return 2
}

// stepsOf are the steps of the wizard.
func stepsOf(way string) []string {
	if way == string(connect.ByCredentials) {
		return []string{"Choose", "Register the app and enter its credentials", "Test"}
	}
	return []string{"Choose", "Sign in and consent", "Test"}
}

// connects says whether the viewer may connect anything: a tenant of theirs, or any.
func (p *page) connects() bool {
	return p.installs(api.Admin) || p.Me != nil && slices.ContainsFunc(p.Me.Tenants, func(t api.Tenant) bool { return t.Role.Includes(api.Admin) })
}

var errMayNotConnect = tocsin.Problemf(tocsin.Denied, "Ask an administrator of this installation to connect it.", "Your role may not connect a tenant.")

// makeWizard reads what is chosen from an address or a form.
func (w *web) makeWizard(r *http.Request, p *page, q url.Values) (wizard, error) {
	z := wizard{Way: q.Get("way"), Tenant: trim(q.Get("tenant")), Method: "secret", In: api.ConnectionNew{Cloud: "global"}}
	var err error
	if z.Tier, err = connect.ParseTier(q.Get("tier")); err != nil {
		return z, err
	}
	if z.Products, err = connect.ParseProducts(q["for"]); err != nil {
		return z, err
	}
	if z.Way != string(connect.ByOAuth) && z.Way != string(connect.ByCredentials) {
		z.Way = ""
	}
	names := []string{}
	for _, k := range z.Products {
		names = append(names, string(k))
	}
	z.In.Products = names
	z.Guide, err = w.svc.GuideConnection(r.Context(), api.GuideIn{Tier: string(z.Tier), For: names, Way: z.Way})
	if z.Way == string(connect.ByOAuth) && err != nil {
		z.Lost = tocsin.AsProblem(err)
		z.Guide, err = w.svc.GuideConnection(r.Context(), api.GuideIn{Tier: string(z.Tier), For: names})
	}
	if err != nil {
		return z, err
	}
	z.Redirect = z.Guide.RedirectURI
	z.Entered, err = w.entered(r, z.Tier)
	if p.installs(api.Admin) {
		return z, err
	}
	z.Entered = true // who may not see registrations is told by beginning whether there is one
	return z, nil
}

func (w *web) entered(r *http.Request, tier connect.Tier) (bool, error) {
	list, err := w.svc.ListRegistrations(r.Context(), api.RegistrationsIn{})
	return slices.ContainsFunc(list.Items, func(x api.Registration) bool { return x.Tier == string(tier) }), err
}

func (w *web) connect(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	if !p.connects() {
		return nil, errMayNotConnect
	}
	z, err := w.makeWizard(r, p, r.URL.Query())
	if err != nil {
		return nil, err
	}
	if z.Tier == connect.Investigate { // a mail configuration has its own form
		http.Redirect(rw, r, with("/connect/mail", "tenant", z.Tenant), http.StatusSeeOther)
		return nil, nil
	}
	return wizardPage(p, z), nil
}

// connectDo makes a connection by API credentials; what is refused is shown with what was typed, but for secrets.
func (w *web) connectDo(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	r.Body = http.MaxBytesReader(rw, r.Body, 256<<10)
	f := r.FormValue
	in := api.ConnectionNew{Name: f("name"), Tenant: trim(f("tenant")), ClientID: trim(f("client_id")), Cloud: f("cloud"), Tier: f("tier"), Products: r.Form["for"]}
	if f("method") == "certificate" {
		in.Certificate = f("certificate")
	} else {
		in.Secret = trim(f("client_secret"))
	}
	if in.Cloud == "own" {
		in.Authority, in.Graph, in.CA = trim(f("authority")), trim(f("graph")), f("ca")
	}
	c, err := w.svc.CreateConnection(r.Context(), api.CreateConnectionIn{Body: in})
	if err != nil {
		w.note(r, err)
		problem := tocsin.AsProblem(err)
		in.Secret, in.Certificate = "", ""
		z, bad := w.makeWizard(r, p, url.Values{"way": {string(connect.ByCredentials)}, "tier": {f("tier")}, "for": r.Form["for"]})
		if bad != nil {
			return nil, bad
		}
		z.In, z.Method, z.Refused = in, f("method"), &notice{Kind: "bad", What: problem.What, Do: problem.Do}
		w.render(rw, r, api.StatusOf(err), wizardPage(p, z))
		return nil, nil
	}
	w.leaveNotice(rw, &notice{Kind: "good", What: "Connected. The first reading begins now.", Do: "Findings appear as mailboxes are read; nothing need be reloaded."})
	http.Redirect(rw, r, tenantAt(c.Tenant, "connections", c.ID, "tested"), http.StatusSeeOther)
	return nil, nil
}

// consentDo leaves for Microsoft's sign-in. It is a page with a link that is followed at once, and not a redirect: the policy
// lets a form lead nowhere but to us.
func (w *web) consentDo(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	r.Body = http.MaxBytesReader(rw, r.Body, 64<<10)
	f := r.FormValue
	step, err := w.svc.BeginConsent(r.Context(), api.BeginConsentIn{Body: api.ConsentNew{Tier: f("tier"), Products: r.Form["for"], Tenant: trim(f("tenant"))}})
	if err != nil {
		w.note(r, err)
		problem := tocsin.AsProblem(err)
		z, bad := w.makeWizard(r, p, url.Values{"way": {string(connect.ByOAuth)}, "tier": {f("tier")}, "for": r.Form["for"], "tenant": {f("tenant")}})
		if bad != nil {
			return nil, err
		}
		z.Refused = &notice{Kind: "bad", What: problem.What, Do: problem.Do}
		w.render(rw, r, api.StatusOf(err), wizardPage(p, z))
		return nil, nil
	}
	host := step.Next
	if u, err := url.Parse(step.Next); err == nil {
		host = u.Host
	}
	rw.Header().Set("Refresh", "0; url="+step.Next)
	return leavingPage(p, host, step.Next), nil
}

// callback is where Microsoft sends a browser back to: on to the next step, to the connection, or to the wizard with what
// went wrong. The answer's address, which may hold a code, is left at once.
func (w *web) callback(rw http.ResponseWriter, r *http.Request, _ *page) (templ.Component, error) {
	q := r.URL.Query().Get
	step, err := w.svc.FinishConsent(r.Context(), api.FinishConsentIn{Body: api.ConsentAnswer{State: q("state"), Code: q("code"), Tenant: q("tenant"),
		AdminConsent: q("admin_consent"), Error: q("error"), Description: q("error_description")}})
	if step.Begun != nil && step.Begun.Tier == string(connect.Inbox) {
		w.emailCallback(rw, r, step, err)
		return nil, nil
	}
	switch {
	case err != nil:
		w.note(r, err)
		problem := tocsin.AsProblem(err)
		w.leaveNotice(rw, &notice{Kind: "bad", What: problem.What, Do: problem.Do})
		again := url.Values{"way": {string(connect.ByOAuth)}}
		if b := step.Begun; b != nil && b.Tier != "" {
			again["for"] = b.Products
			again.Set("tier", b.Tier)
			again.Set("tenant", b.Tenant)
		}
		http.Redirect(rw, r, "/connect?"+again.Encode(), http.StatusSeeOther)
	case step.Next != "":
		http.Redirect(rw, r, step.Next, http.StatusSeeOther)
	default:
		w.leaveNotice(rw, &notice{Kind: "good", What: "Connected by consent. The first reading begins now.", Do: "Findings appear as mailboxes are read; nothing need be reloaded."})
		http.Redirect(rw, r, tenantAt(step.Tenant, "connections", step.Connection, "tested"), http.StatusSeeOther)
	}
	return nil, nil
}

// tested shows how each capability of a connection came out of its last test.
func (w *web) tested(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	c, err := w.svc.GetConnection(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	p.Title = "Test of " + c.Name
	return testedPage(p, c, verdictsOf(c)), nil
}

// testAgain tests a connection and comes back to the result.
func (w *web) testAgain(r *http.Request) (string, *notice, error) {
	tenant, id := tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id")
	to := tenantAt(tenant, "connections", id, "tested")
	c, err := w.svc.TestConnection(r.Context(), api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: id}})
	if err != nil {
		return to, nil, err
	}
	return to, tested(c), nil
}

// chooseProducts switches a product on or off, and comes back to Browse.
func (w *web) chooseProducts(r *http.Request) (string, *notice, error) {
	tenant, id := tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id")
	in := api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: id}}
	c, err := w.svc.GetConnection(r.Context(), in.ByID)
	if err != nil {
		return "/browse", nil, err
	}
	product, word := r.PostFormValue("product"), "on"
	products := slices.DeleteFunc(slices.Clone(c.Products), func(p string) bool { return p == product })
	if r.PostFormValue("on") == "yes" {
		products = append(products, product)
	} else {
		word = "off"
	}
	if _, err := w.svc.ChooseProducts(r.Context(), api.ChooseIn{ByIDAct: in, Body: api.Choice{Products: products}}); err != nil {
		return "/browse", nil, err
	}
	// What is switched on is judged at once; that it cannot be is said by the connection itself.
	_, _ = w.svc.TestConnection(r.Context(), in)
	return "/browse", &notice{Kind: "good", What: productTitle(product) + " is switched " + word + "."}, nil
}

// productVerdicts are the capabilities of a product, as a connection has them.
type productVerdicts struct {
	connect.ProductTitle
	Capabilities []api.Capability
	On           bool
}

// verdictsOf are a connection's capabilities by product; what the product has nothing of yet is left out.
func verdictsOf(c api.Connection) []productVerdicts {
	var out []productVerdicts
	c.Capabilities = asItStands(c)
	for _, t := range connect.Products {
		v := productVerdicts{ProductTitle: t, On: slices.Contains(c.Products, string(t.Product))}
		for _, k := range connect.Capabilities {
			if k.Product != t.Product || string(k.Tier) != c.Tier {
				continue
			}
			i := slices.IndexFunc(c.Capabilities, func(x api.Capability) bool { return x.Name == k.Name })
			if i >= 0 {
				v.Capabilities = append(v.Capabilities, c.Capabilities[i])
			}
		}
		out = append(out, v)
	}
	return out
}

func productTitle(name string) string {
	for _, t := range connect.Products {
		if string(t.Product) == name {
			return t.Title
		}
	}
	return sentence(name)
}

// browse shows the products that can be connected, and how the viewer's tenant has them.
func (w *web) browse(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	var c *api.Connection
	if p.Tenant != nil {
		list, err := w.svc.ListConnections(r.Context(), api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}})
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			if x := &list.Items[i]; x.Tier == string(connect.Read) && (c == nil || c.State != "on" && x.State == "on") {
				c = x
			}
		}
	}
	cards := verdictsOf(api.Connection{})
	if c != nil {
		cards = verdictsOf(*c)
	}
	return browsePage(p, c, cards), nil
}

// registrations shows the app registrations of the installation, and how to make them.
func (w *web) registrations(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	return w.registrationsOf(r, p, r.URL.Query().Get("tier"), api.RegistrationNew{Cloud: "global"}, "secret", nil)
}

func (w *web) registrationsOf(r *http.Request, p *page, tier string, in api.RegistrationNew, method string, refused *notice) (templ.Component, error) {
	list, err := w.svc.ListRegistrations(r.Context(), api.RegistrationsIn{})
	if err != nil {
		return nil, err
	}
	t, err := connect.ParseTier(tier)
	if err != nil {
		return nil, err
	}
	var lost *tocsin.Problem
	g, err := w.svc.GuideConnection(r.Context(), api.GuideIn{Tier: string(t), Way: string(connect.ByOAuth), Cloud: in.Cloud})
	if err != nil {
		lost = tocsin.AsProblem(err)
	}
	var have *api.Registration
	for i := range list.Items {
		if list.Items[i].Tier == string(t) {
			have = &list.Items[i]
		}
	}
	if have != nil && refused == nil { // another credential of the same app; of its cloud only the authority's certificate is not given back
		in.Cloud, in.Authority, in.Graph = have.Cloud, have.Authority, have.Graph
	}
	return registrationsPage(p, t, have, g, lost, in, method, refused), nil
}

// registrationDo enters an app registration; what is refused is shown with what was typed, but for secrets.
func (w *web) registrationDo(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	r.Body = http.MaxBytesReader(rw, r.Body, 256<<10)
	f := r.FormValue
	tier := f("tier")
	to := with("/settings/registrations", "tier", tier)
	if f("do") == "delete" {
		n := &notice{Kind: "good", What: "The app registration and its credential are forgotten."}
		if _, err := w.svc.DeleteRegistration(r.Context(), api.RegistrationIn{Tier: tier}); err != nil {
			w.note(r, err)
			problem := tocsin.AsProblem(err)
			n = &notice{Kind: "bad", What: problem.What, Do: problem.Do}
		}
		w.leaveNotice(rw, n)
		http.Redirect(rw, r, local(to), http.StatusSeeOther)
		return nil, nil
	}
	in := api.RegistrationNew{ClientID: trim(f("client_id")), Cloud: f("cloud")}
	if f("method") == "certificate" {
		in.Certificate = f("certificate")
	} else {
		in.Secret = trim(f("client_secret"))
	}
	if in.Cloud == "own" {
		in.Authority, in.Graph, in.CA = trim(f("authority")), trim(f("graph")), f("ca")
	}
	_, err := w.svc.SetRegistration(r.Context(), api.SetRegistrationIn{RegistrationIn: api.RegistrationIn{Tier: tier}, Body: in})
	if err != nil {
		w.note(r, err)
		problem := tocsin.AsProblem(err)
		in.Secret, in.Certificate = "", ""
		c, bad := w.registrationsOf(r, p, tier, in, f("method"), &notice{Kind: "bad", What: problem.What, Do: problem.Do})
		if bad != nil {
			return nil, err
		}
		w.render(rw, r, api.StatusOf(err), c)
		return nil, nil
	}
	w.leaveNotice(rw, &notice{Kind: "good", What: "The app registration is entered.", Do: "Tenants can be connected by signing in now: Connections → Browse."})
	http.Redirect(rw, r, local(to), http.StatusSeeOther)
	return nil, nil
}

// methodWord is how a connection proves itself, for people.
func methodWord(method string) string {
	switch method {
	case connect.MethodOAuth:
		return "By consent, with the installation's app registration"
	case "certificate":
		return "Certificate, its key sealed at rest"
	}
	return "Client secret, sealed at rest"
}

// tierWord is a tier for people.
func tierWord(t string) string {
	switch connect.Tier(t) {
	case connect.Respond:
		return "Respond: act on what was found"
	case connect.Investigate:
		return "Mail: search every mailbox and take mail out"
	case connect.Inbox:
		return "Inbox: shared mailboxes as a team's"
	case connect.Privileged:
		return "Privileged: passwords, methods, roles, applications"
	}
	return "Read: collect and judge"
}

// rich shows text of ours in which `backticks` stand around what is typed and **stars** around what is clicked.
func rich(s string) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		for i, part := range strings.Split(s, "**") {
			if i%2 == 0 {
				if err := prose(part).Render(ctx, w); err != nil {
					return err
				}
				continue
			}
			if _, err := io.WriteString(w, "<strong>"); err != nil {
				return err
			}
			if err := prose(part).Render(ctx, w); err != nil {
				return err
			}
			if _, err := io.WriteString(w, "</strong>"); err != nil {
				return err
			}
		}
		return nil
	})
}

// methodShort is the same in a word.
func methodShort(method string) string {
	if method == connect.MethodOAuth {
		return "Consent"
	}
	return sentence(method)
}

// chooseAgain is the address of the first step, with what was chosen.
func chooseAgain(z wizard) string {
	q := url.Values{"tier": {string(z.Tier)}}
	for _, k := range z.Products {
		q.Add("for", string(k))
	}
	return "/connect?" + q.Encode()
}

func productTitles(list []connect.Product) string {
	var names []string
	for _, k := range list {
		names = append(names, productTitle(string(k)))
	}
	return strings.Join(names, ", ")
}

func productNames(list []string) string {
	var out []connect.Product
	for _, t := range connect.Products {
		if slices.Contains(list, string(t.Product)) {
			out = append(out, t.Product)
		}
	}
	return productTitles(out)
}

// productAsks are the permissions that a product's own capabilities need to be read.
func productAsks(k connect.Product) []connect.Asked {
	return slices.DeleteFunc(connect.Asks(connect.Read, []connect.Product{k}), func(a connect.Asked) bool {
		return !slices.ContainsFunc(a.For, func(c connect.Capability) bool { return c.Product == k })
	})
}

func tierCapabilities(list []productVerdicts) []api.Capability {
	var out []api.Capability
	for _, v := range list {
		out = append(out, v.Capabilities...)
	}
	return out
}

// lackingAny says whether a capability is not whole that a grant could make so.
func lackingAny(list []productVerdicts) bool {
	return slices.ContainsFunc(tierCapabilities(list), func(k api.Capability) bool { return k.State != "works" && strings.Contains(k.Because, "not granted") })
}

func wayOf(c api.Connection) string {
	if c.Method == connect.MethodOAuth {
		return string(connect.ByOAuth)
	}
	return string(connect.ByCredentials)
}

// registeredID is the client id to begin with: as typed, else as entered.
func registeredID(in api.RegistrationNew, have *api.Registration) string {
	if in.ClientID == "" && have != nil {
		return have.ClientID
	}
	return in.ClientID
}
