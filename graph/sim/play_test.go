package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin.dev/story"
)

const everything = `# Everything that people do.
domain fabrikamfreight.com
domain second.example
person amy "Amy Adams" amy@fabrikamfreight.com admin
person bob bob@second.example newcomer
person box "Team" box@fabrikamfreight.com shared
person eve eve@partner.example guest
contact vendor@fabrikamfreight.com "Vendor" to sales@vendor.example
mon 09:00 amy makes rule "One" when subject_contains "x" move to "Deep \u200bfolder"
mon 09:01 amy makes rule "Two" readonly
mon 09:02 amy changes rule "One" forward to eve@evil.example
mon 09:03 amy disables rule "One"
mon 09:04 amy enables rule "One"
mon 09:05 amy deletes rule "Two"
mon 09:06 bob sets automatic reply "Write to x@evil.example"
mon 09:07 bob stops automatic reply
mon 09:08 bob sets automatic reply "Again"
mon 09:09 amy signs in from 203.0.113.7/NL failing
mon 09:10 amy sends to bob, out@evil.example subject "Hi"
mon 09:11 amy receives from out@evil.example
mon 09:12 bob is blocked
mon 09:13 amy runs Set-Mailbox ForwardingSmtpAddress="smtp:x@evil.example"
mon 09:14 bob becomes shared
`

func TestStory(t *testing.T) {
	p := newProbe(t, Config{Users: 60, Roles: everyRole})
	_, link := p.pages("users/delta?$deltatoken=latest")
	p.play(everything)
	amy, bob := p.get("users/amy@fabrikamfreight.com"), p.get("users/bob@second.example?$select=id,accountEnabled,assignedPlans,createdDateTime")
	rules := values(p.get("users/" + amy["id"].(string) + "/mailFolders/inbox/messageRules"))
	if len(rules) != 1 || rules[0]["displayName"] != "One" || rules[0]["isEnabled"] != true || rules[0]["conditions"] != nil {
		t.Errorf("rules: %v", rules)
	}
	settings := p.get("users/" + bob["id"].(string) + "/mailboxSettings")
	reply := settings["automaticRepliesSetting"].(map[string]any)
	if reply["status"] != "alwaysEnabled" || !strings.Contains(reply["externalReplyMessage"].(string), "Again") || settings["userPurpose"] != "shared" {
		t.Errorf("settings: %v", settings)
	}
	if bob["accountEnabled"] != false || len(bob["assignedPlans"].([]any)) != 0 {
		t.Errorf("bob: %v", bob)
	}
	if eve := p.get("users?$filter=mail eq 'eve@partner.example'&$select=userType"); values(eve)[0]["userType"] != "Guest" {
		t.Errorf("eve: %v", eve)
	}
	got := values(p.get("users/" + bob["id"].(string) + "/messages?$select=id,from,receivedDateTime"))
	if len(got) != 1 {
		t.Errorf("bob has got %v", got)
	}
	admins := values(p.get("directoryRoles/" + p.s.world.roles[0].id + "/members?$select=id"))
	if admins[len(admins)-1]["id"] != amy["id"] {
		t.Errorf("amy is no administrator: %v", admins)
	}
	if came, _ := p.pages(link); len(came) != 4 {
		t.Errorf("four people came, delta has %d", len(came))
	}
	found := false
	for _, d := range values(p.get("domains")) {
		found = found || d["id"] == "second.example"
	}
	if !found {
		t.Error("the second domain is not accepted")
	}
	truth, _ := p.s.Truth()
	kinds := map[string]int{}
	for i, l := range truth {
		kinds[l.Change]++
		if l.N != i+1 || l.Time.IsZero() || l.By == "" {
			t.Errorf("line %d: %+v", i, l)
		}
	}
	for kind, n := range map[string]int{"rule.created": 2, "rule.updated": 3, "rule.deleted": 1, "settings.updated": 3, "user.created": 4, "user.updated": 2, "message.created": 3, "audit": 2} {
		if kinds[kind] != n {
			t.Errorf("%d of %s, want %d", kinds[kind], kind, n)
		}
	}
}

