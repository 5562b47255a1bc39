package storetest

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Main runs a package's tests, and then looks at how SQLite would find the rows of each statement that they asked. SQLite keeps no
// statistics here: between two indexes it may take the one that has an order or a range for it, and reads everybody's rows for
// those of one person. That shows only in a tenant of many people, so no test of an answer finds it. Main returns the exit status.
func Main(m *testing.M) int {
	code := m.Run()
	if code != 0 {
		return code
	}
	wrong, err := plans(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "the plans of statements:", err)
		return 1
	}
	for _, w := range wrong {
		fmt.Fprintln(os.Stderr, w)
	}
	return min(len(wrong), 1)
}

// plans are the statements asked until now for which SQLite takes the wrong index.
func plans(ctx context.Context) (wrong []string, err error) {
	dir, err := os.MkdirTemp("", "tocsin-plans-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "tocsin.db")
	empty, err := emptySQLite()
	if err == nil {
		err = os.WriteFile(path, empty, 0o600)
	}
	if err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, "sqlite:"+path, &tocsin.Clock{})
	if err != nil {
		return nil, err
	}
	defer st.Close()
	indexes, err := indexed(ctx, st)
	if err != nil {
		return nil, err
	}
	for q := range store.Asked() {
		steps, err := explain(ctx, st, q)
		if err != nil {
			continue // PostgreSQL's own
		}
		for _, step := range steps {
			if better := passedOver(q, step, indexes); better != "" {
				wrong = append(wrong, fmt.Sprintf("SQLite reads more than it must: %s\n\tof %s\n\tthough there is an index of %s", step, q, better))
			}
		}
	}
	slices.Sort(wrong)
	return wrong, nil
}

// indexed are the columns of each table by which an index finds rows of a tenant.
func indexed(ctx context.Context, st *store.Store) (map[string][]string, error) {
	out := map[string][]string{}
	err := st.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `select m.name, c.name from sqlite_master m, pragma_index_list(m.name) i, pragma_index_info(i.name) c
			where m.type = 'table' and i.partial = 0 and c.seqno = 1 and c.name is not null
			and (select f.name from pragma_index_info(i.name) f where f.seqno = 0) = 'tenant'`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var table, column string
			if err := rows.Scan(&table, &column); err != nil {
				return err
			}
			out[table] = append(out[table], column)
		}
		return rows.Err()
	})
	return out, err
}

var placeholder = regexp.MustCompile(`\$(\d+)`)

func explain(ctx context.Context, st *store.Store, q string) (steps []string, err error) {
	n := 0
	for _, m := range placeholder.FindAllStringSubmatch(q, -1) {
		i, _ := strconv.Atoi(m[1])
		n = max(n, i)
	}
	err = st.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "explain query plan "+q, make([]any, n)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, parent, zero int
			var step string
			if err := rows.Scan(&id, &parent, &zero, &step); err != nil {
				return err
			}
			steps = append(steps, step)
		}
		return rows.Err()
	})
	return steps, err
}

var (
	search = regexp.MustCompile(`^(?:SEARCH|SCAN) (\w+)(?:.*\((.*)\))?`)
	named  = regexp.MustCompile(`(?i)(?:from|join|update|,)\s+(\w+)(?:\s+as)?(?:\s+(\w+))?`)
	equal  = regexp.MustCompile(`(?:(\w+)\.)?(\w+) (?:=|in) ?(?:\$|\(\$)`)
)

// passedOver is the column by which an index would find a few rows, where a step finds a tenant's many.
func passedOver(q, step string, indexes map[string][]string) string {
	m := search.FindStringSubmatch(step)
	if m == nil {
		return ""
	}
	for _, by := range strings.Split(m[2], " AND ") {
		if column, _, is := strings.Cut(by, "=?"); is && !store.Coarse(column) || strings.Contains(by, "rowid") {
			return ""
		}
	}
	table, tables := m[1], 0
	for _, n := range named.FindAllStringSubmatch(q, -1) {
		if _, is := indexes[n[1]]; !is {
			continue
		}
		tables++
		if n[2] == m[1] {
			table = n[1]
		}
	}
	for _, e := range equal.FindAllStringSubmatch(withoutOr(q), -1) {
		if (e[1] == m[1] || e[1] == "" && tables == 1) && !store.Coarse(e[2]) && slices.Contains(indexes[table], e[2]) {
			return cmp.Or(table, m[1]) + " (tenant, " + e[2] + ")"
		}
	}
	return ""
}

// withoutOr leaves out what stands in parentheses with an or: one of its sides may have no index.
func withoutOr(q string) string {
	var open []int
	for i := 0; i < len(q); i++ {
		switch q[i] {
		case '(':
			open = append(open, i)
		case ')':
			if len(open) == 0 {
				return q
			}
			from := open[len(open)-1]
			open = open[:len(open)-1]
			if strings.Contains(q[from:i], " or ") {
				q = q[:from] + q[i+1:]
				i = from - 1
			}
		}
	}
	return q
}
