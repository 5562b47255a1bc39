package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tocsin.dev"
	"tocsin.dev/investigate/evidence"
	"tocsin.dev/store"
)

// caseMost is how many mails a case's report lists; what goes beyond is said, and stands in the CSV.
const caseMost = 1000

// caseReport is what a case's report tells: the question, the search, what it found, what was done, and who looked.
type caseReport struct {
	Head     reportHead
	Name     string
	Query    string
	Reason   string
	Status   string
	Because  string
	Trigger  string
	Created  time.Time
	By       string
	Expiry   time.Time
	Scope    string
	Versions []caseVersion
	Searches []caseSearch
	Missed   []caseLack // mailboxes of the last search that were not searched whole

	Matches, Unknown, Mailboxes, Read, Acted, Gone int
	Senders, Subjects, Folders, Clusters           []caseCount
	Days                                           []caseCount
	Mails                                          []caseMail
	Insiders                                       []Insider
	Acts                                           []caseAct
	Reports                                        []caseReported
	Evidence                                       []Evidence
	Looks                                          []EvidenceLook
}

type caseVersion struct {
	Version   int
	At        time.Time
	Who, Note string
}

type caseSearch struct {
	N                                       int
	State, Because, Cause                   string
	Mailboxes, Searched, Incomplete, Beyond int
	Matches, Looked, Fetched                int
	Started, Ended                          time.Time
}

type caseLack struct {
	State, Because string
	N              int
}

type caseCount struct {
	Value string
	N     int
}

type caseMail struct {
	Received                                       time.Time
	Mailbox, Sender, Subject, Folder, State, Truth string
	Read                                           bool
}

type caseAct struct {
	Kind, State, Why, AskedBy, ApprovedBy, Because string
	Created, Ended                                 time.Time
	Restores                                       bool
	Outcomes                                       []caseCount
}

type caseReported struct {
	At                         time.Time
	Reporter, Subject, Verdict string
}

// Insider is somebody of the tenant who sent mails that an investigation found: their account may be in other hands.
type Insider struct {
	Person  tocsin.PersonID `json:"person"`
	Name    string          `json:"name"`
	Address string          `json:"address"`
	Mails   int             `json:"mails"`
	First   time.Time       `json:"first"`
	Last    time.Time       `json:"last"`
	Risk    int             `json:"risk"`
	Acts    []string        `json:"acts" doc:"What can be done about the account: kinds of actions create"`
	Revoked time.Time       `json:"revoked,omitzero" doc:"When their sessions were revoked last from here"`
}

// ListInsiders lists the people of the tenant who sent what an investigation found.
func (s *Service) ListInsiders(ctx context.Context, in ByID) (Page[Insider], error) {
	return view(ctx, s, "investigations insiders", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Insider], error) {
		if _, err := caseOf(ctx, t, in.ID); err != nil {
			return Page[Insider]{}, err
		}
		list, err := insiders(ctx, t, in.ID)
		return Page[Insider]{Items: list}, err
	})
}

func insiders(ctx context.Context, t *store.Tenant, id string) ([]Insider, error) {
	type row struct {
		Insider
		first, last, revoked int64
	}
	q := (&query{}).add(`select p.person, p.name, m.sender, m.n, m.first, m.last, coalesce((select r.risk from identity_risk r where r.tenant = p.tenant and r.person = p.person), 0),
		coalesce((select max(a.sent) from action a where a.tenant = p.tenant and a.person = p.person and a.kind = 'revoke_sessions'), 0)
		from (select sender, count(distinct internet_message_id) as n, min(received) as first, max(received) as last from mail_match where tenant = $1 and investigation = ? group by sender) m
		join person_address a on a.tenant = $1 and a.address = lower(m.sender) join person p on p.tenant = a.tenant and p.person = a.person and p.deleted = 0 order by m.n desc, p.person limit 200`, id)
	found, err := find(ctx, t, q, func(r *row) []any {
		return []any{&r.Person, &r.Name, &r.Address, &r.Mails, &r.first, &r.last, &r.Risk, &r.revoked}
	})
	out := make([]Insider, len(found))
	for i, r := range found {
		r.First, r.Last, r.Revoked = tocsin.FromMillis(r.first), tocsin.FromMillis(r.last), tocsin.FromMillis(r.revoked)
		r.Acts = []string{"revoke_sessions", "force_password_change", "suspend"}
		out[i] = r.Insider
	}
	return out, err
}

