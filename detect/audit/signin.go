package audit

import (
	"strings"
	"time"

	"tocsin.dev/detect"
)

// signInOf reads a sign-in of the directory's own log: Graph's signIn, Log Analytics' SigninLogs, or the diagnostic form.
// Schema: https://learn.microsoft.com/graph/api/resources/signin.
func signInOf(o object) Entry {
	n := Entry{Shape: SignInLog, ID: o.text("id")}
	app := o.text("userprincipalname") == "" && o.text("userid") == "" || strings.HasPrefix(o.text("category"), "ServicePrincipal") || strings.HasPrefix(o.text("category"), "ManagedIdentity")
	n.Record = detect.Record{
		ID: n.ID, Workload: "SignIn", RecordType: o.text("category"), Time: signInTime(o),
		Actor: o.text("userprincipalname", "signinidentifier", "alternatesigninname", "userid"), ActorKind: "user",
		IP: addressOf(o.text("ipaddress", "calleripaddress")), UserAgent: o.text("useragent"), ClientApp: o.text("clientappused"),
		Object: o.text("resourcedisplayname"), Operation: "UserLoggedIn", Result: "success",
	}
	r := &n.Record
	if n.ID != "" {
		n.Twin = "sign-in\x00" + n.ID
	}
	if app {
		r.Actor, r.ActorKind = o.text("serviceprincipalname", "appdisplayname", "serviceprincipalid", "appid"), "app"
	}
	n.Guest = strings.EqualFold(o.text("usertype"), "guest") || !sameTenant(o) || strings.Contains(strings.ToLower(r.Actor), "#ext#")
	x := extras{}
	code := errorCode(o)
	x.put("error", code)
	if code != "0" && code != "" {
		r.Operation, r.Result = "UserLoginFailed", "failure"
	}
	status := o.object("status")
	x.put("reason", status.text("failurereason"))
	for name, from := range map[string]string{
		"app": "appdisplayname", "app_id": "appid", "resource": "resourcedisplayname", "resource_id": "resourceid", "protocol": "authenticationprotocol",
		"requirement": "authenticationrequirement", "risk": "risklevelduringsignin", "risk_aggregated": "risklevelaggregated",
		"risk_state": "riskstate", "risk_detail": "riskdetail", "session": "sessionid", "asn": "autonomoussystemnumber",
		"conditional_access": "conditionalaccessstatus", "correlation": "correlationid", "credential": "clientcredentialtype",
		"credential_id": "serviceprincipalcredentialkeyid", "token": "incomingtokentype", "cross_tenant": "crosstenantaccesstype",
	} {
		x.put(name, o.text(from))
	}
	x.put("interactive", strings.ToLower(o.text("isinteractive")))
	x.put("kind", kindOf(o, app))
	if x["protocol"] == "none" {
		delete(x, "protocol")
	}
	x.list("risk_types", o.texts("riskeventtypes", "riskeventtypesv2"))
	place := o.object("location", "locationdetails")
	x.put("country", place.text("countryorregion"))
	if x["country"] == nil && len(o.text("location")) == 2 {
		x.put("country", o.text("location"))
	}
	x.put("city", place.text("city"))
	x.put("state", place.text("state"))
	if at := place.object("geocoordinates"); !empty(at["latitude"]) && !empty(at["longitude"]) {
		x.put("latitude", at.text("latitude"))
		x.put("longitude", at.text("longitude"))
	}
	device := o.object("devicedetail")
	for name, from := range map[string]string{"device": "displayname", "device_id": "deviceid", "system": "operatingsystem", "browser": "browser", "trust": "trusttype"} {
		x.put(name, device.text(from))
	}
	x.put("compliant", strings.ToLower(device.text("iscompliant")))
	x.put("managed", strings.ToLower(device.text("ismanaged")))
	if !app {
		factors(o, x)
	}
	r.Extra = x
	return n
}

// kindOf is what sort of sign-in it is: by its event types, else by the log that it stands in and whether somebody was asked.
func kindOf(o object, app bool) string {
	types := strings.ToLower(strings.Join(textsOf(o.texts("signineventtypes")), " ") + " " + o.text("category", "type"))
	switch {
	case strings.Contains(types, "managedidentity"):
		return "managed_identity"
	case app, strings.Contains(types, "serviceprincipal"):
		return "service_principal"
	case strings.Contains(types, "noninteractive"), strings.EqualFold(o.text("isinteractive"), "false"):
		return "non_interactive"
	}
	return "interactive"
}

func textsOf(list []any) []string {
	out := make([]string, 0, len(list))
	for _, e := range list {
		out = append(out, textOf(e))
	}
	return out
}

// factors puts how a second factor was met where the record tells: asked for and given, by a claim in the token that was there
// already, refused, or not wanted. Methods are those that were used, in order.
func factors(o object, x extras) {
	var methods []any
	claim, refused, given := false, false, false
	for _, e := range o.list("authenticationdetails") {
		m, ok := e.(map[string]any)
		if !ok {
			continue
		}
		step := members(m)
		method, detail := step.text("authenticationmethod"), strings.ToLower(step.text("authenticationstepresultdetail"))
		if method != "" {
			methods = append(methods, method)
		}
		x.put("factor_detail", step.text("authenticationstepresultdetail"))
		second := strings.Contains(strings.ToLower(step.text("authenticationsteprequirement")), "multi") || strings.Contains(detail, "mfa")
		switch {
		case strings.EqualFold(method, "Previously satisfied"), strings.Contains(detail, "claim in the token"):
			claim = true
		case second && strings.EqualFold(step.text("succeeded"), "false"):
			refused = true
		case second && strings.EqualFold(step.text("succeeded"), "true"):
			given = true
		}
	}
	x.list("methods", methods)
	multi := strings.EqualFold(o.text("authenticationrequirement"), "multiFactorAuthentication")
	more := strings.ToLower(o.object("status").text("additionaldetails"))
	switch {
	case refused && !given:
		x.put("mfa", "refused")
	case given, multi && strings.Contains(more, "mfa completed"):
		x.put("mfa", "asked")
	case multi && (claim || strings.Contains(more, "claim in the token")):
		x.put("mfa", "claim")
	case x["error"] == "0" && strings.EqualFold(o.text("authenticationrequirement"), "singleFactorAuthentication"):
		x.put("mfa", "single")
	}
}

// signInTime is when it was; a table that lost its time columns still tells it among the steps of the authentication.
func signInTime(o object) time.Time {
	t := Time(o.text("createddatetime", "timegenerated", "time", "peventtime"))
	if !t.IsZero() {
		return t
	}
	for _, e := range o.list("authenticationdetails") {
		if m, ok := e.(map[string]any); ok {
			if t = Time(members(m).text("authenticationstepdatetime")); !t.IsZero() {
				return t
			}
		}
	}
	return t
}

// errorCode is the code of the status, else of the result; "Success" is 0.
func errorCode(o object) string {
	code := o.object("status").text("errorcode")
	if code == "" {
		code = o.text("errorcode", "resulttype")
	}
	switch strings.ToLower(code) {
	case "success", "succeeded":
		return "0"
	case "failure", "failed":
		return "failed"
	}
	return code
}

func sameTenant(o object) bool {
	home, resource := o.text("hometenantid"), o.text("resourcetenantid")
	return home == "" || resource == "" || home == resource
}
