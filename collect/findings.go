package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/rule"
	"tocsin.dev/store"
)

// filing puts findings into the table: the same cause is one finding that grows, one that is gone is fixed, one that
// comes back is opened again, and one that was accepted is silent until the acceptance ends.
type filing struct {
	t     *store.Tenant
	now   time.Time
	rules map[string]bool // the rules that were asked: what they no longer find is fixed
	// strict judges the same again as if nothing were trusted or excused: what is found then only is excused, not gone.
	strict func() []tocsin.Finding
	// stands says of a finding of a held rule (rule.Held), which an audit record may have raised, whether what it rests on is
	// there, though the state alone did not lead to it.
	stands func(*tocsin.Finding) bool

	// called is what the mailbox calls an inbox rule, by its person and id, where no other is called so: an audit record names it by that.
	called map[ruleKey]string
	taken  map[string]string // of what records raised before the mailbox was read, the id of the rule there

	// shown are the ids of findings that audit records raised, and that the state judges as well.
	shown map[string]bool

	rows, notes, parts [][]any // of new findings, of the history, and of whom findings name

	people map[tocsin.PersonID]bool // whose findings changed
	joins  bool                     // what is filed is of a story itself
}

type ruleKey struct {
	person tocsin.PersonID
	id     string
}

type filed struct {
	id, rule, body, status string
	until                  int64
}

// file files what was found among all that is there where the condition holds; its arguments begin at $2.
func (f *filing) file(ctx context.Context, found []tocsin.Finding, where string, args ...any) error {
	had := map[string]filed{}
	err := each(ctx, f.t, func(scan func(...any) error) error {
		var h filed
		if err := scan(&h.id, &h.rule, &h.body, &h.status, &h.until); err != nil {
			return err
		}
		if f.rules[h.rule] {
			had[h.id] = h
		}
		return nil
	}, `select id, rule, body, status, accepted_until from finding where tenant = $1 and `+where, args...)
	if err != nil {
		return err
	}
	list, err := f.settled(f.distinct(found), had)
	if err != nil {
		return err
	}
	if err := f.take(list, had); err != nil {
		return err
	}
	for _, x := range list {
		h, known := had[x.ID]
		delete(had, x.ID)
		if known {
			err = f.again(ctx, x, h)
		} else {
			err = f.raise(ctx, x)
		}
		if err != nil {
			return fmt.Errorf("file a finding of %s: %w", x.Rule, err)
		}
	}
	var still map[string]bool
	for _, id := range sortedKeys(had) {
		if h := had[id]; h.status == string(tocsin.Open) || h.status == string(tocsin.InWork) || f.ended(h) {
			if still == nil {
				still = f.still()
			}
			if err := f.gone(ctx, h, still[id], list); err != nil {
				return err
			}
		}
	}
	return f.write(ctx)
}

// settled takes out of what was found what a weightier finding that an audit record raised says already of the same grant,
// and out of had what is not gone though it was not found: those that stand.
func (f *filing) settled(found []*tocsin.Finding, had map[string]filed) ([]*tocsin.Finding, error) {
	if f.stands == nil {
		return found, nil
	}
	ids := map[string]bool{}
	for _, x := range found {
		ids[x.ID] = true
	}
	for _, id := range sortedKeys(had) {
		h := had[id]
		if ids[id] || !rule.Held(h.rule) || h.status == string(tocsin.Fixed) {
			continue
		}
		var old tocsin.Finding
		if err := json.Unmarshal([]byte(h.body), &old); err != nil {
			return nil, err
		}
		recorded := slices.ContainsFunc(old.Evidence, func(e tocsin.Evidence) bool { return e.Source == "audit_log" })
		if !recorded || !f.stands(&old) {
			continue
		}
		delete(had, id)
		kept := found[:0]
		for _, x := range found {
			if _, known := had[x.ID]; known || !rule.Lesser(x, &old) {
				kept = append(kept, x)
			}
		}
		found = kept
	}
	return found, nil
}

