package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// print prints an answer: the items of a list in rows, anything else a line per member; with --json an object a line.
func (r *run) print(v reflect.Value) error {
	w := r.cmd.OutOrStdout()
	if r.o.out == reflect.TypeFor[None]() {
		return nil
	}
	if g, ok := v.Interface().(Guide); ok && !r.json {
		return printGuide(w, g)
	}
	if text, ok := fileOf(v.Interface()); ok && !r.json {
		_, err := io.WriteString(w, text)
		return err
	}
	items := []reflect.Value{v}
	if isPage(v.Type()) {
		items = items[:0]
		list := v.FieldByName("Items")
		for i := range list.Len() {
			items = append(items, list.Index(i))
		}
	}
	if r.json || r.o.stream {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		for _, i := range items {
			if err := e.Encode(i.Interface()); err != nil {
				return err
			}
		}
		return nil
	}
	if isPage(v.Type()) {
		if len(items) == 0 {
			fmt.Fprintln(r.cmd.ErrOrStderr(), "nothing")
		}
		return printRows(w, items)
	}
	return printLines(w, v, "")
}

// fileOf is the text of an answer that is a file, which is printed as it is.
func fileOf(v any) (string, bool) {
	switch f := v.(type) {
	case Report:
		return f.HTML, true
	case MatchFile:
		return f.CSV, true
	case EvidenceFile:
		return string(f.EML), true
	case ThreadFile:
		return string(f.Data), true
	}
	return "", false
}

