package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/investigate"
	"tocsin.dev/mail"
	"tocsin.dev/store"
)

func matchView(m *investigate.Match) Match {
	return Match{ID: m.ID, Investigation: m.Investigation, Person: m.Person, Address: m.Address, Department: m.Department, Message: m.Message, InternetMessageID: m.InternetMessageID, Conversation: m.Conversation,
		Sender: m.Sender, SenderName: m.SenderName, SenderDomain: m.SenderDomain, Recipients: orNone(m.Recipients), Subject: m.Subject, Received: m.Received, Folder: m.Folder, FolderName: m.FolderName, Read: m.Read,
		HasAttachments: m.HasAttachments, Direction: m.Direction, Importance: m.Importance, Flag: m.Flag, Categories: orNone(m.Categories), Truth: m.Truth, Why: orNone(m.Why), Links: orNone(m.Links),
		Attachments: orNone(m.Attachments), Cluster: m.Cluster, Way: m.Way, State: m.State, Found: m.Found}
}

// matchFilter is the filter as package investigate has it; an address is made a person's id.
func matchFilter(ctx context.Context, t *store.Tenant, in MatchFilter) (f investigate.MatchFilter, err error) {
	f = investigate.MatchFilter{Sender: tocsin.CanonicalAddress(in.Sender), Domain: strings.ToLower(in.Domain), Subject: in.Subject, Day: in.Day, Folder: in.Folder, Department: in.Department, Cluster: in.Cluster, State: in.State, Truth: in.Truth, Without: in.Without}
	if in.Person != "" {
		if f.Person, err = personNamed(ctx, t, in.Person); err != nil {
			return f, err
		}
	}
	if in.Read != "" {
		is := in.Read == "yes"
		f.Read = &is
	}
	if strings.TrimSpace(in.Q) != "" {
		f.Like = contains(in.Q)
	}
	return f, nil
}

// ListMatches are what an investigation found, the last received first.
func (s *Service) ListMatches(ctx context.Context, in MatchesIn) (Page[Match], error) {
	return view(ctx, s, "matches list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Match], error) {
		var p Page[Match]
		after, err := parseCursor(in.After, "matches", 2)
		if err != nil {
			return p, err
		}
		if _, err := investigate.Get(ctx, t, in.ID); err != nil {
			return p, err
		}
		f, err := matchFilter(ctx, t, in.MatchFilter)
		if err != nil {
			return p, err
		}
		list, err := investigate.Matches(ctx, t, in.ID, f, investigate.Place{Received: after.number(0), ID: after.text(1)}, in.limit()+1)
		if err != nil {
			return p, err
		}
		items := make([]Match, len(list))
		for i := range list {
			items[i] = matchView(&list[i])
		}
		return paged(items, in.limit(), func(m Match) string { return cursor("matches", tocsin.Millis(m.Received), m.ID) }), nil
	})
}

// GetMatch is one message that an investigation found.
func (s *Service) GetMatch(ctx context.Context, in MatchIn) (Match, error) {
	return view(ctx, s, "matches get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Match, error) {
		m, err := investigate.GetMatch(ctx, t, in.Match)
		if err == nil && m.Investigation != in.ID {
			err = notFound("match")
		}
		return matchView(&m), err
	})
}

// mostFacets is how many values of each kind are counted.
const mostFacets = 50

