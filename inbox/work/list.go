package work

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Filter is which threads a list shows. Zero values do not filter.
type Filter struct {
	Inboxes     []string // only of these; none: nothing is shown
	States      []string
	Assignee    string // an account; None: nobody's
	Team        string // a team; None: of no team
	Tag         string
	Priority    int
	From        string // who wrote first
	Mentioned   bool   // the account that asks was named in a note
	Unread      bool   // new to the account that asks
	Attachments bool
	Since       int64 // ms: the last mail is of then or later
	Until       int64 // ms: or earlier than this

	Last  int64 // behind the thread of this moment
	ID    string
	Limit int
}

// None is no assignee, no team.
const None = "none"

// few is up to how many threads a tag or mention may have to be looked for by it; beyond, the list is walked by time.
const few = 2_000

// List are threads, the one with the newest mail first. Each inbox and state is a range of an index, read no further than the page; the ranges
// are merged here.
func List(ctx context.Context, t *store.Tenant, r Reach, f Filter) ([]*Thread, error) {
	if f.Last == 0 {
		f.Last, f.ID = math.MaxInt64, ""
	}
	var out []*Thread
	ids, by, err := f.fewOnes(ctx, t, r)
	if err != nil {
		return nil, err
	}
	for _, box := range f.Inboxes {
		if by {
			out, err = f.named(ctx, t, r, box, ids[box], out)
		} else {
			out, err = f.walked(ctx, t, r, box, out)
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b *Thread) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(b.ID, a.ID))
	})
	out = out[:min(len(out), f.Limit)]
	return out, adorn(ctx, t, r, out)
}

// fewOnes are the threads that a mention or a tag leaves, by inbox, where they are few.
func (f *Filter) fewOnes(ctx context.Context, t *store.Tenant, r Reach) (map[string][]any, bool, error) {
	var q string
	var arg string
	switch {
	case f.Mentioned:
		q, arg = `select distinct inbox, thread from inbox_mention where tenant = $1 and account = $2 limit $3`, r.Account
	case f.Tag != "":
		q, arg = `select inbox, thread from inbox_thread_tag where tenant = $1 and tag = $2 limit $3`, f.Tag
	default:
		return nil, false, nil
	}
	rows, err := t.Query(ctx, q, arg, few+1)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	out, n := map[string][]any{}, 0
	for rows.Next() {
		var box, id string
		if err := rows.Scan(&box, &id); err != nil {
			return nil, false, err
		}
		out[box] = append(out[box], id)
		n++
	}
	return out, n <= few, rows.Err()
}

// statement is a list's statement under way.
type statement struct {
	strings.Builder
	args []any
}

// and adds a condition; each ? is the next of args.
func (s *statement) and(text string, args ...any) {
	for _, a := range args {
		before, after, _ := strings.Cut(text, "?")
		s.args = append(s.args, a)
		s.WriteString(before + "$" + strconv.Itoa(len(s.args)+1))
		text = after
	}
	s.WriteString(text)
}

// narrow adds the conditions that no index has.
func (f *Filter) narrow(s *statement, r Reach, box string) {
	if f.Team != "" {
		s.and(" and t.team = ?", strings.TrimSuffix(f.Team, None))
	}
	if f.Priority != 0 {
		s.and(" and t.priority = ?", f.Priority)
	}
	if f.From != "" {
		s.and(" and t.from_address = ?", tocsin.CanonicalAddress(f.From))
	}
	if f.Attachments {
		s.and(" and t.attachments")
	}
	if f.Since != 0 {
		s.and(" and t.last >= ?", f.Since)
	}
	if f.Until != 0 {
		s.and(" and t.last < ?", f.Until)
	}
	if f.Unread {
		since, in := r.Inboxes[box]
		if !in {
			s.and(" and 1 = 0")
		} else {
			s.and(" and t.last_in > ? and t.last_in > coalesce((select s.at from inbox_seen s where s.tenant = t.tenant and s.account = ? and s.inbox = t.inbox and s.thread = t.id), 0)", since, r.Account)
		}
	}
	if f.Tag != "" {
		s.and(" and exists (select 1 from inbox_thread_tag g where g.tenant = t.tenant and g.inbox = t.inbox and g.thread = t.id and g.tag = ?)", f.Tag)
	}
	if f.Mentioned {
		s.and(" and exists (select 1 from inbox_mention m where m.tenant = t.tenant and m.account = ? and m.inbox = t.inbox and m.thread = t.id)", r.Account)
	}
}

