package web

import (
	"strings"

	"tocsin.dev"
	"tocsin.dev/api"
)

// roleMeaning says what a role may.
type roleMeaning struct {
	Role api.Role
	May  string
}

var roles = []roleMeaning{
	{api.Viewer, "sees all"},
	{api.Analyst, "decides findings, excuses"},
	{api.Admin, "connects, trusts partners"},
	{api.Owner, "lets people in"},
}

// tokenRoles are the roles in the order for a token: the least is what most programs need.
var tokenRoles = roles

// quietsWords says how many open findings fall silent.
func quietsWords(n int, isMore bool, critical int) string {
	more := ""
	if isMore {
		more = "at least "
	}
	return "This quiets " + more + plural(n, "open finding", "open findings") + ", " + thousands(critical) + " of them critical."
}

func scopeWord(s string) string {
	if w, ok := map[string]string{
		"person":  "A person, by id or address",
		"address": "A destination address",
		"domain":  "A destination's domain",
		"subject": "The thing judged, by its id",
	}[s]; ok {
		return w
	}
	return sentence(s)
}

// tenantName is a grant's tenant as people say it.
func tenantName(p *page, tenant string) string {
	if tenant == api.Everywhere || tenant == "" {
		return "everywhere"
	}
	for _, t := range p.Me.Tenants {
		if string(t.ID) == tenant {
			return t.Name
		}
	}
	return tenant
}

func disableQuestion(a api.Account) string {
	if a.Disabled {
		return "Let " + a.Email + " in again?"
	}
	return "Shut " + a.Email + " out? Their sessions and tokens end at once."
}

// qrImage is a PNG, base64, as an image's address.
func qrImage(png string) string { return "data:image/png;base64," + png }

// spaced is a secret in groups of four, to type.
func spaced(s string) string {
	var parts []string
	for len(s) > 4 {
		parts, s = append(parts, s[:4]), s[4:]
	}
	return strings.Join(append(parts, s), " ")
}

func problemTone(c tocsin.Code) string {
	if c == tocsin.Internal || c == tocsin.Unavailable {
		return "part"
	}
	return "plain"
}
