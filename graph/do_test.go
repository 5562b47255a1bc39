package graph

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const oneUser = `{"id":"u1","displayName":"Ann","accountEnabled":true,"somethingNew":{"x":[1]}}`

func TestGetAsksForWhatTheTableSays(t *testing.T) {
	c, f := serve(t, func(w http.ResponseWriter, r *http.Request) { reply200(w, oneUser) }, func(c *Config) { c.UserAgent = "tocsin/test" })
	var u User
	if err := c.Get(ctxFor(t), "users.get", P{"user": "ann@contoso.example"}, &u); err != nil {
		t.Fatal(err)
	}
	if u.ID != "u1" || u.DisplayName != "Ann" || u.AccountEnabled == nil || !*u.AccountEnabled {
		t.Errorf("got %+v", u)
	}
	r := f.requests()[0]
	if got, want := r.URL.Path, "/v1.0/users/ann@contoso.example"; got != want {
		t.Errorf("path %q, want %q", got, want)
	}
	if got, want := r.URL.Query().Get("$select"), strings.Join(Find("users.get").Select, ","); got != want {
		t.Errorf("$select %q, want %q", got, want)
	}
	for k, want := range map[string]string{
		"Authorization": "Bearer opaque-token", "Accept": "application/json", "User-Agent": "tocsin/test", "x-ms-throttle-priority": "low", "Prefer": "",
	} {
		if got := r.Header.Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	if len(r.Header.Get("client-request-id")) != 36 {
		t.Errorf("client-request-id %q is no UUID", r.Header.Get("client-request-id"))
	}
}

func TestMailboxCallsAskForImmutableIDs(t *testing.T) {
	c, f := serve(t, func(w http.ResponseWriter, r *http.Request) { reply200(w, `{"value":[]}`) })
	for _, err := range Pages[Message](ctxFor(t), c, "messages.list", P{"user": "u1", "$filter": "receivedDateTime ge 2026-01-01T00:00:00Z"}) {
		t.Fatal("no element was sent", err)
	}
	r := f.requests()[0]
	if got := r.Header.Get("Prefer"); got != `IdType="ImmutableId"` {
		t.Errorf("Prefer: %s", got)
	}
	if got := r.URL.Query().Get("$filter"); got != "receivedDateTime ge 2026-01-01T00:00:00Z" {
		t.Errorf("$filter came as %q", got)
	}
	if strings.Contains(r.URL.RawQuery, "+") {
		t.Errorf("a space is written as a plus: %s", r.URL.RawQuery)
	}
}

func TestCallsRefuseWhatTheyDoNotTake(t *testing.T) {
	c, f := serve(t, func(w http.ResponseWriter, r *http.Request) { reply200(w, `{}`) })
	for name, p := range map[string]P{
		"an unknown placeholder": {"user": "u1", "folder": "inbox"},
		"no placeholder":         {},
		"an empty one":           {"user": ""},
		"one that climbs":        {"user": ".."},
		"a wider select":         {"user": "u1", "$select": "subject,body"},
		"an option not allowed":  {"user": "u1", "$expand": "manager"},
	} {
		if err := c.Get(ctxFor(t), "users.get", p, nil); err == nil {
			t.Errorf("%s was sent", name)
		}
	}
	if err := c.Get(ctxFor(t), "users.none", nil, nil); err == nil {
		t.Error("a call that is not in the table was sent")
	}
	if n := len(f.requests()); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

func TestPlaceholdersAreEscaped(t *testing.T) {
	c, f := serve(t, func(w http.ResponseWriter, r *http.Request) { reply200(w, `{}`) })
	ctx := ctxFor(t)
	var raw json.RawMessage
	for call, p := range map[string]P{
		"messages.get":              {"user": "a/b?c#d%e", "message": "AAMk/+=="},
		"servicePrincipals.byAppId": {"appId": "it's'/x"},
	} {
		if err := c.Get(ctx, call, p, &raw); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, r := range f.requests() {
		got = append(got, r.URL.EscapedPath())
	}
	slices.Sort(got)
	want := []string{"/v1.0/servicePrincipals(appId='it%27%27s%27%27%2Fx')", "/v1.0/users/a%2Fb%3Fc%23d%25e/messages/AAMk%2F+=="}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestErrorsByStatusAndCode(t *testing.T) {
	user, rules := "users.get", "messageRules.list"
	for _, tc := range []struct {
		call   string
		status int
		code   string
		check  func(*testing.T, error)
	}{
		{user, 403, "Authorization_RequestDenied", func(t *testing.T, err error) {
			d := as[*Denied](t, err)
			if d.OutOfScope || len(d.Permissions) == 0 || d.Permissions[0] != "User.Read.All" || d.Code != "Authorization_RequestDenied" || d.Message != "a message" {
				t.Errorf("got %+v", d)
			}
			if !strings.Contains(err.Error(), "User.Read.All") {
				t.Errorf("it does not name the permission: %v", err)
			}
		}},
		{user, 403, "ErrorAccessDenied", func(t *testing.T, err error) {
			if as[*Denied](t, err).OutOfScope {
				t.Error("a user is not a mailbox")
			}
		}},
		{rules, 403, "ErrorAccessDenied", func(t *testing.T, err error) {
			if !as[*Denied](t, err).OutOfScope {
				t.Error("a mailbox kept from the app is out of scope")
			}
		}},
		{rules, 404, "MailboxNotEnabledForRESTAPI", func(t *testing.T, err error) {
			if e := as[*NoMailbox](t, err); e.Code != "MailboxNotEnabledForRESTAPI" || e.RequestID != "r-1" {
				t.Errorf("got %+v", e)
			}
		}},
		{rules, 404, "ErrorInvalidUser", func(t *testing.T, err error) { as[*NoMailbox](t, err) }},
		{rules, 404, "ErrorItemNotFound", func(t *testing.T, err error) { as[*NotFound](t, err) }},
		{user, 404, "Request_ResourceNotFound", func(t *testing.T, err error) { as[*NotFound](t, err) }},
		{user, 410, "resyncRequired", func(t *testing.T, err error) { as[*Gone](t, err) }},
		{user, 400, "syncStateNotFound", func(t *testing.T, err error) { as[*Gone](t, err) }},
		{user, 400, "Request_BadRequest", func(t *testing.T, err error) {
			if e := as[*Failed](t, err); e.Status != 400 || e.Code != "Request_BadRequest" {
				t.Errorf("got %+v", e)
			}
		}},
		{user, 400, "", func(t *testing.T, err error) { as[*Failed](t, err) }},
		{user, 302, "", func(t *testing.T, err error) { as[*Unavailable](t, err) }},
		{user, 500, "UnknownError", func(t *testing.T, err error) { as[*Unavailable](t, err) }},
	} {
		t.Run(fmt.Sprintf("%s %d %s", tc.call, tc.status, tc.code), func(t *testing.T) {
			var log bytes.Buffer
			c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { refuse(w, tc.status, tc.code) },
				func(c *Config) {
					c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				})
			p := P{"user": "secret-person@contoso.example"}
			if tc.call == rules {
				p["folder"] = "inbox"
			}
			err := c.Get(ctxFor(t), tc.call, p, nil)
			tc.check(t, err)
			if strings.Contains(err.Error(), "\n") || err.Error() != strings.TrimSpace(err.Error()) {
				t.Errorf("not one line: %q", err)
			}
			if !strings.Contains(log.String(), "client_request_id=") || strings.Contains(log.String(), "secret-person") {
				t.Errorf("the log must have the ids and nothing of the person: %s", &log)
			}
		})
	}
}

// A mailbox refused for want of the permission has the same code as one that is out of scope; the roles tell.
func TestMissingPermissionIsNotOutOfScope(t *testing.T) {
	jwt := func(roles string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"roles":[`+roles+`]}`)) + ".sig"
	}
	for roles, want := range map[string]bool{`"User.Read.All"`: false, `"User.Read.All","MailboxSettings.Read"`: true} {
		c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { refuse(w, 403, "ErrorAccessDenied") }, func(c *Config) {
			c.Tokens = func(context.Context, bool) (string, time.Time, error) {
				return jwt(roles), time.Now().Add(time.Hour), nil
			}
		})
		err := c.Get(ctxFor(t), "messageRules.list", P{"user": "u", "folder": "inbox"}, nil)
		if got := as[*Denied](t, err).OutOfScope; got != want {
			t.Errorf("with roles %s: out of scope %v, want %v", roles, got, want)
		}
	}
}

// Whether a mailbox is out of scope is told by the token that was refused, not by the one that is there when the answer is read: a
// permission given meanwhile would put every mailbox of the request out of scope for a day.
func TestOutOfScopeByTheTokenThatWasRefused(t *testing.T) {
	jwt := func(roles string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"roles":[`+roles+`]}`)) + ".sig"
	}
	without, with := jwt(`"User.Read.All"`), jwt(`"User.Read.All","MailboxSettings.Read"`)
	for name, tt := range map[string]struct {
		tokens []string
		want   bool
	}{
		"given meanwhile":      {[]string{without, with}, false},
		"taken away meanwhile": {[]string{with, without}, true},
		"refused meanwhile":    {[]string{without}, false},
	} {
		var c *Client
		var fetched atomic.Int32
		meanwhile := func() {
			c.tokens.drop(tt.tokens[0])
			if len(tt.tokens) > 1 {
				_, _ = c.tokens.get(t.Context(), "")
			}
		}
		c, _ = serve(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/$batch") {
				batches(t, func(*http.Request, string) string {
					meanwhile()
					return `"status":403,"body":{"error":{"code":"ErrorAccessDenied"}}`
				})(w, r)
				return
			}
			meanwhile()
			refuse(w, 403, "ErrorAccessDenied")
		}, func(c *Config) {
			c.Tokens = func(context.Context, bool) (string, time.Time, error) {
				return tt.tokens[min(int(fetched.Add(1)), len(tt.tokens))-1], time.Now().Add(time.Hour), nil
			}
		})
		res, err := c.Batch(ctxFor(t), rulesOf(1))
		if err != nil {
			t.Fatal(err)
		}
		if got := as[*Denied](t, res[0].Err).OutOfScope; got != tt.want {
			t.Errorf("%s, in a batch: out of scope %v, want %v", name, got, tt.want)
		}
		fetched.Store(0)
		c.tokens.drop(c.tokens.cur.value)
		err = c.Get(ctxFor(t), "messageRules.list", P{"user": "u", "folder": "inbox"}, nil)
		if got := as[*Denied](t, err).OutOfScope; got != tt.want {
			t.Errorf("%s: out of scope %v, want %v", name, got, tt.want)
		}
	}
}

