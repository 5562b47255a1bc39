package notify

import (
	"net/http"
	"time"
)

// What package export does as alerts do.

// NewSecret is a signing secret in the form of Standard Webhooks.
func NewSecret() string { return newSecret() }

// Overlap is for how long an old signing secret signs beside a new one.
const Overlap = overlap

// Sign puts the headers of Standard Webhooks on a request: the message's id, the time, and an HMAC-SHA256 over both and the
// body with the secret, and with the old one until it ends.
func Sign(h http.Header, id string, now time.Time, body []byte, secret, old string, until time.Time) error {
	k := keys{Secret: secret, Old: old}
	if !until.IsZero() {
		k.OldUntil = until.UnixMilli()
	}
	return sign(h, id, now, body, k)
}

// RetryAfter reads the header Retry-After: seconds or a date; at most a day, 0 for none.
func RetryAfter(s string, now time.Time) time.Duration { return retryAfter(s, now) }

// Unreached puts an error without an answer into a phrase, and what to do about it; neither holds the address.
func Unreached(err error) (because, mend string) {
	o := unreached(err)
	return o.because, o.mend
}

// Clean is text of strangers on one line, without what cannot be seen, cut at n characters.
func Clean(s string, n int) string { return clean(s, n) }

// Shown is what may be shown of a webhook's address: its host.
func Shown(address string) string { return shown(Webhook, address) }
