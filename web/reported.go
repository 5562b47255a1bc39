package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
)

// reportedView is the queue of mails that people reported.
type reportedView struct {
	Query  url.Values
	In     api.ReportedIn
	Page   api.Page[api.ReportedMail]
	Counts api.ReportedCounts
}

// reportedTabs are the ways of looking at reports.
var reportedTabs = []struct{ Name, Status string }{
	{"Waiting", ""}, {"New", "open"}, {"In work", "in_work"}, {"Judged", "judged"}, {"All", "all"},
}

// verdicts are what a reported mail can be, as people say it, with its colour.
var verdicts = []struct{ Verdict, Word, Says, Tone string }{
	{"malicious", "Malicious", "Phishing, malware or fraud", "critical"},
	{"suspicious", "Suspicious", "Not proven, but nobody should act on it", "high"},
	{"spam", "Spam or graymail", "A nuisance, not a danger", "low"},
	{"simulation", "Simulation", "A phishing exercise of your own", "accent"},
	{"clean", "Safe", "A wanted mail", "ok"},
}

func judgedWord(v string) (word, tone string) {
	for _, x := range verdicts {
		if x.Verdict == v {
			return x.Word, x.Tone
		}
	}
	return sentence(v), "line"
}

// verdictChoices are the verdicts as a filter has them.
func (v reportedView) verdictChoices() [][2]string {
	out := [][2]string{{"", "Every verdict"}}
	for _, x := range verdicts {
		out = append(out, [2]string{x.Verdict, x.Word})
	}
	return out
}

func (v reportedView) filtered() bool {
	for _, k := range []string{"status", "verdict", "way", "reporter", "owner", "investigation", "q", "after"} {
		if v.Query.Get(k) != "" {
			return true
		}
	}
	return false
}

func (w *web) reported(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := reportedView{Query: kept(r), In: api.ReportedIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")}, Status: q.Get("status"), Verdict: q.Get("verdict"), Way: q.Get("way"),
		Reporter: q.Get("reporter"), Owner: q.Get("owner"), Investigation: q.Get("investigation"), Q: q.Get("q"), Alike: q.Get("each") != "true"}}
	var err error
	if v.Page, err = w.svc.ListReported(r.Context(), v.In); err != nil {
		return nil, err
	}
	if v.Counts, err = w.svc.CountReported(r.Context(), v.In.In); err != nil {
		return nil, err
	}
	return reportedPage(p, v), nil
}

func (w *web) reportedMail(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	d, err := w.svc.GetReported(r.Context(), byID(r, p))
	if err != nil {
		return nil, err
	}
	p.Title = nameOr(d.Subject, "Reported mail")
	return reportedMailPage(p, d), nil
}

// reportedDo takes a report into work, judges it, or answers who reported it.
func (w *web) reportedDo(r *http.Request) (string, *notice, error) {
	f, tenant, id := r.PostFormValue, tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id")
	to := tenantAt(tenant, "reported", id)
	at := api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: id}, Key: api.Key{Key: f("key")}}
	version, _ := strconv.ParseInt(f("version"), 10, 64)
	switch r.PathValue("do") {
	case "assign":
		in := api.AssignReportedIn{ByIDAct: at}
		in.Body.Owner, in.Body.Version = trim(f("owner")), version
		_, err := w.svc.AssignReported(r.Context(), in)
		said := "You look after it."
		if in.Body.Owner == "" {
			said = "Nobody looks after it now."
		}
		return to, &notice{Kind: "good", What: said}, err
	case "judge":
		in := api.JudgeReportedIn{ByIDAct: at, Body: api.ReportedVerdict{Verdict: f("verdict"), Note: trim(f("note")), All: f("all") == "yes", Reply: f("reply") == "yes", Text: strings.TrimSpace(f("text")), Version: version}}
		if _, err := w.svc.JudgeReported(r.Context(), in); err != nil {
			return to, nil, err
		}
		if in.Body.Verdict == "open" {
			return to, &notice{Kind: "good", What: "The verdict is taken back."}, nil
		}
		word, _ := judgedWord(in.Body.Verdict)
		n := &notice{Kind: "good", What: "The verdict was kept: " + lower(word) + "."}
		if in.Body.Reply {
			n.Do = "Who reported it is answered."
		}
		return to, n, nil
	case "reply":
		in := api.ReplyReportedIn{ByIDAct: at}
		in.Body.Text = strings.TrimSpace(f("text"))
		_, err := w.svc.ReplyReported(r.Context(), in)
		return to, &notice{Kind: "good", What: "The answer is on its way."}, err
	}
	return to, nil, tocsin.Problemf(tocsin.NotFound, "Use the buttons of the page.", "There is nothing of that name to do.")
}