func TestRetriesWhatPasses(t *testing.T) {
	for _, first := range []int{429, 500, 502, 503, 504, 509} {
		var n atomic.Int32
		c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) < 3 {
				w.Header().Set("Retry-After", "0.01")
				refuse(w, first, "x")
				return
			}
			reply200(w, oneUser)
		})
		var u User
		if err := c.Get(ctxFor(t), "users.get", P{"user": "u1"}, &u); err != nil || u.ID != "u1" || n.Load() != 3 {
			t.Errorf("%d twice: %v after %d requests", first, err, n.Load())
		}
	}
}

func TestGivesUpAfterTries(t *testing.T) {
	var n atomic.Int32
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { n.Add(1); refuse(w, 503, "serviceNotAvailable") })
	e := as[*Unavailable](t, c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil))
	if n.Load() != 4 || e.Status != 503 || e.Code != "serviceNotAvailable" {
		t.Errorf("%d requests, %+v", n.Load(), e)
	}
}

func TestWaitsAsLongAsAsked(t *testing.T) {
	for _, form := range []string{"1", "0.5", "date"} {
		var n atomic.Int32
		var first, second time.Time
		c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) == 1 {
				first = time.Now()
				value := form
				if form == "date" { // read by the sender's clock, which is an hour off
					sent := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
					w.Header().Set("Date", sent.Format(http.TimeFormat))
					value = sent.Add(time.Second).Format(http.TimeFormat)
				}
				w.Header().Set("Retry-After", value)
				refuse(w, 429, "TooManyRequests")
				return
			}
			second = time.Now()
			reply200(w, oneUser)
		})
		if err := c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil); err != nil {
			t.Fatal(err)
		}
		want := time.Second
		if form == "0.5" {
			want /= 2
		}
		if d := second.Sub(first); d < want {
			t.Errorf("Retry-After %s: came back after %s, want %s", form, d, want)
		}
		for _, u := range c.Usage() {
			if u.Limit == "directory" && u.Throttled != 1 {
				t.Errorf("usage counts %d 429s, want 1", u.Throttled)
			}
		}
	}
}

