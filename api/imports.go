package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/offline"
	"tocsin.dev/store"
)

// Import is a file that was brought in.
type Import struct {
	ID          string       `json:"id"`
	Kind        string       `json:"kind" doc:"audit or mailboxes"`
	Name        string       `json:"name" doc:"The file's"`
	By          string       `json:"by"`
	At          time.Time    `json:"at"`
	State       string       `json:"state" doc:"running, done, or cut: only a part came in, and it may be given again"`
	Because     string       `json:"because"`
	Records     int          `json:"records" doc:"That could be read"`
	New         int          `json:"new" doc:"Of these, not known before"`
	Known       int          `json:"known" doc:"Of these, there already"`
	Passed      int          `json:"passed" doc:"Of these, at which no detection looks: files opened and the like"`
	Other       int          `json:"other" doc:"Of these, of another tenant: left out"`
	Mailboxes   int          `json:"mailboxes" doc:"Of rights: how many mailboxes it tells of"`
	Broken      int          `json:"broken"`
	FirstBroken []BrokenLine `json:"first_broken" doc:"The first twenty"`
	Since       time.Time    `json:"since,omitzero" doc:"Of the oldest record"`
	Until       time.Time    `json:"until,omitzero" doc:"Of the newest record"`
	AsOf        time.Time    `json:"as_of,omitzero" doc:"When rights were exported"`
}

// BrokenLine is a piece of a file that could not be read.
type BrokenLine struct {
	Line int    `json:"line"`
	Why  string `json:"why"`
}

// ImportFile is a file as the body of a request, read as it comes.
type ImportFile struct {
	Name string    `query:"name" maxLength:"300" doc:"The file's name, for those who look at it later"`
	File io.Reader `json:"-"`
}

// Resolve takes the request's body.
func (f *ImportFile) Resolve(c huma.Context) []error {
	f.File = c.BodyReader()
	return nil
}

// ImportAuditIn brings in an exported audit log.
type ImportAuditIn struct {
	In
	ImportFile
}

// ImportMailboxesIn brings in exported forwarding and rights.
type ImportMailboxesIn struct {
	In
	ImportFile
	AsOf time.Time `query:"as_of" doc:"When it was exported; now when absent"`
}

const (
	mostAudit     = 8 << 30 // bytes of a file
	mostMailboxes = 256 << 20
	shownBroken   = 20
	atOnce        = 2 // imports
)

// ImportAudit brings the records of an exported audit log in, as if the feed had brought them: each once, and judged.
func (s *Service) ImportAudit(ctx context.Context, in ImportAuditIn) (Import, error) {
	return s.importFile(ctx, "import audit", "audit", in.Tenant, in, in.ImportFile, mostAudit, time.Time{}, func(ctx context.Context, w *importing) error {
		var some []collect.Line
		size := 0
		flush := func() error {
			err := s.o.Importer.Audit(ctx, w.tenant, some, &w.sum, w.broken)
			some, size = some[:0], 0
			if err != nil {
				return err
			}
			return w.tell(ctx, false)
		}
		if err := w.read(func(line int, record []byte) error {
			some = append(some, collect.Line{Number: line, Record: append(json.RawMessage(nil), record...)})
			if size += len(record); len(some) < 500 && size < 4<<20 {
				return nil
			}
			return flush()
		}); err != nil {
			return errors.Join(flush(), err)
		}
		return flush()
	})
}

// ImportMailboxes brings exported forwarding and rights over mailboxes in, as they were when they were exported.
func (s *Service) ImportMailboxes(ctx context.Context, in ImportMailboxesIn) (Import, error) {
	now := s.now()
	if in.AsOf.IsZero() {
		in.AsOf = now
	}
	return s.importFile(ctx, "import mailboxes", "mailboxes", in.Tenant, in, in.ImportFile, mostMailboxes, in.AsOf, func(ctx context.Context, w *importing) error {
		if in.AsOf.After(now.Add(time.Hour)) {
			return invalid("Say when it was exported (as_of).", "The time of the export is still to come.")
		}
		var x collect.Exported
		if err := w.read(func(line int, record []byte) error {
			if err := x.Row(record); err != nil {
				w.sum.Broken++
				w.broken(line, err.Error())
			}
			w.sum.Records, w.mailboxes = x.Rows, x.Mailboxes()
			return ctx.Err()
		}); err != nil {
			w.mailboxes = 0 // of half a file nothing is taken: what is missing in it would count as gone
			return err
		}
		if err := s.o.Importer.Mailboxes(ctx, w.tenant, &x, in.AsOf); err != nil {
			return err
		}
		w.sum.New = x.Rights
		return nil
	})
}

