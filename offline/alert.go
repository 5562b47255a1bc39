package offline

import (
	"tocsin.dev/detect"
)

// alert reads an alert of Graph (alerts_v2) or of advanced hunting (AlertInfo).
func alert(o object) normal {
	n := normal{shape: alertLog, id: o.text("id", "alertid")}
	n.record = detect.Record{
		ID: n.id, Operation: "Alert", Workload: o.text("servicesource", "detectionsource", "providername"), ActorKind: "system",
		Time: timeOf(o.text("createddatetime", "firstactivitydatetime", "timestamp", "time", "timegenerated")),
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
		if upn := account.text("userprincipalname", "accountname"); upn != "" && n.record.Target == "" {
			n.record.Target = upn
		}
		if ip := addressOf(members(m).text("ipaddress")); ip != "" && n.record.IP == "" {
			n.record.IP = ip
		}
	}
	n.record.Extra = x
	return n
}

// risk reads a detection of Identity Protection: https://learn.microsoft.com/graph/api/resources/riskdetection.
func risk(o object) normal {
	n := normal{shape: riskLog, id: o.text("id")}
	n.record = detect.Record{
		ID: n.id, Operation: "RiskDetection", Workload: "IdentityProtection", ActorKind: "user", Actor: o.text("userprincipalname", "userdisplayname"),
		Time: timeOf(o.text("activitydatetime", "detecteddatetime", "timegenerated", "time")), IP: addressOf(o.text("ipaddress")),
	}
	x := extras{}
	x.put("risk", o.text("risklevel"))
	x.put("risk_state", o.text("riskstate"))
	x.put("risk_detail", o.text("riskdetail"))
	x.put("risk_type", o.text("riskeventtype"))
	n.record.Extra = x
	return n
}
