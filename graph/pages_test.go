package graph

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

func TestPagesAreFollowedVerbatim(t *testing.T) {
	c, f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.RawQuery {
		case "":
			t.Error("no query")
		case "$skiptoken=a%2Bb%20c&x=%C3%A4":
			reply200(w, `{"value":[],"@odata.nextLink":"https://`+r.Host+`/v1.0/users/u/messages?p=3"}`) // empty, and goes on
		case "p=3":
			reply200(w, `{"value":[null,{"id":"m2","isRead":"true"}]}`)
		default:
			reply200(w, `{"value":[{"id":"m1"},null],"@odata.nextLink":"https://`+r.Host+`/v1.0/users/u/messages?$skiptoken=a%2Bb%20c&x=%C3%A4"}`)
		}
	})
	var ids []string
	for m, err := range Pages[Message](ctxFor(t), c, "messages.list", P{"user": "u"}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID)
	}
	if !slices.Equal(ids, []string{"m1", "m2"}) {
		t.Errorf("got %q", ids)
	}
	for i, r := range f.requests() {
		if r.Header.Get("Prefer") == "" {
			t.Errorf("page %d was asked without the headers", i+1)
		}
	}
}

func TestForeignLinksAreRefused(t *testing.T) {
	var leaked atomic.Bool
	_, other := serve(t, func(w http.ResponseWriter, r *http.Request) { leaked.Store(true); reply200(w, `{"value":[]}`) })
	for _, link := range []string{
		other.URL + "/v1.0/users?p=2", "http://HOST/v1.0/users?p=2", "https://HOST@evil.example/v1.0/users", "https://user@HOST/v1.0/users",
		"https://HOST.evil.example/v1.0/users", "//HOST/v1.0/users", "/v1.0/users?p=2", "https://HOST/other/users", "https://HOST/beta/users",
		"https:HOST/v1.0/users", "ht tp://x", "file:///etc/passwd",
	} {
		var n atomic.Int32
		c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			body, _ := json.Marshal(map[string]any{"value": []any{}, "@odata.nextLink": strings.ReplaceAll(link, "HOST", r.Host)})
			reply200(w, string(body))
		})
		var last error
		for _, err := range Pages[User](ctxFor(t), c, "users.list", nil) {
			last = err
		}
		if e := as[*ForeignLink](t, last); e.Loop || n.Load() != 1 {
			t.Errorf("%s: %v after %d requests", link, e, n.Load())
		}
	}
	if leaked.Load() {
		t.Error("the other server was asked")
	}
}

func TestLoopsOfPagesEnd(t *testing.T) {
	for _, length := range []int{1, 3} {
		var n atomic.Int32
		c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			reply200(w, fmt.Sprintf(`{"value":[{"id":"u"}],"@odata.nextLink":"https://%s/v1.0/users?p=%d"}`, r.Host, int(n.Add(1))%length))
		})
		var last error
		for _, err := range Pages[User](ctxFor(t), c, "users.list", nil) {
			last = err
		}
		if e := as[*ForeignLink](t, last); !e.Loop || int(n.Load()) != length+1 {
			t.Errorf("%v after %d pages", e, n.Load())
		}
	}
}

func TestPagesStopWhenTheReaderDoes(t *testing.T) {
	c, f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		reply200(w, `{"value":[{"id":"a"},{"id":"b"}],"@odata.nextLink":"https://`+r.Host+`/v1.0/users?p=2"}`)
	})
	for range Pages[User](ctxFor(t), c, "users.list", nil) {
		break
	}
	if n := len(f.requests()); n != 1 {
		t.Errorf("%d pages were read", n)
	}
}

