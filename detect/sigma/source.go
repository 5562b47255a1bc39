package sigma

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"tocsin.dev/detect/audit"
)

// Source is a log that rules read, by the product and service that they name.
type Source struct {
	Product, Service string
	Name             string // in words
	Lacks            string // why nothing of it is here; empty where it is collected
	accepts          func(*Event) bool
	special          map[string]func(*Event, func(string)) // what fields that are no members of a record mean, by canonical name
	shape            audit.Shape                           // of an example that does not show it
}

// field is a field of a rule: a path into a record.
type field struct {
	name string // as the rule writes it
	key  string // by which an event remembers its values
	path []string
	src  *Source
}

func (s *Source) field(name string) *field {
	f := &field{name: name, src: s}
	for part := range strings.SplitSeq(name, ".") {
		if part = audit.Canonical(part); part != "" {
			f.path = append(f.path, part)
		}
	}
	if len(f.path) > 1 && f.path[0] == "properties" {
		f.path = f.path[1:]
	}
	f.key = s.Service + "\x00" + strings.Join(f.path, ".")
	return f
}

// sources are the logs that are collected, or read from files.
var sources = []*Source{
	{Product: "m365", Service: "audit", Name: "the unified audit log", accepts: ofUnified, special: unifiedFields, shape: audit.UnifiedLog},
	{Product: "m365", Service: "exchange", Name: "the unified audit log", accepts: ofUnified, special: unifiedFields, shape: audit.UnifiedLog},
	{Product: "m365", Service: "threat_management", Name: "alerts in the unified audit log", accepts: ofAlerts, special: unifiedFields, shape: audit.UnifiedLog},
	{Product: "m365", Service: "threat_detection", Name: "alerts in the unified audit log", accepts: ofAlerts, special: unifiedFields, shape: audit.UnifiedLog},
	{Product: "azure", Service: "signinlogs", Name: "sign-ins", accepts: ofShape(audit.SignInLog), special: signInFields, shape: audit.SignInLog},
	{Product: "azure", Service: "auditlogs", Name: "changes of the directory", accepts: ofDirectory, special: directoryFields, shape: audit.DirectoryLog},
	{Product: "azure", Service: "riskdetection", Name: "detections of Identity Protection", accepts: ofShape(audit.RiskLog), special: riskFields, shape: audit.RiskLog},
	{Product: "azure", Service: "activitylogs", Name: "Azure's activity log", accepts: ofShape(audit.AzureLog), shape: audit.AzureLog, special: azureFields,
		Lacks: "Tocsin does not collect Azure's activity log: it is of subscriptions, not of Microsoft 365. tocsin analyze --rules reads it from files."},
	{Product: "azure", Service: "pim", Name: "alerts of Privileged Identity Management", accepts: ofShape(""), special: nil, shape: audit.Strange,
		Lacks: "Tocsin does not collect the alerts of Privileged Identity Management; its own checks of roles find most of what they tell."},
}

// whole are the sources that a rule reads which names a product alone.
var whole = map[string]string{"m365": "audit"}

func ofShape(s audit.Shape) func(*Event) bool {
	return func(e *Event) bool { return s != "" && e.Shape == s }
}

func ofUnified(e *Event) bool { return e.Shape == audit.UnifiedLog }

func ofAlerts(e *Event) bool { return e.Shape == audit.UnifiedLog || e.Shape == audit.AlertLog }

// ofDirectory takes the directory's own log, and what the unified log has of it.
func ofDirectory(e *Event) bool {
	return e.Shape == audit.DirectoryLog || e.Shape == audit.UnifiedLog && strings.HasPrefix(e.Record.Workload, "AzureActiveDirectory") && !strings.HasPrefix(e.Record.Operation, "UserLog")
}

// source is the log that a rule names; nil where it names none, which was said.
func (p *parser) source(doc *yaml.Node) *Source {
	n := member(doc, "logsource")
	if n == nil || n.Kind != yaml.MappingNode {
		p.say(doc, "Write for instance “logsource: {product: m365, service: audit}”.", "The rule has no logsource.")
		return nil
	}
	product, service, category := strings.ToLower(text(member(n, "product"))), strings.ToLower(text(member(n, "service"))), strings.ToLower(text(member(n, "category")))
	if product == "" && service == "" && category == "" {
		p.say(n, "Write for instance “logsource: {product: m365, service: audit}”.", "The logsource names neither product nor service.")
		return nil
	}
	if service == "" && category == "" {
		service = whole[product]
	}
	for _, s := range sources {
		if s.Product == product && s.Service == service {
			return s
		}
	}
	name := strings.Trim(strings.Join([]string{product, category, service}, "/"), "/")
	name = strings.ReplaceAll(name, "//", "/")
	if len(name) > 100 {
		name = name[:100]
	}
	return &Source{Product: product, Service: service, Name: name, accepts: ofShape(""), shape: audit.Strange,
		Lacks: "Tocsin does not collect " + name + ". It reads m365 (audit, exchange, threat_management, threat_detection) and azure (signinlogs, auditlogs, riskdetection)."}
}

type special = map[string]func(*Event, func(string))