// walked are the newest of an inbox, a range of an index for each state.
func (f *Filter) walked(ctx context.Context, t *store.Tenant, r Reach, box string, out []*Thread) ([]*Thread, error) {
	states := f.States
	if len(states) == 0 || len(states) == len(States) {
		if states = States; f.Assignee == "" {
			states = []string{""} // by the time alone
		}
	}
	for _, state := range states {
		s := &statement{}
		s.and(`select `+threadColumns+` from inbox_thread t where t.tenant = $1 and t.inbox = ?`, box)
		if f.Assignee != "" {
			s.and(" and t.assignee = ?", strings.TrimSuffix(f.Assignee, None))
		}
		if state != "" {
			s.and(" and t.state = ?", state)
		}
		s.and(" and t.last <= ? and (t.last < ? or t.id < ?) and t.merged = ''", f.Last, f.Last, f.ID)
		f.narrow(s, r, box)
		s.and(" order by t.last desc, t.id desc limit ?", f.Limit)
		var err error
		if out, err = threads(ctx, t, s, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// named are those of an inbox that have one of the ids.
func (f *Filter) named(ctx context.Context, t *store.Tenant, r Reach, box string, ids []any, out []*Thread) ([]*Thread, error) {
	for some := range slices.Chunk(ids, 400) {
		s := &statement{}
		s.and(`select `+threadColumns+` from inbox_thread t where t.tenant = $1 and t.inbox = ? and t.id in (`+strings.TrimSuffix(strings.Repeat("?,", len(some)), ",")+`)`, append([]any{box}, some...)...)
		if f.Assignee != "" {
			s.and(" and t.assignee = ?", strings.TrimSuffix(f.Assignee, None))
		}
		if len(f.States) > 0 {
			states := make([]any, len(f.States))
			for i, v := range f.States {
				states[i] = v
			}
			s.and(" and t.state in ("+strings.TrimSuffix(strings.Repeat("?,", len(states)), ",")+")", states...)
		}
		s.and(" and t.last <= ? and (t.last < ? or t.id < ?) and t.merged = ''", f.Last, f.Last, f.ID)
		f.narrow(s, r, box)
		s.and(" order by t.last desc, t.id desc limit ?", f.Limit)
		var err error
		if out, err = threads(ctx, t, s, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func threads(ctx context.Context, t *store.Tenant, s *statement, out []*Thread) ([]*Thread, error) {
	rows, err := t.Query(ctx, s.String(), s.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var v Thread
		if err := v.scan(rows.Scan); err != nil {
			return nil, err
		}
		out = append(out, &v)
	}
	return out, rows.Err()
}

// Count counts the threads of a filter, no further than most. Those of a tag or of one sender are found by it, whatever their state; others are
// ranges of an index, one for each state.
func Count(ctx context.Context, t *store.Tenant, r Reach, f Filter, most int) (n int, err error) {
	rounds := [][]string{}
	for _, state := range f.States {
		rounds = append(rounds, []string{state})
	}
	if by := f.Tag != "" || f.From != ""; by || len(f.States) == 0 {
		rounds = [][]string{f.States}
		if !by {
			rounds = rounds[:0]
			for _, state := range States {
				rounds = append(rounds, []string{state})
			}
		}
	}
	for _, box := range f.Inboxes {
		for _, states := range rounds {
			if n >= most {
				return n, nil
			}
			some, err := f.count(ctx, t, r, box, states, most-n)
			if err != nil {
				return n, err
			}
			n += some
		}
	}
	return n, nil
}

// count counts those of an inbox in some states; any where none is given.
func (f Filter) count(ctx context.Context, t *store.Tenant, r Reach, box string, states []string, most int) (n int, err error) {
	s := &statement{}
	if f.Tag != "" {
		s.and(`select count(*) from (select 1 as one from inbox_thread_tag g join inbox_thread t on t.tenant = g.tenant and t.inbox = g.inbox and t.id = g.thread where g.tenant = $1 and g.inbox = ? and g.tag = ?`, box, f.Tag)
	} else {
		s.and(`select count(*) from (select 1 as one from inbox_thread t where t.tenant = $1 and t.inbox = ?`, box)
	}
	if f.Assignee != "" {
		s.and(" and t.assignee = ?", strings.TrimSuffix(f.Assignee, None))
	}
	switch list := make([]any, len(states)); {
	case len(states) == 1 && f.Tag == "" && f.From == "":
		s.and(" and t.state = ?", states[0])
	case len(states) > 0 && len(states) < len(States):
		for i, v := range states {
			list[i] = v
		}
		s.and(" and coalesce(t.state, '') in ("+strings.TrimSuffix(strings.Repeat("?,", len(states)), ",")+")", list...) // no index on the state is to be taken
	}
	s.and(" and t.merged = ''")
	f.Tag = ""
	f.narrow(s, r, box)
	s.and(" limit ?) some_of_them", most)
	return n, t.QueryRow(ctx, s.String(), s.args...).Scan(&n)
}