// columns are the members of a list's items that a row shows; other members are in --json.
var columns = map[string][]string{
	"MailAct":           {"created", "kind", "state", "title", "percent", "asked_by", "id"},
	"MailActItem":       {"who", "part", "state", "sender", "subject", "because", "id"},
	"Finding":           {"severity", "risk", "status", "title", "who", "last_seen", "id"},
	"Playbook":          {"name", "title", "says"},
	"PlaybookRun":       {"created", "playbook", "who", "asked_by", "waiting", "id"},
	"Action":            {"created", "kind", "state", "who", "name", "asked_by", "because", "id"},
	"MailRule":          {"risk", "name", "summary", "outside", "hides", "changed", "person", "id"},
	"Mailbox":           {"address", "state", "purpose", "rules_count", "rules_seen", "because"},
	"Identity":          {"upn", "name", "risk", "roles", "rules", "mailbox", "person"},
	"Protected":         {"at", "kind", "name", "level", "state", "detail", "person"},
	"Story":             {"severity", "score", "title", "who", "stage", "open", "ended", "id"},
	"Network":           {"network", "kind", "name", "set"},
	"EntraSignIn":       {"at", "actor", "app", "country", "city", "ip", "mfa", "result", "risk", "id"},
	"Event":             {"at", "who", "action", "what", "id"},
	"Watched":           {"address", "state", "form", "since", "until", "heard", "person"},
	"Kept":              {"class", "days", "held", "oldest", "what"},
	"StreamCertificate": {"id", "made", "expires", "replaced", "mailboxes"},
	"Gap":               {"began", "ended", "closed", "found", "name", "who"},
	"Detection":         {"name", "severity", "open", "title"},
	"OwnRule":           {"title", "severity", "state", "hits", "last_hit", "open", "lacks", "id"},
	"Connection":        {"id", "name", "tenant", "state", "method"},
	"Registration":      {"tier", "client_id", "cloud", "method", "ends", "changed", "changed_by"},
	"Asked":             {"name", "id", "optional", "for"},
	"Consent":           {"at", "upn", "name", "actor", "granted"},
	"Capability":        {"title", "state"},
	"Limit":             {"title", "state", "used", "limit", "percent", "unit", "window_seconds", "waiting", "throttled"},
	"Source":            {"name", "state", "succeeded", "done", "total"},
	"Tenant":            {"id", "name", "initial_domain", "role", "connections", "open_findings"},
	"Account":           {"email", "name", "totp", "disabled", "seen", "grants"},
	"Token":             {"id", "name", "account", "role", "tenant", "expires", "used"},
	"Anomaly":           {"day", "name", "class", "score", "one_in", "why", "verdict", "id"},
	"Import":            {"at", "kind", "name", "state", "records", "new", "broken", "by", "because"},
	"Exception":         {"id", "rule", "scope", "value", "owner", "expires", "reason"},
	"Partner":           {"domain", "owner", "expires", "reason"},
	"Channel":           {"name", "kind", "address", "severity", "state", "delivered", "because", "id"},
	"Export":            {"name", "kind", "address", "form", "state", "behind", "sent", "because", "id"},
	"Refused":           {"at", "event", "because"},
	"Alert":             {"at", "state", "severity", "change", "title", "who", "channel_name", "because"},
	"Try":               {"n", "at", "outcome", "status", "took_ms", "because"},
	"Snooze":            {"scope", "value", "name", "until", "created_by", "id"},
	"Group":             {"name", "mail", "kind", "members", "guests", "outside_members", "visibility", "role_assignable", "roles", "id"},
	"Guest":             {"name", "mail", "state", "created", "last_sign_in", "unused", "risk", "person"},
	"ManagedDevice":     {"name", "who", "system", "version", "compliance", "encrypted", "out_of_date", "synced", "id"},
	"Site":              {"name", "url", "public", "created"},
	"Knowledge":         {"what", "state", "read", "because", "mend"},
	"Forwarding":        {"risk", "kind", "who", "title", "to", "place", "deliver", "since", "source"},
	"Delegation":        {"risk", "owner_address", "trustee_name", "right", "folder", "levels", "marks", "since", "source"},
	"MatrixRow":         {"risk", "owner_address", "cells"},
	"RightsCover":       {"kind", "state", "source", "since", "until", "looked", "mailboxes"},
	"TrailEntry":        {"at", "outcome", "email", "does", "subject", "address"},
	"Session":           {"account", "agent", "address", "way", "begun", "seen", "ends", "current", "id"},
	"AuditRecord":       {"at", "actor", "operation", "object", "ip", "result", "source", "id"},
	"AuditWindow":       {"content", "since", "until", "state", "parcels", "records"},
	"AuditQuery":        {"created", "state", "address", "operations", "since", "until", "records", "by", "id"},
	"PostureCheck":      {"status", "severity", "id", "why"},
	"PostureDay":        {"day", "fail", "unknown", "excepted", "pass"},
	"PolicyView":        {"state", "name", "who", "without", "apps", "conditions", "controls"},
	"PlaceView":         {"trusted", "name", "what", "policies"},
	"AccessAnswer":      {"person", "blocked", "mfa", "phishing_resistant", "unsure"},
	"Privilege":         {"role", "how", "who", "ends", "group"},
	"Investigation":     {"name", "trigger", "status", "matches", "boxes", "created", "expiry", "created_by", "id"},
	"SearchMailbox":     {"address", "state", "matches", "looked", "fetched", "tries", "because"},
	"Match":             {"received", "address", "sender", "subject", "folder_name", "read", "truth", "state", "id"},
	"ReportedMail":      {"at", "reporter", "sender", "subject", "state", "status", "verdict", "reports", "id"},
	"Insider":           {"address", "name", "mails", "first", "last", "risk", "revoked", "person"},
	"Evidence":          {"at", "mailbox", "sender", "subject", "origin", "by", "reason", "id"},
	"MailConfiguration": {"name", "state", "client_id", "test_address", "all_domains", "domains", "tested", "id"},
	"Cluster":           {"matches", "mailboxes", "senders", "subjects", "unread", "first", "last", "subject", "id"},
	"Trail":             {"address", "delivery", "here", "opened", "replied", "forwarded", "received", "subject"},
	"EmailConnection":   {"name", "account", "method", "state", "addresses", "consented", "signed_in", "because", "id"},
	"EmailAddress":      {"name", "address", "state", "sending", "connection_name", "because", "id"},
	"SharedInbox":       {"name", "address", "state", "member", "open", "unassigned", "because", "id"},
	"InboxLook":         {"at", "who", "what", "reason", "until", "thread"},
	"Team":              {"name", "people", "id"},
	"Outgoing":          {"state", "to", "subject", "changed", "because", "id"},
	"ThreadHit":         {"at", "from", "subject", "state", "around", "thread"},
	"ThreadView":        {"name", "shared", "id"},
	"Macro":             {"name", "shortcut", "used", "id"},
	"InboxRule":         {"place", "name", "enabled", "ran", "last", "id"},
	"Tag":               {"name", "colour", "id"},
	"Thread":            {"n", "state", "assignee", "from", "subject", "last", "unread", "id"},
	"Application":       {"name", "whose", "enabled", "dangerous", "secrets", "certificates", "ends", "last_used", "id"},
}

