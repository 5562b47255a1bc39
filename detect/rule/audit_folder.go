package rule

import (
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

var folderOpenedToEveryone = detect.Meta{
	Name: "mail-folder-opened-to-everyone", Title: "A mail folder was opened to everybody", Family: "delegation",
	Severity: tocsin.High, Attack: []string{"T1114.002"}, Stage: "collection",
	Says:           "Default or Anonymous received rights on a mail folder.",
	FalsePositives: "A shared calendar (judged lower), a department's folder that all may read.",
	Fix:            "Set the right back to None.",
	Actions:        []string{"remove_delegation"}, Source: "audit_log",
}

var folderSharedWithPerson = detect.Meta{
	Name: "mail-folder-shared", Title: "A mail folder was opened to somebody", Family: "delegation",
	Severity: tocsin.Medium, Attack: []string{"T1098.002"}, Stage: "collection",
	Says:           "One person received the right to read the inbox, the sent items or the whole mailbox of another.",
	FalsePositives: "Assistants and stand-ins.",
	Fix:            "Confirm with the owner.",
	Actions:        []string{"remove_delegation"}, Source: "audit_log",
}

func judgeFolder(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	switch r.Operation {
	case "Add-MailboxFolderPermission", "Set-MailboxFolderPermission", "AddFolderPermissions", "ModifyFolderPermissions", "UpdateFolderPermissions":
	default:
		return nil
	}
	if !auditDone(r) || auditService(r) {
		return nil
	}
	user, _ := auditParam(r, "User")
	rights, _ := auditParam(r, "AccessRights")
	identity, _ := auditParam(r, "Identity")
	if !readRight(rights) || user == "" || strings.HasPrefix(user, "Owner@local") || strings.HasPrefix(user, "Member@local") {
		return nil
	}
	mailbox, folder, _ := strings.Cut(identity, ":")
	mailbox = auditAlias(r, mailbox)
	if owner := auditText(r, "mailbox"); owner != "" {
		mailbox = tocsin.CanonicalAddress(owner)
	}
	folder = strings.Trim(folder, `\/ `)
	name := folder
	if name == "" {
		name = "the whole mailbox"
	}
	if auditSame(user, mailbox) {
		return nil
	}
	mailbox, user = mainAddress(o, mailbox), mainAddress(o, user)
	key := FolderSubject(mailbox, folder)
	if strings.EqualFold(user, "default") || strings.EqualFold(user, "anonymous") || strings.EqualFold(user, "everyone") {
		terms := auditTerms(65, user+" may read it")
		if calendar(folder) {
			terms = auditTerms(15, "a calendar that "+user+" may read")
		}
		why := fmt.Sprintf("%s of %s was opened to %s with %s%s.", name, mailbox, user, rights, auditBy(r))
		return auditOne(auditFinding(o, &folderOpenedToEveryone, r, mailbox, key, strings.ToLower(user), why, terms))
	}
	if calendar(folder) || !mailFolder(folder) {
		return nil
	}
	terms := auditTerms(40, "somebody else may read the folder")
	if o.For(&folderSharedWithPerson).Outside(tocsin.Address{Address: user}) {
		terms.Add(25, "somebody outside")
	}
	if made, ok := justMade(o, mem, r, user); ok {
		terms.Add(20, "an account made "+auditAgo(r.Time.Sub(made.At))+" before")
	}
	why := fmt.Sprintf("%s of %s was opened to %s with %s%s.", name, mailbox, user, rights, auditBy(r))
	return auditOne(auditFinding(o, &folderSharedWithPerson, r, mailbox, key, strings.ToLower(user), why, terms))
}

// readRight says whether access rights let somebody read: names of roles, or the rights of the mailbox's own record.
func readRight(rights string) bool {
	low := strings.ToLower(rights)
	for _, w := range []string{"reviewer", "author", "editor", "owner", "readitems", "readany", "readall", "fullaccess"} {
		if strings.Contains(low, w) {
			return low != "editowned" && low != "deleteowned"
		}
	}
	return false
}

func calendar(folder string) bool {
	low := strings.ToLower(folder)
	for _, w := range []string{"calendar", "kalender", "calendrier", "calendario", "agenda", "contacts", "kontakte", "tasks", "aufgaben", "birthdays"} {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
}

func mailFolder(folder string) bool {
	low := strings.ToLower(folder)
	if low == "" || low == "top of information store" {
		return true
	}
	for _, w := range []string{"inbox", "sent", "posteingang", "gesendet", "boîte de réception", "envoyés", "bandeja de entrada", "enviados", "posta in arrivo", "postvak in"} {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
}
