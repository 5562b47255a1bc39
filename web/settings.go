package web

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
)

func trim(s string) string { return strings.TrimSpace(s) }

func (w *web) settings(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	to := "/settings/you"
	if p.Tenant != nil {
		to = p.at("settings", "organisation")
	}
	http.Redirect(rw, r, to, http.StatusSeeOther)
	return nil, nil
}

func (w *web) organisation(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	var partners []api.Partner
	for in := (api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}}); ; {
		got, err := w.svc.ListPartners(r.Context(), in)
		if err != nil {
			return nil, err
		}
		partners = append(partners, got.Items...)
		if in.After = got.Next; in.After == "" {
			break
		}
	}
	o, err := w.svc.Overview(r.Context(), api.In{Tenant: p.Tenant.ID})
	if err != nil {
		return nil, err
	}
	return organisationPage(p, o.Tenant.Domains, partners), nil
}

// partnerAsked is what the form asks for.
func partnerAsked(r *http.Request) (api.CreatePartnerIn, error) {
	f := r.PostFormValue
	until, err := formDay(r, "until")
	return api.CreatePartnerIn{In: api.In{Tenant: tocsin.TenantID(r.PathValue("tenant"))},
		Body: api.PartnerNew{Domain: trim(f("domain")), Owner: trim(f("owner")), Reason: trim(f("reason")), Expires: until}}, err
}

func (w *web) partnerCheck(r *http.Request) error {
	in, err := partnerAsked(r)
	if err == nil {
		err = w.svc.CheckPartner(r.Context(), in)
	}
	return err
}

func (w *web) partnerAdd(r *http.Request) (string, *notice, error) {
	to := tenantAt(tocsin.TenantID(r.PathValue("tenant")), "settings", "organisation")
	in, err := partnerAsked(r)
	if err != nil {
		return to, nil, err
	}
	_, err = w.svc.CreatePartner(r.Context(), in)
	return to, &notice{Kind: "good", What: in.Body.Domain + " is trusted from now on."}, err
}

func (w *web) partnerDelete(r *http.Request) (string, *notice, error) {
	tenant := tocsin.TenantID(r.PathValue("tenant"))
	_, err := w.svc.DeletePartner(r.Context(), api.PartnerIn{In: api.In{Tenant: tenant}, Domain: r.PostFormValue("domain")})
	return tenantAt(tenant, "settings", "organisation"), &notice{Kind: "good", What: r.PostFormValue("domain") + " counts as outside again."}, err
}

func (w *web) exceptions(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	xs, err := w.svc.ListExceptions(r.Context(), api.ExceptionsIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")}, Expired: on(q, "expired")})
	if err != nil {
		return nil, err
	}
	ds, err := w.catalogue(r, p.Tenant.ID)
	if err != nil {
		return nil, err
	}
	return exceptionsPage(p, xs, onward(p.at("settings", "exceptions"), kept(r), xs.Next), ds, on(q, "expired")), nil
}

// exceptionAsked is what the form asks for.
func exceptionAsked(r *http.Request) (api.CreateExceptionIn, error) {
	f := r.PostFormValue
	until, err := formDay(r, "until")
	return api.CreateExceptionIn{In: api.In{Tenant: tocsin.TenantID(r.PathValue("tenant"))}, Body: api.ExceptionNew{Rule: f("rule"), Scope: f("scope"),
		Value: trim(f("value")), Owner: trim(f("owner")), Reason: trim(f("reason")), Expires: until}}, err
}

func (w *web) exceptionCheck(r *http.Request) error {
	in, err := exceptionAsked(r)
	if err == nil {
		err = w.svc.CheckException(r.Context(), in)
	}
	return err
}

func (w *web) exceptionAdd(r *http.Request) (string, *notice, error) {
	to := tenantAt(tocsin.TenantID(r.PathValue("tenant")), "settings", "exceptions")
	in, err := exceptionAsked(r)
	if err != nil {
		return to, nil, err
	}
	_, err = w.svc.CreateException(r.Context(), in)
	return to, &notice{Kind: "good", What: "It is excused from now on."}, err
}

func (w *web) exceptionDelete(r *http.Request) (string, *notice, error) {
	tenant := tocsin.TenantID(r.PathValue("tenant"))
	_, err := w.svc.DeleteException(r.Context(), api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: r.PostFormValue("id")}})
	return tenantAt(tenant, "settings", "exceptions"), &notice{Kind: "good", What: "The exception has ended; what it excused is judged again."}, err
}

func (w *web) accounts(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	as, err := w.svc.ListAccounts(r.Context(), api.AccountsIn{Paging: api.Paging{Limit: pageSize, After: r.URL.Query().Get("after")}})
	if err != nil {
		return nil, err
	}
	return accountsPage(p, as, onward("/settings/accounts", kept(r), as.Next)), nil
}

