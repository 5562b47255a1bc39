package sim

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"
	"time"
)

// TestTruthIsWrittenAsJSON: what is written by hand reads as what it was.
func TestTruthIsWrittenAsJSON(t *testing.T) {
	for _, l := range []Truth{
		{N: 1, Time: time.Date(2026, 3, 1, 9, 0, 0, 120, time.UTC), Change: "x", By: "graph"},
		{N: 2, Time: time.Now().UTC().Round(0), Change: "message.created", Mailbox: `a"b@x`, Person: "p", ID: "\u200b", By: "é", Action: "received", Of: []int{1, 20, 3}, Status: 202, Why: "a\nb",
			Detail: json.RawMessage(`{"a":[1]}`)},
	} {
		var back Truth
		if err := json.Unmarshal(l.appendJSON(nil), &back); err != nil || !reflect.DeepEqual(back, l) {
			t.Errorf("%v: %+v became %+v", err, l, back)
		}
		want, _ := json.Marshal(l)
		if got := string(l.appendJSON(nil)); got != string(want) && l.N == 1 {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestAcknowledged reads the file that a simulator left behind, with its last line cut off.
func TestAcknowledged(t *testing.T) {
	path := t.TempDir() + "/truth"
	p := newProbe(t, Config{Users: 30, TruthPath: path, Delivery: Delivery{Retry: Duration(time.Hour)}})
	status := 503
	l := listen(t, func(int) int { return status })
	amy := p.s.world.person(3)
	p.subscribe("users/"+amy.id+"/messages", "created", l.URL)
	p.receive(amy, 3)
	p.s.Deliver(t.Context())
	status = 202
	p.receive(amy, 2)
	p.s.Deliver(t.Context())
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"n":99,"ti`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	lines, err := ReadTruth(path)
	if err != nil {
		t.Fatal(err)
	}
	acknowledged, arrived := Acknowledged(lines), 0
	for _, line := range lines {
		if line.Action == "received" {
			if arrived++; acknowledged[line.N] != (arrived > 3) {
				t.Errorf("the %d. that arrived is acknowledged: %v", arrived, acknowledged[line.N])
			}
		}
	}
	if arrived != 5 || len(acknowledged) != 2 {
		t.Errorf("%d arrived, %d are acknowledged", arrived, len(acknowledged))
	}
}
