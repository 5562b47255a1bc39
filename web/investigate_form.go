package web

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/investigate"
)

// investigateForm is an investigation as it stands in the form, and its plan once that was asked for.
type investigateForm struct {
	Had     *api.InvestigationDetail // the one that is changed; nil for a new one
	Version string                   // that was looked at
	Name    string
	Said    querySaid
	Made    api.QueryMade // what the query was made from, where it was
	From    string
	Report  string // the reported mail that it begins with

	People, Groups, Departments, Domains string // one a line
	Trigger                              string
	Every, Unit                          string // minutes, hours or days
	Depth                                string
	Then                                 string
	Notice                               bool
	Expiry                               string // a date
	Reason, Note, Connection             string
	Connections                          []api.Connection // to choose from

	Plan *investigate.SearchPlan
	Key  string
}

// oneALine are the entries of a text with one a line.
func oneALine(s string) []string {
	var out []string
	for _, x := range strings.FieldsFunc(s, func(c rune) bool { return c == '\n' || c == '\r' || c == ';' }) {
		if x = trim(x); x != "" {
			out = append(out, x)
		}
	}
	return out
}

func (f investigateForm) scope() investigate.Scope {
	return investigate.Scope{People: oneALine(f.People), Groups: oneALine(f.Groups), Departments: oneALine(f.Departments), Domains: oneALine(f.Domains)}
}

// minutes is how often it searches, 0 where it is on no schedule.
func (f investigateForm) minutes() (int, error) {
	if f.Trigger != investigate.Schedule {
		return 0, nil
	}
	n, err := strconv.Atoi(f.Every)
	if err != nil || n < 1 {
		return 0, tocsin.Problemf(tocsin.Invalid, "Give a whole number, as 6 hours.", "It is not said how often it searches.")
	}
	return n * map[string]int{"minutes": 1, "hours": 60, "days": 1440}[f.Unit], nil
}

// body is what is asked of the server.
func (f investigateForm) body() (api.InvestigationNew, error) {
	every, err := f.minutes()
	if err != nil {
		return api.InvestigationNew{}, err
	}
	n := api.InvestigationNew{Name: f.Name, Query: f.Said.Text, Scope: f.scope(), Trigger: f.Trigger, Every: every, Depth: f.Depth, Reason: f.Reason, Connection: f.Connection, From: f.From}
	if f.Trigger != investigate.Once {
		n.Then = investigate.Then{Kind: f.Then, Notice: f.Notice && f.Then != ""}
		if n.Expiry, err = time.Parse(time.DateOnly, f.Expiry); err != nil {
			return n, tocsin.Problemf(tocsin.Invalid, "Give a date in the form 2026-12-31.", "It is not said when it expires.")
		}
		n.Expiry = n.Expiry.Add(24*time.Hour - time.Second) // the day is whole
	}
	return n, nil
}

// to is where the form is sent.
func (f investigateForm) to(p *page) string {
	if f.Had != nil {
		return p.at("investigations", f.Had.ID, "edit")
	}
	return p.at("investigations", "new")
}

// typedInvestigation is what stands in the form that was sent.
func typedInvestigation(r *http.Request) investigateForm {
	v := r.PostForm
	g := func(k string) string { return trim(v.Get(k)) }
	f := investigateForm{Version: g("version"), Name: g("name"), From: g("from"), Report: g("report"), People: v.Get("people"), Groups: v.Get("groups"), Departments: v.Get("departments"), Domains: v.Get("domains"),
		Trigger: nameOr(g("trigger"), investigate.Once), Depth: nameOr(g("depth"), investigate.Whole), Every: g("every"), Unit: g("unit"), Then: g("then"), Notice: g("notice") == "yes", Expiry: g("expiry"), Reason: g("reason"), Note: g("note"), Connection: g("connection"), Key: g("key")}
	text, was := trim(v.Get("query")), trim(v.Get("was"))
	rows := rowsTyped(v)
	switch {
	case text != was || len(rows) == 0: // the text was changed, or is all there is
		f.Said = saidQuery(text)
	default:
		f.Said = fromRows(rows)
	}
	return f
}

func (w *web) investigateNew(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	f := investigateForm{Trigger: investigate.Once, Depth: investigate.Whole, Every: "6", Unit: "hours", Key: tocsin.NewID(), Expiry: w.o.Clock.Now().AddDate(0, 0, 30).Format(time.DateOnly)}
	if q.Get("query") != "" {
		f.Said = saidQuery(q.Get("query"))
	}
	f.Name, f.Report, f.From = q.Get("name"), q.Get("report"), q.Get("from")
	if from := (api.QueryFrom{Match: q.Get("match"), Event: q.Get("event")}); from != (api.QueryFrom{}) {
		if err := w.makeQuery(r, p, &f, from); err != nil { // the form is there all the same
			w.note(r, err)
			problem := tocsin.AsProblem(err)
			p.Notice = &notice{Kind: "warn", What: problem.What, Do: problem.Do}
		}
	}
	if len(f.Said.Rows) == 0 && f.Said.Text == "" {
		f.Said.Rows = []queryRow{{Field: "from", Op: "has"}}
	}
	return w.investigateForm(r, p, f)
}

