package offline

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev/learn"
	"tocsin.dev/learn/plant"
	"tocsin.dev/learn/worldtest"
)

// backtestRun runs the command and gives what it said.
func backtestRun(t *testing.T, stdin string, args ...string) (out, notes string, err error) {
	t.Helper()
	c := Backtest()
	var o, n bytes.Buffer
	c.SetOut(&o)
	c.SetErr(&n)
	c.SetIn(strings.NewReader(stdin))
	c.SetArgs(args)
	err = c.Execute()
	return o.String(), n.String(), err
}

// worldFile is a small company's mail as CSV, its lines in no order.
func worldFile(t *testing.T, seed uint64, each int) (string, []plant.Attack) {
	t.Helper()
	mails, _ := worldtest.New(worldtest.Size{People: 80, Days: 60}, seed)
	mails, attacks, _ := plant.Into(mails, plant.Options{Kinds: []plant.Kind{plant.Exfiltration}, Each: each, Seed: seed})
	file := filepath.Join(t.TempDir(), "mail.csv")
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"time", "sender", "recipients", "attachments"})
	slices.Reverse(mails)
	for _, x := range mails {
		var to []string
		for _, a := range x.To {
			to = append(to, a.Name)
		}
		_ = w.Write([]string{time.UnixMilli(x.At).UTC().Format(time.RFC3339), x.From.Name, strings.Join(to, ";"), fmt.Sprint(x.Files)})
	}
	w.Flush()
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, attacks
}

