package audit

import (
	"encoding/json"
	"errors"
	"strings"

	"tocsin.dev/detect"
)

// Shape is the form a record came in; it is counted in the summary.
type Shape string

// The shapes.
const (
	UnifiedLog   Shape = "unified audit log"
	SignInLog    Shape = "sign-ins"
	DirectoryLog Shape = "directory audits"
	AlertLog     Shape = "alerts"
	RiskLog      Shape = "risk detections"
	AzureLog     Shape = "Azure resources" // known and out of scope: nobody's mail or account is in them
	DeviceLog    Shape = "Defender tables" // likewise, as far as they are devices
	Strange      Shape = "not understood"
)

// Entry is a record in the form the rules read, with what the reader needs of it besides.
type Entry struct {
	Record detect.Record
	Shape  Shape
	ID     string // the record's own id; empty where it has none
	Twin   string // what the same event's record in another log has in common with it; empty where it has none
	Org    string // the tenant's name: contoso.onmicrosoft.com
	Guest  bool   // the actor is a guest or an outsider: his domain is not the organisation's

	members object
}

// Members are the record's own members by their [Canonical] names, as far as it was read whole; those within them are as they
// came. It is read only.
func (n *Entry) Members() map[string]any { return n.members }

// Forget lets go of the members.
func (n *Entry) Forget() { n.members = nil }

// Parse brings a record's JSON object into one form, whatever wrote it. An error says what is broken in it, in words for a
// person. Of a record of the unified log that no rule looks at, only what is counted of it may be filled in: see [Whole].
func Parse(text []byte) (Entry, error) { return parse(text, true) }

// Whole is Parse that fills in all, also of what no rule looks at.
func Whole(text []byte) (Entry, error) { return parse(text, false) }

func parse(text []byte, glancing bool) (Entry, error) {
	o, passed, err := decode(text, glancing)
	switch {
	case err != nil:
		return Entry{}, errors.New(Invalid(text))
	case passed != nil:
		return *passed, nil
	}
	return ofObject(o, glancing)
}

// As is Whole for a record of which is known what wrote it, however little it shows of that.
func As(text []byte, shape Shape) (Entry, error) {
	o, _, err := decode(text, false)
	if err != nil {
		return Entry{}, errors.New(Invalid(text))
	}
	return read(unwrapped(o), shape), nil
}

// Row brings a table's row into one form: its columns by [Canonical] name, and its cells.
func Row(names, cells []string) (Entry, error) { return ofObject(columns(names, cells), true) }

// WholeRow is Row that fills in all, also of what no rule looks at.
func WholeRow(names, cells []string) (Entry, error) { return ofObject(columns(names, cells), false) }

// decode reads a JSON object. Where a glance shows a record of the unified log that no rule looks at, it only holds it to be
// valid, and gives what is counted of it.
func decode(text []byte, glancing bool) (object, *Entry, error) {
	if n, ok := glance(text); glancing && ok && json.Valid(text) {
		return nil, n, nil
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, nil, err
	}
	return members(m), nil, nil
}

func ofObject(o object, glancing bool) (Entry, error) {
	inner, passed, err := auditData(o, glancing)
	switch {
	case err != nil:
		return Entry{}, err
	case passed != nil:
		return *passed, nil
	case inner != nil:
		n := unified(inner)
		n.members = inner
		if n.ID == "" {
			n.ID = o.text("recordid", "identity", "id")
			n.Record.ID = n.ID
		}
		if n.Record.Time.IsZero() {
			n.Record.Time = Time(o.text("creationtime", "creationdate", "createddatetime"))
		}
		return n, nil
	}
	o = unwrapped(o)
	return read(o, shapeOf(o)), nil
}

// read reads a record of a shape.
func read(o object, shape Shape) Entry {
	n := Entry{Shape: Strange}
	switch shape {
	case UnifiedLog:
		n = unified(o)
	case SignInLog:
		n = signInOf(o)
	case DirectoryLog:
		n = directory(o)
	case AlertLog:
		n = alert(o)
	case RiskLog:
		n = risk(o)
	case AzureLog:
		n = azure(o)
	case DeviceLog:
		n = defender(o)
	}
	if n.Record.ID == "" { // what a person can look the record up by
		n.Record.ID = o.text("correlationid")
	}
	n.members = o
	return n
}

// auditData is the record within a row or object that only carries it: Purview's AuditData, Defender's RawEventData. Nil
// where there is none; an error where it is not JSON.
func auditData(o object, glancing bool) (object, *Entry, error) {
	for _, name := range []string{"auditdata", "raweventdata"} {
		switch v := o[name].(type) {
		case map[string]any:
			return members(v), nil, nil
		case string:
			if strings.TrimSpace(v) == "" {
				continue
			}
			inner, passed, err := decode([]byte(v), glancing)
			if err != nil {
				return nil, nil, &brokenData{column: name, why: Reason(err)}
			}
			return inner, passed, nil
		}
	}
	return nil, nil, nil
}

// brokenData says that a column that should hold a record does not.
type brokenData struct{ column, why string }

func (b *brokenData) Error() string {
	column := map[string]string{"auditdata": "AuditData", "raweventdata": "RawEventData"}[b.column]
	if strings.HasSuffix(b.why, "in the middle") {
		return column + " ends in the middle: the export cut it off"
	}
	return column + ": " + b.why
}

