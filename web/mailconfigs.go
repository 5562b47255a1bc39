package web

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
)

// mailForm is the form of a mail configuration: as it is, or as it was typed; secrets are not.
type mailForm struct {
	In      api.MailConfigurationNew
	Method  string
	Refused *notice
	Guide   api.Guide
}

// mailConfigs lists the tenant's mail configurations, each with how its last test went.
func (w *web) mailConfigs(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	list, err := w.svc.ListMailConfigurations(r.Context(), api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}})
	return mailConfigsPage(p, list.Items), err
}

func (w *web) mailConfigNew(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	if !p.connects() {
		return nil, errMayNotConnect
	}
	f := mailForm{In: api.MailConfigurationNew{Tenant: trim(r.URL.Query().Get("tenant")), Cloud: "global"}, Method: "secret"}
	return w.mailFormShown(r, p, f)
}

func (w *web) mailFormShown(r *http.Request, p *page, f mailForm) (c templ.Component, err error) {
	f.Guide, err = w.svc.GuideConnection(r.Context(), api.GuideIn{Tier: string(connect.Investigate), Way: string(connect.ByCredentials)})
	return mailNewPage(p, f), err
}

// typedReach is where a form says that a mail configuration may search and act.
func typedReach(r *http.Request) (domains []string, all bool) {
	if r.PostFormValue("reach") == "all" {
		return []string{}, true
	}
	return strings.FieldsFunc(r.PostFormValue("domains"), func(r rune) bool { return strings.ContainsRune(",; \t\r\n", r) }), false
}

// mailConfigAdd makes a mail configuration and tests it; what is refused is shown with what was typed, but for secrets.
func (w *web) mailConfigAdd(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	r.Body = http.MaxBytesReader(rw, r.Body, 256<<10)
	f := r.FormValue
	in := api.MailConfigurationNew{Name: trim(f("name")), Tenant: trim(f("tenant")), ClientID: trim(f("client_id")), Cloud: f("cloud"), TestAddress: trim(f("test_address")), Expires: trim(f("expires"))}
	in.Domains, in.AllDomains = typedReach(r)
	if f("method") == "certificate" {
		in.Certificate = f("certificate")
	} else {
		in.Secret = trim(f("client_secret"))
	}
	if in.Cloud == "own" {
		in.Authority, in.Graph, in.CA = trim(f("authority")), trim(f("graph")), f("ca")
	}
	m, err := w.svc.CreateMailConfiguration(r.Context(), api.CreateMailConfigurationIn{Body: in})
	if err != nil {
		w.note(r, err)
		problem := tocsin.AsProblem(err)
		in.Secret, in.Certificate = "", ""
		shown, bad := w.mailFormShown(r, p, mailForm{In: in, Method: f("method"), Refused: &notice{Kind: "bad", What: problem.What, Do: problem.Do}})
		if bad != nil {
			return nil, bad
		}
		w.render(rw, r, api.StatusOf(err), shown)
		return nil, nil
	}
	said := &notice{Kind: "good", What: "The mail configuration “" + m.Name + "” was made."}
	if tested, err := w.svc.TestMailConfiguration(r.Context(), mailAct(m.Tenant, m.ID)); err == nil {
		said = mailTested(tested)
	} else {
		said.Do = "Test it: " + tocsin.AsProblem(err).What
	}
	w.leaveNotice(rw, said)
	http.Redirect(rw, r, tenantAt(m.Tenant, "mail-configurations", m.ID), http.StatusSeeOther)
	return nil, nil
}

func mailAct(tenant tocsin.TenantID, id string) api.ByIDAct {
	return api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: id}}
}

// mailTested says how a test went.
func mailTested(m api.MailConfiguration) *notice {
	if m.State == "passed" {
		return &notice{Kind: "good", What: "The test passed: “" + m.Name + "” may do all that an investigation does."}
	}
	return &notice{Kind: "bad", What: "The test failed. " + m.Because, Do: m.Mend}
}

