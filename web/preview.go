package web

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
)

// A mail is shown in a frame of its own, which is sandboxed twice: by the frame's attribute and by the policy of what is in it. Nothing in it
// runs, nothing is loaded, no link leads anywhere. It is asked for with a reason, by a form whose answer goes into the frame.

// previewPolicy is the content security policy of a mail that is shown: pictures that it carries itself, and its own styles.
const previewPolicy = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// looked is a mail that is to be looked at.
type looked struct {
	Title string
	Under string
	Back  string // to where it is part of
	Back1 string // what that is called
	At    string // the address that the form is sent to, less its last part
	Keep  bool   // it can be kept as evidence from here
	Hide  []string
}

func (w *web) reportedLook(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	m, err := w.svc.GetReported(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	return previewPage(p, looked{Title: m.Subject, Under: m.Sender, Back: p.at("reported", m.ID), Back1: "The report", At: p.at("reported", m.ID)}), nil
}

func (w *web) evidenceLook(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	return previewPage(p, looked{Title: "Evidence", Back: p.at("investigations"), Back1: "Investigations", At: p.at("evidence", r.PathValue("id"))}), nil
}

func (w *web) mailLook(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := looked{Title: q.Get("subject"), Back: p.at("investigations"), Back1: "Investigations", At: p.at("mails"), Keep: true, Hide: []string{"person", q.Get("person"), "message", q.Get("message"), "investigation", q.Get("investigation")}}
	if id := q.Get("investigation"); id != "" {
		v.Back, v.Back1 = p.at("investigations", id), "The investigation"
	}
	return previewPage(p, v), nil
}

// frame answers a form with what goes into the frame.
func (w *web) frame(of func(r *http.Request) (api.MailPreview, error)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", previewPolicy)
		h.Set("X-Frame-Options", "SAMEORIGIN")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(rw, r.Body, 1<<16)
		var d framed
		err := r.ParseForm()
		if err == nil {
			d.Mail, err = of(r)
		}
		if err != nil {
			w.note(r, err)
			d.Problem = tocsin.AsProblem(err)
			rw.WriteHeader(api.StatusOf(err))
		}
		var body bytes.Buffer
		if err := framePage.Execute(&body, &d); err != nil {
			w.note(r, err)
			return
		}
		_, _ = rw.Write(body.Bytes()) // who has gone away needs none
	}
}

func (w *web) reportedFrame(r *http.Request) (api.MailPreview, error) {
	return w.svc.PreviewReported(r.Context(), lookIn(r))
}

func (w *web) evidenceFrame(r *http.Request) (api.MailPreview, error) {
	return w.svc.PreviewEvidence(r.Context(), lookIn(r))
}

func (w *web) mailFrame(r *http.Request) (api.MailPreview, error) {
	return w.svc.PreviewMail(r.Context(), lookAtMailIn(r))
}

func lookIn(r *http.Request) api.LookIn {
	return api.LookIn{ByID: api.ByID{In: api.In{Tenant: tocsin.TenantID(r.PathValue("tenant"))}, ID: r.PathValue("id")}, Body: api.Reason{Reason: r.PostForm.Get("reason")}}
}

func lookAtMailIn(r *http.Request) api.LookAtMailIn {
	f := r.PostForm
	return api.LookAtMailIn{In: api.In{Tenant: tocsin.TenantID(r.PathValue("tenant"))}, Body: api.MailLook{Person: tocsin.PersonID(f.Get("person")), Message: f.Get("message"), Investigation: f.Get("investigation"), Reason: api.Reason{Reason: f.Get("reason")}}}
}

// eml answers with a mail as a file.
func (w *web) eml(of func(r *http.Request) (api.EvidenceFile, error)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		if _, ok := api.CallerOf(r.Context()); !ok {
			w.toDoor(rw, r)
			return
		}
		r.Body = http.MaxBytesReader(rw, r.Body, 1<<16)
		if err := r.ParseForm(); err != nil {
			w.sorry(rw, r, tocsin.Problemf(tocsin.Invalid, "Send it again, shorter.", "The form could not be read."))
			return
		}
		f, err := of(r)
		if err != nil {
			w.sorry(rw, r, err)
			return
		}
		h := rw.Header()
		h.Set("Content-Type", "message/rfc822")
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		h.Set("Content-Disposition", `attachment; filename="`+f.Name+`"`)
		h.Set("Cache-Control", "no-store")
		_, _ = rw.Write(f.EML) // who has gone away needs no file
	}
}

func (w *web) reportedEML(r *http.Request) (api.EvidenceFile, error) {
	return w.svc.DownloadReported(r.Context(), lookIn(r))
}

func (w *web) evidenceEML(r *http.Request) (api.EvidenceFile, error) {
	return w.svc.DownloadEvidence(r.Context(), lookIn(r))
}

// mailKeep keeps a message as evidence.
func (w *web) mailKeep(r *http.Request) (string, *notice, error) {
	in := lookAtMailIn(r)
	back := tenantAt(in.Tenant, "investigations")
	if in.Body.Investigation != "" {
		back = tenantAt(in.Tenant, "investigations", in.Body.Investigation)
	}
	kept, err := w.svc.KeepMail(r.Context(), in)
	return back, &notice{Kind: "good", What: "The mail is kept as evidence.", Do: "SHA-256 " + kept.SHA256}, err
}

