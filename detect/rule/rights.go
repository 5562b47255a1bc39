package rule

import (
	"fmt"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// RightsChecks judge what is held of a mailbox's forwarding and of the rights over it, from whichever source. They bear the
// names of the rules on the audit records that tell of the same, and name subject and cause as these do, so that the record
// and the state make one finding: see [Held].
var RightsChecks = []detect.Check{
	{Meta: mailboxForwardsOutside, Judge: perForwarding(judgeHeldOutside)},
	{Meta: mailboxForwardsToNewAccount, Judge: perForwarding(judgeHeldNewAccount)},
	{Meta: mailboxForwardingNoCopy, Judge: perForwarding(judgeHeldNoCopy)},
	{Meta: delegationToLookAlike, Judge: perGrant(&delegationToLookAlike)},
	{Meta: mailboxAccessToOneself, Judge: perGrant(&mailboxAccessToOneself)},
	{Meta: mailboxFullAccess, Judge: perGrant(&mailboxFullAccess)},
	{Meta: sendAsGranted, Judge: perGrant(&sendAsGranted)},
	{Meta: sendOnBehalfGranted, Judge: perGrant(&sendOnBehalfGranted)},
	{Meta: folderOpenedToEveryone, Judge: perGrant(&folderOpenedToEveryone)},
	{Meta: folderSharedWithPerson, Judge: perGrant(&folderSharedWithPerson)},
}

// Held says whether what the rule finds on audit records is judged by the state as well, which decides then whether it is
// still so.
func Held(name string) bool { return heldRules[name] }

var heldRules = func() map[string]bool {
	all := map[string]bool{}
	for i := range RightsChecks {
		all[RightsChecks[i].Name] = true
	}
	for i := range OrganisationChecks {
		all[OrganisationChecks[i].Name] = true
	}
	return all
}()

// Stands says whether what a finding of a held rule rests on is still there in the mailbox, and is not excused, where the
// record's rule sees what the state does not: names and new accounts that other records tell of. Of all others the state
// says itself whether they are so.
func Stands(o *detect.Org, m *detect.Mailbox, f *tocsin.Finding) bool {
	switch f.Rule {
	case mailboxForwardsToNewAccount.Name:
		return o.Excused(&mailboxForwardsToNewAccount, f) == nil && slices.ContainsFunc(forwardings(m), func(w forwarding) bool {
			place, _ := ForwardingPlace(o.For(&mailboxForwardsToNewAccount), m.Address, w.to)
			return w.to == f.Cause && place == detect.Inside
		})
	case delegationToLookAlike.Name:
		return o.Excused(&delegationToLookAlike, f) == nil && slices.ContainsFunc(m.Grants, func(g detect.Grant) bool {
			return g.Kind != detect.RightFolder && !g.Denied && g.Trustee == f.Cause && f.Subject == strings.ToLower(m.Address)
		})
	}
	return false
}

// Lesser says whether a finding says the same of the same grant as a weightier one.
func Lesser(x, than *tocsin.Finding) bool {
	rank := func(name string) int {
		return slices.Index([]string{mailboxFullAccess.Name, sendAsGranted.Name, sendOnBehalfGranted.Name, mailboxAccessToOneself.Name, delegationToLookAlike.Name}, name)
	}
	a, b := rank(x.Rule), rank(than.Rule)
	return a >= 0 && b >= 3 && a < b && x.Subject == than.Subject && x.Cause == than.Cause && x.Person == than.Person
}

// mainAddress is the address by which a mailbox or an account is named in findings: the directory's, where it knows it.
func mainAddress(o *detect.Org, name string) string {
	if k := o.Find(name); k.Address != "" && (k.Kind == detect.Person || k.Kind == detect.Guest || k.Kind == detect.Group) {
		return tocsin.CanonicalAddress(k.Address)
	}
	return name
}

// FolderSubject names a mailbox's folder in findings.
func FolderSubject(mailbox, folder string) string {
	return strings.ToLower(mailbox + ":" + strings.ReplaceAll(strings.Trim(folder, `\/ `), `\`, "/"))
}

// forwarding is a forwarding that is set on a mailbox.
type forwarding struct {
	detect.Told
	to       string
	form     string // as Exchange calls it
	sleeping bool   // Exchange passes it over, since the other is set as well
}

// forwardings are those of a mailbox. Where both are set, Exchange follows ForwardingAddress
// (https://learn.microsoft.com/powershell/module/exchangepowershell/set-mailbox).
func forwardings(m *detect.Mailbox) []forwarding {
	var out []forwarding
	recipient, smtp := m.Settings[detect.ForwardingRecipient], m.Settings[detect.ForwardingSMTP]
	if recipient.Value != "" {
		out = append(out, forwarding{recipient, recipient.Value, "ForwardingAddress", false})
	}
	if smtp.Value != "" {
		out = append(out, forwarding{smtp, smtp.Value, "ForwardingSmtpAddress", recipient.Value != ""})
	}
	return out
}

// withForwarding is the mailboxes with the forwarding set on them as one more rule, which takes every mail.
func withForwarding(ms []*detect.Mailbox) []*detect.Mailbox {
	out := slices.Clone(ms)
	for i, m := range out {
		for _, w := range forwardings(m) {
			if w.sleeping {
				continue
			}
			if out[i] == m {
				c := *m
				c.Rules = slices.Clone(m.Rules)
				out[i] = &c
			}
			out[i].Rules = append(out[i].Rules, detect.Rule{Setting: w.form, FirstSeen: w.Since,
				MailRule: tocsin.MailRule{ID: w.form, Name: w.form, Enabled: true, Forward: []tocsin.Address{{Address: w.to}}}})
		}
	}
	return out
}

func perForwarding(judge func(*detect.Org, *detect.Mailbox, *forwarding) *tocsin.Finding) func(*detect.Org, *detect.Mailbox) []tocsin.Finding {
	return func(o *detect.Org, m *detect.Mailbox) []tocsin.Finding {
		var out []tocsin.Finding
		for _, w := range forwardings(m) {
			if f := judge(o, m, &w); f != nil {
				out = append(out, *f)
			}
		}
		return out
	}
}

// ForwardingPlace is where a forwarding set on a mailbox leads, and to whom where it is through somebody inside.
func ForwardingPlace(o *detect.Org, owner, to string) (place detect.Place, behind string) {
	place = o.Where(owner, tocsin.Address{Address: to})
	if place == detect.Outside || place == detect.Partner {
		return place, ""
	}
	k := o.Find(to)
	for _, a := range k.Outside {
		if p := o.Where(owner, tocsin.Address{Address: a}); p == detect.Outside || p == detect.Unknown {
			return p, a
		}
	}
	if place == detect.Unknown && (k.Kind == detect.Person || k.Kind == detect.Group && !k.Partial) {
		return detect.Inside, ""
	}
	return place, ""
}

// heldFinding begins a finding on what is held of a mailbox.
func heldFinding(o *detect.Org, meta *detect.Meta, m *detect.Mailbox, t *detect.Told, subject, cause, what string) *tocsin.Finding {
	at := t.Since
	if at.IsZero() {
		at = t.At
	}
	if at.IsZero() {
		at = o.Now
	}
	f := meta.Finding(m.Person, m.Address, subject, at)
	f.Cause = cause
	f.Evidence = []tocsin.Evidence{{ID: subject + " " + what, Source: sourceOf(t.Source), What: what, Raw: t.Value}}
	if t.Record != "" {
		e := tocsin.Evidence{ID: t.Record, Source: "audit_log", What: "the audit record that made it so"}
		if t.Actor != "" {
			e.What += ", of " + t.Actor
		}
		f.Evidence = append(f.Evidence, e)
	}
	return &f
}

// sourceOf is a source of rights as evidence names it.
func sourceOf(source string) string {
	if source == "audit" {
		return "audit_log"
	}
	return source
}

// setBy says in a sentence's end who made it so, and when, as far as that is known.
func setBy(t *detect.Told) string {
	var out string
	if t.Actor != "" {
		out = ", by " + t.Actor
	}
	if !t.Since.IsZero() {
		out += ", since " + t.Since.UTC().Format("2006-01-02 15:04") + " UTC"
	}
	return out
}

func judgeHeldOutside(o *detect.Org, m *detect.Mailbox, w *forwarding) *tocsin.Finding {
	place, behind := ForwardingPlace(o, m.Address, w.to)
	if place == detect.Inside || place == detect.Partner {
		return nil
	}
	terms := auditTerms(65, "all mail of the mailbox goes outside")
	where := "outside the organisation"
	switch {
	case behind != "":
		where = "through a contact, guest or group to " + behind
	case place == detect.Unknown:
		where = "to a recipient that nobody can place inside"
		terms = auditTerms(40, "all mail of the mailbox goes to somebody who cannot be placed")
	}
	if own, ok := o.Resembles(w.to); ok {
		terms.Add(15, w.to+" looks like your own domain "+own)
	} else if detect.FreeMail(w.to) {
		terms.Add(5, "a mailbox anybody can have")
	}
	copied := ""
	if apart, lost := noCopy(m, w); lost {
		copied = ", and no copy stays"
		if !apart {
			terms.Add(15, "no copy stays in the mailbox")
		}
	}
	if w.Actor != "" && !auditSame(w.Actor, m.Address) {
		terms.Add(5, "set by somebody else than the mailbox's owner")
	}
	if m.Blocked() {
		terms.Add(10, "the account cannot sign in, yet its mail leaves")
	}
	if w.sleeping {
		terms.Add(-45, "Exchange passes it over, since ForwardingAddress is set as well")
		copied += "; Exchange passes it over, since ForwardingAddress is set as well"
	}
	f := heldFinding(o, &mailboxForwardsOutside, m, &w.Told, strings.ToLower(m.Address), w.to, w.form)
	return scored(f, terms, fmt.Sprintf("The mailbox %s forwards all its mail to %s, %s%s%s.", m.Address, w.to, where, copied, setBy(&w.Told)))
}

// noCopy says whether what is forwarded leaves no copy, and whether that was set apart from the forwarding.
func noCopy(m *detect.Mailbox, w *forwarding) (apart, lost bool) {
	deliver, told := m.Settings[detect.ForwardingDeliver]
	if !told || deliver.Value != "false" {
		return false, false
	}
	return deliver.Record != "" && w.Record != "" && deliver.Record != w.Record && deliver.Since.After(w.Since), true
}

func judgeHeldNewAccount(o *detect.Org, m *detect.Mailbox, w *forwarding) *tocsin.Finding {
	k := o.Find(w.to)
	if place, _ := ForwardingPlace(o, m.Address, w.to); place != detect.Inside || !newThen(&k, &w.Told) {
		return nil
	}
	terms := auditTerms(65, "all mail goes to an account that was made in the week before")
	if _, lost := noCopy(m, w); lost {
		terms.Add(15, "no copy stays in the mailbox")
	}
	f := heldFinding(o, &mailboxForwardsToNewAccount, m, &w.Told, strings.ToLower(m.Address), w.to, w.form)
	return scored(f, terms, fmt.Sprintf("The mailbox %s forwards all its mail to %s, an account made %s before%s.", m.Address, w.to, auditAgo(w.Since.Sub(k.Created)), setBy(&w.Told)))
}

// newThen says whether the account had just been made when it was named.
func newThen(k *detect.Known, t *detect.Told) bool {
	return !k.Created.IsZero() && !t.Since.IsZero() && !t.Since.Before(k.Created) && t.Since.Sub(k.Created) <= newAccountAge
}

func judgeHeldNoCopy(o *detect.Org, m *detect.Mailbox, w *forwarding) *tocsin.Finding {
	place, _ := ForwardingPlace(o, m.Address, w.to)
	if apart, lost := noCopy(m, w); place != detect.Outside || !apart || !lost || w.sleeping {
		return nil
	}
	deliver := m.Settings[detect.ForwardingDeliver]
	f := heldFinding(o, &mailboxForwardingNoCopy, m, &deliver, strings.ToLower(m.Address), "", "DeliverToMailboxAndForward")
	return scored(f, auditTerms(70, "mail leaves and its owner does not see it"),
		fmt.Sprintf("Mail of %s goes to %s without a copy in the mailbox since DeliverToMailboxAndForward was switched off%s.", m.Address, w.to, setBy(&deliver)))
}

// perGrant finds the grants that are judged by the rule of this name.
func perGrant(meta *detect.Meta) func(*detect.Org, *detect.Mailbox) []tocsin.Finding {
	return func(o *detect.Org, m *detect.Mailbox) []tocsin.Finding {
		var out []tocsin.Finding
		for i := range m.Grants {
			if f := judgeHeldGrant(o, m, &m.Grants[i], meta); f != nil {
				out = append(out, *f)
			}
		}
		return out
	}
}

// Marks are what speaks against a grant, a word each: everyone, outside, guest, group (with members outside), blocked (the
// account cannot sign in), new (it had just been made), self (who granted it received it), alike (it looks like the owner or
// who granted it).
func Marks(o *detect.Org, m *detect.Mailbox, g *detect.Grant) []string {
	if g.Inherited || g.Denied {
		return nil
	}
	if g.Everyone() {
		return []string{"everyone"}
	}
	var out []string
	k := o.Find(g.Trustee)
	switch {
	case k.Kind == detect.Guest:
		if p := o.Place(tocsin.Address{Address: g.Trustee}); p != detect.Partner && !slices.ContainsFunc(k.Outside, func(a string) bool { return o.Place(tocsin.Address{Address: a}) == detect.Partner }) {
			out = append(out, "guest")
		}
	case k.Kind == detect.Unlisted && o.Outside(tocsin.Address{Address: g.Trustee}):
		out = append(out, "outside")
	case k.Kind == detect.Group && slices.ContainsFunc(k.Outside, func(a string) bool { return o.Outside(tocsin.Address{Address: a}) }):
		out = append(out, "group")
	}
	if k.Blocked {
		out = append(out, "blocked")
	}
	if newThen(&k, &g.Told) {
		out = append(out, "new")
	}
	if g.Actor != "" && auditSame(g.Actor, g.Trustee) && !auditSame(g.Trustee, m.Address) {
		out = append(out, "self")
	}
	if mistakable(g.Trustee, m.Address) || g.Actor != "" && mistakable(g.Trustee, g.Actor) {
		out = append(out, "alike")
	}
	return out
}

var markTerms = map[string]struct {
	points int
	why    string
}{
	"outside": {20, "given to somebody outside"}, "guest": {15, "given to a guest of another organisation"}, "group": {15, "given to a group with members outside"},
	"blocked": {15, "given to an account that cannot sign in"}, "new": {15, "given to an account that had just been made"},
}

// grantRights are the rights over a whole mailbox: which rule judges one, what it counts, how it is called.
var grantRights = map[string]struct {
	meta   *detect.Meta
	points int
	right  string
}{
	detect.RightFullAccess:   {&mailboxFullAccess, 42, "full access to"},
	detect.RightSendAs:       {&sendAsGranted, 40, "the right to send as"},
	detect.RightSendOnBehalf: {&sendOnBehalfGranted, 35, "the right to send on behalf of"},
}

// judgeHeldGrant judges a grant by the rule that is its own: of those that were there when we first looked only what is
// wrong in itself, of those that were made since all.
func judgeHeldGrant(o *detect.Org, m *detect.Mailbox, g *detect.Grant, meta *detect.Meta) *tocsin.Finding {
	if g.Inherited || g.Denied || g.Value == "" {
		return nil
	}
	if g.Kind == detect.RightFolder {
		return judgeHeldFolder(o, m, g, meta)
	}
	is, known := grantRights[g.Kind]
	if !known {
		return nil
	}
	marks := Marks(o, m, g)
	own, terms := is.meta, auditTerms(is.points, "a standing right over somebody's mailbox")
	for _, mark := range marks {
		if t, ok := markTerms[mark]; ok {
			terms.Add(t.points, t.why)
		}
	}
	why := fmt.Sprintf("%s has %s %s%s.", g.Trustee, is.right, m.Address, setBy(&g.Told))
	switch {
	case slices.Contains(marks, "alike"):
		own, why = &delegationToLookAlike, fmt.Sprintf("%s has %s %s, and its name can be mistaken for %s%s.", g.Trustee, is.right, m.Address, lookAlike(&detect.Memory{}, g.Trustee, m.Address, g.Actor), setBy(&g.Told))
		terms.Add(30, "the account looks like another")
	case slices.Contains(marks, "self"):
		own, why = &mailboxAccessToOneself, fmt.Sprintf("%s gave himself %s %s%s.", g.Actor, is.right, m.Address, setBy(&g.Told))
		terms.Add(25, "who gave the right received it")
	case !g.Witnessed() && len(marks) == 0:
		return nil
	}
	if own.Name != meta.Name {
		return nil
	}
	if len(marks) == 0 && sharedOut(o, g.Actor, m.Address, g.Trustee) {
		terms.Add(-20, "nobody can sign in to the mailbox itself: it is shared, and an administrator gave it to a colleague")
	}
	if word, ok := Exposed(m.Title); ok {
		terms.Add(10, "the mailbox of "+word)
	}
	return scored(heldFinding(o, own, m, &g.Told, strings.ToLower(m.Address), g.Trustee, g.Kind), terms, why)
}

// Exposed says whether somebody with this title is worth more to a thief: who decides, and who pays.
func Exposed(title string) (string, bool) {
	low := " " + detect.Fold(title) + " "
	for _, w := range []string{" ceo ", " cfo ", " coo ", " cto ", " ciso ", "chief ", "president", "managing director", "finance", "accounts payable", "payroll", "treasur",
		"geschaftsfuhr", "vorstand", "buchhaltung", "finanz", "directeur general", "director general", "general counsel", "accountant", "controller"} {
		if strings.Contains(low, w) {
			return title, true
		}
	}
	return "", false
}

// judgeHeldFolder judges a right over a folder. That everybody sees a calendar's details is many an organisation's way: it
// is found where it was opened while we looked, where strangers see it too, or where everybody may write.
func judgeHeldFolder(o *detect.Org, m *detect.Mailbox, g *detect.Grant, meta *detect.Meta) *tocsin.Finding {
	name := g.Path
	if name == "" {
		name = "the whole mailbox"
	}
	if !readRight(g.Value) {
		return nil
	}
	subject := FolderSubject(m.Address, g.Folder)
	if g.Everyone() {
		if meta.Name != folderOpenedToEveryone.Name {
			return nil
		}
		terms := auditTerms(65, g.Name+" may read it")
		if calendar(g.Folder) {
			terms = auditTerms(15, "a calendar that "+g.Name+" may read")
			switch {
			case g.Trustee == "anonymous":
				terms.Add(25, "anybody at all, also outside")
			case writeRight(g.Value):
				terms.Add(25, "everybody may change what is in it")
			case !g.Witnessed():
				return nil
			}
		}
		return scored(heldFinding(o, meta, m, &g.Told, subject, g.Trustee, "rights over "+name), terms,
			fmt.Sprintf("%s of %s is open to %s with %s%s.", name, m.Address, g.Name, g.Value, setBy(&g.Told)))
	}
	if meta.Name != folderSharedWithPerson.Name || calendar(g.Folder) || !mailFolder(g.Folder) {
		return nil
	}
	marks := Marks(o, m, g)
	if !g.Witnessed() && len(marks) == 0 {
		return nil
	}
	terms := auditTerms(40, "somebody else may read the folder")
	for _, mark := range marks {
		if t, ok := markTerms[mark]; ok {
			terms.Add(t.points, t.why)
		}
	}
	return scored(heldFinding(o, meta, m, &g.Told, subject, g.Trustee, "rights over "+name), terms,
		fmt.Sprintf("%s of %s is open to %s with %s%s.", name, m.Address, g.Trustee, g.Value, setBy(&g.Told)))
}

func writeRight(rights string) bool {
	low := strings.ToLower(rights)
	return strings.Contains(low, "editor") || strings.Contains(low, "owner") || strings.Contains(low, "author")
}
