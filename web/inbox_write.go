package web

import (
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"
	"tocsin.dev"
	"tocsin.dev/api"
)

// composing is a mail being written, with what its form needs beside.
type composing struct {
	api.Outgoing
	Box    api.SharedInbox
	Quoted *api.ThreadMail // that is answered or forwarded, where it is here
	Macros []api.Macro     // that can be used in its thread
	Seen   time.Time       // the newest mail of the thread when the page was made
	Back   string          // where one is once it was sent
}

// composing reads what the viewer writes in an inbox, whole.
func (w *web) composing(r *http.Request, p *page, id string, box api.SharedInbox) (*composing, error) {
	o, err := w.svc.GetOutgoing(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: id})
	return &composing{Outgoing: o, Box: box, Back: p.Path}, err
}

// answering reads what the viewer writes in the open thread, and with what they could.
func (w *web) answering(r *http.Request, p *page, o *openThread) error {
	if !o.Box.Member {
		return nil
	}
	macros, err := w.svc.ListMacros(r.Context(), api.MacrosIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}, Inbox: o.Inbox})
	if err != nil {
		return err
	}
	o.Macros = macros.Items
	x := o.draft("", "")
	if x == nil {
		return nil
	}
	if o.Writing, err = w.composing(r, p, x.ID, o.Box); err != nil {
		return err
	}
	o.Writing.Macros, o.Writing.Seen = o.Macros, o.LastIn
	if i := slices.IndexFunc(o.Mails, func(m api.ThreadMail) bool { return m.ID == x.Message }); i >= 0 {
		o.Writing.Quoted = &o.Mails[i]
	}
	return nil
}

// draft is what the viewer writes in the thread, or what did not go: the newest, of a kind and to a mail where those are given.
func (o *openThread) draft(kind, message string) *api.Outgoing {
	return draftOf(o.Outgoing, o.Me, kind, message)
}

func draftOf(list []api.Outgoing, me, kind, message string) *api.Outgoing {
	for i, x := range slices.Backward(list) {
		if (x.State == "draft" || x.State == "failed") && x.By != nil && x.By.Account == me && (kind == "" || x.Kind == kind) && (message == "" || x.Message == message) {
			return &list[i]
		}
	}
	return nil
}

// beginAnswer begins an answer, or forwards a mail: one that is begun already goes on, and an empty one of another kind makes room. With a macro its
// text stands there, and what it does to the thread is done.
func (w *web) beginAnswer(r *http.Request) (string, *notice, error) {
	back, at, f := inboxBack(r), threadAct(r), r.PostForm
	d, err := w.svc.GetThread(r.Context(), at.ByID)
	if err != nil {
		return back, nil, err
	}
	c, _ := api.CallerOf(r.Context())
	kind, text := nameOr(f.Get("kind"), "reply"), ""
	if id := f.Get("macro"); id != "" {
		ran, err := w.svc.RunMacro(r.Context(), api.RunMacroIn{ByIDAct: at, Body: api.MacroRun{Macro: id}})
		if err != nil || plainText(ran.Text) == "" {
			return back, &notice{Kind: "good", What: "The macro is done."}, err
		}
		text = ran.Text
	} else if draftOf(d.Outgoing, c.Account, kind, f.Get("message")) != nil {
		return back, nil, nil
	}
	if x := draftOf(d.Outgoing, c.Account, "", ""); x != nil {
		one := api.ByID{In: at.In, ID: x.ID}
		whole, err := w.svc.GetOutgoing(r.Context(), one)
		if err != nil {
			return back, nil, err
		}
		if plainText(whole.HTML) == "" && len(whole.Files) == 0 {
			if _, err := w.svc.DeleteOutgoing(r.Context(), api.ByIDAct{ByID: one}); err != nil {
				return back, nil, err
			}
		}
	}
	_, err = w.svc.ReplyOutgoing(r.Context(), api.WriteIn{ByIDAct: at, Body: api.OutgoingNew{Kind: kind, Message: f.Get("message"), OutgoingText: api.OutgoingText{HTML: text, Quote: true}}})
	return back, nil, err
}

