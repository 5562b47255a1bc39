package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
)

// connectionView is what the page of a connection shows.
type connectionView struct {
	C      api.Connection
	Groups []capabilityGroup
	// Other says what a connection of the other tier is for, where this one has nothing of it; Twin is that, where there is one.
	Other string
	Twin  *api.Connection
	Watch *api.StreamSettings
}

// capabilityGroup is a product's capabilities: those of this version, and those that a later one will have.
type capabilityGroup struct {
	connect.ProductTitle
	On         bool
	Now, Later []api.Capability
}

func (w *web) connection(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	c, err := w.svc.GetConnection(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	all, err := w.svc.ListConnections(r.Context(), api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}})
	if err != nil {
		return nil, err
	}
	p.Title = c.Name
	v := viewOf(c, all.Items)
	watch, err := w.svc.StreamSettingsOf(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: c.ID})
	v.Watch = &watch
	return connectionPage(p, v), err
}

// viewOf puts a connection's capabilities under their products. Those to act stand with one to read where one of them works
// here: an app registration may serve both.
func viewOf(c api.Connection, all []api.Connection) connectionView {
	c.Capabilities = asItStands(c)
	v := connectionView{C: c}
	works := map[connect.Tier]bool{}
	for _, k := range c.Capabilities {
		if tier := tierOf(k.Name); (tier.Acts() || tier == connect.Investigate) && k.State != string(connect.Off) {
			works[tier] = true
		}
	}
	for _, t := range connect.Products {
		g := capabilityGroup{ProductTitle: t, On: slices.Contains(c.Products, string(t.Product))}
		for _, k := range connect.Capabilities {
			if i := indexOf(c.Capabilities, k.Name); k.Product == t.Product && i >= 0 && shownWith(k, c.Capabilities[i], connect.Tier(c.Tier), works) {
				g.Now = append(g.Now, c.Capabilities[i])
			}
		}
		for _, k := range connect.Later {
			if i := indexOf(c.Later, k.Name); k.Product == t.Product && i >= 0 && k.Tier == connect.Tier(c.Tier) {
				g.Later = append(g.Later, c.Later[i])
			}
		}
		if len(g.Now)+len(g.Later) > 0 {
			v.Groups = append(v.Groups, g)
		}
	}
	other := connect.Tier(v.otherTier())
	if works[other] || connect.Tier(c.Tier) == connect.Investigate {
		return v
	}
	v.Other = "This connection reads only. To act, to revoke sessions or to stop a rule, takes an app registration and a consent of its own."
	if other == connect.Read {
		v.Other = "This connection acts only. To read takes an app registration and a consent of its own."
	}
	for i := range all {
		if x := &all[i]; x.ID != c.ID && x.Tier == string(other) && x.State != connect.Closed {
			v.Twin = x
			v.Other = "This connection reads only; acting goes by another."
			if other == connect.Read {
				v.Other = "This connection acts only; reading goes by another."
			}
		}
	}
	return v
}

// shownWith says whether a capability stands with a connection: what its tier is for, what works here of another tier; and of
// what a mail configuration may read besides, what it does read.
func shownWith(k connect.Capability, is api.Capability, tier connect.Tier, works map[connect.Tier]bool) bool {
	if tier == connect.Investigate {
		return k.Tier == tier || tier.Has(k) && (is.State != string(connect.Off) || k.Name == connect.MessagesMove)
	}
	return k.Tier == tier || works[k.Tier]
}

// asItStands gives a connection's capabilities as they stand now: what worked is stopped while the connection does not.
func asItStands(c api.Connection) []api.Capability {
	if c.State == connect.On {
		return c.Capabilities
	}
	out := slices.Clone(c.Capabilities)
	for i := range out {
		if out[i].State != string(connect.Off) {
			out[i].State, out[i].Because, out[i].Mend = "stopped", "", ""
		}
	}
	return out
}

