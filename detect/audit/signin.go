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
		"app": "appdisplayname", "app_id": "appid", "resource": "resourcedisplayname", "protocol": "authenticationprotocol",
		"requirement": "authenticationrequirement", "risk": "risklevelduringsignin", "risk_aggregated": "risklevelaggregated",
		"risk_state": "riskstate", "risk_detail": "riskdetail", "session": "sessionid", "asn": "autonomoussystemnumber",
		"conditional_access": "conditionalaccessstatus",
	} {
		x.put(name, o.text(from))
	}
	x.put("interactive", strings.ToLower(o.text("isinteractive")))
	x.list("risk_types", o.texts("riskeventtypes", "riskeventtypesv2"))
	place := o.object("location", "locationdetails")
	x.put("country", place.text("countryorregion"))
	if x["country"] == nil && len(o.text("location")) == 2 {
		x.put("country", o.text("location"))
	}
	r.Extra = x
	return n
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
