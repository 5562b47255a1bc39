package web

import (
	"fmt"
	"math"
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"tocsin.dev/api"
)

// personTimes are what a person's page tells of on a line of time: mail has a page of its own.
const personTimes = "rule,signin,directory,finding,action,folder"

func (w *web) identity(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	in := byPerson(r, p)
	i, err := w.svc.GetIdentity(r.Context(), in)
	if err != nil {
		return nil, err
	}
	in.Person = i.Person
	t, err := w.svc.GetTimeline(r.Context(), api.TimelineIn{ByPerson: in, Paging: api.Paging{Limit: 30}, Kinds: personTimes})
	if err != nil {
		return nil, err
	}
	p.Title = nameOr(i.Name, i.UPN)
	return identityPage(p, i, t), nil
}

// pin is a place on the map of the world, 360 units wide and 150 high: a degree is a unit, from 84° north to 66° south.
type pin struct {
	X, Y, R      float64
	Class, Title string
}

// pins are the places that are known, the larger the more sign-ins came from there; where none was let in, in another colour.
func pins(places []api.PersonPlace) []pin {
	var out []pin
	for i := len(places) - 1; i >= 0; i-- { // the most on top
		x := places[i]
		if x.Latitude == nil || x.Longitude == nil || math.Abs(*x.Latitude) > 90 || math.Abs(*x.Longitude) > 180 {
			continue
		}
		class := "pin"
		if x.Succeeded == 0 {
			class = "pin refused"
		}
		out = append(out, pin{X: *x.Longitude + 180, Y: 84 - *x.Latitude, R: min(6, 2.2+math.Log1p(float64(x.SignIns))/1.5), Class: class,
			Title: fmt.Sprintf("%s: %s, %d let in", placeName(x.Country, x.City), plural(x.SignIns, "sign-in", "sign-ins"), x.Succeeded)})
	}
	return out
}

// placeName is a place in words.
func placeName(country, city string) string {
	if city == "" || country == "" {
		return city + country
	}
	return city + ", " + country
}

// holdingWord is how a role is held.
func holdingWord(h api.Privilege) string {
	word := map[string]string{"permanent": "Held at all times", "active": "Held for a time", "eligible": "May be taken"}[h.How]
	if h.Group != "" {
		word += ", by the group " + h.Group
	}
	if h.Scope != "" && h.Scope != "/" {
		word += ", for a part of the tenant"
	}
	return word
}

// methodsWord are methods of signing in as people call them.
func methodsWord(methods []string) string {
	names := map[string]string{"microsoftAuthenticatorPush": "Authenticator", "microsoftAuthenticatorPasswordless": "Authenticator without a password", "softwareOneTimePasscode": "Codes by an app", "hardwareOneTimePasscode": "Codes by a device",
		"mobilePhone": "Mobile telephone", "alternateMobilePhone": "Second mobile telephone", "officePhone": "Office telephone", "email": "Mail", "fido2SecurityKey": "Security key", "passKeyDeviceBound": "Passkey",
		"passKeyDeviceBoundAuthenticator": "Passkey in Authenticator", "windowsHelloForBusiness": "Windows Hello", "securityQuestion": "Security questions", "temporaryAccessPass": "Temporary access pass", "certificateBasedAuthentication": "Certificate"}
	var out []string
	for _, m := range methods {
		out = append(out, nameOr(names[m], m))
	}
	return strings.Join(out, ", ")
}

// protectionWord is what Identity Protection says, as people say it.
func protectionWord(x api.Protection) string {
	switch x.State {
	case "at_risk":
		if x.Level == "hidden" {
			return "At risk; how much needs Entra ID P2"
		}
		return "At risk: " + x.Level
	case "confirmed":
		return "Confirmed as taken over"
	case "remediated":
		return "Was at risk; remediated"
	case "dismissed":
		return "Was at risk; dismissed"
	case "safe":
		return "Confirmed as safe"
	}
	return "No risk"
}
