package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// OrganisationCheck judges what is held of the organisation's mail flow and of what shows only across mailboxes.
type OrganisationCheck struct {
	detect.Meta
	Judge func(*detect.Org, *detect.Exchange) []tocsin.Finding
}

// OrganisationChecks are all of these. Those that bear the name of a rule on audit records meet it, as [RightsChecks] do.
var OrganisationChecks = []OrganisationCheck{
	{transportRuleTakesMail, perFlow(judgeHeldFlow)},
	{transportRuleSkipsFilter, perFlow(judgeHeldSkip)},
	{journalOutside, perFlow(judgeHeldJournal)},
	{auditLogOff, judgeHeldAuditLog},
	{mailboxAuditOff, judgeHeldMailboxAudit},
	{mailboxAuditBypass, judgeHeldBypass},
	{trusteeOfMany, judgeTrustees},
}

// Organisation judges the organisation by every such check; what is excepted is left out.
func Organisation(o *detect.Org, x *detect.Exchange) []tocsin.Finding {
	var out []tocsin.Finding
	for i := range OrganisationChecks {
		c := &OrganisationChecks[i]
		out = append(out, o.Unexcused(&c.Meta, c.Judge(o.For(&c.Meta), x))...)
	}
	return out
}

var trusteeOfMany = detect.Meta{
	Name: "trustee-of-many-mailboxes", Title: "One account has rights over many people's mailboxes", Family: "delegation",
	Severity: tocsin.High, Attack: []string{"T1098.002", "T1114.002"}, Stage: "lateral_movement",
	Says:           "One account has full access to, or may send as, five people or more since a week or less, or twenty or more in all. Shared mailboxes and rooms do not count.",
	FalsePositives: "Backup, archive and migration products; a service desk's account: make an exception with an owner and an end.",
	Fix:            "Take the rights away that no product or ticket needs, and look at what the account read; a product is better served by an application held to some mailboxes.",
	Actions:        []string{"remove_delegation", "revoke_sessions"}, Source: "audit_log",
}

// Many says whether somebody has rights over so many mailboxes that it is found.
func Many(t *detect.Trustee) bool { return t.Lately >= 5 || t.Count >= 20 }

func judgeTrustees(o *detect.Org, x *detect.Exchange) []tocsin.Finding {
	var out []tocsin.Finding
	for i := range x.Trustees {
		t := &x.Trustees[i]
		if !Many(t) {
			continue
		}
		k := o.Find(t.Who)
		f := trusteeOfMany.Finding(k.Person, t.Who, strings.ToLower(t.Who), t.Granted)
		if f.Time.IsZero() {
			f.Time = o.Now
		}
		var terms detect.Terms
		if t.Lately >= 5 {
			terms.Add(65, fmt.Sprintf("%d of them since a week or less", t.Lately))
		} else {
			terms.Add(40, fmt.Sprintf("%d mailboxes of people", t.Count))
		}
		switch {
		case k.Kind == detect.Guest || k.Kind == detect.Unlisted && o.Outside(tocsin.Address{Address: t.Who}):
			terms.Add(25, "somebody of another organisation")
		case k.Blocked:
			terms.Add(10, "the account cannot sign in")
		case k.Kind == detect.Group:
			terms.Add(-15, "a group, whose members change")
		}
		f.Evidence = []tocsin.Evidence{{ID: t.Who, Source: "delegations", What: "rights over " + some(t.Owners)}}
		out = append(out, *scored(&f, terms, fmt.Sprintf("%s has full access to, or may send as, %s.", t.Who, people(t.Count, t.Owners))))
	}
	return out
}

// people says how many people's mailboxes, and some of them.
func people(n int, owners []string) string {
	out := fmt.Sprintf("the mailboxes of %d people", n)
	if len(owners) == 0 {
		return out
	}
	return out + ", such as " + some(owners[:min(3, len(owners))])
}

func perFlow(judge func(*detect.Org, *detect.MailFlow) *tocsin.Finding) func(*detect.Org, *detect.Exchange) []tocsin.Finding {
	return func(o *detect.Org, x *detect.Exchange) []tocsin.Finding {
		var out []tocsin.Finding
		for i := range x.Flow {
			if f := judge(o, &x.Flow[i]); f != nil {
				out = append(out, *f)
			}
		}
		return out
	}
}

