package api

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// AuditRecord is a record of the audit log. Body is there in get only.
type AuditRecord struct {
	ID        string          `json:"id"`
	At        time.Time       `json:"at" doc:"When it was done"`
	Seen      time.Time       `json:"seen" doc:"When it was read"`
	Source    string          `json:"source" doc:"feed, query, file or graph"`
	Content   string          `json:"content" doc:"The part of the log: Audit.Exchange, DirectoryAudits … Empty where the way it came has none"`
	Operation string          `json:"operation"`
	Workload  string          `json:"workload"`
	Person    tocsin.PersonID `json:"person" doc:"Who did it, where the directory knows them"`
	About     tocsin.PersonID `json:"about" doc:"Whose mailbox or account it was done to, likewise"`
	Actor     string          `json:"actor"`
	ActorKind string          `json:"actor_kind"`
	IP        string          `json:"ip"`
	Object    string          `json:"object"`
	Result    string          `json:"result"`
	Judged    bool            `json:"judged" doc:"A detection looks at such records"`
	Body      json.RawMessage `json:"body,omitempty" doc:"The record as Microsoft wrote it, without subjects"`
}

// AuditIn filters records of the audit log. Sorted by time, the newest first.
type AuditIn struct {
	In
	Paging
	Operation string          `query:"operation" maxLength:"200" doc:"Only of this operation, such as Set-Mailbox"`
	Person    tocsin.PersonID `query:"person" maxLength:"100" doc:"Only done by or to this person"`
	IP        string          `query:"ip" maxLength:"64" doc:"Only from this address"`
	Since     time.Time       `query:"since" doc:"Not before this time"`
	Until     time.Time       `query:"until" doc:"Before this time"`
	Content   string          `query:"content" maxLength:"60" doc:"Only of this part of the log, such as Audit.Exchange or DirectoryAudits"`
	SignIns   bool            `query:"sign_ins" doc:"With the sign-ins of the directory's own log, which stand in a list of their own"`
	Search    string          `query:"search" maxLength:"100" doc:"Only what this search of Microsoft's audit log looks for, by its id"`
}

const auditColumns = `id, at, seen, source, content, operation, workload, person, about, actor, actor_kind, ip, object, result, judge`

type auditRow struct {
	AuditRecord
	at, seen int64
	body     string
}

func (r *auditRow) fields() []any {
	return []any{&r.ID, &r.at, &r.seen, &r.Source, &r.Content, &r.Operation, &r.Workload, &r.Person, &r.About, &r.Actor, &r.ActorKind, &r.IP, &r.Object, &r.Result, &r.Judged}
}

func (r *auditRow) view() AuditRecord {
	r.At, r.Seen = tocsin.FromMillis(r.at), tocsin.FromMillis(r.seen)
	return r.AuditRecord
}

// ListAudit lists records of the audit log.
func (s *Service) ListAudit(ctx context.Context, in AuditIn) (Page[AuditRecord], error) {
	return view(ctx, s, "audit list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[AuditRecord], error) {
		var p Page[AuditRecord]
		after, err := parseCursor(in.After, "audit", 2)
		if err != nil {
			return p, err
		}
		n := in.limit()
		q := (&query{}).add("select " + auditColumns + " from audit_record where tenant = $1")
		if !in.SignIns && in.Search == "" {
			q.add(" and sign_in = ?", false)
		}
		if in.Operation != "" {
			q.add(" and operation = ?", in.Operation)
		}
		if in.Content != "" {
			q.add(" and content = ?", in.Content)
		}
		if in.Person != "" {
			q.add(" and (person = ? or about = ?)", in.Person, in.Person)
		}
		if in.IP != "" {
			q.add(" and ip = ?", in.IP)
		}
		if !in.Since.IsZero() {
			q.add(" and at >= ?", in.Since)
		}
		if !in.Until.IsZero() {
			q.add(" and at < ?", in.Until)
		}
		if in.Search != "" {
			search, err := auditQuery(ctx, t, in.Search)
			if err != nil {
				return p, err
			}
			search.fits(q)
		}
		if !after.begins() {
			q.add(" and (at, id) < (?, ?)", after.number(0), after.text(1))
		}
		rows, err := find(ctx, t, q.add(newest, n+1), (*auditRow).fields)
		if err != nil {
			return p, err
		}
		pieces := paged(rows, n, func(r auditRow) string { return cursor("audit", r.at, r.ID) })
		p.Items, p.Next = make([]AuditRecord, len(pieces.Items)), pieces.Next
		for i := range pieces.Items {
			p.Items[i] = pieces.Items[i].view()
		}
		return p, nil
	})
}

