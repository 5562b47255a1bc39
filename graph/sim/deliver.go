package sim

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Deliveries is what became of notifications so far.
type Deliveries struct {
	Made      int64 `json:"made"`      // one for each change and subscription
	Delivered int64 `json:"delivered"` // answered with 2xx
	Posts     int64 `json:"posts"`     // POSTs made, the failed ones too
	Failed    int64 `json:"failed"`    // POSTs that were not answered with 2xx in time
	Dropped   int64 `json:"dropped"`   // given up after four hours, or thrown away because the address was too slow
	Lost      int64 `json:"lost"`      // by a fault
	Repeated  int64 `json:"repeated"`  // by a fault
	Waiting   int64 `json:"waiting"`   // not delivered yet
}

// Deliveries is what became of notifications so far.
func (s *Sim) Deliveries() Deliveries {
	h := &s.hook
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.sums
	out.Waiting = int64(len(h.later) + h.carried)
	for _, e := range h.endpoints {
		out.Waiting += int64(len(e.ready))
		if e.held != nil {
			out.Waiting++
		}
	}
	return out
}

// SetDelivery changes how notifications go out from now on; the number of connections counts from the next Run.
func (s *Sim) SetDelivery(d Delivery) {
	s.hook.mu.Lock()
	defer s.hook.mu.Unlock()
	s.hook.how = d.filled()
}

// Deliver sends everything that is due now and returns when it was answered, delivered or not: for tests that do not
// call Run.
func (s *Sim) Deliver(ctx context.Context) {
	s.catchUp()
	h := &s.hook
	h.release()
	n := s.delivery().Connections
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for ctx.Err() == nil && s.post(ctx) {
			}
		})
	}
	all.Wait()
}

// deliver sends what becomes ready until ctx ends.
func (s *Sim) deliver(ctx context.Context) {
	n := s.delivery().Connections
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for ctx.Err() == nil {
				if s.post(ctx) {
					continue
				}
				select {
				case <-ctx.Done():
				case <-s.hook.wake:
				}
			}
		})
	}
	all.Wait()
}

