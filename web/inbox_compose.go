package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
)

// drafts is the page of what the viewer writes and of what did not go, and the one of them that is open.
type drafts struct {
	*inboxView
	List []api.Outgoing
	At   *composing
}

// writing shows what the viewer writes outside a thread, in the place where threads are shown; what is of a thread is shown there.
func (w *web) writing(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v, err := w.inboxList(r, p)
	if err != nil {
		return nil, err
	}
	v.In.Section, v.In.Inbox = "drafts", ""
	list, err := w.svc.ListOutgoing(r.Context(), api.OutgoingsIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}})
	if err != nil {
		return nil, err
	}
	d := &drafts{inboxView: v, List: list.Items}
	if id := r.PathValue("id"); id != "" {
		if d.At, err = w.composing(r, p, id, api.SharedInbox{}); err != nil {
			return nil, err
		}
		if d.At.Thread != "" {
			http.Redirect(rw, r, with(p.at("inbox", "threads", d.At.Thread), "inbox", d.At.Inbox, "state", "any"), http.StatusSeeOther)
			return nil, nil
		}
		if b := v.box(d.At.Inbox); b != nil {
			d.At.Box = *b
		}
		p.Title = nameOr(d.At.Subject, "New mail")
	}
	return draftsPage(p, d), nil
}

// newMail begins a mail from an inbox.
func (w *web) newMail(r *http.Request) (string, *notice, error) {
	in := api.In{Tenant: tocsin.TenantID(r.PathValue("tenant"))}
	to, err := typedAddresses(r.PostFormValue("to"))
	if err != nil {
		return inboxBack(r), nil, err
	}
	o, err := w.svc.CreateOutgoing(r.Context(), api.WriteIn{ByIDAct: api.ByIDAct{ByID: api.ByID{In: in, ID: r.PostFormValue("inbox")}}, Body: api.OutgoingNew{OutgoingText: api.OutgoingText{To: to}}})
	if err != nil {
		return inboxBack(r), nil, err
	}
	return tenantAt(in.Tenant, "inbox", "write", o.ID), nil, nil
}

// wrote is what a form of a mail being written answers to the page's script.
type wrote struct {
	notice
	To      string `json:"to,omitempty"`
	Version int64  `json:"version,omitempty"` // that the mail has now
	Kept    string `json:"kept,omitempty"`    // when it was kept, in the viewer's zone
	Stale   bool   `json:"stale,omitempty"`   // it was changed elsewhere meanwhile
	Anyway  bool   `json:"anyway,omitempty"`  // it can be sent all the same
	Files   string `json:"files,omitempty"`   // the list of its files, as HTML
	Text    string `json:"text,omitempty"`    // a macro's, as safe HTML
}

// writeAct is a form of a mail being written: sent by the page's script the answer is JSON, else it leads back to the page.
func (w *web) writeAct(do func(r *http.Request, a *wrote) error) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		asks := r.Header.Get("Accept") == "application/json"
		if _, ok := api.CallerOf(r.Context()); !ok {
			if asks {
				rw.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.toDoor(rw, r)
			return
		}
		var a wrote
		err, status := do(r, &a), http.StatusOK
		if err != nil {
			w.note(r, err)
			p := tocsin.AsProblem(err)
			a.notice, status = notice{Kind: "bad", What: p.What, Do: p.Do}, api.StatusOf(err)
			a.Anyway = p.Code == tocsin.Conflict && strings.Contains(p.Do, "send it anyway")
		}
		if !asks {
			if a.What != "" {
				w.leaveNotice(rw, &a.notice)
			}
			http.Redirect(rw, r, local(nameOr(a.To, tenantAt(tocsin.TenantID(r.PathValue("tenant")), "inbox", "write"))), http.StatusSeeOther)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Cache-Control", "no-store")
		rw.WriteHeader(status)
		_ = json.NewEncoder(rw).Encode(a) // who has gone away needs none
	}
}

var errNoForm = tocsin.Problemf(tocsin.Invalid, "Send it again, shorter.", "The form could not be read.")