func TestThrottledComesBackAtOnceWhenThereIsNoTime(t *testing.T) {
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3600")
		refuse(w, 429, "TooManyRequests")
	})
	began := time.Now()
	e := as[*Throttled](t, c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil))
	if e.After != time.Hour || e.Ours || time.Since(began) > time.Minute {
		t.Errorf("got %+v after %s", e, time.Since(began))
	}
	// The next call of that scope is held back without asking.
	e = as[*Throttled](t, c.Get(ctxFor(t), "users.get", P{"user": "u2"}, nil))
	if !e.Ours || e.Limit != "directory" || e.Call != "users.get" {
		t.Errorf("got %+v", e)
	}
}

func TestOneMailboxThrottledDoesNotStopAnother(t *testing.T) {
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/busy/") {
			w.Header().Set("Retry-After", "3600")
			refuse(w, 429, "ApplicationThrottled")
			return
		}
		reply200(w, `{}`)
	})
	as[*Throttled](t, c.Get(ctxFor(t), "mailboxSettings.get", P{"user": "busy"}, nil))
	if err := c.Get(ctxFor(t), "mailboxSettings.get", P{"user": "calm"}, nil); err != nil {
		t.Error(err)
	}
}

func TestCutConnections(t *testing.T) {
	for name, cut := range map[string]func(http.ResponseWriter){
		"before the answer": func(w http.ResponseWriter) {},
		"within the body": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "5000")
			fmt.Fprint(w, `{"id":"u1","displ`)
			_ = http.NewResponseController(w).Flush()
		},
	} {
		var n atomic.Int32
		c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) < 3 {
				cut(w)
				panic(http.ErrAbortHandler)
			}
			reply200(w, oneUser)
		})
		var u User
		if err := c.Get(ctxFor(t), "users.get", P{"user": "u1"}, &u); err != nil || u.ID != "u1" {
			t.Errorf("%s: %v", name, err)
		}
		dead, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { cut(w); panic(http.ErrAbortHandler) })
		e := as[*Unavailable](t, dead.Get(ctxFor(t), "users.get", P{"user": "ann@contoso.example"}, &u))
		if strings.Contains(e.Error(), "ann@") {
			t.Errorf("%s: the error names a person: %v", name, e)
		}
	}
}

