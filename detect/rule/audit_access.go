package rule

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// accessEvents judge who reads mail, and how much at once.
var accessEvents = []detect.Event{
	{Meta: mailReadInBulk, Judge: judgeMailRead},
	{Meta: appReadsManyMailboxes, Judge: judgeAppReads},
	{Meta: mailboxSearched, Judge: judgeMailSearch},
	{Meta: mailExported, Judge: judgeExport},
}

var accessOperations = []string{
	"MailItemsAccessed", "SearchQueryInitiatedExchange", "New-ComplianceSearchAction", "New-MailboxExportRequest",
	"SearchExported", "SearchResultsPurged",
}

var mailReadInBulk = detect.Meta{
	Name: "mail-read-in-bulk", Title: "Much of a mailbox was read at once", Family: "mail access",
	Severity: tocsin.Medium, Attack: []string{"T1114.002"}, Stage: "collection",
	Says:           "100 or more messages of one mailbox were opened within an hour by one client, or Microsoft stopped counting.",
	FalsePositives: "A mail client that syncs anew, backup, eDiscovery: name the application as an exception.",
	Fix:            "See which client and address read; revoke the sessions and the application's grant if it is not yours.",
	Actions:        []string{"revoke_sessions", "force_password_change", "revoke_grant"}, Source: "audit_log",
}

var appReadsManyMailboxes = detect.Meta{
	Name: "app-reads-many-mailboxes", Title: "One application reads many mailboxes", Family: "mail access",
	Severity: tocsin.High, Attack: []string{"T1114.002"}, Stage: "collection",
	Says:           "An application that is not Microsoft's read mail in ten or more mailboxes within a day.",
	FalsePositives: "Backup, archiving, signature products: name them as an exception.",
	Fix:            "Confirm the application; remove its grant and credentials if nobody knows it.",
	Actions:        []string{"revoke_grant"}, Source: "audit_log",
}

var mailboxSearched = detect.Meta{
	Name: "mailbox-searched-for-money", Title: "A mailbox was searched for money or passwords", Family: "mail access",
	Severity: tocsin.Low, Attack: []string{"T1114.002"}, Stage: "collection",
	Says:           "Somebody searched a mailbox for words that intruders look for.",
	FalsePositives: "The owner looking for an invoice.",
	Fix:            "Look at the address and client the search came from.",
	Actions:        []string{"revoke_sessions"}, Source: "audit_log",
}

var mailExported = detect.Meta{
	Name: "mail-exported", Title: "Mail was exported or purged by a content search", Family: "mail access",
	Severity: tocsin.Medium, Attack: []string{"T1114.002", "T1114"}, Stage: "collection",
	Says:           "A content search across mailboxes was exported or purged, or a mailbox was written to a PST.",
	FalsePositives: "Legal and security work with a ticket.",
	Fix:            "Ask for the ticket of the search.",
	Actions:        []string{"revoke_sessions"}, Source: "audit_log",
}

const (
	noteRead     = "mail-read" // mailbox, client → messages in the hour
	noteAppRead  = "app-read"  // application → mailboxes in the day
	bulkItems    = 100
	manyMailboxs = 10
)

func judgeMailRead(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "MailItemsAccessed" || auditService(r) || !auditDone(r) {
		return nil
	}
	mailbox := mailboxRead(r)
	client := auditText(r, "app_id")
	if client == "" {
		client = r.ClientApp
	}
	throttled := strings.EqualFold(auditText(r, "throttled"), "true")
	sync := auditSaid(r, "MailAccessType", "Sync")
	key := strings.ToLower(mailbox + "\x00" + client + "\x00" + r.IP)
	items := auditCount(r, "items")
	if sync && !throttled { // a client that keeps a copy of the mailbox tells folders, not messages
		items = 0
	}
	notes := auditWindow(mem, r, noteRead, key, strconv.Itoa(items), time.Hour)
	total := 0
	for _, n := range notes {
		i, _ := strconv.Atoi(n.Value)
		total += i
	}
	if total < bulkItems && !throttled {
		return nil
	}
	mem.Forget(noteRead, key) // the next hundred are counted anew, into the same finding
	return auditOne(bulkFinding(o, r, mailbox, client, total, throttled, notes))
}

func bulkFinding(o *detect.Org, r *detect.Record, mailbox, client string, total int, throttled bool, notes []detect.Note) tocsin.Finding {
	terms := auditTerms(45, fmt.Sprintf("%s read within an hour by one client", auditPlural(total, "message")))
	if throttled {
		terms.Add(10, "so many that Microsoft stopped recording which")
	}
	if owner := auditText(r, "logon"); owner == "admin" || owner == "delegate" {
		terms.Add(15, "not by its owner")
	}
	if strings.Contains(strings.ToLower(r.ClientApp), "client=rest") && !firstPartyApp(client) {
		terms.Add(10, "through the API by an application")
	} else if total < 5*bulkItems && !throttled && firstPartyApp(client) {
		terms.Add(-10, "by a client of Microsoft's")
	}
	name := auditText(r, "app")
	if name == "" {
		name = client
	}
	if name == "" {
		name = "a client that is not named"
	}
	why := fmt.Sprintf("%s of %s were read within an hour by %s%s.", auditPlural(total, "message"), mailbox, name, auditFrom(r))
	if throttled {
		why = fmt.Sprintf("More mail of %s than Microsoft records was read by %s%s: it stopped counting.", mailbox, name, auditFrom(r))
	}
	return auditFinding(o, &mailReadInBulk, r, mailbox, strings.ToLower(mailbox), strings.ToLower(client)+" "+auditDay(r), why, terms, auditTail(notes, 20)...)
}