// reportWay says how a mail was reported.
func reportWay(way string) string {
	if w, ok := map[string]string{"mailbox": "as an attachment", "forwarded": "forwarded", "addin": "by the button in Outlook"}[way]; ok {
		return w
	}
	return way
}

// reportState is how far a report is: its shape and words.
func reportState(m api.ReportedMail) (kind, word string) {
	switch m.Status {
	case "open":
		return "part", "New"
	case "in_work":
		return "busy", "In work"
	}
	return "ok", "Judged"
}

// reporterWord says how often a reporter was right.
func reporterWord(r api.Reporter) string {
	switch n := r.Right + r.Wrong; {
	case n == 0:
		return "first report"
	case r.Wrong == 0:
		return "right in all of " + plural(n, "report", "reports")
	default:
		return "right in " + thousands(r.Right) + " of " + plural(n, "report", "reports")
	}
}

// replyState is what became of an answer: its shape and words.
func replyState(s string) (kind, word string) {
	w, ok := map[string][2]string{"waiting": {"busy", "Waiting"}, "sending": {"busy", "Being sent"}, "sent": {"ok", "Sent"}, "unknown": {"unknown", "Outcome unknown, not repeated"}, "failed": {"bad", "Failed"}}[s]
	if !ok {
		return "unknown", sentence(s)
	}
	return w[0], w[1]
}

// templateOf is what a reporter is answered to a verdict, for this report.
func templateOf(d api.ReportedMailDetail, verdict string) string {
	for _, t := range d.Templates {
		if t.Verdict == verdict {
			return strings.NewReplacer("{name}", nameOr(d.Reporter.Name, d.Reporter.Address), "{subject}", d.Subject, "{sender}", d.Sender).Replace(t.Text)
		}
	}
	return ""
}

// reportedSettings is what is done with what people report.
func (w *web) reportedSettings(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	s, err := w.svc.GetReportedSettings(r.Context(), api.In{Tenant: p.Tenant.ID})
	if err != nil {
		return nil, err
	}
	return reportedSettingsPage(p, s), nil
}

func (w *web) reportedSettingsSet(r *http.Request) (string, *notice, error) {
	f, tenant := r.PostFormValue, tocsin.TenantID(r.PathValue("tenant"))
	to := tenantAt(tenant, "settings", "reported")
	version, _ := strconv.ParseInt(f("version"), 10, 64)
	mailbox, thanks, addin := trim(f("mailbox")), f("thanks") == "yes", f("addin") == "yes"
	n := api.ReportedNew{Mailbox: &mailbox, Thanks: &thanks, Addin: &addin, NewKey: f("new_key") == "yes", Version: version}
	for i, verdict := range r.PostForm["verdict"] {
		at := func(key string) string {
			if all := r.PostForm[key]; i < len(all) {
				return strings.TrimSpace(strings.ReplaceAll(all[i], "\r\n", "\n"))
			}
			return ""
		}
		n.Templates = append(n.Templates, api.ReplyTemplate{Verdict: verdict, Subject: at("subject"), Text: at("text")})
	}
	_, err := w.svc.SetReportedSettings(r.Context(), api.SetReportedIn{In: api.In{Tenant: tenant}, Body: n})
	return to, &notice{Kind: "good", What: "The settings hold from now on."}, err
}

// verdictParts are the judged reports by verdict.
func verdictParts(c api.ReportedCounts) (out []portion) {
	classes := map[string]string{"malicious": "f-critical", "suspicious": "f-high", "spam": "f-low", "simulation": "f-accent", "clean": "f-ok"}
	for _, x := range verdicts {
		out = append(out, portion{Class: classes[x.Verdict], Word: lower(x.Word), Count: c.Verdicts[x.Verdict]})
	}
	return out
}

// templateWord says when a template is used.
func templateWord(verdict string) string {
	if verdict == "thanks" {
		return "When a report comes"
	}
	word, _ := judgedWord(verdict)
	return "Judged: " + lower(word)
}
