package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"
	"unicode"

	"tocsin.dev"
	"tocsin.dev/detect/posture"
)

// A report is one document that stands by itself: it has its style in it, no script, and asks nothing of anybody. What strangers wrote is
// escaped, and what cannot be seen of it is marked. Printed by a browser it makes clean pages.

// Report is a tenant, or a person, as one document of HTML.
type Report struct {
	Title string    `json:"title"`
	Made  time.Time `json:"made"`
	HTML  string    `json:"html"`
}

// reportMost is how many rows a part of a report has at most; what goes beyond is said.
const reportMost = 100

// frameworkLine is what the checks of a benchmark came to.
type frameworkLine struct {
	Name                          string
	Pass, Fail, Unknown, Excepted int
}

func (l *frameworkLine) add(s posture.Status) {
	*map[posture.Status]*int{posture.Pass: &l.Pass, posture.Fail: &l.Fail, posture.Unknown: &l.Unknown, posture.Excepted: &l.Excepted}[s]++
}

// All is how many checks the line counts.
func (l frameworkLine) All() int { return l.Pass + l.Fail + l.Unknown + l.Excepted }

// Width is the part of the line's checks that n are, in units of a bar of 200.
func (l frameworkLine) Width(n int) string {
	return fmt.Sprintf("%.1f", 200*float64(n)/float64(max(1, l.All())))
}

// After is where a bar of n begins that stands behind others.
func (l frameworkLine) After(ns ...int) string {
	sum := 0
	for _, n := range ns {
		sum += n
	}
	return l.Width(sum)
}

// tenantReport is what a tenant's report tells.
type tenantReport struct {
	Head       reportHead
	Overview   Overview
	Frameworks []frameworkLine
	Areas      []frameworkLine
	Days       []PostureDay // the oldest first
	Fails      []PostureCheck
	Excepted   []PostureCheck
	Unknown    []lack
	Findings   Page[Finding]
	Stories    Page[Story]
	Risky      Page[Identity]
	Held       []Knowledge
}

// reportHead is what stands above a report.
type reportHead struct {
	Title, Tenant, Domain, By string
	Made                      time.Time
}

// lack is a reason for which checks are unknown.
type lack struct {
	Why    string
	Checks []string
}

// personReport is what a person's report tells.
type personReport struct {
	Head     reportHead
	P        IdentityDetail
	Timeline Timeline
}

// ReportTenant is a tenant's report: how it is set, what is open, who is at risk, and what is not known.
func (s *Service) ReportTenant(ctx context.Context, in In) (Report, error) {
	var d tenantReport
	c, err := s.reporter(ctx, "reports tenant", in.Tenant, in)
	if err != nil {
		return Report{}, err
	}
	most := Paging{Limit: reportMost}
	whole := Paging{Limit: 200}
	if d.Overview, err = s.Overview(ctx, in); err != nil {
		return Report{}, err
	}
	checks, err := s.ListChecks(ctx, ChecksIn{In: in, Paging: whole})
	if err != nil {
		return Report{}, err
	}
	days, err := s.PostureTrend(ctx, TrendIn{In: in, Paging: Paging{Limit: 90}})
	if err != nil {
		return Report{}, err
	}
	if d.Findings, err = s.ListFindings(ctx, FindingsIn{In: in, Paging: most}); err != nil {
		return Report{}, err
	}
	if d.Stories, err = s.ListStories(ctx, StoriesIn{In: in, Paging: most}); err != nil {
		return Report{}, err
	}
	if d.Risky, err = s.ListIdentities(ctx, IdentitiesIn{In: in, Paging: Paging{Limit: 50}, Sort: "risk"}); err != nil {
		return Report{}, err
	}
	known, err := s.ListHeld(ctx, KnowledgeIn{In: in, Paging: whole})
	if err != nil {
		return Report{}, err
	}
	for _, h := range known.Items {
		if h.State != "known" && !slices.ContainsFunc(d.Held, func(x Knowledge) bool { return x.What == h.What }) {
			d.Held = append(d.Held, h)
		}
	}
	d.Days = days.Items
	slices.Reverse(d.Days)
	d.judge(checks.Items)
	d.Head = reportHead{Title: "Security report", Tenant: d.Overview.Tenant.Name, Domain: d.Overview.Tenant.InitialDomain, By: c.Email, Made: s.now()}
	return write(d.Head, "tenant", d)
}

