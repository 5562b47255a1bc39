package collect

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect/audit"
	"tocsin.dev/detect/rule"
	"tocsin.dev/detect/sigma"
	"tocsin.dev/store"
)

// auditColumns are those of a record's row.
var auditColumns = []string{"id", "twin", "at", "seen", "source", "content", "operation", "workload", "person", "about", "actor", "actor_kind", "ip", "object",
	"result", "judge", "judged", "sign_in", "body"}

// foldAudit keeps records that are not there yet. They are judged afterwards, in the order of their times, by [AuditJudge].
func (r *run) foldAudit(ctx context.Context, all []pending[auditSeen]) error {
	for some := range slices.Chunk(all, 400) {
		if err := r.foldRecords(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) foldRecords(ctx context.Context, batch []pending[auditSeen]) error {
	entries := make([]audit.Entry, len(batch))
	var ids, twins, names []string
	for i := range batch {
		e, err := audit.Whole(batch[i].body.Record)
		if err != nil { // it was read once, when it was appended
			return shapeError{err}
		}
		e.ID = recordID(&e, batch[i].body.Record)
		entries[i] = e
		ids = append(ids, e.ID)
		if e.Twin != "" {
			twins = append(twins, e.Twin)
		}
		who, whose := audit.Concerns(&e.Record)
		names = append(names, who, whose)
	}
	there, lesser, err := r.audited(ctx, ids, twins)
	if err != nil {
		return err
	}
	people, err := peopleBehind(ctx, r.t, names)
	if err != nil {
		return err
	}
	own, err := ownRulesOf(ctx, r.t)
	if err != nil {
		return err
	}
	f := recordFold{run: r, look: map[tocsin.PersonID]int64{}, own: own}
	for i := range batch {
		e := &entries[i]
		if id := lesser[e.Twin]; id != "" && e.Shape == audit.SignInLog {
			delete(lesser, e.Twin)
			if err := f.enrich(ctx, &batch[i], e, id, people); err != nil {
				return err
			}
			continue
		}
		if there[e.ID] || e.Twin != "" && there[e.Twin] {
			continue
		}
		there[e.ID] = true
		if e.Twin != "" {
			there[e.Twin] = true
		}
		if err := f.take(ctx, &batch[i], e, people); err != nil {
			return err
		}
	}
	return f.write(ctx)
}

// audited says which of the ids and twins are there already, and of which twins there is but a lesser record, by its id: what the
// unified log tells of a sign-in, until the directory's own log tells the rest.
func (r *run) audited(ctx context.Context, ids, twins []string) (there map[string]bool, lesser map[string]string, err error) {
	there, lesser = map[string]bool{}, map[string]string{}
	if len(ids) > 0 {
		err = each(ctx, r.t, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			there[id] = true
			return err
		}, `select id from audit_record where tenant = $1 and id in (`+store.In(len(ids), 2)+`)`, anys(ids)...)
	}
	if err != nil || len(twins) == 0 {
		return there, lesser, err
	}
	of := map[string]string{} // as the tables keep a twin
	for _, twin := range twins {
		of[strings.ReplaceAll(twin, "\x00", "\uFFFD")] = twin
	}
	err = each(ctx, r.t, func(scan func(...any) error) error {
		var id, twin string
		var whole bool
		err := scan(&id, &twin, &whole)
		if own, ok := of[twin]; ok {
			twin = own
		}
		there[twin] = true
		if !whole && strings.HasPrefix(twin, "sign-in\x00") {
			lesser[twin] = id
		}
		return err
	}, `select id, twin, sign_in from audit_record where tenant = $1 and twin in (`+store.In(len(twins), 2)+`)`, anys(twins)...)
	return there, lesser, err
}

// recordFold is what new records bring.
type recordFold struct {
	*run
	rows  [][]any
	signs [][]any // sign-ins as the directory tells of them
	judge bool

	events [][]any
	look   map[tocsin.PersonID]int64 // whose rules were changed, and when
	own    *ownRules
}

func (f *recordFold) take(ctx context.Context, p *pending[auditSeen], e *audit.Entry, people map[string]tocsin.PersonID) error {
	rec := &e.Record
	rec.ID = e.ID
	who, whose := audit.Concerns(rec)
	at := tocsin.Millis(rec.Time)
	if rec.Time.IsZero() {
		at = 0
	}
	judge := rule.Judged(rec.Operation) || f.own.meets(sigma.NewEvent(e))
	if !judge && (p.body.Content == "Audit.SharePoint" || p.body.Content == "Audit.General") {
		return nil // files opened and the like: by far the most of all records, and of no use here
	}
	f.judge = f.judge || judge
	f.rows = append(f.rows, []any{e.ID, e.Twin, at, p.at, p.body.Source, p.body.Content, clipped(rec.Operation, 200), clipped(rec.Workload, 100), string(people[who]), string(people[whose]),
		clipped(rec.Actor, 400), rec.ActorKind, rec.IP, clipped(rec.Object, 400), clipped(rec.Result, 100), judge, !judge, e.Shape == audit.SignInLog, string(p.body.Record)})
	if e.Shape == audit.SignInLog {
		f.signs = append(f.signs, signInRow(p, e, e.ID, people[who]))
	}
	if err := f.tellChange(e, cmp.Or(people[whose], people[who]), at); err != nil {
		return err
	}
	if changesRules(rec.Operation) && people[whose] != "" {
		f.look[people[whose]] = max(f.look[people[whose]], at)
	}
	return f.rights(ctx, rec)
}

// changesRules says whether an operation changes a mailbox's rules, which Graph shows at once.
func changesRules(operation string) bool {
	return strings.HasSuffix(operation, "-InboxRule") && !strings.HasPrefix(operation, "Get-") || operation == "UpdateInboxRules"
}

func clipped(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

func (f *recordFold) write(ctx context.Context) error {
	if err := f.signedIn(ctx); err != nil {
		return err
	}
	if err := f.t.Insert(ctx, store.Into{Table: "event", Key: []string{"id"}, Columns: []string{"id", "at", "type", "action", "person", "body"}}, f.events); err != nil {
		return err
	}
	if len(f.rows) == 0 && !f.judge {
		return nil
	}
	if err := f.t.Insert(ctx, store.Into{Table: "audit_record", Columns: auditColumns}, f.rows); err != nil {
		return err
	}
	if err := f.lookAt(ctx); err != nil {
		return err
	}
	body, err := encode(map[string]any{"count": len(f.rows), "judge": f.judge})
	if err != nil {
		return err
	}
	return f.t.Append(ctx, store.Fact{Kind: "audit.recorded", Body: body})
}

// lookAt has the rules read at once of mailboxes whose rules were changed after they were read last.
func (f *recordFold) lookAt(ctx context.Context) error {
	due := false
	for _, person := range sortedKeys(f.look) {
		at := f.look[tocsin.PersonID(person)]
		n, err := f.t.Exec(ctx, `insert into audit_look (tenant, person, at) select tenant, person, $3 from mailbox where tenant = $1 and person = $2 and rules_seen > 0 and rules_seen < $3
			on conflict (tenant, person) do update set at = excluded.at`, person, at)
		if err != nil {
			return err
		}
		due = due || n > 0
	}
	if !due {
		return nil
	}
	_, err := f.t.Exec(ctx, `update source set due = 0 where tenant = $1 and name = 'looks'`)
	return err
}
