package rule

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// Events are the rules that judge audit records, by family; one file each, audit_*.go. They are given records in the
// order of event time. What a reader puts into a record's Extra, so that these rules can read it:
//
//	organization      the tenant's name (contoso.onmicrosoft.com)
//	mailbox           the owner of the mailbox that was used, where it is not the actor's
//	logon             owner, admin or delegate: how the mailbox was opened
//	external          "true": somebody from outside the organisation, such as a partner's administrator, did it
//	items, throttled  of MailItemsAccessed: how many messages, and whether Microsoft stopped counting
//	app, app_id       the application that acted or was signed in to
//	error             a sign-in's error code; "0" is success
//	protocol, requirement, resource, session, interactive, country, asn, risk, risk_aggregated, risk_state, risk_detail, risk_types
//	category, reason  of a directory record
//	targets           the objects of a directory record: id, name, type, upn
//	file, recipient, recipient_type, site, item_type of a SharePoint record
var Events = excusing(slices.Concat(
	inboxRuleEvents, mailboxEvents, delegateEvents, transportEvents, protectionEvents, accessEvents,
	roleEvents, applicationEvents, accountEvents, policyEvents, signInEvents, shareEvents, alertEvents,
))

// Judged says whether any rule of Events looks at records of an operation; a reader may leave the others aside.
func Judged(operation string) bool {
	if judgedOperations[operation] {
		return true
	}
	for _, prefix := range judgedPrefixes {
		if strings.HasPrefix(operation, prefix) {
			return true
		}
	}
	return false
}

// judgedPrefixes are for operations that carry a variant at their end, such as "(permanent)".
var judgedPrefixes = []string{
	"Add member to role", "Add eligible member to role", "Add scoped member to role", "Update application",
	"Remove-", "Disable-", "Update role setting", "User has elevated",
}

// judgedOperations is a set that does not change, made from the families' lists of what they look at.
var judgedOperations = func() map[string]bool {
	all := map[string]bool{}
	for _, list := range [][]string{
		inboxRuleOperations, mailboxOperations, delegateOperations, transportOperations, protectionOperations,
		accessOperations, roleOperations, applicationOperations, accountOperations, policyOperations,
		signInOperations, shareOperations, alertOperations,
	} {
		for _, op := range list {
			all[op] = true
		}
	}
	return all
}()

// auditBeside judges nothing: it is the Judge of a rule whose findings another rule of its family raises on the way, and
// which stands in Events for the catalogue.
func auditBeside(*detect.Org, *detect.Memory, *detect.Record) []tocsin.Finding { return nil }

// excusing puts the exceptions of the rule that a finding is filed under before every rule, also where another raised it.
func excusing(events []detect.Event) []detect.Event {
	metas := map[string]*detect.Meta{}
	for i := range events {
		metas[events[i].Name] = &events[i].Meta
	}
	for i := range events {
		judge := events[i].Judge
		events[i].Judge = func(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
			fs := judge(o, mem, r)
			if len(fs) == 0 || len(o.Exceptions) == 0 {
				return fs
			}
			return slices.DeleteFunc(fs, func(f tocsin.Finding) bool {
				m, known := metas[f.Rule]
				return known && o.Excused(m, &f) != nil
			})
		}
	}
	return events
}

// auditFinding is a finding of m about who, resting on r and on what was noted before. Its risk is the sum of terms.
func auditFinding(o *detect.Org, m *detect.Meta, r *detect.Record, who, subject, cause, why string,
	terms detect.Terms, before ...detect.Note) tocsin.Finding {
	f := m.Finding(auditPerson(o, who), who, subject, r.Time)
	if r.ActorKind == "app" && who == r.Actor {
		f.Person = "" // an application
	}
	f.Cause, f.Why = cause, why
	f.Evidence = make([]tocsin.Evidence, 0, 1+len(before))
	for _, n := range before {
		if n.ID != "" && n.ID != r.ID {
			f.Evidence = append(f.Evidence, tocsin.Evidence{ID: n.ID, Source: "audit_log"})
		}
	}
	f.Evidence = append(f.Evidence, auditEvidence(r))
	detect.Score(&f, terms)
	return f
}

// auditEvidence points at the record itself.
func auditEvidence(r *detect.Record) tocsin.Evidence {
	what := r.Operation
	if r.Actor != "" {
		what += " by " + r.Actor
	}
	if r.IP != "" {
		what += " from " + r.IP
	}
	return tocsin.Evidence{ID: r.ID, Source: "audit_log", What: what}
}

// auditPerson is the person behind an address where the directory knows one, else the address itself; nobody for a network
// address.
func auditPerson(o *detect.Org, who string) tocsin.PersonID {
	if k := o.Find(who); k.Person != "" {
		return k.Person
	}
	if _, err := netip.ParseAddr(who); err == nil {
		return ""
	}
	return tocsin.PersonID(tocsin.CanonicalAddress(who))
}

// auditOne is a list of one finding.
func auditOne(f tocsin.Finding) []tocsin.Finding { return []tocsin.Finding{f} }

// auditTerms is a list of terms that begins with points for why.
func auditTerms(points int, why string) detect.Terms {
	return detect.Terms{{Points: points, Why: why}}
}

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

// auditBy says in a sentence's end who did it.
func auditBy(r *detect.Record) string {
	if r.Actor == "" {
		return ""
	}
	return " (done by " + r.Actor + auditFrom(r) + ")"
}

func auditFrom(r *detect.Record) string {
	if r.IP == "" {
		return ""
	}
	return " from " + r.IP
}

// auditOutsider adds a term where somebody from outside the organisation did it.
func auditOutsider(r *detect.Record, terms *detect.Terms) {
	if auditText(r, "external") == "true" && !auditService(r) {
		terms.Add(10, "done by somebody outside the organisation")
	}
}

// auditPlural is "1 record", "2 records".
func auditPlural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// auditWindow is the notes of kind and key in the d before r, r's own note with them, newest last. Records without a
// time stand together at the zero time.
func auditWindow(mem *detect.Memory, r *detect.Record, kind, key, value string, d time.Duration) []detect.Note {
	mem.Add(kind, key, detect.Note{At: r.Time, ID: r.ID, Value: value})
	return mem.Since(kind, key, r.Time.Add(-d))
}

// auditTail is at most the newest n notes: what a finding of a burst names as evidence.
func auditTail(notes []detect.Note, n int) []detect.Note {
	if len(notes) > n {
		return notes[len(notes)-n:]
	}
	return notes
}

// auditDay tells findings of different days apart, so that a burst is one finding a day.
func auditDay(r *detect.Record) string {
	if r.Time.IsZero() {
		return ""
	}
	return r.Time.UTC().Format(time.DateOnly)
}