// makeQuery makes the form's query of a mail.
func (w *web) makeQuery(r *http.Request, p *page, f *investigateForm, from api.QueryFrom) error {
	made, err := w.svc.MakeQuery(r.Context(), api.QueryFromIn{In: api.In{Tenant: p.Tenant.ID}, Body: from})
	if err != nil {
		return err
	}
	f.Made, f.Said, f.Name = made, saidQuery(made.Query), nameOr(f.Name, made.Name)
	switch {
	case from.Match != "":
		f.From = "match " + from.Match
	case from.Event != "":
		f.From = "event " + from.Event
	default:
		f.From = "an .eml file: " + made.Subject
	}
	f.From = cutTo(f.From, 500)
	return nil
}

func cutTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

func (w *web) investigateEdit(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	d, err := w.svc.GetInvestigation(r.Context(), byID(r, p))
	if err != nil {
		return nil, err
	}
	f := investigateForm{Had: &d, Version: fmt.Sprint(d.Version), Name: d.Name, Said: saidQuery(nameOr(r.URL.Query().Get("query"), d.Query)), From: d.From, Trigger: d.Trigger, Depth: d.Depth, Then: d.Then.Kind, Notice: d.Then.Notice, Reason: d.Reason, Connection: d.Conn, Key: tocsin.NewID(),
		People: strings.Join(d.Scope.People, "\n"), Groups: strings.Join(d.Scope.Groups, "\n"), Departments: strings.Join(d.Scope.Departments, "\n"), Domains: strings.Join(d.Scope.Domains, "\n"), Every: "6", Unit: "hours"}
	switch {
	case d.Every == 0:
	case d.Every%1440 == 0:
		f.Every, f.Unit = strconv.Itoa(d.Every/1440), "days"
	case d.Every%60 == 0:
		f.Every = strconv.Itoa(d.Every / 60)
	default:
		f.Every, f.Unit = strconv.Itoa(d.Every), "minutes"
	}
	f.Expiry = w.o.Clock.Now().AddDate(0, 0, 30).Format(time.DateOnly)
	if !d.Expiry.IsZero() {
		f.Expiry = d.Expiry.UTC().Format(time.DateOnly)
	}
	return w.investigateForm(r, p, f)
}

// investigateForm shows the form, or its plan.
func (w *web) investigateForm(r *http.Request, p *page, f investigateForm) (templ.Component, error) {
	list, err := w.svc.ListConnections(r.Context(), api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}})
	if err != nil {
		return nil, err
	}
	f.Connections = slices.DeleteFunc(list.Items, func(c api.Connection) bool { return c.State == "closed" || c.State == "closing" })
	p.Title = "New investigation"
	if f.Had != nil {
		p.Title = "Change " + f.Had.Name
	}
	if f.Plan != nil {
		return investigatePlanPage(p, f), nil
	}
	return investigateFormPage(p, f), nil
}

// investigateDo does what a button of the form says: it changes the query, reads a mail, shows the plan, keeps it or starts it.
func (w *web) investigateDo(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	r.Body = http.MaxBytesReader(rw, r.Body, 40<<20)
	if err := r.ParseMultipartForm(8 << 20); err != nil && err != http.ErrNotMultipart {
		return nil, tocsin.Problemf(tocsin.Invalid, "A mail of at most 25 MB can be handed in.", "What was sent could not be read.")
	}
	f := typedInvestigation(r)
	if id := r.PathValue("id"); id != "" {
		d, err := w.svc.GetInvestigation(r.Context(), byID(r, p))
		if err != nil {
			return nil, err
		}
		f.Had = &d
	}
	wrong := func(err error) (templ.Component, error) {
		w.note(r, err)
		problem := tocsin.AsProblem(err)
		p.Notice = &notice{Kind: "bad", What: problem.What, Do: problem.Do}
		return w.investigateForm(r, p, f)
	}
	switch do := r.PostForm.Get("do"); {
	case do == "add":
		f.Said.Rows = append(f.Said.Rows, queryRow{Field: "subject", Op: "has"})
	case do == "or":
		field := "subject"
		if n := len(f.Said.Rows); n > 0 {
			field = f.Said.Rows[n-1].Field
		}
		f.Said.Rows = append(f.Said.Rows, queryRow{Or: true, Field: field})
	case strings.HasPrefix(do, "drop-"):
		if n, err := strconv.Atoi(do[5:]); err == nil && n >= 0 && n < len(f.Said.Rows) {
			f.Said.Rows = slices.Delete(f.Said.Rows, n, n+1)
			if len(f.Said.Rows) > 0 {
				f.Said.Rows[0].Or = false
			}
			f.Said.Text = queryText(f.Said.Rows)
		}
	case do == "mail":
		text, err := mailTyped(r)
		if err == nil {
			err = w.makeQuery(r, p, &f, api.QueryFrom{Text: text})
		}
		if err != nil {
			return wrong(err)
		}
	case do == "plan":
		if f.Said.Wrong != nil {
			return wrong(f.Said.Wrong)
		}
		if _, err := f.body(); err != nil {
			return wrong(err)
		}
		plan, err := w.svc.PlanInvestigation(r.Context(), api.PlanInvestigationIn{In: api.In{Tenant: p.Tenant.ID}, Body: api.InvestigationAsk{Query: f.Said.Text, Scope: f.scope(), Depth: f.Depth, Connection: f.Connection}})
		if err != nil {
			return wrong(err)
		}
		f.Plan = &plan
	case do == "start" || do == "keep":
		to, err := w.investigateKeep(r, p, f, do == "start")
		if err != nil {
			return wrong(err)
		}
		said := &notice{Kind: "good", What: "The investigation is kept. Nothing is searched until you start it."}
		if do == "start" {
			said = &notice{Kind: "good", What: "It is started. What is found stands here as it comes; nothing need be reloaded."}
		}
		w.leaveNotice(rw, said)
		http.Redirect(rw, r, to, http.StatusSeeOther)
		return nil, nil
	}
	return w.investigateForm(r, p, f)
}

