package graph

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	msal "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"
)

// newTokens chooses how this client signs in to a service. A person's tokens, made elsewhere, are for Graph alone.
func (c *Client) newTokens(scope string, s Service) (*tokens, error) {
	if (c.cfg.Tokens != nil || c.cfg.Delegated != nil) && s != "" {
		return &tokens{fetch: func(context.Context, bool) (token, error) {
			return token{}, fmt.Errorf("a person's token is not for %s", Resources[s].Name)
		}}, nil
	}
	if c.cfg.Tokens != nil {
		return &tokens{fetch: c.borrowed}, nil
	}
	if c.cfg.Tenant == "" || c.cfg.Client == "" {
		return nil, errors.New("a connection needs the tenant's id and the app registration's")
	}
	if strings.ContainsAny(c.cfg.Tenant, "/?#% \\") {
		return nil, fmt.Errorf("the tenant is neither an id nor a domain: %q", c.cfg.Tenant)
	}
	t := &tokens{}
	var cred confidential.Credential
	var err error
	switch {
	case len(c.cfg.Certificate) > 0:
		cred, t.leaf, err = certified(c.cfg.Certificate, c.cfg.Key)
	case c.cfg.Secret != "":
		cred, err = confidential.NewCredFromSecret(c.cfg.Secret)
	default:
		err = errors.New("a connection needs a client secret or a certificate")
	}
	if err != nil {
		return nil, err
	}
	t.fetch = func(ctx context.Context, _ bool) (token, error) { return c.signIn(ctx, cred, scope, t) }
	if c.cfg.Delegated != nil {
		t.fetch = func(ctx context.Context, _ bool) (token, error) { return c.refreshed(ctx) }
	}
	return t, nil
}

func (c *Client) borrowed(ctx context.Context, fresh bool) (token, error) {
	value, expires, err := c.cfg.Tokens(ctx, fresh)
	if err != nil {
		return token{}, err
	}
	return newToken(value, expires), nil
}

// signIn gets an app's token by the client credentials flow. Faults that pass are tried again, within ctx.
func (c *Client) signIn(ctx context.Context, cred confidential.Credential, scope string, tokens *tokens) (token, error) {
	for try := 1; ; try++ {
		t, err := c.signInOnce(ctx, cred, scope, tokens)
		if err == nil {
			return t, nil
		}
		wait, again := c.signInWait(err, try)
		if !again {
			return token{}, err
		}
		if sleep(ctx, wait) != nil {
			return token{}, err
		}
	}
}

func (c *Client) signInWait(err error, try int) (time.Duration, bool) {
	if try >= min(c.cfg.Tries, 3) {
		return 0, false
	}
	if e, ok := errors.AsType[*Throttled](err); ok {
		return e.After, e.After < signInTime/2
	}
	_, ok := errors.AsType[*Unavailable](err)
	return backoff(c.cfg.Backoff, try), ok
}

// signInOnce uses a client of MSAL's made for the one token: we keep the token ourselves, and a refused one must not come
// back from another cache. The public instance discovery is off: it would tell a third host, and fail in clouds of one's own.
func (c *Client) signInOnce(ctx context.Context, cred confidential.Credential, scope string, tokens *tokens) (token, error) {
	wire := &signInWire{c: c}
	authority := strings.TrimRight(c.cfg.Cloud.Authority, "/") + "/" + c.cfg.Tenant
	app, err := confidential.New(authority, c.cfg.Client, cred,
		confidential.WithHTTPClient(wire), confidential.WithInstanceDiscovery(false))
	if err != nil {
		return token{}, errors.New("the sign-in address cannot be used: " + clip(c.hide(err.Error()), 200))
	}
	res, err := app.AcquireTokenByCredential(ctx, []string{scope})
	tokens.note(wire.skew)
	if err != nil {
		return token{}, c.signInFault(ctx, err, wire)
	}
	return newToken(res.AccessToken, res.ExpiresOn), nil
}

func (t *tokens) note(skew time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.skew = skew
}