// CountMatches are an investigation's matches by what they have in common.
func (s *Service) CountMatches(ctx context.Context, in FacetsIn) (Facets, error) {
	return view(ctx, s, "matches count", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Facets, error) {
		var out Facets
		if _, err := investigate.Get(ctx, t, in.ID); err != nil {
			return out, err
		}
		f, err := matchFilter(ctx, t, in.MatchFilter)
		if err != nil {
			return out, err
		}
		tally, err := investigate.TallyOf(ctx, t, in.ID, f, mostFacets)
		if err != nil {
			return out, err
		}
		out.Total, out.Mailboxes = tally.Matches, tally.Mailboxes
		for by, into := range map[string]*[]Facet{"senders": &out.Senders, "domains": &out.Domains, "subjects": &out.Subjects, "days": &out.Days, "folders": &out.Folders, "departments": &out.Departments,
			"states": &out.States, "truths": &out.Truths, "read": &out.Read, "clusters": &out.Clusters} {
			*into = make([]Facet, 0, len(tally.By[by]))
			for _, c := range tally.By[by] {
				*into = append(*into, Facet{Value: c.Value, Count: c.Count})
			}
		}
		for i, c := range out.Clusters {
			err := t.QueryRow(ctx, `select subject from mail_cluster where tenant = $1 and investigation = $2 and id = $3`, in.ID, c.Value).Scan(&out.Clusters[i].Name)
			if err != nil && !errors.Is(err, store.ErrNone) {
				return out, err
			}
		}
		return out, nil
	})
}

// mostRows is how many matches one file takes.
const mostRows = 20_000

// ExportMatches are an investigation's matches as a table.
func (s *Service) ExportMatches(ctx context.Context, in FacetsIn) (MatchFile, error) {
	return view(ctx, s, "matches export", in, func(ctx context.Context, t *store.Tenant, _ Caller) (MatchFile, error) {
		var out MatchFile
		v, err := investigate.Get(ctx, t, in.ID)
		if err != nil {
			return out, err
		}
		f, err := matchFilter(ctx, t, in.MatchFilter)
		if err != nil {
			return out, err
		}
		list, err := investigate.Matches(ctx, t, in.ID, f, investigate.Place{}, mostRows+1)
		if err != nil {
			return out, err
		}
		out.More = len(list) > mostRows
		list = list[:min(len(list), mostRows)]
		out.Name, out.Rows = "matches-"+v.ID+".csv", int64(len(list))
		out.CSV, err = matchTable(list)
		return out, err
	})
}

func matchTable(list []investigate.Match) (string, error) {
	var b strings.Builder
	w := csv.NewWriter(&b)
	err := w.Write([]string{"received", "mailbox", "department", "sender", "sender_name", "subject", "folder", "direction", "read", "attachments", "truth", "why", "state", "cluster", "internet_message_id", "message", "found"})
	for _, m := range list {
		var files []string
		for _, a := range m.Attachments {
			files = append(files, a.Name)
		}
		row := []string{m.Received.Format(time.RFC3339), m.Address, m.Department, m.Sender, m.SenderName, m.Subject, m.FolderName, m.Direction, strconv.FormatBool(m.Read), strings.Join(files, "; "), m.Truth, strings.Join(m.Why, "; "),
			m.State, m.Cluster, m.InternetMessageID, m.Message, m.Found.Format(time.RFC3339)}
		for i := range row {
			row[i] = plainCell(row[i])
		}
		err = errors.Join(err, w.Write(row))
	}
	w.Flush()
	return b.String(), errors.Join(err, w.Error())
}

// plainCell is a cell that no spreadsheet takes for a formula: strangers write subjects.
func plainCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// ListClusters are an investigation's groups of near copies, the largest first.
func (s *Service) ListClusters(ctx context.Context, in ClustersIn) (Page[Cluster], error) {
	return view(ctx, s, "clusters list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Cluster], error) {
		var p Page[Cluster]
		after, err := parseCursor(in.After, "clusters", 1)
		if err != nil {
			return p, err
		}
		if _, err := investigate.Get(ctx, t, in.ID); err != nil {
			return p, err
		}
		skip := int(after.number(0))
		list, err := investigate.Groups(ctx, t, in.ID, skip, in.limit()+1)
		if err != nil {
			return p, err
		}
		items := make([]Cluster, len(list))
		for i, g := range list {
			items[i] = Cluster{ID: g.ID, Subject: g.Subject, Sender: g.Sender, Matches: g.Matches, Mailboxes: g.Mailboxes, Senders: g.Senders, Subjects: g.Subjects, Unread: g.Unread, First: tocsin.FromMillis(g.First), Last: tocsin.FromMillis(g.Last), Examples: orNone(g.Examples)}
		}
		return paged(items, in.limit(), func(Cluster) string { return cursor("clusters", int64(skip+in.limit())) }), nil
	})
}

