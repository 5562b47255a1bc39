package rule

import (
	"fmt"
	"net/netip"
	"slices"
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
//	city, latitude, longitude, system, browser, device, compliant, token, credential, methods, factor_detail of a sign-in
//	kind              interactive, non_interactive, service_principal or managed_identity
//	mfa               asked, claim, refused or single: how a second factor was met
//	conditional_access, resource_id, managed of a sign-in
//	category, reason  of a directory record
//	actor_name        what the directory calls who did it, where the record tells
//	ldap_base, ldap_filter, ldap_wants, program, device  of a search in the organisation's own directory: where, for what, by what
//	permissions, permissions_in  of a consent in Defender's tables: the scopes, and the resource they open
//	targets           the objects of a directory record: id, name, type, upn
//	file, recipient, recipient_type, site, item_type of a SharePoint record
var Events = excusing(slices.Concat(
	inboxRuleEvents, mailboxEvents, delegateEvents, transportEvents, protectionEvents, accessEvents,
	roleEvents, applicationEvents, accountEvents, seriesEvents, aroundEvents, policyEvents, clientEvents, signInEvents, shareEvents, alertEvents, stolenEvents,
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
		accessOperations, roleOperations, applicationOperations, accountOperations, seriesOperations, policyOperations,
		signInOperations, shareOperations, alertOperations, rightsOperations, aroundOperations, stolenOperations,
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
	f.Cause, f.Why = cause, detect.Shown(why)
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
