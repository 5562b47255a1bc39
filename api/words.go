package api

import (
	"slices"
	"strings"

	"tocsin.dev"
)

// linesOf says what a rule is and does, a line per property, always in this order.
func linesOf(r tocsin.MailRule) []Line {
	var out []Line
	add := func(label, value string) {
		if value != "" {
			out = append(out, Line{label, value})
		}
	}
	add("Name", ruleNamed(r.Name))
	add("State", map[bool]string{true: "on", false: "off"}[r.Enabled])
	for _, t := range r.Conditions {
		add("If "+phrase(t.Name), words(t.Values))
	}
	for _, t := range r.Exceptions {
		add("Unless "+phrase(t.Name), words(t.Values))
	}
	add("Forward to", addressesOf(r.Forward))
	add("Redirect to", addressesOf(r.Redirect))
	add("Forward as attachment to", addressesOf(r.Attach))
	add("Move to", folderOf(r.MoveTo))
	add("Copy to", folderOf(r.CopyTo))
	add("Delete", yes(r.Delete))
	add("Delete for good", yes(r.Purge))
	add("Mark as read", yes(r.MarkRead))
	add("Mark importance", r.Importance)
	add("Categories", strings.Join(r.Categories, ", "))
	add("Stop further rules", yes(r.Stop))
	add("Read-only", yes(r.ReadOnly))
	add("In error", yes(r.HasError))
	add("Not known to us", strings.Join(r.Unknown, ", "))
	return out
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// ruleNamed is a rule's name as it is: whoever shows it marks what cannot be seen in it.
func ruleNamed(s string) string {
	if s == "" {
		return "(no name)"
	}
	return s
}

func phrase(name string) string { return strings.ReplaceAll(name, "_", " ") }

func words(values []string) string {
	if len(values) == 1 && values[0] == "true" {
		return "yes"
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = "“" + v + "”"
	}
	return strings.Join(quoted, ", ")
}

func addressesOf(list []tocsin.Address) string {
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = a.Address
		if a.Address == "" {
			out[i] = a.Name
		}
	}
	return strings.Join(out, ", ")
}

func folderOf(f *tocsin.Folder) string {
	switch {
	case f == nil:
		return ""
	case f.Name != "":
		return f.Name
	case f.WellKnown != "" && f.WellKnown != "none":
		return f.WellKnown
	case f.ID != "":
		return "a folder whose name is not known"
	}
	return "a folder"
}

func joined(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// diff sets what a rule said before beside what it says after; nil is that it was not there.
func diff(before, after *tocsin.MailRule) []DiffLine {
	var was, is []Line
	if before != nil {
		was = linesOf(*before)
	}
	if after != nil {
		is = linesOf(*after)
	}
	out := []DiffLine{}
	for _, l := range was {
		d := DiffLine{Label: l.Label, Before: l.Value, Mark: "removed"}
		if i := slices.IndexFunc(is, func(x Line) bool { return x.Label == l.Label }); i >= 0 {
			d.After, d.Mark = is[i].Value, "changed"
			if d.After == d.Before {
				d.Mark = "same"
			}
		}
		out = append(out, d)
	}
	for _, l := range is {
		if !slices.ContainsFunc(was, func(x Line) bool { return x.Label == l.Label }) {
			out = append(out, DiffLine{Label: l.Label, After: l.Value, Mark: "added"})
		}
	}
	return out
}

// eventWords says what happened in a phrase.
func eventWords(action string) string {
	if w, ok := map[string]string{"rule_created": "Mailbox rule made", "rule_updated": "Mailbox rule changed", "rule_deleted": "Mailbox rule deleted",
		"email_received": "Mail received", "email_sent": "Mail sent", "email_read": "Mail read", "email_flagged": "Mail flagged", "email_moved": "Mail moved",
		"email_deleted": "Mail deleted for good", "email_drafted": "Draft begun", "email_updated": "Mail changed",
		"email_replied": "Mail replied to", "email_forwarded": "Mail forwarded",
		"folder_created": "Folder made", "folder_renamed": "Folder renamed", "folder_moved": "Folder moved", "folder_deleted": "Folder deleted"}[action]; ok {
		return w
	}
	if action == "" {
		return "Something happened"
	}
	w := phrase(action)
	return strings.ToUpper(w[:1]) + w[1:]
}