// notes are members that stand whole below their row, where there is something in them: reasons, and what to do.
var notes = map[string][]string{
	"Connection": {"because", "mend"}, "Capability": {"because", "mend"}, "Source": {"because", "mend"}, "RightsCover": {"because", "unknown"},
	"AuditWindow": {"because"}, "AuditQuery": {"because", "mend"}, "TrailEntry": {"because"}, "Watched": {"because", "mend"}, "Gap": {"because", "lost"},
	"Investigation": {"because", "mend"}, "SearchMailbox": {"mend"}, "Trail": {"because"}, "MailConfiguration": {"because", "mend"}, "EmailConnection": {"because", "mend"}, "EmailAddress": {"because", "mend"}, "ReportedMail": {"because", "mend"},
}

// printGuide prints the guide to an app registration as text that can be followed, and scripts that can be cut out.
func printGuide(w io.Writer, g Guide) error {
	for i, step := range g.Steps {
		fmt.Fprintf(w, "%d. %s\n", i+1, strings.NewReplacer("**", "", "`", "").Replace(step))
	}
	fmt.Fprintf(w, "\n%s\n\n", g.Who)
	items := make([]reflect.Value, len(g.Permissions))
	for i, p := range g.Permissions {
		items[i] = reflect.ValueOf(p)
	}
	if err := printRows(w, items); err != nil {
		return err
	}
	for _, p := range g.Permissions {
		fmt.Fprintf(w, "\n%s: %s\n", p.Name, strings.Join(p.Why, " "))
	}
	_, err := fmt.Fprintf(w, "\n--- manifest: requiredResourceAccess\n%s\n\n--- Azure CLI\n%s\n--- PowerShell\n%s", g.Manifest, g.AzureCLI, g.PowerShell)
	return err
}

func printRows(w io.Writer, items []reflect.Value) error {
	if len(items) == 0 {
		return nil
	}
	kind := items[0].Type().Name()
	show := columns[kind]
	rows, below := [][]string{{}}, [][]string{nil}
	for _, name := range show {
		rows[0] = append(rows[0], strings.ToUpper(strings.ReplaceAll(name, "_", " ")))
	}
	for _, item := range items {
		by := map[string]reflect.Value{}
		members(item, func(name string, v reflect.Value) { by[name] = v })
		switch x := item.Interface().(type) {
		case Group:
			by["outside_members"] = reflect.ValueOf(outsideWords(x))
		case MailRule: // so that the last two are what rules get takes
			by["name"], by["person"] = reflect.ValueOf(ruleNamed(x.Rule.Name)), reflect.ValueOf(cmp.Or(x.Who, string(x.Person)))
		}
		var row, more []string
		for _, name := range show {
			row = append(row, cell(by[name], 60))
		}
		for _, name := range notes[kind] {
			if text := cell(by[name], 2000); text != "" {
				more = append(more, text)
			}
		}
		rows, below = append(rows, row), append(below, more)
	}
	return printTable(w, rows, below)
}

