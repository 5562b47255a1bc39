package rule

import (
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// stolenEvents judge what leads to tokens that nobody was asked for: the keys of the organisation's own directory, and mail read
// by what was allowed just before. The first two are in the tables of Microsoft Defender, as exports have them.
var stolenEvents = []detect.Event{
	{Meta: federationKeyRead, Judge: judgeFederationKey},
	{Meta: directoryReplicated, Judge: judgeReplication},
	{Meta: mailReadAfterConsent, Judge: judgeReadAfterConsent},
}

var stolenOperations = []string{"LdapSearch", "Directory Services replication"}

var federationKeyRead = detect.Meta{
	Name: "federation-key-read", Title: "The key of AD FS's token-signing certificate was read", Family: "directory accounts",
	Severity: tocsin.Critical, Attack: []string{"T1552.004", "T1606.002"}, Stage: "access",
	Says:           "A program other than AD FS itself read the key that opens its token-signing certificate. Who has both makes tokens for everybody (golden SAML).",
	FalsePositives: "The AD FS service under a renamed program.",
	Fix:            "Take the AD FS server off the network, roll the token-signing certificate twice, and look at every federated sign-in since.",
	Actions:        []string{"suspend", "revoke_sessions"}, Source: "export",
}

var directoryReplicated = detect.Meta{
	Name: "directory-replicated", Title: "A person's account copied the directory's secrets", Family: "directory accounts",
	Severity: tocsin.High, Attack: []string{"T1003.006"}, Stage: "access",
	Says:           "A person's account asked a domain controller for replication, as only domain controllers do (DCSync).",
	FalsePositives: "Entra Connect under an account that is not called MSOL_ or AAD_.",
	Fix:            "Block the account, and replace the secrets of what it may have copied: krbtgt, AD FS, administrators.",
	Actions:        []string{"suspend", "force_password_change"}, Source: "export",
}

var mailReadAfterConsent = detect.Meta{
	Name: "mail-read-after-consent", Title: "Mail was read by an application soon after one was allowed to", Family: "mail access",
	Severity: tocsin.High, Attack: []string{"T1114.002", "T1528"}, Stage: "collection",
	Says:           "Within a day after a person allowed an application to reach mail, mail of that person was read through Graph or REST by an application.",
	FalsePositives: "An application being introduced: then it is what was allowed.",
	Fix:            "See which application read; revoke its grant and remove its credentials if nobody knows it.",
	Actions:        []string{"revoke_grant", "revoke_sessions"}, Source: "audit_log",
}

// judgeFederationKey looks for the read of the key under which AD FS keeps its certificates: an attribute of a contact in its
// container. https://learn.microsoft.com/windows-server/identity/ad-fs/operations/ad-fs-requirements
func judgeFederationKey(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "LdapSearch" || !strings.Contains(strings.ToLower(auditText(r, "ldap_base")), "cn=adfs,cn=microsoft,cn=program data") {
		return nil
	}
	wants := strings.ToLower(auditText(r, "ldap_wants") + " " + auditText(r, "ldap_filter"))
	program := auditText(r, "program")
	if !strings.Contains(wants, "thumbnailphoto") || strings.EqualFold(program, "Microsoft.IdentityServer.ServiceHost.exe") {
		return nil
	}
	device := auditText(r, "device")
	why := fmt.Sprintf("%s on %s read the key of AD FS's certificates from the directory%s.", nameOr(program, "A program"), nameOr(device, "a device"), auditBy(r))
	return auditOne(auditFinding(o, &federationKeyRead, r, r.Actor, strings.ToLower(r.Actor), strings.ToLower(device), why, auditTerms(90, "with it tokens can be made for everybody")))
}

func nameOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func judgeReplication(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Directory Services replication" {
		return nil
	}
	name, _, _ := strings.Cut(strings.ToUpper(r.Actor), "@")
	if name == "" || strings.HasSuffix(name, "$") || strings.HasPrefix(name, "MSOL_") || strings.HasPrefix(name, "AAD_") {
		return nil
	}
	device := auditText(r, "device")
	why := fmt.Sprintf("%s asked a domain controller for the directory's secrets from %s, as only domain controllers do.", r.Actor, nameOr(device, "a device that the record does not name"))
	return auditOne(auditFinding(o, &directoryReplicated, r, r.Actor, strings.ToLower(r.Actor), strings.ToLower(device), why, auditTerms(80, "it copies the passwords of whom it will")))
}

const (
	noteMailAllowed = "mail allowed" // who consented → scopes
	afterConsent    = 24 * time.Hour
)

func judgeReadAfterConsent(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	switch r.Operation {
	case "Consent to application", "Add delegated permission grant", "Add OAuth2PermissionGrant", "Update delegated permission grant":
		if scopes, _ := consentOf(r); auditDone(r) && strings.Contains(strings.ToLower(scopes), "mail.") {
			mem.Add(noteMailAllowed, tocsin.CanonicalAddress(r.Actor), detect.Note{At: r.Time, ID: r.ID, Value: scopes})
		}
		return nil
	case "MailItemsAccessed":
	default:
		return nil
	}
	app := auditText(r, "app_id")
	if app == "" || !strings.Contains(strings.ToLower(r.ClientApp), "client=rest") {
		return nil
	}
	owner := nameOr(auditText(r, "mailbox"), r.Actor)
	allowed := mem.Since(noteMailAllowed, tocsin.CanonicalAddress(owner), r.Time.Add(-afterConsent))
	if len(allowed) == 0 {
		return nil
	}
	before := allowed[len(allowed)-1]
	why := fmt.Sprintf("%s after %s allowed an application to reach mail (%s), the application %s read %s of theirs%s.", auditAgo(r.Time.Sub(before.At)), owner, before.Value, app,
		auditPlural(max(auditCount(r, "items"), 1), "message"), auditFrom(r))
	terms := auditTerms(65, "mail was read soon after an application was allowed to")
	return auditOne(auditFinding(o, &mailReadAfterConsent, r, owner, strings.ToLower(app), strings.ToLower(owner), why, terms, before))
}
