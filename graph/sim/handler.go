package sim

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxBody is the largest request that is read, in bytes.
const maxBody = 4 << 20

// Handler serves Graph and the sign-in service on one host.
func (s *Sim) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Sim) serve(w http.ResponseWriter, r *http.Request) {
	s.catchUp()
	version, path, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	isGraph := slices.Contains([]string{"v1.0", "beta", "api", "adminapi"}, version)
	req := &request{method: r.Method, version: version, path: strings.TrimSuffix(path, "/"), header: r.Header, id: randomGUID(),
		base: scheme(r) + "://" + r.Host + "/" + version}
	hit := s.faults.hit(r.Method, r.URL.EscapedPath())
	if !s.suffer(w, r, req, hit) {
		return
	}
	var out reply
	if version == attachmentSessions {
		s.putPart(w, r, req)
		return
	}
	if !isGraph {
		pause(r, s.cfg.Latency)
		if hit == nil || hit.Kind == Slow || hit.Kind == Late {
			s.login(w, r)
			return
		}
		answer := &recorded{header: http.Header{}, status: http.StatusOK}
		s.login(answer, r)
		out = reply{status: answer.status, body: answer.body.Bytes()}
	} else if body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		out = s.refuse(req, http.StatusBadRequest, "BadRequest", "The request body cannot be read.")
	} else {
		req.body = body
		out = s.top(r, req)
	}
	out.cut = out.cut || hit != nil && hit.Kind == Cut
	if hit != nil && hit.Kind == Late {
		pause(r, time.Duration(hit.Delay))
	}
	if hit != nil && hit.Kind == Lost {
		status := hit.Status
		if status == 0 {
			status = http.StatusGatewayTimeout
		}
		out = s.refuse(req, status, "UnknownError", "")
	}
	if hit != nil && hit.Kind == Garbage {
		out.body = []byte(garbage)
	}
	out.write(w, req, time.Now().Add(s.faults.skew()))
}

// garbage is what a gateway says in the place of an answer.
const garbage = `<!DOCTYPE html><html><body><h2>502 - Web server received an invalid response`

// pause waits; false where the client went away meanwhile.
func pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// top checks the token and answers a call or a batch.
func (s *Sim) top(r *http.Request, req *request) reply {
	var err error
	if req.query, err = parseQuery(r.URL.RawQuery); err != nil {
		return s.refuse(req, http.StatusBadRequest, "BadRequest", "%s", err.Error())
	}
	if bad := s.admit(req); bad != nil {
		return *bad
	}
	if req.path == "$batch" {
		return s.batch(r, req)
	}
	done, bad := s.begin(req, nil)
	if bad != nil {
		pause(r, s.cfg.Latency)
		return *bad
	}
	defer done()
	pause(r, s.cfg.Latency)
	return s.finish(req)
}

// admit checks the token.
func (s *Sim) admit(r *request) *reply {
	c, why := s.verify(r.header.Get("Authorization"))
	if why == "" && !slices.Contains(c.Audience, audiences[r.service()]) && !(r.service() == "" && slices.Contains(c.Audience, graphID)) {
		why = "Access token validation failure. Invalid audience."
	}
	if why == "" && c.Tenant != s.cfg.Tenant {
		why = "Access token validation failure. Invalid tenant."
	}
	if why == "" {
		a := s.appBy(c.AppID)
		a.mu.Lock()
		if a.removed || a.disabled {
			why = "The identity of the calling application could not be established."
		}
		a.mu.Unlock()
	}
	if why != "" {
		bad := s.refuse(r, http.StatusUnauthorized, "InvalidAuthenticationToken", "%s", why).
			with("WWW-Authenticate", `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="`+graphID+`"`)
		return &bad
	}
	r.claims = c
	return nil
}

