package web

import (
	"net/http"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html"
	"tocsin.dev"
	"tocsin.dev/api"
)

// writeDo saves, sends, takes back or throws away an answer.
func (w *web) writeDo(r *http.Request) (string, *notice, error) {
	back, at, f := inboxBack(r), threadAct(r), r.PostForm
	one := api.ByIDAct{ByID: api.ByID{In: at.In, ID: f.Get("outgoing")}}
	switch r.PathValue("do") {
	case "undo":
		_, err := w.svc.UndoOutgoing(r.Context(), one)
		return back, &notice{Kind: "good", What: "It was taken back, and is a draft again."}, err
	case "discard":
		_, err := w.svc.DeleteOutgoing(r.Context(), one)
		return back, &notice{Kind: "good", What: "The draft is thrown away."}, err
	case "presence":
		_, err := w.svc.BePresent(r.Context(), api.PresenceIn{ByIDAct: at, Body: api.PresenceNew{Kind: f.Get("kind")}})
		return back, nil, err
	}
	text := api.OutgoingText{Text: strings.ReplaceAll(f.Get("text"), "\r\n", "\n"), Quote: true, Then: f.Get("then")}
	var err error
	if text.To, err = typedAddresses(f.Get("to")); err != nil {
		return back, nil, err
	}
	if text.Cc, err = typedAddresses(f.Get("cc")); err != nil {
		return back, nil, err
	}
	var o api.Outgoing
	if one.ID == "" {
		o, err = w.svc.ReplyOutgoing(r.Context(), api.WriteIn{ByIDAct: at, Body: api.OutgoingNew{Kind: "reply", OutgoingText: text}})
	} else {
		text.Subject = f.Get("subject")
		version, _ := strconv.ParseInt(f.Get("version"), 10, 64) // none is none that fits
		o, err = w.svc.EditOutgoing(r.Context(), api.EditOutgoingIn{ByIDAct: one, Body: api.OutgoingEdit{OutgoingText: text, Version: version}})
	}
	if err != nil || f.Get("keep") != "" {
		return back, &notice{Kind: "good", What: "The draft is kept."}, err
	}
	seen, _ := time.Parse(time.RFC3339Nano, f.Get("seen")) // without it nothing is compared
	one.ID = o.ID
	o, err = w.svc.SendOutgoing(r.Context(), api.SendOutgoingIn{ByIDAct: one, Body: api.OutgoingSend{Version: o.Version, Seen: seen, Anyway: f.Get("anyway") != ""}})
	return back, &notice{Kind: "good", What: "It goes in a moment.", Do: "Until then it can be taken back."}, err
}

// typedAddresses reads addresses that somebody typed, with commas or semicolons between them.
func typedAddresses(s string) (out []api.MailAddress, err error) {
	for _, one := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' }) {
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

// draft is what the viewer writes in the thread.
func (o *openThread) draft() *api.Outgoing {
	i := slices.IndexFunc(o.Outgoing, func(x api.Outgoing) bool { return x.State == "draft" && x.By != nil && x.By.Account == o.Me })
	if i < 0 {
		return nil
	}
	return &o.Outgoing[i]
}

// addressLine is addresses as they are typed.
func addressLine(list []api.MailAddress) string {
	var out []string
	for _, a := range list {
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
			if name, _ := z.TagName(); string(name) == "br" {
				b.WriteByte('\n')
			}
		case html.EndTagToken:
			if name, _ := z.TagName(); string(name) == "p" || string(name) == "div" {
				b.WriteByte('\n')
			}
		}
	}
}

// outgoingWord is how a mail on its way stands.
func outgoingWord(o api.Outgoing) (kind, word string) {
	switch o.State {
	case "held":
		return "busy", "Goes in a moment"
	case "sending":
		return "busy", "On its way"
	case "failed":
		return "bad", "It did not go"
	case "unknown":
		return "unknown", "Whether it went is not known; it is not sent again"
	}
	return "paused", sentence(o.State)
}

// draftMark tells a draft and its version from others, so that what is written is shown anew when it changed elsewhere.
func draftMark(d *api.Outgoing) string {
	if d == nil {
		return ""
	}
	return "-" + d.ID + "-" + strconv.FormatInt(d.Version, 10)
}

// replyTo is whom an answer goes to: where the newest mail from outside wishes it.
func replyTo(o *openThread, d *api.Outgoing) string {
	if d != nil {
		return addressLine(d.To)
	}
	for _, m := range slices.Backward(o.Mails) {
		if m.Direction != "in" {
			continue
		}
		if len(m.ReplyTo) > 0 {
			return addressLine(m.ReplyTo)
		}
		return m.From
	}
	return o.From
}

func replyCc(d *api.Outgoing) string {
	if d == nil {
		return ""
	}
	return addressLine(d.Cc)
}