// extra gives a member of Extra.
func extra(name string) func(*Event, func(string)) {
	return func(e *Event, add func(string)) {
		if s, ok := e.Record.Extra[name].(string); ok {
			add(s)
		}
	}
}

// several gives what each of them gives.
func several(list ...func(*Event, func(string))) func(*Event, func(string)) {
	return func(e *Event, add func(string)) {
		for _, f := range list {
			f(e, add)
		}
	}
}

func words(list ...string) func(*Event, func(string)) {
	return func(_ *Event, add func(string)) {
		for _, s := range list {
			add(s)
		}
	}
}

func ofRecord(get func(*Event) string) func(*Event, func(string)) {
	return func(e *Event, add func(string)) {
		if s := get(e); s != "" {
			add(s)
		}
	}
}

var (
	actor     = ofRecord(func(e *Event) string { return e.Record.Actor })
	address   = ofRecord(func(e *Event) string { return e.Record.IP })
	agent     = ofRecord(func(e *Event) string { return e.Record.UserAgent })
	operation = ofRecord(func(e *Event) string { return e.Record.Operation })
	target    = ofRecord(func(e *Event) string { return e.Record.Target })
)

// outcome is how it ended, in the words that the logs have for it.
func outcome(e *Event, add func(string)) {
	switch strings.ToLower(e.Record.Result) {
	case "success", "succeeded", "true", "partiallysucceeded":
		add("Success")
	case "failure", "failed", "false":
		add("Failure")
	case "":
		if e.Record.Operation == "AlertTriggered" || e.Shape == audit.AlertLog {
			add("Success")
		}
	default:
		add(e.Record.Result)
	}
}

// everything is the record as text.
func everything(e *Event, add func(string)) { add(e.whole()) }

// alertName is what an alert is called, else the operation.
func alertName(e *Event, add func(string)) {
	if s, ok := e.Record.Extra["title"].(string); ok {
		add(s)
	}
	add(e.Record.Operation)
}

// workload is the log that a record stands in, as the older names of Sigma's rules have it.
func workload(e *Event, add func(string)) {
	add(e.Record.Workload)
	if e.Record.Operation == "AlertTriggered" || e.Record.Operation == "AlertEntityGenerated" || e.Shape == audit.AlertLog {
		add("SecurityComplianceCenter")
	}
}

var unifiedFields = special{
	"eventsource": workload, "eventname": alertName, "status": outcome, "payload": everything, "operation": operation,
	"userid": actor, "clientip": address, "useragent": agent, "eventservice": workload,
}

// asked is what a sign-in was by, as Entra's pages call it.
func asked(e *Event, add func(string)) {
	switch s, _ := e.Record.Extra["protocol"].(string); strings.ToLower(s) {
	case "devicecode":
		add("Device Code")
	case "ropc":
		add("ROPC")
	}
}

func signInLog(e *Event, add func(string)) {
	s, _ := e.Record.Extra["kind"].(string)
	add(map[string]string{"non_interactive": "NonInteractiveUserSignInLogs", "service_principal": "ServicePrincipalSignInLogs", "managed_identity": "ManagedIdentitySignInLogs"}[s])
	if s == "interactive" {
		add("SignInLogs")
	}
}

var signInFields = special{
	"resulttype": extra("error"), "resultdescription": several(extra("reason"), outcome), "resultsignature": outcome,
	"status": several(outcome, extra("reason"), extra("factor_detail")), "message": several(asked, extra("protocol")), "activitydetails": words("Sign-ins"),
	"clientapp": ofRecord(func(e *Event) string { return e.Record.ClientApp }), "username": actor, "userprincipalname": actor, "identity": actor, "targetusername": actor,
	"ipaddress": address, "callerip": address, "calleripaddress": address, "location": extra("country"), "useragent": agent,
	"operationname": words("Sign-in activity"), "category": signInLog, "applicationdisplayname": extra("app"), "applicationid": extra("app_id"), "deviceinfo": several(extra("system"), extra("browser"), extra("device")),
}

// changed are the properties that a change of the directory changed, each as the log writes it.
func changed(e *Event, add func(string)) {
	for name, v := range e.Record.Modified {
		add(`"displayName":` + quoted(name) + `,"oldValue":` + quoted(v[0]) + `,"newValue":` + quoted(v[1]))
	}
}

var directoryFields = special{
	"operationname": operation, "activitydisplayname": operation, "activitytype": operation, "activity": operation, "message": several(operation, extra("reason"), changed),
	"status": several(outcome, extra("reason")), "result": several(outcome, extra("reason")), "resultdescription": extra("reason"), "resultreason": extra("reason"),
	"initiatedby": actor, "initiatied.by": actor, "initiatedbyuser": actor, "actor": actor, "username": actor, "target": target, "category": extra("category"),
	"failurestatusreason": extra("reason"), "ipaddress": address, "useragent": agent,
}

var riskFields = special{
	"riskeventtype": extra("risk_type"), "userprincipalname": actor, "ipaddress": address, "risklevel": extra("risk"), "riskstate": extra("risk_state"), "riskdetail": extra("risk_detail"),
}

var azureFields = special{"operationname": operation, "caller": actor, "calleripaddress": address, "status": outcome, "message": operation}
