package web

import (
	"html/template"
	"net/http"

	"tocsin.dev"
	"tocsin.dev/api"
)

// A mail of a thread stands in a frame whose document carries the policy of mails that are shown: nothing in it runs, nothing is loaded, and
// links do not lead on. It is of the page's origin only so that the page can see how high it is: scripts are off in it all the same.

// mailPolicy is the content security policy of a mail in its thread.
const mailPolicy = "sandbox allow-same-origin; default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// threadMail answers with what a mail of a thread says, for its frame.
func (w *web) threadMail(rw http.ResponseWriter, r *http.Request) {
	h := rw.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", mailPolicy)
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	b, err := w.svc.GetThreadMail(r.Context(), api.ThreadMailIn{ByID: api.ByID{In: api.In{Tenant: tocsin.TenantID(r.PathValue("tenant"))}, ID: r.PathValue("id")}, Message: r.PathValue("message"), Pictures: true})
	var d struct {
		HTML    template.HTML
		Text    string
		Problem *tocsin.Problem
	}
	if err != nil {
		w.note(r, err)
		d.Problem = tocsin.AsProblem(err)
		rw.WriteHeader(api.StatusOf(err))
	} else if d.HTML = template.HTML(b.HTML); b.HTML == "" { // it was made safe by package mail
		d.Text = b.Text
	}
	if err := threadMailPage.Execute(rw, &d); err != nil {
		w.note(r, err)
	}
}

// threadMailPage is the document in the frame. Mail is made for paper, so it is shown on white, whatever the theme.
var threadMailPage = template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>A mail</title><style>
:root{color-scheme:light}
*{box-sizing:border-box}
body{margin:0;padding:.8rem;font:14px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:#17202b;background:#fff;overflow-wrap:anywhere;position:relative;overflow-x:auto;contain:paint}
a{color:#1e5a96;text-decoration:underline}
a[href^="http"]::after{content:" <" attr(href) ">";color:#52606f;font-size:12px}
img{max-width:100%;height:auto}
pre{white-space:pre-wrap;margin:0;font:inherit}
blockquote{margin:.5rem 0 .5rem .2rem;padding-left:.8rem;border-left:2px solid #d8dde3;color:#46515f}
</style></head><body>{{with .Problem}}<p><b>{{.What}}</b></p><p>{{.Do}}</p>{{else}}{{if .HTML}}{{.HTML}}{{else}}<pre>{{.Text}}</pre>{{end}}{{end}}</body></html>
`))