// sources are what is read, by name. Of a connection that does not work itself they do not each say why.
func (v connectionView) sources() []api.Source {
	out := slices.Clone(v.C.Sources)
	for i := range out {
		if v.C.State == connect.Broken && out[i].State == "failed" {
			out[i].Because, out[i].Mend = "", ""
		}
	}
	return out
}

func tierOf(capability string) connect.Tier {
	for _, c := range connect.Capabilities {
		if c.Name == capability {
			return c.Tier
		}
	}
	return connect.Read
}

func indexOf(list []api.Capability, name string) int {
	return slices.IndexFunc(list, func(k api.Capability) bool { return k.Name == name })
}

func (v connectionView) otherTier() string {
	if connect.Tier(v.C.Tier).Acts() {
		return string(connect.Read)
	}
	return string(connect.Respond)
}

// asks says whether something is asked of Microsoft by it.
func (v connectionView) asks() bool { return v.C.State == connect.On || v.C.State == connect.Broken }

// shown are the capabilities that stand on the page.
func (v connectionView) shown() []api.Capability {
	var out []api.Capability
	for _, g := range v.Groups {
		out = append(out, g.Now...)
	}
	return out
}

// lacking are the capabilities that are less than whole for want of a grant, each with its state. What a connection may well
// do without is no fault, and is left out.
func (v connectionView) lacking() (out []string) {
	for _, k := range v.shown() {
		i := slices.IndexFunc(connect.Capabilities, func(c connect.Capability) bool { return c.Name == k.Name })
		if k.State != string(connect.Works) && strings.Contains(k.Because, "not granted") && i >= 0 && !connect.Capabilities[i].Optional {
			out = append(out, capabilityTitle(k.Name)+" ("+k.State+")")
		}
	}
	return out
}

func (v connectionView) scopeWarning() string {
	if v.C.Method == connect.MethodOAuth {
		return "The consent was to less than what was asked for."
	}
	return "Less is granted to the app registration than what it needs."
}

// endsSoon says that the credential ends within a month, or has.
func (v connectionView) endsSoon(ctx context.Context) string {
	if !v.asks() || v.C.Method == connect.MethodOAuth {
		return ""
	}
	switch step := connect.DueStep(v.C.Expires, lookOf(ctx).now); step {
	case "":
		return ""
	case "expired":
		return "The credential has ended on " + day(ctx, v.C.Expires) + "."
	}
	return "The credential ends on " + day(ctx, v.C.Expires) + ", " + ago(ctx, v.C.Expires) + "."
}

func (v connectionView) endsMend() string {
	if v.C.Method == "certificate" {
		return "Add another certificate to the app registration in Entra, and rotate to it here."
	}
	return "Make another client secret in Entra (App registrations → the app → Certificates & secrets), and rotate to it here."
}

// becauseOf is why a capability is as it is, and what that costs: what cannot be seen or done.
func becauseOf(k api.Capability) (because, cost string) {
	because = k.Because
	for _, c := range connect.Capabilities {
		if c.Name != k.Name {
			continue
		}
		if b, ok := strings.CutSuffix(because, c.Cost); ok && c.Cost != "" {
			return strings.TrimSpace(b), c.Cost
		}
		if b, ok := strings.CutSuffix(because, ": "+c.Lost+"."); ok && c.Lost != "" {
			return b + ".", strings.ToUpper(c.Lost[:1]) + c.Lost[1:] + "."
		}
	}
	return because, ""
}

// laterWord says of a capability that a later version has whether it is granted already.
func laterWord(k api.Capability) string {
	return strings.TrimSpace(strings.TrimPrefix(k.Because, "This version of Tocsin does not have it yet."))
}

// endKnownBy says who told when a credential ends.
func endKnownBy(by string) string {
	return map[string]string{"entered": "as it was entered here", "read": "as the app registration says", "certificate": "as the certificate says"}[by]
}

