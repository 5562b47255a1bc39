package work

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Spread is how long something took: of how many, the median, the ninth decile, the longest.
type Spread struct {
	N                    int
	Median, Ninety, Most time.Duration
}

func spread(all []time.Duration) (s Spread) {
	if s.N = len(all); s.N == 0 {
		return s
	}
	slices.Sort(all)
	s.Median, s.Ninety, s.Most = all[(s.N-1)/2], all[(s.N*9+9)/10-1], all[s.N-1]
	return s
}

// ReportDay is how many mails came and went on a day, UTC.
type ReportDay struct {
	Day     string
	In, Out int
}

// ReportPerson is what threads of an account took; nobody's where it is empty.
type ReportPerson struct {
	Account            string
	Threads, Resolved  int
	Answer, Resolution Spread
}

// ReportTag is what the threads with a tag took.
type ReportTag struct {
	Tag                string
	Threads, Resolved  int
	Answer, Resolution Spread
}

// Report is how an inbox did in a time: of threads that began in it. Times are business time where the inbox has hours.
type Report struct {
	Threads, Answered, Resolved, Spam, Silent int
	Answer, Resolution                        Spread
	Met, Missed                               map[string]int // by kind of service time, of clocks that began in it
	Days                                      []ReportDay
	People                                    []ReportPerson
	Tags                                      []ReportTag // a thread with several counts for each
	Cut                                       bool        // there are more threads than were looked at
}

// mostReported is how many threads of an inbox a report looks at.
const mostReported = 200_000

// ReportOf is a report of an inbox.
func ReportOf(ctx context.Context, t *store.Tenant, box string, since, until time.Time) (*Report, error) {
	s, err := ServiceOf(ctx, t, box)
	if err != nil {
		return nil, err
	}
	r := &Report{Met: map[string]int{}, Missed: map[string]int{}, Days: []ReportDay{}, People: []ReportPerson{}, Tags: []ReportTag{}}
	if err := r.threads(ctx, t, &s.Hours, box, since, until); err != nil {
		return nil, err
	}
	if err := r.days(ctx, t, box, since, until); err != nil {
		return nil, err
	}
	return r, r.clocks(ctx, t, box, since, until)
}

type took struct {
	threads, resolved  int
	answer, resolution []time.Duration
}

func (r *Report) threads(ctx context.Context, t *store.Tenant, h *BusinessHours, box string, since, until time.Time) error {
	tagged, err := tagsIn(ctx, t, box, since, until)
	if err != nil {
		return err
	}
	rows, err := t.Query(ctx, `select id, assignee, state, silent, first_in, answered, resolved from inbox_thread where tenant = $1 and inbox = $2 and first_in >= $3 and first_in < $4 and merged = '' limit $5`, box, since, until, mostReported+1)
	if err != nil {
		return err
	}
	defer rows.Close()
	all, people, tags := &took{}, map[string]*took{}, map[string]*took{}
	for rows.Next() {
		var id, who, state string
		var silent bool
		var first, answered, resolved int64
		if err := rows.Scan(&id, &who, &state, &silent, &first, &answered, &resolved); err != nil {
			return err
		}
		if r.Threads++; r.Threads > mostReported {
			r.Threads, r.Cut = mostReported, true
			break
		}
		if state == "spam" {
			r.Spam++
			continue // what nobody has to answer
		}
		if silent {
			r.Silent++
		}
		if people[who] == nil {
			people[who] = &took{}
		}
		counted := []*took{all, people[who]}
		for _, tag := range tagged[id] {
			if tags[tag] == nil {
				tags[tag] = &took{}
			}
			counted = append(counted, tags[tag])
		}
		for _, k := range counted {
			k.threads++
			if answered > first {
				k.answer = append(k.answer, h.Between(tocsin.FromMillis(first), tocsin.FromMillis(answered)))
			}
			if resolved > first {
				k.resolved++
				k.resolution = append(k.resolution, h.Between(tocsin.FromMillis(first), tocsin.FromMillis(resolved)))
			}
		}
	}
	r.Answered, r.Resolved, r.Answer, r.Resolution = len(all.answer), all.resolved, spread(all.answer), spread(all.resolution)
	for who, k := range people {
		r.People = append(r.People, ReportPerson{Account: who, Threads: k.threads, Resolved: k.resolved, Answer: spread(k.answer), Resolution: spread(k.resolution)})
	}
	for tag, k := range tags {
		r.Tags = append(r.Tags, ReportTag{Tag: tag, Threads: k.threads, Resolved: k.resolved, Answer: spread(k.answer), Resolution: spread(k.resolution)})
	}
	slices.SortFunc(r.Tags, func(a, b ReportTag) int { return cmp.Or(b.Threads-a.Threads, cmp.Compare(a.Tag, b.Tag)) })
	slices.SortFunc(r.People, func(a, b ReportPerson) int {
		if a.Threads != b.Threads {
			return b.Threads - a.Threads
		}
		return map[bool]int{true: -1, false: 1}[a.Account < b.Account]
	})
	return errors.Join(rows.Err(), rows.Close())
}

// tagsIn are the tags of an inbox's threads that began in a time, by thread.
func tagsIn(ctx context.Context, t *store.Tenant, box string, since, until time.Time) (map[string][]string, error) {
	rows, err := t.Query(ctx, `select g.thread, g.tag from inbox_thread_tag g join inbox_thread v on v.tenant = g.tenant and v.inbox = g.inbox and v.id = g.thread
		where g.tenant = $1 and g.inbox = $2 and v.first_in >= $3 and v.first_in < $4 and v.merged = '' limit $5`, box, since, until, mostReported)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string][]string{}
	for rows.Next() {
		var thread, tag string
		if err := rows.Scan(&thread, &tag); err != nil {
			return nil, err
		}
		out[thread] = append(out[thread], tag)
	}
	return out, rows.Err()
}

func (r *Report) days(ctx context.Context, t *store.Tenant, box string, since, until time.Time) error {
	rows, err := t.Query(ctx, `select at / 86400000, direction, count(*) from inbox_message where tenant = $1 and inbox = $2 and at >= $3 and at < $4 group by at / 86400000, direction order by 1`, box, since, until)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var day int64
		var direction string
		var n int
		if err := rows.Scan(&day, &direction, &n); err != nil {
			return err
		}
		name := tocsin.FromMillis(day * 86_400_000).UTC().Format(time.DateOnly)
		if len(r.Days) == 0 || r.Days[len(r.Days)-1].Day != name {
			r.Days = append(r.Days, ReportDay{Day: name})
		}
		if d := &r.Days[len(r.Days)-1]; direction == "out" {
			d.Out += n
		} else {
			d.In += n
		}
	}
	return rows.Err()
}

func (r *Report) clocks(ctx context.Context, t *store.Tenant, box string, since, until time.Time) error {
	now := t.Tx().Clock().Now()
	rows, err := t.Query(ctx, `select kind, case when missed or ended = 0 and due > 0 and due < $5 then 1 else 0 end, count(*) from inbox_clock where tenant = $1 and inbox = $2 and began >= $3 and began < $4
		and (ended > 0 or due > 0 and due < $5) group by 1, 2`, box, since, until, now)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var kind string
		var missed, n int
		if err := rows.Scan(&kind, &missed, &n); err != nil {
			return err
		}
		if missed == 1 {
			r.Missed[kind] = n
		} else {
			r.Met[kind] = n
		}
	}
	return rows.Err()
}
