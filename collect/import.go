package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/audit"
	"tocsin.dev/detect/rule"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// Importer brings in what stands in exported files, by the same way as what is collected: through the journal.
type Importer struct {
	Store   *store.Store
	Journal *journal.Journal
	// Lag is how many items of the journal are not folded yet: an import waits while there are many.
	Lag func(context.Context) (uint64, error)
}

// Line is a record of a file, and the line in which it begins.
type Line struct {
	Number int
	Record json.RawMessage
}

// Imported counts what a file brought.
type Imported struct {
	Records int // that could be read
	New     int
	Known   int // were there already
	Passed  int // no detection looks at such records of SharePoint and others: they are not kept
	Strange int // of another tenant
	Broken  int
	Since   time.Time // of the oldest record
	Until   time.Time // of the newest

	taken map[uint64]struct{} // ids that this file brought and that may not be folded yet
}

// mostTaken is how many ids of a file are remembered, 16 bytes each. One that is forgotten is folded once all the same.
const mostTaken = 1 << 20

// first says whether an id is new in the file.
func (s *Imported) first(id string) bool {
	h := fnv.New64a()
	io.WriteString(h, id) // never fails
	_, had := s.taken[h.Sum64()]
	if s.taken == nil || len(s.taken) >= mostTaken {
		s.taken = map[uint64]struct{}{}
	}
	s.taken[h.Sum64()] = struct{}{}
	return !had
}

// ahead is how many items an import may be ahead of the fold.
const ahead = 50_000

// Audit brings records of the audit log into the tenant, those that are not there yet; some hundreds at a time. What cannot be one is
// told to broken.
func (m *Importer) Audit(ctx context.Context, tenant tocsin.TenantID, lines []Line, sum *Imported, broken func(line int, why string)) error {
	bad := func(line int, why string) { sum.Broken++; broken(line, why) }
	parts := map[string][]Line{} // by part of the log
	var ids, twins []string
	type names struct{ id, twin string }
	of := map[int]names{}
	for _, l := range lines {
		l.Record = inner(l.Record)
		trim, err := trimmed(l.Record)
		var e audit.Entry
		if err == nil {
			e, err = audit.Parse(trim)
		}
		if err == nil && (e.Shape == audit.Strange || e.Record.Operation == "") {
			err = errors.New("it is a record of no known form")
		}
		if err != nil {
			bad(l.Number, err.Error())
			continue
		}
		if org := organisationOf(l.Record); org != "" && !strings.EqualFold(org, string(tenant)) {
			sum.Strange++
			continue
		}
		sum.saw(e.Record.Time)
		content := partOf(&e)
		if !rule.Judged(e.Record.Operation) && (content == "Audit.SharePoint" || content == "Audit.General" || e.Shape == audit.AzureLog || e.Shape == audit.DeviceLog) {
			sum.Passed++
			continue
		}
		of[l.Number] = names{recordID(&e, trim), e.Twin}
		ids = append(ids, of[l.Number].id)
		if e.Twin != "" {
			twins = append(twins, e.Twin)
		}
		parts[content] = append(parts[content], l)
	}
	there := map[string]bool{}
	err := m.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
		there, _, err = (&run{t: t}).audited(ctx, ids, twins)
		return err
	})
	if err != nil {
		return err
	}
	var items []journal.Item
	for _, content := range sortedKeys(parts) {
		var records []json.RawMessage
		var numbers []int
		for _, l := range parts[content] {
			n := of[l.Number]
			if again := !sum.first(n.id) || n.twin != "" && !sum.first(n.twin); again || there[n.id] || n.twin != "" && there[n.twin] {
				sum.Known++
				continue
			}
			records, numbers = append(records, l.Record), append(numbers, l.Number)
		}
		some, err := AuditItems(ctx, m.Store, tenant, FromFile, content, records, func(i int, why string) { bad(numbers[i], why) })
		if err != nil {
			return err
		}
		sum.New += len(some)
		items = append(items, some...)
	}
	return m.append(ctx, items)
}

func (s *Imported) saw(at time.Time) {
	s.Records++
	if at.IsZero() {
		return
	}
	if s.Since.IsZero() || at.Before(s.Since) {
		s.Since = at
	}
	if at.After(s.Until) {
		s.Until = at
	}
}

// organisationOf is the id of the tenant that a record says it is of; empty where it says none.
func organisationOf(record []byte) string {
	var r struct{ OrganizationID string }
	if json.Unmarshal(record, &r) != nil || len(r.OrganizationID) != 36 || strings.HasPrefix(r.OrganizationID, "00000000-0000") {
		return ""
	}
	return r.OrganizationID
}

// partOf is the part of the audit log in which the feed would have brought a record; empty for logs that it does not bring.
func partOf(e *audit.Entry) string {
	switch w := e.Record.Workload; {
	case e.Shape != audit.UnifiedLog:
		return ""
	case strings.EqualFold(w, "Exchange"):
		return "Audit.Exchange"
	case strings.HasPrefix(w, "AzureActiveDirectory"):
		return "Audit.AzureActiveDirectory"
	case strings.EqualFold(w, "SharePoint") || strings.EqualFold(w, "OneDrive"):
		return "Audit.SharePoint"
	}
	return "Audit.General"
}

// append puts items into the journal, and waits first while the fold is far behind: the journal is no archive.
func (m *Importer) append(ctx context.Context, items []journal.Item) error {
	if len(items) == 0 {
		return nil
	}
	for wait := 50 * time.Millisecond; m.Lag != nil; wait = min(2*wait, time.Second) {
		behind, err := m.Lag(ctx)
		if err != nil {
			return err
		}
		if behind < ahead {
			break
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
	if err := m.Journal.Append(ctx, items...); err != nil {
		if _, ok := errors.AsType[*tocsin.Problem](err); ok || ctx.Err() != nil {
			return err
		}
		return fmt.Errorf("append to the journal: %w", err)
	}
	return nil
}
