package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// search is a query of the unified audit log by Graph: it takes a while.
type search struct {
	id    string
	asked searchAsked
	looks int // until it is done
}

type searchAsked struct {
	DisplayName              string    `json:"displayName"`
	FilterStartDateTime      time.Time `json:"filterStartDateTime"`
	FilterEndDateTime        time.Time `json:"filterEndDateTime"`
	RecordTypeFilters        []string  `json:"recordTypeFilters"`
	KeywordFilter            string    `json:"keywordFilter"`
	ServiceFilters           []string  `json:"serviceFilters"`
	OperationFilters         []string  `json:"operationFilters"`
	UserPrincipalNameFilters []string  `json:"userPrincipalNameFilters"`
	IPAddressFilters         []string  `json:"ipAddressFilters"`
	ObjectIDFilters          []string  `json:"objectIdFilters"`
}

func (s *Sim) searchObject(q *search) obj {
	status := "succeeded"
	if q.looks > 0 {
		status = "running"
	}
	a := q.asked
	return obj{{"id", q.id}, {"displayName", a.DisplayName}, {"filterStartDateTime", a.FilterStartDateTime}, {"filterEndDateTime", a.FilterEndDateTime},
		{"recordTypeFilters", a.RecordTypeFilters}, {"keywordFilter", a.KeywordFilter}, {"serviceFilters", a.ServiceFilters}, {"operationFilters", a.OperationFilters},
		{"userPrincipalNameFilters", a.UserPrincipalNameFilters}, {"ipAddressFilters", a.IPAddressFilters}, {"objectIdFilters", a.ObjectIDFilters},
		{"administrativeUnitIdFilters", []any{}}, {"status", status}}
}

func (s *Sim) searchCreate(r *request) reply {
	var a searchAsked
	d := json.NewDecoder(strings.NewReader(string(r.body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil || a.FilterStartDateTime.IsZero() || !a.FilterEndDateTime.After(a.FilterStartDateTime) {
		return s.badRequest(r, "The request is not valid: a search needs filterStartDateTime before filterEndDateTime.")
	}
	if s.feed.Off {
		return s.refuse(r, http.StatusBadRequest, "UnknownError", "Auditing is not enabled for the organization.")
	}
	s.feed.ids++
	q := &search{id: s.world.seed.guid(askSearch, s.feed.ids), asked: a, looks: s.feed.Unsettled}
	s.feed.searches[q.id] = q
	out := ok(r.entity("security/auditLog/queries/$entity", s.searchObject(q)))
	out.status = http.StatusCreated
	return out
}

func (s *Sim) searchGet(r *request) reply {
	q := s.feed.searches[r.vars[0]]
	if q == nil {
		return s.notFound(r, r.vars[0])
	}
	o := s.searchObject(q)
	q.looks = max(q.looks-1, 0)
	return s.object(r, "security/auditLog/queries", searchProperties, nil, whole(o))
}

func (s *Sim) searchRecords(r *request) reply {
	q := s.feed.searches[r.vars[0]]
	if q == nil || q.looks > 0 {
		return s.notFound(r, r.vars[0])
	}
	var all []obj
	for _, a := range s.feed.records {
		if q.finds(a) {
			all = append(all, a.found())
		}
	}
	return s.list(r, list{context: "security/auditLog/queries('" + q.id + "')/records", props: foundProperties, total: len(all), page: 150, max: 999,
		at: func(i int) (item, bool) { return whole(all[i]), true }})
}

// finds says whether the search asks for the record.
func (q *search) finds(a *audited) bool {
	var m map[string]any
	if json.Unmarshal(a.text, &m) != nil {
		return false
	}
	text := func(name string) string { v, _ := m[name].(string); return v }
	any := func(list []string, v string) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, v) })
	}
	return !a.at.Before(q.asked.FilterStartDateTime) && a.at.Before(q.asked.FilterEndDateTime) && any(q.asked.OperationFilters, text("Operation")) &&
		any(q.asked.UserPrincipalNameFilters, text("UserId")) && any(q.asked.IPAddressFilters, text("ClientIP")) && any(q.asked.ObjectIDFilters, text("ObjectId")) &&
		(q.asked.KeywordFilter == "" || strings.Contains(strings.ToLower(string(a.text)), strings.ToLower(q.asked.KeywordFilter)))
}

// found is a record as the search gives it: Graph's members about the record itself, which keeps the feed's form.
func (a *audited) found() obj {
	var m map[string]any
	if json.Unmarshal(a.text, &m) != nil {
		m = map[string]any{}
	}
	text := func(name string) string { v, _ := m[name].(string); return v }
	return obj{{"id", text("Id")}, {"createdDateTime", a.at}, {"auditLogRecordType", "ExchangeAdmin"}, {"operation", text("Operation")},
		{"organizationId", text("OrganizationId")}, {"userType", "Regular"}, {"userId", text("UserId")}, {"service", text("Workload")},
		{"objectId", text("ObjectId")}, {"userPrincipalName", text("UserId")}, {"clientIp", text("ClientIP")}, {"administrativeUnits", []any{}},
		{"auditData", json.RawMessage(a.text)}}
}
