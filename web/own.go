package web

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/collect"
	"tocsin.dev/detect/sigma"
)

// ownBegin is a rule to begin with.
const ownBegin = `title: A mailbox rule sends mail to a free mailer
description: An inbox rule that sends mail on to an address at a free mailer.
level: high
tags: [attack.exfiltration, attack.t1114.003]
logsource:
  product: m365
  service: audit
detection:
  selection:
    Operation: [New-InboxRule, Set-InboxRule]
    ForwardTo|endswith: ['@gmail.com', '@proton.me']
  condition: selection
tests:
  - name: to a free mailer
    expect: match
    events:
      - Operation: New-InboxRule
        Workload: Exchange
        UserId: amy@fabrikam.com
        Parameters: [{Name: ForwardTo, Value: eve@gmail.com}]
  - name: within the house
    expect: silent
    events:
      - Operation: New-InboxRule
        Workload: Exchange
        UserId: amy@fabrikam.com
        Parameters: [{Name: ForwardTo, Value: bob@fabrikam.com}]
`

// ownView is a rule's page.
type ownView struct {
	Rule   api.OwnRuleDetail
	Typed  string // the text in the form
	Tried  *api.OwnTested
	Replay *collect.OwnReplay
	Days   int
}

func (w *web) ownRules(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	var all []api.OwnRule
	for in := (api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}}); ; {
		got, err := w.svc.ListOwnRules(r.Context(), in)
		if err != nil {
			return nil, err
		}
		all = append(all, got.Items...)
		if in.After = got.Next; in.After == "" {
			break
		}
	}
	// What runs stands first, then what could, then what is off.
	order := []string{collect.OwnLive, collect.OwnTesting, collect.OwnDraft, collect.OwnOff}
	slices.SortStableFunc(all, func(a, b api.OwnRule) int { return slices.Index(order, a.State) - slices.Index(order, b.State) })
	return ownRulesPage(p, all), nil
}

func (w *web) ownNew(_ http.ResponseWriter, _ *http.Request, p *page) (templ.Component, error) {
	return ownNewPage(p, ownView{Typed: ownBegin}), nil
}

// typedOwn is the text of a form: that of a file where one was chosen, else what was typed.
func typedOwn(rw http.ResponseWriter, r *http.Request) (string, error) {
	r.Body = http.MaxBytesReader(rw, r.Body, 1<<20)
	if err := r.ParseMultipartForm(1 << 20); err != nil {
		return "", tocsin.Problemf(tocsin.Invalid, "Send it again, shorter.", "The form could not be read.")
	}
	if f, _, err := r.FormFile("file"); err == nil {
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, sigma.MaxText+1))
		if err == nil && len(b) > 0 {
			return string(b), nil
		}
	}
	return strings.ReplaceAll(r.PostFormValue("text"), "\r\n", "\n"), nil
}

// ownAdd tries or adds a rule. What is wrong with it stands beside the text that was typed.
func (w *web) ownAdd(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	text, err := typedOwn(rw, r)
	if err != nil {
		return nil, err
	}
	v := ownView{Typed: text}
	tried, err := w.svc.TestOwnRule(r.Context(), api.TestOwnRuleIn{In: api.In{Tenant: p.Tenant.ID}, Body: api.OwnRuleText{Text: text}})
	if err != nil {
		problem := tocsin.AsProblem(err)
		p.Notice = &notice{Kind: "bad", What: problem.What, Do: problem.Do}
		return ownNewPage(p, v), nil
	}
	v.Tried = &tried
	if r.PostFormValue("do") == "check" || len(tried.Problems) > 0 {
		return ownNewPage(p, v), nil
	}
	made, err := w.svc.CreateOwnRule(r.Context(), api.CreateOwnRuleIn{In: api.In{Tenant: p.Tenant.ID}, Body: api.OwnRuleText{Text: text}})
	if err != nil {
		w.note(r, err)
		problem := tocsin.AsProblem(err)
		p.Notice = &notice{Kind: "bad", What: problem.What, Do: problem.Do}
		return ownNewPage(p, v), nil
	}
	p.Title = made.Title
	p.Notice = &notice{Kind: "good", What: "The rule is kept, as a draft.", Do: "See what it would have found, then test it on what comes, or set it live."}
	return ownPage(p, ownView{Rule: made, Typed: made.Text, Days: 30}), nil
}

func (w *web) own(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v := ownView{Days: 30}
	at := api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")}
	var err error
	if v.Rule, err = w.svc.GetOwnRule(r.Context(), at); err != nil {
		return nil, err
	}
	p.Title, v.Typed = v.Rule.Title, v.Rule.Text
	if n, err := strconv.Atoi(r.URL.Query().Get("replay")); err == nil && p.may(api.Analyst) {
		v.Days = n
		replay, err := w.svc.ReplayOwnRule(r.Context(), api.ReplayOwnRuleIn{ByID: at, Body: api.OwnReplayAsked{Days: n}})
		if err != nil {
			problem := tocsin.AsProblem(err)
			p.Notice = &notice{Kind: "bad", What: problem.What, Do: problem.Do}
		} else {
			v.Replay = &replay
		}
	}
	return ownPage(p, v), nil
}

