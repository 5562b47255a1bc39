package investigate

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/store"
)

// chosen is a match that an act is asked for on, with whose mailbox it is in.
type chosen struct {
	id                       string
	person                   tocsin.PersonID
	object, who, name        string
	message, internet        string
	sender, subject, cluster string
	state, truth             string
	received                 time.Time
	address                  string   // the mailbox's first, as it is now; empty where nobody is known
	addresses                []string // all of them, canonical
	there                    bool
}

// matched reads the matches of an investigation, or those of them that are named, and of people what is needed to know whether they may
// be touched.
func matched(ctx context.Context, t *store.Tenant, investigation string, named ...string) (out []*chosen, err error) {
	if len(named) == 0 {
		err = matchedOf(ctx, t, &out, ``, investigation)
		return out, err
	}
	for some := range slices.Chunk(slices.Compact(slices.Sorted(slices.Values(named))), 400) {
		args := []any{investigation}
		for _, id := range some {
			args = append(args, id)
		}
		if err := matchedOf(ctx, t, &out, ` and m.id in (`+store.In(len(some), 3)+`)`, args...); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func matchedOf(ctx context.Context, t *store.Tenant, out *[]*chosen, where string, args ...any) error {
	rows, err := t.Query(ctx, `select m.id, m.person, coalesce(p.object_id, ''), m.address, coalesce(p.name, ''), m.message, m.internet_message_id, m.sender, m.subject, m.cluster,
		m.state, m.truth, m.received, coalesce(p.mail, ''), coalesce(p.upn, ''), coalesce(p.addresses, '[]'), coalesce(p.deleted, 1)
		from mail_match m left join person p on p.tenant = m.tenant and p.person = m.person where m.tenant = $1 and m.investigation = $2`+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		c := &chosen{}
		var mail, upn, addresses string
		var received, deleted int64
		if err := rows.Scan(&c.id, &c.person, &c.object, &c.who, &c.name, &c.message, &c.internet, &c.sender, &c.subject, &c.cluster, &c.state, &c.truth, &received, &mail, &upn, &addresses, &deleted); err != nil {
			return err
		}
		c.received, c.there = tocsin.FromMillis(received), deleted == 0
		c.address = cmp.Or(mail, upn)
		c.who = cmp.Or(c.address, c.who)
		if err := json.Unmarshal([]byte(addresses), &c.addresses); err != nil {
			return err
		}
		c.addresses = append(c.addresses, mail, upn)
		for i, a := range c.addresses {
			c.addresses[i] = tocsin.CanonicalAddress(a)
		}
		*out = append(*out, c)
	}
	return rows.Err()
}

// named says whether somebody is meant by an address or an id.
func (c *chosen) named(by string) bool {
	return by != "" && (by == string(c.person) || strings.EqualFold(by, c.object) || slices.Contains(c.addresses, by))
}

// selection is what of an investigation's matches an act will be on, and what it leaves out.
type selection struct {
	all  []*chosen
	left []BlastLeft
}

func (s *selection) leave(why string, n int) {
	if n > 0 {
		s.left = append(s.left, BlastLeft{Why: why, Messages: n})
	}
}

// keep leaves out what does not hold.
func (s *selection) keep(why string, holds func(*chosen) bool) {
	had := len(s.all)
	s.all = slices.DeleteFunc(s.all, func(c *chosen) bool { return !holds(c) })
	s.leave(why, had-len(s.all))
}

// choose finds what is asked for. Nothing here can be forced but that somebody is spared, which is for owners.
func (f *ActDraft) choose(ctx context.Context, t *store.Tenant, spared []string) (*selection, error) {
	all, err := matched(ctx, t, f.Ask.Investigation, f.Ask.Matches...)
	if err != nil {
		return nil, err
	}
	reports, err := reportedTo(ctx, t)
	if err != nil {
		return nil, err
	}
	s := &selection{}
	ask := f.Ask
	only := func(list []string, of func(*chosen) string) func(*chosen) bool {
		set := make(map[string]bool, len(list))
		for _, v := range list {
			set[v] = true
		}
		return func(c *chosen) bool { return set[of(c)] }
	}
	inCluster := only(ask.Clusters, func(c *chosen) string { return c.cluster })
	ofPerson := only(texted(ask.People), func(c *chosen) string { return string(c.person) })
	except := only(ask.Except, func(c *chosen) string { return c.id })
	for _, c := range all {
		if (len(ask.Clusters) == 0 || inCluster(c)) && (len(ask.People) == 0 || ofPerson(c)) && !except(c) {
			s.all = append(s.all, c)
		}
	}
	if len(ask.Matches) == 0 { // those that are named are meant, however they stand
		s.keep("They were restored: name them one by one if they are meant.", func(c *chosen) bool { return c.state != "restored" })
		s.keep("Whether they match is unknown: name them one by one if they are meant.", func(c *chosen) bool { return c.truth == "yes" })
	}
	if len(ask.Matches) == 0 || f.byItself {
		s.keep("They lie in the mailbox to which people report: what was reported stays there. Name them one by one if they are meant.", func(c *chosen) bool { return !reports[c.person] })
	}
	if f.byItself {
		s.keep("They are dealt with already, or whether they match is unknown.", func(c *chosen) bool { return c.state == "found" && c.truth == "yes" })
	}
	s.keep("They are no longer there.", func(c *chosen) bool { return c.state != "gone" })
	s.keep("Their mailbox is no longer there.", func(c *chosen) bool { return c.there && c.object != "" })
	if !f.allDomains {
		s.keep("They lie outside of the domains that the mail configuration may touch.", func(c *chosen) bool { return connect.Inside(c.address, f.domains, false) })
	}
	if !(f.who.Owner && ask.Force) {
		s.keep("They are in mailboxes that the settings spare; only an owner may act there.", func(c *chosen) bool { return !slices.ContainsFunc(spared, c.named) })
	}
	busy, err := underWay(ctx, t)
	if err != nil {
		return nil, err
	}
	s.keep("Another act on them is under way.", func(c *chosen) bool { return !busy[[2]string{string(c.person), c.message}] })
	return s, nil
}

// reportedTo are the mailboxes to which people send what they report.
func reportedTo(ctx context.Context, t *store.Tenant) (map[tocsin.PersonID]bool, error) {
	rows, err := t.Query(ctx, `select person from reported_inbox where tenant = $1`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[tocsin.PersonID]bool{}
	for rows.Next() {
		var person tocsin.PersonID
		if err := rows.Scan(&person); err != nil {
			return nil, err
		}
		out[person] = true
	}
	return out, rows.Err()
}

func texted[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}

// underWay are the messages of which an act has yet to come to an end, by person and message.
func underWay(ctx context.Context, t *store.Tenant) (map[[2]string]bool, error) {
	rows, err := t.Query(ctx, `select i.person, i.message from mail_act a join mail_act_item i on i.tenant = a.tenant and i.act = a.id and i.state in ('waiting', 'sent')
		where a.tenant = $1 and a.state in ('waiting_approval', 'running', 'stopping') and i.part = 'mail'`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[[2]string]bool{}
	for rows.Next() {
		var k [2]string
		if err := rows.Scan(&k[0], &k[1]); err != nil {
			return nil, err
		}
		out[k] = true
	}
	return out, rows.Err()
}

// spread orders matches so that each mailbox's first come before any mailbox's second: many mailboxes are worked in at once,
// and few messages at once in each.
func spread(all []*chosen) {
	slices.SortStableFunc(all, func(a, b *chosen) int {
		return cmp.Or(cmp.Compare(a.person, b.person), a.received.Compare(b.received), cmp.Compare(a.message, b.message))
	})
	rank := make(map[*chosen]int, len(all))
	for i, c := range all {
		if i > 0 && all[i-1].person == c.person {
			rank[c] = rank[all[i-1]] + 1
		}
	}
	slices.SortStableFunc(all, func(a, b *chosen) int { return cmp.Compare(rank[a], rank[b]) })
}

// blast is whom the selection reaches.
func (s *selection) blast(ctx context.Context, t *store.Tenant, spared []string) (b Blast, err error) {
	b.Messages, b.Left = len(s.all), s.left
	if b.Left == nil {
		b.Left = []BlastLeft{}
	}
	if err := t.QueryRow(ctx, `select count(*) from person where tenant = $1 and deleted = 0 and mailbox = 'read'`).Scan(&b.Of); err != nil {
		return b, err
	}
	roles, err := administrators(ctx, t)
	if err != nil {
		return b, err
	}
	b.Notable, b.Senders, b.Samples = []Notable{}, []BlastSender{}, []BlastSample{}
	notable, of := map[tocsin.PersonID]*Notable{}, map[tocsin.PersonID]int{}
	senders := map[string]int{}
	for _, c := range s.all {
		if b.Oldest.IsZero() || c.received.Before(b.Oldest) {
			b.Oldest = c.received
		}
		if c.received.After(b.Newest) {
			b.Newest = c.received
		}
		senders[c.sender]++
		if of[c.person]++; of[c.person] == 1 && len(b.Samples) < 20 {
			b.Samples = append(b.Samples, BlastSample{Person: c.person, Who: c.who, Message: c.message, Sender: c.sender, Subject: c.subject, Received: c.received})
		}
		why := roles[c.person]
		if slices.ContainsFunc(spared, c.named) {
			why = strings.TrimPrefix(why+", spared by the settings", ", ")
		}
		if why == "" {
			continue
		}
		if notable[c.person] == nil {
			notable[c.person] = &Notable{Person: c.person, Who: c.who, Name: c.name, Why: why}
		}
		notable[c.person].Messages++
	}
	b.Mailboxes, b.Notables = len(of), len(notable)
	b.Of = max(b.Of, b.Mailboxes)
	if b.Of > 0 {
		b.Share = float64(b.Mailboxes) / float64(b.Of)
	}
	for _, n := range notable {
		b.Notable = append(b.Notable, *n)
	}
	slices.SortFunc(b.Notable, func(a, c Notable) int { return cmp.Or(-cmp.Compare(a.Messages, c.Messages), cmp.Compare(a.Who, c.Who)) })
	b.Notable = b.Notable[:min(len(b.Notable), 50)]
	for sender, n := range senders {
		b.Senders = append(b.Senders, BlastSender{sender, n})
	}
	slices.SortFunc(b.Senders, func(a, c BlastSender) int {
		return cmp.Or(-cmp.Compare(a.Messages, c.Messages), cmp.Compare(a.Sender, c.Sender))
	})
	b.Senders = b.Senders[:min(len(b.Senders), 10)]
	return b, nil
}

// administrators are who holds a directory role, and which.
func administrators(ctx context.Context, t *store.Tenant) (map[tocsin.PersonID]string, error) {
	rows, err := t.Query(ctx, `select m.person, r.name from role_member m join directory_role r on r.tenant = m.tenant and r.id = m.role where m.tenant = $1 and m.person <> '' order by m.person, r.name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[tocsin.PersonID]string{}
	for rows.Next() {
		var person tocsin.PersonID
		var role string
		if err := rows.Scan(&person, &role); err != nil {
			return nil, err
		}
		out[person] = strings.TrimPrefix(out[person]+", "+role, ", ")
	}
	return out, rows.Err()
}
