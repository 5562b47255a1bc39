package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/investigate"
)

// mailWizard is an act on mails that is being chosen: what is done, to which, what that would reach, and why.
type mailWizard struct {
	Of    api.InvestigationDetail
	Query url.Values // what was chosen so far, as the address has it
	Ask   api.MailActNew
	Rows  int                     // how many matches are chosen; 0: all
	Left  []investigate.BlastLeft // what the filter shows and nobody named
	Step  int                     // 1 choose, 2 the dry run, 3 confirm
	Plan  api.MailActPlan
	Limit api.MailActSettings
	Key   string // so that pressing twice asks once
}

// mailWizardSteps are the steps, as the wizard says them.
var mailWizardSteps = []string{"Choose what to do", "See what it reaches", "Say why, and confirm"}

// mailChosen are the keys of an address that say which matches an act is for; the filtered ones are looked up first: an act on
// what a filter shows is one on just that.
var (
	mailFiltered = slices.DeleteFunc(slices.Clone(matchKeys), func(k string) bool { return k == "person" || k == "cluster" })
	mailChosen   = slices.Concat([]string{"match", "except", "cluster", "person"}, mailFiltered)
)

// chosenMost is how many matches an act can be for that are chosen by a filter; more are asked for as all, or by campaigns.
const chosenMost = 20_000

func mailAskOf(q url.Values, investigation string) api.MailActNew {
	ask := api.MailActNew{Investigation: investigation, Kind: investigate.ActKind(q.Get("kind")), Matches: q["match"], Clusters: q["cluster"], Except: q["except"],
		DeletedItems: q.Get("deleted_items") == "yes", Notice: q.Get("notice") == "yes", NoticeText: trim(q.Get("notice_text")), Why: trim(q.Get("why")), Force: q.Get("force") == "yes"}
	for _, p := range q["person"] {
		ask.People = append(ask.People, tocsin.PersonID(p))
	}
	return ask
}

// mailActNew leads through the three steps.
func (w *web) mailActNew(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := mailWizard{Query: q, Step: 1, Key: tocsin.NewID()}
	var err error
	if v.Of, err = w.svc.GetInvestigation(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")}); err != nil {
		return nil, err
	}
	if v.Limit, err = w.svc.GetMailActSettings(r.Context(), api.In{Tenant: p.Tenant.ID}); err != nil {
		return nil, err
	}
	if v.Ask, v.Left, err = w.mailAsk(r.Context(), p.Tenant.ID, q, v.Of.ID); err != nil {
		return nil, err
	}
	v.Rows = len(v.Ask.Matches)
	if v.Rows == 0 && len(v.Left) > 0 { // all that the filter shows is left out
		v.Step, v.Plan.Blast.Left = 2, v.Left
		p.Title = "Act on mails"
		return mailWizardPage(p, v), nil
	}
	if has(investigate.ActKinds, v.Ask.Kind) && v.Ask.Kind != investigate.Restore {
		v.Step = 2
		v.Ask.Why = "dry run"
		if v.Plan, err = w.svc.PlanMailAct(r.Context(), api.MailActPlanIn{In: api.In{Tenant: p.Tenant.ID}, Body: v.Ask}); err != nil {
			return nil, err
		}
		v.Plan.Blast.Left = slices.Concat(v.Left, v.Plan.Blast.Left)
		if q.Get("step") == "3" && (v.Plan.Possible || v.Plan.Forcible) {
			v.Step = 3
		}
	}
	p.Title = "Act on mails"
	return mailWizardPage(p, v), nil
}

// mailAsk is what is asked for, with the matches of the filter that was chosen, where one was. Of these, mails that are not
// certain to match or were restored are left out unless the filter asks for them, as they are where all are asked for.
func (w *web) mailAsk(ctx context.Context, tenant tocsin.TenantID, q url.Values, investigation string) (ask api.MailActNew, left []investigate.BlastLeft, err error) {
	ask = mailAskOf(q, investigation)
	filter := url.Values{}
	for _, k := range mailFiltered {
		if q.Get(k) != "" {
			filter[k] = q[k]
		}
	}
	if len(filter) == 0 || len(ask.Matches) > 0 {
		return ask, nil, nil
	}
	for k, named := range map[string][]string{"person": q["person"], "cluster": q["cluster"]} {
		if len(named) == 1 { // of several, those that are meant are sorted out by the act
			filter[k] = named
		}
	}
	in := matchesIn(tenant, investigation, filter)
	in.Limit = 200
	var unknown, restored int
	for {
		got, err := w.svc.ListMatches(ctx, in)
		if err != nil {
			return ask, nil, err
		}
		for _, m := range got.Items {
			switch {
			case m.Truth == "unknown" && in.Truth == "":
				unknown++
			case m.State == "restored" && in.State == "":
				restored++
			default:
				ask.Matches = append(ask.Matches, m.ID)
			}
		}
		if in.After = got.Next; in.After == "" {
			break
		}
		if len(ask.Matches) > chosenMost {
			return ask, nil, tocsin.Problemf(tocsin.Invalid, "Filter further, or act on all that the investigation found.", "More than %d mails fit the filter.", chosenMost)
		}
	}
	if unknown > 0 {
		left = append(left, investigate.BlastLeft{Why: "Whether they match is unknown: filter by certainty, or choose them one by one, if they are meant.", Messages: unknown})
	}
	if restored > 0 {
		left = append(left, investigate.BlastLeft{Why: "They were restored: filter by that state, or choose them one by one, if they are meant.", Messages: restored})
	}
	if len(ask.Matches) == 0 && len(left) == 0 {
		return ask, left, tocsin.Problemf(tocsin.Invalid, "Go back, and filter otherwise.", "No mail fits the filter any more.")
	}
	return ask, left, nil
}

