package sim

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of faults.
const (
	Throttle     FaultKind = "throttle"     // 429, with Retry-After as in After (a fraction of a second counts)
	Broken       FaultKind = "broken"       // a status of 500 or more: Status, else 503
	Slow         FaultKind = "slow"         // the answer comes Delay later
	Cut          FaultKind = "cut"          // the call is done, and the connection breaks in the middle of the answer, of a batch's too
	Garbage      FaultKind = "garbage"      // the call is done, and the answer is not JSON; within a batch, a text in the place of an object
	Lost         FaultKind = "lost"         // the call is done, and the answer says that it may not be: Status, else 504
	Late         FaultKind = "late"         // the call is done, and the answer comes Delay later
	Gone         FaultKind = "gone"         // 410 with syncStateNotFound: a delta token expired
	Denied       FaultKind = "denied"       // 403
	OutOfScope   FaultKind = "out_of_scope" // 403 as for a mailbox that an access policy keeps out of
	Unauthorized FaultKind = "unauthorized" // 401 InvalidAuthenticationToken
	Challenge    FaultKind = "challenge"    // 401 with a claims challenge
	Missing      FaultKind = "missing"      // 404
	SignIn       FaultKind = "sign_in"      // the sign-in service refuses with AADSTS and Code
	Clock        FaultKind = "clock"        // everything the service says of the time is wrong by Delay, until cleared

	// Of notifications; Path is the resource: users/*/messages.
	NoticeLost      FaultKind = "notice_lost"      // it is never sent
	NoticeRepeated  FaultKind = "notice_repeated"  // it is sent twice
	NoticeDelayed   FaultKind = "notice_delayed"   // it is sent Delay later
	NoticeOvertaken FaultKind = "notice_overtaken" // the next one goes first
	NoticeGarbage   FaultKind = "notice_garbage"   // before it comes something that is no notification
)

// Fault is something that goes wrong with calls.
type Fault struct {
	Path   string    `json:"path"`             // of the calls: with or without the version; * within a part of it, ** over several; "": all
	Method string    `json:"method,omitempty"` // "": any
	Kind   FaultKind `json:"kind"`
	Times  int       `json:"times,omitempty"`  // how often; 0: until cleared
	Skip   int       `json:"skip,omitempty"`   // so many matching calls go well first
	Every  int       `json:"every,omitempty"`  // only each so-manieth matching call
	Chance float64   `json:"chance,omitempty"` // 0..1; 0: always
	Status int       `json:"status,omitempty"` // of Broken and Lost
	Code   int       `json:"code,omitempty"`   // of SignIn
	After  string    `json:"after,omitempty"`  // Retry-After, as it shall stand in the header; "none": no header
	Delay  Duration  `json:"delay,omitempty"`  // of Slow, Late, Clock and NoticeDelayed
}

// Duration is a time.Duration that stands in JSON as Go writes it: "1m30s".
type Duration time.Duration

// MarshalText writes the duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads the duration.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// faults are those that were given and not used up.
type faults struct {
	mu      sync.Mutex
	active  []*activeFault
	notices atomic.Int32 // how many of them are of notifications
}

type activeFault struct {
	Fault
	seen, used int
}

var faultKinds = []FaultKind{Throttle, Broken, Slow, Cut, Garbage, Lost, Late, Gone, Denied, OutOfScope, Unauthorized, Challenge, Missing, SignIn, Clock,
	NoticeLost, NoticeRepeated, NoticeDelayed, NoticeOvertaken, NoticeGarbage}

// ofNotices says whether the kind is of notifications and not of calls.
func (k FaultKind) ofNotices() bool { return strings.HasPrefix(string(k), "notice_") }

// Fault makes things go wrong from now on.
func (s *Sim) Fault(f Fault) error {
	_, err := s.Strike(f)
	return err
}

// Struck is a fault that was given, to be looked at and ended by itself.
type Struck struct {
	s *Sim
	f *activeFault
}

// Times is how many calls it has struck.
func (k *Struck) Times() int {
	k.s.faults.mu.Lock()
	defer k.s.faults.mu.Unlock()
	return k.f.used
}

// Heal ends it, and no other.
func (k *Struck) Heal() {
	k.s.faults.mu.Lock()
	defer k.s.faults.mu.Unlock()
	n := len(k.s.faults.active)
	k.s.faults.active = slices.DeleteFunc(k.s.faults.active, func(f *activeFault) bool { return f == k.f })
	if len(k.s.faults.active) < n && k.f.Kind.ofNotices() {
		k.s.faults.notices.Add(-1)
	}
}

// Strike makes things go wrong from now on, as Fault does.
func (s *Sim) Strike(f Fault) (*Struck, error) {
	if !slices.Contains(faultKinds, f.Kind) {
		return nil, fmt.Errorf("sim: unknown kind of fault %q: the kinds are %v", f.Kind, faultKinds)
	}
	if f.Status != 0 && (f.Status < 400 || f.Status > 599) {
		return nil, errors.New("sim: the status of a fault is between 400 and 599")
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	k := &Struck{s, &activeFault{Fault: f}}
	s.faults.active = append(s.faults.active, k.f)
	if f.Kind.ofNotices() {
		s.faults.notices.Add(1)
	}
	return k, nil
}

// Heal ends all faults.
func (s *Sim) Heal() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.active = nil
	s.faults.notices.Store(0)
}

