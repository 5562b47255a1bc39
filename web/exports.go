package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	exports "tocsin.dev/export"
)

func (w *web) exports(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	var all []api.Export
	for in := (api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}}); ; {
		got, err := w.svc.ListExports(r.Context(), in)
		if err != nil {
			return nil, err
		}
		all = append(all, got.Items...)
		if in.After = got.Next; in.After == "" {
			break
		}
	}
	ex, err := w.svc.ExampleExport(r.Context(), api.In{Tenant: p.Tenant.ID})
	if err != nil {
		return nil, err
	}
	return exportsPage(p, all, ex), nil
}

// exportNew is the form for an export, with help for its kind.
func (w *web) exportNew(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	kind := r.URL.Query().Get("kind")
	if !slices.Contains(exports.Kinds, kind) {
		return nil, tocsin.Problemf(tocsin.NotFound, "Choose a webhook, syslog, files, NATS or Kafka.", "There is no such kind of export.")
	}
	return exportNewPage(p, blankExport(kind)), nil
}

// blankExport is an export with the usual settings.
func blankExport(kind string) api.Export {
	u := exports.Usual(kind)
	return api.Export{Kind: kind, Form: u.Form, To: u.To, Body: u.Body, Header: u.Header, SASL: u.SASL, MaxMB: u.MaxMB, MaxHours: u.MaxHours, Keep: u.Keep, Batch: u.Batch, Wait: u.Wait}
}

// typedExport is what a form says of an export.
func typedExport(r *http.Request) api.ExportSettings {
	f := r.PostFormValue
	number := func(name string) int {
		n, _ := strconv.Atoi(trim(f(name))) // what is no number is the usual
		return n
	}
	list := func(text string) []string { // never absent: none is none
		return slices.Concat([]string{""}, strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == '\n' || r == '\r' || r == ' ' }))
	}
	user, keep, wait, gzip, unconfirmed := trim(f("user")), number("keep"), number("wait"), f("gzip") == "yes", f("unconfirmed") == "yes"
	s := api.ExportSettings{Name: trim(f("name")), Address: trim(f("address")), Credential: trim(f("credential")), Form: f("form"), Types: slices.Concat([]string{""}, r.PostForm["type"]),
		Actions: list(f("actions")), People: list(f("people")), To: trim(f("to")), User: &user, Body: f("body"), Gzip: &gzip, Header: trim(f("header")), Unconfirmed: &unconfirmed, SASL: f("sasl"),
		MaxMB: number("max_mb"), MaxHours: number("max_hours"), Batch: number("batch"), Wait: &wait}
	s.CA, s.Certificate = trim(f("ca")), trim(f("certificate"))
	if f("kind") == exports.File {
		s.Keep = &keep
	}
	return s
}

// exportAdd makes an export. A webhook's secret is shown, this once: it goes into no cookie and no address.
func (w *web) exportAdd(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	if err := short(rw, r); err != nil {
		return nil, err
	}
	s := typedExport(r)
	kind := r.PostFormValue("kind")
	from, err := pastAsked(r)
	var made api.Export
	if err == nil {
		made, err = w.svc.CreateExport(r.Context(), api.CreateExportIn{In: api.In{Tenant: p.Tenant.ID}, Body: api.ExportNew{Kind: kind, From: from, ExportSettings: s}})
	}
	if err != nil {
		w.note(r, err)
		problem := tocsin.AsProblem(err)
		p.Notice = &notice{Kind: "bad", What: problem.What, Do: problem.Do}
		if !slices.Contains(exports.Kinds, kind) {
			return nil, err
		}
		e := blankExport(kind)
		e.Name, e.Form, e.Types, e.Actions, e.People, e.User, e.Gzip, e.Unconfirmed = s.Name, s.Form, s.Types, s.Actions[1:], s.People[1:], *s.User, *s.Gzip, *s.Unconfirmed
		for to, v := range map[*string]string{&e.To: s.To, &e.Body: s.Body, &e.Header: s.Header, &e.SASL: s.SASL} {
			if v != "" {
				*to = v
			}
		}
		e.PastFrom = from
		return exportNewPage(p, e), nil
	}
	p.Notice = &notice{Kind: "good", What: "The export “" + made.Name + "” was made.", Do: "It sends what comes from now on. Send a sample to see whether it arrives."}
	if !made.PastFrom.IsZero() {
		p.Notice.Do = "It sends what is stored first, then what comes. Send a sample to see whether it arrives."
	}
	return w.exportShown(r, p, made)
}

// pastAsked is since which day the stored events are asked for; zero: they are not.
func pastAsked(r *http.Request) (time.Time, error) {
	text := trim(r.PostFormValue("from"))
	if text == "" {
		return time.Time{}, nil
	}
	from, err := time.ParseInLocation(time.DateOnly, text, lookOf(r.Context()).zone)
	if err != nil {
		return from, tocsin.Problemf(tocsin.Invalid, "Give it as 2026-03-15, or leave it empty.", "%q is no day.", text)
	}
	return from, nil
}

func exportIn(r *http.Request) api.ByID {
	return api.ByID{In: api.In{Tenant: tocsin.TenantID(r.PathValue("tenant"))}, ID: r.PathValue("id")}
}

func (w *web) export(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	e, err := w.svc.GetExport(r.Context(), exportIn(r))
	if err != nil {
		return nil, err
	}
	return w.exportShown(r, p, e)
}

func (w *web) exportShown(r *http.Request, p *page, e api.Export) (templ.Component, error) {
	p.Title = e.Name
	refused, err := w.svc.ListRefused(r.Context(), api.RefusedIn{ByID: api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: e.ID}, Paging: api.Paging{Limit: 20}})
	return exportPage(p, e, refused.Items), err
}

