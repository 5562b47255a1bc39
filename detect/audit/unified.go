package audit

import (
	"strconv"
	"strings"

	"tocsin.dev/detect"
)

// unified reads a record of the unified audit log, from Purview, the Management Activity API or Log Analytics' OfficeActivity.
// Schema: https://learn.microsoft.com/office/office-365-management-api/office-365-management-activity-api-schema.
func unified(o object) Entry {
	n := Entry{Shape: UnifiedLog, ID: o.text("id", "officeid", "sourcerecordid"), Org: o.text("organizationname")}
	r := &n.Record
	*r = detect.Record{
		ID: n.ID, Operation: operationName(o.text("operation")), Workload: o.text("workload", "officeworkload"), RecordType: o.text("recordtype"),
		// The time of the event; the others come minutes later, and are better than none.
		Time:   Time(o.text("creationtime", "timegenerated", "eventtime", "starttime", "elevationtime", "peventtime")),
		Actor:  o.text("userid"),
		IP:     addressOf(o.text("clientip", "clientipaddress", "actoripaddress")),
		Object: o.text("objectid", "officeobjectid"), Result: o.text("resultstatus"), UserAgent: o.text("useragent"), ClientApp: o.text("clientinfostring"),
	}
	r.ActorKind = actorKind(r.Actor, o.text("usertype"))
	n.Guest = outsider(o, r.Actor)
	r.Params = pairs(o["parameters"], r.Params)
	r.Params = pairs(o["operationproperties"], r.Params)
	r.Params = pairs(o["cmdletparameters"], r.Params)
	r.Modified = changes(o["modifiedproperties"], r.Modified)
	x := extras{}
	x.put("organization", n.Org)
	x.put("external", strings.ToLower(o.text("externalaccess")))
	x.put("app_id", o.text("clientappid", "appid", "applicationid"))
	x.put("app", o.text("clientapplication", "applicationdisplayname", "appdisplayname", "application"))
	switch {
	case strings.HasPrefix(r.Operation, "UserLog"):
		unifiedSignIn(o, r, x)
		if id := o.text("intrasystemid"); len(id) == 36 && !strings.HasPrefix(id, "00000000") {
			n.Twin = "sign-in\x00" + id // the sign-in's id in the directory's own log
		}
	case strings.HasPrefix(r.Workload, "AzureActiveDirectory"), r.RecordType == "8":
		unifiedDirectory(o, r, x)
	case r.Operation == "AlertTriggered", r.Operation == "AlertEntityGenerated":
		unifiedAlert(o, r, x)
	default:
		unifiedMail(o, r, x)
		unifiedFile(o, r, x)
	}
	r.Extra = x
	return n
}

// outsider says whether the actor belongs to another organisation.
func outsider(o object, actor string) bool {
	return strings.EqualFold(o.text("externalaccess"), "true") || strings.EqualFold(o.text("usertype"), "guest") || o.text("usertype") == "10" ||
		strings.Contains(strings.ToLower(actor), "#ext#") || strings.Contains(actor, "guest#")
}

// extras are a record's further members; empty ones are left out.
type extras map[string]any

func (x extras) put(name, value string) {
	if value != "" {
		x[name] = value
	}
}

func (x extras) list(name string, values []any) {
	if len(values) > 0 {
		x[name] = values
	}
}

func unifiedMail(o object, r *detect.Record, x extras) {
	x.put("mailbox", o.text("mailboxownerupn"))
	x.put("logon", logonType(o.text("logontype")))
	x.put("query", o.text("querytext", "query"))
	if v := r.Params["QueryText"]; v != "" {
		x.put("query", v)
	}
	switch r.Operation {
	case "MailItemsAccessed":
		x.put("throttled", strings.ToLower(r.Params["IsThrottled"]))
		if items := itemsAccessed(o); items > 0 {
			x["items"] = strconv.Itoa(items)
		}
	case "AddFolderPermissions", "ModifyFolderPermissions", "UpdateFolderPermissions", "RemoveFolderPermissions":
		folderRights(o, r)
	}
}

func logonType(s string) string {
	switch strings.ToLower(s) {
	case "0", "owner":
		return "owner"
	case "1", "admin":
		return "admin"
	case "2", "delegate", "delegated":
		return "delegate"
	}
	return ""
}

// itemsAccessed is how many messages a record stands for: its count, or those it lists.
func itemsAccessed(o object) int {
	if n, err := strconv.Atoi(o.text("operationcount")); err == nil && n > 0 {
		return n
	}
	n := 0
	for _, f := range o.list("folders") {
		if m, ok := f.(map[string]any); ok {
			n += len(members(m).list("folderitems"))
		}
	}
	return n
}

// folderRights puts what the mailbox's own record tells of a folder's rights where the cmdlet's parameters stand.
func folderRights(o object, r *detect.Record) {
	folder := o.object("item").object("parentfolder")
	if r.Params == nil {
		r.Params = map[string]string{}
	}
	put := func(name, v string) {
		if _, ok := r.Params[name]; !ok && v != "" {
			r.Params[name] = v
		}
	}
	put("User", folder.text("memberupn"))
	put("AccessRights", folder.text("memberrights"))
	put("Identity", o.text("mailboxownerupn")+":"+folder.text("path"))
}