// unwrapped takes the properties out of Azure's diagnostic form {time, operationName, category, properties:{…}}: they are the
// record, and the outer members fill what it lacks.
func unwrapped(o object) object {
	if _, ok := o["properties"]; !ok || o.text("category") == "" && o.text("categoryvalue") == "" {
		return o
	}
	props := o.object("properties")
	if len(props) == 0 {
		return o
	}
	out := make(object, len(o)+len(props))
	for k, v := range o {
		if k != "properties" {
			out[k] = v
		}
	}
	for k, v := range props {
		if k == "category" { // the diagnostic category says which log it is
			out["innercategory"] = v
			continue
		}
		if !empty(v) {
			out[k] = v
		}
	}
	if out["outeroperation"] = o["operationname"]; empty(o["operationname"]) {
		delete(out, "outeroperation")
	}
	return out
}

// shapeOf tells the shape by the members that only it has.
func shapeOf(o object) Shape {
	kind, category := strings.ToLower(o.text("type", "table")), strings.ToLower(o.text("category"))
	has := func(names ...string) bool {
		for _, n := range names {
			if empty(o[n]) {
				return false
			}
		}
		return true
	}
	switch {
	case has("operation") && (has("workload") || has("officeworkload") || has("recordtype") || has("userkey")):
		return UnifiedLog
	case strings.HasSuffix(category, "signinlogs"), strings.HasPrefix(kind, "signinlogs") && has("resulttype"), strings.HasPrefix(kind, "aad") && strings.Contains(kind, "signinlogs"):
		return SignInLog
	case has("riskeventtype", "risklevel"), has("riskeventtype", "riskstate"):
		return RiskLog
	case strings.HasPrefix(category, "advancedhunting-"):
		return hunting(category)
	case has("initiatedby") && (has("activitydisplayname") || has("operationname")), strings.HasPrefix(kind, "auditlogs"), category == "auditlogs":
		return DirectoryLog
	case has("status") && has("createddatetime") && (has("appdisplayname") || has("clientappused")) && (has("userprincipalname") || has("serviceprincipalid")):
		return SignInLog
	case has("title", "severity") && (has("servicesource") || has("alertid") || has("detectionsource") || has("providername")):
		return AlertLog
	case has("callerip") && has("authorization"), kind == "azureactivity", has("operationnamevalue"), strings.Contains(strings.ToUpper(o.text("operationname")), "MICROSOFT.") && has("resourceid"):
		return AzureLog
	case has("actiontype", "timestamp"), has("actiontype", "deviceid"):
		return DeviceLog
	case has("resourceid", "category") && has("operationname"):
		return AzureLog
	}
	return Strange
}

func hunting(category string) Shape {
	if category == "advancedhunting-alertinfo" {
		return AlertLog
	}
	return DeviceLog
}

// azure keeps of Azure's own log only what reaches from the directory into it.
func azure(o object) Entry {
	n := Entry{Shape: AzureLog, ID: o.text("eventdataid", "id")}
	n.Record = detect.Record{
		ID: n.ID, Time: Time(o.text("timegenerated", "time", "eventsubmissiontimestamp")), Workload: "Azure",
		Operation: o.text("operationnamevalue", "operationname", "outeroperation"), Actor: o.text("caller"), ActorKind: "user",
		IP: addressOf(o.text("calleripaddress")), Result: o.text("activitystatusvalue", "resulttype", "resultsignature"),
	}
	return n
}

// defender reads the tables of advanced hunting: of devices nothing is judged; a cloud application's event without the record
// it was made from tells only what and who.
func defender(o object) Entry {
	n := Entry{Shape: DeviceLog, ID: o.text("reportid", "reportidstring", "reportidlong")}
	n.Record = detect.Record{
		ID: n.ID, Time: Time(o.text("timestamp", "time", "timegenerated")), Operation: operationName(o.text("actiontype")),
		Workload: o.text("application"), Actor: principal(o), ActorKind: "user",
		IP: addressOf(o.text("ipaddress")), UserAgent: o.text("useragent"), Target: o.text("objectname"),
	}
	x := extras{}
	x.put("permissions", o.text("permissions"))
	x.put("permissions_in", o.text("permissionsaddedto"))
	if more := o.object("additionalfields"); len(more) > 0 {
		x.put("ldap_base", more.text("distinguishedname"))
		x.put("ldap_filter", more.text("searchfilter"))
		x.put("ldap_wants", strings.Join(textsOf(more.list("attributelist")), " "))
	}
	if n.Record.Workload == "" || n.Record.Workload == "Active Directory" {
		x.put("program", o.text("initiatingprocessfilename"))
		x.put("device", o.text("devicename"))
	}
	if len(x) > 0 {
		n.Record.Extra = x
	}
	return n
}

// principal is who acted: by the address, which other logs have as well, before the name that is shown.
func principal(o object) string {
	for _, name := range []string{"accountupn", "userid", "userprincipalname", "initiatingprocessaccountupn"} {
		if s := o.text(name); strings.Contains(s, "@") {
			return s
		}
	}
	return o.text("accountdisplayname", "accountname")
}

// operationName is an operation in one spelling: without the full stop and blanks at its end that some logs have.
func operationName(s string) string {
	return strings.TrimRight(strings.TrimSpace(s), ". ")
}