// dateOf is a day as a form's field has it.
func dateOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// connectionEdit is what a form changes of a connection.
func connectionEdit(r *http.Request) (api.ConnectionEdit, error) {
	version, err := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
	if err != nil {
		return api.ConnectionEdit{}, tocsin.Problemf(tocsin.Invalid, "Use the buttons of the page.", "The version is missing.")
	}
	name, only := r.PostFormValue("name"), slices.Contains(r.PostForm["metadata_only"], "yes")
	edit := api.ConnectionEdit{Version: version, Name: &name, MetadataOnly: &only}
	if _, there := r.PostForm["expires"]; there {
		expires := r.PostFormValue("expires")
		edit.Expires = &expires
	}
	return edit, nil
}

// connectionDo does something to a connection.
func (w *web) connectionDo(r *http.Request) (string, *notice, error) {
	tenant, id := tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id")
	in := api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: id}}
	to := tenantAt(tenant, "connections", id)
	switch r.PathValue("do") {
	case "test":
		c, err := w.svc.TestConnection(r.Context(), in)
		if err != nil {
			return to, nil, err
		}
		return to, tested(c), nil
	case "pause":
		_, err := w.svc.PauseConnection(r.Context(), in)
		return to, &notice{Kind: "good", What: "Paused: no call is made to Microsoft."}, err
	case "resume":
		_, err := w.svc.ResumeConnection(r.Context(), in)
		return to, &notice{Kind: "good", What: "Resumed: it is read again."}, err
	case "rotate", "reopen":
		act, say := w.svc.RotateConnection, "The new credential is proven and at work; the old one can be removed from the app registration."
		if r.PathValue("do") == "reopen" {
			act, say = w.svc.ReopenConnection, "It is open again, with its history."
		}
		_, err := act(r.Context(), api.RotateIn{ByIDAct: in, Body: api.CredentialNew{Secret: trim(r.PostFormValue("client_secret")), Certificate: trim(r.PostFormValue("certificate")), Expires: r.PostFormValue("expires")}})
		return to, &notice{Kind: "good", What: say}, err
	case "edit":
		edit, err := connectionEdit(r)
		if err != nil {
			return to, nil, err
		}
		c, err := w.svc.EditConnection(r.Context(), api.EditConnectionIn{ByIDAct: in, Body: edit})
		say := "Kept. Content may be read, where something asks for it."
		if c.MetadataOnly {
			say = "Kept. It reads metadata only: calls that read content are refused."
		}
		return to, &notice{Kind: "good", What: say}, err
	case "close":
		what := r.PostFormValue("what")
		_, err := w.svc.CloseConnection(r.Context(), api.CloseIn{ByIDAct: in, Body: api.Closing{What: what, Confirm: r.PostFormValue("confirm")}})
		if err != nil {
			return to, nil, err
		}
		if what == "erase" {
			return "/", &notice{Kind: "good", What: "Disconnected. Everything kept of the tenant is being erased."}, nil
		}
		return to, &notice{Kind: "good", What: "Disconnected: nothing is asked of Microsoft any more."}, nil
	}
	return to, nil, tocsin.Problemf(tocsin.NotFound, "Use the buttons of the page.", "There is nothing of that name to do.")
}

// tested says how a test went.
func tested(c api.Connection) *notice {
	if c.State == "failed" || c.State == "broken" {
		return &notice{Kind: "bad", What: nameOr(c.Because, "The credentials do not work."), Do: c.Mend}
	}
	lacking := 0
	for _, k := range c.Capabilities {
		if k.State != "works" && k.State != "on" && !connect.Acts(k.Name) {
			lacking++
		}
	}
	if lacking > 0 {
		return &notice{Kind: "good", What: "The credentials work.", Do: plural(lacking, "capability is", "capabilities are") + " not whole; each says why below."}
	}
	return &notice{Kind: "good", What: "The credentials work, and all that is asked for is granted."}
}
