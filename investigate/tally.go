package investigate

import (
	"cmp"
	"context"
	"slices"

	"tocsin.dev/store"
)

// mostDays is how many days a tally has: more than a year.
const mostDays = 400

// Tally is how many matches a filter leaves, in how many mailboxes, and what they have in common.
type Tally struct {
	Matches, Mailboxes int64
	By                 map[string][]Count // as Counts has them, each with the most values that are asked for
}

// TallyOf counts the matches that the filter leaves by everything that Counts can count by, in one look at them: for each by itself they
// would be read ten times.
func TallyOf(ctx context.Context, t *store.Tenant, investigation string, f MatchFilter, most int) (Tally, error) {
	out := Tally{By: map[string][]Count{}}
	kinds := []string{"senders", "domains", "subjects", "days", "folders", "departments", "states", "truths", "clusters"}
	columns, seen := "", make([]map[string]int64, len(kinds))
	for i, k := range kinds {
		columns += facets[k] + ", "
		seen[i] = map[string]int64{}
	}
	where, args := f.where()
	rows, err := t.Query(ctx, `select `+columns+`is_read, person from mail_match where tenant = $1 and investigation = $2`+where, append([]any{investigation}, args...)...)
	if err != nil {
		return out, err
	}
	defer rows.Close()
	values, to := make([]string, len(kinds)+1), make([]any, 0, len(kinds)+2)
	var read bool
	for i := range kinds {
		to = append(to, &values[i])
	}
	to = append(to, &read, &values[len(kinds)])
	people, reads := map[string]bool{}, map[string]int64{}
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return out, err
		}
		for i := range kinds {
			seen[i][values[i]]++
		}
		people[values[len(kinds)]] = true
		reads[map[bool]string{true: "yes", false: "no"}[read]]++
		out.Matches++
	}
	if err := rows.Err(); err != nil {
		return out, err
	}
	out.Mailboxes = int64(len(people))
	for i, k := range kinds {
		out.By[k] = ranked(seen[i], k == "days", most)
	}
	out.By["read"] = ranked(reads, false, most)
	return out, nil
}

// ranked are the counts, the most first, or in order of the values.
func ranked(n map[string]int64, byValue bool, most int) []Count {
	out := make([]Count, 0, len(n))
	for v, c := range n {
		out = append(out, Count{Value: v, Count: c})
	}
	slices.SortFunc(out, func(a, b Count) int {
		if byValue {
			return cmp.Compare(a.Value, b.Value)
		}
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	if byValue {
		most = mostDays
	}
	return out[:min(len(out), most)]
}

// Sums are how many matches an investigation has, in how many mailboxes, of how many it is unknown whether they match, how many were dealt
// with, and how many campaigns they are. Each is answered by an index: a list of investigations asks it of every one.
func Sums(ctx context.Context, t *store.Tenant, investigation string) (matches, mailboxes, unknown, acted, clusters int64, err error) {
	err = t.QueryRow(ctx, `with recursive campaign (c) as (
			select min(cluster) from mail_match where tenant = $1 and investigation = $2 and cluster > ''
			union all select (select min(m.cluster) from mail_match m where m.tenant = $1 and m.investigation = $2 and m.cluster > campaign.c) from campaign where campaign.c is not null)
		select coalesce(sum(n), 0), coalesce(sum(case when truth = 'unknown' then n end), 0), coalesce(sum(case when state = 'acted' then n end), 0),
			(select count(distinct person) from mail_match where tenant = $1 and investigation = $2), (select count(c) from campaign)
		from (select state, truth, count(*) as n from mail_match where tenant = $1 and investigation = $2 group by state, truth) as counted`,
		investigation).Scan(&matches, &unknown, &acted, &mailboxes, &clusters)
	return matches, mailboxes, unknown, acted, clusters, err
}
