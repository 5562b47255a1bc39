package investigate

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"unicode"

	"tocsin.dev"
	"tocsin.dev/store"
)

// likeness is what near copies of a mail have in common: enough of it is the same in both.
type likeness struct {
	Words   []string `json:"words"`             // of the subject, in order, numbers as #
	Domain  string   `json:"domain,omitempty"`  // the sender's
	Hosts   []string `json:"hosts,omitempty"`   // of links
	Files   []string `json:"files,omitempty"`   // SHA-256 of attachments
	Endings []string `json:"endings,omitempty"` // of their names
	Text    []uint32 `json:"text,omitempty"`    // MinHash of the text's threes of words
}

// How alike mails have to be.
const (
	sketch      = 32  // hashes of a text
	textAlike   = 0.5 // of these that are the same
	wordsAlike  = 0.6 // of the subjects' words, where something else is the same as well
	variants    = 8   // kept of a cluster
	mostGroups  = 2000
	leastWords  = 3 // a subject that says enough to be known by alone
	leastOfText = 12
)

// likenessOf is a match's.
func likenessOf(m *Match) likeness {
	l := likeness{Words: subjectWords(m.Subject), Domain: m.SenderDomain, Text: sketchOf(m.text)}
	for _, link := range m.Links {
		if h := hostOf(link); h != "" && !slices.Contains(l.Hosts, h) && len(l.Hosts) < 10 {
			l.Hosts = append(l.Hosts, h)
		}
	}
	for _, a := range m.Attachments {
		if a.SHA256 != "" && len(l.Files) < 10 {
			l.Files = append(l.Files, a.SHA256)
		}
		if i := strings.LastIndexByte(a.Name, '.'); i >= 0 && len(l.Endings) < 10 {
			l.Endings = append(l.Endings, strings.ToLower(a.Name[i:]))
		}
	}
	return l
}

// subjectWords are a subject's words in small letters, without what answering and forwarding put before it.
func subjectWords(s string) []string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for len(words) > 0 && slices.Contains([]string{"re", "fw", "fwd", "aw", "wg", "sv", "tr", "antw", "external"}, words[0]) {
		words = words[1:]
	}
	for i, w := range words {
		if strings.IndexFunc(w, unicode.IsDigit) >= 0 {
			words[i] = "#" // numbers of invoices, dates
		}
	}
	return words[:min(len(words), 30)]
}

func hostOf(link string) string {
	_, rest, ok := strings.Cut(link, "://")
	if !ok {
		return ""
	}
	rest, _, _ = strings.Cut(rest, "/")
	rest, _, _ = strings.Cut(rest, "?")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	return strings.ToLower(rest)
}

// sketchOf is the least of each of some hashes over a text's threes of words: the share that two texts have in common is about the
// share of what they are made of. Broder, On the resemblance and containment of documents, 1997.
func sketchOf(text string) []uint32 {
	words := strings.FieldsFunc(strings.ToLower(text[:min(len(text), 20_000)]), func(r rune) bool { return !unicode.IsLetter(r) })
	if len(words) < leastOfText {
		return nil
	}
	out := make([]uint32, sketch)
	for i := range out {
		out[i] = ^uint32(0)
	}
	for i := 0; i+3 <= len(words); i++ {
		h := fnv.New64a()
		for _, w := range words[i : i+3] {
			h.Write([]byte(w))
			h.Write([]byte{0})
		}
		a, b := uint32(h.Sum64()), uint32(h.Sum64()>>32)|1
		for n := range out {
			v := (a + uint32(n)*b) * 2654435761
			v ^= v >> 15
			out[n] = min(out[n], v)
		}
	}
	return out
}

// alike says whether two mails are near copies.
func alike(a, b *likeness) bool {
	if common(a.Files, b.Files) {
		return true
	}
	if a.Text != nil && b.Text != nil {
		same := 0
		for i := range a.Text {
			if a.Text[i] == b.Text[i] {
				same++
			}
		}
		return float64(same) >= textAlike*sketch
	}
	share := shared(a.Words, b.Words)
	if share == 1 && len(a.Words) >= leastWords {
		return true
	}
	near := a.Domain != "" && a.Domain == b.Domain || common(a.Hosts, b.Hosts) || common(a.Endings, b.Endings) && slices.Equal(a.Hosts, b.Hosts)
	return share >= wordsAlike && near
}