func TestDamagedAnswers(t *testing.T) {
	for name, tc := range map[string]struct{ kind, body, want string }{
		"cut JSON":    {"application/json", `{"value":[{"id":"a"},{"id"`, "breaks off"},
		"HTML":        {"text/html; charset=utf-8", `<html>sign in to the wireless</html>`, "proxy"},
		"no list":     {"application/json", `{"id":"x"}`, "not a list"},
		"no object":   {"application/json", `[1]`, "not a list"},
		"empty":       {"application/json", ``, "not a list"},
		"odd element": {"application/json", `{"value":[{"id":17}]}`, "element"},
	} {
		c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", tc.kind)
			fmt.Fprint(w, tc.body)
		})
		var last error
		for _, err := range Pages[User](ctxFor(t), c, "users.list", nil) {
			last = err
		}
		if e := as[*Unavailable](t, last); !strings.Contains(e.Error(), tc.want) {
			t.Errorf("%s: %v, want it to say %q", name, e, tc.want)
		}
	}
}

func TestLongAnswersAreRefused(t *testing.T) {
	var n atomic.Int32
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		reply200(w, `{"id":"`+strings.Repeat("x", 2000)+`"}`)
	}, func(c *Config) { c.MaxBody = 1000 })
	e := as[*Unavailable](t, c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil))
	if !strings.Contains(e.What, "longer than 1000 bytes") || n.Load() != 1 {
		t.Errorf("%v after %d requests", e, n.Load())
	}
}

// hang never answers. Returning when the client has gone would be an answer, which net/http may yet deliver.
func hang(r *http.Request) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

func TestTimeoutOfOneAttempt(t *testing.T) {
	var n atomic.Int32
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			hang(r)
		}
		reply200(w, oneUser)
	}, func(c *Config) { c.Timeout = 2 * time.Second })
	if err := c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil); err != nil || n.Load() < 2 {
		t.Errorf("%v after %d", err, n.Load())
	}
}

