package audit

import (
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// Concerns gives the address of who did what a record tells of, and of whose mailbox or account it was done to; each is empty
// where the record does not say it as an address. They are in their canonical form.
func Concerns(r *detect.Record) (who, whose string) {
	who = address(r.Actor)
	owner, _ := r.Extra["mailbox"].(string)
	for _, name := range []string{owner, r.Target, r.Params["Identity"], r.Object} {
		name, _, _ = strings.Cut(name, `\`) // a rule, a folder
		if i := strings.LastIndexByte(name, ':'); i > 0 && strings.Contains(name[:i], "@") {
			name = name[:i]
		}
		if whose = address(name); whose != "" {
			return who, whose
		}
	}
	if strings.HasPrefix(r.Operation, "UserLog") || strings.HasSuffix(r.Operation, "-InboxRule") || r.Workload == "Exchange" && len(r.Params) == 0 {
		whose = who
	}
	return who, whose
}

func address(name string) string {
	if i := strings.LastIndexByte(name, '@'); i < 1 || strings.ContainsAny(name, " /{}\"") {
		return ""
	}
	return tocsin.CanonicalAddress(name)
}

// Told gives what a record tells of addresses: of a contact or mail user, where mail to it goes; of an account, when it was
// made. No names where it tells nothing of the kind.
func Told(r *detect.Record) (names []string, k detect.Known) {
	k = detect.Known{Kind: detect.Person, Created: r.Time}
	all := []string{r.Target, r.Params["UserPrincipalName"], r.Params["PrimarySmtpAddress"]}
	switch r.Operation {
	case "New-MailContact", "New-MailUser":
		to := tocsin.CanonicalAddress(r.Params["ExternalEmailAddress"])
		if to == "" {
			return nil, k
		}
		k.Kind, k.Outside, k.Address = detect.Contact, []string{to}, to
		all = append(all, r.Params["Name"], r.Params["Alias"], r.Params["DisplayName"])
	case "Add user", "New-Mailbox":
	default:
		return nil, k
	}
	for _, n := range all {
		if n = tocsin.CanonicalAddress(n); n != "" {
			names = append(names, n)
		}
	}
	return names, k
}
