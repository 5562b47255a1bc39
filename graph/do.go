package graph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// reply is an answer of Graph, whatever its status.
type reply struct {
	status int
	header http.Header
	body   []byte
	id     string // ours for the request
	token  string // that the request went with
}

func (r *reply) where(call Call) Where {
	return Where{Call: call.Name, Status: r.status, RequestID: clip(r.header.Get("request-id"), 80), ClientRequestID: r.id}
}

// cost is the resource units that Graph says the request took; 0 when it does not.
func (r *reply) cost() int {
	said := r.header.Get("x-ms-resource-unit")
	if said == "" {
		return 0 // as Atoi would say, with an error that nobody reads and every answer would pay for
	}
	n, _ := strconv.Atoi(said) // what is no number is 0
	return min(max(n, 0), 1000)
}

// do makes a call: it waits for the limits, signs in, sends, and tries again what passes by itself. The answer is a good one.
func (c *Client) do(ctx context.Context, r request) (*reply, error) {
	var bad string // a token that was refused
	began := time.Now()
	for try := 1; ; {
		rep, used, err := c.attempt(ctx, r, bad)
		if err == nil {
			err = c.verdict(ctx, r, rep)
		}
		if err == nil {
			return rep, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		again, wait := c.again(err, r, try, bad == "")
		if !again || time.Since(began)+wait > c.limits.lim.MaxWait || !inTime(ctx, wait) {
			return nil, c.report(r.call, final(err))
		}
		switch err.(type) {
		case *Unauthorized:
			bad = used
		default:
			try++
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// inTime says whether a wait ends before ctx does.
func inTime(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > wait
}

// throttleTries is how often a call that is throttled comes back, each time after what Graph asked for.
const throttleTries = 8

// again says whether a call that failed so is made once more, and after what wait.
func (c *Client) again(err error, r request, try int, firstToken bool) (bool, time.Duration) {
	switch e := err.(type) {
	case *Throttled:
		wait := e.After
		if e.guess {
			wait = max(wait, backoff(4*c.cfg.Backoff, try))
		}
		return !e.Ours && try < throttleTries, wait // refused requests did nothing, so this holds for every method
	case *Unauthorized:
		return firstToken, 0
	case *passes:
		return r.safe() && try < c.cfg.Tries, max(e.after, backoff(c.cfg.Backoff, try))
	}
	return false, 0
}

// safe says whether making the request twice is the same as once. A batch is: it holds nothing but reading calls.
func (r request) safe() bool {
	return r.call.Method == http.MethodGet || r.call.Reads || r.call.Name == "batch"
}

// passes is an Unavailable that another try may mend.
type passes struct {
	*Unavailable
	after time.Duration
}

// final is err as a caller gets it.
func final(err error) error {
	if p, ok := err.(*passes); ok {
		return p.Unavailable
	}
	return err
}

// attempt makes one request under the limits. used is the token it went with.
func (c *Client) attempt(ctx context.Context, r request, bad string) (rep *reply, used string, err error) {
	if c.paused() {
		return nil, "", ErrPaused
	}
	at, err := c.at(r.call)
	if err != nil {
		return nil, "", err
	}
	if used, err = at.tokens.get(ctx, bad); err != nil {
		return nil, "", err
	}
	if r.call.Name != "batch" { // a batch's parts are what counts
		t, err := c.limits.acquire(ctx, r.ask(ctx))
		if err != nil {
			if e, ok := errors.AsType[*Throttled](err); ok {
				e.Call = r.call.Name
			}
			return nil, "", err
		}
		defer func() {
			c.settle(t, rep)
		}()
	}
	if c.paused() { // while it waited
		return nil, "", ErrPaused
	}
	rep, err = c.send(ctx, r, used)
	return rep, used, err
}

func (r request) ask(ctx context.Context) ask {
	write := r.call.Method != http.MethodGet && r.call.Name != "batch" && !r.call.Reads
	a := ask{call: r.call.Name, kind: r.call.Kind, box: r.box, units: r.call.Units(), write: write, high: isHigh(ctx)}
	if write && r.call.Kind == Mailbox {
		a.bytes = len(r.body)
	}
	return a
}

// settle gives back what a call held of the limits, and takes in what its answer, where there is one, says of them.
func (c *Client) settle(t *ticket, rep *reply) {
	if rep == nil {
		t.release(0)
		return
	}
	t.release(rep.cost())
	said := rep.header.Get("x-ms-throttle-limit-percentage")
	if said == "" {
		return
	}
	if part, err := strconv.ParseFloat(said, 64); err == nil {
		c.limits.told(t.ask, part)
	}
}

// send makes one request and reads its whole answer.
func (c *Client) send(ctx context.Context, r request, token string) (*reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.call.Method, r.url, bytes.NewReader(r.body))
	if err != nil {
		return nil, fmt.Errorf("%s: the address cannot be used", r.call.Name)
	}
	id := uuid.NewString()
	c.dress(req, r, token, id)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.silence(r.call, id, err)
	}
	defer res.Body.Close()
	rep := &reply{status: res.StatusCode, header: res.Header, id: id, token: token}
	most := c.cfg.MaxBody
	if pageOf(ctx) == 1 {
		most *= onlyOne
	}
	rep.body, err = readAll(io.LimitReader(res.Body, most+1), res.ContentLength)
	if err != nil {
		return nil, &passes{Unavailable: &Unavailable{Where: rep.where(r.call), What: "the answer broke off: " + c.reason(err)}}
	}
	if int64(len(rep.body)) > most {
		return nil, &Unavailable{Where: rep.where(r.call), What: fmt.Sprintf("the answer is longer than %d bytes", most), Long: true}
	}
	return rep, nil
}

// readAll is io.ReadAll of a body that says how long it is, where it does: it is told by strangers, so not much is made of it. Of
// what does not, which is most, what is read lies in a buffer that was used before until it is known how long it is.
func readAll(r io.Reader, long int64) ([]byte, error) {
	if long >= 0 {
		b := bytes.NewBuffer(make([]byte, 0, min(long, 256<<10)+bytes.MinRead))
		_, err := b.ReadFrom(r)
		return b.Bytes(), err
	}
	b := answers.Get().(*bytes.Buffer)
	b.Reset()
	_, err := b.ReadFrom(r)
	if b.Cap() > 1<<20 { // too much to be kept
		return b.Bytes(), err
	}
	defer answers.Put(b)
	return bytes.Clone(b.Bytes()), err
}

var answers = sync.Pool{New: func() any { return &bytes.Buffer{} }}

// dress sets the headers. They go with every page too: Graph does not remember them.
func (c *Client) dress(req *http.Request, r request, token, id string) {
	h := req.Header
	h.Set("Authorization", "Bearer "+token)
	h.Set("Accept", "application/json")
	if r.call.Raw {
		h.Set("Accept", "*/*")
	}
	h.Set("User-Agent", c.cfg.UserAgent)
	h.Set("client-request-id", id)
	if len(r.body) > 0 {
		h.Set("Content-Type", "application/json")
	}
	call := r.call
	if n := pageOf(req.Context()); n > 0 {
		call.PageSize = min(call.PageSize, n)
	}
	for k, v := range call.headers(isHigh(req.Context())) {
		h.Set(k, v)
	}
	if r.call.Service == ExchangeAdmin {
		h.Set("X-AnchorMailbox", or(r.near, systemMailbox+c.cfg.Tenant))
		h.Set("X-ResponseFormat", "json")
	}
}

// headers are those that a call wants besides the ones every request has.
func (c Call) headers(high bool) map[string]string {
	h := map[string]string{}
	var prefer []string
	if c.Kind == Mailbox || c.Kind == Subscriptions { // a subscription's decides for all that it tells
		prefer = append(prefer, `IdType="ImmutableId"`) // https://learn.microsoft.com/graph/outlook-immutable-id
	}
	if c.PageSize > 0 {
		prefer = append(prefer, fmt.Sprintf("odata.maxpagesize=%d", c.PageSize))
	}
	if len(prefer) > 0 {
		h["Prefer"] = strings.Join(prefer, ", ")
	}
	if c.Kind == Directory || c.Kind == Report || c.Kind == Protection { // the services of identity and access know it
		h["x-ms-throttle-priority"] = "low"
		if high {
			h["x-ms-throttle-priority"] = "high"
		}
	}
	return h
}

// silence is a request without an answer. The address is left out: its query may name people.
func (c *Client) silence(call Call, id string, err error) error {
	return &passes{Unavailable: &Unavailable{
		Where: Where{Call: call.Name, ClientRequestID: id},
		What:  "Microsoft Graph cannot be reached: " + c.reason(err),
		Err:   uncertified(err),
	}}
}

func (c *Client) reason(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer within " + c.cfg.Timeout.String()
	}
	return clip(c.hide(err.Error()), 200)
}

// report logs a call that failed for good, with the ids that Microsoft's support asks for and nothing about a person, and gives it back.
func (c *Client) report(call Call, err error) error {
	if errors.Is(err, ErrPaused) {
		return err
	}
	w, code := place(err)
	c.log.Log(context.Background(), weight(err), "a call to Microsoft Graph failed", slog.String("call", call.Name), slog.Int("status", w.Status), slog.String("code", code),
		slog.String("request_id", w.RequestID), slog.String("client_request_id", w.ClientRequestID), slog.String("error", err.Error()))
	return err
}

// weight is how loud an error is logged: those that are an answer to the caller's question, maybe for each of 100,000
// mailboxes, are only for who debugs.
func weight(err error) slog.Level {
	switch e := err.(type) {
	case *Denied, *NoMailbox, *NotFound, *Gone:
		return slog.LevelDebug
	case *Throttled:
		if e.Ours {
			return slog.LevelDebug
		}
	}
	return slog.LevelWarn
}

// place is the Where of any of our errors, and its code.
func place(err error) (Where, string) {
	switch e := err.(type) {
	case *Throttled:
		return e.Where, ""
	case *Gone:
		return e.Where, e.Code
	case *Denied:
		return e.Where, e.Code
	case *NoMailbox:
		return e.Where, e.Code
	case *NotFound:
		return e.Where, e.Code
	case *Challenge:
		return e.Where, "insufficient_claims"
	case *Unauthorized:
		return e.Where, e.Code
	case *Failed:
		return e.Where, e.Code
	case *Revoked:
		return Where{}, e.Code
	case *Unavailable:
		return e.Where, e.Code
	}
	return Where{}, ""
}

// verdict is nil for a good answer, else what it means.
func (c *Client) verdict(ctx context.Context, r request, rep *reply) error {
	if rep.status >= 200 && rep.status < 300 {
		if len(rep.body) > 0 && !r.call.Raw && !isJSON(rep.body) {
			return &passes{Unavailable: &Unavailable{Where: rep.where(r.call), What: notJSON(rep)}}
		}
		return nil
	}
	err := c.judge(r.call, rep)
	if t, ok := err.(*Throttled); ok {
		c.limits.throttled(r.ask(ctx), t.After, told429(rep))
	}
	return err
}

// told429 is what a 429 says of itself.
func told429(rep *reply) Refusal {
	return Refusal{Code: parseFault(rep.body).Code, Why: clip(rep.header.Get("x-ms-throttle-information"), 80), scope: scopeOf(rep.header.Get("x-ms-throttle-scope"))}
}

// notJSON says what came instead of JSON, without quoting it.
func notJSON(rep *reply) string {
	kind, _, _ := strings.Cut(rep.header.Get("Content-Type"), ";")
	if kind != "" && !strings.Contains(kind, "json") {
		return "the answer is " + clip(kind, 40) + " and not JSON: a proxy may stand in between"
	}
	return "the answer is not whole: its JSON breaks off or is damaged"
}
