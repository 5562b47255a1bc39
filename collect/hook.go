package collect

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/journal"
)

// Hook answers what Graph posts to us: it authenticates each notification by its clientState, puts it into the journal,
// and answers 202 when it is on stable storage and not before. What cannot be stored is answered 503, so that Graph
// posts it again, for four hours. What does not authenticate is counted and answered 202 as well, so that whoever made it
// up learns nothing. https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
type Hook struct {
	Key     []byte // of the installation, by which clientState is sealed
	Journal *journal.Journal
	Clock   *tocsin.Clock
	Log     *slog.Logger
	Vouch   Vouch // checks what Microsoft vouches with for notifications that bring what changed; nil: none is taken

	counts [hookCounts]atomic.Int64
	macs   sync.Pool // of hash.Hash: HMACs by the key
	opened opened
	short  atomic.Int64
	held   atomic.Int64
}

// What becomes of what is posted.
const (
	HookStored = iota // notifications
	HookForged        // notifications whose clientState is not ours, or is another tenant's
	HookUnread        // posts that are no notifications, and notifications that do not say which message: these count as stored, too
	HookTooLong
	HookCut       // posts that broke off
	HookFailed    // posts that could not be stored, which come again
	HookUnvouched // notifications that bring what changed and that Microsoft does not vouch for
	HookUnsure    // posts of which nobody can say whether Microsoft vouches for them, which come again
	HookBusy      // posts while too much of others is held, which come again
	hookCounts
)

// HookNames are the counts' names, in metrics.
var HookNames = [hookCounts]string{"stored", "forged", "unreadable", "too_long", "cut_off", "not_stored", "not_vouched_for", "keys_missing", "too_much_at_once"}

// Count is how often something became of what was posted, since the process began.
func (h *Hook) Count(what int) int64 { return h.counts[what].Load() }

// The most that is read of a post, and of a validation token.
const (
	hookBody   = 4 << 20
	hookToken  = 4 << 10
	hookShort  = 64 << 10 // a post of no more is not refused for what long ones take
	hookShorts = 64 << 20 // of the first 64 KiB of all posts that are read or stored at the same time
	hookHeld   = 32 << 20 // and of what comes behind these
)

// ServeHTTP answers a post of Graph's: the handshake, or notifications.
func (h *Hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "Microsoft Graph posts here.", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.RawQuery != "" {
		if token := r.URL.Query().Get("validationToken"); token != "" {
			shake(w, token)
			return
		}
	}
	var holds postHeld
	defer func() { h.giveBack(holds) }()
	g, came := h.gather(w, r, &holds)
	if err := g.Stored(); err != nil {
		came = h.notStored(err, came.n)
	}
	h.counts[came.what].Add(int64(came.n))
	w.WriteHeader(came.status)
}

// outcome is what became of a post, in what it counts as and how often, and how it is answered.
type outcome struct{ what, n, status int }

// gather reads a post, and gives what is ours of it to the journal. Nothing that it gives lies in the memory of the post, which the
// next one takes while this one waits.
func (h *Hook) gather(w http.ResponseWriter, r *http.Request, holds *postHeld) (g journal.Gathered, came outcome) {
	body := takings.Get().(*taking)
	body.h, body.from = h, r.Body
	defer func() { *holds = body.end() }()
	if r.ContentLength < 0 || r.ContentLength > hookShort { // net/http holds it to a length that it has
		body.from = http.MaxBytesReader(w, r.Body, hookBody)
	}
	_, err := body.buf.ReadFrom(body)
	if err != nil {
		came = brokeOff(err)
		return
	}
	posted, err := graph.ParseNotifications(body.buf.Bytes())
	switch {
	case errors.Is(err, graph.ErrMany):
		came = outcome{HookTooLong, 1, http.StatusRequestEntityTooLarge}
		return
	case err != nil:
		came = outcome{HookUnread, 1, http.StatusAccepted}
		return
	}
	items := h.items(body, posted.Value)
	came = outcome{HookStored, len(items), http.StatusAccepted}
	if len(items) == 0 {
		return
	}
	if refused := h.vouched(r.Context(), &posted, len(items)); refused.status != 0 {
		came = refused
		return
	}
	if g, err = h.Journal.Gather(items...); err != nil {
		came = h.notStored(err, len(items))
	}
	return
}

// brokeOff is the outcome of a post that could not be read to its end.
func brokeOff(err error) outcome {
	_, long := errors.AsType[*http.MaxBytesError](err)
	switch {
	case long:
		return outcome{HookTooLong, 1, http.StatusRequestEntityTooLarge}
	case errors.Is(err, errBusy):
		return outcome{HookBusy, 1, http.StatusServiceUnavailable}
	}
	return outcome{HookCut, 1, http.StatusBadRequest}
}