// hit is the fault that strikes a call; nil for none.
func (fs *faults) hit(method, path string) *Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.active {
		if f.Kind == Clock || f.Kind.ofNotices() || f.Method != "" && !strings.EqualFold(f.Method, method) {
			continue
		}
		if f.strikes(path) {
			return &f.Fault
		}
	}
	return nil
}

// hits are the faults that strike a notification.
func (fs *faults) hits(resource string) []Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var out []Fault
	for _, f := range fs.active {
		if f.Kind.ofNotices() && f.strikes(resource) {
			out = append(out, f.Fault)
		}
	}
	return out
}

// strikes says whether it is this one's turn.
func (f *activeFault) strikes(path string) bool {
	if !f.matches(path) || f.Times > 0 && f.used >= f.Times {
		return false
	}
	f.seen++
	if f.seen <= f.Skip || f.Every > 1 && (f.seen-f.Skip)%f.Every != 0 || f.Chance > 0 && rand.Float64() >= f.Chance {
		return false
	}
	f.used++
	return true
}

// matches says whether the path is meant, in whatever case: each * stands for any text, also over several parts.
func (f *Fault) matches(call string) bool {
	if f.Path == "" || f.Path == "*" {
		return true
	}
	call = strings.TrimPrefix(call, "/")
	want := strings.TrimPrefix(f.Path, "/")
	if first, rest, ok := strings.Cut(call, "/"); ok && (first == "v1.0" || first == "beta") && !strings.HasPrefix(want, first) {
		call = rest
	}
	return starMatch(strings.ToLower(want), strings.ToLower(call))
}

// starMatch says whether the text is of the pattern: * and the other signs of [path.Match] stay within a part of the
// path, ** goes over any number of parts.
func starMatch(pattern, text string) bool {
	head, rest, deep := strings.Cut(pattern, "**")
	if !deep {
		ok, err := path.Match(pattern, text)
		return ok && err == nil
	}
	for i := range len(text) + 1 {
		if ok, err := path.Match(head, text[:i]); !ok || err != nil {
			continue
		}
		for k := i; k <= len(text); k++ {
			if starMatch(rest, text[k:]) {
				return true
			}
		}
	}
	return false
}

// skew is how wrong the service's clock is.
func (fs *faults) skew() time.Duration {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.active {
		if f.Kind == Clock {
			return time.Duration(f.Delay)
		}
	}
	return 0
}

// suffer answers with the fault; true where the call goes on in spite of it.
func (s *Sim) suffer(w http.ResponseWriter, r *http.Request, req *request, f *Fault) bool {
	switch {
	case f == nil || f.Kind == Cut || f.Kind == Garbage || f.Kind == Lost || f.Kind == Late:
		return true
	case f.Kind == Slow:
		return pause(r, time.Duration(f.Delay))
	case f.Kind == SignIn:
		s.refuseLogin(w, r, aad(http.StatusUnauthorized, f.Code, "invalid_client", "The sign-in service refused (fault of the simulator)."))
		return false
	}
	s.counted(req, s.struck(req, f)).write(w, req, time.Now().Add(s.faults.skew()))
	return false
}

// struck is the fault's answer.
func (s *Sim) struck(r *request, f *Fault) reply {
	switch f.Kind {
	case Throttle:
		after := f.After
		if after == "" {
			after = "1"
		}
		return s.throttled(r, "TooManyRequests", strings.TrimPrefix(after, "none"))
	case Gone:
		return s.refuse(r, http.StatusGone, "syncStateNotFound", "The sync state generation is not found; the delta token has expired.").
			with("Location", r.base+"/"+r.path)
	case Denied:
		return s.refuse(r, http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	case OutOfScope:
		return s.refuse(r, http.StatusForbidden, "ErrorAccessDenied", "Access to OData is disabled.")
	case Unauthorized:
		return s.refuse(r, http.StatusUnauthorized, "InvalidAuthenticationToken", "Access token has been revoked.")
	case Challenge:
		claims := base64.StdEncoding.EncodeToString([]byte(`{"access_token":{"nbf":{"essential":true,"value":"` + strconv.FormatInt(time.Now().Unix(), 10) + `"}}}`))
		return s.refuse(r, http.StatusUnauthorized, "InvalidAuthenticationToken", "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp").
			with("WWW-Authenticate", `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="insufficient_claims", claims="`+claims+`"`)
	case Missing:
		return s.refuse(r, http.StatusNotFound, "Request_ResourceNotFound", "Resource does not exist or one of its queried reference-property objects are not present.")
	}
	status := f.Status
	if status == 0 {
		status = http.StatusServiceUnavailable
	}
	out := s.refuse(r, status, "UnknownError", "")
	if f.After != "" && f.After != "none" {
		out = out.with("Retry-After", f.After)
	}
	return out
}