// ListTrails says who received, opened, answered and forwarded what an investigation found.
func (s *Service) ListTrails(ctx context.Context, in TrailsIn) (Page[Trail], error) {
	var p Page[Trail]
	tenant := tenantOf(in)
	if _, err := s.allow(ctx, "trails list", tenant); err != nil {
		return p, err
	}
	if err := valid(in); err != nil {
		return p, err
	}
	if s.o.Investigations == nil {
		return p, errNoSearch
	}
	after, err := parseCursor(in.After, "trails", 2)
	if err != nil {
		return p, err
	}
	f := investigate.TrailFilter{Mail: in.Mail, After: [2]string{after.text(0), after.text(1)}, Limit: in.limit() + 1}
	if in.Person != "" {
		err := s.st.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) {
			f.Person, err = personNamed(ctx, t, in.Person)
			return err
		})
		if err != nil {
			return p, err
		}
	}
	list, err := s.o.Investigations.Trails(ctx, tenant, in.ID, f)
	if err != nil {
		return p, err
	}
	items := make([]Trail, len(list))
	for i, v := range list {
		items[i] = Trail{Person: v.Person, Address: v.Address, Mail: v.Mail, Subject: v.Subject, Sender: v.Sender, Received: v.Received, Delivery: v.Delivery, Here: v.Here, Opened: v.Opened, Replied: v.Replied, Forwarded: v.Forwarded,
			When: []TrailStep{}, Match: v.Match, Because: v.Because}
		for _, w := range v.When {
			items[i].When = append(items[i].When, TrailStep(w))
		}
	}
	return paged(items, in.limit(), func(v Trail) string { return cursor("trails", v.Address, v.Mail) }), nil
}

// MakeQuery makes a query of a message: of a match, an event, or the message itself.
func (s *Service) MakeQuery(ctx context.Context, in QueryFromIn) (QueryMade, error) {
	return view(ctx, s, "investigations from", in, func(ctx context.Context, t *store.Tenant, _ Caller) (QueryMade, error) {
		own, err := ownDomains(ctx, t)
		if err != nil {
			return QueryMade{}, err
		}
		var made investigate.Made
		switch b := in.Body; {
		case b.Text != "":
			made = investigate.FromMail(mail.Parse([]byte(b.Text)), own)
		case b.Match != "":
			m, err := investigate.GetMatch(ctx, t, b.Match)
			if err != nil {
				return QueryMade{}, err
			}
			made = investigate.FromMatch(&m, own)
		case b.Event != "":
			var is eventRow
			err := t.QueryRow(ctx, "select "+eventColumns+" from event where tenant = $1 and id = $2 and type = 'EMAIL'", b.Event).Scan(is.fields()...)
			if errors.Is(err, store.ErrNone) {
				return QueryMade{}, notFound("event of mail")
			}
			var e struct {
				Raw struct {
					From string `json:"from_address"`
					ID   string `json:"internet_message_id"`
				} `json:"raw_metadata"`
			}
			if err = errors.Join(err, json.Unmarshal(is.append(nil, t.ID()), &e)); err != nil {
				return QueryMade{}, err
			}
			made = investigate.FromEnvelope(e.Raw.ID, e.Raw.From)
		default:
			return QueryMade{}, invalid("Give a match, an event, or the text of a message.", "There is nothing to make a query of.")
		}
		if made.Query == "" {
			return QueryMade{}, invalid("Write the query yourself.", "The message has nothing by which others like it are found.")
		}
		return QueryMade{Query: made.Query, Name: made.Name, Subject: made.Subject, Sender: made.Sender, Terms: orNone(made.Terms), Lacks: orNone(made.Lacks)}, nil
	})
}

func ownDomains(ctx context.Context, t *store.Tenant) ([]string, error) {
	rows, err := find(ctx, t, (&query{}).add(`select name from domain where tenant = $1`), func(s *string) []any { return []any{s} })
	return rows, err
}