// heldOrg begins a finding on what is held of the organisation: as on the record, of the person who made it so, where one is
// known.
func heldOrg(o *detect.Org, meta *detect.Meta, t *detect.Told, subject, name, what string) *tocsin.Finding {
	m := detect.Mailbox{Address: name}
	if t.Actor != "" {
		m.Address = t.Actor
		if m.Person = auditPerson(o, t.Actor); t.ActorKind == "app" {
			m.Person = ""
		}
	}
	return heldFinding(o, meta, &m, t, subject, "", what)
}

// flowTakes are the parameters by which a transport rule sends mail elsewhere.
var flowTakes = []struct {
	param, verb string
	outside     int
}{
	{"blindcopyto", "copies mail in secret to", 70}, {"redirectmessageto", "redirects mail to", 70},
	{"copyto", "copies mail to", 65}, {"addtorecipients", "adds to the recipients", 65},
}

// FlowTargets are the addresses that a mail flow rule sends mail to, each with how.
func FlowTargets(m *detect.MailFlow) (to []tocsin.Address, verbs []string) {
	for _, p := range flowTakes {
		for _, a := range auditAddresses(m.Params[p.param].Value) {
			to, verbs = append(to, a), append(verbs, p.verb)
		}
	}
	for _, a := range auditAddresses(m.Params["journalemailaddress"].Value) {
		to, verbs = append(to, a), append(verbs, "journals mail to")
	}
	return to, verbs
}

// FlowDoes says where a mail flow rule sends mail, what else it does with it, and what of it was told last.
func FlowDoes(m *detect.MailFlow) (to, how string, by *detect.Told) {
	addresses, verbs := FlowTargets(m)
	var list []string
	for _, a := range addresses {
		list = append(list, a.Canonical())
	}
	params := []string{"journalemailaddress"}
	for _, p := range flowTakes {
		params = append(params, p.param)
	}
	if strings.EqualFold(m.Params["deletemessage"].Value, "true") {
		verbs, params = append(verbs, "deletes mail"), append(params, "deletemessage")
	}
	if strings.TrimSpace(m.Params["setscl"].Value) == "-1" {
		verbs, params = append(verbs, "lets mail past the spam filter"), append(params, "setscl")
	}
	return strings.Join(list, ", "), strings.Join(slices.Compact(verbs), ", "), latest(m, params...)
}

// latest is what of these was told last.
func latest(m *detect.MailFlow, params ...string) *detect.Told {
	var last detect.Told
	for _, p := range params {
		if t, ok := m.Params[p]; ok && t.Value != "" && (last.At.IsZero() || t.At.After(last.At)) {
			last = t
		}
	}
	return &last
}

func judgeHeldFlow(o *detect.Org, m *detect.MailFlow) *tocsin.Finding {
	if m.Kind != detect.RightTransport {
		return nil
	}
	var terms detect.Terms
	var does []string
	var by []string
	for _, p := range flowTakes {
		for _, a := range auditAddresses(m.Params[p.param].Value) {
			switch o.Place(a) {
			case detect.Partner:
				continue
			case detect.Outside:
				terms.Add(max(0, p.outside-points(terms)), p.verb+" somebody outside")
			default:
				terms.Add(max(0, 45-points(terms)), p.verb+" a mailbox inside")
			}
			does, by = append(does, p.verb+" "+a.Address), append(by, p.param)
		}
	}
	if strings.EqualFold(m.Params["deletemessage"].Value, "true") {
		terms.Add(max(10, 45-points(terms)), "deletes mail before it arrives")
		does, by = append(does, "deletes mail"), append(by, "deletemessage")
	}
	if len(does) == 0 {
		return nil
	}
	if !narrowed(maps.Keys(m.Params)) {
		terms.Add(15, "it has no condition: it acts on all mail")
	}
	flowOff(m, &terms)
	t := latest(m, by...)
	return scored(heldOrg(o, &transportRuleTakesMail, t, strings.ToLower(m.Name), m.Name, "the mail flow rule "+m.Name), terms,
		fmt.Sprintf("The mail flow rule %q %s%s.%s", m.Name, strings.Join(does, " and "), setBy(t), flowState(m)))
}

