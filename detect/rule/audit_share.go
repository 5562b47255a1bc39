package rule

import (
	"fmt"
	"path"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// shareEvents judge files that go outside.
var shareEvents = []detect.Event{
	{Meta: anonymousLink, Judge: judgeAnonymousLink},
	{Meta: sharedOutside, Judge: judgeSharing},
	{Meta: sharingWeakened, Judge: judgeSharingPolicy},
	{Meta: siteAdministratorAdded, Judge: judgeSiteAdmin},
	{Meta: malwareInFiles, Judge: judgeMalware},
	{Meta: massDownload, Judge: judgeDownload},
}

var shareOperations = []string{
	"AnonymousLinkCreated", "AnonymousLinkUpdated", "AnonymousLinkUsed", "AddedToSecureLink", "SharingInvitationCreated", "SharingSet",
	"SecureLinkCreated", "AddedToGroup", "SharingPolicyChanged", "SiteCollectionAdminAdded", "FileMalwareDetected", "FileDownloaded",
}

var anonymousLink = detect.Meta{
	Name: "anonymous-link", Title: "A file was opened to everybody who has the link", Family: "files",
	Severity: tocsin.Medium, Attack: []string{"T1567"}, Stage: "exfiltration",
	Says:           "A link that asks for no sign-in was made.",
	FalsePositives: "Material meant for the public.",
	Fix:            "Remove the link, or let it expire; see whether it was used.",
	Actions:        []string{"remove_link"}, Source: "audit_log",
}

var sharedOutside = detect.Meta{
	Name: "file-shared-outside", Title: "A file was shared with somebody outside", Family: "files",
	Severity: tocsin.Low, Attack: []string{"T1567"}, Stage: "exfiltration",
	Says:           "Somebody outside the organisation and its partners may open a file.",
	FalsePositives: "Ordinary collaboration: name partners as trusted.",
	Fix:            "Confirm with who shared it.",
	Actions:        []string{"remove_link"}, Source: "audit_log",
}

var sharingWeakened = detect.Meta{
	Name: "sharing-policy-weakened", Title: "More sharing was allowed", Family: "files",
	Severity: tocsin.Medium, Attack: []string{"T1562.001"}, Stage: "exfiltration",
	Says:           "Anonymous links or guests were allowed for the organisation; for one site it is only noted.",
	FalsePositives: "A new personal site takes over the organisation's setting.",
	Fix:            "Set it back unless it was decided.",
	Actions:        []string{}, Source: "audit_log",
}

var siteAdministratorAdded = detect.Meta{
	Name: "site-administrator-added", Title: "Somebody was made administrator of a site", Family: "files",
	Severity: tocsin.Medium, Attack: []string{"T1098.003"}, Stage: "lateral_movement",
	Says:           "An administrator of a site reads everything in it, of another's personal site too.",
	FalsePositives: "A stand-in for somebody who left.",
	Fix:            "Confirm; remove the right otherwise.",
	Actions:        []string{}, Source: "audit_log",
}

var malwareInFiles = detect.Meta{
	Name: "malware-in-files", Title: "Malware was found in a file", Family: "files",
	Severity: tocsin.High, Attack: []string{"T1080"}, Stage: "lateral_movement",
	Says:           "Microsoft found malware in SharePoint or OneDrive.",
	FalsePositives: "Test files.",
	Fix:            "See who put it there and who opened it.",
	Actions:        []string{"revoke_sessions"}, Source: "audit_log",
}

var massDownload = detect.Meta{
	Name: "mass-download", Title: "Many files were downloaded at once", Family: "files",
	Severity: tocsin.Medium, Attack: []string{"T1530", "T1567"}, Stage: "exfiltration",
	Says:           "One person or application downloaded 300 or more files within an hour.",
	FalsePositives: "Moving to a new computer.",
	Fix:            "Ask the person; revoke the sessions if it was not he.",
	Actions:        []string{"revoke_sessions"}, Source: "audit_log",
}

const (
	noteDownload = "download"
	manyFiles    = 300
)

func fileOf(r *detect.Record) string {
	if f := auditText(r, "file"); f != "" {
		return f
	}
	return path.Base(r.Object)
}

func judgeAnonymousLink(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !strings.HasPrefix(r.Operation, "AnonymousLink") {
		return nil
	}
	who, did := r.Actor, "made a link to "+fileOf(r)+" that asks for no sign-in"
	terms := auditTerms(40, "everybody who has the link can open it")
	switch r.Operation {
	case "AnonymousLinkUpdated":
		did = "changed the link to " + fileOf(r) + " that asks for no sign-in"
	case "AnonymousLinkUsed":
		terms = auditTerms(10, "the link was used")
		who, did = "Somebody", "opened "+fileOf(r)+" by a link that asks for no sign-in"
	}
	at := ""
	if r.IP != "" {
		at = " (from " + r.IP + ")"
	}
	if strings.Contains(auditText(r, "event_data"), "<Type>Edit</Type>") {
		terms.Add(5, "and change it")
	}
	return auditOne(auditFinding(o, &anonymousLink, r, r.Actor, strings.ToLower(r.Object), r.Operation, fmt.Sprintf("%s %s%s.", who, did, at), terms))
}

func judgeSharing(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	switch r.Operation {
	case "AddedToSecureLink", "SharingInvitationCreated", "SharingSet", "SecureLinkCreated", "AddedToGroup":
	default:
		return nil
	}
	if !strings.EqualFold(auditText(r, "recipient_type"), "Guest") || auditService(r) {
		return nil
	}
	to := guestAddress(auditText(r, "recipient"))
	seen := o.For(&sharedOutside)
	if place := seen.Place(tocsin.Address{Address: to}); place == detect.Inside || place == detect.Partner {
		return nil
	}
	why := fmt.Sprintf("%s shared %s with %s, outside the organisation%s.", r.Actor, fileOf(r), strings.ToLower(to), auditFrom(r))
	return auditOne(auditFinding(o, &sharedOutside, r, r.Actor, strings.ToLower(r.Actor), strings.ToLower(to), why, auditTerms(22, "somebody outside may open it")))
}

func judgeSharingPolicy(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "SharingPolicyChanged" || auditService(r) {
		return nil
	}
	for _, p := range []struct{ property, what string }{
		{"ShareUsingAnonymousLinks", "links that ask for no sign-in are allowed"}, {"ShareWithGuests", "sharing with guests is allowed"},
		{"AllowAnonymousMeetingAccess", "anonymous access is allowed"},
	} {
		old, now, ok := auditModified(r, p.property)
		if !ok || !strings.EqualFold(now, "Enabled") && !strings.EqualFold(now, "True") || strings.EqualFold(old, now) {
			continue
		}
		terms := auditTerms(45, p.what)
		where := "the organisation"
		if strings.Contains(r.Object, "/personal/") || strings.Contains(r.Object, "/sites/") || strings.Contains(r.Object, "/teams/") {
			terms.Add(-38, "for one site only")
			where = r.Object
		}
		why := fmt.Sprintf("In %s %s from now on%s.", where, p.what, auditBy(r))
		return auditOne(auditFinding(o, &sharingWeakened, r, r.Actor, strings.ToLower(r.Object), p.property, why, terms))
	}
	return nil
}

func judgeSiteAdmin(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "SiteCollectionAdminAdded" || auditService(r) {
		return nil
	}
	who := auditText(r, "recipient")
	if who == "" {
		_, who, _ = auditModified(r, "SiteAdmin")
	}
	if strings.Contains(strings.ToLower(r.Object), "/personal/"+strings.NewReplacer("@", "_", ".", "_").Replace(strings.ToLower(who))) {
		return nil // the owner of a personal site, when it is made
	}
	terms := auditTerms(40, "an administrator reads everything in the site")
	if auditSame(who, r.Actor) {
		terms.Add(20, "given by himself")
	}
	if strings.Contains(r.Object, "/personal/") {
		terms.Add(10, "another's personal site")
	}
	why := fmt.Sprintf("%s was made administrator of %s%s.", who, r.Object, auditBy(r))
	return auditOne(auditFinding(o, &siteAdministratorAdded, r, who, strings.ToLower(r.Object), strings.ToLower(who), why, terms))
}

func judgeMalware(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "FileMalwareDetected" {
		return nil
	}
	why := fmt.Sprintf("Microsoft found malware in %s%s.", fileOf(r), auditBy(r))
	return auditOne(auditFinding(o, &malwareInFiles, r, r.Actor, strings.ToLower(r.Object), "", why, auditTerms(65, "malware where others open files")))
}

func judgeDownload(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "FileDownloaded" || auditService(r) {
		return nil
	}
	who := strings.ToLower(r.Actor)
	key := who + "\x00" + auditText(r, "app_id")
	notes := auditWindow(mem, r, noteDownload, key, "", time.Hour)
	if len(notes) < manyFiles {
		return nil
	}
	mem.Forget(noteDownload, key)
	why := fmt.Sprintf("%s downloaded %d files within an hour%s.", r.Actor, len(notes), auditFrom(r))
	return auditOne(auditFinding(o, &massDownload, r, r.Actor, who, auditDay(r), why, auditTerms(45, fmt.Sprintf("%d files within an hour", len(notes))), auditTail(notes, 20)...))
}
