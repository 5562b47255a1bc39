package collect

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect/audit"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// auditSeen is the body of an item of kind "audit": a record of the audit log as Microsoft wrote it, without subjects.
type auditSeen struct {
	Source  string          `json:"source"`            // feed, query, file, graph
	Content string          `json:"content,omitempty"` // of the feed: Audit.Exchange …; of graph: SignIns.interactive …, DirectoryAudits
	Record  json.RawMessage `json:"record"`
}

// The ways by which audit records come.
const (
	FromFeed  = "feed"
	FromQuery = "query"
	FromFile  = "file"
)

// maxRecord is how large a record may be in the journal, in bytes. Of one that is larger, lists of items are left out.
const maxRecord = 900 << 10

// trimmed is a record without what it quotes of mails: subjects. Of one that is too large the long lists are left out; how
// many items they had is kept.
func trimmed(raw []byte) ([]byte, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' || !json.Valid(raw) {
		return nil, fmt.Errorf("it is no record: %s", audit.Invalid(raw))
	}
	quotes := bytes.Contains(bytes.ToLower(raw), []byte(`subject`))
	if !quotes && len(raw) <= maxRecord {
		var b bytes.Buffer
		err := json.Compact(&b, raw)
		return b.Bytes(), err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, err
	}
	if quotes {
		withoutSubjects(m)
	}
	out, err := encode(m)
	if err == nil && len(out) > maxRecord {
		for _, list := range []string{"Folders", "AffectedItems", "Items", "ExtendedProperties", "DeviceProperties"} {
			if l, ok := m[list].([]any); ok && list == "Folders" && m["OperationCount"] == nil {
				m["OperationCount"] = items(l)
			}
			delete(m, list)
		}
		if out, err = encode(m); err == nil && len(out) > maxRecord {
			err = fmt.Errorf("it is larger than %d kB", maxRecord>>10)
		}
	}
	return out, err
}

// items counts the messages in the folders of a record.
func items(folders []any) int {
	n := 0
	for _, f := range folders {
		if m, ok := f.(map[string]any); ok {
			list, _ := m["FolderItems"].([]any)
			n += len(list)
		}
	}
	return n
}

// withoutSubjects takes out every member that is a mail's subject, at any depth; of JSON within a text too.
func withoutSubjects(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			if strings.EqualFold(k, "subject") {
				if _, text := e.(string); text {
					delete(x, k)
					continue
				}
			}
			x[k] = withoutSubjects(e)
		}
	case []any:
		for i := range x {
			x[i] = withoutSubjects(x[i])
		}
	case string:
		t := strings.TrimSpace(x)
		if len(t) < 2 || t[0] != '{' && t[0] != '[' || !strings.Contains(strings.ToLower(t), "subject") {
			return x
		}
		d := json.NewDecoder(strings.NewReader(t))
		d.UseNumber()
		var inner any
		if d.Decode(&inner) != nil || d.More() {
			return x
		}
		if out, err := encode(withoutSubjects(inner)); err == nil {
			return string(out)
		}
	}
	return v
}

// AuditItems makes items of records, as they are found in source, for the journal. A record that is none is told to broken with
// its index, and left out. They belong to the person whose mailbox or account they are about, else to who acted, as far as the
// directory knows them.
func AuditItems(ctx context.Context, st *store.Store, tenant tocsin.TenantID, source, content string, records []json.RawMessage, broken func(i int, why string)) ([]journal.Item, error) {
	now := tocsin.Millis(st.Clock().Now())
	out := make([]journal.Item, 0, len(records))
	about := make([][2]string, 0, len(records))
	var names []string
	for i, raw := range records {
		record, err := trimmed(raw)
		var e audit.Entry
		if err == nil {
			e, err = audit.Parse(record)
		}
		if err == nil && (e.Shape == audit.Strange || e.Record.Operation == "") {
			err = fmt.Errorf("it is a record of no known form")
		}
		if err != nil {
			broken(i, err.Error())
			continue
		}
		body, err := encode(auditSeen{Source: source, Content: content, Record: record})
		if err != nil {
			return nil, err
		}
		out = append(out, journal.Item{Tenant: tenant, Kind: kindAudit, Key: e.ID, At: now, Body: body})
		who, whose := audit.Concerns(&e.Record)
		about = append(about, [2]string{whose, who})
		names = append(names, who, whose)
	}
	var by map[string]tocsin.PersonID
	err := st.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) { by, err = peopleBehind(ctx, t, names); return err })
	for i := range out {
		if out[i].Person = by[about[i][0]]; out[i].Person == "" {
			out[i].Person = by[about[i][1]]
		}
	}
	return out, err
}

// peopleBehind gives the people who have the addresses.
func peopleBehind(ctx context.Context, t *store.Tenant, addresses []string) (map[string]tocsin.PersonID, error) {
	out := map[string]tocsin.PersonID{}
	addresses = slices.DeleteFunc(slices.Clone(addresses), func(a string) bool { return !strings.Contains(a, "@") })
	slices.Sort(addresses)
	for some := range slices.Chunk(slices.Compact(addresses), 400) {
		err := each(ctx, t, func(scan func(...any) error) error {
			var address string
			var person tocsin.PersonID
			if err := scan(&address, &person); err != nil {
				return err
			}
			if _, ok := out[address]; !ok {
				out[address] = person
			}
			return nil
		}, `select a.address, a.person from person_address a join person p on p.tenant = a.tenant and p.person = a.person
			where a.tenant = $1 and p.deleted = 0 and a.address in (`+store.In(len(some), 2)+`) order by a.address, case p.kind when 'guest' then 1 else 0 end, a.person`, anys(some)...)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// recordID is the record's own id, else one made from its content.
func recordID(e *audit.Entry, raw []byte) string {
	if e.ID != "" {
		return e.ID
	}
	sum := sha256.Sum256(raw)
	return "sha256-" + hex.EncodeToString(sum[:16])
}