// begin finds the route and checks role, query and limits. done gives back what the call holds. held is what the batch
// holds of mailboxes; nil outside one.
func (s *Sim) begin(r *request, held slots) (done func(), bad *reply) {
	found, known := s.table.find(r)
	r.route = found
	var out reply
	switch {
	case found == nil && known:
		out = s.refuse(r, http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
		bad = &out
	case found == nil:
		out = s.refuse(r, http.StatusBadRequest, "BadRequest", "Resource not found for the segment '%s'.", lastPart(r.path))
		bad = &out
	default:
		if bad = s.mayAsk(r); bad == nil {
			done, bad = s.charge(r, held)
		}
	}
	if bad != nil {
		s.counted(r, *bad)
		return nil, bad
	}
	return done, nil
}

// finish serves what begin let in.
func (s *Sim) finish(r *request) reply {
	switch {
	case r.route.free:
	case r.method == http.MethodGet && !r.route.alone:
		s.mu.RLock()
		defer s.mu.RUnlock()
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	out := r.route.serve(s, r)
	if !r.route.outlook && r.route.service == "" {
		out = out.with("x-ms-resource-unit", units[min(s.cost(r), len(units)-1)]).with("OData-Version", "4.0")
		if r.part >= 0.8 {
			out = out.with("x-ms-throttle-limit-percentage", percentage(r.part))
		}
	}
	return s.counted(r, out)
}

var units = []string{"0", "1", "2", "3", "4", "5", "6", "7", "8"}

func lastPart(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// mayAsk checks the role, the names of the query and, for a metadata-only connection, that it asks for no content.
func (s *Sim) mayAsk(r *request) *reply {
	if r.delegated() && !r.mayAct() || !r.delegated() && !slices.ContainsFunc(r.claims.Roles, func(role string) bool { return slices.Contains(r.route.roles, role) }) && r.route.path != "me" {
		bad := s.refuse(r, http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
		if r.route.service == "api" {
			bad = refuseFeed(http.StatusForbidden, "AF10001", "The permission set (%s) sent in the request did not include the expected permission.", strings.Join(r.claims.Roles, ","))
		}
		if r.route.outlook {
			bad = s.refuse(r, http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
		}
		return &bad
	}
	for _, p := range r.query {
		if !slices.Contains(r.route.query, p.name) && p.name != "$format" {
			bad := s.badRequest(r, "The query parameter '%s' is not supported.", p.name)
			return &bad
		}
	}
	if r.route.outlook && r.basic() && strings.Contains(r.query.get("$expand"), "Properties") {
		bad := s.refuse(r, http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
		return &bad
	}
	if what := s.content(r); what != "" {
		s.counts.violate(r, what)
		bad := s.refuse(r, http.StatusForbidden, "SimulatorMetadataOnly", "This connection is metadata-only and asked for %s.", what)
		return &bad
	}
	return nil
}

// secretive are the properties of a message that a metadata-only connection never asks for.
var secretive = []string{"subject", "body", "bodyPreview", "uniqueBody", "attachments", "internetMessageHeaders"}

// content is what a metadata-only connection asks for and must not; "" where all is well.
func (s *Sim) content(r *request) string {
	traces := strings.HasSuffix(r.route.path, "/messageTraces")
	if !traces && (!r.route.outlook || r.method != http.MethodGet || !strings.Contains(r.route.path, "/messages") || strings.HasSuffix(r.route.path, "$count")) {
		return ""
	}
	a := s.appBy(r.claims.AppID)
	a.mu.Lock()
	allowed := a.content
	a.mu.Unlock()
	switch {
	case allowed:
		return ""
	case traces:
		return "message traces, which have subjects"
	case strings.Contains(r.route.path, "/attachments"):
		return "attachments"
	case strings.HasSuffix(r.route.path, "$value"):
		return "a whole message"
	}
	sel, ok := r.query.find("$select")
	if _, again := r.query.find("$deltatoken"); again {
		return ""
	}
	if _, again := r.query.find("$skiptoken"); again {
		return ""
	}
	if !ok || sel == "" || strings.Contains(sel, "*") {
		return "whole messages, with no $select"
	}
	for _, name := range strings.Split(sel, ",") {
		for _, no := range secretive {
			if strings.EqualFold(strings.TrimSpace(name), no) {
				return no
			}
		}
	}
	for _, no := range []string{"$search", "$expand", "$filter"} {
		v := r.query.get(no)
		if strings.Contains(v, "attachments") || no == "$search" && v != "" || no == "$filter" && slices.ContainsFunc(secretive, func(name string) bool { return strings.Contains(v, name) }) {
			return no + " " + v
		}
	}
	return ""
}
