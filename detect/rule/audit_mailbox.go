package rule

import (
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// mailboxEvents judge forwarding set on the mailbox itself, which no inbox rule shows.
// Parameters: https://learn.microsoft.com/powershell/module/exchangepowershell/set-mailbox.
var mailboxEvents = []detect.Event{
	{Meta: mailboxForwardsOutside, Judge: judgeMailboxForwarding},
	{Meta: mailboxForwardsToNewAccount, Judge: auditBeside},
	{Meta: mailboxForwardingNoCopy, Judge: judgeNoCopy},
	{Meta: mailboxForwardingChanged, Judge: auditBeside},
}

var mailboxOperations = []string{"Set-Mailbox"}

var mailboxForwardsOutside = detect.Meta{
	Name: "mailbox-forwards-outside", Title: "A mailbox forwards outside", Family: "mailbox forwarding",
	Severity: tocsin.High, Attack: []string{"T1114.003"}, Stage: "exfiltration",
	Says:           "Forwarding set on the mailbox (not as a rule) leads to an address outside the organisation.",
	FalsePositives: "Forwarding to a former employee's or contractor's address that was agreed on.",
	Fix:            "Clear ForwardingSmtpAddress and ForwardingAddress, revoke the sessions of who set it, and read what left meanwhile from the message trace.",
	Actions:        []string{"clear_forwarding", "revoke_sessions", "force_password_change"}, Source: "audit_log",
}

var mailboxForwardsToNewAccount = detect.Meta{
	Name: "mailbox-forwards-to-new-account", Title: "A mailbox forwards to an account that was just made", Family: "mailbox forwarding",
	Severity: tocsin.High, Attack: []string{"T1114.003", "T1136.003"}, Stage: "collection",
	Says:           "Forwarding leads to an inside account or contact made in the seven days before.",
	FalsePositives: "A newcomer who takes over a colleague's mail.",
	Fix:            "Find out who made the account and why; clear the forwarding until that is known.",
	Actions:        []string{"clear_forwarding", "revoke_sessions"}, Source: "audit_log",
}

var mailboxForwardingNoCopy = detect.Meta{
	Name: "mailbox-forwarding-keeps-no-copy", Title: "Forwarded mail leaves no copy in the mailbox", Family: "mailbox forwarding",
	Severity: tocsin.High, Attack: []string{"T1114.003", "T1564.008"}, Stage: "hiding",
	Says:           "DeliverToMailboxAndForward was switched off while the mailbox forwards outside: its owner no longer sees the mail.",
	FalsePositives: "A mailbox whose owner has left.",
	Fix:            "Clear the forwarding; the missing mail is only in the message trace and at the destination.",
	Actions:        []string{"clear_forwarding", "revoke_sessions"}, Source: "audit_log",
}

var mailboxForwardingChanged = detect.Meta{
	Name: "mailbox-forwarding-changed", Title: "A mailbox's forwarding was changed or removed", Family: "mailbox forwarding",
	Severity: tocsin.Info, Attack: []string{"T1114.003"}, Stage: "collection",
	Says:           "Forwarding was set to an address inside, changed, or removed.",
	FalsePositives: "Ordinary administration.",
	Fix:            "Nothing, if it was asked for.",
	Actions:        []string{"clear_forwarding"}, Source: "audit_log",
}

const (
	noteMade       = "account-made"  // address or alias → when
	noteForwarding = "forwarding-to" // mailbox → the destination
	newAccountAge  = 7 * 24 * time.Hour
)

// noteAccount notes the addresses of an account that was just made.
func noteAccount(mem *detect.Memory, r *detect.Record) {
	names := []string{auditTargetOf(r, "User").Label(), auditMailbox(r)}
	for _, p := range []string{"UserPrincipalName", "MicrosoftOnlineServicesID", "WindowsLiveID", "PrimarySmtpAddress", "ExternalEmailAddress", "Alias", "Name"} {
		v, _ := auditParam(r, p)
		names = append(names, v)
	}
	for _, n := range names {
		if n = tocsin.CanonicalAddress(n); n != "" {
			mem.Add(noteMade, n, detect.Note{At: r.Time, ID: r.ID})
		}
	}
}

// justMade gives the note of an account's making where it is younger than newAccountAge.
func justMade(o *detect.Org, mem *detect.Memory, r *detect.Record, address string) (detect.Note, bool) {
	a := tocsin.CanonicalAddress(address)
	if n, ok := mem.Last(noteMade, a); ok && r.Time.Sub(n.At) <= newAccountAge {
		return n, true
	}
	if local, _, ok := strings.Cut(a, "@"); ok {
		if n, ok := mem.Last(noteMade, local); ok && r.Time.Sub(n.At) <= newAccountAge {
			return n, true
		}
	}
	if k := o.Find(a); !k.Created.IsZero() && !r.Time.Before(k.Created) && r.Time.Sub(k.Created) <= newAccountAge {
		return detect.Note{At: k.Created}, true
	}
	return detect.Note{}, false
}

// forwardingParam is the destination that Set-Mailbox names, and whether it names forwarding at all.
func forwardingParam(r *detect.Record) (to tocsin.Address, told bool) {
	for _, name := range []string{"ForwardingSmtpAddress", "ForwardingAddress"} {
		v, ok := auditParam(r, name)
		if !ok {
			continue
		}
		told = true
		if a, ok := auditAddress(v); ok && !strings.EqualFold(a.Address, "$null") {
			return a, true
		}
	}
	return tocsin.Address{}, told
}

func judgeMailboxForwarding(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Set-Mailbox" || !auditDone(r) || auditService(r) {
		return nil
	}
	to, told := forwardingParam(r)
	if !told {
		return nil
	}
	mailbox := mainAddress(o, auditMailbox(r))
	to.Address = mainAddress(o, to.Address)
	key := strings.ToLower(mailbox)
	before, had := mem.Last(noteForwarding, key)
	mem.Forget(noteForwarding, key)
	if to.Address == "" {
		return forwardingRemoved(o, r, mailbox, before, had)
	}
	mem.Add(noteForwarding, key, detect.Note{At: r.Time, ID: r.ID, Value: to.Address})
	seen := o.For(&mailboxForwardsOutside)
	switch seen.Place(to) {
	case detect.Partner:
		return nil
	case detect.Inside:
		return forwardsInside(o, mem, r, mailbox, to, before, had)
	}
	return forwardsOutside(o, r, mailbox, to, before, had, seen.Place(to))
}