// recordsOf are the audit records that evidence names, as far as they are kept here.
func recordsOf(ctx context.Context, t *store.Tenant, evidence []tocsin.Evidence) ([]AuditRecord, error) {
	ids := []any{}
	for _, e := range evidence {
		if e.Source == "audit_log" {
			ids = append(ids, e.ID)
		}
	}
	out := []AuditRecord{}
	if len(ids) == 0 {
		return out, nil
	}
	q := (&query{}).add("select " + auditColumns + " from audit_record where tenant = $1 and id in (")
	rows, err := find(ctx, t, q.add(q.in(ids...)+") order by at, id limit 200"), (*auditRow).fields)
	for i := range rows {
		out = append(out, rows[i].view())
	}
	return out, err
}

// GetAudit gives a record as Microsoft wrote it.
func (s *Service) GetAudit(ctx context.Context, in ByID) (AuditRecord, error) {
	return view(ctx, s, "audit get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (AuditRecord, error) {
		var r auditRow
		err := t.QueryRow(ctx, `select `+auditColumns+`, body from audit_record where tenant = $1 and id = $2`, in.ID).Scan(append(r.fields(), &r.body)...)
		if errors.Is(err, store.ErrNone) {
			return AuditRecord{}, tocsin.Problemf(tocsin.NotFound, "Look at tocsin audit list.", "There is no such record.")
		}
		if err != nil {
			return AuditRecord{}, err
		}
		r.AuditRecord.Body = rawJSON(r.body)
		return r.view(), nil
	})
}

