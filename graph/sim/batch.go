package sim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxParts is how many requests a batch may hold.
const maxParts = 20

// part is a request within a batch.
type part struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`

	r       *request
	release func()
	bad     *reply
	fault   FaultKind // that shows in the answer: Cut, Garbage
	done    bool
	status  int
}

// batch answers POST /$batch. Parts are answered in an order of their own, as Graph does.
// See https://learn.microsoft.com/graph/json-batching.
func (s *Sim) batch(h *http.Request, r *request) reply {
	if r.method != http.MethodPost {
		return s.refuse(r, http.StatusMethodNotAllowed, "BadRequest", "The HTTP method is not allowed for the resource.")
	}
	s.counts.batches.Add(1)
	var in struct {
		Requests []*part `json:"requests"`
	}
	if err := json.Unmarshal(r.body, &in); err != nil {
		return s.refuse(r, http.StatusBadRequest, "BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	if why := wrongBatch(in.Requests); why != "" {
		return s.refuse(r, http.StatusBadRequest, "BadRequest", "%s", why)
	}
	held := slots{}
	for _, p := range in.Requests {
		p.r = r.inner(p)
		p.release, p.bad = s.beginPart(h, p, held)
	}
	defer func() {
		for _, p := range in.Requests {
			if p.release != nil {
				p.release()
			}
		}
	}()
	pause(h, time.Duration(s.rounds(in.Requests))*s.cfg.Latency)
	out := ok(s.answers(in.Requests))
	for _, p := range in.Requests {
		out.cut = out.cut || p.fault == Cut
	}
	return out
}

// answers are the parts' in an order of their own, which only dependencies bind.
func (s *Sim) answers(parts []*part) []byte {
	b := append(make([]byte, 0, 600*len(parts)), `{"responses":[`...)
	for left := len(parts); left > 0; {
		for k := range parts {
			p := parts[(k+len(parts)/2)%len(parts)]
			if p.done || !ready(p, parts) {
				continue
			}
			if left < len(parts) {
				b = append(b, ',')
			}
			out := s.finishPart(p, parts)
			p.done, p.status = true, out.status
			b = appendPart(b, p.ID, out)
			left--
		}
	}
	return append(b, "]}"...)
}

// rounds is how many answers' time a batch takes: four parts of one mailbox go at once, dependants one after the other.
func (s *Sim) rounds(parts []*part) int {
	if s.cfg.Latency == 0 {
		return 1
	}
	boxes, chain := map[string]int{}, 0
	most := 1
	for _, p := range parts {
		key, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(p.URL, "/"), "users/"), "/")
		boxes[key]++
		most = max(most, boxes[key])
		if len(p.DependsOn) > 0 {
			chain++
		}
	}
	return max((most+3)/4, chain+1)
}

func wrongBatch(parts []*part) string {
	switch {
	case len(parts) == 0:
		return "Invalid batch payload format."
	case len(parts) > maxParts:
		return "Number of batch request steps exceeds the maximum value of 20."
	}
	seen := map[string]int{}
	for i, p := range parts {
		if p == nil || p.ID == "" || p.Method == "" || p.URL == "" {
			return "Invalid batch payload format."
		}
		id := strings.ToLower(p.ID)
		if _, twice := seen[id]; twice {
			return "Invalid batch payload: the id '" + p.ID + "' is not unique."
		}
		seen[id] = i
	}
	return wrongOrder(parts, seen)
}

// wrongOrder allows what Graph allows: no dependencies, each on the one before, or all on the same one.
func wrongOrder(parts []*part, index map[string]int) string {
	serial, same := true, true
	target := ""
	any := false
	for i, p := range parts {
		if len(p.DependsOn) > 1 {
			return "Only one dependency per request is supported."
		}
		if len(p.DependsOn) == 0 {
			serial = serial && i == 0
			continue
		}
		any = true
		on := strings.ToLower(p.DependsOn[0])
		j, known := index[on]
		if !known || j >= i {
			return "The request '" + p.ID + "' depends on '" + p.DependsOn[0] + "', which does not precede it."
		}
		serial = serial && j == i-1
		same = same && (target == "" || target == on)
		target = on
	}
	if any && !serial && !same {
		return "Dependencies must be serial or all on the same request."
	}
	return ""
}

func ready(p *part, all []*part) bool {
	for _, id := range p.DependsOn {
		for _, q := range all {
			if strings.EqualFold(q.ID, id) && !q.done {
				return false
			}
		}
	}
	return true
}

// inner is the part as a request of its own.
func (r *request) inner(p *part) *request {
	in := &request{method: strings.ToUpper(p.Method), version: r.version, base: r.base, id: r.id, claims: r.claims, batched: true}
	in.header = make(http.Header, len(p.Headers))
	for k, v := range p.Headers {
		in.header.Set(k, v)
	}
	return in
}

// beginPart checks a part and lets it in.
func (s *Sim) beginPart(h *http.Request, p *part, held slots) (func(), *reply) {
	r := p.r
	path, raw, _ := strings.Cut(p.URL, "?")
	r.path = strings.Trim(path, "/")
	refuse := func(text string) (func(), *reply) {
		bad := s.refuse(r, http.StatusBadRequest, "BadRequest", "%s", text)
		return nil, &bad
	}
	switch {
	case strings.Contains(path, "://") || strings.HasPrefix(r.path, "v1.0/") || strings.HasPrefix(r.path, "beta/"):
		return refuse("Request URL must be relative and without a version.")
	case strings.HasPrefix(r.path, "$batch"):
		return refuse("A batch within a batch is not supported.")
	}
	var err error
	if r.query, err = parseQuery(raw); err != nil {
		return refuse(err.Error())
	}
	if bad := s.partBody(r, p); bad != nil {
		return nil, bad
	}
	if f := s.faults.hit(r.method, "/"+r.version+"/"+r.path); f != nil {
		switch f.Kind {
		case Slow:
			pause(h, time.Duration(f.Delay))
		case Cut, Garbage:
			p.fault = f.Kind
		case SignIn, Late:
		default:
			bad := s.counted(r, s.struck(r, f))
			return nil, &bad
		}
	}
	return s.begin(r, held)
}

// finishPart answers a part, unless what it depends on failed.
func (s *Sim) finishPart(p *part, all []*part) reply {
	for _, id := range p.DependsOn {
		for _, q := range all {
			if strings.EqualFold(q.ID, id) && q.status >= 400 {
				return s.refuse(p.r, http.StatusFailedDependency, "FailedDependency", "The request '%s' that this one depends on failed.", id)
			}
		}
	}
	if p.bad != nil {
		return *p.bad
	}
	out := s.finish(p.r)
	if p.fault == Garbage {
		out.body = appendString(nil, garbage)
	}
	return out
}

func (s *Sim) partBody(r *request, p *part) *reply {
	if len(p.Body) == 0 || bytes.Equal(p.Body, []byte("null")) {
		return nil
	}
	kind := r.header.Get("Content-Type")
	if kind == "" {
		bad := s.refuse(r, http.StatusBadRequest, "BadRequest", "Write request id : %s does not contain Content-Type header or body.", p.ID)
		return &bad
	}
	r.body = p.Body
	var text string
	if !strings.Contains(kind, "json") && json.Unmarshal(p.Body, &text) == nil {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			bad := s.refuse(r, http.StatusBadRequest, "BadRequest", "The body of request '%s' is not base64.", p.ID)
			return &bad
		}
		r.body = raw
	}
	return nil
}

func appendPart(b []byte, id string, out reply) []byte {
	b = appendString(append(b, `{"id":`...), id)
	b = strconv.AppendInt(append(b, `,"status":`...), int64(out.status), 10)
	b = append(b, `,"headers":{"Cache-Control":"no-cache"`...)
	plain := false
	for _, kv := range out.header {
		if kv[0] == "Content-Type" {
			plain = true
			continue
		}
		b = appendString(append(b, ','), kv[0])
		b = appendString(append(b, ':'), kv[1])
	}
	switch {
	case out.body == nil:
		return append(b, `},"body":null}`...)
	case plain:
		b = append(b, `,"Content-Type":"text/plain"},"body":`...)
		b = appendString(b, base64.StdEncoding.EncodeToString(out.body))
		return append(b, '}')
	case out.status >= 400:
		b = append(b, `,"Content-Type":"application/json"},"body":`...)
	default:
		b = append(b, `,"Content-Type":"`+contentType+`"},"body":`...)
	}
	return append(append(b, out.body...), '}')
}