// overdue makes ready what has become due, and asks for reauthorization where it is time.
func (s *Sim) overdue() {
	h := &s.hook
	now := s.clock.Now()
	if due := h.due.Load(); due == 0 || now.UnixNano() < due {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ends.IsZero() && !now.Before(h.ends) {
		h.expire(now)
		s.remind(now)
	}
	s.promote(now)
	h.schedule()
}

// post makes one POST of what is ready; false where nothing is.
func (s *Sim) post(ctx context.Context) bool {
	h := &s.hook
	h.mu.Lock()
	batch := h.take()
	if batch == nil {
		h.mu.Unlock()
		return false
	}
	if len(h.busy) > 0 { // there is more: another worker's turn
		h.rouse(h.busy[0])
	}
	h.posts++
	h.carried += len(batch)
	number, timeout := h.posts, time.Duration(h.how.Timeout)
	h.mu.Unlock()
	began := time.Now()
	status, why := s.carry(ctx, number, batch, timeout)
	took := time.Since(began)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.carried -= len(batch)
	h.sums.Posts++
	s.settle(batch, status, why, took >= timeout)
	return true
}

// carry sends a batch: the truth knows of it before, and of the answer after.
func (s *Sim) carry(ctx context.Context, number int, batch []*notice, timeout time.Duration) (status int, why string) {
	body := batch[0].raw
	if body == nil {
		var err error
		if body, err = s.envelope(batch); err != nil {
			return 0, err.Error()
		}
	}
	line := Truth{Change: "delivery.begun", ID: strconv.Itoa(number), By: "delivery", Of: numbers(batch), Detail: about(batch)}
	if err := s.tell(line); err != nil {
		return 0, err.Error()
	}
	status, why = s.send(ctx, batch[0].url, body, timeout)
	line.Change, line.Status, line.Why, line.Detail = "delivery.answered", status, why, nil
	if err := s.tell(line); err != nil {
		s.log.Error("the truth cannot be written", "error", err)
	}
	return status, why
}

// settle does what an answer asks for: nothing, or another try. The caller holds hook.mu.
func (s *Sim) settle(batch []*notice, status int, why string, slow bool) {
	h := &s.hook
	now := s.clock.Now()
	h.endpoint(batch[0].url).answered(now, slow)
	if batch[0].raw != nil {
		return
	}
	if status/100 == 2 {
		h.sums.Delivered += int64(len(batch))
		for _, n := range batch {
			if n.lifecycle == "missed" {
				n.sub.missed = false // what is missed from now on is said again
			}
		}
		return
	}
	if why == "" {
		why = "the answer was " + strconv.Itoa(status)
	}
	h.sums.Failed++
	for _, n := range batch {
		if n.raw == nil {
			s.again(n, why, now)
		}
	}
}

// send makes a POST; the status is 0 where no answer came in time.
func (s *Sim) send(ctx context.Context, url string, body []byte, timeout time.Duration) (status int, why string) {
	ctx, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("User-Agent", "Microsoft Graph change notifications (simulator)")
	resp, err := s.courier.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection is used again; what stands there is nobody's
	return resp.StatusCode, ""
}

// newCourier is the client that delivers: to this machine only, and following nobody elsewhere.
func newCourier(connections int, ca string) (*http.Client, error) {
	d := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error { return onlyLoopback(address) }}
	t := &http.Transport{DialContext: d.DialContext, MaxIdleConnsPerHost: max(connections, 16), IdleConnTimeout: time.Minute, DisableCompression: true,
		WriteBufferSize: 32 << 10} // a POST is one write
	if ca != "" {
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool() // a machine without any
		}
		if !roots.AppendCertsFromPEM([]byte(ca)) {
			return nil, errors.New("sim: HookCA holds no certificate")
		}
		t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// greet asks an address whether it wants notifications: it must answer with the token, decoded, as plain text. It gives
// what is wrong.
func (s *Sim) greet(address string) string {
	if address == "" {
		return ""
	}
	timeout := time.Duration(s.delivery().Timeout)
	token := "Validation: Testing client application reachability for subscription Request-Id: " + randomGUID() + " +<&>=%"
	join := "?"
	if strings.Contains(address, "?") {
		join = "&"
	}
	ctx, stop := context.WithTimeout(context.Background(), timeout)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address+join+"validationToken="+url.QueryEscape(token), http.NoBody)
	if err != nil {
		return "Subscription validation request failed. The notification URL is not valid."
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := s.courier.Do(r)
	if ctx.Err() != nil {
		return "Subscription validation request timed out."
	}
	if err != nil {
		return "Subscription validation request failed. The notification endpoint cannot be reached."
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	switch kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";"); {
	case ctx.Err() != nil:
		return "Subscription validation request timed out."
	case resp.StatusCode != http.StatusOK:
		return "Subscription validation request failed. HTTP status code is '" + strings.ReplaceAll(http.StatusText(resp.StatusCode), " ", "") + "'. Notification endpoint must respond with 200 OK to validation request."
	case err != nil || string(got) != token || !strings.EqualFold(strings.TrimSpace(kind), "text/plain"):
		return "Subscription validation request failed. Response must exactly match validationToken query parameter, as text/plain."
	}
	return ""
}

// numbers are the changes' in the truth that a POST tells of.
func numbers(batch []*notice) []int {
	out := make([]int, 0, len(batch))
	for _, n := range batch {
		if n.of > 0 {
			out = append(out, n.of)
		}
	}
	return out
}

// about is the lifecycle events that a POST tells of; nil for none.
func about(batch []*notice) []byte {
	var list []obj
	for _, n := range batch {
		if n.lifecycle != "" {
			list = append(list, obj{{"subscription", n.sub.id}, {"lifecycleEvent", n.lifecycle}})
		}
	}
	if list == nil {
		return nil
	}
	return appendJSON(nil, list)
}