// AuditWindow is a line of the ledger: what was read of a part of the audit log from when to when, or is lost.
type AuditWindow struct {
	Content string    `json:"content" doc:"Audit.Exchange, Audit.AzureActiveDirectory, Audit.General or Audit.SharePoint of the feed; SignIns.interactive and the like and DirectoryAudits of the directory's own logs"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
	State   string    `json:"state" doc:"read, or lost: Microsoft no longer has it"`
	Parcels int       `json:"parcels"`
	Records int       `json:"records"`
	Because string    `json:"because"`
}

// ListAuditWindows lists the ledger of the audit log.
func (s *Service) ListAuditWindows(ctx context.Context, in ListIn) (Page[AuditWindow], error) {
	return view(ctx, s, "audit-windows list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[AuditWindow], error) {
		return slice("audit-windows", in.Paging, func() ([]AuditWindow, error) {
			type row struct {
				AuditWindow
				since, until int64
			}
			rows, err := find(ctx, t, (&query{}).add("select content, since, until, state, parcels, records, because from audit_window where tenant = $1 order by content, since"),
				func(r *row) []any {
					return []any{&r.Content, &r.since, &r.until, &r.State, &r.Parcels, &r.Records, &r.Because}
				})
			out := make([]AuditWindow, len(rows))
			for i, r := range rows {
				r.Since, r.Until = tocsin.FromMillis(r.since), tocsin.FromMillis(r.until)
				out[i] = r.AuditWindow
			}
			return out, err
		}, func(v AuditWindow) string { return v.Content + " " + v.Since.UTC().Format(time.RFC3339) })
	})
}

// AuditQuery is a search of Microsoft's audit log that somebody asked for.
type AuditQuery struct {
	ID         string    `json:"id"`
	By         string    `json:"by"`
	Address    string    `json:"address" doc:"Only of what this person did; empty: everybody"`
	Operations []string  `json:"operations"`
	Since      time.Time `json:"since"`
	Until      time.Time `json:"until"`
	State      string    `json:"state" doc:"waiting, running, reading, done or failed"`
	Records    int       `json:"records"`
	Because    string    `json:"because"`
	Mend       string    `json:"mend"`
	Created    time.Time `json:"created"`
	Ended      time.Time `json:"ended"`
}

// fits adds to a query of records what the search looks for: its time, its operations, its person. The records that fit may
// have come another way than by it.
func (v AuditQuery) fits(q *query) {
	q.add(" and at >= ? and at < ?", v.Since, v.Until)
	if v.Address != "" {
		q.add(" and lower(actor) = ?", strings.ToLower(v.Address))
	}
	if len(v.Operations) > 0 {
		names := make([]any, len(v.Operations))
		for i, o := range v.Operations {
			names[i] = strings.ToLower(strings.TrimRight(strings.TrimSpace(o), ". ")) // as records are kept
		}
		q.add(" and lower(operation) in (" + q.in(names...) + ")")
	}
}

// AuditQueryNew asks for a search.
type AuditQueryNew struct {
	Address    string    `json:"address,omitempty" maxLength:"320" doc:"Only of what this person did"`
	Operations []string  `json:"operations,omitempty" maxItems:"50" doc:"Only of these operations"`
	Since      time.Time `json:"since" doc:"From when on"`
	Until      time.Time `json:"until" doc:"Until when"`
}

// CreateAuditQueryIn asks for a search.
type CreateAuditQueryIn struct {
	In
	Key
	Body AuditQueryNew
}

const queryColumns = `id, by_whom, address, operations, since, until, state, records, because, mend, created, ended`

type queryRow struct {
	AuditQuery
	operations                    string
	since, until, created, ending int64
}

func (r *queryRow) fields() []any {
	return []any{&r.ID, &r.By, &r.Address, &r.operations, &r.since, &r.until, &r.State, &r.Records, &r.Because, &r.Mend, &r.created, &r.ending}
}

func (r *queryRow) view() (AuditQuery, error) {
	r.Since, r.Until, r.Created, r.Ended = tocsin.FromMillis(r.since), tocsin.FromMillis(r.until), tocsin.FromMillis(r.created), tocsin.FromMillis(r.ending)
	err := json.Unmarshal([]byte(r.operations), &r.Operations)
	r.Operations = orNone(r.Operations)
	return r.AuditQuery, err
}

// ListAuditQueries lists the searches, the newest first.
func (s *Service) ListAuditQueries(ctx context.Context, in ListIn) (Page[AuditQuery], error) {
	return view(ctx, s, "audit-queries list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[AuditQuery], error) {
		var p Page[AuditQuery]
		after, err := parseCursor(in.After, "audit-queries", 1)
		if err != nil {
			return p, err
		}
		n := in.limit()
		q := (&query{}).add("select " + queryColumns + " from audit_query where tenant = $1")
		if !after.begins() {
			q.add(" and id < ?", after.text(0)) // ids sort by when they were made
		}
		rows, err := find(ctx, t, q.add(" order by id desc limit ?", n+1), (*queryRow).fields)
		if err != nil {
			return p, err
		}
		pieces := paged(rows, n, func(r queryRow) string { return cursor("audit-queries", r.ID) })
		p.Items, p.Next = make([]AuditQuery, len(pieces.Items)), pieces.Next
		for i := range pieces.Items {
			if p.Items[i], err = pieces.Items[i].view(); err != nil {
				return p, err
			}
		}
		return p, nil
	})
}

// GetAuditQuery gives a search.
func (s *Service) GetAuditQuery(ctx context.Context, in ByID) (AuditQuery, error) {
	return view(ctx, s, "audit-queries get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (AuditQuery, error) {
		return auditQuery(ctx, t, in.ID)
	})
}

func auditQuery(ctx context.Context, t *store.Tenant, id string) (AuditQuery, error) {
	var r queryRow
	err := t.QueryRow(ctx, `select `+queryColumns+` from audit_query where tenant = $1 and id = $2`, id).Scan(r.fields()...)
	if errors.Is(err, store.ErrNone) {
		return AuditQuery{}, tocsin.Problemf(tocsin.NotFound, "Look at tocsin audit-queries list.", "There is no such search.")
	}
	if err != nil {
		return AuditQuery{}, err
	}
	return r.view()
}

// CreateAuditQuery has Microsoft's audit log searched; what is found is judged as what the feed brings.
func (s *Service) CreateAuditQuery(ctx context.Context, in CreateAuditQueryIn) (AuditQuery, error) {
	return act(ctx, s, "audit-queries create", in, func(ctx context.Context, t *store.Tenant, c Caller) (AuditQuery, error) {
		b := in.Body
		if b.Since.IsZero() || !b.Until.After(b.Since) {
			return AuditQuery{}, invalid("Give since and until, the later one last.", "The time to search is missing, or ends before it begins.")
		}
		if b.Until.Sub(b.Since) > 366*24*time.Hour {
			return AuditQuery{}, invalid("Search a year at most.", "The time to search is longer than a year.")
		}
		operations, err := json.Marshal(orNone(b.Operations))
		if err != nil {
			return AuditQuery{}, err
		}
		id := tocsin.NewID()
		if _, err := t.Exec(ctx, `insert into audit_query (tenant, id, by_whom, address, operations, since, until, state, created) values ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8)`,
			id, c.Email, strings.TrimSpace(b.Address), string(operations), tocsin.Millis(b.Since), tocsin.Millis(b.Until), tocsin.Millis(s.now())); err != nil {
			return AuditQuery{}, err
		}
		if _, err := t.Exec(ctx, `update source set due = 0 where tenant = $1 and name = 'queries'`); err != nil {
			return AuditQuery{}, err
		}
		if err := t.Append(ctx, store.Fact{Kind: "audit.query", Subject: id, Actor: c.Email}); err != nil {
			return AuditQuery{}, err
		}
		return auditQuery(ctx, t, id)
	})
}