func TestTheCallersEndIsItsOwnError(t *testing.T) {
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { hang(r) })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := c.Get(ctx, "users.get", P{"user": "u1"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOneFreshTokenAfter401(t *testing.T) {
	var fetched, fresh atomic.Int32
	tokens := func(_ context.Context, f bool) (string, time.Time, error) {
		if f {
			fresh.Add(1)
		}
		return fmt.Sprintf("token-%d-of-the-test", fetched.Add(1)), time.Now().Add(time.Hour), nil
	}
	var good atomic.Bool
	c, f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if good.Load() && r.Header.Get("Authorization") != "Bearer token-1-of-the-test" {
			reply200(w, oneUser)
			return
		}
		refuse(w, 401, "InvalidAuthenticationToken")
	}, func(c *Config) { c.Tokens = tokens })
	good.Store(true)
	if err := c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil); err != nil {
		t.Fatal(err)
	}
	if fetched.Load() != 2 || fresh.Load() != 1 || len(f.requests()) != 2 {
		t.Errorf("%d tokens, %d of them fresh, %d requests", fetched.Load(), fresh.Load(), len(f.requests()))
	}
	good.Store(false)
	e := as[*Unauthorized](t, c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil))
	if e.Code != "InvalidAuthenticationToken" || fetched.Load() != 3 || len(f.requests()) != 4 {
		t.Errorf("%+v after %d tokens, %d requests", e, fetched.Load(), len(f.requests()))
	}
}

func TestClaimsChallenge(t *testing.T) {
	claims := `{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}`
	var n atomic.Int32
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		w.Header().Set("WWW-Authenticate", `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="insufficient_claims", claims="`+
			base64.StdEncoding.EncodeToString([]byte(claims))+`"`)
		refuse(w, 401, "InvalidAuthenticationToken")
	})
	e := as[*Challenge](t, c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil))
	if e.Claims != claims || n.Load() != 1 {
		t.Errorf("%q after %d requests", e.Claims, n.Load())
	}
}

func TestPausedStopsEveryCall(t *testing.T) {
	var off atomic.Bool
	c, f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "$batch") {
			reply200(w, `{"responses":[]}`)
			return
		}
		off.Store(true) // the next page is one too many
		reply200(w, `{"value":[{"id":"a"}],"@odata.nextLink":"https://`+r.Host+`/v1.0/users?page=2"}`)
	}, func(c *Config) { c.Paused = off.Load })
	var last error
	n := 0
	for _, err := range Pages[User](ctxFor(t), c, "users.list", nil) {
		last = err
		n++
	}
	if !errors.Is(last, ErrPaused) || n != 2 || len(f.requests()) != 1 {
		t.Errorf("%v after %d elements, %d requests", last, n, len(f.requests()))
	}
	res, err := c.Batch(ctxFor(t), []Part{{"users.get", P{"user": "u"}}})
	if !errors.Is(err, ErrPaused) || !errors.Is(res[0].Err, ErrPaused) {
		t.Errorf("batch: %v, %v", err, res)
	}
	if _, err := c.Roles(ctxFor(t)); !errors.Is(err, ErrPaused) {
		t.Errorf("roles: %v", err)
	}
	if err := c.SignIn(ctxFor(t)); !errors.Is(err, ErrPaused) {
		t.Errorf("sign-in: %v", err)
	}
	if len(f.requests()) != 1 {
		t.Errorf("%d requests", len(f.requests()))
	}
}

func TestRedirectionsElsewhereAreNotFollowed(t *testing.T) {
	var leaked atomic.Bool
	_, other := serve(t, func(w http.ResponseWriter, r *http.Request) { leaked.Store(true); reply200(w, oneUser) })
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/steal", http.StatusFound)
	})
	as[*Unavailable](t, c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil))
	if leaked.Load() {
		t.Error("it was followed")
	}
}