func TestDeltaRound(t *testing.T) {
	var host string
	c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		host = r.Host
		link := func(kind, q string) string {
			return fmt.Sprintf(`"@odata.%s":"https://%s/v1.0/users/delta?%s"`, kind, r.Host, q)
		}
		switch q := r.URL.RawQuery; {
		case strings.Contains(q, "$select"):
			reply200(w, `{"value":[{"id":"a","displayName":"Ann"}],`+link("nextLink", "$skiptoken=1")+`}`)
		case q == "$skiptoken=1":
			reply200(w, `{"value":[],`+link("nextLink", "$skiptoken=2")+`}`)
		case q == "$skiptoken=2":
			reply200(w, `{"value":[{"id":"b","@removed":{"reason":"changed"}},{"id":"c","@removed":{}},null],`+link("deltaLink", "$deltatoken=1")+`}`)
		case q == "$deltatoken=1":
			reply200(w, `{"value":[],`+link("deltaLink", "$deltatoken=2")+`}`)
		default:
			t.Errorf("asked for %s", q)
		}
	})
	round := Delta[User](ctxFor(t), c, "users.delta", nil, "")
	var got, progress []string
	for ch, err := range round.All() {
		if err != nil {
			t.Fatal(err)
		}
		if round.Token() != "" {
			t.Error("there is a token before the end")
		}
		got = append(got, ch.ID+":"+ch.Removed+":"+ch.Value.DisplayName)
		progress = append(progress, round.Progress())
		if !json.Valid(ch.Raw) {
			t.Errorf("raw %s", ch.Raw)
		}
	}
	if !slices.Equal(got, []string{"a::Ann", "b:changed:", "c:deleted:"}) {
		t.Errorf("got %q", got)
	}
	if round.Token() != "https://"+host+"/v1.0/users/delta?$deltatoken=1" {
		t.Errorf("token %q", round.Token())
	}
	if progress[0] != "https://"+host+"/v1.0/users/delta?$skiptoken=1" {
		t.Errorf("progress %q", progress)
	}
	resumed := Delta[User](ctxFor(t), c, "users.delta", nil, progress[0])
	n := 0
	for _, err := range resumed.All() {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 2 || resumed.Token() != round.Token() {
		t.Errorf("resumed: %d changes, token %q", n, resumed.Token())
	}
	next := Delta[User](ctxFor(t), c, "users.delta", nil, round.Token())
	for _, err := range next.All() {
		t.Error("a change where there is none", err)
	}
	if !strings.HasSuffix(next.Token(), "$deltatoken=2") {
		t.Errorf("token %q", next.Token())
	}
}

// expired is a Graph that no longer knows any token.
func expired(t *testing.T) (*Client, *fake) {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "deltatoken") {
			w.Header().Set("Location", "https://"+r.Host+"/v1.0/users/delta?$deltatoken=")
			refuse(w, 410, "syncStateNotFound")
			return
		}
		reply200(w, `{"value":[{"id":"a"},{"id":"b"}],"@odata.deltaLink":"https://`+r.Host+`/v1.0/users/delta?$deltatoken=new"}`)
	})
}

func TestExpiredDeltaToken(t *testing.T) {
	c, f := expired(t)
	old := f.URL + "/v1.0/users/delta?$deltatoken=old"
	round := Delta[User](ctxFor(t), c, "users.delta", nil, old)
	var last error
	for _, err := range round.All() {
		last = err
	}
	if e := as[*Gone](t, last); e.Code != "syncStateNotFound" || round.Token() != "" {
		t.Errorf("%+v, token %q", e, round.Token())
	}

	over, n := 0, 0
	round = Delta[User](ctxFor(t), c, "users.delta", nil, old)
	for _, err := range round.AllOver(func(g *Gone) error { over++; return nil }) {
		if err != nil {
			t.Fatal(err)
		}
		if over != 1 {
			t.Error("a change before the caller was told")
		}
		n++
	}
	if over != 1 || n != 2 || !strings.HasSuffix(round.Token(), "=new") {
		t.Errorf("started over %d times, %d changes, token %q", over, n, round.Token())
	}

	stop := fmt.Errorf("not now")
	last = nil
	for _, err := range Delta[User](ctxFor(t), c, "users.delta", nil, old).AllOver(func(*Gone) error { return stop }) {
		last = err
	}
	if last != stop {
		t.Errorf("got %v", last)
	}
}

func TestADeltaTokenOfAnotherServerIsExpired(t *testing.T) {
	c, f := expired(t)
	for _, err := range Delta[User](ctxFor(t), c, "users.delta", nil, "https://graph.microsoft.com/v1.0/users/delta?$deltatoken=x").All() {
		as[*Gone](t, err)
	}
	if n := len(f.requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestADeltaRoundThatBreaksHasNoToken(t *testing.T) {
	for name, end := range map[string]string{
		"no link":         ``,
		"a foreign token": `,"@odata.deltaLink":"https://evil.example/v1.0/users/delta?$deltatoken=1"`,
	} {
		c, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { reply200(w, `{"value":[{"id":"a"}]`+end+`}`) })
		round := Delta[User](ctxFor(t), c, "users.delta", nil, "")
		var last error
		for _, err := range round.All() {
			last = err
		}
		if last == nil || round.Token() != "" {
			t.Errorf("%s: %v, token %q", name, last, round.Token())
		}
	}
}