func common(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// shared is the share of words that two subjects have in common.
func shared(a, b []string) float64 {
	all := map[string]int{}
	for _, w := range a {
		all[w] |= 1
	}
	for _, w := range b {
		all[w] |= 2
	}
	both := 0
	for _, in := range all {
		if in == 3 {
			both++
		}
	}
	if len(all) == 0 {
		return 0
	}
	return float64(both) / float64(len(all))
}

// clusters are an investigation's groups of near copies, in memory while it is searched.
type clusters struct {
	mu            sync.Mutex
	investigation string
	all           []*cluster
	of            map[string]*cluster // by subject and sender's domain, which most variants repeat
}

type cluster struct {
	id   string
	like []likeness
}

// clusters reads those of an investigation.
func (e *Engine) clusters(ctx context.Context, tenant tocsin.TenantID, investigation string) (*clusters, error) {
	c := &clusters{investigation: investigation, of: map[string]*cluster{}}
	return c, e.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		rows, err := t.Query(ctx, `select id, body from mail_cluster where tenant = $1 and investigation = $2 order by id`, investigation)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			g, body := &cluster{}, ""
			if err := rows.Scan(&g.id, &body); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(body), &g.like); err != nil {
				return err
			}
			c.all = append(c.all, g)
			for i := range g.like {
				c.of[g.like[i].key()] = g
			}
		}
		return rows.Err()
	})
}

func (l *likeness) key() string {
	key := strings.Join(l.Words, " ") + "\x00" + l.Domain
	if l.Text != nil { // the same subject may stand over another text
		key += "\x00" + string(rune(l.Text[0])) + string(rune(l.Text[sketch-1]))
	}
	return key
}

// sort puts matches into clusters, making those that are not there yet. What it makes and the transaction does not keep is made again: a
// cluster that no match is of is not shown.
func (c *clusters) sort(ctx context.Context, t *store.Tenant, found []Match) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := map[*cluster]*Match{}
	for i := range found {
		m := &found[i]
		l := likenessOf(m)
		if len(l.Words) == 0 && l.Text == nil && len(l.Files) == 0 {
			continue // nothing is known of it that could be alike
		}
		g, at := c.of[l.key()], -1
		if g == nil {
			at = slices.IndexFunc(c.all, func(g *cluster) bool {
				return slices.ContainsFunc(g.like, func(k likeness) bool { return alike(&k, &l) })
			})
			if at >= 0 {
				g = c.all[at]
			}
			if g == nil && len(c.all) >= mostGroups {
				continue
			}
			if g == nil {
				g = &cluster{id: tocsin.NewID()}
				c.all = append(c.all, g)
			}
			if len(g.like) < variants {
				g.like = append(g.like, l)
				if changed[g] == nil {
					changed[g] = m
				}
			}
			if len(c.of) < 50_000 {
				c.of[l.key()] = g
			}
		}
		m.Cluster = g.id
	}
	for g, m := range changed {
		body, err := json.Marshal(g.like)
		if err != nil {
			return err
		}
		_, err = t.Exec(ctx, `insert into mail_cluster (tenant, investigation, id, subject, sender, body, created) values ($1, $2, $3, $4, $5, $6, $7)
			on conflict (tenant, investigation, id) do update set body = excluded.body`, c.investigation, g.id, m.Subject, m.Sender, string(body), t.Tx().Clock().Now())
		if err != nil {
			return err
		}
	}
	return nil
}

// Group is a cluster as it stands.
type Group struct {
	ID        string
	Subject   string // of the first that was found
	Sender    string
	Matches   int64
	Mailboxes int64
	Senders   int64
	Subjects  int64
	Unread    int64
	First     int64 // received, Unix ms
	Last      int64
	Examples  []string // subjects
}

// Groups are an investigation's clusters, the largest first, from the place on.
func Groups(ctx context.Context, t *store.Tenant, investigation string, skip, limit int) (out []Group, err error) {
	rows, err := t.Query(ctx, `select c.id, c.subject, c.sender, g.matches, g.boxes, g.senders, g.subjects, g.unread, g.first_at, g.last_at from mail_cluster c join (
		select cluster, count(*) as matches, count(distinct person) as boxes, count(distinct sender) as senders, count(distinct subject) as subjects, sum(case when is_read then 0 else 1 end) as unread,
			min(received) as first_at, max(received) as last_at from mail_match where tenant = $1 and investigation = $2 and cluster <> '' group by cluster) g on g.cluster = c.id
		where c.tenant = $1 and c.investigation = $2 order by g.matches desc, c.id limit $3 offset $4`, investigation, limit, skip)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var g Group
		if err := rows.Scan(&g.ID, &g.Subject, &g.Sender, &g.Matches, &g.Mailboxes, &g.Senders, &g.Subjects, &g.Unread, &g.First, &g.Last); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		out = append(out, g)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for i := range out {
		counts, err := Counts(ctx, t, investigation, "subjects", MatchFilter{Cluster: out[i].ID}, 5)
		if err != nil {
			return nil, err
		}
		for _, c := range counts {
			out[i].Examples = append(out[i].Examples, c.Value)
		}
	}
	return out, nil
}