// reporter checks who asks for a report, and for what.
func (s *Service) reporter(ctx context.Context, name string, tenant tocsin.TenantID, in any) (Caller, error) {
	c, err := s.allow(ctx, name, tenant)
	if err == nil {
		err = valid(in)
	}
	return c, err
}

// judge puts the checks where the report has them.
func (d *tenantReport) judge(checks []PostureCheck) {
	frameworks := []frameworkLine{{Name: "CISA SCuBA"}, {Name: "CIS Microsoft 365"}, {Name: "EIDSCA"}, {Name: "Every check"}}
	for _, c := range checks {
		for i, in := range []bool{len(c.Frameworks.SCuBA) > 0, len(c.Frameworks.CIS) > 0, len(c.Frameworks.EIDSCA) > 0, true} {
			if in {
				frameworks[i].add(c.Status)
			}
		}
		i := slices.IndexFunc(d.Areas, func(l frameworkLine) bool { return l.Name == c.Area })
		if i < 0 {
			i, d.Areas = len(d.Areas), append(d.Areas, frameworkLine{Name: c.Area})
		}
		d.Areas[i].add(c.Status)
		switch c.Status {
		case posture.Fail:
			d.Fails = append(d.Fails, c)
		case posture.Excepted:
			d.Excepted = append(d.Excepted, c)
		case posture.Unknown:
			_, why, _ := strings.Cut(c.Why, " could not be read: ")
			why = cmp.Or(why, c.Why)
			i := slices.IndexFunc(d.Unknown, func(l lack) bool { return l.Why == why })
			if i < 0 {
				i, d.Unknown = len(d.Unknown), append(d.Unknown, lack{Why: why})
			}
			d.Unknown[i].Checks = append(d.Unknown[i].Checks, c.Title)
		}
	}
	d.Frameworks = frameworks
	slices.SortStableFunc(d.Fails, func(a, b PostureCheck) int { return b.Severity.Rank() - a.Severity.Rank() })
	slices.SortStableFunc(d.Unknown, func(a, b lack) int { return len(b.Checks) - len(a.Checks) })
}

// bar is a rectangle of the chart of days.
type bar struct{ X, Y, W, H, Class, Title string }

// Bars is the chart of the days in a box of 700 by 90: a column a day, the oldest at the left, what fails at the bottom.
func (d tenantReport) Bars() (out []bar) {
	const width, height = 700.0, 90.0
	most := 1
	for _, x := range d.Days {
		most = max(most, x.Pass+x.Fail+x.Unknown+x.Excepted)
	}
	step := width / float64(max(len(d.Days), 14))
	units := func(v float64) string { return fmt.Sprintf("%.1f", v) }
	for i, x := range d.Days {
		y := height
		for _, part := range []struct {
			n           int
			class, word string
		}{{x.Fail, "fail", "fail"}, {x.Unknown, "unknown", "unknown"}, {x.Excepted, "excepted", "excepted"}, {x.Pass, "pass", "pass"}} {
			h := height * float64(part.n) / float64(most)
			y -= h
			out = append(out, bar{units(float64(i) * step), units(y), units(step * .8), units(h), part.class, fmt.Sprintf("%s: %d %s", x.Day, part.n, part.word)})
		}
	}
	return out
}

