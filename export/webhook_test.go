package export_test

import (
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"tocsin.dev/export"
	"tocsin.dev/store"
)

// TestWebhook: what happens comes once, in order, signed, with the credential, in the form and the body that are set.
func TestWebhook(t *testing.T) {
	onBoth(t, func(b *bed) {
		var got receiver
		var secret atomic.Value
		h := b.hook(func(r *http.Request, body []byte) (int, string) {
			key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret.Load().(string), "whsec_"))
			if err != nil {
				b.Error(err)
			}
			mac := hmac.New(sha256.New, key)
			fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp"), body)
			if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); r.Header.Get("Webhook-Signature") != want {
				b.Errorf("signature %q, want %q", r.Header.Get("Webhook-Signature"), want)
			}
			if r.Header.Get("X-Api-Key") != "k1" || r.Header.Get("Content-Type") != "application/x-ndjson" || r.Header.Get("Content-Encoding") != "gzip" {
				b.Errorf("headers: %v", r.Header)
			}
			z, err := gzip.NewReader(strings.NewReader(string(body)))
			if err != nil {
				b.Error(err)
				return 400, ""
			}
			text, err := io.ReadAll(z)
			if err != nil {
				b.Error(err)
			}
			got.lines(b, text)
			return 200, ""
		})
		b.happen(5) // before it was made: not its business
		b.n = 0
		e, s := b.makes(export.Webhook, h.URL+"/in", "k1", func(s *export.Settings) { s.Gzip, s.Header, s.Batch = true, "X-Api-Key", 7 })
		secret.Store(s)
		if strings.Contains(fmt.Sprint(b.get(e.ID).Settings), "/in") || b.get(e.ID).Behind != 0 {
			t := b.get(e.ID)
			b.Fatalf("made: %+v", t)
		}
		b.n = 100
		b.happen(20)
		if e := b.get(e.ID); e.Behind != 20 || e.Since.IsZero() {
			b.Errorf("before it runs: %+v", e)
		}
		b.serve(e.ID)
		b.caughtUp(e.ID)
		b.happen(3)
		b.caughtUp(e.ID)
		if e := b.get(e.ID); got.count() != 23 || e.Sent != 23 || e.SentAt.IsZero() || e.Refused != 0 || e.Lost != 0 {
			b.Errorf("%d came: %+v", got.count(), e)
		}
	})
}

// TestReceiverFails: a receiver that answers what it likes, cuts connections or takes half gets everything at least once,
// and each person's events in order.
func TestReceiverFails(t *testing.T) {
	onBoth(t, func(b *bed) {
		var got receiver
		h := b.hook(func(r *http.Request, body []byte) (int, string) {
			switch rand.N(10) {
			case 0:
				return 500, "no"
			case 1:
				return 429, ""
			case 2:
				return 0, ""
			case 3: // took it, and died before it could say so
				got.lines(b, body)
				return 0, ""
			case 4:
				return 503, strings.Repeat("<html>", 1000)
			}
			got.lines(b, body)
			return 200, "\x00garbage"
		})
		e, _ := b.makes(export.Webhook, h.URL, "", func(s *export.Settings) { s.Batch = 10 })
		b.serve(e.ID)
		for range 10 {
			b.happen(20)
		}
		b.caughtUp(e.ID)
		if wrong, repeats := got.whole(200); wrong != "" {
			b.Errorf("%s (%d repeats)", wrong, repeats)
		}
		if e := b.get(e.ID); e.Sent != 200 || e.Failures != 0 || e.Because != "" || e.State != export.Running {
			b.Errorf("%+v", e)
		}
	})
}

// TestTurnedAway: a receiver that lets nobody in pauses its export with a sentence; resumed, it goes on from there.
func TestTurnedAway(t *testing.T) {
	onBoth(t, func(b *bed) {
		var got receiver
		var status atomic.Int64
		status.Store(401)
		h := b.hook(func(_ *http.Request, body []byte) (int, string) {
			if s := int(status.Load()); s != 200 {
				return s, "bad token"
			}
			got.lines(b, body)
			return 200, ""
		})
		e, _ := b.makes(export.Webhook, h.URL, "", nil)
		b.happen(4)
		stop := b.serve(e.ID)
		b.eventually("it pauses", func() string {
			if e := b.get(e.ID); e.State != export.Paused {
				return fmt.Sprintf("%+v", e)
			}
			return ""
		})
		if e := b.get(e.ID); e.Because != "it answered 401: bad token, 3 times in a row; the export is paused" || e.Mend == "" || e.Behind != 4 {
			b.Errorf("%+v", e)
		}
		status.Store(200)
		b.happen(4)
		b.update(func(t *store.Tenant) error { _, err := b.x.Pause(b.Context(), t, "o", e.ID, false); return err })
		b.caughtUp(e.ID)
		if wrong, _ := got.whole(8); wrong != "" {
			b.Error(wrong)
		}
		stop() // else it may have read what comes before it reads that it is paused
		b.update(func(t *store.Tenant) error { _, err := b.x.Pause(b.Context(), t, "o", e.ID, true); return err })
		b.happen(2)
		if e := b.get(e.ID); e.State != export.Paused || e.Because != "Paused by o." || e.Behind != 2 {
			b.Errorf("paused: %+v", e)
		}
	})
}

// TestRefused: an event that the receiver does not take is put aside when it takes others, and holds them up no longer;
// where it takes none, the export pauses and nothing is put aside.
func TestRefused(t *testing.T) {
	onBoth(t, func(b *bed) {
		var got receiver
		var all atomic.Bool
		h := b.hook(func(_ *http.Request, body []byte) (int, string) {
			if all.Load() || strings.Contains(string(body), number(5)) || strings.Contains(string(body), number(14)) {
				return 400, "bad event"
			}
			got.lines(b, body)
			return 200, ""
		})
		e, _ := b.makes(export.Webhook, h.URL, "", nil)
		b.happen(20)
		b.serve(e.ID)
		b.caughtUp(e.ID)
		if e := b.get(e.ID); e.Refused != 2 || e.Sent != 18 || got.count() != 18 {
			b.Errorf("%d came: %+v", got.count(), e)
		}
		var ids string
		b.update(func(t *store.Tenant) error {
			rows, err := t.Query(b.Context(), `select event, because, body from export_refused where tenant = $1 order by event`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var id, because, body string
				if err := rows.Scan(&id, &because, &body); err != nil {
					return err
				}
				if because != "it answered 400: bad event" || !json.Valid([]byte(body)) {
					b.Errorf("%s: %s %s", id, because, body)
				}
				ids += id + " "
			}
			return rows.Err()
		})
		if ids != number(5)+" "+number(14)+" " {
			b.Errorf("put aside: %s", ids)
		}
		all.Store(true)
		b.happen(10)
		b.eventually("it pauses", func() string {
			if e := b.get(e.ID); e.State != export.Paused {
				return fmt.Sprintf("%+v", e)
			}
			return ""
		})
		if e := b.get(e.ID); e.Refused != 2 || e.Behind != 10 {
			b.Errorf("%+v", e)
		}
	})
}
