package store_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

var update = flag.Bool("update", false, "write schema.sql anew")

// TestSchema: schema.sql shows the tables as the migrations make them, each under the words that the migrations have for
// it.
func TestSchema(t *testing.T) {
	want := schema(t, storetest.SQLite(t))
	if *update {
		do(t, os.WriteFile("schema.sql", []byte(want), 0o644))
	}
	got, err := os.ReadFile("schema.sql")
	do(t, err)
	if string(got) != want {
		t.Fatal("schema.sql is not what the migrations make; write it anew: go test ./store -run TestSchema -update")
	}
}

func schema(t *testing.T, st *store.Store) string {
	words := comments(t)
	var b strings.Builder
	b.WriteString("-- Everything Tocsin keeps. Written by go test ./store -run TestSchema -update from store/migrations; do not edit.\n")
	do(t, st.View(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query(t.Context(), `select type, name, tbl_name, sql from sqlite_master
			where sql is not null and name not like 'sqlite%' and name not like 'goose%'
			order by (select m.rowid from sqlite_master m where m.name = sqlite_master.tbl_name), type desc, name`)
		do(t, err)
		defer rows.Close()
		for rows.Next() {
			var kind, name, table, text string
			do(t, rows.Scan(&kind, &name, &table, &text))
			text = strings.Replace(text, "CREATE "+strings.ToUpper(kind), "create "+kind, 1) // SQLite's own way of writing it
			if kind == "table" {
				b.WriteString("\n" + words[name])
				text = columns(text)
			}
			b.WriteString(text + ";\n")
		}
		return rows.Err()
	}))
	return b.String()
}

var created = regexp.MustCompile(`(?m)((?:^--.*\n|^\n)*)^create table (\w+)`)

// retold are words for a table that stands already.
var retold = regexp.MustCompile(`(?m)^-- table (\w+)\n((?:^--.*\n)+)`)

// comments are the comments before each table in the migrations.
func comments(t *testing.T) map[string]string {
	words := map[string]string{}
	files, err := fs.Glob(os.DirFS("."), "migrations/*.sql")
	do(t, err)
	for _, f := range files {
		text, err := os.ReadFile(f)
		do(t, err)
		for _, m := range created.FindAllStringSubmatch(strings.Replace(string(text), "-- +goose Up\n", "", 1), -1) {
			words[m[2]] = strings.TrimLeft(m[1], "\n")
		}
		for _, m := range retold.FindAllStringSubmatch(string(text), -1) {
			words[m[1]] = m[2]
		}
	}
	return words
}

// columns puts each column of a create table on a line of its own.
func columns(text string) string {
	begin, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	return text[:begin] + "(\n\t" + strings.Join(parts(text[begin+1:end]), ",\n\t") + "\n)"
}

// parts cuts at the commas that stand in no parentheses and no text.
func parts(s string) []string {
	var out []string
	depth, quoted, from := 0, false, 0
	for i, c := range s {
		switch {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			out, from = append(out, strings.TrimSpace(s[from:i])), i+1
		}
	}
	return append(out, strings.TrimSpace(s[from:]))
}

// The tables that belong to the installation: none of them holds what a tenant's people did or are. Every other begins
// with the column tenant.
var installation = strings.Fields("installation lease checkpoint fact_counter cursor account role_grant api_token session setup_link login_attempt registration consent signed_in certificate retention")

// TestTenantFirst: a tenant's data is found by its tenant, and nothing else. The one key without it is that of fact,
// which is followed by lane.
func TestTenantFirst(t *testing.T) {
	text, err := os.ReadFile("schema.sql")
	do(t, err)
	tables := regexp.MustCompile(`(?s)create table (\w+) \((.*?)\n\)`).FindAllStringSubmatch(string(text), -1)
	if len(tables) < 30 {
		t.Fatalf("found only %d tables", len(tables))
	}
	for _, m := range tables {
		name, body := m[1], strings.TrimSpace(m[2])
		if strings.Contains(" "+strings.Join(installation, " ")+" ", " "+name+" ") {
			continue
		}
		if !strings.HasPrefix(body, "tenant text ") {
			t.Errorf("%s does not begin with its tenant", name)
		}
		if name != "fact" && !strings.Contains(body, "primary key (tenant") && !strings.HasPrefix(body, "tenant text primary key") {
			t.Errorf("the key of %s does not begin with the tenant", name)
		}
	}
	for _, m := range regexp.MustCompile(`create (?:unique )?index (\w+) on (\w+) \((\w+)`).FindAllStringSubmatch(string(text), -1) {
		// The trail is read across tenants too, by who runs the installation; the tally is trimmed across them.
		if m[3] != "tenant" && m[1] != "trail_id" && m[1] != "mail_tally_at" && !slices.Contains(installation, m[2]) {
			t.Errorf("index %s on %s begins with %s", m[1], m[2], m[3])
		}
	}
}

// TestSameTables: both engines have the same tables with the same columns in the same order.
func TestSameTables(t *testing.T) {
	list := func(st *store.Store, q string) string {
		var b strings.Builder
		do(t, st.View(t.Context(), func(tx *store.Tx) error {
			rows, err := tx.Query(t.Context(), q)
			do(t, err)
			defer rows.Close()
			for rows.Next() {
				var table, column, kind string
				do(t, rows.Scan(&table, &column, &kind))
				fmt.Fprintln(&b, table, column, kind)
			}
			return rows.Err()
		}))
		return b.String()
	}
	lite := list(storetest.SQLite(t), `select m.name, c.name, lower(c.type) from sqlite_master m, pragma_table_info(m.name) c
		where m.type = 'table' and m.name not like 'sqlite%' and m.name not like 'goose%' order by m.name, c.cid`)
	post := list(storetest.Postgres(t), `select table_name, column_name, data_type from information_schema.columns
		where table_schema = 'public' and table_name not like 'goose%' order by table_name collate "C", ordinal_position`)
	if lite != post || len(lite) < 1000 {
		t.Fatalf("SQLite has\n%s\nPostgreSQL has\n%s", lite, post)
	}
}
