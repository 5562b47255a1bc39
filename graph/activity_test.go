package graph

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestTheFeedLeadsNowhereElse: what the audit feed names as its parcels' and its next page's addresses is followed to the feed
// alone: no other server is given the token, nor one of ours called in its place.
func TestTheFeedLeadsNowhereElse(t *testing.T) {
	var leaked atomic.Int32
	_, other := serve(t, func(w http.ResponseWriter, r *http.Request) { leaked.Add(1); reply200(w, `[]`) })
	for _, link := range []string{
		other.URL + "/api/v1.0/t/activity/feed/audit/1", "http://HOST/api/v1.0/t/activity/feed/audit/1", "https://HOST@OTHER/api/v1.0/t/activity/feed/audit/1",
		"https://user:pass@HOST/api/v1.0/x", "https://HOST.evil.example/api/v1.0/x", "https://HOST:1/api/v1.0/x", "//HOST/api/v1.0/x", "/api/v1.0/x", "", "HOST",
		"https://HOST/v1.0/users", "https://HOST/latest/meta-data", "https://169.254.169.254/api/v1.0/x", "https://[::ffff:127.0.0.1]/api/v1.0/x", "https:HOST/api/v1.0/x",
		"ht tp://x", "file:///etc/passwd", "https://HOST\\@OTHER/api/v1.0/x",
	} {
		var fed, asked atomic.Int32
		var list string
		c, f := entra(t, func(w http.ResponseWriter, r *http.Request) { issued(w, sign("ActivityFeed.Read"), 3599) }, func(c *Config) {
			c.Cloud.Activity = c.Cloud.Graph
		})
		full := strings.NewReplacer("HOST", strings.TrimPrefix(f.URL, "https://"), "OTHER", strings.TrimPrefix(other.URL, "https://")).Replace(link)
		inner := f.Config.Handler
		f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/subscriptions/content"):
				fed.Add(1)
				w.Header().Set("NextPageUri", full)
				reply200(w, list)
			case strings.Contains(r.URL.Path, "oauth2") || strings.Contains(r.URL.Path, "well-known"):
				inner.ServeHTTP(w, r)
			default:
				asked.Add(1)
				reply200(w, `[]`)
			}
		})
		body, err := json.Marshal([]Blob{{ID: "p", URI: full}})
		if err != nil {
			t.Fatal(err)
		}
		list = string(body)
		now := time.Now()
		var last error
		n := 0
		for b, err := range c.Blobs(ctxFor(t), "Audit.Exchange", now.Add(-time.Hour), now) {
			if last = err; err != nil {
				break
			}
			n++
			if _, err := c.Records(ctxFor(t), b); err == nil {
				t.Errorf("%q was fetched as a parcel", link)
			} else {
				as[*ForeignLink](t, err)
			}
		}
		if link != "" {
			as[*ForeignLink](t, last)
		}
		if n != 1 || fed.Load() != 1 || asked.Load() != 0 {
			t.Errorf("%q: %d parcels, %d lists, %d other requests", link, n, fed.Load(), asked.Load())
		}
	}
	if leaked.Load() != 0 {
		t.Errorf("the other server was asked %d times", leaked.Load())
	}
}

// TestRedirectsKeepNoToken: a redirect to another host or port, or into the clear, is followed neither by a call, nor by a
// change, nor by a sign-in.
func TestRedirectsKeepNoToken(t *testing.T) {
	var leaked atomic.Int32
	_, other := serve(t, func(w http.ResponseWriter, r *http.Request) { leaked.Add(1); reply200(w, `{}`) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{other.URL + "/x", "http://HOST/x", "//" + strings.TrimPrefix(other.URL, "https://") + "/x"} {
			away := func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", strings.ReplaceAll(to, "HOST", r.Host))
				w.WriteHeader(status)
			}
			c, _ := serve(t, away)
			as[*Unavailable](t, c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil))
			as[*Unavailable](t, c.Act(ctxFor(t), "users.revokeSignInSessions", P{"user": "u1"}, nil, nil))
			signing, _ := entra(t, away)
			if err := signing.SignIn(ctxFor(t)); err == nil {
				t.Errorf("%d to %s: signed in", status, to)
			}
		}
	}
	if leaked.Load() != 0 {
		t.Errorf("the other server was asked %d times", leaked.Load())
	}
}
