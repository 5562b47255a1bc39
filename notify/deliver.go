package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/dial"
)

// within is how long a receiver may take to answer.
const within = 20 * time.Second

// outcome is how a try went. A status of 0 is no answer.
type outcome struct {
	ok      bool
	forever bool // trying again is of no use
	status  int
	after   time.Duration // the receiver asked for so much patience
	because string        // a phrase; empty where it went well
	mend    string
}

// word is the outcome as the log has it.
func (o *outcome) word() string {
	switch {
	case o.ok:
		return "taken"
	case o.status > 0:
		return "refused"
	}
	return "failed"
}

// deliver sends a message to where a channel leads. The address never shows in what it gives.
func (a *Alerts) deliver(ctx context.Context, c *Channel, m *Message) outcome {
	k, err := a.keysOf(c)
	if err != nil {
		p := tocsin.AsProblem(err)
		return outcome{because: p.What, mend: p.Do}
	}
	ctx, cancel := context.WithTimeout(ctx, within+10*time.Second)
	defer cancel()
	switch c.Kind {
	case Email:
		return a.mail(ctx, c, m)
	case Slack:
		return a.post(ctx, c.Kind, k.URL, m.slackBody, nil)
	case Teams:
		return a.post(ctx, c.Kind, k.URL, m.teamsBody, nil)
	}
	render := m.body
	switch c.Kind {
	case Syslog:
		return a.syslog(ctx, k.URL, m)
	case OCSF:
		render = m.ocsfBody
	}
	return a.post(ctx, c.Kind, k.URL, render, func(h http.Header, body []byte) error { return sign(h, m.ID, a.Store.Clock().Now(), body, k) })
}

// sign puts the headers of Standard Webhooks on a request: an HMAC-SHA256 over id, time and body with each secret that
// holds (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
func sign(h http.Header, id string, now time.Time, body []byte, k keys) error {
	stamp := strconv.FormatInt(now.Unix(), 10)
	secrets := []string{k.Secret}
	if k.Old != "" && tocsin.FromMillis(k.OldUntil).After(now) {
		secrets = append(secrets, k.Old)
	}
	var signatures []string
	for _, s := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "whsec_"))
		if err != nil || len(key) == 0 {
			return errors.New("the signing secret is not in its form")
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.", id, stamp)
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", stamp)
	h.Set("Webhook-Signature", strings.Join(signatures, " "))
	return nil
}

// client is the HTTP client for what people give: made for each message, so that nothing is kept open to a receiver.
func (a *Alerts) client() *http.Client {
	c := a.Guard.Client(within)
	return c
}

// post sends a body as JSON.
func (a *Alerts) post(ctx context.Context, kind, url string, render func() ([]byte, error), head func(http.Header, []byte) error) outcome {
	body, err := render()
	if err != nil {
		return ours(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return outcome{because: "its address cannot be read", mend: "Enter the address again."}
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("User-Agent", "Tocsin")
	if head != nil {
		if err := head(r.Header, body); err != nil {
			return ours(err)
		}
	}
	client := a.client()
	defer client.CloseIdleConnections()
	res, err := client.Do(r)
	if err != nil {
		return unreached(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 2<<10)) // what it says is a help only; it may end as it likes
	return answered(kind, res, string(text), a.Store.Clock().Now())
}

func ours(err error) outcome {
	return outcome{because: "the message could not be made: " + err.Error(), mend: "Report it."}
}

// answered is the outcome of an answer.
func answered(kind string, res *http.Response, text string, now time.Time) outcome {
	o := outcome{status: res.StatusCode, after: retryAfter(res.Header.Get("Retry-After"), now)}
	says := ""
	if text = clean(text, 120); text != "" && !strings.HasPrefix(text, "<") {
		says = ": " + text
	}
	switch s := res.StatusCode; {
	case s >= 200 && s < 300:
		o.ok = true
	case s >= 300 && s < 400:
		o.because, o.mend = fmt.Sprintf("it answered %d, which leads elsewhere; that is not followed", s), "Enter the address it leads to, if you trust it."
	case s == http.StatusGone:
		o.forever = true
		o.because, o.mend = "it answered 410: the receiver is gone"+says, "Make a new webhook there and enter its address."
	case s == http.StatusTooManyRequests:
		o.because = "it answered 429: too many messages at once"
	case s == http.StatusNotFound && (kind == Slack || kind == Teams), s == http.StatusUnauthorized, s == http.StatusForbidden:
		o.because, o.mend = fmt.Sprintf("it answered %d", s)+says, fix(kind)
	case s >= 400 && s < 500:
		o.because, o.mend = fmt.Sprintf("it answered %d", s)+says, "See whether the address is right and takes JSON by POST."
	default:
		o.because = fmt.Sprintf("it answered %d", s) + says
	}
	return o
}

// fix is what to do where a receiver does not let us in.
func fix(kind string) string {
	switch kind {
	case Slack:
		return "The webhook was removed or its app is not allowed any more: make a new one in Slack and enter its address."
	case Teams:
		return "The workflow was removed or switched off, or its owner has left: make a new one in Teams and enter its address."
	}
	return "See whether the address is right and lets this server in."
}

// retryAfter reads the header: seconds or a date; at most a day, 0 for none.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32); err == nil && n > 0 {
		return min(time.Duration(n)*time.Second, 24*time.Hour)
	}
	if t, err := http.ParseTime(s); err == nil {
		return min(max(0, t.Sub(now)), 24*time.Hour)
	}
	return 0
}

// unreached is the outcome of a request that has no answer. The error's text would hold the address, so it is put into words.
func unreached(err error) outcome {
	if in, ok := errors.AsType[*dial.Inside](err); ok {
		p := in.Problem()
		return outcome{because: "it is not called: " + strings.TrimSuffix(p.What, "."), mend: p.Do}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return outcome{because: "its name does not exist", mend: "See whether the address is right."}
		}
		return outcome{because: "its name could not be looked up"}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return outcome{because: "its certificate is not one to trust", mend: "Give the receiver a certificate of a known authority, or name yours in the setting alerts.ca."}
	}
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return outcome{because: "it did not answer in time"}
	case errors.Is(err, dial.ErrScheme):
		return outcome{because: "its address is not https", mend: "Enter an https address."}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return outcome{because: "it cannot be reached"}
	}
	return outcome{because: "the connection was cut before it answered"}
}
