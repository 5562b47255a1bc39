package web

import (
	"net/http"
	"net/url"

	"github.com/a-h/templ"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/detect"
)

// storiesView is what the list of stories shows.
type storiesView struct {
	Query    url.Values
	In       api.StoriesIn
	Person   string // the name of the person that is filtered by
	Page     api.Page[api.Story]
	Coverage reach
}

func (v storiesView) filtered() bool {
	return v.In.Person != "" || v.In.Takeover || v.In.All || v.In.After != ""
}

func (w *web) stories(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := storiesView{Query: kept(r), In: api.StoriesIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")},
		Person: tocsin.PersonID(q.Get("person")), Takeover: on(q, "takeover"), All: on(q, "all")}}
	var err error
	if v.Page, err = w.svc.ListStories(r.Context(), v.In); err != nil {
		return nil, err
	}
	if v.In.Person != "" {
		v.Person = w.personName(r, p.Tenant.ID, v.In.Person)
	}
	v.Coverage, err = w.coverage(r, p.Tenant.ID, len(v.Page.Items) == 0)
	return storiesPage(p, v), err
}

func (w *web) story(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	d, err := w.svc.GetStory(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	p.Title = d.Title
	return storyPage(p, d), nil
}

// reached says whether a story has come to a stage.
func reached(of []string, stage string) bool {
	for _, s := range of {
		if s == stage {
			return true
		}
	}
	return false
}

// knotOf is the mark of a finding on a line of time.
func knotOf(s tocsin.Severity) string {
	if s == tocsin.Critical || s == tocsin.High {
		return "k-" + string(s)
	}
	return ""
}

// riskLine is the course of a person's risk as the steps of a line in a box of 100 by 30, the oldest at the left; at least two changes.
func riskLine(history []api.RiskAt, now int) string {
	if len(history) == 0 {
		return ""
	}
	first, last := history[len(history)-1].At, history[0].At
	span := last.Sub(first).Seconds()
	if span <= 0 {
		span = 1
	}
	path := ""
	before := 0.0
	for i := len(history) - 1; i >= 0; i-- {
		h := history[i]
		x, y := 96*h.At.Sub(first).Seconds()/span, 29-28*float64(h.Risk)/100
		if path == "" {
			path = "M" + units(x) + " " + units(y)
		} else {
			path += "L" + units(x) + " " + units(before) + "L" + units(x) + " " + units(y)
		}
		before = y
	}
	return path + "L100 " + units(29-28*float64(now)/100)
}

// gradeOf is the severity that goes with a risk.
func gradeOf(risk int) tocsin.Severity { return detect.Grade(risk) }
