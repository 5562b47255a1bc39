package sim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph/permission"
	"tocsin.dev/story"
)

const routes = `POST   /story     a story as text; ?mode=now (all at once, the default), clock (as its time comes) or live&over=5m (2m if not said)
POST   /fault     a fault as JSON: {"path":"/users/*", "kind":"throttle", "times":3}
DELETE /fault     ends all faults
POST   /clock     {"advance":"24h"}
GET    /clock     what the time is
POST   /consent   {"roles":["User.Read.All"], "scopes":["Mail.Read.Shared"], "content":false, "disabled":false, "removed":false}
POST   /share     {"mailbox":"invoices@…", "account":"service", "rights":["full", "send-as", "send-on-behalf"]}: what somebody may do in a mailbox; [] takes it
POST   /account   {"account":"service", "do":"password"}, or revoke, disable, enable; {"account":"service", "block":53003}: what becomes of who signed in
POST   /feed      how audit records are delivered: {"delay":"30m", "late":10, "late_by":"6h", "repeat":true, "off":false}
POST   /reports   how the directory's own logs are delivered: {"delay":"5m", "late":10, "late_by":"6h", "repeat":true, "free":false, "no_beta":false}
POST   /forget    all delta tokens are unknown from now on
GET    /truth     what was done, and what must be found, as JSON lines; ?mailbox=amy@…&change=message. for some of it
GET    /requests  what was asked of the service
GET    /limits    how near each limit was come to, and how many 429 were given for it
POST   /limits    {"limit":"directory", "spend":4000}: as another app would use it up
GET    /digest    a digest of the tenant's state
GET    /subscriptions  those that there are
POST   /subscriptions  {"do":"remove", "mailbox":"", "every":10, "silent":true}; or lapse, reauthorizationRequired, subscriptionRemoved, missed
GET    /deliveries     what became of notifications
POST   /delivery       how they go out: {"batch":10, "latency":"20s", "jitter":"5s", "retry":"10s", "longest":"20m", "give_up":"4h", "timeout":"10s", "authorized":"1h"}
POST   /traffic        {"changes":1000} of everyday mail, at once
POST   /rate           {"rate":5000, "active":100}: changes a second of everyday mail, among the first so many people
POST   /forge          {"mailbox":"amy@…"}: what a stranger could send, and how each was answered
POST   /mail           {"mailbox":"amy@…", "mail":{"from":"x@evil.example", "subject":"…", "html":"…", "attachments":[{"name":"…", "type":"…", "data":"base64"}]}}: one that comes now
POST   /campaign       {"name":"invoices", "wave":1, "mails":3000, "innocents":500, "over":"6h", "fresh":false}: a bad mail in many variants, and innocent ones that look like it
GET    /campaign       every mail of every campaign: where it was put, and whether it is innocent
POST   /search         {"most":250, "lag":"10s"}: how $search finds messages
GET    /messages       ?mailbox=amy@…: what it holds, as JSON lines
GET    /digest/mail    a digest of every changed mailbox: id, folder, isRead, flag
`

// Control serves what tests and people do to the simulator; GET / lists the routes.
func (s *Sim) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, routes)
	})
	mux.HandleFunc("POST /story", s.controlStory)
	mux.HandleFunc("POST /fault", s.controlFault)
	mux.HandleFunc("DELETE /fault", func(w http.ResponseWriter, _ *http.Request) { s.Heal(); w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /clock", s.controlClock)
	mux.HandleFunc("GET /clock", func(w http.ResponseWriter, _ *http.Request) { s.showClock(w) })
	mux.HandleFunc("POST /consent", s.controlConsent)
	mux.HandleFunc("POST /share", s.controlShare)
	mux.HandleFunc("POST /account", s.controlAccount)
	mux.HandleFunc("POST /feed", s.controlFeed)
	mux.HandleFunc("POST /reports", s.controlReports)
	mux.HandleFunc("POST /forget", func(w http.ResponseWriter, _ *http.Request) { s.ForgetDeltas(); w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /truth", s.controlTruth)
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Requests()) })
	s.hooks(mux)
	mux.HandleFunc("GET /limits", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Limited()) })
	mux.HandleFunc("POST /limits", s.controlSpend)
	mux.HandleFunc("GET /digest", func(w http.ResponseWriter, _ *http.Request) { s.catchUp(); writeJSON(w, http.StatusOK, s.Digest()) })
	return mux
}

