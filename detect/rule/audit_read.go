package rule

import (
	"slices"
	"strconv"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// auditText is a member of r's Extra as text; empty where it is not there.
func auditText(r *detect.Record, key string) string {
	switch v := r.Extra[key].(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case int:
		return strconv.Itoa(v)
	}
	return ""
}

// auditCount is a member of r's Extra as a number; zero where it is none.
func auditCount(r *detect.Record, key string) int {
	n, err := strconv.Atoi(auditText(r, key))
	if err != nil {
		return 0
	}
	return n
}

// auditList is a member of r's Extra as a list of texts.
func auditList(r *detect.Record, key string) []string {
	switch v := r.Extra[key].(type) {
	case []string:
		return v
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// auditTarget is an object that a directory record names.
type auditTarget struct{ ID, Name, Type, UPN string }

// Label is how the object is called in a sentence.
func (t auditTarget) Label() string {
	for _, s := range []string{t.UPN, t.Name, t.ID} {
		if s != "" {
			return s
		}
	}
	return "an object without a name"
}

func auditTargets(r *detect.Record) []auditTarget {
	list, ok := r.Extra["targets"].([]any)
	if !ok {
		return nil
	}
	out := make([]auditTarget, 0, len(list))
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			continue
		}
		text := func(k string) string { s, _ := m[k].(string); return s }
		out = append(out, auditTarget{ID: text("id"), Name: text("name"), Type: text("type"), UPN: text("upn")})
	}
	return out
}

// auditTargetOf is the first target of a type (User, Application, Role …), or what the record names as its target.
func auditTargetOf(r *detect.Record, types ...string) auditTarget {
	for _, t := range auditTargets(r) {
		if slices.ContainsFunc(types, func(s string) bool { return strings.EqualFold(s, t.Type) }) {
			return t
		}
	}
	if r.Target != "" {
		return auditTarget{Name: r.Target}
	}
	if r.Object == "" { // of a type that Microsoft calls Other, say
		for _, t := range auditTargets(r) {
			if t.Name != "" {
				return auditTarget{ID: t.ID, Name: t.Name}
			}
		}
	}
	return auditTarget{Name: r.Object}
}

// auditDone says whether the record tells of something that was done, not of an attempt that failed.
func auditDone(r *detect.Record) bool {
	switch strings.ToLower(r.Result) {
	case "failed", "failure", "false", "fail", "partiallysucceeded", "timeout", "error":
		return false
	}
	return true
}

// auditService says whether the actor is Microsoft's own machinery, whose bookkeeping is not judged.
func auditService(r *detect.Record) bool { return r.ActorKind == "system" || r.ActorKind == "service" }

// auditParam is a cmdlet's parameter, whatever the case of its name.
func auditParam(r *detect.Record, name string) (string, bool) {
	if v, ok := r.Params[name]; ok {
		return v, true
	}
	for k, v := range r.Params {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return "", false
}

// auditSaid says whether a cmdlet's parameter was given with that value.
func auditSaid(r *detect.Record, name, value string) bool {
	v, ok := auditParam(r, name)
	return ok && strings.EqualFold(strings.TrimPrefix(strings.TrimSpace(v), "$"), value)
}

// auditModified is the old and new value of a property, whatever the case of its name.
func auditModified(r *detect.Record, name string) (old, now string, ok bool) {
	if v, ok := r.Modified[name]; ok {
		return v[0], v[1], true
	}
	for k, v := range r.Modified {
		if strings.EqualFold(k, name) {
			return v[0], v[1], true
		}
	}
	return "", "", false
}

// auditPlain is a property's value without the quotes and brackets that the directory wraps around it.
func auditPlain(s string) string { return strings.Trim(strings.TrimSpace(s), `"[] `) }

// auditAddresses takes apart a parameter that names recipients: a@x.com;b@y.com, "Name" [SMTP:a@x.com], SMTP:a@x.com.
func auditAddresses(s string) []tocsin.Address {
	var out []tocsin.Address
	for _, part := range auditSplit(s) {
		if a, ok := auditAddress(part); ok {
			out = append(out, a)
		}
	}
	return out
}

// auditSplit splits a multi-valued parameter: at semicolons, and at commas where each piece is an address of its own.
func auditSplit(s string) []string {
	s = strings.Trim(strings.TrimSpace(s), "{}")
	parts := strings.Split(s, ";")
	if len(parts) == 1 && strings.Count(s, "@") > 1 {
		parts = strings.Split(s, ",")
	}
	out := parts[:0]
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

func auditAddress(s string) (tocsin.Address, bool) {
	s = strings.TrimSpace(s)
	name := ""
	if open := strings.IndexByte(s, '['); open >= 0 {
		name, s = strings.Trim(strings.TrimSpace(s[:open]), `"'`), strings.Trim(s[open+1:], "[] ")
	} else if open := strings.IndexByte(s, '<'); open >= 0 {
		name, s = strings.Trim(strings.TrimSpace(s[:open]), `"'`), strings.Trim(s[open+1:], "<> ")
	}
	s = strings.Trim(s, `"'`)
	for _, scheme := range []string{"smtp:", "ex:", "mailto:"} {
		if len(s) >= len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
			s = s[len(scheme):]
		}
	}
	if s == "" {
		return tocsin.Address{}, false
	}
	return tocsin.Address{Name: name, Address: s}, true
}

// auditMailbox is the mailbox that a cmdlet acted on: the Mailbox or Identity parameter, else the object's name, else
// the actor's own. An alias keeps its form where no address is told.
func auditMailbox(r *detect.Record) string {
	if v, ok := auditParam(r, "Mailbox"); ok && v != "" {
		return auditAlias(r, v)
	}
	if v, ok := auditParam(r, "Identity"); ok && v != "" {
		return auditAlias(r, v)
	}
	if r.Object != "" {
		return auditAlias(r, r.Object)
	}
	return r.Actor
}

// auditAlias is the last part of a directory path, and the actor's address where it is the actor's alias.
func auditAlias(r *detect.Record, path string) string {
	name := path
	if i := strings.LastIndexAny(name, `/`); i >= 0 && strings.Count(name, "/") > 1 {
		name = name[i+1:]
	}
	name, _, _ = strings.Cut(name, `\`)
	name, _, _ = strings.Cut(name, ":")
	if local, _, ok := strings.Cut(r.Actor, "@"); ok && strings.EqualFold(local, name) {
		return strings.ToLower(r.Actor)
	}
	if strings.Contains(name, "@") {
		return tocsin.CanonicalAddress(name)
	}
	return name
}

// auditSame says whether two names mean the same person: the same address, or an alias that is the address's local part.
func auditSame(a, b string) bool {
	a, b = tocsin.CanonicalAddress(a), tocsin.CanonicalAddress(b)
	if a == "" || b == "" {
		return false
	}
	if a == b {
		return true
	}
	la, da, _ := strings.Cut(a, "@")
	lb, db, _ := strings.Cut(b, "@")
	return la == lb && (da == "" || db == "")
}