// investigateKeep makes the investigation, or its next version, and starts it where that is asked.
func (w *web) investigateKeep(r *http.Request, p *page, f investigateForm, start bool) (string, error) {
	n, err := f.body()
	if err != nil {
		return "", err
	}
	in := api.In{Tenant: p.Tenant.ID}
	if f.Had == nil {
		n.Start = start
		made, err := w.svc.CreateInvestigation(r.Context(), api.CreateInvestigationIn{In: in, Key: api.Key{Key: f.Key}, Body: n})
		if err != nil {
			return "", err
		}
		if f.Report != "" {
			link := api.LinkReportedIn{ByIDAct: api.ByIDAct{ByID: api.ByID{In: in, ID: f.Report}}}
			link.Body.Investigation, link.Body.All = made.ID, true
			if _, err := w.svc.LinkReported(r.Context(), link); err != nil {
				w.note(r, err) // the investigation is there all the same
			}
		}
		return p.at("investigations", made.ID), nil
	}
	version, _ := strconv.ParseInt(f.Version, 10, 64)
	at := api.ByIDAct{ByID: api.ByID{In: in, ID: f.Had.ID}, Key: api.Key{Key: f.Key}}
	if _, err := w.svc.UpdateInvestigation(r.Context(), api.UpdateInvestigationIn{ByIDAct: at, Body: api.InvestigationEdit{InvestigationNew: n, Note: f.Note, Version: version}}); err != nil {
		return "", err
	}
	if start {
		at.Key.Key = ""
		if _, err := w.svc.StartInvestigation(r.Context(), api.StartInvestigationIn{ByIDAct: at}); err != nil {
			return "", err
		}
	}
	return p.at("investigations", f.Had.ID), nil
}

// mailTyped is the mail that was handed in, as a file.
func mailTyped(r *http.Request) (string, error) {
	file, _, err := r.FormFile("mail")
	if err != nil {
		return "", tocsin.Problemf(tocsin.Invalid, "Choose an .eml file first: in Outlook, drag the mail to the desktop or save it.", "No mail was handed in.")
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, 26<<20))
	if err != nil {
		return "", tocsin.Problemf(tocsin.Invalid, "Try it again.", "The mail could not be read.")
	}
	return string(b), nil
}

// planFields are the form's values, as the plan's page carries them on.
func (f investigateForm) planFields() []field {
	v := url.Values{"name": {f.Name}, "query": {f.Said.Text}, "was": {""}, "from": {f.From}, "report": {f.Report}, "people": {f.People}, "groups": {f.Groups}, "departments": {f.Departments}, "domains": {f.Domains},
		"trigger": {f.Trigger}, "depth": {f.Depth}, "every": {f.Every}, "unit": {f.Unit}, "then": {f.Then}, "expiry": {f.Expiry}, "reason": {f.Reason}, "note": {f.Note}, "connection": {f.Connection}, "key": {f.Key}, "version": {f.Version}}
	if f.Notice {
		v.Set("notice", "yes")
	}
	var out []field
	for k, x := range v {
		if x[0] != "" {
			out = append(out, field{k, x[0]})
		}
	}
	slices.SortFunc(out, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// contentSays says whether content is read.
func contentSays(s string) string {
	switch s {
	case "none":
		return "No content is read: what Microsoft lists of each mail decides."
	case "some":
		return "Content is read of those mails alone of which what Microsoft lists decides nothing."
	case "refused":
		return "The query asks for content, which the connection may not read: such mails stand as unknown, not as no match."
	}
	return sentence(s)
}