// writeForm saves, sends, takes back or throws away a mail, takes a file away from it, or fills in a macro.
func (w *web) writeForm(r *http.Request, a *wrote) error {
	r.Body = http.MaxBytesReader(nil, r.Body, 2<<20)
	if err := r.ParseForm(); err != nil {
		return errNoForm
	}
	one, f := threadAct(r), r.PostForm
	a.To = f.Get("back")
	switch r.PathValue("do") {
	case "save":
		o, err := w.keepWriting(r, one, a)
		if err == nil {
			a.notice = notice{Kind: "good", What: "The draft is kept."}
			a.wroteAt(r, o)
		}
		return err
	case "send":
		return w.sendWriting(r, one, a)
	case "undo":
		o, err := w.svc.UndoOutgoing(r.Context(), one)
		a.wroteAt(r, o)
		a.notice = notice{Kind: "good", What: "It was taken back, and is a draft again."}
		return err
	case "went", "not-gone":
		o, err := w.svc.SettleOutgoing(r.Context(), api.SettleOutgoingIn{ByIDAct: one, Body: api.OutgoingWent{Went: r.PathValue("do") == "went"}})
		a.wroteAt(r, o)
		a.notice = notice{Kind: "good", What: "It stands as sent."}
		if o.State == "draft" {
			a.notice.What = "It is a draft again, and can be sent."
		}
		return err
	case "discard":
		_, err := w.svc.DeleteOutgoing(r.Context(), one)
		if strings.Contains(a.To, "/inbox/write/") {
			a.To = tenantAt(one.Tenant, "inbox", "write")
		}
		a.notice = notice{Kind: "good", What: "The draft is thrown away."}
		return err
	case "detach":
		if f.Has("version") && r.Header.Get("Accept") != "application/json" { // what was typed is not lost with the page
			if _, err := w.keepWriting(r, one, a); err != nil {
				return err
			}
		}
		o, err := w.svc.DetachOutgoing(r.Context(), api.DropFileIn{ByIDAct: one, File: f.Get("file")})
		if err != nil {
			return err
		}
		return a.files(r, o)
	case "macro":
		return w.fillMacro(r, one, a)
	}
	return tocsin.Problemf(tocsin.NotFound, "Use the buttons of the page.", "There is no such thing to do.")
}

// wroteAt says which version a mail has, and when it was kept.
func (a *wrote) wroteAt(r *http.Request, o api.Outgoing) {
	a.Version, a.Kept = o.Version, o.Changed.In(lookOf(r.Context()).zone).Format("15:04")
}

// files puts the list of a mail's files into the answer.
func (a *wrote) files(r *http.Request, o api.Outgoing) error {
	var b bytes.Buffer
	err := composeFiles(tenantAt(tocsin.TenantID(r.PathValue("tenant")), "inbox", "write", o.ID), o).Render(r.Context(), &b)
	a.Files, a.Version = b.String(), o.Version
	return err
}

// pictured is what a mail being written says, with each picture in its text fetched from its files at an address. What goes out names them
// by their content ids, which the page's script keeps.
func pictured(at string, o api.Outgoing) string {
	for _, f := range o.Files {
		if f.Inline {
			named := html.EscapeString(f.ContentID)
			o.HTML = strings.ReplaceAll(o.HTML, `src="cid:`+named+`"`, `data-cid="`+named+`" src="`+html.EscapeString(at+"/files/"+f.ID+"?show=true")+`"`)
		}
	}
	return strings.ReplaceAll(o.HTML, `src="cid:`, `data-cid="`) // whose file was taken away
}