func (w *web) accountAdd(r *http.Request) (string, *notice, error) {
	f := r.PostFormValue
	a, err := w.svc.CreateAccount(r.Context(), api.CreateAccountIn{Body: api.AccountNew{Email: trim(f("email")), Name: trim(f("name")), Password: f("password"), Role: api.Role(f("role")), On: f("on")}})
	return "/settings/accounts", &notice{Kind: "good", What: a.Email + " may sign in."}, err
}

// accountDo gives or takes a role, shuts an account out or lets it in again.
func (w *web) accountDo(r *http.Request) (string, *notice, error) {
	f, in := r.PostFormValue, api.AccountIn{ID: r.PostFormValue("id")}
	const to = "/settings/accounts"
	switch r.PathValue("do") {
	case "grant":
		a, err := w.svc.Grant(r.Context(), api.GrantIn{AccountIn: in, Body: api.GrantNew{On: f("on"), Role: api.Role(f("role"))}})
		return to, &notice{Kind: "good", What: a.Email + " has the role " + f("role") + " now."}, err
	case "revoke":
		a, err := w.svc.Revoke(r.Context(), api.RevokeIn{AccountIn: in, On: f("on")})
		return to, &notice{Kind: "good", What: "The role was taken from " + a.Email + "."}, err
	case "disable":
		if f("in") == "yes" {
			a, err := w.svc.EnableAccount(r.Context(), in)
			return to, &notice{Kind: "good", What: a.Email + " may sign in again."}, err
		}
		a, err := w.svc.DisableAccount(r.Context(), in)
		return to, &notice{Kind: "good", What: a.Email + " is shut out, with all sessions and tokens."}, err
	}
	return to, nil, tocsin.Problemf(tocsin.NotFound, "Use the buttons of the page.", "There is nothing of that name to do.")
}

func (w *web) tokens(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	return w.tokenList(r, p, nil)
}

func (w *web) tokenList(r *http.Request, p *page, made *api.Token) (templ.Component, error) {
	after := ""
	if r.Method == http.MethodGet {
		after = r.URL.Query().Get("after")
	}
	ts, err := w.svc.ListTokens(r.Context(), api.TokensIn{Paging: api.Paging{Limit: pageSize, After: after}})
	if err != nil {
		return nil, err
	}
	return tokensPage(p, ts, onward("/settings/tokens", nil, ts.Next), made), nil
}

// tokenAdd makes a token and shows it, this once: it goes into no cookie and no address.
func (w *web) tokenAdd(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	r.Body = http.MaxBytesReader(rw, r.Body, 64<<10)
	days, _ := strconv.Atoi(r.FormValue("days")) // what is no number is 0, the usual
	t, err := w.svc.CreateToken(r.Context(), api.CreateTokenIn{Body: api.TokenNew{Name: trim(r.FormValue("name")), Role: api.Role(r.FormValue("role")), On: r.FormValue("on"), Days: days}})
	if err != nil {
		problem := tocsin.AsProblem(err)
		w.note(r, err)
		p.Notice = &notice{Kind: "bad", What: problem.What, Do: problem.Do}
		return w.tokenList(r, p, nil)
	}
	return w.tokenList(r, p, &t)
}

func (w *web) tokenRevoke(r *http.Request) (string, *notice, error) {
	_, err := w.svc.RevokeToken(r.Context(), api.TokenIn{ID: r.PostFormValue("id")})
	return "/settings/tokens", &notice{Kind: "good", What: "The token has ended."}, err
}

func (w *web) you(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	list, err := w.svc.ListSessions(r.Context(), api.SessionsIn{Paging: api.Paging{Limit: pageSize}})
	if err != nil {
		return nil, err
	}
	return youPage(p, nil, list.Items), nil
}

func (w *web) password(r *http.Request) (string, *notice, error) {
	_, err := w.svc.ChangePassword(r.Context(), api.PasswordIn{Body: api.PasswordChange{Old: r.PostFormValue("old"), New: r.PostFormValue("new")}})
	return "/settings/you", &notice{Kind: "good", What: "The password was changed; other sessions have ended."}, err
}

// factorBegin shows the secret of a second factor, this once.
func (w *web) factorBegin(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	e, err := w.svc.EnrolTOTP(r.Context(), api.NoInput{})
	if err != nil {
		return nil, err
	}
	return youPage(p, &e, nil), nil
}

func (w *web) factorDo(r *http.Request) (string, *notice, error) {
	in := api.CodeIn{Body: api.Code{Code: digits(r.PostFormValue("code"))}}
	const to = "/settings/you"
	switch r.PathValue("do") {
	case "confirm":
		_, err := w.svc.ConfirmTOTP(r.Context(), in)
		return to, &notice{Kind: "good", What: "The second factor is on: a code is asked for at every sign-in."}, err
	case "remove":
		_, err := w.svc.RemoveTOTP(r.Context(), in)
		return to, &notice{Kind: "good", What: "The second factor was removed."}, err
	}
	return to, nil, tocsin.Problemf(tocsin.NotFound, "Use the buttons of the page.", "There is nothing of that name to do.")
}
