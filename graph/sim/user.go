package sim

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// userDefaults are the properties of a user when nothing is selected.
var userDefaults = strings.Fields(`businessPhones displayName givenName jobTitle mail mobilePhone officeLocation
preferredLanguage surname userPrincipalName id`)

const (
	skuE3        = "05e9a617-0261-4cee-bb44-138d3ef5d965"
	planExchange = "efb87545-963c-4e0d-99df-69c6916d9eb0"
	planEntraP1  = "41781fb2-bc02-4b7c-bd55-b576c07bb09d"
	planEntraP2  = "eec0eb4f-6444-4f95-aba0-50c24d67f998"
	skuEntraP2   = "84a661c4-e949-4bd2-a560-ed7766fcaf2b"
)

var licensed = json.RawMessage(`[{"disabledPlans":[],"skuId":"` + skuE3 + `"}]`)
var planned = json.RawMessage(`[{"assignedDateTime":"2024-02-01T08:00:00Z","capabilityStatus":"Enabled","service":"exchange","servicePlanId":"` +
	planExchange + `"},{"assignedDateTime":"2024-02-01T08:00:00Z","capabilityStatus":"Enabled","service":"AADPremiumService","servicePlanId":"` + planEntraP1 + `"}]`)

// user gives the properties of a person as Graph's user. Known properties that say nothing here are null.
func (w *world) user(p *person) getter {
	return func(name string) (any, bool) {
		if v, ok := p.over.get(name); ok {
			return v, true
		}
		if v, ok := w.userName(p, name); ok {
			return v, true
		}
		if v, ok := w.userState(p, name); ok {
			return v, true
		}
		t, ok := userProperties[name]
		if ok && t == 'l' {
			return []any{}, true
		}
		return nil, ok
	}
}

// some is the text, or null where it is empty.
func some(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (w *world) userName(p *person, name string) (any, bool) {
	switch name {
	case "id":
		return p.id, true
	case "displayName":
		return p.display, true
	case "givenName":
		return some(p.first), true
	case "surname":
		return some(p.last), true
	case "userPrincipalName":
		return p.upn(), true
	case "mail":
		return some(p.mail), true
	case "mailNickname":
		return p.local, true
	case "proxyAddresses":
		return w.proxies(p), true
	case "otherMails":
		if p.kind == guest {
			return []string{p.mail}, true
		}
		return []string{}, true
	case "department":
		return some(p.dept), true
	case "jobTitle":
		return some(p.title), true
	case "businessPhones":
		if p.kind != employee {
			return []string{}, true
		}
		return []string{fmt.Sprintf("+31 10 555 %04d", w.seed.at(askPhone, p.i)%10000)}, true
	}
	return nil, false
}

func (w *world) proxies(p *person) []string {
	if p.mail == "" {
		return []string{}
	}
	out := []string{"SMTP:" + p.mail}
	if p.domain == w.domain && p.kind != guest {
		out = append(out, "smtp:"+p.local+"@"+w.initial())
	}
	for _, a := range p.aliases {
		out = append(out, "smtp:"+a)
	}
	return out
}

func (w *world) userState(p *person, name string) (any, bool) {
	synced := p.synced && p.kind != guest
	switch name {
	case "accountEnabled":
		return p.enabled, true
	case "userType":
		if p.kind == guest {
			return "Guest", true
		}
		return "Member", true
	case "createdDateTime", "lastPasswordChangeDateTime", "signInSessionsValidFromDateTime", "refreshTokensValidFromDateTime":
		return p.created, true
	case "city", "country", "officeLocation", "usageLocation", "preferredLanguage":
		return w.userPlace(p, name), true
	case "companyName":
		return w.name, true
	case "assignedLicenses":
		if p.licensed && p.kind == employee {
			return licensed, true
		}
		return []any{}, true
	case "assignedPlans":
		if p.licensed && p.kind == employee {
			return planned, true
		}
		return []any{}, true
	case "onPremisesSyncEnabled":
		if synced {
			return true, true
		}
		return nil, true
	case "onPremisesLastSyncDateTime":
		if synced {
			return w.start.Add(-40 * time.Minute), true
		}
		return nil, true
	case "onPremisesSamAccountName", "onPremisesUserPrincipalName", "onPremisesDomainName":
		return w.userOnPremises(p, name, synced), true
	case "externalUserState":
		if p.kind == guest {
			return "Accepted", true
		}
		return nil, true
	case "creationType":
		if p.kind == guest {
			return "Invitation", true
		}
		return nil, true
	case "birthday", "hireDate": // kept by SharePoint, which has no null
		return time.Time{}, true
	case "signInActivity":
		return w.lastSignIn(p), true
	}
	return nil, false
}

func (w *world) userPlace(p *person, name string) any {
	if p.kind == guest || p.kind == service {
		return nil
	}
	switch name {
	case "city":
		return p.place.city
	case "country":
		return p.place.country
	case "officeLocation":
		return p.place.office
	case "usageLocation":
		return p.place.letters
	}
	return p.place.locale
}

func (w *world) userOnPremises(p *person, name string, synced bool) any {
	switch {
	case !synced:
		return nil
	case name == "onPremisesSamAccountName":
		return p.local
	case name == "onPremisesUserPrincipalName":
		return p.upn()
	}
	return "corp." + w.domain
}

// lastSignIn is between now and 40 days ago; who cannot sign in never did.
func (w *world) lastSignIn(p *person) any {
	if !p.enabled || p.kind == room || p.kind == equipment {
		return nil
	}
	h := w.seed.at(askPhone, p.i)
	at := w.start.Add(-time.Duration(h%(40*24*60)) * time.Minute)
	return obj{{"lastSignInDateTime", at}, {"lastSignInRequestId", w.seed.guid(askPhone, p.i)},
		{"lastNonInteractiveSignInDateTime", at.Add(20 * time.Minute)}, {"lastNonInteractiveSignInRequestId", w.seed.guid(askPurpose, p.i)}}
}
