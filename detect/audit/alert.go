package audit

import (
	"time"

	"tocsin.dev/detect"
)

// alert reads an alert of Graph (alerts_v2) or of advanced hunting (AlertInfo).
func alert(o object) Entry {
	n := Entry{Shape: AlertLog, ID: o.text("id", "alertid")}
	n.Record = detect.Record{
		ID: n.ID, Operation: "Alert", Workload: o.text("servicesource", "detectionsource", "providername"), ActorKind: "system",
		Time: Time(o.text("createddatetime", "firstactivitydatetime", "timestamp", "time", "timegenerated")),
	}
	x := extras{}
	x.put("title", o.text("title", "alertname"))
	x.put("severity", o.text("severity", "alertseverity"))
	x.put("status", o.text("status"))
	x.put("category", o.text("category"))
	for _, e := range o.list("evidence") {
		m, ok := e.(map[string]any)
		if !ok {
			continue
		}
		account := members(m).object("useraccount")
		if upn := account.text("userprincipalname", "accountname"); upn != "" && n.Record.Target == "" {
			n.Record.Target = upn
		}
		if ip := addressOf(members(m).text("ipaddress")); ip != "" && n.Record.IP == "" {
			n.Record.IP = ip
		}
	}
	n.Record.Extra = x
	return n
}

// risk reads a detection of Identity Protection, about a person or an application:
// https://learn.microsoft.com/graph/api/resources/riskdetection, https://learn.microsoft.com/graph/api/resources/serviceprincipalriskdetection.
func risk(o object) Entry {
	n := Entry{Shape: RiskLog, ID: o.text("id")}
	n.Record = detect.Record{
		ID: n.ID, Operation: "RiskDetection", Workload: "IdentityProtection", ActorKind: "user", Actor: o.text("userprincipalname", "userdisplayname", "serviceprincipaldisplayname"),
		Time: afterActivity(o), IP: addressOf(o.text("ipaddress")),
	}
	if o.text("serviceprincipalid") != "" {
		n.Record.ActorKind = "app"
	}
	x := extras{}
	x.put("risk", o.text("risklevel"))
	x.put("risk_state", o.text("riskstate"))
	x.put("risk_detail", o.text("riskdetail"))
	x.put("risk_type", o.text("riskeventtype"))
	n.Record.Extra = x
	return n
}

// afterActivity is when it happened, a moment later: the sign-in itself comes before what was detected in it.
func afterActivity(o object) time.Time {
	t := Time(o.text("activitydatetime", "detecteddatetime", "timegenerated", "time"))
	if !t.IsZero() {
		t = t.Add(time.Millisecond)
	}
	return t
}