// framed is what goes into the frame.
type framed struct {
	Mail    api.MailPreview
	Problem *tocsin.Problem
}

// Body is the mail's HTML, which was made safe before.
func (d *framed) Body() template.HTML { return template.HTML(d.Mail.HTML) }

// Where is an address as people read it: what does not belong to it visibly is marked.
func (d *framed) Where(s string) string {
	if u, err := url.Parse(s); err == nil && u.User != nil {
		return s + "   (what stands before @ is no part of the host)"
	}
	return s
}

// Bytes is a size in words.
func (d *framed) Bytes(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprint(n, " bytes")
	case n < 1<<20:
		return fmt.Sprintf("%.1f KB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
}

// List is addresses in a line.
func (d *framed) List(of []string) string { return strings.Join(of, ", ") }

// framePage is the document in the frame. Mail is made for paper, so it is shown on white, whatever the theme.
var framePage = template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>A mail</title><style>
:root{color-scheme:light}
*{box-sizing:border-box}
body{margin:0;font:14px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:#17202b;background:#fff;overflow-wrap:anywhere}
.t-head,.t-foot{padding:.9rem 1.1rem;background:#f3f5f7;border-bottom:1px solid #d8dde3;font-size:13px}
.t-foot{border:0;border-top:1px solid #d8dde3;margin-top:1.5rem}
.t-head dl,.t-foot dl{display:grid;grid-template-columns:6.5rem minmax(0,1fr);gap:.15rem .8rem;margin:0}
.t-head dt,.t-foot dt{color:#52606f}
.t-head dd,.t-foot dd{margin:0}
.t-subject{font-size:16px;font-weight:650;margin:0 0 .5rem}
.t-bad{color:#a3123f;font-weight:650}
.t-good{color:#1d7a45}
.t-soft{color:#52606f}
.t-mono{font:12px/1.5 ui-monospace,Menlo,Consolas,monospace}
.t-body{padding:1.1rem;position:relative;overflow:auto;contain:paint}
.t-body a{color:#1e5a96;text-decoration:underline;cursor:help}
.t-body img{max-width:100%}
.t-foot ul{margin:.2rem 0 .6rem;padding-left:1.1rem}
pre{white-space:pre-wrap;margin:.4rem 0}
summary{cursor:pointer;font-weight:650;margin-top:.4rem}
h2{font-size:13px;margin:.7rem 0 .2rem}
</style></head><body>{{if .Problem}}<div class="t-body"><p class="t-subject">{{.Problem.What}}</p><p>{{.Problem.Do}}</p></div>{{else}}{{with .Mail}}
<div class="t-head"><p class="t-subject">{{if .Subject}}{{.Subject}}{{else}}(no subject){{end}}</p><dl>
<dt>From</dt><dd>{{.From}}</dd>
{{if .ReplyTo}}<dt>Answers to</dt><dd>{{$.List .ReplyTo}}</dd>{{end}}
<dt>To</dt><dd>{{$.List .To}}</dd>
{{if .Cc}}<dt>Copy</dt><dd>{{$.List .Cc}}</dd>{{end}}
{{if not .Date.IsZero}}<dt>Dated</dt><dd>{{.Date.UTC.Format "2 Jan 2006, 15:04 UTC"}}</dd>{{end}}
{{if .Authentication}}<dt>Checks</dt><dd>{{range $i, $c := .Authentication}}{{if $i}} · {{end}}<span class="{{if eq $c.Result "pass"}}t-good{{else if eq $c.Result "fail"}}t-bad{{end}}">{{$c.Method}} {{$c.Result}}</span>{{with $c.About}} <span class="t-soft">({{.}})</span>{{end}}{{end}}</dd>{{end}}
<dt>SHA-256</dt><dd class="t-mono">{{.SHA256}} · {{$.Bytes .Size}} · {{if .Kept}}from what is kept{{else}}from the mailbox{{end}}</dd>
</dl></div>
<div class="t-body">{{$.Body}}</div>
<div class="t-foot">
{{if .Attachments}}<h2>Attachments</h2><ul>{{range .Attachments}}<li>{{if .Name}}{{.Name}}{{else}}(no name){{end}} <span class="t-soft">{{.Type}} · {{$.Bytes .Size}}</span><br><span class="t-mono">{{.SHA256}}</span>{{if .Inside}}<ul>{{range .Inside}}<li>{{.Name}} <span class="t-soft">{{.Type}} · {{$.Bytes .Size}}</span></li>{{end}}</ul>{{end}}</li>{{end}}</ul>{{end}}
{{if .Links}}<h2>Links, as they lead</h2><ul>{{range .Links}}<li><span class="t-mono">{{$.Where .URL}}</span>{{if .Text}}<br><span class="t-soft">shown as “{{.Text}}”</span>{{end}}{{if .Deceives}} <span class="t-bad">names another domain than it leads to</span>{{end}}{{if eq .Where "qr"}} <span class="t-bad">in a QR code</span>{{end}}</li>{{end}}</ul>{{end}}
{{if .Faults}}<h2>What could not be read</h2><ul>{{range .Faults}}<li>{{.}}</li>{{end}}</ul>{{end}}
<details><summary>As plain text</summary><pre>{{.Text}}</pre></details>
<details><summary>All headers</summary><pre class="t-mono">{{range .Headers}}{{.Name}}: {{.Value}}
{{end}}</pre></details>
</div>{{end}}{{end}}</body></html>
`))