// take gives what was found on a mailbox's rules the records that told of them before the mailbox was read, and which raised findings of their
// own by the rules' names: from now on it is one (see ruleInState).
func (f *filing) take(found []*tocsin.Finding, had map[string]filed) error {
	if len(f.called) == 0 {
		return nil
	}
	ids := map[string]bool{}
	for _, x := range found {
		ids[x.ID] = true
	}
	for _, id := range sortedKeys(had) {
		if ids[id] || had[id].status == string(tocsin.Fixed) {
			continue
		}
		var old tocsin.Finding
		if err := json.Unmarshal([]byte(had[id].body), &old); err != nil {
			return err
		}
		_, name, ok := strings.Cut(old.Subject, `\`)
		i := slices.IndexFunc(found, func(x *tocsin.Finding) bool {
			return ok && x.Rule == had[id].rule && x.Person == old.Person && f.called[ruleKey{x.Person, x.Subject}] == name
		})
		if i < 0 {
			continue
		}
		x := found[i]
		for k := range old.Evidence {
			old.Evidence[k].Raw = "" // the rule is evidence itself
		}
		x.Evidence = grown(x.Evidence, old.Evidence)
		if x.Time.IsZero() || !old.Time.IsZero() && old.Time.Before(x.Time) {
			x.Time = old.Time
		}
		if f.taken == nil {
			f.taken = map[string]string{}
		}
		f.taken[id] = x.Subject
	}
	return nil
}

// mostEvidence is how many audit records a finding names that grew with them.
const mostEvidence = 20

// grown is a finding's evidence with the audit records that it rested on before.
func grown(now, before []tocsin.Evidence) []tocsin.Evidence {
	seen := map[string]bool{}
	for _, e := range now {
		seen[e.ID] = true
	}
	for _, e := range before {
		if grew(e) && !seen[e.ID] && len(now) < mostEvidence {
			seen[e.ID] = true
			now = append(now, e)
		}
	}
	return now
}

// grew says whether it is an audit record that told of what the finding rests on by itself.
func grew(e tocsin.Evidence) bool { return e.Source == "audit_log" && e.Raw == "" }

// told files what rules found on audit records. A record is told once and again, and late: one that a finding names already
// adds nothing. Where the state is judged as well (rule.Held), the record only adds itself to the finding, and whether it is
// open is the state's to say; others are opened again by what is new.
func (f *filing) told(ctx context.Context, found []tocsin.Finding) error {
	list := f.distinct(found)
	if len(list) == 0 {
		return nil
	}
	args := make([]any, len(list))
	for i, x := range list {
		args[i] = x.ID
	}
	had := map[string]filed{}
	err := each(ctx, f.t, func(scan func(...any) error) error {
		var h filed
		err := scan(&h.id, &h.rule, &h.body, &h.status, &h.until)
		had[h.id] = h
		return err
	}, `select id, rule, body, status, accepted_until from finding where tenant = $1 and id in (`+store.In(len(args), 2)+`)`, args...)
	if err != nil {
		return err
	}
	for _, x := range list {
		h, known := had[x.ID]
		if !known {
			err = f.raise(ctx, x)
		} else {
			err = f.toldAgain(ctx, x, h)
		}
		if err != nil {
			return fmt.Errorf("file a finding of %s: %w", x.Rule, err)
		}
	}
	return f.write(ctx)
}

// toldAgain has a finding grow by what another record led to.
func (f *filing) toldAgain(ctx context.Context, x *tocsin.Finding, h filed) error {
	var old tocsin.Finding
	if err := json.Unmarshal([]byte(h.body), &old); err != nil {
		return err
	}
	named := map[string]bool{}
	for _, e := range old.Evidence {
		named[e.ID] = true
	}
	news := false
	for _, e := range x.Evidence {
		news = news || !named[e.ID]
	}
	switch {
	case !news:
		return nil
	case !rule.Held(x.Rule) && !f.shown[x.ID]:
		if x.Risk < old.Risk && h.status != string(tocsin.Fixed) {
			x.Why, x.Terms, x.Risk, x.Severity = old.Why, old.Terms, old.Risk, old.Severity
		}
		return f.again(ctx, x, h)
	}
	old.ID = h.id
	rests := slices.DeleteFunc(slices.Clone(old.Evidence), grew)
	old.Evidence = grown(grown(rests, x.Evidence), old.Evidence) // the newest stay
	body, err := encode(&old)
	if err != nil {
		return err
	}
	_, err = f.t.Exec(ctx, `update finding set body = $3, last_seen = $4, version = version + 1 where tenant = $1 and id = $2`, h.id, string(body), tocsin.Millis(f.now))
	if err != nil || h.status != string(tocsin.Open) && h.status != string(tocsin.InWork) {
		return err
	}
	return f.note(ctx, h.id, string(x.Person), "updated", x.Why)
}

// still are the ids of what would be found if nothing were trusted or excused.
func (f *filing) still() map[string]bool {
	ids := map[string]bool{}
	if f.strict != nil {
		for _, x := range f.distinct(f.strict()) {
			ids[x.ID] = true
		}
	}
	return ids
}

// distinct gives the findings their ids. Of two with the same cause the riskier stays.
func (f *filing) distinct(found []tocsin.Finding) []*tocsin.Finding {
	out := make([]*tocsin.Finding, 0, len(found))
	at := map[string]int{}
	for i := range found {
		x := &found[i]
		x.ID = tocsin.NewFindingID(f.t.ID(), x.Rule, rule.Identity(x), x.Cause)
		if k, twice := at[x.ID]; !twice {
			at[x.ID] = len(out)
			out = append(out, x)
		} else if x.Risk > out[k].Risk {
			out[k] = x
		}
	}
	return out
}

// ended says whether a finding was accepted until a time that has come.
func (f *filing) ended(h filed) bool {
	return h.status == string(tocsin.Accepted) && h.until > 0 && h.until <= tocsin.Millis(f.now)
}

// findingColumns are those of a new finding's row.
var findingColumns = []string{"id", "rule", "title", "severity", "severity_rank", "risk", "person", "who", "subject", "cause", "why", "stage", "body",
	"status", "first_seen", "last_seen"}

func (f *filing) raise(ctx context.Context, x *tocsin.Finding) error {
	if x.Time.IsZero() {
		x.Time = f.now
	}
	body, err := encode(x)
	if err != nil {
		return err
	}
	f.rows = append(f.rows, []any{x.ID, x.Rule, x.Title, string(x.Severity), x.Severity.Rank(), x.Risk, listed(x.Person), x.Who, x.Subject, x.Cause, x.Why, x.Stage,
		string(body), string(tocsin.Open), tocsin.Millis(x.Time), tocsin.Millis(f.now)})
	f.names(x)
	return f.note(ctx, x.ID, string(x.Person), "raised", x.Why)
}

// names notes whom a finding names beside the one it is about.
func (f *filing) names(x *tocsin.Finding) {
	seen := map[tocsin.Evidence]bool{}
	for _, e := range x.Evidence {
		if k := (tocsin.Evidence{Person: e.Person, ID: e.ID}); e.Person != "" && !seen[k] {
			seen[k] = true
			f.parts = append(f.parts, []any{x.ID, string(e.Person), e.ID})
		}
	}
}

// listed is the person whose page a finding is on: nobody's where a record named somebody whom the directory does not know.
func listed(p tocsin.PersonID) string {
	if strings.ContainsAny(string(p), "@ ") {
		return ""
	}
	return string(p)
}

// write writes the rows that were gathered, and joins them into stories.
func (f *filing) write(ctx context.Context) error {
	if err := f.t.Insert(ctx, store.Into{Table: "finding", Columns: findingColumns}, f.rows); err != nil {
		return err
	}
	if err := f.t.Insert(ctx, store.Into{Table: "finding_part", Columns: []string{"finding", "person", "rule"}, Key: []string{"finding", "person", "rule"}}, f.parts); err != nil {
		return err
	}
	if err := f.t.Insert(ctx, store.Into{Table: "finding_change", Columns: []string{"finding", "id", "at", "who", "change", "note"}}, f.notes); err != nil || f.joins {
		return err
	}
	return joined(ctx, f.t, f.now, sortedKeys(f.people))
}

// again meets a finding that is there already. Somebody may decide on it at the same time, and on PostgreSQL what was read
// is not what is written over: the status is written only where it is still one that leads to the new one.
func (f *filing) again(ctx context.Context, x *tocsin.Finding, h filed) error {
	var old tocsin.Finding
	if err := json.Unmarshal([]byte(h.body), &old); err != nil {
		return err
	}
	if x.Time.IsZero() || !old.Time.IsZero() && old.Time.Before(x.Time) {
		x.Time = old.Time
	}
	x.Evidence = grown(x.Evidence, old.Evidence)
	body, err := encode(x)
	if err != nil {
		return err
	}
	back := h.status == string(tocsin.Fixed) || f.ended(h)
	if string(body) == h.body && !back {
		return nil
	}
	what, and := "updated", ""
	if back {
		what, and = "reopened", `, status = 'open', count = count + 1`
	}
	query := `update finding set title = $3, severity = $4, severity_rank = $5, risk = $6, who = $7, why = $8, stage = $9, body = $10,
		last_seen = $11, subject = $12, version = version + 1` + and + ` where tenant = $1 and id = $2`
	if back {
		query += ` and (status = 'fixed' or status = 'accepted' and accepted_until > 0 and accepted_until <= $11)`
	}
	n, err := f.t.Exec(ctx, query, x.ID, x.Title, string(x.Severity), x.Severity.Rank(), x.Risk, x.Who, x.Why, x.Stage, string(body), tocsin.Millis(f.now), x.Subject)
	if err != nil || n == 0 {
		return err
	}
	if _, err := f.t.Exec(ctx, `delete from finding_part where tenant = $1 and finding = $2`, x.ID); err != nil {
		return err
	}
	f.names(x)
	return f.note(ctx, x.ID, string(x.Person), what, x.Why)
}

// gone marks a finding as fixed whose cause is gone, or is excused now: by a trusted partner, or an exception; or which
// another finding about the same (of those found now, or of another step) says now.
func (f *filing) gone(ctx context.Context, h filed, excused bool, found []*tocsin.Finding) error {
	n, err := f.t.Exec(ctx, `update finding set status = 'fixed', version = version + 1
		where tenant = $1 and id = $2 and (status in ('open', 'in_work') or status = 'accepted' and accepted_until > 0 and accepted_until <= $3)`, h.id, tocsin.Millis(f.now))
	if err != nil || n == 0 {
		return err
	}
	var old tocsin.Finding
	if err := json.Unmarshal([]byte(h.body), &old); err != nil {
		return err
	}
	note := "The cause is gone."
	if subject, ok := f.taken[h.id]; ok {
		old.Subject = subject
	}
	if other, err := f.other(ctx, h.id, &old, found); err != nil {
		return err
	} else if other != "" {
		note = "It is no finding by itself any more. About the same, “" + other + "” is still open."
	}
	if excused {
		note = "It is excused: a trusted partner or an exception covers it (see Settings). The cause is still there, and the finding opens again when that ends."
	}
	return f.note(ctx, h.id, string(old.Person), "fixed", note)
}

// other is the title of the riskiest open finding about the same as old; empty where there is none.
func (f *filing) other(ctx context.Context, id string, old *tocsin.Finding, found []*tocsin.Finding) (title string, err error) {
	risk := -1
	for _, x := range found {
		if x.ID != id && x.Person == old.Person && x.Subject == old.Subject && x.Risk > risk {
			title, risk = x.Title, x.Risk
		}
	}
	if risk >= 0 {
		return title, nil
	}
	err = f.t.QueryRow(ctx, `select title from finding where tenant = $1 and subject = $2 and person = $3 and id <> $4 and status in ('open', 'in_work')
		order by risk desc, id limit 1`, old.Subject, string(old.Person), id).Scan(&title)
	if errors.Is(err, store.ErrNone) {
		return "", nil
	}
	return title, err
}

// note writes a finding's history and tells it as a fact.
func (f *filing) note(ctx context.Context, id, person, what, note string) error {
	f.notes = append(f.notes, []any{id, tocsin.NewID(), tocsin.Millis(f.now), "", what, note})
	if p := listed(tocsin.PersonID(person)); p != "" {
		if f.people == nil {
			f.people = map[tocsin.PersonID]bool{}
		}
		f.people[tocsin.PersonID(p)] = true
	}
	kind := map[string]string{"raised": "finding.raised", "reopened": "finding.raised", "updated": "finding.updated", "fixed": "finding.fixed"}[what]
	return f.t.Append(ctx, store.Fact{Kind: kind, Subject: id, Person: person})
}