// caseOf reads an investigation's head.
func caseOf(ctx context.Context, t *store.Tenant, id string) (*caseReport, error) {
	var d caseReport
	var created, ends int64
	err := t.QueryRow(ctx, `select name, query, reason, status, because, mode, created, created_by, ends, scope from investigation where tenant = $1 and id = $2`, id).
		Scan(&d.Name, &d.Query, &d.Reason, &d.Status, &d.Because, &d.Trigger, &created, &d.By, &ends, &d.Scope)
	if errors.Is(err, store.ErrNone) {
		return nil, notFound("investigation")
	}
	d.Created, d.Expiry, d.Scope = tocsin.FromMillis(created), tocsin.FromMillis(ends), scopeWords(d.Scope)
	return &d, err
}

// scopeWords says in words whose mailboxes are meant.
func scopeWords(body string) string {
	var scope map[string][]string
	if json.Unmarshal([]byte(body), &scope) != nil {
		return "as it was set"
	}
	words := ""
	for _, kind := range []string{"people", "groups", "departments", "domains"} {
		if n := len(scope[kind]); n > 0 {
			if words != "" {
				words += "; "
			}
			words += fmt.Sprintf("%s: %s", kind, joined(scope[kind][:min(n, 20)]))
			if n > 20 {
				words += fmt.Sprintf(" and %d more", n-20)
			}
		}
	}
	if words == "" {
		return "every mailbox that the connection may search"
	}
	return words
}

// ReportCase is an investigation as one document: to be handed on, printed and kept.
func (s *Service) ReportCase(ctx context.Context, in ByID) (Report, error) {
	c, err := s.reporter(ctx, "investigations report", in.Tenant, in)
	if err != nil {
		return Report{}, err
	}
	var d *caseReport
	var tenant, domain string
	err = s.st.ViewTenant(ctx, tenantOf(in), func(t *store.Tenant) error {
		err := t.QueryRow(ctx, `select name, initial_domain from tenant where tenant = $1`).Scan(&tenant, &domain)
		if errors.Is(err, store.ErrNone) {
			return notFound("tenant")
		}
		if err != nil {
			return err
		}
		if d, err = caseOf(ctx, t, in.ID); err != nil {
			return err
		}
		return d.fill(ctx, t, in.ID)
	})
	if err != nil {
		return Report{}, err
	}
	d.Head = reportHead{Title: "Case: " + d.Name, Tenant: tenant, Domain: domain, By: c.Email, Made: s.now()}
	return write(d.Head, "case", d)
}

// fill reads what the report tells.
func (d *caseReport) fill(ctx context.Context, t *store.Tenant, id string) error {
	for _, read := range []func(context.Context, *store.Tenant, string) error{d.searches, d.found, d.mails, d.acts, d.reported, d.kept} {
		if err := read(ctx, t, id); err != nil {
			return err
		}
	}
	var err error
	d.Insiders, err = insiders(ctx, t, id)
	return err
}

func (d *caseReport) searches(ctx context.Context, t *store.Tenant, id string) error {
	type version struct {
		caseVersion
		at int64
	}
	versions, err := find(ctx, t, (&query{}).add(`select version, at, who, note from investigation_version where tenant = $1 and investigation = ? order by version`, id), func(v *version) []any { return []any{&v.Version, &v.at, &v.Who, &v.Note} })
	if err != nil {
		return err
	}
	for _, v := range versions {
		v.At = tocsin.FromMillis(v.at)
		d.Versions = append(d.Versions, v.caseVersion)
	}
	type run struct {
		caseSearch
		id             string
		started, ended int64
	}
	runs, err := find(ctx, t, (&query{}).add(`select id, n, state, because, cause, mailboxes, searched, incomplete, out_of_scope, matches, looked, fetched, started, ended from search_run where tenant = $1 and investigation = ? order by n desc limit 20`, id),
		func(r *run) []any {
			return []any{&r.id, &r.N, &r.State, &r.Because, &r.Cause, &r.Mailboxes, &r.Searched, &r.Incomplete, &r.Beyond, &r.Matches, &r.Looked, &r.Fetched, &r.started, &r.ended}
		})
	if err != nil {
		return err
	}
	for _, r := range runs {
		r.Started, r.Ended = tocsin.FromMillis(r.started), tocsin.FromMillis(r.ended)
		d.Searches = append(d.Searches, r.caseSearch)
	}
	if len(runs) == 0 {
		return nil
	}
	d.Missed, err = find(ctx, t, (&query{}).add(`select state, because, count(*) from search_mailbox where tenant = $1 and run = ? and state <> 'searched' group by state, because order by count(*) desc limit 50`, runs[0].id),
		func(l *caseLack) []any { return []any{&l.State, &l.Because, &l.N} })
	return err
}