// exportRotate gives a webhook another secret and shows it, this once.
func (w *web) exportRotate(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	e, err := w.svc.RotateExport(r.Context(), exportIn(r))
	if err != nil {
		return nil, err
	}
	return w.exportShown(r, p, e)
}

// exportDo changes, tests, pauses, resumes or deletes an export.
func (w *web) exportDo(r *http.Request) (string, *notice, error) {
	in := exportIn(r)
	act := api.ByIDAct{ByID: in}
	all := tenantAt(in.Tenant, "settings", "exports")
	to := tenantAt(in.Tenant, "settings", "exports", in.ID)
	switch r.PathValue("do") {
	case "edit":
		version, _ := strconv.ParseInt(r.PostFormValue("version"), 10, 64) // what is no number is no version
		e, err := w.svc.EditExport(r.Context(), api.EditExportIn{ByIDAct: act, Body: api.ExportEdit{Version: version, ExportSettings: typedExport(r)}})
		return to, &notice{Kind: "good", What: "The export “" + e.Name + "” was changed.", Do: "It holds from the next batch on."}, err
	case "delete":
		_, err := w.svc.DeleteExport(r.Context(), act)
		return all, &notice{Kind: "good", What: "The export was forgotten."}, err
	case "pause":
		_, err := w.svc.PauseExport(r.Context(), act)
		return to, &notice{Kind: "good", What: "The export is paused. What comes meanwhile waits."}, err
	case "resume":
		_, err := w.svc.ResumeExport(r.Context(), act)
		return to, &notice{Kind: "good", What: "The export goes on from where it stopped."}, err
	case "test":
		res, err := w.svc.TestExport(r.Context(), in)
		if err != nil || !res.OK {
			return to, &notice{Kind: "bad", What: res.What, Do: res.Do}, err
		}
		return to, &notice{Kind: "good", What: res.What + " It took " + strconv.Itoa(res.Took) + " ms.", Do: "See whether it arrived where you look for events."}, nil
	}
	return all, nil, tocsin.Problemf(tocsin.NotFound, "Use the buttons of the page.", "There is nothing of that name to do.")
}

var (
	// exportWords are the states of an export: mark and word.
	exportWords = map[string][2]string{"new": {"unknown", "Nothing sent yet"}, "works": {"ok", "Works"}, "failing": {"bad", "Failing"}, "paused": {"paused", "Paused"}}
	bodyWords   = map[string]string{exports.Lines: "A JSON object a line", exports.Array: "A JSON array", exports.Splunk: "Splunk event collector", exports.Elastic: "Elasticsearch _bulk"}
	saslWords   = map[string]string{"none": "Nothing", "plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"}
	typeWords   = map[string]string{"EMAIL": "Mail", "FOLDER": "Folders", "RULE": "Rules", "SIGN_IN": "Sign-ins", "AUDIT": "Audit", "DEVICE": "Devices", "FINDING": "Findings", "ACTION": "Actions"}
)

// late is from when on an export that sends is called behind.
const late = 5 * time.Minute

// exportNow is an export's state, and that it is far behind where it is.
func exportNow(e api.Export, now time.Time) [2]string {
	if !e.PastUntil.IsZero() && (e.State == "works" || e.State == "new") {
		return [2]string{"part", "Sends the past"}
	}
	if e.State == "works" && e.Behind > 0 && now.Sub(e.Since) > late {
		return [2]string{"part", "Behind"}
	}
	return exportWords[e.State]
}

func exportKind(k string) string {
	return map[string]string{exports.Webhook: "Webhook", exports.Syslog: "Syslog", exports.File: "Files", exports.NATS: "NATS", exports.Kafka: "Kafka"}[k]
}

func exportTarget(k string) string {
	return map[string]string{exports.Webhook: "a webhook", exports.Syslog: "syslog", exports.File: "files", exports.NATS: "NATS JetStream", exports.Kafka: "Kafka"}[k]
}

func exportAddress(k string) string {
	return map[string]string{exports.Webhook: "Address", exports.Syslog: "Server", exports.NATS: "Servers", exports.Kafka: "Brokers"}[k]
}

func exportPlace(e api.Export, fresh bool) string {
	if !fresh {
		return e.Address
	}
	return map[string]string{exports.Webhook: "https://siem.acme.example/events", exports.Syslog: "tls://siem.acme.example:6514", exports.NATS: "tls://nats.acme.example:4222", exports.Kafka: "tls://b1.acme.example:9093,b2.acme.example:9093"}[e.Kind]
}

// exportWants says in a line what an export sends, and in which form.
func exportWants(e api.Export) string {
	s := "every event"
	if len(e.Types) > 0 {
		var words []string
		for _, t := range e.Types {
			words = append(words, strings.ToLower(typeWords[t]))
		}
		s = strings.Join(words, ", ")
	}
	if n := len(e.Actions); n > 0 {
		s += ", " + plural(n, "action", "actions")
	}
	if n := len(e.People); n > 0 {
		s += " of " + plural(n, "person", "people")
	}
	if e.Form == exports.OCSF {
		return s + " as OCSF"
	}
	return s
}

// sentWords begins a line on what was sent, which the time of the last ends.
func sentWords(e api.Export) string {
	if e.SentAt.IsZero() {
		return "Nothing yet"
	}
	return countOf(e.Sent) + " events, the last "
}

func filesToo(kind string) string {
	if kind == exports.File {
		return " and files"
	}
	return ""
}

func listed(list []string) string { return strings.Join(list, ", ") }

// indented is JSON for people.
func indented(text json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return string(text)
	}
	return b.String()
}

// ended is a sentence with its full stop.
func ended(s string) string { return strings.TrimSuffix(s, ".") + "." }

// countOf is a number with its thousands apart.
func countOf(n int64) string { return thousands(int(n)) }