func mailboxRead(r *detect.Record) string {
	if owner := auditText(r, "mailbox"); owner != "" {
		return tocsin.CanonicalAddress(owner)
	}
	return r.Actor
}

func judgeAppReads(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	app := auditText(r, "app_id")
	if r.Operation != "MailItemsAccessed" || app == "" || firstPartyApp(app) || !auditDone(r) {
		return nil
	}
	mailbox := strings.ToLower(mailboxRead(r))
	if n, ok := mem.Last(noteAppRead, app+"\x00"+mailbox); ok && r.Time.Sub(n.At) < time.Hour {
		return nil // counted lately
	}
	mem.Forget(noteAppRead, app+"\x00"+mailbox)
	mem.Add(noteAppRead, app+"\x00"+mailbox, detect.Note{At: r.Time})
	notes := auditWindow(mem, r, noteAppRead, app, mailbox, 24*time.Hour)
	n := detect.Distinct(notes)
	if n < manyMailboxs {
		return nil
	}
	terms := auditTerms(65, fmt.Sprintf("%d mailboxes within a day", n))
	name := auditText(r, "app")
	if name == "" {
		name = app
	}
	why := fmt.Sprintf("The application %s read mail in %d mailboxes within a day%s.", name, n, auditFrom(r))
	return auditOne(auditFinding(o, &appReadsManyMailboxes, r, name, strings.ToLower(app), "", why, terms, auditTail(notes, 20)...))
}

// firstPartyApps are Microsoft's own clients and services that read mail.
// See https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in.
var firstPartyApps = map[string]bool{
	"00000002-0000-0ff1-ce00-000000000000": true, // Exchange Online
	"00000003-0000-0ff1-ce00-000000000000": true, // SharePoint Online
	"00000006-0000-0ff1-ce00-000000000000": true, // Office 365 portal
	"00000007-0000-0000-c000-000000000000": true, // Dynamics
	"d3590ed6-52b3-4102-aeff-aad2292ab01c": true, // Microsoft Office
	"27922004-5251-4030-b22d-91ecd9a37ea4": true, // Outlook Mobile
	"5d661950-3475-41cd-a2c3-d671a3162bc1": true, // Microsoft Outlook
	"9199bf20-a13f-4107-85dc-02114787ef48": true, // One Outlook Web
	"bc59ab01-8403-45c6-8796-ac3ef710b3e3": true, // Outlook Online Add-in App
	"1fec8e78-bce4-4aaf-ab1b-5451cc387264": true, // Microsoft Teams
	"cc15fd57-2c6c-4117-a88c-83b1d56b4bbe": true, // Teams services
	"5e3ce6c0-2b1f-4285-8d4b-75ee78787346": true, // Teams web client
	"3c8e478f-21ca-493a-b87c-c7366d664d54": true, // Exchange search indexing
	"8a18aa92-0a1e-4e06-abd0-e118fa4787b1": true, // Exchange REST, system
	"3138fe80-4087-4b04-80a6-8866c738028a": true, // SharePoint notifications
	"4345a7b9-9a63-4910-a426-35363201d503": true, // O365 Suite UX
	"c44b4083-3bb0-49c1-b47d-974e53cbdf3c": true, // Azure Portal
	"89bee1f7-5e6e-4d8a-9f3d-ecd601259da7": true, // Office365 Shell
	"f8d98a96-0999-43f5-8af3-69971c7bb423": true, // Apple Internet Accounts
}

func firstPartyApp(id string) bool { return firstPartyApps[strings.ToLower(id)] }

var soughtWords = []string{
	"invoice", "payment", "wire transfer", "bank", "iban", "payroll", "password", "passwort", "kennwort", "credential", "rechnung",
	"überweisung", "zahlung", "facture", "paiement", "virement", "mot de passe", "factura", "pago", "contraseña", "vpn", "2fa", "mfa", "gehalt", "salary", "w-2",
}

func judgeMailSearch(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "SearchQueryInitiatedExchange" || auditService(r) {
		return nil
	}
	query := auditText(r, "query")
	low := strings.ToLower(query)
	for _, w := range soughtWords {
		if strings.Contains(low, w) {
			why := fmt.Sprintf("%s searched mail for %q%s.", r.Actor, query, auditFrom(r))
			return auditOne(auditFinding(o, &mailboxSearched, r, r.Actor, strings.ToLower(r.Actor), w, why, auditTerms(20, "a word that intruders look for: "+w)))
		}
	}
	return nil
}

func judgeExport(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !auditDone(r) || auditService(r) {
		return nil
	}
	var what string
	terms := detect.Terms{}
	purge := auditSaid(r, "Purge", "true") || r.Operation == "SearchResultsPurged"
	switch {
	case purge:
		what = "purged the results of the content search"
		terms.Add(50, "mail was deleted across mailboxes")
	case r.Operation == "New-ComplianceSearchAction" && auditSaid(r, "Preview", "true"):
		return nil
	case r.Operation == "New-ComplianceSearchAction", r.Operation == "SearchExported":
		what = "exported the results of the content search"
		terms.Add(45, "mail of many mailboxes was taken out")
	case r.Operation == "New-MailboxExportRequest":
		what = "exported a mailbox to a PST"
		terms.Add(55, "a whole mailbox was taken out")
	default:
		return nil
	}
	name := transportName(r)
	if v, ok := auditParam(r, "SearchName"); ok {
		name = v
	}
	why := fmt.Sprintf("%s %s %s%s.", r.Actor, what, name, auditFrom(r))
	return auditOne(auditFinding(o, &mailExported, r, r.Actor, strings.ToLower(r.Actor+":"+name), r.Operation, why, terms))
}