func forwardsOutside(o *detect.Org, r *detect.Record, mailbox string, to tocsin.Address, before detect.Note, had bool, place detect.Place) []tocsin.Finding {
	terms := auditTerms(65, "all mail of the mailbox goes outside")
	where := "outside the organisation"
	if place == detect.Unknown {
		where = "to a recipient that the record does not place inside"
		if k := o.Find(to.Address); len(k.Outside) > 0 {
			where = "through a contact or group to " + k.Outside[0]
		} else {
			terms = auditTerms(40, "all mail of the mailbox goes to somebody who cannot be placed")
		}
	}
	copied := ""
	if auditSaid(r, "DeliverToMailboxAndForward", "false") {
		terms.Add(15, "no copy stays in the mailbox")
		copied = ", and no copy stays"
	}
	if had && !auditSame(before.Value, to.Address) {
		terms.Add(5, "it led elsewhere before")
		copied += fmt.Sprintf("; before it went to %s", before.Value)
	}
	if !auditSame(r.Actor, mailbox) && r.Actor != "" {
		terms.Add(5, "set by somebody else than the mailbox's owner")
	}
	auditOutsider(r, &terms)
	why := fmt.Sprintf("The mailbox %s forwards all its mail to %s, %s%s%s.", mailbox, tocsin.CanonicalAddress(to.Address), where, copied, auditBy(r))
	f := auditFinding(o, &mailboxForwardsOutside, r, mailbox, strings.ToLower(mailbox), tocsin.CanonicalAddress(to.Address), why, terms)
	f.Evidence[0].Raw = to.Address
	return auditOne(f)
}

func forwardsInside(o *detect.Org, mem *detect.Memory, r *detect.Record, mailbox string, to tocsin.Address, before detect.Note, had bool) []tocsin.Finding {
	if made, ok := justMade(o, mem, r, to.Address); ok {
		terms := auditTerms(65, "all mail goes to an account that was made in the week before")
		if auditSaid(r, "DeliverToMailboxAndForward", "false") {
			terms.Add(15, "no copy stays in the mailbox")
		}
		why := fmt.Sprintf("The mailbox %s forwards all its mail to %s, an account made %s before%s.",
			mailbox, tocsin.CanonicalAddress(to.Address), auditAgo(r.Time.Sub(made.At)), auditBy(r))
		return auditOne(auditFinding(o, &mailboxForwardsToNewAccount, r, mailbox, strings.ToLower(mailbox), tocsin.CanonicalAddress(to.Address), why, terms, made))
	}
	if had && auditSame(before.Value, to.Address) {
		return nil
	}
	verb := "now forwards"
	if had {
		verb = "forwards no longer to " + before.Value + " but"
	}
	why := fmt.Sprintf("The mailbox %s %s to %s, inside the organisation%s.", mailbox, verb, tocsin.CanonicalAddress(to.Address), auditBy(r))
	return auditOne(auditFinding(o, &mailboxForwardingChanged, r, mailbox, strings.ToLower(mailbox), tocsin.CanonicalAddress(to.Address), why,
		auditTerms(10, "forwarding inside the organisation")))
}

func forwardingRemoved(o *detect.Org, r *detect.Record, mailbox string, before detect.Note, had bool) []tocsin.Finding {
	was := ""
	if had {
		was = " to " + before.Value
	}
	why := fmt.Sprintf("The forwarding of %s%s was removed%s.", mailbox, was, auditBy(r))
	terms := auditTerms(5, "forwarding removed")
	return auditOne(auditFinding(o, &mailboxForwardingChanged, r, mailbox, strings.ToLower(mailbox), "removed", why, terms, before))
}

// judgeNoCopy is for the copy switched off in a record of its own, after forwarding outside was set.
func judgeNoCopy(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Set-Mailbox" || !auditDone(r) || auditService(r) || !auditSaid(r, "DeliverToMailboxAndForward", "false") {
		return nil
	}
	if _, told := forwardingParam(r); told {
		return nil // a term of the finding on the forwarding itself
	}
	mailbox := mainAddress(o, auditMailbox(r))
	to, ok := mem.Last(noteForwarding, strings.ToLower(mailbox))
	if !ok || !o.For(&mailboxForwardingNoCopy).Outside(tocsin.Address{Address: to.Value}) {
		return nil
	}
	why := fmt.Sprintf("Mail of %s goes to %s without a copy in the mailbox since DeliverToMailboxAndForward was switched off%s.", mailbox, to.Value, auditBy(r))
	return auditOne(auditFinding(o, &mailboxForwardingNoCopy, r, mailbox, strings.ToLower(mailbox), "", why,
		auditTerms(70, "mail leaves and its owner does not see it"), to))
}

// auditAgo is a duration in words, in its largest unit.
func auditAgo(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return auditPlural(int(d.Seconds()), "second")
	case d < 2*time.Hour:
		return auditPlural(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return auditPlural(int(d.Hours()), "hour")
	}
	return auditPlural(int(d.Hours()/24), "day")
}
