package investigate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Match is a message that an investigation found.
type Match struct {
	ID                string
	Investigation     string
	Person            tocsin.PersonID // in whose mailbox it is
	Address           string
	Department        string
	Message           string // Graph's immutable id
	InternetMessageID string
	Conversation      string
	Sender            string
	SenderName        string
	SenderDomain      string
	Recipients        []string
	Subject           string
	Received          time.Time
	Folder            string
	FolderName        string
	Read              bool
	HasAttachments    bool
	Direction         string // received, sent, draft
	Importance        string
	Flag              string
	Categories        []string
	Truth             string // yes, unknown
	Why               []string
	Links             []string
	Attachments       []Attachment
	Cluster           string
	Run               string
	Way               string // search, standing
	State             string
	Found             time.Time

	text string // of the body, where it was read; it is not kept
}

const matchColumns = `id, investigation, person, address, department, message, internet_message_id, conversation, sender, sender_name, sender_domain, recipients, subject, received, folder, folder_name,
	is_read, has_attachments, direction, importance, flag, categories, truth, why, links, attachments, cluster, run, way, state, found`

func scanMatch(row interface{ Scan(...any) error }) (Match, error) {
	var m Match
	var received, found int64
	var recipients, categories, why, links, attachments string
	err := row.Scan(&m.ID, &m.Investigation, &m.Person, &m.Address, &m.Department, &m.Message, &m.InternetMessageID, &m.Conversation, &m.Sender, &m.SenderName, &m.SenderDomain, &recipients, &m.Subject, &received,
		&m.Folder, &m.FolderName, &m.Read, &m.HasAttachments, &m.Direction, &m.Importance, &m.Flag, &categories, &m.Truth, &why, &links, &attachments, &m.Cluster, &m.Run, &m.Way, &m.State, &found)
	if err != nil {
		return m, err
	}
	m.Received, m.Found = tocsin.FromMillis(received), tocsin.FromMillis(found)
	err = errors.Join(json.Unmarshal([]byte(recipients), &m.Recipients), json.Unmarshal([]byte(categories), &m.Categories), json.Unmarshal([]byte(why), &m.Why),
		json.Unmarshal([]byte(links), &m.Links), json.Unmarshal([]byte(attachments), &m.Attachments))
	if err != nil {
		return m, fmt.Errorf("match %s: %w", m.ID, err)
	}
	return m, nil
}

// GetMatch is a match of the tenant, by its id.
func GetMatch(ctx context.Context, t *store.Tenant, id string) (Match, error) {
	m, err := scanMatch(t.QueryRow(ctx, `select `+matchColumns+` from mail_match where tenant = $1 and id = $2`, id))
	if errors.Is(err, store.ErrNone) {
		return m, tocsin.Problemf(tocsin.NotFound, "Look in the list for what is there now.", "There is no such match.")
	}
	return m, err
}

// MatchFilter says which matches of an investigation are asked for. An empty field leaves all.
type MatchFilter struct {
	Sender, Domain, Subject, Day, Folder, Department, Cluster, State, Truth string

	Without string // department, subject or cluster: only those that have none
	Person  tocsin.PersonID
	Read    *bool
	Like    string // a pattern for subject, sender and mailbox, in small letters
	IDs     []string
}

// where is the filter as conditions with their arguments, $3 and on: $2 is the investigation.
func (f *MatchFilter) where() (q string, args []any) {
	add := func(text string, values ...any) {
		q += strings.ReplaceAll(text, "?", store.In(len(values), len(args)+3))
		args = append(args, values...)
	}
	for _, c := range []struct{ column, value string }{{"sender", f.Sender}, {"sender_domain", f.Domain}, {"subject", f.Subject}, {"day", f.Day}, {"folder_name", f.Folder},
		{"department", f.Department}, {"cluster", f.Cluster}, {"state", f.State}, {"truth", f.Truth}, {"person", string(f.Person)}} {
		if c.value != "" {
			add(" and "+c.column+" = ?", c.value)
		}
	}
	if slices.Contains([]string{"department", "subject", "cluster"}, f.Without) {
		add(" and " + f.Without + " = ''")
	}
	if f.Read != nil {
		add(" and is_read = ?", *f.Read)
	}
	if f.Like != "" {
		add(` and lower(subject || ' ' || sender || ' ' || address) like ? escape '\'`, f.Like)
	}
	if len(f.IDs) > 0 {
		all := make([]any, len(f.IDs))
		for i, id := range f.IDs {
			all[i] = id
		}
		add(" and id in (?)", all...)
	}
	return q, args
}

// Place is where a list of matches goes on: behind the match that was received then, of that id.
type Place struct {
	Received int64
	ID       string
}