// writeDo does in a thread what has to do with writing.
func (w *web) writeDo(r *http.Request) (string, *notice, error) {
	back, at, f := inboxBack(r), threadAct(r), r.PostForm
	switch r.PathValue("do") {
	case "reply":
		return w.beginAnswer(r)
	case "presence":
		_, err := w.svc.BePresent(r.Context(), api.PresenceIn{ByIDAct: at, Body: api.PresenceNew{Kind: f.Get("kind"), Take: f.Get("take") != ""}})
		return back, nil, err
	case "merge":
		into := at
		into.ID = f.Get("into")
		d, err := w.svc.MergeThreads(r.Context(), api.MergeThreadsIn{ByIDAct: into, Body: api.ThreadsNamed{Threads: []string{at.ID}}})
		if err != nil {
			return back, nil, err
		}
		return tenantAt(at.Tenant, "inbox", "threads", d.ID) + queryOf(back), &notice{Kind: "good", What: "They are one thread now."}, nil
	case "split":
		from, err := w.svc.GetThread(r.Context(), at.ByID)
		if err != nil {
			return back, nil, err
		}
		var mails []string
		for _, m := range from.Mails {
			if len(mails) > 0 || m.ID == f.Get("message") {
				mails = append(mails, m.ID)
			}
		}
		d, err := w.svc.SplitThread(r.Context(), api.MergeThreadsIn{ByIDAct: at, Body: api.ThreadsNamed{Mails: mails}})
		if err != nil {
			return back, nil, err
		}
		return tenantAt(at.Tenant, "inbox", "threads", d.ID) + queryOf(back), &notice{Kind: "good", What: plural(len(mails), "mail is", "mails are") + " a thread of their own now.", Do: "To undo it, merge it back: More → Merge into another."}, nil
	}
	return back, nil, tocsin.Problemf(tocsin.NotFound, "Use the thread's buttons.", "There is no such thing to do.")
}

// typedAddresses reads addresses that somebody typed, with commas or semicolons between them; a name with a comma stands in quotes.
func typedAddresses(s string) (out []api.MailAddress, err error) {
	quoted := false
	for _, one := range strings.FieldsFunc(s, func(r rune) bool {
		quoted = quoted != (r == '"')
		return !quoted && (r == ',' || r == ';' || r == '\n')
	}) {
		if one = trim(one); one == "" {
			continue
		}
		a, err := mail.ParseAddress(one)
		if err != nil {
			return nil, tocsin.Problemf(tocsin.Invalid, "Write addresses with commas between them.", "%q is no address.", one)
		}
		out = append(out, api.MailAddress{Address: a.Address, Name: a.Name})
	}
	return out, nil
}

// addressLine is addresses as they are typed.
func addressLine(list []api.MailAddress) string {
	var out []string
	for _, a := range list {
		if a.Name != "" && !strings.EqualFold(a.Name, a.Address) {
			one := a.Name + " <" + a.Address + ">"
			if _, err := mail.ParseAddress(one); err != nil || strings.ContainsAny(a.Name, `,;"<>@`) {
				one = `"` + strings.NewReplacer(`"`, "", `\`, "").Replace(a.Name) + `" <` + a.Address + ">"
			}
			out = append(out, one)
			continue
		}
		out = append(out, a.Address)
	}
	return strings.Join(out, ", ")
}

// plainText is what HTML of ours says, as plain text.
func plainText(s string) string {
	var b strings.Builder
	for z := html.NewTokenizer(strings.NewReader(s)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return strings.TrimSpace(b.String())
		case html.TextToken:
			b.Write(z.Text())
		case html.StartTagToken, html.SelfClosingTagToken:
			switch name, _ := z.TagName(); string(name) {
			case "br":
				b.WriteByte('\n')
			case "li":
				b.WriteString("- ")
			}
		case html.EndTagToken:
			switch name, _ := z.TagName(); string(name) {
			case "p", "div", "li", "blockquote", "h1", "h2", "h3", "tr":
				b.WriteByte('\n')
			}
		}
	}
}

// outgoingWord is how a mail on its way stands.
func outgoingWord(o api.Outgoing) (kind, word string) {
	switch o.State {
	case "draft":
		return "paused", "Draft"
	case "held":
		return "busy", "Goes in a moment"
	case "sending":
		return "busy", "On its way"
	case "sent":
		return "ok", "Sent"
	case "failed":
		return "bad", "It did not go"
	case "unknown":
		return "unknown", "Whether it went is not known; it is not sent again"
	}
	return "paused", sentence(o.State)
}

// writeWord is what is written.
func writeWord(kind string) string {
	switch kind {
	case "reply":
		return "Reply"
	case "reply_all":
		return "Reply to all"
	case "forward":
		return "Forward"
	}
	return "New mail"
}