func (h *Hook) notStored(err error, n int) outcome {
	h.Log.Warn("notifications were not stored; Graph sends them again", "count", n, "error", err)
	return outcome{HookFailed, 1, http.StatusServiceUnavailable}
}

// taking is a post while it is read. What has come of it, not what it says it will be, counts among what is held of all until it
// is answered: who sends nothing takes nothing from others.
type taking struct {
	h    *Hook
	from io.Reader
	postHeld
	buf    bytes.Buffer
	items  []journal.Item
	bodies []byte // of the items
}

// postHeld is how many bytes of a post count: of its first 64 KiB, and of what comes behind.
type postHeld struct{ first, more int64 }

var takings = sync.Pool{New: func() any { return new(taking) }}

func (t *taking) Read(b []byte) (int, error) {
	n, err := t.from.Read(b)
	first := min(int64(n), hookShort-t.first)
	more := int64(n) - first
	t.first, t.more = t.first+first, t.more+more
	busy := first > 0 && t.h.short.Add(first) > hookShorts
	if more > 0 && t.h.held.Add(more) > hookHeld {
		busy = true
	}
	if busy {
		return n, errBusy
	}
	return n, err
}

// end has the memory used again.
func (t *taking) end() postHeld {
	holds := t.postHeld
	t.h, t.from, t.postHeld = nil, nil, postHeld{}
	if t.buf.Cap() <= 64<<10 {
		t.buf.Reset()
		clear(t.items)
		t.items, t.bodies = t.items[:0], t.bodies[:0]
		takings.Put(t)
	}
	return holds
}

func (h *Hook) giveBack(holds postHeld) {
	h.short.Add(-holds.first)
	if holds.more > 0 {
		h.held.Add(-holds.more)
	}
}

var errBusy = errors.New("too much is held of other posts")

