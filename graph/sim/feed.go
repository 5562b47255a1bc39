package sim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Feed is how the Management Activity API delivers, and in what it is awkward. The zero value delivers at once.
type Feed struct {
	Off       bool     `json:"off"`       // the unified audit log is switched off
	Delay     Duration `json:"delay"`     // from an act until its record can be fetched
	Late      int      `json:"late"`      // each so-manieth record comes LateBy later than the others; 0: none
	LateBy    Duration `json:"late_by"`   // after Delay
	First     Duration `json:"first"`     // from the start of a subscription until its first parcel
	Shuffle   bool     `json:"shuffle"`   // parcels, and what is in them, come in no order
	Repeat    bool     `json:"repeat"`    // each list has a parcel twice, and each parcel a record twice
	Parcel    int      `json:"parcel"`    // records in one; 0: 100
	Page      int      `json:"page"`      // parcels on a page of the list; 0: 200
	PerMinute int      `json:"perminute"` // requests; 0: 2,000
	NoRole    bool     `json:"norole"`    // the application has no role in Exchange
	Unsettled int      `json:"unsettled"` // audit searches run so many looks long
}

// audited is a record of the unified audit log.
type audited struct {
	id      string
	content string
	at      time.Time // of the act
	seen    time.Time // from when on it can be fetched
	o       obj
	text    []byte
	parcel  *parcel
}

// parcel is a content blob.
type parcel struct {
	id      string
	content string
	created time.Time
	records []*audited
}

// feed is the state of the Management Activity API, guarded by Sim.mu.
type feed struct {
	Feed
	records  []*audited
	parcels  []*parcel
	byParcel map[string]*parcel
	started  map[string]time.Time // by content type
	disabled map[string]bool
	searches map[string]*search
	ids      int
}

// contents are the content types that can be subscribed to.
var contents = []string{"Audit.AzureActiveDirectory", "Audit.Exchange", "Audit.SharePoint", "Audit.General", "DLP.All"}

// SetFeed changes how the feed delivers from now on.
func (s *Sim) SetFeed(f Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feed.Feed = f
}

// DisableSubscription switches a subscription off, as Microsoft does with one that is not used.
func (s *Sim) DisableSubscription(content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feed.disabled[content] = true
}

// Audited is how many records of the unified audit log there are, whether they can be fetched yet or not.
func (s *Sim) Audited() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.feed.records)
}

// Audit puts a record into the unified audit log as it stands, in Microsoft's form: a real one, say. It is of the content
// type, was written at a time and can be fetched after the feed's delay from now.
func (s *Sim) Audit(content string, at time.Time, record json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enter(&audited{content: content, at: at, text: record}, s.clock.Now())
}

// enter notes a record that is written at a time. The caller holds mu.
func (s *Sim) enter(r *audited, written time.Time) {
	f := &s.feed
	r.seen = written.Add(time.Duration(f.Delay))
	if f.Late > 0 && (len(f.records)+1)%f.Late == 0 {
		r.seen = r.seen.Add(time.Duration(f.LateBy))
	}
	if r.text == nil {
		r.text = appendObject(nil, r.o)
	}
	f.records = append(f.records, r)
}

// pack puts what can be fetched by now into parcels, which never change afterwards. The caller holds mu.
func (s *Sim) pack(now time.Time) {
	f := &s.feed
	var loose []*audited
	for _, r := range f.records {
		if r.parcel == nil && !r.seen.After(now) {
			loose = append(loose, r)
		}
	}
	slices.SortStableFunc(loose, func(a, b *audited) int { return cmp.Or(strings.Compare(a.content, b.content), a.seen.Compare(b.seen)) })
	size := cmp.Or(f.Parcel, 100)
	for len(loose) > 0 {
		n := 1
		for n < len(loose) && n < size && loose[n].content == loose[0].content && loose[n].seen.Sub(loose[0].seen) < time.Minute {
			n++
		}
		last := loose[n-1]
		p := &parcel{content: last.content, created: last.seen, records: loose[:n:n]}
		name := strings.ToLower(strings.ReplaceAll(p.content, ".", "_"))
		p.id = fmt.Sprintf("%s%09d$%s$%s$%s$na0001", p.created.UTC().Format("20060102150405"), len(f.parcels)+1, p.created.UTC().Format("20060102150405")+"000000001", name, p.content[strings.IndexByte(p.content, '.')+1:])
		for _, r := range p.records {
			r.parcel = p
		}
		f.parcels = append(f.parcels, p)
		f.byParcel[p.id] = p
		loose = loose[n:]
	}
}

// refuseFeed is an error in the feed's form.
func refuseFeed(status int, code, format string, args ...any) reply {
	b := append(make([]byte, 0, 200), `{"error":{"code":`...)
	b = appendString(b, code)
	b = append(b, `,"message":`...)
	b = appendString(b, fmt.Sprintf(format, args...))
	return reply{status: status, body: append(b, `}}`...)}
}

// feedGate checks what every call of the feed must have.
func (s *Sim) feedGate(r *request) *reply {
	f := &s.feed
	var bad reply
	switch {
	case !strings.EqualFold(r.vars[0], s.cfg.Tenant):
		bad = refuseFeed(http.StatusBadRequest, "AF20010", "The tenant ID passed in the URL (%s) does not match the tenant ID passed in the access token (%s).", r.vars[0], s.cfg.Tenant)
	case f.Off:
		// By what people report, the message speaks of the tenant and not of the log: https://github.com/wazuh/wazuh/issues/34320
		bad = refuseFeed(http.StatusBadRequest, "StartSubscription [CorrId="+r.id+"] failed. Exception",
			"Microsoft.Office.Compliance.Audit.DataServiceException: Tenant %s does not exist.\r\n   at Microsoft.Office.Compliance.Audit.API.AzureManager", s.cfg.Tenant)
	default:
		return nil
	}
	return &bad
}