func TestTokensInAnswersDoNotShow(t *testing.T) {
	var log bytes.Buffer
	secret := "opaque-token"
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(400)
		fmt.Fprintf(w, `{"error":{"code":"bad %s","message":"you sent %s and eyJhbGciOiJ.eyJyb2xlcyI6W10.c2ln"}}`, r.Header.Get("Authorization"), r.Header.Get("Authorization"))
	}, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	err := c.Get(ctxFor(t), "users.get", P{"user": "u1"}, nil)
	text := fmt.Sprintf("%v %+v %#v %s", err, err, *as[*Failed](t, err), &log)
	if strings.Contains(text, secret) || strings.Contains(text, "eyJ") {
		t.Errorf("a token shows: %s", text)
	}
}

func TestAPersonWaitingGoesFirst(t *testing.T) {
	in, out := make(chan struct{}, 10), make(chan struct{})
	c, f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		in <- struct{}{}
		<-out
		reply200(w, `{}`)
	})
	ctx := ctxFor(t)
	var wg sync.WaitGroup
	get := func(ctx context.Context) {
		wg.Go(func() {
			if err := c.Get(ctx, "mailboxSettings.get", P{"user": "U"}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	for range 4 {
		get(ctx)
	}
	for range 3 {
		<-in
	}
	get(WithPriority(ctx, High))
	<-in
	if n := len(f.requests()); n != 4 {
		t.Errorf("%d at a time", n)
	}
	close(out)
	wg.Wait()
	if err := c.Get(WithPriority(ctx, High), "users.get", P{"user": "u"}, nil); err != nil {
		t.Fatal(err)
	}
	reqs := f.requests()
	if got := reqs[len(reqs)-1].Header.Get("x-ms-throttle-priority"); got != "high" {
		t.Errorf("priority %q", got)
	}
}

func TestEveryErrorIsOneSentence(t *testing.T) {
	at := Where{Call: "users.get"}
	for _, err := range []error{
		&Throttled{Where: at, After: 1234 * time.Millisecond}, &Throttled{Where: at, After: time.Hour, Ours: true, Limit: "directory"},
		&Gone{Where: at}, &Denied{Where: at}, &Denied{Where: at, OutOfScope: true}, &Denied{Where: at, Permissions: []string{"A", "B"}},
		&NoMailbox{Where: at, Code: "X"}, &NotFound{Where: at}, &Challenge{Where: at}, &Unauthorized{Where: at, Message: "m"},
		&Unavailable{Where: at, What: "it does not answer"}, &Failed{Where: at}, &ForeignLink{Call: "users.get", Host: "https://x"}, &ForeignLink{Call: "users.get", Loop: true},
	} {
		s := err.Error()
		if !strings.HasPrefix(s, "users.get: ") || strings.HasSuffix(s, ".") || strings.Contains(s, "failed to") || strings.Contains(s, "  ") || len(s) < 20 {
			t.Errorf("%T: %q", err, s)
		}
		if got := fmt.Sprint(&Unavailable{What: "alone"}); got != "alone" {
			t.Error(got)
		}
	}
	if got := fmt.Sprintf("%v %s", token{value: "secret"}, token{value: "secret"}); strings.Contains(got, "secret") {
		t.Error(got)
	}
}

func TestAnUntold429BacksOff(t *testing.T) {
	var at []time.Time
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if at = append(at, time.Now()); len(at) < 5 {
			refuse(w, 429, "TooManyRequests")
			return
		}
		reply200(w, oneUser)
	}, func(c *Config) { c.Backoff = 10 * time.Millisecond })
	if err := c.Get(ctxFor(t), "users.get", P{"user": "u"}, nil); err != nil {
		t.Fatal(err)
	}
	for i := range 4 { // at least half of 40, 80, 160, 320 ms
		if d, least := at[i+1].Sub(at[i]), 20*time.Millisecond<<i; d < least {
			t.Errorf("try %d came after %s, want at least %s", i+2, d, least)
		}
	}
}

func TestCredentialsDoNotPrint(t *testing.T) {
	cfg := Config{Tenant: "t", Client: "c", Secret: theSecret, Key: []byte(theSecret)}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("made", "config", cfg)
	for _, s := range []string{fmt.Sprintf("%v %+v %#v %s", cfg, cfg, cfg, cfg), fmt.Sprintf("%v %+v %#v %s", c, c, c, c), log.String()} {
		if strings.Contains(s, theSecret[:8]) || strings.Contains(s, fmt.Sprint([]byte(theSecret[:4]))) {
			t.Errorf("the secret prints: %s", s)
		}
	}
}
