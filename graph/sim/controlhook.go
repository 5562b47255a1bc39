package sim

import (
	"encoding/json"
	"errors"
	"net/http"
)

// hooks are the control's routes of subscriptions and notifications.
func (s *Sim) hooks(mux *http.ServeMux) {
	mux.HandleFunc("GET /subscriptions", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Subscriptions()) })
	mux.HandleFunc("POST /subscriptions", s.controlSubscriptions)
	mux.HandleFunc("GET /deliveries", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Deliveries()) })
	mux.HandleFunc("POST /delivery", func(w http.ResponseWriter, r *http.Request) {
		in := s.delivery()
		if strict(w, r, &in) {
			s.SetDelivery(in)
			w.WriteHeader(http.StatusNoContent)
		}
	})
	mux.HandleFunc("POST /traffic", s.controlTraffic)
	mux.HandleFunc("POST /rate", s.controlRate)
	mux.HandleFunc("POST /forge", s.controlForge)
	mux.HandleFunc("POST /mail", s.controlMail)
	mux.HandleFunc("POST /campaign", s.controlCampaign)
	mux.HandleFunc("GET /campaign", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Campaigns()) })
	mux.HandleFunc("POST /search", func(w http.ResponseWriter, r *http.Request) {
		in := Search{}
		if strict(w, r, &in) {
			s.SetSearch(in)
			w.WriteHeader(http.StatusNoContent)
		}
	})
	mux.HandleFunc("GET /messages", s.controlMessages)
	mux.HandleFunc("GET /digest/mail", func(w http.ResponseWriter, _ *http.Request) { s.catchUp(); writeJSON(w, http.StatusOK, s.MailDigest()) })
}

// Subscribed is a subscription that there is.
type Subscribed struct {
	ID         string `json:"id"`
	Resource   string `json:"resource"`
	Changes    string `json:"changes"`
	URL        string `json:"url"`
	Lifecycle  string `json:"lifecycle,omitempty"`
	Expires    string `json:"expires"`
	Rich       bool   `json:"rich"`
	Immutable  bool   `json:"immutable"`
	Authorized bool   `json:"authorized"` // false: nothing is delivered until it is reauthorized
}

// Subscriptions are all that there are, of all applications, in the order in which they were made.
func (s *Sim) Subscriptions() []Subscribed {
	s.hook.mu.Lock()
	defer s.hook.mu.Unlock()
	now := s.clock.Now()
	out := []Subscribed{}
	for _, sub := range s.hook.living() {
		if now.Before(sub.expires) {
			out = append(out, Subscribed{ID: sub.id, Resource: sub.resource, Changes: sub.changeType, URL: sub.url, Lifecycle: sub.lifecycle, Expires: sub.expires.Format(fine),
				Rich: sub.rich, Immutable: sub.immutable, Authorized: !sub.cutOff(now)})
		}
	}
	return out
}

func (s *Sim) controlSubscriptions(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Do      string `json:"do"`
		Mailbox string `json:"mailbox"`
		Every   int    `json:"every"`
		Silent  bool   `json:"silent"`
	}
	if !strict(w, r, &in) {
		return
	}
	var n int
	var err error
	switch in.Do {
	case "remove":
		n, err = s.RemoveSubscriptions(in.Mailbox, in.Every, in.Silent)
	case "lapse":
		n, err = s.Lapse(in.Mailbox, in.Every)
	case "reauthorizationRequired", "subscriptionRemoved", "missed":
		n, err = s.Lifecycle(in.Do, in.Mailbox, in.Every)
	default:
		err = errors.New("what is done to subscriptions is remove, lapse, reauthorizationRequired, subscriptionRemoved or missed")
	}
	if err != nil {
		wrong(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]int{"subscriptions": n})
}

func (s *Sim) controlTraffic(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Changes int `json:"changes"`
	}
	if !strict(w, r, &in) {
		return
	}
	if in.Changes < 1 {
		wrong(w, errors.New("the number of changes is not above zero"))
		return
	}
	if err := s.Traffic(in.Changes); err != nil {
		wrong(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sim) controlRate(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Rate   float64 `json:"rate"`
		Active int     `json:"active"`
	}
	if !strict(w, r, &in) {
		return
	}
	if in.Rate < 0 || in.Active < 0 {
		wrong(w, errors.New("the rate and the number of people are not below zero"))
		return
	}
	s.SetRate(in.Rate, in.Active)
	w.WriteHeader(http.StatusNoContent)
}

// controlMail puts a mail into a mailbox and tells its id.
func (s *Sim) controlMail(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Mailbox string `json:"mailbox"`
		Mail    Mail   `json:"mail"`
	}
	if !strict(w, r, &in) {
		return
	}
	id, err := s.Put(in.Mailbox, in.Mail)
	if err != nil {
		wrong(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"id": id})
}

func (s *Sim) controlCampaign(w http.ResponseWriter, r *http.Request) {
	var in Campaign
	if !strict(w, r, &in) {
		return
	}
	wave, err := s.Campaign(in)
	if err != nil {
		wrong(w, err)
		return
	}
	writeJSON(w, http.StatusOK, wave)
}

// controlForge sends every forgery and tells how each was answered.
func (s *Sim) controlForge(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Mailbox string `json:"mailbox"`
	}
	if !strict(w, r, &in) {
		return
	}
	all, err := s.Forgeries(in.Mailbox)
	if err != nil {
		wrong(w, err)
		return
	}
	out := map[string]int{}
	for _, f := range all {
		out[f.Name] = s.Stranger(r.Context(), f.To, f.Body)
	}
	writeJSON(w, http.StatusOK, out)
}

func (s *Sim) controlShare(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Mailbox string   `json:"mailbox"`
		Account string   `json:"account"`
		Rights  []string `json:"rights"`
	}
	if !strict(w, r, &in) {
		return
	}
	if err := s.Share(in.Mailbox, in.Account, in.Rights...); err != nil {
		wrong(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sim) controlAccount(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Account string `json:"account"`
		Do      string `json:"do"`
		Block   *int   `json:"block"`
	}
	if !strict(w, r, &in) {
		return
	}
	var err error
	if in.Do != "" {
		err = s.Become(in.Account, in.Do)
	}
	if in.Block != nil {
		err = errors.Join(err, s.Block(in.Account, *in.Block))
	}
	if err != nil {
		wrong(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sim) controlMessages(w http.ResponseWriter, r *http.Request) {
	s.catchUp()
	all, err := s.Messages(r.URL.Query().Get("mailbox"))
	if err != nil {
		wrong(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/jsonl")
	e := json.NewEncoder(w)
	for i := range all {
		if e.Encode(all[i]) != nil {
			return
		}
	}
}