func unifiedFile(o object, r *detect.Record, x extras) {
	x.put("file", o.text("sourcefilename"))
	x.put("recipient", o.text("targetuserorgroupname"))
	x.put("recipient_type", o.text("targetuserorgrouptype"))
	x.put("item_type", o.text("itemtype"))
	x.put("event_data", o.text("eventdata"))
	if _, told := r.Modified["SiteAdmin"]; told && x["recipient"] == nil {
		x.put("recipient", r.Modified["SiteAdmin"][1])
	}
}

// unifiedSignIn is a sign-in in the unified log; the directory's own log tells more of it.
func unifiedSignIn(o object, r *detect.Record, x extras) {
	props := pairs(o["extendedproperties"], nil)
	x.put("error", o.text("errornumber"))
	if e := o.text("logonerror"); e != "" {
		x["error"] = e
	}
	if r.Operation == "UserLoggedIn" && x["error"] == nil {
		x.put("error", "0")
	}
	if r.UserAgent == "" {
		r.UserAgent = props["UserAgent"]
	}
	device := pairs(o["deviceproperties"], nil)
	x.put("session", device["SessionId"])
	x.put("app_id", o.text("applicationid"))
	r.ClientApp = ""
	if strings.Contains(strings.ToLower(props["RequestType"]), "devicecode") || strings.EqualFold(props["RequestType"], "Cmsi:Cmsi") {
		x.put("protocol", "deviceCode")
	}
}

// unifiedDirectory is a change of the directory in the unified log: the actor's and target's names stand among their ids.
func unifiedDirectory(o object, r *detect.Record, x extras) {
	details := pairs(o["extendedproperties"], nil)
	if d := (object{"d": details["additionalDetails"]}).object("d"); len(d) > 0 {
		x.put("reason", d.text("resultreason", "reason"))
		if r.UserAgent == "" {
			r.UserAgent = d.text("user-agent")
		}
	}
	if name := namedID(o, "actor", "5"); name != "" && !strings.Contains(r.Actor, "@") {
		r.Actor = name
	} else if name := namedID(o, "actor", "1"); name != "" && !strings.Contains(r.Actor, "@") {
		r.Actor = name
	}
	if r.ActorKind = actorKind(r.Actor, o.text("usertype")); r.ActorKind == "service" || r.ActorKind == "user" && !strings.Contains(r.Actor, "@") {
		r.ActorKind = "app"
		if machinery.MatchString(r.Actor) || r.Actor == "" {
			r.ActorKind = "system"
		}
	}
	kind := directoryKind(o)
	target := auditTargetObject(kind, namedID(o, "target", "5"), namedID(o, "target", "1"), namedID(o, "target", "2"), r.Object)
	r.Target = target["upn"]
	if r.Target == "" {
		r.Target = target["name"]
	}
	x["targets"] = []any{anyMap(target)}
	if invited := details["invitedUserEmailAddress"]; invited != "" {
		x.put("invited", invited)
	}
}

func auditTargetObject(kind, upn, name, id, object string) map[string]string {
	if upn == "" && strings.Contains(object, "@") {
		upn = object
	}
	if upn != "" && !strings.Contains(upn, "@") {
		upn, name = "", upn
	}
	if name == "" && upn == "" {
		name = object
	}
	return map[string]string{"type": kind, "upn": upn, "name": name, "id": id}
}

func anyMap(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		if v != "" {
			out[k] = v
		}
	}
	return out
}

// namedID is an entry of Actor or Target by its type: 1 a name, 2 an object id or kind, 5 a user principal name.
func namedID(o object, list, kind string) string {
	for _, e := range o.list(list) {
		m, ok := e.(map[string]any)
		if !ok {
			continue
		}
		entry := members(m)
		id := entry.text("id")
		if entry.text("type") != kind || id == "" {
			continue
		}
		if kind == "2" && (directoryKinds[id] || strings.Contains(id, "_")) {
			continue
		}
		return id
	}
	return ""
}

var directoryKinds = map[string]bool{"User": true, "ServicePrincipal": true, "Application": true, "Group": true, "Role": true, "Device": true, "Policy": true, "Domain": true}

// directoryKind is the sort of object that Target names among its ids.
func directoryKind(o object) string {
	for _, e := range o.list("target") {
		if m, ok := e.(map[string]any); ok {
			if id := members(m).text("id"); directoryKinds[id] {
				return id
			}
		}
	}
	return ""
}

func unifiedAlert(o object, r *detect.Record, x extras) {
	x.put("title", o.text("name", "alerttitle"))
	x.put("severity", o.text("severity"))
	x.put("status", o.text("status"))
	x.put("category", o.text("category"))
	if data := o.object("data"); len(data) > 0 {
		r.Target = data.text("mur", "f3u", "eid", "suid")
	}
	r.ActorKind = "system"
}