func (d *caseReport) found(ctx context.Context, t *store.Tenant, id string) error {
	err := t.QueryRow(ctx, `select count(*), count(distinct person), count(case when truth = 'unknown' then 1 end), count(case when is_read then 1 end), count(case when state in ('acted', 'dealt') then 1 end), count(case when state = 'gone' then 1 end)
		from mail_match where tenant = $1 and investigation = $2`, id).Scan(&d.Matches, &d.Mailboxes, &d.Unknown, &d.Read, &d.Acted, &d.Gone)
	if err != nil {
		return err
	}
	for _, by := range []struct {
		column string
		into   *[]caseCount
		order  string
	}{{"sender", &d.Senders, "count(*) desc, 1"}, {"subject", &d.Subjects, "count(*) desc, 1"}, {"folder_name", &d.Folders, "count(*) desc, 1"}, {"day", &d.Days, "1"}} {
		q := (&query{}).add(`select `+by.column+`, count(*) from mail_match where tenant = $1 and investigation = ? group by `+by.column+` order by `+by.order+` limit 31`, id)
		if *by.into, err = find(ctx, t, q, func(c *caseCount) []any { return []any{&c.Value, &c.N} }); err != nil {
			return err
		}
	}
	return nil
}

func (d *caseReport) mails(ctx context.Context, t *store.Tenant, id string) error {
	type row struct {
		caseMail
		received int64
	}
	rows, err := find(ctx, t, (&query{}).add(`select received, address, sender, subject, folder_name, state, truth, is_read from mail_match where tenant = $1 and investigation = ? order by received, id limit ?`, id, caseMost),
		func(r *row) []any {
			return []any{&r.received, &r.Mailbox, &r.Sender, &r.Subject, &r.Folder, &r.State, &r.Truth, &r.caseMail.Read}
		})
	for _, r := range rows {
		r.Received = tocsin.FromMillis(r.received)
		d.Mails = append(d.Mails, r.caseMail)
	}
	return err
}

func (d *caseReport) acts(ctx context.Context, t *store.Tenant, id string) error {
	type row struct {
		caseAct
		id, restores   string
		created, ended int64
	}
	rows, err := find(ctx, t, (&query{}).add(`select id, kind, state, restores, why, asked_email, approved_email, because, created, ended from mail_act where tenant = $1 and investigation = ? order by id limit 200`, id),
		func(r *row) []any {
			return []any{&r.id, &r.Kind, &r.State, &r.restores, &r.Why, &r.AskedBy, &r.ApprovedBy, &r.Because, &r.created, &r.ended}
		})
	if err != nil {
		return err
	}
	for _, r := range rows {
		r.Created, r.Ended, r.Restores = tocsin.FromMillis(r.created), tocsin.FromMillis(r.ended), r.restores != ""
		r.Outcomes, err = find(ctx, t, (&query{}).add(`select state, n from mail_act_count where tenant = $1 and act = ? and part = 'mail' and n > 0 order by state`, r.id), func(c *caseCount) []any { return []any{&c.Value, &c.N} })
		if err != nil {
			return err
		}
		d.Acts = append(d.Acts, r.caseAct)
	}
	return nil
}

func (d *caseReport) reported(ctx context.Context, t *store.Tenant, id string) error {
	type row struct {
		caseReported
		at int64
	}
	rows, err := find(ctx, t, (&query{}).add(`select at, reporter, subject, verdict from reported_mail where tenant = $1 and investigation <> '' and investigation = ? order by at, id limit 200`, id), func(r *row) []any { return []any{&r.at, &r.Reporter, &r.Subject, &r.Verdict} })
	for _, r := range rows {
		r.At = tocsin.FromMillis(r.at)
		d.Reports = append(d.Reports, r.caseReported)
	}
	return err
}

