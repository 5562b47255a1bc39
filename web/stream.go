package web

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/a-h/templ"

	"tocsin.dev"
	"tocsin.dev/api"
)

// streamView is what the pages of mail activity show.
type streamView struct {
	Query  url.Values
	Person string // the name of the person that is filtered by
	In     api.EventsIn
	Stream api.Stream
	Events api.Page[api.Event]
	Gaps   api.Page[api.Gap]
}

func (v streamView) filtered() bool {
	return v.In.Person != "" || v.In.Action != "" || v.In.After != "" || v.In.From != "" || v.In.Domain != "" || v.In.Mailbox != "" || v.In.Q != ""
}

// mailActions are what the list can be filtered by, with how they are called.
var mailActions = []struct{ Action, Name string }{
	{"email_received", "Received"}, {"email_sent", "Sent"}, {"email_read", "Read"}, {"email_moved", "Moved"}, {"email_deleted", "Deleted"}, {"email_flagged", "Flagged"},
	{"email_forwarded", "Forwarded"}, {"email_replied", "Replied to"}, {"email_drafted", "Draft begun"}, {"email_updated", "Changed"},
}

// mailAsked is what of a tenant's mail a query asks for.
func mailAsked(tenant tocsin.TenantID, q url.Values) api.EventsIn {
	return api.EventsIn{In: api.In{Tenant: tenant}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")}, Type: "EMAIL", Action: q.Get("action"), Person: tocsin.PersonID(q.Get("person")),
		From: q.Get("from"), Domain: q.Get("domain"), Mailbox: q.Get("mailbox"), Q: q.Get("q")}
}

// tailAttrs let the page follow on from what it shows, unless it shows an older piece of the list.
func tailAttrs(p *page, v streamView) templ.Attributes {
	if v.In.After != "" || v.Stream.State == "off" {
		return nil
	}
	return templ.Attributes{"data-tail": tailAt(p, v)}
}

// tailAt is where the page's tail is followed: with its filter, from the fact before the page was made.
func tailAt(p *page, v streamView) string {
	in := v.In
	return with(p.at("stream", "tail"), "action", in.Action, "person", string(in.Person), "from", in.From, "domain", in.Domain, "mailbox", in.Mailbox, "q", in.Q, "after", p.Fact)
}

func (w *web) stream(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := streamView{Query: kept(r), In: mailAsked(p.Tenant.ID, q)}
	var err error
	if v.Stream, err = w.svc.GetStream(r.Context(), v.In.In); err != nil {
		return nil, err
	}
	if v.Events, err = w.svc.ListEvents(r.Context(), v.In); err != nil {
		return nil, err
	}
	if v.In.Person != "" {
		v.Person = w.personName(r, p.Tenant.ID, v.In.Person)
	}
	return streamPage(p, v), nil
}

func (w *web) gaps(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v := streamView{Query: kept(r)}
	in := api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: pageSize, After: r.URL.Query().Get("after")}}
	var err error
	if v.Stream, err = w.svc.GetStream(r.Context(), in.In); err != nil {
		return nil, err
	}
	if v.Gaps, err = w.svc.ListGaps(r.Context(), in); err != nil {
		return nil, err
	}
	return gapsPage(p, v), nil
}

// streamWord answers: did you see everything?
func streamWord(s api.Stream) string {
	switch s.State {
	case "whole":
		return fmt.Sprintf("Every change in %s is told of", plural(s.Told, "mailbox", "mailboxes"))
	case "starting":
		return "The stream is starting"
	case "incomplete":
		return "Something is lacking"
	}
	return "Mail activity is off"
}

// seconds is a time measured, in seconds or minutes.
func seconds(s float64) string {
	if s < 0.1 {
		return "0.1 s" // nobody measures it more exactly
	}
	if s < 90 {
		return fmt.Sprintf("%.1f s", s)
	}
	return fmt.Sprintf("%.0f min", s/60)
}

// mailWord is what happened to a mail, in a word.
func mailWord(action string) string {
	for _, a := range mailActions {
		if a.Action == action {
			return a.Name
		}
	}
	return "Something else"
}