// wrong answers with a problem.
func wrong(w http.ResponseWriter, err error) {
	p, ok := errors.AsType[*tocsin.Problem](err)
	if !ok {
		p = tocsin.Problemf(tocsin.Invalid, "Send what the control listener's documentation says.", "%v", err)
	}
	writeJSON(w, http.StatusBadRequest, p)
}

func (s *Sim) controlStory(w http.ResponseWriter, r *http.Request) {
	st, err := story.Parse("control", http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		wrong(w, err)
		return
	}
	if len(st.World) == 0 && len(st.Acts) == 0 && len(st.Expects) == 0 {
		wrong(w, errors.New("the story is empty"))
		return
	}
	switch r.URL.Query().Get("mode") {
	case "", "now":
		err = s.Play(st)
	case "clock":
		if err = s.schedule(st, week(s.clock.Now())); err == nil {
			s.catchUp()
		}
	case "live":
		over, bad := time.ParseDuration(cmp.Or(r.URL.Query().Get("over"), "2m"))
		if err = bad; err == nil {
			err = s.Live(st, over)
		}
	default:
		err = errors.New("the mode of a story is now, clock or live")
	}
	if err != nil {
		wrong(w, err)
		return
	}
	if failed := s.Failed(); len(failed) > 0 {
		writeJSON(w, http.StatusConflict, map[string]any{"failed": failed})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// strict reads one JSON object; an unknown member refuses.
func strict(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		wrong(w, err)
		return false
	}
	return true
}

func (s *Sim) controlFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if !strict(w, r, &f) {
		return
	}
	if err := s.Fault(f); err != nil {
		wrong(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sim) controlSpend(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Limit string `json:"limit"`
		Spend int    `json:"spend"`
	}
	if !strict(w, r, &in) {
		return
	}
	if err := s.Spend(in.Limit, in.Spend); err != nil {
		wrong(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sim) controlClock(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Advance Duration `json:"advance"`
	}
	if !strict(w, r, &in) {
		return
	}
	if in.Advance < 0 {
		wrong(w, errors.New("the clock goes ahead only"))
		return
	}
	s.Advance(time.Duration(in.Advance))
	s.showClock(w)
}

func (s *Sim) showClock(w http.ResponseWriter) {
	writeJSON(w, http.StatusOK, map[string]any{"now": s.clock.Now()})
}

func (s *Sim) controlFeed(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	in := s.feed.Feed
	s.mu.RUnlock()
	if strict(w, r, &in) {
		s.SetFeed(in)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *Sim) controlConsent(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Roles    *[]string `json:"roles"`
		Scopes   *[]string `json:"scopes"`
		Content  *bool     `json:"content"`
		Disabled *bool     `json:"disabled"`
		Removed  *bool     `json:"removed"`
	}
	if !strict(w, r, &in) {
		return
	}
	if in.Roles != nil {
		for _, role := range *in.Roles {
			if !knownRole(role) {
				wrong(w, fmt.Errorf("no application permission is called %q", role))
				return
			}
		}
		s.Consent(*in.Roles...)
	}
	if in.Scopes != nil {
		if err := s.ConsentScopes(s.ClientID(), *in.Scopes...); err != nil {
			wrong(w, err)
			return
		}
	}
	if in.Content != nil {
		s.AllowContent(*in.Content)
	}
	if in.Disabled != nil {
		s.Disable(*in.Disabled)
	}
	if in.Removed != nil {
		s.Remove(*in.Removed)
	}
	w.WriteHeader(http.StatusNoContent)
}

// knownRole says whether Microsoft Graph has an application permission of that name.
func knownRole(name string) bool {
	return slices.ContainsFunc(permission.All, func(p permission.Permission) bool { return p.Name == name })
}

func (s *Sim) controlTruth(w http.ResponseWriter, r *http.Request) {
	box, change := r.URL.Query().Get("mailbox"), r.URL.Query().Get("change")
	s.catchUp()
	all, err := s.Truth()
	if err != nil {
		wrong(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/jsonl")
	e := json.NewEncoder(w)
	for i := range all {
		if box != "" && !strings.EqualFold(all[i].Mailbox, box) || !strings.HasPrefix(all[i].Change, change) {
			continue
		}
		if e.Encode(all[i]) != nil {
			return
		}
	}
}