// signInFault turns MSAL's error into ours. MSAL's may quote whole answers, tokens included, so none of its text goes on
// except where it is known to be a connection's.
func (c *Client) signInFault(ctx context.Context, err error, wire *signInWire) error {
	if wire.stopped {
		return ErrPaused
	}
	if wire.foreign {
		return &Unavailable{What: "the sign-in address has secrets sent to another server, which is not done"}
	}
	if ctx.Err() != nil && wire.status == 0 {
		return &Unavailable{What: "the sign-in service does not answer in time"}
	}
	call, ok := errors.AsType[msal.CallErr](err)
	if !ok {
		return &Unavailable{What: c.signInSilence(err), Err: uncertified(err)}
	}
	body, _ := io.ReadAll(call.Resp.Body) // a buffer of MSAL's
	code, kind := signInCode(body)
	switch s := call.Resp.StatusCode; {
	case s == http.StatusTooManyRequests:
		return &Throttled{After: after(call.Resp.Header, time.Now(), backoff(c.cfg.Backoff, 3))}
	case s >= 500 || passing[code] || kind == "temporarily_unavailable":
		return &Unavailable{What: fmt.Sprintf("the sign-in service answered %d", s), Code: kind}
	case code == 0 && kind == "":
		return &Unavailable{What: fmt.Sprintf("the sign-in address answered %d, and not as Microsoft's does", s)}
	}
	return skewed(refused(code, kind), wire.skew)
}

func (c *Client) signInSilence(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return "the sign-in service cannot be reached: " + clip(c.hide(e.Err.Error()), 200)
	}
	if _, ok := errors.AsType[msal.InvalidJsonErr](err); ok {
		return "the sign-in address answers with something that is not JSON: a proxy or another server may stand in between"
	}
	if text := err.Error(); strings.Contains(text, "issuer '") {
		return "the sign-in address speaks for another authority than the one configured"
	}
	return "the answer of the sign-in service cannot be used"
}

// uncertified is the fault of a server's certificate in err, nil where it has none: the one part of MSAL's error that quotes
// no answer, and on which somebody can act.
func uncertified(err error) error {
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e
	}
	return nil
}

const tolerated = 5 * time.Minute // of difference between two clocks

// skewed adds to a refusal that the clocks differ, which then is the likeliest cause.
func skewed(e *Revoked, skew time.Duration) *Revoked {
	if skew.Abs() < tolerated {
		return e
	}
	side := "behind"
	if skew < 0 {
		side = "ahead of"
	}
	e.What += fmt.Sprintf(" This server's clock is %s %s Microsoft's.", skew.Abs().Round(time.Second), side)
	e.Do = strings.TrimSpace("Set the clock by NTP. " + e.Do)
	return e
}

// signInWire is the HTTP client that MSAL is given: ours, stopped when calls are, its answers bounded.
type signInWire struct {
	c       *Client
	skew    time.Duration
	status  int
	stopped bool
	foreign bool // discovery named another server
}

const signInBody = 1 << 20

// Do sends a request of MSAL's.
func (w *signInWire) Do(req *http.Request) (*http.Response, error) {
	if w.c.paused() {
		w.stopped = true
		return nil, ErrPaused
	}
	// Where tokens are to be had is told by discovery, and the credential goes there.
	if !w.c.mayHaveSecrets(req.URL) {
		w.foreign = true
		return nil, errors.New("another server than the authority's")
	}
	req.Header.Set("User-Agent", w.c.cfg.UserAgent)
	res, err := w.c.http.Do(req)
	if err != nil {
		return nil, err
	}
	w.status = res.StatusCode
	if t, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		w.skew = time.Until(t).Round(time.Second)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, signInBody))
	_ = res.Body.Close() // read to the end, or given up
	if err != nil {
		return nil, &url.Error{Op: req.Method, URL: "", Err: err}
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// mayHaveSecrets says whether a credential may be sent to an address: of the authority, or of Microsoft's, which the discovery of
// an authority that only passes on what Microsoft says names.
func (c *Client) mayHaveSecrets(u *url.URL) bool {
	for _, cloud := range []Cloud{c.cfg.Cloud, Global, USGov, China} {
		if home, err := address("authority", cloud.Authority); err == nil && u.Scheme == home.Scheme && strings.EqualFold(u.Host, home.Host) {
			return true
		}
	}
	return false
}

// CloseIdleConnections does nothing: they are shared.
func (w *signInWire) CloseIdleConnections() {}

// bearer is what looks like a token.
var bearer = regexp.MustCompile(`(?i)\bbearer\s+[\w.~+/=-]{8,}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*`)