// printTable prints rows in columns as wide as their widest cell, and what stands below each row, indented.
func printTable(w io.Writer, rows, below [][]string) error {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, text := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	for n, row := range rows {
		var line strings.Builder
		for i, text := range row {
			line.WriteString(text + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+2))
		}
		text := strings.TrimRight(line.String(), " ") + "\n"
		if len(below[n]) > 0 {
			text += "    " + strings.Join(below[n], " ") + "\n"
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}

// outsideWords are a group's members outside; none is not the same as not asked.
func outsideWords(g Group) string {
	switch {
	case g.Kind == "contact":
		return "" // it has no members
	case g.Outside == nil && !g.LedTo:
		return "not needed: no rule leads there"
	case g.Outside == nil:
		return "not asked yet"
	case len(g.Outside) == 0:
		return "none"
	}
	return strings.Join(g.Outside, ", ")
}

// printLines prints a member a line, and what has members itself below it.
func printLines(w io.Writer, v reflect.Value, indent string) error {
	var err error
	members(v, func(name string, x reflect.Value) {
		for x.Kind() == reflect.Pointer && !x.IsNil() {
			x = x.Elem()
		}
		label := indent + strings.ReplaceAll(name, "_", " ") + ":"
		switch {
		case err != nil || x.IsZero() && x.Kind() != reflect.Int && x.Kind() != reflect.Bool:
		case (x.Kind() == reflect.Slice || x.Kind() == reflect.Map) && x.Len() == 0:
		case name == "later": // what no version has yet: the names are enough
			var titles []string
			for i := range x.Len() {
				titles = append(titles, cell(x.Index(i).FieldByName("Title"), 200))
			}
			_, err = fmt.Fprintln(w, label, strings.Join(titles, "; "))
		case x.Kind() == reflect.Struct && x.Type() != reflect.TypeFor[time.Time]():
			fmt.Fprintln(w, label)
			err = printLines(w, x, indent+"  ")
		case x.Kind() == reflect.Slice && x.Type() != reflect.TypeFor[json.RawMessage]() && x.Len() > 0 && x.Index(0).Kind() == reflect.Struct:
			fmt.Fprintln(w, label)
			for i := range x.Len() {
				if _, flat := columns[x.Index(i).Type().Name()]; flat {
					continue
				}
				fmt.Fprintln(w, indent+"  - "+oneLine(x.Index(i)))
			}
			if _, flat := columns[x.Index(0).Type().Name()]; flat {
				list := make([]reflect.Value, x.Len())
				for i := range list {
					list[i] = x.Index(i)
				}
				err = printRows(w, list)
			}
		case x.Kind() == reflect.Bool:
			_, err = fmt.Fprintln(w, label, map[bool]string{true: "yes", false: "no"}[x.Bool()])
		case x.Kind() == reflect.Float64 && (name == "share" || name == "quota"):
			_, err = fmt.Fprintf(w, "%s %.3g %%\n", label, 100*x.Float())
		default:
			_, err = fmt.Fprintln(w, label, cell(x, 2000))
		}
	})
	return err
}

func oneLine(v reflect.Value) string {
	var parts []string
	members(v, func(name string, x reflect.Value) {
		if c := cell(x, 200); c != "" {
			parts = append(parts, name+" "+c)
		}
	})
	return strings.Join(parts, ", ")
}

// members goes over what JSON would show of a struct.
func members(v reflect.Value, do func(name string, v reflect.Value)) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			members(v.Field(i), do)
			continue
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			do(name, v.Field(i))
		}
	}
}

// cell is a value in few words. What comes from a tenant may hold control characters, which a terminal would obey.
func cell(v reflect.Value, most int) string {
	for v.IsValid() && v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "?"
		}
		v = v.Elem()
	}
	if !v.IsValid() {
		return ""
	}
	switch x := v.Interface().(type) {
	case time.Time:
		if x.IsZero() {
			return ""
		}
		return x.Local().Format("2006-01-02 15:04")
	case json.RawMessage:
		return short(string(x), most)
	case Grant:
		return string(x.Role) + "@" + x.Tenant
	case Reporter:
		return short(x.Address, most)
	case MailAddress:
		return short(x.Address, most)
	}
	switch v.Kind() {
	case reflect.Bool:
		return map[bool]string{true: "yes", false: ""}[v.Bool()]
	case reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = cell(v.Index(i), most)
		}
		return short(strings.Join(parts, ", "), most)
	case reflect.Map, reflect.Struct:
		b, _ := json.Marshal(v.Interface()) // views always are JSON
		return short(string(b), most)
	}
	return short(fmt.Sprint(v.Interface()), most)
}

func short(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '␣'
		}
		return r
	}, s)
	if utf8.RuneCountInString(s) > most {
		return string([]rune(s)[:most-1]) + "…"
	}
	return s
}