// keepWriting keeps what a form holds of a mail. A form without scripts holds plain text: where that says what is kept already, its formatting stays.
func (w *web) keepWriting(r *http.Request, one api.ByIDAct, a *wrote) (o api.Outgoing, err error) {
	f := r.PostForm
	text := api.OutgoingText{Subject: f.Get("subject"), Quote: f.Get("quote") != "", Then: f.Get("then")}
	for _, field := range []struct {
		to   *[]api.MailAddress
		name string
	}{{&text.To, "to"}, {&text.Cc, "cc"}, {&text.Bcc, "bcc"}} {
		if *field.to, err = typedAddresses(f.Get(field.name)); err != nil {
			if r.PathValue("do") != "save" || r.Header.Get("Accept") != "application/json" {
				return o, err
			}
			*field.to, err = nil, nil // it is kept while it is typed: who is not done with an address has it on the page
			for _, one := range strings.FieldsFunc(f.Get(field.name), func(c rune) bool { return c == ',' || c == ';' }) {
				if a, bad := typedAddresses(one); bad == nil {
					*field.to = append(*field.to, a...)
				}
			}
		}
	}
	switch said := strings.ReplaceAll(f.Get("text"), "\r\n", "\n"); {
	case f.Has("text_html"):
		text.HTML = f.Get("text_html")
	default:
		if o, err = w.svc.GetOutgoing(r.Context(), one.ByID); err != nil {
			return o, err
		}
		if text.Text = said; plainText(o.HTML) == trim(said) {
			text.HTML = o.HTML
		}
	}
	version, _ := strconv.ParseInt(f.Get("version"), 10, 64) // none is none that is asked for
	one.Key = api.Key{}
	o, err = w.svc.EditOutgoing(r.Context(), api.EditOutgoingIn{ByIDAct: one, Body: api.OutgoingEdit{OutgoingText: text, Version: version}})
	a.Stale = err != nil && tocsin.AsProblem(err).Code == tocsin.Conflict
	return o, err
}

// sendWriting keeps what a form holds and hands it over to be sent. Whoever presses twice sends once: the second finds it handed over.
func (w *web) sendWriting(r *http.Request, one api.ByIDAct, a *wrote) error {
	f := r.PostForm
	o, err := w.keepWriting(r, one, a)
	if a.Stale {
		now, gone := w.svc.GetOutgoing(r.Context(), one.ByID)
		version, _ := strconv.ParseInt(f.Get("version"), 10, 64) // without one it is not told apart
		if gone == nil && (now.State == "held" || now.State == "sending" || now.State == "sent") && now.Version >= version+2 && version > 0 {
			o, err, a.Stale = now, nil, false
		}
	}
	if err != nil {
		return err
	}
	a.wroteAt(r, o)
	seen, _ := time.Parse(time.RFC3339Nano, f.Get("seen")) // without it nothing is compared
	if o, err = w.svc.SendOutgoing(r.Context(), api.SendOutgoingIn{ByIDAct: one, Body: api.OutgoingSend{Version: o.Version, Seen: seen, Anyway: f.Get("anyway") != ""}}); err != nil {
		return err
	}
	a.notice, a.Version = notice{Kind: "good", What: "It goes in a moment.", Do: "Until then it can be taken back."}, o.Version
	return nil
}

// fillMacro does what a macro does to the thread of a mail being written, and gives its text; without scripts it stands below what is written.
func (w *web) fillMacro(r *http.Request, one api.ByIDAct, a *wrote) error {
	asks := r.Header.Get("Accept") == "application/json"
	if !asks {
		if _, err := w.keepWriting(r, one, a); err != nil {
			return err
		}
	}
	o, err := w.svc.GetOutgoing(r.Context(), one.ByID)
	if err != nil {
		return err
	}
	of := one
	of.ID = o.Thread
	ran, err := w.svc.RunMacro(r.Context(), api.RunMacroIn{ByIDAct: of, Body: api.MacroRun{Macro: r.PostFormValue("macro")}})
	if err != nil {
		return err
	}
	if a.Text, a.Version = ran.Text, o.Version; asks {
		return nil
	}
	o, err = w.svc.EditOutgoing(r.Context(), api.EditOutgoingIn{ByIDAct: one, Body: api.OutgoingEdit{Version: o.Version, OutgoingText: api.OutgoingText{
		Subject: o.Subject, To: o.To, Cc: o.Cc, Bcc: o.Bcc, HTML: o.HTML + ran.Text, Quote: o.Quote, Then: o.Then}}})
	return err
}

// mostUploaded bounds a form with files: what Exchange takes, and the form around it.
const mostUploaded = 112 << 20

