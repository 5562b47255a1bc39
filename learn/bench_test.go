package learn_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"tocsin.dev/learn"
	"tocsin.dev/learn/worldtest"
)

// heap is how much is in use after a collection, in bytes.
func heap() float64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return float64(s.HeapAlloc)
}

// crowd is a model of many persons: those of a generated company as it stands after 60 days, each under many names.
func crowd(tb testing.TB, people int) (*learn.Model, []*learn.Address) {
	mails, _ := worldtest.New(worldtest.Size{People: 500, Days: 60}, 9)
	of := learn.New(learn.Options{})
	last := int32(0)
	for _, x := range mails {
		if n := int32(x.At / 86_400_000); n > last {
			of.Close(n - 1)
			last = n
		}
		of.Mail(x)
	}
	of.Close(last)
	names := learn.NewNames("acme.example")
	m := learn.New(learn.Options{})
	if err := m.Restore(of.State(), names); err != nil {
		tb.Fatal(err)
	}
	all := of.Learned(0)
	var who []*learn.Address
	for i := range people {
		p := all[i%len(all)]
		state := p.State()
		n, w := binary.Uvarint(state)
		name := fmt.Sprintf("p%d-%d@acme.example", i, i%len(all))
		state = append(append(binary.AppendUvarint(nil, uint64(len(name))), name...), state[w+int(n):]...)
		q, err := learn.ReadPersona(state, names)
		if err != nil {
			tb.Fatal(err)
		}
		m.Adopt(q)
		who = append(who, q.Of)
	}
	return m, who
}

// BenchmarkLearn is a day of 100,000 persons who send 20 mails each, put in and closed: what an event costs with all that is learned of
// it, beside what it costs to decode the same event from JSON and to count it in a map; and what memory it takes. At 10,000 events a
// second a core has 100,000 ns for each.
func BenchmarkLearn(b *testing.B) {
	const people, each = 100_000, 20
	before := heap()
	m, who := crowd(b, people)
	rest := heap() - before
	r := rand.New(rand.NewPCG(1, 2))
	partners := make([]*learn.Address, 20_000)
	out := learn.NewNames()
	for i := range partners {
		partners[i] = out.Of(fmt.Sprintf("c%d@partner%d.example", i, i%4000))
	}
	day := int64(m.Shut()) + 1
	var mails []learn.Mail
	days, events, day0 := 0, 0, int64(0)
	var learning, closing time.Duration
	peak := 0.0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		mails = mails[:0]
		day0 = day * 86_400_000
		for range people * each {
			i := r.IntN(people)
			x := learn.Mail{At: day0 + 8*3_600_000 + r.Int64N(9*3_600_000), From: who[i], ID: "0123456789abcdef"}
			for range 1 + r.IntN(2) {
				if r.IntN(5) == 0 {
					x.To = append(x.To, partners[(i*7+r.IntN(10))%len(partners)])
				} else {
					x.To = append(x.To, who[(i+r.IntN(30))%people])
				}
			}
			mails = append(mails, x)
		}
		held := heap()
		b.StartTimer()
		at := time.Now()
		for _, x := range mails {
			m.Mail(x)
		}
		learning += time.Since(at)
		b.StopTimer()
		peak = max(peak, rest+heap()-held)
		b.StartTimer()
		at = time.Now()
		m.Close(int32(day))
		closing += time.Since(at)
		day++
		days++
		events += len(mails)
	}
	b.StopTimer()
	text, err := json.Marshal(map[string]any{"time": "2026-03-02T09:00:00Z", "sender": who[1].Name, "recipients": []string{who[2].Name, partners[3].Name}, "attachments": 1, "message_id": "0123456789abcdef"})
	if err != nil {
		b.Fatal(err)
	}
	at := time.Now()
	counts := map[string]int{}
	const decoded = 200_000
	for range decoded {
		var x struct {
			Time       time.Time
			Sender     string
			Recipients []string
			Files      int    `json:"attachments"`
			ID         string `json:"message_id"`
		}
		if err := json.Unmarshal(text, &x); err != nil {
			b.Fatal(err)
		}
		counts[x.Sender]++
	}
	decode := float64(time.Since(at).Nanoseconds()) / decoded
	each1 := float64((learning + closing).Nanoseconds()) / float64(events)
	b.ReportMetric(each1, "ns/event")
	b.ReportMetric(each1/decode, "of-decoding")
	b.ReportMetric(float64(closing.Nanoseconds())/float64(days*people), "ns/person-day")
	b.ReportMetric(rest/people, "B/persona")
	b.ReportMetric(peak/1e6, "MB-with-a-day-open")
	b.ReportMetric(float64(events)/(learning+closing).Seconds(), "events/s")
	runtime.KeepAlive(mails)
}
