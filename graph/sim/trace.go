package sim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Traces is how message traces are told.
type Traces struct {
	Lag Duration `json:"lag"` // from a delivery until it is traced: 2m; negative: none
}

func (c Traces) filled() Traces {
	if c.Lag == 0 {
		c.Lag = Duration(2 * time.Minute)
	}
	return c
}

// SetTraces changes how traces are told from now on.
func (s *Sim) SetTraces(c Traces) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Traces = c.filled()
}

// trace is one message on its way to one recipient. What becomes of it in the mailbox does not change it.
type trace struct {
	m     *message
	box   int // whose mailbox has m
	to    string
	known time.Time
}

// traced notes that a message went to a recipient; box is the number of whose mailbox has it, his own or, where he is outside,
// the sender's.
func (w *world) traced(at time.Time, to string, box int, m *message) {
	w.traces = append(w.traces, trace{m: m, box: box, to: to, known: at})
}

// sendingIP is the server that sends for a domain.
func (w *world) sendingIP(from string) string {
	domain := domainOf(from)
	if w.accepted(domain) {
		return ""
	}
	h := uint64(0)
	for i := range len(domain) {
		h = mix(h + uint64(domain[i]))
	}
	return fmt.Sprintf("198.51.100.%d", h%250+1)
}

// seededTraces are those of what every mailbox held at the start, made when first asked for.
func (w *world) seededTraces() []trace {
	if w.firstTraces == nil {
		w.firstTraces = []trace{}
		for i := range w.users {
			p := w.person(i)
			if p == nil || !p.hasBox() {
				continue
			}
			for _, m := range w.seededMessages(p) {
				to := p.mail
				if m.folder == sentItems {
					to = m.to[0].Address
				}
				w.firstTraces = append(w.firstTraces, trace{m: m, box: i, to: to})
			}
		}
	}
	return w.firstTraces
}

var traceProperties = names("fromIP messageId receivedDateTime recipientAddress senderAddress size status subject toIP")

// traceWindow reads from when until when the filter asks, which may be ten days at most, and none older than ninety.
// https://learn.microsoft.com/graph/api/messagetracingroot-list-messagetraces
func traceWindow(filter string, now time.Time) (from, to time.Time, why string) {
	toks, err := lexFilter(filter)
	if err != nil {
		return from, to, err.Error()
	}
	to = now
	for i := 0; i+2 < len(toks); i++ {
		if toks[i] != "receivedDateTime" {
			continue
		}
		at, err := time.Parse(time.RFC3339, toks[i+2])
		switch {
		case err != nil:
			return from, to, "The time in the filter cannot be read."
		case toks[i+1] == "ge":
			from = at
		case toks[i+1] == "le":
			to = at
		default:
			return from, to, "The property 'receivedDateTime' supports the operators ge and le."
		}
	}
	if from.IsZero() {
		from = to.Add(-48 * time.Hour)
	}
	switch {
	case from.Before(now.Add(-90 * 24 * time.Hour)):
		return from, to, "The start date is older than 90 days."
	case to.Sub(from) > 10*24*time.Hour:
		return from, to, "The time between the start date and the end date is longer than 10 days."
	case to.Before(from):
		return from, to, "The end date is before the start date."
	}
	return from, to, ""
}

func (s *Sim) messageTraces(r *request) reply {
	now := s.clock.Now()
	from, to, why := traceWindow(r.query.get("$filter"), now)
	if _, p, err := parseFilter(r.query.get("$filter"), traceProperties); why == "" && err == nil && (p.used["startswith"] || p.used["endswith"]) {
		why = "The filter is not supported."
	}
	if why != "" {
		return s.refuse(r, http.StatusBadRequest, "BadRequest", "%s", why)
	}
	known := now.Add(-time.Duration(s.cfg.Traces.Lag))
	rows := s.world.seededTraces()
	first := len(rows)
	all := []int{}
	row := func(i int) *trace {
		if i < first {
			return &rows[i]
		}
		return &s.world.traces[i-first]
	}
	for i := range first + len(s.world.traces) {
		if t := row(i); !t.m.received.Before(from) && !t.m.received.After(to) && !t.known.After(known) {
			all = append(all, i)
		}
	}
	slices.SortStableFunc(all, func(a, b int) int { return row(b).m.received.Compare(row(a).m.received) })
	return s.list(r, list{context: "admin/exchange/tracing/messageTraces", props: traceProperties, total: len(all), page: 1000, max: 5000,
		at: func(i int) (item, bool) {
			t, b := row(all[i]), &mailbox{p: row(all[i]).box}
			w, m := s.world, t.m
			return whole(obj{{"id", w.seed.guid(askTrace, all[i])}, {"senderAddress", strings.ToLower(m.from.Address)}, {"recipientAddress", strings.ToLower(t.to)}, {"messageId", w.internetID(t.box, m)},
				{"receivedDateTime", m.received}, {"subject", m.subject}, {"size", w.letter(b, m).size()}, {"fromIP", w.sendingIP(m.from.Address)}, {"toIP", ""}, {"status", "delivered"}}), true
		}})
}