// TestBacktest: every person-day has a line in the form that is fixed, the domain is found in the mail, and what was planted is at the top.
func TestBacktest(t *testing.T) {
	t.Parallel()
	file, attacks := worldFile(t, 3, 2)
	out, notes, err := backtestRun(t, "", "--json", "--all", file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(notes, "acme.example") || !strings.Contains(notes, "per person and month") {
		t.Errorf("the notes are %q", notes)
	}
	type line struct {
		Person, Kind, Why string
		Time              time.Time
		Score             float64
	}
	var lines []line
	for s := range strings.Lines(out) {
		var members map[string]any
		var l line
		if err := json.Unmarshal([]byte(s), &members); err != nil || len(members) != 5 {
			t.Fatalf("%v of %s", err, s)
		}
		if err := json.Unmarshal([]byte(s), &l); err != nil || l.Score < 0 || l.Score > 1 || l.Why == "" || !slices.Contains(learn.Kinds, learn.Kind(l.Kind)) {
			t.Fatalf("%v of %s", err, s)
		}
		lines = append(lines, l)
	}
	slices.SortStableFunc(lines, func(a, b line) int {
		if a.Score > b.Score {
			return -1
		}
		return 1
	})
	for _, a := range attacks {
		at := slices.IndexFunc(lines, func(l line) bool {
			return l.Person == a.Who.Name && plant.Number(l.Time) == a.Days[0]
		})
		if at < 0 || at > len(lines)/100 {
			t.Errorf("what was planted with %s is at place %d of %d", a.Who.Name, at, len(lines))
		}
	}
}

// TestBacktestInject: attacks can be planted in anybody's mail; the same seed gives the same curve.
func TestBacktestInject(t *testing.T) {
	t.Parallel()
	file, _ := worldFile(t, 4, 0)
	out, _, err := backtestRun(t, "", "--json", "--inject", "exfiltration,takeover", "--seed", "7", file)
	if err != nil {
		t.Fatal(err)
	}
	again, _, _ := backtestRun(t, "", "--json", "--inject", "exfiltration,takeover", "--seed", "7", file)
	if out != again {
		t.Error("the same seed gives another curve")
	}
	n := map[plant.Kind]int{}
	last := map[plant.Kind]float64{}
	for s := range strings.Lines(out) {
		var p point
		if err := json.Unmarshal([]byte(s), &p); err != nil || p.Planted == 0 || p.Found < last[p.Attack] {
			t.Fatalf("%v of %s", err, s)
		}
		last[p.Attack] = p.Found
		n[p.Attack]++
	}
	if n[plant.Exfiltration] != len(rates) || n[plant.Takeover] != len(rates) || last[plant.Exfiltration] < 0.5 {
		t.Errorf("the curves have %v points and end at %v", n, last)
	}
	if _, _, err := backtestRun(t, "", "--inject", "arson", file); err == nil {
		t.Error("an attack nobody knows was planted")
	}
}

// TestMailForms: the forms that mail's metadata comes in.
func TestMailForms(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"csv":      "time,sender,recipients,attachments,bytes,message_id\n2026-03-02T09:00:00Z,A@acme.example,b@acme.example;C@out.example,2,1000,<1>\n2026-03-02T09:00:00Z,a@acme.example,b@acme.example,2,1000,<1>\n",
		"csv bare": "sender,recipients,time,attachments\na@acme.example,\"b@acme.example; c@out.example\",1772442000,true\n",
		"json":     `{"time":"2026-03-02 09:00:00","sender":"a@acme.example","recipients":["b@acme.example","c@out.example"],"attachments":1}` + "\n\n",
		"json ;":   `{"time":1772442000000,"sender":"a@acme.example","recipients":"b@acme.example;c@out.example","attachments":"3"}`,
	} {
		r := &mailReader{notes: io.Discard}
		if err := r.read(name, bufio.NewReader(strings.NewReader(text))); err != nil || r.bad > 0 {
			t.Errorf("%s: %v, %d bad lines", name, err, r.bad)
			continue
		}
		if d := inside(r.rows); !slices.Equal(d, []string{"acme.example"}) {
			t.Errorf("%s: the own domains are %q", name, d)
		}
		l := r.mails(learn.NewNames("acme.example"))
		if len(l) != 1 || l[0].At != 1772442000000 || l[0].From.Name != "a@acme.example" || !l[0].From.Inside || len(l[0].To) != 2 || l[0].To[1].Inside || l[0].Files < 1 {
			t.Errorf("%s: %+v", name, l)
		}
	}
	r := &mailReader{notes: io.Discard}
	if err := r.read("pairs", bufio.NewReader(strings.NewReader("% a network\n1 2 1082040961\n3 4\n5 x never\n"))); err != nil || r.bad != 2 || len(r.rows) != 1 || r.rows[0].files != learn.Unknown {
		t.Errorf("pairs: %v, %d bad, %+v", err, r.bad, r.rows)
	}
	if d := inside(r.rows); !slices.Equal(d, []string{""}) || !r.mails(learn.NewNames(d...))[0].From.Inside {
		t.Errorf("where addresses have no domain, the own are %q", d)
	}
	if _, _, err := backtestRun(t, "a,b\n1,2\n", "-"); err == nil {
		t.Error("a table of something else was taken")
	}
	if _, _, err := backtestRun(t, "time,sender,recipients\nnever,a@x.example,b@x.example\n2026-03-02T09:00:00Z,a@x.example,b@x.example\n", "-"); err == nil {
		t.Error("a line that cannot be read is no error")
	}
}

func FuzzMailReader(f *testing.F) {
	f.Add("time,sender,recipients\n2026-03-02T09:00:00Z,a@acme.example,b@acme.example\n")
	f.Add(`{"time":1772442000,"sender":"a","recipients":"b;c"}`)
	f.Add("1 2 1082040961\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := &mailReader{notes: io.Discard}
		if r.read("fuzz", bufio.NewReader(strings.NewReader(text))) != nil {
			return
		}
		l := r.mails(learn.NewNames(inside(r.rows)...))
		if len(l) > 0 && l[len(l)-1].At-l[0].At > 400*86_400_000 {
			return
		}
		m := learn.New(learn.Options{})
		if err := days(m, l, func(d learn.Day) error {
			if !(d.P >= 0 && d.P <= 1) {
				t.Errorf("a probability of %g", d.P)
			}
			_ = m.Why(&d)
			_ = d.At()
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
}
