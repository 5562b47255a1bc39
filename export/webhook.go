package export

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/notify"
)

// webhook posts parcels to an address of https.
type webhook struct {
	x      *Exports
	e      *Export
	k      keys
	client *http.Client
}

func newWebhook(x *Exports, e *Export, k keys) *webhook {
	return &webhook{x: x, e: e, k: k, client: x.Guard.Client(within)}
}

func (w *webhook) close() { w.client.CloseIdleConnections() }

// mostAnswer is how much of an answer is read.
const mostAnswer = 4 << 20

func (w *webhook) send(ctx context.Context, parcels []parcel) outcome {
	body, kind := w.body(parcels)
	ctx, cancel := context.WithTimeout(ctx, within+5*time.Second)
	defer cancel()
	sent, coding := body, ""
	if w.e.Gzip {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(body) // into memory
		z.Close()
		sent, coding = b.Bytes(), "gzip"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.k.URL, bytes.NewReader(sent))
	if err != nil {
		return outcome{because: "its address cannot be read", mend: "Enter the address again.", forever: true}
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("User-Agent", "Tocsin")
	if coding != "" {
		r.Header.Set("Content-Encoding", coding)
	}
	if w.k.Credential != "" {
		r.Header.Set(w.e.Header, w.k.Credential)
	}
	// The same events make the same message at every try.
	id := tocsin.NewEventID(w.e.Tenant, w.e.ID, parcels[0].id, parcels[len(parcels)-1].id)
	now := w.x.Store.Clock().Now()
	if err := notify.Sign(r.Header, id, now, sent, w.k.Secret, w.k.Old, tocsin.FromMillis(w.k.OldUntil)); err != nil {
		return outcome{because: "the request could not be signed", mend: "Rotate the signing secret.", forever: true}
	}
	res, err := w.client.Do(r)
	if err != nil {
		o := outcome{}
		o.because, o.mend = notify.Unreached(err)
		return o
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer))
	if err != nil && res.StatusCode < 300 && w.e.Body == Elastic {
		return outcome{because: "the connection was cut before it had answered"}
	}
	return w.answered(res, text, len(parcels), now)
}

// body is the request's body, and of which type it is.
func (w *webhook) body(parcels []parcel) (body []byte, kind string) {
	var b bytes.Buffer
	size := 0
	for i := range parcels {
		size += len(parcels[i].body) + 200
	}
	b.Grow(size)
	kind = "application/x-ndjson"
	for i := range parcels {
		p := &parcels[i]
		switch w.e.Body {
		case Array:
			kind = "application/json"
			b.WriteByte("[,"[min(i, 1)])
			b.Write(p.body)
			continue
		case Splunk:
			// https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector
			kind = "application/json"
			fmt.Fprintf(&b, `{"time":%d.%03d,"source":"tocsin","sourcetype":"_json","event":`, p.at.Unix(), p.at.Nanosecond()/1e6)
			b.Write(p.body)
			b.WriteByte('}')
		case Elastic:
			// https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk: create with an id of ours takes each once
			fmt.Fprintf(&b, "{\"create\":{\"_id\":%q}}\n", p.id)
			b.Write(p.body)
		default:
			b.Write(p.body)
		}
		b.WriteByte('\n')
	}
	if w.e.Body == Array {
		b.WriteByte(']')
	}
	return b.Bytes(), kind
}

// answered is the outcome of an answer.
func (w *webhook) answered(res *http.Response, text []byte, n int, now time.Time) outcome {
	o := outcome{after: notify.RetryAfter(res.Header.Get("Retry-After"), now)}
	says := ""
	if t := notify.Clean(string(text[:min(len(text), 500)]), 120); t != "" && !strings.HasPrefix(t, "<") {
		says = ": " + t
	}
	switch s := res.StatusCode; {
	case s >= 200 && s < 300:
		if w.e.Body == Elastic {
			return elastic(text, n)
		}
		o.ok = true
	case s >= 300 && s < 400:
		o.forever = true
		o.because, o.mend = fmt.Sprintf("it answered %d, which leads elsewhere; that is not followed", s), "Enter the address it leads to, if you trust it."
	case s == http.StatusTooManyRequests:
		o.because = "it answered 429: too much at once"
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly:
		o.because = fmt.Sprintf("it answered %d", s)
	case s == http.StatusBadRequest, s == http.StatusRequestEntityTooLarge, s == http.StatusUnprocessableEntity:
		o.content = true
		o.because, o.mend = fmt.Sprintf("it answered %d", s)+says, "See whether it takes the form and the body that are set here."
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		o.forever = true
		o.because, o.mend = fmt.Sprintf("it answered %d", s)+says, "Enter a credential that it lets in, and resume the export."
	case s >= 400 && s < 500:
		o.forever = true
		o.because, o.mend = fmt.Sprintf("it answered %d", s)+says, "See whether the address is right and takes events by POST, and resume the export."
	default:
		o.because = fmt.Sprintf("it answered %d", s) + says
	}
	return o
}

// elastic reads the answer of _bulk, which has a status for each event. One that is there already (409) was taken before.
func elastic(text []byte, n int) outcome {
	var a struct {
		Items []map[string]struct {
			Status int `json:"status"`
			Error  struct {
				Type   string `json:"type"`
				Reason string `json:"reason"`
			} `json:"error"`
		} `json:"items"`
	}
	if err := json.Unmarshal(text, &a); err != nil || len(a.Items) != n {
		return outcome{because: "its answer is not that of Elasticsearch's _bulk", mend: "See whether the address ends in /<index>/_bulk."}
	}
	o := outcome{ok: true, refused: map[int]string{}}
	for i, item := range a.Items {
		for _, is := range item {
			why := notify.Clean(fmt.Sprintf("it answered %d: %s %s", is.Status, is.Error.Type, is.Error.Reason), 200)
			switch {
			case is.Status >= 200 && is.Status < 300, is.Status == http.StatusConflict:
			case is.Status == http.StatusTooManyRequests, is.Status >= 500:
				return outcome{because: why}
			default:
				o.refused[i] = why
			}
		}
	}
	if len(o.refused) == n {
		for _, why := range o.refused {
			return outcome{content: true, because: why, mend: "See whether the index takes such events."}
		}
	}
	return o
}