// writeFiles takes files for a mail as they come.
func (w *web) writeFiles(r *http.Request, a *wrote) error {
	one := threadAct(r)
	r.Body = http.MaxBytesReader(nil, r.Body, mostUploaded)
	form, err := r.MultipartReader()
	if err != nil {
		return errNoForm
	}
	n, shown := 0, "" // shown is the content id of the next file, which stands in the text
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return errBigFile
		}
		if err != nil {
			return errNoForm
		}
		data, err := io.ReadAll(part)
		switch {
		case errors.As(err, &big):
			return errBigFile
		case err != nil:
			return errNoForm
		case part.FormName() == "back":
			a.To = string(data)
		case part.FormName() == "cid":
			shown = string(data)
		case part.FormName() == "file" && part.FileName() != "":
			n++
			o, err := w.svc.AttachOutgoing(r.Context(), api.OutgoingFileIn{ByIDAct: one, Body: api.OutgoingFileNew{Name: filepath.Base(part.FileName()), Type: firstN100(part.Header.Get("Content-Type")), Inline: shown != "", ContentID: shown, Data: data}})
			if err != nil {
				return err
			}
			shown = ""
			if err := a.files(r, o); err != nil {
				return err
			}
		}
	}
	if n == 0 {
		return tocsin.Problemf(tocsin.Invalid, "Choose one.", "There is no file in the form.")
	}
	a.notice = notice{Kind: "good", What: plural(n, "file is", "files are") + " attached."}
	return nil
}

var errBigFile = tocsin.Problemf(tocsin.Invalid, "Put it where the recipient can fetch it, and send the link.", "The files are larger than Exchange takes: 110 MB.")

// firstN100 is the beginning of a kind of file that somebody's browser told.
func firstN100(s string) string { return s[:min(len(s), 100)] }

// mergeView is a thread that is to be put into another, and which those could be.
type mergeView struct {
	*inboxView
	Thread api.ThreadDetail
	Q      string
	Found  []api.Thread
	None   *tocsin.Problem // why nothing was looked for
}

// merging shows the threads into which one can be merged: those with the same sender, or what a search finds.
func (w *web) merging(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v, err := w.inboxList(r, p)
	if err != nil {
		return nil, err
	}
	m := &mergeView{inboxView: v, Q: trim(r.URL.Query().Get("q"))}
	if m.Thread, err = w.svc.GetThread(r.Context(), byID(r, p)); err != nil {
		return nil, err
	}
	in := api.In{Tenant: p.Tenant.ID}
	add := func(t api.Thread) {
		for _, had := range m.Found {
			if had.ID == t.ID {
				return
			}
		}
		if t.ID != m.Thread.ID && t.Merged == "" && t.Inbox == m.Thread.Inbox && len(m.Found) < 30 {
			m.Found = append(m.Found, t)
		}
	}
	if m.Q == "" {
		if m.Thread.From != "" {
			list, err := w.svc.ListThreads(r.Context(), api.ThreadsIn{In: in, Paging: api.Paging{Limit: 30}, ThreadFilter: api.ThreadFilter{Inbox: m.Thread.Inbox, From: m.Thread.From, State: "any"}})
			if err != nil {
				return nil, err
			}
			for _, t := range list.Items {
				add(t)
			}
		}
	} else {
		hits, err := w.svc.SearchThreads(r.Context(), api.SearchThreadsIn{In: in, Paging: api.Paging{Limit: 60}, Q: m.Q, ThreadFilter: api.ThreadFilter{Inbox: m.Thread.Inbox, State: "any"}})
		if err != nil {
			if m.None = tocsin.AsProblem(err); m.None.Code == tocsin.Internal {
				return nil, err
			}
		}
		for _, h := range hits.Items {
			if len(m.Found) >= 30 {
				break
			}
			t, err := w.svc.GetThread(r.Context(), api.ByID{In: in, ID: h.Thread})
			if err != nil {
				return nil, err
			}
			add(t.Thread)
		}
	}
	p.Title = "Merge"
	return mergePage(p, m), nil
}

// draftAt is where a mail that is being written stands: in its thread, or by itself.
func draftAt(p *page, o api.Outgoing) string {
	if o.Thread != "" {
		return with(p.at("inbox", "threads", o.Thread), "inbox", o.Inbox, "state", "any")
	}
	return p.at("inbox", "write", o.ID)
}

// fileLimit says how large files may be, before somebody chooses one.
func fileLimit(largest int64) string {
	if largest > 0 && largest <= 3<<20 {
		return "Files of up to 3 MB each: Microsoft lets a service account attach no more to a shared mailbox's mail."
	}
	return "Files of up to 110 MB, all together."
}

// quotedWord leads in what stands below.
func quotedWord(kind string) string {
	if kind == "forward" {
		return "What is forwarded: the mail of"
	}
	return "What is answered: the mail of"
}