// importing is a file that is coming in.
type importing struct {
	s         *Service
	tenant    tocsin.TenantID
	id        string
	file      string
	from      *counted64
	sum       collect.Imported
	mailboxes int
	first     []BrokenLine
	told      time.Time
}

// counted64 reads up to most bytes, and remembers why it ended.
type counted64 struct {
	from io.Reader
	left int64
	err  error
}

var errTooLarge = errors.New("the file is too large")

func (c *counted64) Read(p []byte) (int, error) {
	if c.left <= 0 {
		c.err = errTooLarge
		return 0, c.err
	}
	n, err := c.from.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if err != nil {
		c.err = err
	}
	return n, err
}

// importFile writes an import down, has it done, and writes down what came of it.
func (s *Service) importFile(ctx context.Context, name, kind string, tenant tocsin.TenantID, in any, f ImportFile, most int64, asOf time.Time, do func(context.Context, *importing) error) (out Import, err error) {
	tenant = tenantOf(in)
	c, err := s.allow(ctx, name, tenant)
	noted := false
	defer func() {
		if !noted {
			s.refused(ctx, name, tenant, in, c, err)
		}
	}()
	if err != nil {
		return out, err
	}
	if err := valid(in); err != nil {
		return out, err
	}
	if s.o.Importer == nil || f.File == nil {
		return out, tocsin.Problemf(tocsin.Unavailable, "Send the file as the body of the request.", "There is nothing to bring in.")
	}
	select {
	case s.importing <- struct{}{}:
		defer func() { <-s.importing }()
	default:
		return out, tocsin.Problemf(tocsin.Throttled, "Wait until one of them has ended.", "%d files are coming in already.", atOnce)
	}
	w := &importing{s: s, tenant: tenant, id: tocsin.NewID(), file: firstOf(strings.TrimSpace(f.Name), "the file"), from: &counted64{from: f.File, left: most}, told: s.now()}
	head := make([]byte, 1)
	if n, err := io.ReadFull(w.from, head); n == 0 {
		if errors.Is(err, io.EOF) {
			return out, invalid("Choose the file that was exported.", "The file is empty.")
		}
		return out, w.cut(err)
	}
	w.from.from = io.MultiReader(strings.NewReader(string(head)), w.from.from)
	w.from.left, w.from.err = w.from.left+1, nil
	err = s.st.UpdateTenant(ctx, tenant, func(t *store.Tenant) error {
		if err := exists(ctx, t); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `insert into audit_import (tenant, id, by_whom, kind, name, at, state, as_of, heard) values ($1, $2, $3, $4, $5, $6, 'running', $7, $6)`,
			w.id, c.Email, kind, w.file, tocsin.Millis(s.now()), tocsin.Millis(asOf)); err != nil {
			return err
		}
		return s.note(ctx, t.Tx(), name, tenant, in, c, nil)
	})
	if err != nil {
		return out, err
	}
	noted = true
	failed := do(ctx, w)
	if failed == nil && w.sum.Records == 0 {
		failed = invalid("See docs/imports.md for how to export it.", "Nothing in %s could be read as %s.", w.file, map[string]string{"audit": "a record of the audit log", "mailboxes": "forwarding or rights of a mailbox"}[kind])
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := w.ended(after, c.Email, failed); err != nil {
		return out, errors.Join(failed, err)
	}
	if failed != nil {
		return out, failed
	}
	err = s.st.ViewTenant(after, tenant, func(t *store.Tenant) error { out, err = importOf(after, t, w.id, s.now()); return err })
	return out, err
}

// read gives the records of the file. A file that ended before its end is an error.
func (w *importing) read(take func(line int, record []byte) error) error {
	err := offline.Read(w.file, w.from, func(b offline.Broken) {
		if w.from.err != nil && !errors.Is(w.from.err, io.EOF) {
			return // said once, by what is returned
		}
		w.sum.Broken++
		w.broken(b.Line, b.Reason)
	}, take)
	if err == nil && w.from.err != nil && !errors.Is(w.from.err, io.EOF) {
		return w.cut(w.from.err)
	}
	return err
}

func (w *importing) cut(err error) error {
	p := tocsin.Problemf(tocsin.Unavailable, "Send it again: what came in is not taken twice.", "The file did not come in whole.")
	if errors.Is(err, errTooLarge) {
		p = invalid("Compress it (gzip), or give it in parts.", "The file is too large.")
	}
	p.Err = err
	return p
}