func flowOff(m *detect.MailFlow, terms *detect.Terms) {
	if !m.Enabled {
		terms.Add(off, "it is switched off")
	}
}

func flowState(m *detect.MailFlow) string {
	if m.Enabled {
		return ""
	}
	return " It is switched off now."
}

func judgeHeldSkip(o *detect.Org, m *detect.MailFlow) *tocsin.Finding {
	t := m.Params["setscl"]
	if m.Kind != detect.RightTransport || strings.TrimSpace(t.Value) != "-1" || judgeHeldFlow(o, m) != nil {
		return nil
	}
	terms := auditTerms(45, "mail that matches is not filtered")
	flowOff(m, &terms)
	return scored(heldOrg(o, &transportRuleSkipsFilter, &t, strings.ToLower(m.Name), m.Name, "the mail flow rule "+m.Name), terms,
		fmt.Sprintf("The mail flow rule %q lets mail past the spam filter%s.%s", m.Name, setBy(&t), flowState(m)))
}

func judgeHeldJournal(o *detect.Org, m *detect.MailFlow) *tocsin.Finding {
	t := m.Params["journalemailaddress"]
	to, ok := auditAddress(t.Value)
	if m.Kind != detect.RightJournal || !ok || !o.Outside(to) {
		return nil
	}
	terms := auditTerms(70, "a copy of all mail goes outside")
	flowOff(m, &terms)
	f := heldOrg(o, &journalOutside, &t, strings.ToLower(m.Name), m.Name, "the journal rule "+m.Name)
	f.Cause = to.Canonical()
	return scored(f, terms, fmt.Sprintf("The journal rule %q sends copies of mail to %s, outside the organisation%s.%s", m.Name, to.Address, setBy(&t), flowState(m)))
}

// settingsAre gives the settings of that name and value.
func settingsAre(x *detect.Exchange, name, value string) []detect.Setting {
	return slices.DeleteFunc(slices.Clone(x.Settings), func(s detect.Setting) bool {
		return s.Name != name || s.Value != value || s.ActorKind == "system" || s.ActorKind == "service"
	})
}

func judgeHeldAuditLog(o *detect.Org, x *detect.Exchange) []tocsin.Finding {
	var out []tocsin.Finding
	for _, c := range []struct{ name, subject, what string }{
		{detect.AuditLog, "audit-log", "The audit log of the organisation was switched off"},
		{detect.MailboxAudit, "mailbox-audit", "Mailbox auditing was switched off for the whole organisation"},
	} {
		for _, s := range settingsAre(x, c.name, "false") {
			out = append(out, *scored(heldOrg(o, &auditLogOff, &s.Told, c.subject, "the organisation", c.name), auditTerms(90, c.what), c.what+setBy(&s.Told)+"."))
		}
	}
	return out
}

func judgeHeldMailboxAudit(o *detect.Org, x *detect.Exchange) []tocsin.Finding {
	var out []tocsin.Finding
	for _, s := range settingsAre(x, detect.AuditEnabled, "false") {
		what := "The mailbox " + s.Mailbox + " is no longer audited"
		out = append(out, *scored(heldOrg(o, &mailboxAuditOff, &s.Told, strings.ToLower(s.Mailbox), s.Mailbox, "AuditEnabled"), auditTerms(68, what), what+setBy(&s.Told)+"."))
	}
	return out
}

func judgeHeldBypass(o *detect.Org, x *detect.Exchange) []tocsin.Finding {
	var out []tocsin.Finding
	for _, s := range settingsAre(x, detect.AuditBypass, "true") {
		what := "What " + s.Mailbox + " does in mailboxes is no longer recorded"
		out = append(out, *scored(heldOrg(o, &mailboxAuditBypass, &s.Told, strings.ToLower(s.Mailbox), s.Mailbox, "AuditBypassEnabled"), auditTerms(75, what), what+setBy(&s.Told)+"."))
	}
	return out
}