func (s *Sim) feedList(r *request) reply {
	if bad := s.feedGate(r); bad != nil {
		return *bad
	}
	out := []obj{}
	for _, c := range contents {
		if _, ok := s.feed.started[c]; ok {
			status := "enabled"
			if s.feed.disabled[c] {
				status = "disabled"
			}
			out = append(out, obj{{"contentType", c}, {"status", status}, {"webhook", nil}})
		}
	}
	return ok(appendList(nil, out, appendObject))
}

func (s *Sim) feedStart(r *request) reply {
	if bad := s.feedGate(r); bad != nil {
		return *bad
	}
	c := r.query.get("contentType")
	if !slices.Contains(contents, c) {
		return refuseFeed(http.StatusBadRequest, "AF20020", "The specified content type is not valid.")
	}
	if _, there := s.feed.started[c]; there && !s.feed.disabled[c] {
		return refuseFeed(http.StatusBadRequest, "AF20024", "The subscription is already enabled. No property change.")
	}
	if _, there := s.feed.started[c]; !there {
		s.feed.started[c] = s.clock.Now()
	}
	delete(s.feed.disabled, c)
	return ok(appendObject(nil, obj{{"contentType", c}, {"status", "enabled"}, {"webhook", nil}}))
}

const feedTime = "2006-01-02T15:04:05"

// keptFor is how long parcels can be fetched.
const keptFor = 7 * 24 * time.Hour

func (s *Sim) feedContent(r *request) reply {
	if bad := s.feedGate(r); bad != nil {
		return *bad
	}
	f, now := &s.feed, s.clock.Now()
	c := r.query.get("contentType")
	from, err := time.Parse(feedTime, r.query.get("startTime"))
	to, err2 := time.Parse(feedTime, r.query.get("endTime"))
	started, there := f.started[c]
	switch {
	case !slices.Contains(contents, c):
		return refuseFeed(http.StatusBadRequest, "AF20020", "The specified content type is not valid.")
	case !there:
		return refuseFeed(http.StatusBadRequest, "AF20022", "No subscription found for the specified content type.")
	case f.disabled[c]:
		return refuseFeed(http.StatusBadRequest, "AF20023", "The subscription was disabled.")
	case err != nil || err2 != nil || to.Before(from) || to.Sub(from) > 24*time.Hour || now.Sub(from) > keptFor:
		return refuseFeed(http.StatusBadRequest, "AF20030", "Start time and end time must both be specified (or both omitted) and must be less than or equal to 24 hours apart, with the start time no more than 7 days in the past.")
	}
	s.pack(now)
	var list []*parcel
	if now.Sub(started) >= time.Duration(f.First) {
		for _, p := range f.parcels {
			if p.content == c && !p.created.Before(from) && p.created.Before(to.Add(time.Second)) {
				list = append(list, p)
			}
		}
	}
	skip, _ := strconv.Atoi(r.query.get("nextPage"))
	page := cmp.Or(f.Page, 200)
	rest := list[min(max(skip, 0), len(list)):]
	more := len(rest) > page
	rest = slices.Clone(rest[:min(page, len(rest))])
	if f.Repeat && len(rest) > 0 {
		rest = append(rest, rest[0])
	}
	if f.Shuffle {
		rand.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	}
	out := []obj{}
	root := strings.TrimSuffix(r.base, "/v1.0") + "/v1.0/" + s.cfg.Tenant + "/activity/feed"
	for _, p := range rest {
		out = append(out, obj{{"contentUri", root + "/audit/" + p.id}, {"contentId", p.id}, {"contentType", c},
			{"contentCreated", p.created.UTC().Format("2006-01-02T15:04:05.000Z")}, {"contentExpiration", p.created.Add(keptFor).UTC().Format("2006-01-02T15:04:05.000Z")}})
	}
	answer := ok(appendList(nil, out, appendObject))
	if more {
		answer = answer.with("NextPageUri", fmt.Sprintf("%s/subscriptions/content?contentType=%s&startTime=%s&endTime=%s&nextPage=%d", root, c,
			r.query.get("startTime"), r.query.get("endTime"), skip+page))
	}
	return answer
}

func (s *Sim) feedGet(r *request) reply {
	if bad := s.feedGate(r); bad != nil {
		return *bad
	}
	f := &s.feed
	p := f.byParcel[r.vars[1]]
	switch {
	case p == nil:
		return refuseFeed(http.StatusBadRequest, "AF20050", "The specified content (%s) does not exist.", r.vars[1])
	case s.clock.Now().Sub(p.created) > keptFor:
		return refuseFeed(http.StatusBadRequest, "AF20051", "Content requested with the key %s has already expired. Content older than 7 days cannot be retrieved.", p.id)
	}
	list := slices.Clone(p.records)
	if f.Repeat {
		list = append(list, list[0])
	}
	if f.Shuffle {
		rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	return ok(appendList(nil, list, func(b []byte, r *audited) []byte { return append(b, r.text...) }))
}