// kept reads the evidence of the case and of the reports that it was made from, and who looked at it.
func (d *caseReport) kept(ctx context.Context, t *store.Tenant, id string) error {
	of := [][2]string{{evidence.FromMatch, id}}
	reports, err := find(ctx, t, (&query{}).add(`select id from reported_mail where tenant = $1 and investigation <> '' and investigation = ? order by id limit 200`, id), func(s *string) []any { return []any{s} })
	if err != nil {
		return err
	}
	for _, r := range reports {
		of = append(of, [2]string{evidence.FromReport, r})
	}
	for _, o := range of {
		items, err := evidence.List(ctx, t, o[0], o[1], "", 200)
		if err != nil {
			return err
		}
		for _, it := range items {
			d.Evidence = append(d.Evidence, evidenceView(it, ""))
		}
		looks, err := evidence.Looks(ctx, t, o[0], o[1], 200)
		if err != nil {
			return err
		}
		for _, l := range looks {
			d.Looks = append(d.Looks, EvidenceLook{At: l.At, Who: l.Who, Reason: l.Reason, What: l.What, Evidence: l.Evidence})
		}
	}
	return fromMailboxes(ctx, t, d.Evidence)
}

const reportCasePage = `
{{define "counts of"}}<table><thead><tr><th>{{index . 0}}</th><th class="num">Mails</th></tr></thead><tbody>{{range index . 1}}<tr><td>{{if .Value}}{{seen .Value}}{{else}}(none){{end}}</td><td class="num">{{.N}}</td></tr>{{end}}</tbody></table>{{end}}
{{define "case"}}{{template "head" .Head}}<main>
<ul class="figures"><li><b>{{.Matches}}</b>mails found{{if .Unknown}}, {{.Unknown}} of them for others to decide{{end}}</li><li><b>{{.Mailboxes}}</b>mailboxes with such a mail</li><li><b>{{.Read}}</b>of the mails were read</li><li><b>{{.Acted}}</b>were acted on</li><li><b>{{.Gone}}</b>were gone when looked at again</li><li><b>{{len .Reports}}</b>reports by people</li></ul>
<h2>The question</h2><dl>
<dt>Query</dt><dd>{{seen .Query}}</dd><dt>Whose mailboxes</dt><dd>{{seen .Scope}}</dd><dt>Why</dt><dd>{{seen .Reason}}</dd><dt>Asked by</dt><dd>{{seen .By}}, {{at .Created}}</dd><dt>How</dt><dd>{{word .Trigger}}{{if not .Expiry.IsZero}}, until {{at .Expiry}}{{end}}</dd><dt>State</dt><dd>{{word .Status}}{{with .Because}}: {{seen .}}{{end}}</dd></dl>
{{if gt (len .Versions) 1}}<h3>How the question changed</h3><table><thead><tr><th class="num">Version</th><th>When</th><th>By</th><th>Note</th></tr></thead><tbody>{{range .Versions}}<tr><td class="num">{{.Version}}</td><td class="nowrap">{{at .At}}</td><td>{{seen .Who}}</td><td>{{seen .Note}}</td></tr>{{end}}</tbody></table>{{end}}
<h2>The search</h2>{{if .Searches}}<table><thead><tr><th class="num">No.</th><th>From, to</th><th>Begun by</th><th class="num">Mailboxes</th><th class="num">Searched</th><th class="num">Incomplete</th><th class="num">Out of scope</th><th class="num">New mails</th></tr></thead><tbody>{{range .Searches}}<tr><td class="num">{{.N}}</td><td>{{at .Started}}<span class="under">{{if .Ended.IsZero}}{{word .State}}{{else}}{{at .Ended}}{{end}}{{with .Because}}: {{seen .}}{{end}}</span></td><td>{{seen .Cause}}</td><td class="num">{{.Mailboxes}}</td><td class="num">{{.Searched}}</td><td class="num">{{.Incomplete}}</td><td class="num">{{.Beyond}}</td><td class="num">{{.Matches}}</td></tr>{{end}}</tbody></table>{{else}}<p>It was not searched yet.</p>{{end}}
{{if .Missed}}<h3>What was not searched</h3><p class="soft">Nothing is known of these mailboxes: that no mail of theirs is listed does not mean that they have none.</p><table><thead><tr><th>State</th><th>Because</th><th class="num">Mailboxes</th></tr></thead><tbody>{{range .Missed}}<tr><td>{{word .State}}</td><td>{{seen .Because}}</td><td class="num">{{.N}}</td></tr>{{end}}</tbody></table>{{end}}
{{if .Matches}}<h2>What was found</h2><h3>By day</h3>{{template "counts of" (pair "Day" .Days)}}<h3>By sender</h3>{{template "counts of" (pair "Sender" .Senders)}}<h3>By subject</h3>{{template "counts of" (pair "Subject" .Subjects)}}<h3>Where they lay</h3>{{template "counts of" (pair "Folder" .Folders)}}{{end}}
{{if .Insiders}}<h2>Sent from inside</h2><p class="soft">These people of the tenant sent what was found: their accounts may be in other hands. Revoke their sessions, and look at their rules.</p><table><thead><tr><th>Who</th><th class="num">Mails</th><th>From, to</th><th class="num">Risk</th><th>Sessions revoked</th></tr></thead><tbody>{{range .Insiders}}<tr><td>{{seen .Name}}<span class="under">{{seen .Address}}</span></td><td class="num">{{.Mails}}</td><td>{{at .First}}<span class="under">{{at .Last}}</span></td><td class="num">{{.Risk}}</td><td>{{if .Revoked.IsZero}}not from here{{else}}{{at .Revoked}}{{end}}</td></tr>{{end}}</tbody></table>{{end}}
<h2>What was done</h2>{{if .Acts}}<table><thead><tr><th>When</th><th>Act</th><th>State</th><th>By</th><th>Outcome</th></tr></thead><tbody>{{range .Acts}}<tr><td class="nowrap">{{at .Created}}</td><td>{{word .Kind}}{{if .Restores}}, brought back{{end}}<span class="under">{{seen .Why}}</span></td><td>{{word .State}}{{with .Because}}<span class="under">{{seen .}}</span>{{end}}</td><td>{{seen .AskedBy}}{{with .ApprovedBy}}<span class="under">approved by {{seen .}}</span>{{end}}</td><td>{{range $i, $o := .Outcomes}}{{if $i}}, {{end}}{{$o.N}} {{word $o.Value}}{{end}}</td></tr>{{end}}</tbody></table>{{else}}<p>Nothing from here.</p>{{end}}
<h2>Reported by people</h2>{{if .Reports}}<table><thead><tr><th>When</th><th>By</th><th>Subject</th><th>Verdict</th></tr></thead><tbody>{{range .Reports}}<tr><td class="nowrap">{{at .At}}</td><td>{{seen .Reporter}}</td><td>{{seen .Subject}}</td><td>{{word .Verdict}}</td></tr>{{end}}</tbody></table>{{else}}<p>Nobody reported it here.</p>{{end}}
<h2>Evidence</h2>{{if .Evidence}}<p class="soft">Each is kept encrypted, and compared with its hash whenever it is opened.</p><table><thead><tr><th>Kept</th><th>Mail</th><th>SHA-256</th></tr></thead><tbody>{{range .Evidence}}<tr><td class="nowrap">{{at .At}}<span class="under">{{if .By}}{{seen .By}}{{else}}by itself{{end}}</span></td><td>{{seen .Subject}}<span class="under">{{seen .Sender}}{{with .Mailbox}} · {{seen .}}{{end}} · {{.Size}} bytes</span></td><td>{{.SHA256}}</td></tr>{{end}}</tbody></table>{{else}}<p>Nothing is kept.</p>{{end}}
{{if .Looks}}<h3>Who looked</h3><table><thead><tr><th>When</th><th>Who</th><th>What</th><th>Why</th></tr></thead><tbody>{{range .Looks}}<tr><td class="nowrap">{{at .At}}</td><td>{{if .Who}}{{seen .Who}}{{else}}Tocsin{{end}}</td><td>{{word .What}}</td><td>{{seen .Reason}}</td></tr>{{end}}</tbody></table>{{end}}
<h2>The mails</h2>{{if .Mails}}<table><thead><tr><th>Received</th><th>Mailbox</th><th>Mail</th><th>Where</th><th>State</th></tr></thead><tbody>{{range .Mails}}<tr><td class="nowrap">{{at .Received}}</td><td>{{seen .Mailbox}}</td><td>{{seen .Subject}}<span class="under">{{seen .Sender}}</span></td><td>{{seen .Folder}}<span class="under">{{if .Read}}read{{else}}unread{{end}}</span></td><td>{{word .State}}{{if eq .Truth "unknown"}}<span class="under">could not be decided</span>{{end}}</td></tr>{{end}}</tbody></table>{{if gt .Matches (len .Mails)}}<p class="soft">The first {{len .Mails}} of {{.Matches}}; all are in the CSV of the investigation's matches.</p>{{end}}{{else}}<p>None was found.</p>{{end}}
</main>{{template "foot"}}{{end}}`
