package offline

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/audit"
)

// maxDomains bounds how many domains are counted while they are inferred.
const maxDomains = 50_000

// domains finds out which domains are the organisation's where nobody has said: those of the tenant's own names, and those
// of the people who administer and use it. Guests, outside administrators, sign-ins that failed and free mailboxes do not
// count: their domains are not the organisation's.
type domains struct {
	told  map[string]bool
	org   map[string]int // of tenant names
	users map[string]int // of actors
	named map[string]bool
}

func newDomains(told []string) *domains {
	d := &domains{told: map[string]bool{}, org: map[string]int{}, users: map[string]int{}, named: map[string]bool{}}
	for _, t := range told {
		for _, name := range domainList(t) {
			d.told[name] = true
		}
	}
	return d
}

// domainList are the names in a text that lists them, in lower case.
func domainList(text string) []string {
	names := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
	for i, name := range names {
		names[i] = strings.ToLower(strings.TrimPrefix(name, "@"))
	}
	return names
}

// learn looks at a record.
func (d *domains) learn(n *audit.Entry) {
	if len(d.told) > 0 {
		return
	}
	if strings.Contains(n.Org, ".") {
		d.count(d.org, strings.ToLower(n.Org))
	}
	r := &n.Record
	if !n.Guest && (r.ActorKind == "user" || r.ActorKind == "admin") && r.Operation != "UserLoginFailed" && r.Operation != "RiskDetection" &&
		n.Shape != audit.AlertLog && n.Shape != audit.DeviceLog {
		d.person(r.Actor)
	}
	for _, p := range []string{"ForwardingSmtpAddress", "ForwardTo", "RedirectTo", "ForwardAsAttachmentTo", "BlindCopyTo", "RedirectMessageTo", "User", "Trustee"} {
		if domain := (tocsin.Address{Address: r.Params[p]}).Domain(); domain != "" && len(d.named) < maxDomains {
			d.named[strings.TrimRight(domain, "]>\"' ")] = true
		}
	}
}

func (d *domains) person(address string) {
	domain := tocsin.Address{Address: address}.Domain()
	if domain == "" || !strings.Contains(domain, ".") || strings.ContainsAny(domain, " \\/\"'()") || strings.Contains(strings.ToLower(address), "#ext#") ||
		strings.HasSuffix(domain, ".outlook.com") || strings.HasSuffix(domain, ".exchangelabs.com") || domain == "live.com" || detect.FreeMail(address) ||
		domain == "support.onmicrosoft.com" {
		return
	}
	d.count(d.users, domain)
}

func (d *domains) count(in map[string]int, domain string) {
	if _, ok := in[domain]; ok || len(in) < maxDomains {
		in[domain]++
	}
}

// accepted are the domains to judge by: those told, else those inferred, with the subdomains of them that records name: who
// holds a domain holds what is under it. Where not even one is found, none: then nothing is called outside.
func (d *domains) accepted() map[string]bool {
	if len(d.told) > 0 {
		return d.told
	}
	out := map[string]bool{}
	for domain := range d.org {
		out[domain] = true
	}
	for domain := range d.users {
		out[domain] = true
	}
	own := slices.Collect(maps.Keys(out))
	for name := range d.named {
		for _, parent := range own {
			if strings.HasSuffix(name, "."+parent) && !strings.HasSuffix(parent, "onmicrosoft.com") {
				out[name] = true
			}
		}
	}
	return out
}

// list is the accepted domains, those most seen first.
func (d *domains) list() []string {
	accepted := d.accepted()
	return slices.SortedFunc(maps.Keys(accepted), func(a, b string) int {
		return cmp.Or(cmp.Compare(d.users[b]+d.org[b], d.users[a]+d.org[a]), strings.Compare(a, b))
	})
}
