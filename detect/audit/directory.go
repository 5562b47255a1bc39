package audit

import (
	"strings"

	"tocsin.dev/detect"
)

// directory reads a directory audit: Graph's directoryAudit, Log Analytics' AuditLogs, or the diagnostic form.
// Schema: https://learn.microsoft.com/graph/api/resources/directoryaudit.
func directory(o object) Entry {
	n := Entry{Shape: DirectoryLog, ID: o.text("id")}
	op := o.text("operationname", "activitydisplayname", "outeroperation")
	if v := textOf(o["outeroperation"]); v != "" { // the diagnostic form's own name holds where the two differ
		op = v
	}
	n.Record = detect.Record{
		ID: n.ID, Operation: operationName(op), Workload: "AzureActiveDirectory", RecordType: o.text("innercategory", "category"),
		Time:   Time(o.text("activitydatetime", "timegenerated", "time", "peventtime")),
		Result: o.text("result", "resulttype"), Object: o.text("resourceid"),
	}
	r := &n.Record
	x := extras{}
	x.put("category", o.text("innercategory", "category"))
	x.put("reason", o.text("resultreason", "resultdescription"))
	who(o, r, x)
	targets(o, r, x)
	for name, value := range pairs(o["additionaldetails"], nil) {
		switch strings.ToLower(name) {
		case "user-agent":
			r.UserAgent = value
		case "inviteduseremailaddress":
			x.put("invited", value)
		case "ipaddr":
			if r.IP == "" {
				r.IP = addressOf(value)
			}
		}
	}
	r.Extra = x
	return n
}

// who did it: a user or an application.
func who(o object, r *detect.Record, x extras) {
	by := o.object("initiatedby")
	user, app := by.object("user"), by.object("app")
	r.ActorKind = "user"
	r.Actor = user.text("userprincipalname", "displayname", "id")
	r.IP = addressOf(user.text("ipaddress"))
	x.put("actor_name", user.text("displayname"))
	if r.Actor == "" && len(app) > 0 {
		r.Actor = app.text("displayname", "serviceprincipalname", "serviceprincipalid", "appid")
		r.ActorKind = "app"
		x.put("app", r.Actor)
		x.put("app_id", app.text("appid"))
	}
	if r.Actor == "" {
		r.Actor = o.text("initiatinguserorapp", "identity", "caller")
	}
	if machinery.MatchString(r.Actor) {
		r.ActorKind = "system"
	}
	if r.IP == "" {
		r.IP = addressOf(o.text("calleripaddress", "ipaddress"))
	}
}

// targets are what it was done to, and the properties that changed.
func targets(o object, r *detect.Record, x extras) {
	list := o.list("targetresources")
	if list == nil {
		if m, ok := o.value("target").(map[string]any); ok {
			list = []any{m}
		}
	}
	var out []any
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			continue
		}
		t := members(m)
		target := map[string]string{"id": t.text("id"), "name": t.text("displayname"), "type": t.text("type"), "upn": t.text("userprincipalname")}
		out = append(out, anyMap(target))
		if r.Target == "" && (target["upn"] != "" || target["type"] == "User") {
			if r.Target = target["upn"]; r.Target == "" {
				r.Target = target["name"]
			}
		}
		r.Modified = changes(t["modifiedproperties"], r.Modified)
	}
	x.list("targets", out)
}
