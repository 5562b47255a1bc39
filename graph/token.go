package graph

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// token is an access token. It is never printed: it has no exported field, and its String hides it.
type token struct {
	value   string
	expires time.Time
	renew   time.Time // from then on one caller fetches the next, and the others go on with this
}

func (t token) String() string { return "(token)" }

// tokens keeps the current token and fetches the next, one at a time however many ask, but for who wants it asked anew.
type tokens struct {
	fetch func(ctx context.Context, fresh bool) (token, error)
	leaf  *x509.Certificate // of the credential, nil without one

	group singleflight.Group
	mu    sync.Mutex
	cur   token
	skew  time.Duration // how far the sign-in's clock is ahead of ours
	no    error         // the last refusal …
	until time.Time     // … and until when it is not asked again
	stale bool          // the last token was refused: the next must not come from a cache
	turn  int           // counts the times that somebody wanted it asked anew: what was asked before that is not waited for
}

const (
	signInTime = time.Minute     // for one fetch, its repetitions included
	early      = 5 * time.Minute // before its end a token is replaced
	refusal    = 3 * time.Second // for which a refusal is believed
)

func newToken(value string, expires time.Time) token {
	left := time.Until(expires)
	return token{value: value, expires: expires, renew: expires.Add(-min(early, left/4))}
}

// get is a token to use. bad is one that was refused, so that a new one is made unless that has been done meanwhile.
func (t *tokens) get(ctx context.Context, bad string) (string, error) {
	t.mu.Lock()
	cur, no, until, turn := t.cur, t.no, t.until, t.turn
	t.mu.Unlock()
	now := time.Now()
	usable := cur.value != "" && cur.value != bad && now.Before(cur.expires)
	if usable && now.Before(cur.renew) {
		return cur.value, nil
	}
	if no != nil && now.Before(until) && !usable {
		return "", no
	}
	next := t.group.DoChan(strconv.Itoa(turn), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signInTime)
		defer cancel()
		return t.renewed(ctx, bad, turn)
	})
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-next:
		if r.Err == nil {
			return r.Val.(token).value, nil
		}
		if usable { // the old one is good for some minutes yet
			return cur.value, nil
		}
		return "", r.Err
	}
}

func (t *tokens) renewed(ctx context.Context, bad string, turn int) (token, error) {
	t.mu.Lock()
	cur, stale, no, until := t.cur, t.stale, t.no, t.until
	t.mu.Unlock()
	if cur.value != "" && cur.value != bad && time.Now().Before(cur.renew) {
		return cur, nil // fetched between our look and our turn
	}
	if no != nil && time.Now().Before(until) {
		return token{}, no // refused meanwhile
	}
	if err := valid(t.leaf, time.Now()); err != nil {
		return token{}, err
	}
	next, err := t.fetch(ctx, bad != "" || stale)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		if _, ok := errors.AsType[*Revoked](err); ok && t.turn == turn {
			t.no, t.until = err, time.Now().Add(refusal)
		}
		return token{}, err
	}
	if t.turn == turn {
		t.cur, t.no, t.stale = next, nil, false
	}
	return next, nil
}

// drop forgets a token that was refused, unless there is another by now.
func (t *tokens) drop(bad string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cur.value == bad {
		t.cur, t.stale = token{}, true
	}
}

// hide takes tokens and secrets out of a text that came from outside.
func (c *Client) hide(s string) string {
	secrets := []string{c.cfg.Secret, url.QueryEscape(c.cfg.Secret)}
	for _, r := range c.reach {
		r.tokens.mu.Lock()
		secrets = append(secrets, r.tokens.cur.value)
		r.tokens.mu.Unlock()
	}
	for _, secret := range secrets {
		if len(secret) >= 8 {
			s = strings.ReplaceAll(s, secret, "(hidden)")
		}
	}
	return bearer.ReplaceAllString(s, "(hidden)")
}

// Skew is how far Microsoft's clock was ahead of ours at the last sign-in.
func (c *Client) Skew() time.Duration {
	c.tokens.mu.Lock()
	defer c.tokens.mu.Unlock()
	return c.tokens.skew
}

// CertificateExpires is when the credential's certificate does; zero without one.
func (c *Client) CertificateExpires() time.Time {
	if c.tokens.leaf == nil {
		return time.Time{}
	}
	return c.tokens.leaf.NotAfter
}

// SignIn gets a new token and forgets it: the test of a credential, which joins no fetch that was under way, for what Microsoft
// refused then may be mended since. It makes no call to Graph.
func (c *Client) SignIn(ctx context.Context) error {
	if c.paused() {
		return ErrPaused
	}
	c.tokens.mu.Lock()
	cur := c.tokens.cur.value
	c.tokens.no, c.tokens.stale = nil, true
	c.tokens.turn++
	c.tokens.mu.Unlock()
	_, err := c.tokens.get(ctx, or(cur, "none"))
	if err == nil {
		c.renew()
	}
	return err
}

// renew has the tokens for other services fetched anew when they are needed next, since what is granted may have changed.
func (c *Client) renew() {
	for s, r := range c.reach {
		if s != "" {
			r.tokens.mu.Lock()
			r.tokens.cur, r.tokens.no, r.tokens.stale = token{}, nil, true
			r.tokens.turn++
			r.tokens.mu.Unlock()
		}
	}
}

// Roles are the application permissions in the app's token, or the scopes in that of an account, for diagnosis only: a grant of a moment ago is not in it
// yet, and Microsoft calls tokens opaque. What is granted is told by servicePrincipals.appRoleAssignments.
func (c *Client) Roles(ctx context.Context) ([]string, error) { return c.RolesFor(ctx, "") }

// rolesOf reads the roles claim of a token; false when it is not a readable JWT.
func rolesOf(t string) ([]string, bool) {
	parts := strings.Split(t, ".")
	if len(parts) != 3 {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, false
	}
	var claims struct {
		Roles  []string `json:"roles"`
		Scopes string   `json:"scp"` // of who acts in somebody's name
	}
	if json.Unmarshal(payload, &claims) != nil {
		return nil, false
	}
	return append(claims.Roles, strings.Fields(claims.Scopes)...), true
}