// ownEdit tries another text, or keeps it.
func (w *web) ownEdit(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	text, err := typedOwn(rw, r)
	if err != nil {
		return nil, err
	}
	at := api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")}}
	v := ownView{Typed: text, Days: 30}
	if v.Rule, err = w.svc.GetOwnRule(r.Context(), at.ByID); err != nil {
		return nil, err
	}
	p.Title = v.Rule.Title
	tried, err := w.svc.TestOwnRule(r.Context(), api.TestOwnRuleIn{In: at.In, Body: api.OwnRuleText{Text: text}})
	if err == nil {
		v.Tried = &tried
		if r.PostFormValue("do") == "check" || len(tried.Problems) > 0 {
			return ownPage(p, v), nil
		}
		version, _ := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
		var now api.OwnRuleDetail
		if now, err = w.svc.UpdateOwnRule(r.Context(), api.UpdateOwnRuleIn{ByIDAct: at, Body: api.OwnRuleEdit{Text: text, Version: version}}); err == nil {
			v.Rule, v.Tried, p.Title = now, nil, now.Title
			p.Notice = &notice{Kind: "good", What: fmt.Sprintf("Kept as version %d.", now.Version), Do: ownGoesOn(now.State)}
			return ownPage(p, v), nil
		}
	}
	w.note(r, err)
	problem := tocsin.AsProblem(err)
	p.Notice = &notice{Kind: "bad", What: problem.What, Do: problem.Do}
	return ownPage(p, v), nil
}

// detectionAt is where a detection is told of.
func detectionAt(p *page, name string) string {
	if sigma.Owns(name) {
		return p.at("detections", "own", name)
	}
	return p.at("detections") + "#" + name
}

func ownGoesOn(state string) string {
	if state == collect.OwnLive || state == collect.OwnTesting {
		return "What comes from now on is judged by it."
	}
	return ""
}

// ownDo sets a rule's state, or forgets it.
func (w *web) ownDo(r *http.Request) (string, *notice, error) {
	tenant, id, do := tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id"), r.PathValue("do")
	to := tenantAt(tenant, "detections", "own", id)
	at := api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: id}}
	if do == "delete" {
		_, err := w.svc.DeleteOwnRule(r.Context(), at)
		if err != nil {
			return to, nil, err
		}
		return tenantAt(tenant, "detections", "own"), &notice{Kind: "good", What: "The rule is forgotten. What it found stays."}, nil
	}
	version, _ := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
	got, err := w.svc.SetOwnRule(r.Context(), api.SetOwnRuleIn{ByIDAct: at, Body: api.OwnRuleState{State: do, Version: version}})
	if err != nil {
		return to, nil, err
	}
	said := map[string]string{collect.OwnLive: "It is live: from the next record on it files findings.", collect.OwnTesting: "It is tested on what comes: its hits are counted, and nothing is filed.",
		collect.OwnOff: "It is off. What it found stays.", collect.OwnDraft: "It is a draft again: it judges nothing."}[got.State]
	return to, &notice{Kind: "good", What: said}, nil
}

// ownState is a state's tone and word.
func ownState(r api.OwnRule) [2]string {
	switch r.State {
	case collect.OwnLive:
		if !r.Noisy.IsZero() {
			return [2]string{"part", "Live, too noisy"}
		}
		return [2]string{"ok", "Live"}
	case collect.OwnTesting:
		return [2]string{"info", "Testing"}
	case collect.OwnOff:
		return [2]string{"off", "Off"}
	}
	return [2]string{"unknown", "Draft"}
}

// ownBars are a column for each day, over a width of 700 and a height of 100.
func ownBars(days []collect.OwnDay) (out []rect, most, all int) {
	for _, d := range days {
		most, all = max(most, d.Hits), all+d.Hits
	}
	if len(days) == 0 {
		return nil, 0, 0
	}
	width := 700 / float64(len(days))
	for i, d := range days {
		r := rect{X: float64(i) * width, W: max(width-2, 1), H: 3, Y: 97, Class: "f-track", Title: d.Day.Format("2 January") + ": " + plural(d.Hits, "hit", "hits")}
		if d.Hits > 0 {
			r.H = 3 + 97*float64(d.Hits)/float64(most)
			r.Y, r.Class = 100-r.H, "f-accent"
		}
		out = append(out, r)
	}
	return out, most, all
}

// ownNoise says in a sentence what a replay came to.
func ownNoise(v *collect.OwnReplay) string {
	if v.Hits == 0 {
		s := "It would have said nothing in " + plural(v.Records, "record", "records") + "."
		if v.Excused > 0 {
			s += " " + plural(v.Excused, "hit is", "hits are") + " excused."
		}
		return s
	}
	days := 0
	for _, d := range v.Days {
		if d.Hits > 0 {
			days++
		}
	}
	s := fmt.Sprintf("It would have spoken %s on %s of %s, which is %s, in %s.", plural(v.Hits, "time", "times"), plural(days, "day", "days"), thousands(len(v.Days)), plural(v.Findings, "finding", "findings"), plural(v.Records, "record", "records"))
	if perDay := float64(v.Findings) / float64(max(len(v.Days), 1)); perDay > 5 {
		s += fmt.Sprintf(" That is %.0f findings a day: add a filter before it goes live.", perDay)
	}
	return s
}
