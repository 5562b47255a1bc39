package work

import (
	"context"
	"encoding/json"
	"html"
	"strconv"
	"strings"

	"tocsin.dev"
	"tocsin.dev/mail"
	"tocsin.dev/store"
)

// View is a list of threads under a name.
type View struct {
	ID, Account, Name string // of everybody where account is empty
	Filter            json.RawMessage
	Version           int64
}

var noView = tocsin.Problemf(tocsin.NotFound, "Look at the list of views.", "There is no such view of yours.")

// Views are an account's and everybody's.
func Views(ctx context.Context, t *store.Tenant, account string) ([]View, error) {
	rows, err := t.Query(ctx, `select id, account, name, filter, version from inbox_view where tenant = $1 and account in ('', $2) order by place, lower(name), id`, account)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []View{}
	for rows.Next() {
		var v View
		var filter string
		if err := rows.Scan(&v.ID, &v.Account, &v.Name, &filter, &v.Version); err != nil {
			return nil, err
		}
		v.Filter = json.RawMessage(filter)
		out = append(out, v)
	}
	return out, rows.Err()
}

// ViewOf is one that an account sees.
func ViewOf(ctx context.Context, t *store.Tenant, account, id string) (View, error) {
	list, err := Views(ctx, t, account)
	for _, v := range list {
		if v.ID == id {
			return v, err
		}
	}
	if err == nil {
		err = noView
	}
	return View{}, err
}

// SaveView makes a view (no id), or changes one's own or everybody's.
func SaveView(ctx context.Context, t *store.Tenant, account string, v View) (View, error) {
	if v.ID == "" {
		v.ID, v.Version = tocsin.NewID(), 1
		_, err := t.Exec(ctx, `insert into inbox_view (tenant, id, account, name, filter, created) values ($1, $2, $3, $4, $5, $6)`, v.ID, v.Account, v.Name, v.Filter, t.Tx().Clock().Now())
		return v, err
	}
	if _, err := ViewOf(ctx, t, account, v.ID); err != nil {
		return v, err
	}
	err := changed(ctx, t, noView, "inbox_view", v.ID, v.Version, `account = $4, name = $5, filter = $6`, v.Account, v.Name, v.Filter)
	v.Version++
	return v, err
}

// DeleteView forgets one's own view, or everybody's.
func DeleteView(ctx context.Context, t *store.Tenant, account, id string) error {
	if _, err := ViewOf(ctx, t, account, id); err != nil {
		return err
	}
	_, err := t.Exec(ctx, `delete from inbox_view where tenant = $1 and id = $2`, id)
	return err
}

// Macro is a canned reply, with what is done to the thread besides.
type Macro struct {
	ID, Inbox, Name, Shortcut string // of all inboxes where inbox is empty
	Text                      string // HTML with {{names}} to fill in; empty: nothing is written
	Change                    json.RawMessage
	Used, Version             int64
}

var noMacro = tocsin.Problemf(tocsin.NotFound, "Look at the list of macros.", "There is no such macro.")

// Macros are those of all inboxes, and of the inbox given; of every inbox where that is empty.
func Macros(ctx context.Context, t *store.Tenant, box, id string) ([]Macro, error) {
	rows, err := t.Query(ctx, `select id, inbox, name, shortcut, text, change, used, version from inbox_macro where tenant = $1 and ($2 = '' or inbox in ('', $2)) and ($3 = '' or id = $3) order by lower(name), id`, box, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Macro{}
	for rows.Next() {
		var m Macro
		var change string
		if err := rows.Scan(&m.ID, &m.Inbox, &m.Name, &m.Shortcut, &m.Text, &change, &m.Used, &m.Version); err != nil {
			return nil, err
		}
		m.Change = json.RawMessage(change)
		out = append(out, m)
	}
	return out, rows.Err()
}

// MacroOf is one macro.
func MacroOf(ctx context.Context, t *store.Tenant, id string) (Macro, error) {
	list, err := Macros(ctx, t, "", id)
	if err == nil && len(list) == 0 {
		err = noMacro
	}
	if err != nil {
		return Macro{}, err
	}
	return list[0], nil
}

// SaveMacro makes a macro (no id), or changes the one of the id and version.
func SaveMacro(ctx context.Context, t *store.Tenant, m Macro) (Macro, error) {
	m.Text = mail.ReadBody("text/html", m.Text).SafeHTML()
	if m.Shortcut != "" {
		var taken int
		if err := t.QueryRow(ctx, `select count(*) from inbox_macro where tenant = $1 and lower(shortcut) = lower($2) and id <> $3 and (inbox = '' or $4 = '' or inbox = $4)`, m.Shortcut, m.ID, m.Inbox).Scan(&taken); err != nil {
			return m, err
		}
		if taken > 0 {
			return m, tocsin.Problemf(tocsin.Conflict, "Choose another.", "There is a macro with this shortcut.")
		}
	}
	if m.ID == "" {
		m.ID, m.Version = tocsin.NewID(), 1
		_, err := t.Exec(ctx, `insert into inbox_macro (tenant, id, inbox, name, shortcut, text, change, created) values ($1, $2, $3, $4, $5, $6, $7, $8)`, m.ID, m.Inbox, m.Name, m.Shortcut, m.Text, m.Change, t.Tx().Clock().Now())
		return m, err
	}
	err := changed(ctx, t, noMacro, "inbox_macro", m.ID, m.Version, `inbox = $4, name = $5, shortcut = $6, text = $7, change = $8`, m.Inbox, m.Name, m.Shortcut, m.Text, m.Change)
	m.Version++
	return m, err
}

// DeleteMacro forgets a macro.
func DeleteMacro(ctx context.Context, t *store.Tenant, id string) error {
	n, err := t.Exec(ctx, `delete from inbox_macro where tenant = $1 and id = $2`, id)
	if err == nil && n == 0 {
		err = noMacro
	}
	return err
}

// Names that a macro's text may hold in double braces.
var Names = []string{"name", "first_name", "address", "subject", "number", "agent", "inbox"}

// Fill puts a thread's values in the place of the names in a macro's text; they are text, whatever they hold.
func (m Macro) Fill(v *Thread, agent, box string) string {
	name := strings.TrimSpace(v.FromName)
	if name == "" {
		name, _, _ = strings.Cut(v.From, "@")
	}
	first, _, _ := strings.Cut(name, " ")
	if last, given, is := strings.Cut(name, ","); is && !strings.Contains(last, " ") { // Doe, Jane
		first, _, _ = strings.Cut(strings.TrimSpace(given), " ")
	}
	var pairs []string
	for i, value := range []string{name, first, v.From, v.Subject, "#" + strconv.FormatInt(v.N, 10), agent, box} {
		pairs = append(pairs, "{{"+Names[i]+"}}", html.EscapeString(value))
	}
	return strings.NewReplacer(pairs...).Replace(m.Text)
}

// UsedMacro counts that a macro was used.
func UsedMacro(ctx context.Context, t *store.Tenant, id string) error {
	_, err := t.Exec(ctx, `update inbox_macro set used = used + 1 where tenant = $1 and id = $2`, id)
	return err
}
