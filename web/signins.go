package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
)

// signInsView is what the page of sign-ins shows.
type signInsView struct {
	Query  url.Values
	In     api.SignInsIn
	Person string // the name of the person that is filtered by
	Page   api.Page[api.EntraSignIn]
	Off    *api.Capability // why none are read; nil where they are
}

// signInFilters are what the list can be narrowed by, besides the time.
var signInFilters = []string{"person", "actor", "app", "ip", "country", "city", "kind", "result", "mfa", "risk", "session"}

func (v signInsView) filtered() bool {
	for _, k := range append([]string{"since", "until", "after"}, signInFilters...) {
		if v.Query.Get(k) != "" {
			return true
		}
	}
	return false
}

// chips are the filters that are no fields of the form: each with its words.
func (v signInsView) chips() (out [][2]string) {
	for _, k := range [][2]string{{"person", v.Person}, {"app", ""}, {"country", ""}, {"city", ""}, {"session", "One session"}} {
		if value := v.Query.Get(k[0]); value != "" {
			out = append(out, [2]string{k[0], nameOr(k[1], value)})
		}
	}
	return out
}

func (w *web) signIns(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	is := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	v := signInsView{Query: kept(r), In: api.SignInsIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")}, Person: tocsin.PersonID(is("person")), Actor: is("actor"),
		App: is("app"), IP: is("ip"), Country: is("country"), City: is("city"), Kind: is("kind"), Result: is("result"), MFA: is("mfa"), Risk: is("risk"), Session: is("session"), Since: dayOf(q.Get("since"))}}
	if until := dayOf(q.Get("until")); !until.IsZero() {
		v.In.Until = until.AddDate(0, 0, 1) // that day with it
	}
	var err error
	if v.Page, err = w.svc.ListSignIns(r.Context(), v.In); err != nil {
		return nil, err
	}
	if v.In.Person != "" {
		v.Person = w.personName(r, p.Tenant.ID, v.In.Person)
	}
	all, err := w.svc.ListCapabilities(r.Context(), api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}})
	if err != nil {
		return nil, err
	}
	v.Off = capabilityOff(all.Items, "sign-ins", "No connection is there to read them by.")
	return signInsPage(p, v), nil
}

// capabilityOff is why a capability is off; nil where a connection has it.
func capabilityOff(all []api.Capability, name, none string) *api.Capability {
	off := &api.Capability{Because: none, Mend: "Connect the tenant."}
	for _, k := range all {
		if k.Name != name {
			continue
		}
		if k.State != string(connect.Off) {
			return nil
		}
		off = &k
	}
	return off
}

func (w *web) oneSignIn(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	s, err := w.svc.GetSignIn(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	p.Title = "Sign-in of " + s.Actor
	return oneSignInPage(p, s), nil
}

// townOf is where a sign-in came from, as far as that is known.
func townOf(s api.EntraSignIn) string {
	switch {
	case s.City != "" && s.Country != "":
		return s.City + ", " + s.Country
	case s.City != "" || s.Country != "":
		return s.City + s.Country
	}
	return "Place not known"
}

// networkOf is the address, and whose it is.
func networkOf(s api.EntraSignIn) string {
	if s.ASN == "" || s.ASN == "0" {
		return s.IP
	}
	return s.IP + " · AS" + s.ASN
}

// deviceOf is with what somebody signed in.
func deviceOf(s api.EntraSignIn) string {
	var parts []string
	for _, t := range []string{s.Device, s.System, s.Browser} {
		if t != "" {
			parts = append(parts, t)
		}
	}
	return nameOr(strings.Join(parts, " · "), s.Client)
}

// The words of results, factors and kinds; the mark of a result before it.
var (
	signInResults = map[string][2]string{"success": {"ok", "Let in"}, "failure": {"bad", "Refused"}, "interrupted": {"part", "Interrupted"}}
	factorWords   = map[string]string{"asked": "Asked and given", "claim": "Given before", "refused": "Not given", "single": "One factor", "": "Not known"}
	signInKinds   = map[string]string{"interactive": "By the person", "non_interactive": "On the person's behalf", "service_principal": "By an application", "managed_identity": "By a managed identity"}
	policyWords   = map[string]string{"success": "Applied, and met", "failure": "Applied, and not met", "notApplied": "No policy applied", "": "Not known"}
)

// outcome is a result in words, with Microsoft's code where it failed.
func outcome(s api.EntraSignIn) string {
	word := nameOr(signInResults[s.Result][1], s.Result)
	if s.Result != "success" && s.Error != "" {
		word += " (" + s.Error + ")"
	}
	return word
}

// riskWord is Microsoft's risk in words.
func riskWord(risk string) string {
	switch risk {
	case "":
		return "None told"
	case "hidden":
		return "Hidden: needs Entra ID P2"
	}
	return sentence(risk)
}

// degrees is a place on earth as people write it; empty where it is not known.
func degrees(s api.EntraSignIn) string {
	if s.Latitude == nil || s.Longitude == nil {
		return ""
	}
	side := func(v float64, plus, minus string) string {
		if v < 0 {
			return fmt.Sprintf("%.2f° %s", -v, minus)
		}
		return fmt.Sprintf("%.2f° %s", v, plus)
	}
	return side(*s.Latitude, "N", "S") + " " + side(*s.Longitude, "E", "W")
}