func (w *importing) broken(line int, why string) {
	if len(w.first) < shownBroken {
		w.first = append(w.first, BrokenLine{Line: line, Why: clip(why, 300)})
	}
}

// tell writes down how far it is, now and then.
func (w *importing) tell(ctx context.Context, now bool) error {
	if !now && w.s.now().Sub(w.told) < 2*time.Second {
		return nil
	}
	w.told = w.s.now()
	return w.s.st.UpdateTenant(ctx, w.tenant, func(t *store.Tenant) error { return w.write(ctx, t, "running", "") })
}

func (w *importing) write(ctx context.Context, t *store.Tenant, state, because string) error {
	first, err := json.Marshal(orNone(w.first))
	if err != nil {
		return err
	}
	_, err = t.Exec(ctx, `update audit_import set state = $3, because = $4, records = $5, fresh = $6, known = $7, passed = $8, strange = $9, mailboxes = $10, broken = $11, first_broken = $12,
		since = $13, until = $14, heard = $15 where tenant = $1 and id = $2`, w.id, state, because, w.sum.Records, w.sum.New, w.sum.Known, w.sum.Passed, w.sum.Strange, w.mailboxes, w.sum.Broken, string(first),
		tocsin.Millis(w.sum.Since), tocsin.Millis(w.sum.Until), tocsin.Millis(w.s.now()))
	return err
}

func (w *importing) ended(ctx context.Context, actor string, failed error) error {
	state, because := "done", ""
	if failed != nil {
		state, because = "cut", tocsin.AsProblem(failed).What
	}
	return w.s.st.UpdateTenant(ctx, w.tenant, func(t *store.Tenant) error {
		if err := w.write(ctx, t, state, because); err != nil {
			return err
		}
		return t.Append(ctx, store.Fact{Kind: "audit.import", Subject: w.id, Actor: actor})
	})
}

const importColumns = `id, kind, name, by_whom, at, state, because, records, fresh, known, passed, strange, mailboxes, broken, first_broken, since, until, as_of, heard`

type importRow struct {
	Import
	first                         string
	at, since, until, asOf, heard int64
}

func (r *importRow) fields() []any {
	return []any{&r.ID, &r.Kind, &r.Name, &r.By, &r.at, &r.State, &r.Because, &r.Records, &r.New, &r.Known, &r.Passed, &r.Other, &r.Mailboxes, &r.Broken, &r.first, &r.since, &r.until, &r.asOf, &r.heard}
}

// silent is after how long an import that is not heard of is taken for cut.
const silent = time.Minute

func (r *importRow) view(now time.Time) (Import, error) {
	r.At, r.Since, r.Until, r.AsOf = tocsin.FromMillis(r.at), tocsin.FromMillis(r.since), tocsin.FromMillis(r.until), tocsin.FromMillis(r.asOf)
	if r.State == "running" && now.Sub(tocsin.FromMillis(r.heard)) > silent {
		r.State, r.Because = "cut", "The server ended while the file came in."
	}
	if err := json.Unmarshal([]byte(r.first), &r.FirstBroken); err != nil {
		return r.Import, fmt.Errorf("import %s: %w", r.ID, err)
	}
	r.FirstBroken = orNone(r.FirstBroken)
	return r.Import, nil
}

func importOf(ctx context.Context, t *store.Tenant, id string, now time.Time) (Import, error) {
	var r importRow
	if err := t.QueryRow(ctx, `select `+importColumns+` from audit_import where tenant = $1 and id = $2`, id).Scan(r.fields()...); err != nil {
		return Import{}, err
	}
	return r.view(now)
}

// ListImports lists the files that were brought in, the newest first.
func (s *Service) ListImports(ctx context.Context, in ListIn) (Page[Import], error) {
	return view(ctx, s, "import list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Import], error) {
		var p Page[Import]
		after, err := parseCursor(in.After, "import", 1)
		if err != nil {
			return p, err
		}
		n := in.limit()
		q := (&query{}).add("select " + importColumns + " from audit_import where tenant = $1")
		if !after.begins() {
			q.add(" and id < ?", after.text(0)) // ids sort by when they were made
		}
		rows, err := find(ctx, t, q.add(" order by id desc limit ?", n+1), (*importRow).fields)
		if err != nil {
			return p, err
		}
		pieces := paged(rows, n, func(r importRow) string { return cursor("import", r.ID) })
		p.Items, p.Next = make([]Import, len(pieces.Items)), pieces.Next
		for i := range pieces.Items {
			if p.Items[i], err = pieces.Items[i].view(s.now()); err != nil {
				return p, err
			}
		}
		return p, nil
	})
}