func (w *web) mailConfig(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	m, err := w.svc.GetMailConfiguration(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	p.Title = m.Name
	return mailConfigPage(p, m, nil), nil
}

// mailConfigEdit changes a mail configuration; what is refused is shown with what was typed, but for secrets.
func (w *web) mailConfigEdit(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	r.Body = http.MaxBytesReader(rw, r.Body, 256<<10)
	f := r.FormValue
	act := mailAct(p.Tenant.ID, r.PathValue("id"))
	name, address := trim(f("name")), trim(f("test_address"))
	domains, all := typedReach(r)
	version, _ := strconv.ParseInt(f("version"), 10, 64) // what is no number is no version
	m, err := w.svc.EditMailConfiguration(r.Context(), api.EditMailConfigurationIn{ByIDAct: act, Body: api.MailConfigurationEdit{Version: version, Name: &name, TestAddress: &address, AllDomains: &all, Domains: &domains,
		Secret: trim(f("client_secret")), Certificate: f("certificate"), Expires: trim(f("expires"))}})
	if err != nil {
		w.note(r, err)
		problem := tocsin.AsProblem(err)
		m, lost := w.svc.GetMailConfiguration(r.Context(), act.ByID)
		if lost != nil {
			return nil, err
		}
		p.Title = m.Name
		m.Name, m.TestAddress, m.Domains, m.AllDomains = name, address, domains, all
		w.render(rw, r, api.StatusOf(err), mailConfigPage(p, m, &notice{Kind: "bad", What: problem.What, Do: problem.Do}))
		return nil, nil
	}
	said := &notice{Kind: "good", What: "The mail configuration was changed."}
	if m.State == "untested" {
		said.Do = "Test it."
	}
	w.leaveNotice(rw, said)
	http.Redirect(rw, r, p.at("mail-configurations", m.ID), http.StatusSeeOther)
	return nil, nil
}

// mailConfigDo tests, resumes or deletes a mail configuration.
func (w *web) mailConfigDo(r *http.Request) (string, *notice, error) {
	tenant, id := tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id")
	in := mailAct(tenant, id)
	to := tenantAt(tenant, "mail-configurations", id)
	switch r.PathValue("do") {
	case "test":
		if r.PostFormValue("from") == "list" {
			to = tenantAt(tenant, "mail-configurations")
		}
		m, err := w.svc.TestMailConfiguration(r.Context(), in)
		if err != nil {
			return to, nil, err
		}
		return to, mailTested(m), nil
	case "resume":
		_, err := w.svc.ResumeConnection(r.Context(), in)
		return to, &notice{Kind: "good", What: "The connection goes on."}, err
	case "delete":
		m, err := w.svc.GetMailConfiguration(r.Context(), in.ByID)
		if err != nil {
			return to, nil, err
		}
		if trim(r.PostFormValue("confirm")) != m.Name {
			return to, nil, tocsin.Problemf(tocsin.Invalid, "Write its name as it is shown.", "The name does not confirm it; nothing was deleted.")
		}
		_, err = w.svc.DeleteMailConfiguration(r.Context(), in)
		return tenantAt(tenant, "mail-configurations"), &notice{Kind: "good", What: "The mail configuration “" + m.Name + "” was deleted, with its connection and credential."}, err
	}
	return to, nil, tocsin.Problemf(tocsin.NotFound, "Use the buttons of the page.", "There is nothing of that name to do.")
}

// mailWords are the states of a mail configuration and of a step of its test: mark and word.
var mailWords = map[string][2]string{"passed": {"ok", "Passed"}, "failed": {"bad", "Failed"}, "untested": {"unknown", "Not tested"}, "testing": {"busy", "Being tested"}, "skipped": {"off", "Not tried"}}

func mailState(m string) [2]string {
	if w, ok := mailWords[m]; ok {
		return w
	}
	if w, ok := stateWords[m]; ok {
		return w
	}
	return [2]string{"bad", "Broken"}
}

// mailReach says in a line in whose mailboxes a mail configuration may search and act.
func mailReach(m api.MailConfiguration) string {
	if m.AllDomains {
		return "Every mailbox of the tenant"
	}
	if n := len(m.Domains); n > 3 {
		return strings.Join(m.Domains[:3], ", ") + " and " + plural(n-3, "more", "more")
	}
	return strings.Join(m.Domains, ", ")
}
