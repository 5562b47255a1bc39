package web

import (
	"html/template"
	"mime"
	"net/http"
	"path"
	"strings"

	"tocsin.dev"
	"tocsin.dev/api"
)

// A mail of a thread stands in a frame whose document carries the policy of mails that are shown: nothing in it runs, and links do not lead on.
// Nothing is loaded either, until somebody asks for the pictures that lie elsewhere; then those alone, by https, and without saying from where
// they are asked for. The frame is of the page's origin only so that the page can see how high it is: scripts are off in it all the same.

// mailPolicy is the content security policy of a mail in its thread, with where pictures may come from.
func mailPolicy(pictures string) string {
	return "sandbox allow-same-origin; default-src 'none'; img-src " + pictures + "; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
}

func mailIn(r *http.Request) api.ByID {
	return api.ByID{In: api.In{Tenant: tocsin.TenantID(r.PathValue("tenant"))}, ID: r.PathValue("id")}
}

// threadMail answers with what a mail of a thread says, for its frame.
func (w *web) threadMail(rw http.ResponseWriter, r *http.Request) {
	remote, h := on(r.URL.Query(), "remote"), rw.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", mailPolicy("data:"))
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	b, err := w.svc.GetThreadMail(r.Context(), api.ThreadMailIn{ByID: mailIn(r), Message: r.PathValue("message"), Pictures: true, Remote: remote})
	var d struct {
		HTML template.HTML
		Text string
		Elsewhere,
		Load string
		Problem *tocsin.Problem
	}
	if err != nil {
		w.note(r, err)
		d.Problem = tocsin.AsProblem(err)
		rw.WriteHeader(api.StatusOf(err))
	} else if d.HTML = template.HTML(b.HTML); b.HTML == "" { // it was made safe by package mail
		d.Text = b.Text
	}
	if len(b.Remote) > 0 && remote {
		h.Set("Content-Security-Policy", mailPolicy("data: https:"))
	} else if len(b.Remote) > 0 {
		d.Elsewhere, d.Load = strings.Join(firstN(b.Remote, 5), ", "), r.URL.Path+"?remote=true"
		if n := len(b.Remote) - 5; n > 0 {
			d.Elsewhere += " and " + plural(n, "more", "more")
		}
	}
	if err := threadMailPage.Execute(rw, &d); err != nil {
		w.note(r, err)
	}
}

// threadMailPage is the document in the frame. Mail is made for paper, so it is shown on white, whatever the theme.
var threadMailPage = template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer"><title>A mail</title><style>
:root{color-scheme:light}
*{box-sizing:border-box}
body{margin:0;padding:.8rem;font:14px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:#17202b;background:#fff;overflow-wrap:anywhere;position:relative;overflow-x:auto;contain:paint}
a{color:#1e5a96;text-decoration:underline}
a[href^="http"]::after{content:" <" attr(href) ">";color:#52606f;font-size:12px}
img{max-width:100%;height:auto}
pre{white-space:pre-wrap;margin:0;font:inherit}
blockquote{margin:.5rem 0 .5rem .2rem;padding-left:.8rem;border-left:2px solid #d8dde3;color:#46515f}
aside{display:flex;flex-wrap:wrap;gap:.2rem .8rem;justify-content:space-between;margin:-.8rem -.8rem .8rem;padding:.5rem .8rem;background:#f1f4f7;border-bottom:1px solid #d8dde3;color:#3d4856;font-size:12.5px}
aside a{font-weight:600}
</style></head><body>{{if .Load}}<aside><span>Pictures from {{.Elsewhere}} are not loaded: loading tells the sender that, when and from which network the mail is read.</span><a href="{{.Load}}">Load pictures</a></aside>{{end}}{{with .Problem}}<p><b>{{.What}}</b></p><p>{{.Do}}</p>{{else}}{{if .HTML}}{{.HTML}}{{else}}<pre>{{.Text}}</pre>{{end}}{{end}}</body></html>
`))

// threadFile answers with a file of a mail, to be kept; with show a picture is answered as one. It is a stranger's: whatever it says it is, it is
// not run.
func (w *web) threadFile(rw http.ResponseWriter, r *http.Request) {
	w.serveFile(rw, r, func() (api.ThreadFile, error) {
		return w.svc.GetThreadFile(r.Context(), api.ThreadFileIn{ByID: mailIn(r), Message: r.PathValue("message"), File: r.PathValue("file")})
	})
}

// writtenFile is a file of a mail that is being written.
func (w *web) writtenFile(rw http.ResponseWriter, r *http.Request) {
	w.serveFile(rw, r, func() (api.ThreadFile, error) {
		return w.svc.GetOutgoingFile(r.Context(), api.OutgoingFileAt{ByID: mailIn(r), File: r.PathValue("file")})
	})
}

// serveFile gives out a stranger's file: to be kept, and a picture that is asked for with show to be seen.
func (w *web) serveFile(rw http.ResponseWriter, r *http.Request, get func() (api.ThreadFile, error)) {
	if _, ok := api.CallerOf(r.Context()); !ok {
		w.toDoor(rw, r)
		return
	}
	f, err := get()
	if err != nil {
		w.sorry(rw, r, err)
		return
	}
	h, way, kind := rw.Header(), "attachment", "application/octet-stream"
	if seen := http.DetectContentType(f.Data); on(r.URL.Query(), "show") && has(shownPictures, seen) {
		way, kind = "inline", seen
	}
	name := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || strings.ContainsRune("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", c) { // what would show another ending than it has
			return '_'
		}
		return c
	}, path.Base(strings.ReplaceAll(nameOr(f.Name, "file"), `\`, "/")))
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", mime.FormatMediaType(way, map[string]string{"filename": name}))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "private, no-store")
	_, _ = rw.Write(f.Data) // who has gone away needs no file
}

// shownPictures are the kinds of pictures that browsers show and that hold no scripts, by their content.
var shownPictures = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

// isPicture says that a file calls itself a picture that can be shown.
func isPicture(f api.MailFile) bool {
	return has(shownPictures, strings.ToLower(f.Type)) && f.Size <= 20<<20
}