// mailActCreate asks for the act, and leads to where its progress shows.
func (w *web) mailActCreate(r *http.Request) (string, *notice, error) {
	tenant, id := tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id")
	back := tenantAt(tenant, "investigations", id, "act")
	ask, left, err := w.mailAsk(r.Context(), tenant, r.PostForm, id)
	if err == nil && len(left) > 0 && len(ask.Matches) == 0 { // without any named, all would be meant
		err = tocsin.Problemf(tocsin.Invalid, "Go back, and filter otherwise, or choose mails one by one.", "Of what the filter shows, no mail is left to act on.")
	}
	if err == nil {
		var a api.MailAct
		if a, err = w.svc.CreateMailAct(r.Context(), api.MailActCreateIn{In: api.In{Tenant: tenant}, Key: api.Key{Key: r.PostFormValue("key")}, Body: ask}); err == nil {
			return tenantAt(tenant, "mailacts", a.ID), mailActAsked(a), nil
		}
	}
	kept := url.Values{}
	for k, v := range r.PostForm {
		if has(mailChosen, k) || has([]string{"kind", "notice", "notice_text", "deleted_items"}, k) {
			kept[k] = v
		}
	}
	return back + "?" + kept.Encode(), nil, err
}

// chosenFields are what was chosen, as the wizard's forms carry it on: all but the keys that the form has itself.
func (v mailWizard) chosenFields(but ...string) (out []field) {
	for k, vs := range v.Query {
		if k == "step" || k == "why" || k == "key" || slices.Contains(but, k) {
			continue
		}
		for _, x := range vs {
			out = append(out, field{k, x})
		}
	}
	slices.SortStableFunc(out, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// at is the wizard's address with what was chosen, changed by the pairs.
func (v mailWizard) at(p *page, pairs ...string) string {
	return change(p.at("investigations", v.Of.ID, "act"), v.Query, pairs...)
}

// which says in words which mails it is for.
func (v mailWizard) which() string {
	q := v.Query
	switch {
	case len(q["match"]) > 0:
		return plural(len(q["match"]), "mail that you chose", "mails that you chose")
	case len(q["cluster"]) == 1:
		return "All mails of one campaign"
	case len(q["cluster"]) > 1:
		return "All mails of " + plural(len(q["cluster"]), "campaign", "campaigns")
	case v.Rows > 0:
		return plural(v.Rows, "mail that fits the filter", "mails that fit the filter")
	case len(q["person"]) > 0:
		return "All mails in " + plural(len(q["person"]), "mailbox", "mailboxes")
	}
	return "All mails that the investigation found"
}

// kindOff says why a kind cannot be chosen; empty where it can.
func (v mailWizard) kindOff(p *page, k investigate.ActKind) string {
	if k != investigate.Purge {
		return ""
	}
	switch {
	case !v.Limit.Purge:
		return "Switched off: an administrator allows it under Settings, Response."
	case !p.may(api.Admin):
		return "It needs the role admin."
	}
	return ""
}

// blastDays says from when to when the mails are.
func blastDays(ctx context.Context, b investigate.Blast) string {
	if b.Oldest.IsZero() {
		return ""
	}
	from, to := day(ctx, b.Oldest), day(ctx, b.Newest)
	if from == to {
		return "received on " + from
	}
	return "received from " + from + " to " + to
}

// shareWordOf is a share of the tenant's mailboxes in per cent; what is not 0 is never said to be.
func shareWordOf(f float64) string {
	switch {
	case f <= 0:
		return "0 %"
	case f < .001:
		return "less than 0.1 %"
	case f < .1:
		return units(float64(int(f*1000+.5))/10) + " %"
	}
	return units(float64(int(f*100+.5))) + " %"
}

// longFor is how long a plan says that it takes.
func longFor(seconds int) string { return aboutLong(time.Duration(seconds) * time.Second) }

// blastSays is how far an act reaches, in a sentence.
func blastSays(ctx context.Context, b investigate.Blast) string {
	s := plural(b.Messages, "mail", "mails") + " in " + plural(b.Mailboxes, "mailbox", "mailboxes") + ", " + shareWordOf(b.Share) + " of the tenant's " + thousands(b.Of)
	if d := blastDays(ctx, b); d != "" {
		s += ", " + d
	}
	return s + "."
}