// Matches are those of an investigation that the filter leaves, the last received first.
func Matches(ctx context.Context, t *store.Tenant, investigation string, f MatchFilter, after Place, limit int) (out []Match, err error) {
	where, args := f.where()
	q := `select ` + matchColumns + ` from mail_match where tenant = $1 and investigation = $2` + where
	args = append([]any{investigation}, args...)
	if after.ID != "" {
		n := len(args) + 2
		q += fmt.Sprintf(" and (received < $%d or received = $%d and id < $%d)", n, n, n+1)
		args = append(args, after.Received, after.ID)
	}
	q += fmt.Sprintf(" order by received desc, id desc limit $%d", len(args)+2)
	rows, err := t.Query(ctx, q, append(args, limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		m, err := scanMatch(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

// Count is a value and how many matches have it.
type Count struct {
	Value string
	Name  string
	Count int64
}

// facets are by what matches are counted; the columns are written here, not by who asks.
var facets = map[string]string{"senders": "sender", "domains": "sender_domain", "subjects": "subject", "days": "day", "folders": "folder_name", "departments": "department",
	"states": "state", "truths": "truth", "clusters": "cluster", "read": "case when is_read then 'yes' else 'no' end"}

// Counts are the matches that the filter leaves, by one of senders, domains, subjects, days, folders, departments, states, truths, clusters and
// read, the most first; days in order of time.
func Counts(ctx context.Context, t *store.Tenant, investigation, by string, f MatchFilter, limit int) (out []Count, err error) {
	column, ok := facets[by]
	if !ok {
		return nil, fmt.Errorf("matches are not counted by %q", by)
	}
	where, args := f.where()
	order := "2 desc, 1"
	if by == "days" {
		order = "1"
	}
	args = append([]any{investigation}, args...)
	rows, err := t.Query(ctx, `select `+column+`, count(*) from mail_match where tenant = $1 and investigation = $2`+where+` group by 1 order by `+order+fmt.Sprintf(` limit $%d`, len(args)+2), append(args, limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c Count
		if err := rows.Scan(&c.Value, &c.Count); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// keep writes matches, and says which are new. One that is there already keeps what it is, and takes how the message is now.
func keep(ctx context.Context, t *store.Tenant, all []Match) (fresh []Match, err error) {
	now := t.Tx().Clock().Now()
	for some := range slices.Chunk(all, 100) {
		had := map[string]bool{}
		args := []any{some[0].Investigation}
		for _, m := range some {
			args = append(args, string(m.Person), m.Message)
		}
		rows, err := t.Query(ctx, `select person, message from mail_match where tenant = $1 and investigation = $2 and (person, message) in (values `+store.Pairs(len(some), 3)+`)`, args...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var person, message string
			if err := rows.Scan(&person, &message); err != nil {
				return nil, errors.Join(err, rows.Close())
			}
			had[person+" "+message] = true
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
		values := make([][]any, 0, len(some))
		for i := range some {
			m := &some[i]
			key := string(m.Person) + " " + m.Message
			if m.ID, m.State, m.Found = tocsin.NewID(), Found, now; !had[key] {
				had[key] = true
				fresh = append(fresh, *m)
			}
			row, err := m.values(now)
			if err != nil {
				return nil, err
			}
			values = append(values, row)
		}
		err = t.Insert(ctx, store.Into{Table: "mail_match", Key: []string{"investigation", "person", "message"}, Keep: []string{"id", "found", "run", "way", "state", "cluster", "conversation", "day", "received"},
			Columns: []string{"id", "investigation", "person", "address", "department", "message", "internet_message_id", "conversation", "sender", "sender_name", "sender_domain", "recipients", "subject", "received", "day", "folder",
				"folder_name", "is_read", "has_attachments", "direction", "importance", "flag", "categories", "truth", "why", "links", "attachments", "cluster", "run", "way", "state", "found", "seen", "changed"}}, values)
		if err != nil {
			return nil, err
		}
	}
	return fresh, nil
}

func (m *Match) values(now time.Time) ([]any, error) {
	lists := make([]string, 5)
	for i, v := range []any{orNone(m.Recipients), orNone(m.Categories), orNone(m.Why), orNone(m.Links), orNone(m.Attachments)} {
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		lists[i] = string(raw)
	}
	return []any{m.ID, m.Investigation, string(m.Person), m.Address, m.Department, m.Message, m.InternetMessageID, m.Conversation, tocsin.CanonicalAddress(m.Sender), m.SenderName, m.SenderDomain, lists[0], m.Subject,
		m.Received, m.Received.UTC().Format(time.DateOnly), m.Folder, m.FolderName, m.Read, m.HasAttachments, m.Direction, m.Importance, m.Flag, lists[1], m.Truth, lists[2], lists[3], lists[4], m.Cluster,
		m.Run, m.Way, m.State, now, now, now}, nil
}

func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
