package notify

import (
	"encoding/json"
	"fmt"
	"strings"

	"tocsin.dev"
)

// ocsfVersion is the schema that the events keep to: https://schema.ocsf.io/1.3.0/classes/detection_finding
const ocsfVersion = "1.3.0"

// ocsf is a finding as an OCSF Detection Finding (class 2004). Its metadata.uid is the same at every try.
func (f *Finding) ocsf(m *Message, n int) block {
	activity, name := 1, "Create"
	switch f.Change {
	case Reopened, Worse:
		activity, name = 2, "Update"
	case Fixed:
		activity, name = 3, "Close"
	}
	status := map[tocsin.Status]int{tocsin.Open: 1, tocsin.InWork: 2, tocsin.Accepted: 3, tocsin.FalseAlarm: 3, tocsin.Fixed: 4}[f.Status]
	attacks := []block{}
	for _, id := range f.Attack {
		technique, _, sub := strings.Cut(id, ".")
		a := block{"technique": block{"uid": technique}}
		if sub {
			a["sub_technique"] = block{"uid": id}
		}
		attacks = append(attacks, a)
	}
	info := block{"uid": f.ID, "title": f.Title, "desc": f.Why, "types": []string{f.Rule}, "analytic": block{"uid": f.Rule, "name": f.Rule, "type": "Rule", "type_id": 1},
		"first_seen_time": tocsin.Millis(f.FirstSeen), "last_seen_time": tocsin.Millis(f.LastSeen), "attacks": attacks}
	if f.URL != "" {
		info["src_url"] = f.URL
	}
	out := block{
		"class_uid": 2004, "class_name": "Detection Finding", "category_uid": 2, "category_name": "Findings",
		"activity_id": activity, "activity_name": name, "type_uid": 200400 + activity, "type_name": "Detection Finding: " + name,
		"time": tocsin.Millis(m.Created), "message": clean(f.Title+" – "+f.Who, 300), "risk_score": f.Risk,
		"severity_id": []int{1, 2, 3, 4, 5}[f.Severity.Rank()], "severity": word(string(f.Severity)), "status_id": status, "status": []string{"Unknown", "New", "In Progress", "Suppressed", "Resolved"}[status],
		"finding_info": info,
		"metadata":     block{"version": ocsfVersion, "uid": fmt.Sprintf("%s-%d", m.ID, n), "tenant_uid": string(f.Tenant), "product": block{"name": "Tocsin", "vendor_name": "Tocsin"}},
	}
	if f.Who != "" {
		out["resources"] = []block{{"name": f.Who, "uid": string(f.Person), "type": "Microsoft 365 account"}}
	}
	return out
}

// testEvent is what a test message sends to a machine: a finding that says what it is.
func (m *Message) testEvent() Finding {
	return Finding{Change: Opened, ID: m.ID, Rule: "test", Title: m.Headline(), Why: testText, Severity: tocsin.Info, Status: tocsin.Open, FirstSeen: m.Created, LastSeen: m.Created}
}

// events are the message's findings as OCSF events.
func (m *Message) events() []block {
	list := m.Findings
	if m.Test {
		list = []Finding{m.testEvent()}
	}
	out := make([]block, len(list))
	for i := range list {
		out[i] = list[i].ocsf(m, i)
	}
	return out
}

// ocsfBody is all of the message's findings as a JSON array of OCSF events.
func (m *Message) ocsfBody() ([]byte, error) { return json.Marshal(m.events()) }