// shake answers the handshake by which Graph proves that the address wants notifications: the token as it is, as text
// that no browser takes for anything else. https://learn.microsoft.com/graph/change-notifications-delivery-webhooks#notificationurl-validation
func shake(w http.ResponseWriter, token string) {
	if len(token) > hookToken {
		http.Error(w, "The token is too long.", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = io.WriteString(w, token) // whoever is gone asks again
}

// items are the journal's items of those notifications that are ours, in t's memory: nothing is made for a stranger.
func (h *Hook) items(t *taking, posted []graph.Notification) []journal.Item {
	at := tocsin.Millis(h.Clock.Now())
	for i := range posted {
		n := &posted[i]
		of, ok := h.whose(n.ClientState)
		if !ok || !strings.EqualFold(n.Tenant(), string(of.tenant)) {
			h.counts[HookForged].Add(1)
			continue
		}
		it := journal.Item{Tenant: of.tenant, Person: of.person, At: at}
		var err error
		id := n.Message()
		switch {
		case n.Lifecycle != "":
			it.Kind = kindSignal
			it.Body, err = encode(signalled{Event: n.Lifecycle, Subscription: n.SubscriptionID})
		case id == "" || len(id) > 1024: // it is ours, and nobody can say of which message: the mailbox is compared
			h.counts[HookUnread].Add(1)
			it.Kind = kindSignal
			it.Body, err = encode(signalled{Event: "missed", Subscription: n.SubscriptionID})
		default:
			it.Kind, it.Key = kindNotified, n.ResourceData.Etag
			t.bodies = slices.Grow(t.bodies, max(0, t.buf.Len()-len(t.bodies))) // once: they say hardly more than the post
			before := len(t.bodies)
			t.bodies, err = notified{ID: id, Change: n.ChangeType, Sub: n.SubscriptionID, Rich: content(n.Encrypted)}.append(t.bodies)
			it.Body = t.bodies[before:]
		}
		if err != nil {
			h.counts[HookUnread].Add(1)
			continue
		}
		t.items = append(slices.Grow(t.items, len(posted)-i), it)
	}
	return t.items
}

// opened remembers clientStates that were ours, and whose: a mailbox's comes again and again, and to look at its seal takes
// half as long as to read all of a notification.
type opened struct {
	sync.RWMutex
	of map[string]whose
}

type whose struct {
	tenant tocsin.TenantID
	person tocsin.PersonID
}

// mostOpened is how many clientStates are remembered, of some 250 bytes each; then it begins anew.
const mostOpened = 20_000

// whose is OpenClientState by the hook's key.
func (h *Hook) whose(state string) (of whose, ok bool) {
	h.opened.RLock()
	of, ok = h.opened.of[state]
	h.opened.RUnlock()
	if ok {
		return of, true
	}
	m, _ := h.macs.Get().(hash.Hash)
	if m == nil {
		m = hmac.New(sha256.New, h.Key)
	}
	defer h.macs.Put(m)
	if of.tenant, of.person, ok = openClientState(m, state); !ok {
		return whose{}, false
	}
	h.opened.Lock()
	defer h.opened.Unlock()
	if len(h.opened.of) >= mostOpened || h.opened.of == nil {
		h.opened.of = map[string]whose{}
	}
	h.opened.of[strings.Clone(state)] = of // what it was cut out of is the whole post
	return of, true
}

// notified is that Graph said: look at this message.
type notified struct {
	ID     string `json:"id,omitempty"` // none: look at what is parked
	Change string `json:"change,omitempty"`
	Sub    string `json:"sub,omitempty"` // the subscription's id

	Rich *graph.EncryptedContent `json:"rich,omitempty"` // what changed, as it came
}

// append is encode(n) at a tenth of what that takes, where all of it is as Graph writes it.
func (n notified) append(b []byte) ([]byte, error) {
	if n != (notified{ID: n.ID, Change: n.Change, Sub: n.Sub}) || !plain(n.ID) || !plain(n.Change) || !plain(n.Sub) {
		raw, err := encode(n)
		return append(b, raw...), err
	}
	b = append(append(b, `{"id":"`...), n.ID...)
	b = append(append(b, `","change":"`...), n.Change...)
	b = append(append(b, `","sub":"`...), n.Sub...)
	return append(b, `"}`...), nil
}

// decode is json.Unmarshal at a tenth of what that takes, of what encode wrote.
func (n *notified) decode(b []byte) error {
	rest, ok := strings.CutPrefix(string(b), `{"id":"`)
	id, rest, ok1 := strings.Cut(rest, `","change":"`)
	change, rest, ok2 := strings.Cut(rest, `","sub":"`)
	sub, rest, ok3 := strings.Cut(rest, `"}`)
	if !ok || !ok1 || !ok2 || !ok3 || rest != "" || !plain(id) || !plain(change) || !plain(sub) {
		*n = notified{}
		return json.Unmarshal(b, n)
	}
	*n = notified{ID: id, Change: change, Sub: sub}
	return nil
}

// plain says whether a string stands in JSON as it is, and is not empty.
func plain(s string) bool { return s != "" && graph.PlainRun(s) == len(s) }

// signalled is what Graph said of a subscription itself.
type signalled struct {
	Event        string `json:"event"`
	Subscription string `json:"subscription"`
}

// The seal of a clientState: tenant, person and the first half of their HMAC, 64 characters, of the 128 that Graph allows.
const sealed = 16 + 16 + 16

// ClientState is what a subscription to a mailbox of ours bears and each of its notifications brings back. Whoever has the
// installation's key can tell by it whose mailbox it is, without looking anything up.
func ClientState(key []byte, tenant tocsin.TenantID, person tocsin.PersonID) (string, error) {
	t, err1 := uuid.Parse(string(tenant))
	p, err2 := uuid.Parse(string(person))
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	plain := append(t[:], p[:]...)
	return base64.RawURLEncoding.EncodeToString(append(plain, seal(hmac.New(sha256.New, key), plain)...)), nil
}

// OpenClientState says whose mailbox a clientState is of; false where it is none of ours.
func OpenClientState(key []byte, state string) (tocsin.TenantID, tocsin.PersonID, bool) {
	return openClientState(hmac.New(sha256.New, key), state)
}

// openClientState is OpenClientState with an HMAC by the key, made before.
func openClientState(m hash.Hash, state string) (tocsin.TenantID, tocsin.PersonID, bool) {
	var raw [sealed]byte
	if len(state) != base64.RawURLEncoding.EncodedLen(sealed) {
		return "", "", false
	}
	n, err := base64.RawURLEncoding.Decode(raw[:], []byte(state))
	if err != nil || n != sealed || subtle.ConstantTimeCompare(raw[32:], seal(m, raw[:32])) != 1 {
		return "", "", false
	}
	return tocsin.TenantID(uuid.UUID(raw[:16]).String()), tocsin.PersonID(uuid.UUID(raw[16:32]).String()), true
}

func seal(m hash.Hash, plain []byte) []byte {
	m.Reset()
	m.Write([]byte("clientState\x00"))
	m.Write(plain)
	return m.Sum(nil)[:16]
}