// ReportPerson is a person's report: profile, risk with its terms, stories, what happened, and what was done.
func (s *Service) ReportPerson(ctx context.Context, in ByPerson) (Report, error) {
	var d personReport
	c, err := s.reporter(ctx, "reports person", in.Tenant, in)
	if err != nil {
		return Report{}, err
	}
	if d.P, err = s.GetIdentity(ctx, in); err != nil {
		return Report{}, err
	}
	in.Person = d.P.Person
	if d.Timeline, err = s.GetTimeline(ctx, TimelineIn{ByPerson: in, Paging: Paging{Limit: 200}, Kinds: "rule,signin,directory,finding,action,folder"}); err != nil {
		return Report{}, err
	}
	o, err := s.Overview(ctx, in.In)
	if err != nil {
		return Report{}, err
	}
	d.Head = reportHead{Title: "Report on " + cmp.Or(d.P.Name, d.P.UPN), Tenant: o.Tenant.Name, Domain: o.Tenant.InitialDomain, By: c.Email, Made: s.now()}
	return write(d.Head, "person", d)
}

// Open are the findings that are open, or in work.
func (d personReport) Open() (out []Finding) {
	for _, f := range d.P.Findings {
		if f.Status == tocsin.Open || f.Status == tocsin.InWork {
			out = append(out, f)
		}
	}
	return out
}

// write makes the document.
func write(h reportHead, name string, data any) (Report, error) {
	var body bytes.Buffer
	if err := reports.ExecuteTemplate(&body, name, data); err != nil {
		return Report{}, err
	}
	head := `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">` +
		`<meta http-equiv="Content-Security-Policy" content="` + ReportPolicy + `"><title>` + template.HTMLEscapeString(seen(h.Title+" · "+h.Tenant)) + `</title><style>` + reportStyle + `</style></head><body>`
	return Report{Title: h.Title, Made: h.Made, HTML: head + body.String() + "</body></html>\n"}, nil
}

// ReportPolicy is the content security policy of a report: its own style, and nothing else.
var ReportPolicy = func() string {
	sum := sha256.Sum256([]byte(reportStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}()

// seen is a text in which what cannot be seen, or turns the direction of what is, stands as its code point.
func seen(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r != ' ' && r != '\n' && (unicode.Is(unicode.Cf, r) || unicode.IsControl(r) || unicode.IsSpace(r) || r == 0x115F || r == 0x1160 || r == 0x2800 || r == 0x3164 || r == 0xFFA0) {
			fmt.Fprintf(&b, "[U+%04X]", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// reports are the templates of the documents. They escape by where a value stands.
var reports = template.Must(template.New("").Funcs(template.FuncMap{
	"seen": func(s any) string { return seen(fmt.Sprint(s)) },
	"day":  func(t time.Time) string { return reportTime(t, "2 Jan 2006") },
	"at":   func(t time.Time) string { return reportTime(t, "2 Jan 2006, 15:04 UTC") },
	"word": func(s any) string {
		w := strings.ReplaceAll(fmt.Sprint(s), "_", " ")
		if w == "" {
			return "–"
		}
		return strings.ToUpper(w[:1]) + w[1:]
	},
	"list": func(of []string) string {
		if len(of) == 0 {
			return "–"
		}
		return seen(strings.Join(of, ", "))
	},
	"ids": func(f posture.Frameworks) string {
		return strings.Join(slices.Concat(f.SCuBA, prefixed("CIS ", f.CIS), f.EIDSCA), ", ")
	},
	"knows": func(b *bool, yes, no string) string {
		switch {
		case b == nil:
			return "not known"
		case *b:
			return yes
		}
		return no
	},
	"first": func(of []posture.Object) []posture.Object { return of[:min(5, len(of))] },
	"minus": func(a, b int) int { return a - b },
	"pair":  func(a, b any) []any { return []any{a, b} },
}).Parse(reportParts + reportTenant + reportPerson + reportCasePage))

func prefixed(with string, of []string) []string {
	out := make([]string, len(of))
	for i, s := range of {
		out[i] = with + s
	}
	return out
}

func reportTime(t time.Time, form string) string {
	if t.IsZero() {
		return "not known"
	}
	return t.UTC().Format(form)
}