func TestActsThatCannotHappenAreSaid(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	st, err := story.Parse("bad", strings.NewReader("domain fabrikamfreight.com\nperson amy amy@fabrikamfreight.com\nmon 09:00 amy deletes rule \"none\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.s.Play(st); err != nil {
		t.Fatal(err)
	}
	if failed := p.s.Failed(); len(failed) != 1 || !strings.Contains(failed[0], "bad:3") {
		t.Errorf("failed: %v", failed)
	}
}

func TestStoriesFollowTheClock(t *testing.T) {
	st, err := story.Parse("week", strings.NewReader("domain fabrikamfreight.com\nperson amy amy@fabrikamfreight.com\nmon 09:00 amy makes rule \"x\" delete\n"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	p := newProbe(t, Config{Users: 30, Stories: []*story.Story{st}, Start: now.Add(-8 * time.Hour)})
	path := "users/amy@fabrikamfreight.com/mailFolders/inbox/messageRules"
	if n := len(values(p.get(path))); n != 0 {
		t.Fatalf("%d rules an hour too early", n)
	}
	p.s.Advance(time.Hour + time.Minute)
	if n := len(values(p.get(path))); n != 1 {
		t.Errorf("%d rules after the act's time", n)
	}
	truth, _ := p.s.Truth()
	if at := truth[len(truth)-1].Time; !at.Equal(now.Add(time.Hour)) {
		t.Errorf("the act's time is %s", at)
	}
}

func TestLivingStories(t *testing.T) {
	st, err := story.Parse("live", strings.NewReader("domain fabrikamfreight.com\nperson amy amy@fabrikamfreight.com\nmon 09:00 amy makes rule \"x\" delete\ntue 09:00 amy deletes rule \"x\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	p := newProbe(t, Config{Users: 60, Stories: []*story.Story{st}, Live: true, Over: time.Hour, Rate: 50})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.s.Run(ctx) }()
	path := "users/amy@fabrikamfreight.com/mailFolders/inbox/messageRules"
	eventually(t, "the first act", func() bool { return len(values(p.get(path))) == 1 })
	p.s.Advance(time.Hour)
	eventually(t, "the last act", func() bool { return len(values(p.get(path))) == 0 })
	eventually(t, "mail", func() bool {
		truth, _ := p.s.Truth()
		n := 0
		for _, l := range truth {
			if l.By == "traffic" {
				n++
			}
		}
		return n > 10
	})
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("%s did not come", what)
}

func TestTruthOutlivesAKill(t *testing.T) {
	file := filepath.Join(t.TempDir(), "truth.jsonl")
	first := newProbe(t, Config{Users: 30, TruthPath: file})
	first.play(everything)
	before, err := first.s.Truth()
	if err != nil || len(before) == 0 {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"n":99,"cha`)
	f.Close()
	second := newProbe(t, Config{Users: 30, TruthPath: file})
	second.play("# x\ndomain fabrikamfreight.com\nperson zoe zoe@fabrikamfreight.com\n")
	after, err := second.s.Truth()
	if err != nil || len(after) != len(before)+1 || after[len(after)-1].N != len(after) {
		t.Errorf("%d lines after %d: %v", len(after), len(before), err)
	}
}

func TestDigestTellsWhichMailboxChanged(t *testing.T) {
	a, b := newProbe(t, Config{Users: 60}), newProbe(t, Config{Users: 60})
	text := "# x\ndomain fabrikamfreight.com\nperson amy amy@fabrikamfreight.com\n"
	a.play(text)
	b.play(text + "mon 09:00 amy makes rule \"x\" delete\n")
	one, two := a.s.Digest(), b.s.Digest()
	if len(one) != len(two) || len(one) < 40 {
		t.Fatalf("%d and %d mailboxes", len(one), len(two))
	}
	for address := range one {
		if same := one[address] == two[address]; same == (address == "amy@fabrikamfreight.com") {
			t.Errorf("%s: same is %v", address, same)
		}
	}
}

func TestControlOverSockets(t *testing.T) {
	s, err := New(Config{Users: 40})
	if err != nil {
		t.Fatal(err)
	}
	run, err := s.Serve(t.Context(), "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	send := func(method, path, body string) (int, string) {
		r, _ := http.NewRequest(method, run.Control+path, strings.NewReader(body))
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var buf bytes.Buffer
		buf.ReadFrom(resp.Body)
		return resp.StatusCode, buf.String()
	}
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/story", everything, 204}, {"POST", "/story", "nonsense", 400}, {"POST", "/story?mode=live&over=1m", "domain fabrikam.com\n", 204}, {"POST", "/story?mode=x", "# x\n", 400},
		{"POST", "/clock", `{"advance":"24h"}`, 200}, {"POST", "/clock", `{"advance":"-1h"}`, 400}, {"POST", "/clock", `{"forward":"1h"}`, 400},
		{"POST", "/fault", `{"path":"/users","kind":"throttle","times":2,"after":"0.5"}`, 204}, {"POST", "/fault", `{"kind":"x"}`, 400}, {"DELETE", "/fault", "", 204},
		{"POST", "/consent", `{"roles":["User.Read.All"],"disabled":false}`, 204}, {"POST", "/forget", "", 204}, {"GET", "/clock", "", 200},
		{"GET", "/requests", "", 200}, {"GET", "/digest", "", 200}, {"GET", "/truth", "", 200}, {"GET", "/nonsense", "", 404},
	} {
		if status, body := send(c.method, c.path, c.body); status != c.want {
			t.Errorf("%s %s %.40s: %d, want %d: %s", c.method, c.path, c.body, status, c.want, body)
		}
	}
	if got := s.Clock().Now().Sub(time.Now()); got < 23*time.Hour {
		t.Errorf("the clock is %s ahead", got)
	}
	_, truth := send("GET", "/truth", "")
	for n, line := range strings.Split(strings.TrimSpace(truth), "\n") {
		var l Truth
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.N != n+1 {
			t.Fatalf("line %d is %s: %v", n, line, err)
		}
	}
	if err := run.Close(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(run.Control + "/clock"); err == nil {
		t.Error("it serves after Close")
	}
}

func TestOneSeedOneWorld(t *testing.T) {
	a, b, c := newProbe(t, Config{Users: 200, Seed: 4}), newProbe(t, Config{Users: 200, Seed: 4}), newProbe(t, Config{Users: 200, Seed: 5})
	same := func(x, y *probe) bool {
		one, _ := x.pages("users?$select=id,displayName,mail,department")
		two, _ := y.pages("users?$select=id,displayName,mail,department")
		p, _ := json.Marshal(one)
		q, _ := json.Marshal(two)
		return bytes.Equal(p, q)
	}
	if !same(a, b) || same(a, c) {
		t.Error("a seed does not make one world")
	}
}

func TestRequestsAreCounted(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	p.get("users?$select=id")
	p.get("users?$select=id")
	p.get("users?$select=mail")
	p.call("GET", "nonsense", nil, 400)
	p.batch(200, get("1", "/users?$select=id"))
	r := p.s.Requests()
	u := r.Calls["GET /users"]
	if u.Count != 4 || u.Batched != 1 || u.Select["id"] != 3 || u.Select["mail"] != 1 || r.Unknown != 1 || r.Batches != 1 {
		t.Errorf("%+v", r)
	}
}

// TestEveryStoryOfTheRulesCanHappen: what the detections are tested with, people can do here.
func TestEveryStoryOfTheRulesCanHappen(t *testing.T) {
	files, err := filepath.Glob("../../detect/rule/testdata/*.story")
	if err != nil || len(files) == 0 {
		t.Skip("detect/rule has no stories: none was played")
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		st, err := story.Parse(filepath.Base(name), f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(Config{Users: 25, Stories: []*story.Story{st}})
		if err != nil {
			t.Fatal(err)
		}
		if failed := s.Failed(); len(failed) > 0 {
			t.Error(failed)
		}
	}
}
