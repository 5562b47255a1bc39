package learn_test

import (
	"bufio"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"tocsin.dev/learn"
	"tocsin.dev/learn/plant"
	"tocsin.dev/learn/worldtest"
	"tocsin.dev/sharedtest"
)

var (
	accuracySeeds = flag.Int("accuracy", 0, "measure the accuracy over so many seeds, and print it")
	firstSeed     = flag.Uint64("accuracy.from", 0, "the first of these seeds")
	carriersOnly  = flag.String("carriers", "college,dnc,world", "the carriers to measure on")
	worldPeople   = flag.Int("world.people", 1000, "the people of the generated world")
	worldDays     = flag.Int("world.days", 120, "the days of the generated world")
)

// network is a message network of temporal-email as a company's mail: a quarter of the people are outside in 40 partner
// domains, one mail in five has an attachment. Mail between people outside is left out: the company does not see it.
func network(t testing.TB, file string, seed uint64) []learn.Mail {
	f, err := os.Open(sharedtest.File(t, "data/temporal-email/"+file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := rand.New(rand.NewPCG(seed, 5))
	names := learn.NewNames("inside.example")
	who := map[string]*learn.Address{}
	of := func(id string) *learn.Address {
		a := who[id]
		if a == nil {
			host := "inside.example"
			if r.IntN(4) == 0 {
				host = fmt.Sprintf("partner%d.example", r.IntN(40))
			}
			a = names.Of("n" + id + "@" + host)
			who[id] = a
		}
		return a
	}
	var mails []learn.Mail
	for s := bufio.NewScanner(f); s.Scan(); {
		w := strings.Fields(s.Text())
		var at int64
		if _, err := fmt.Sscan(w[2], &at); err != nil {
			t.Fatal(err)
		}
		a, b := of(w[0]), of(w[1])
		if a == b || !a.Inside && !b.Inside {
			continue
		}
		x := learn.Mail{At: at * 1000, From: a, To: []*learn.Address{b}}
		if r.IntN(5) == 0 {
			x.Files = 1
		}
		mails = append(mails, x)
	}
	slices.SortStableFunc(mails, func(a, b learn.Mail) int { return int(a.At - b.At) })
	return mails
}

func carrier(t testing.TB, name string, seed uint64) []learn.Mail {
	switch name {
	case "college":
		return network(t, "CollegeMsg.txt", seed)
	case "dnc":
		return network(t, "dnc-temporalGraph.txt", seed)
	}
	mails, _ := worldtest.New(worldtest.Size{People: *worldPeople, Days: *worldDays}, seed)
	return mails
}

// replay gives the score of every person-day, and the verdicts.
func replay(mails []learn.Mail, o learn.Options) (map[key]float64, []learn.Day, *learn.Model) {
	m := learn.New(o)
	scores := map[key]float64{}
	var all []learn.Day
	keep := func(days []learn.Day) {
		for _, d := range days {
			scores[key{d.Who.ID, d.Day}] = -math.Log(d.P)
			all = append(all, d)
		}
	}
	last := int32(0)
	for _, x := range mails {
		if n := int32(x.At / 86_400_000); n > last {
			keep(m.Close(n - 1))
			last = n
		}
		m.Mail(x)
	}
	keep(m.Close(math.MaxInt32 - 1))
	return scores, all, m
}

// measured is what one seed gave for one attack by one detector.
type measured struct {
	auc, at100, at1000, days float64
	n                        int
}

func measure(scores func(key) (float64, bool), attacks []plant.Attack, kind plant.Kind, others []key) (measured, bool) {
	var neg []float64
	for _, k := range others {
		if s, ok := scores(k); ok {
			neg = append(neg, s)
		}
	}
	b100, b1000 := plant.Bar(neg, 0.01), plant.Bar(neg, 0.001)
	var m measured
	var pos []float64
	for _, a := range attacks {
		if a.Kind != kind {
			continue
		}
		m.n++
		best := math.Inf(-1)
		found := -1
		for _, d := range a.Days {
			s, ok := scores(key{a.Who.ID, d})
			if !ok {
				s = math.Inf(-1)
			}
			best = max(best, s)
			pos = append(pos, s)
			if found < 0 && s > b100 {
				found = int(d - a.Days[0])
			}
		}
		if found >= 0 {
			m.at100++
			m.days += float64(found)
		}
		if best > b1000 {
			m.at1000++
		}
	}
	if m.n == 0 {
		return m, false
	}
	m.auc = plant.AUC(pos, neg)
	if m.at100 > 0 {
		m.days /= m.at100
	} else {
		m.days = math.NaN()
	}
	m.at100 /= float64(m.n)
	m.at1000 /= float64(m.n)
	return m, true
}

func TestAccuracy(t *testing.T) {
	if *accuracySeeds == 0 {
		t.Skip("measured by make accuracy")
	}
	for _, name := range strings.Split(*carriersOnly, ",") {
		began := time.Now()
		got := map[string]map[plant.Kind][]measured{}
		put := func(detector string, kind plant.Kind, m measured) {
			if got[detector] == nil {
				got[detector] = map[plant.Kind][]measured{}
			}
			got[detector][kind] = append(got[detector][kind], m)
		}
		each := map[string]int{"college": 3, "dnc": 1, "world": 8}[name]
		negatives, planted := 0, 0
		for seed := *firstSeed; seed < *firstSeed+uint64(*accuracySeeds); seed++ {
			clean := carrier(t, name, seed)
			mails, attacks, able := plant.Into(clean, plant.Options{Kinds: plant.Kinds, Each: each, Seed: seed})
			planted += len(attacks)
			others := untouched(clean, able, attacks)
			negatives += len(others)
			scores, all, _ := replay(mails, learn.Options{})
			class := map[plant.Kind]map[key]float64{}
			for kind := range classOf {
				class[kind] = map[key]float64{}
			}
			for i := range all {
				for kind, c := range classOf {
					class[kind][key{all[i].Who.ID, all[i].Day}] = all[i].Surprise(c)
				}
			}
			base := baselines(mails)
			for _, kind := range plant.Kinds {
				if m, ok := measure(func(k key) (float64, bool) { s, ok := scores[k]; return s, ok }, attacks, kind, others); ok {
					put("tocsin", kind, m)
				}
				if m, ok := measure(func(k key) (float64, bool) { s, ok := class[kind][k]; return s, ok }, attacks, kind, others); ok {
					put("its class alone", kind, m)
				}
				for i, b := range baselineNames {
					if m, ok := measure(func(k key) (float64, bool) { s, ok := base[k]; return s[i], ok }, attacks, kind, others); ok {
						put(b, kind, m)
					}
				}
			}
		}
		fmt.Printf("\n%s: %d seeds, %d attacks, %d untouched person-days, %s\n", name, *accuracySeeds, planted, negatives, time.Since(began).Round(time.Second))
		fmt.Printf("%-13s %-16s %-14s %-14s %-14s %s\n", "attack", "detector", "AUC", "found 1/100", "found 1/1000", "days to")
		for _, kind := range plant.Kinds {
			var ds []string
			for d := range got {
				ds = append(ds, d)
			}
			sort.Slice(ds, func(i, j int) bool { return order(ds[i]) < order(ds[j]) })
			for _, d := range ds {
				l := got[d][kind]
				if len(l) == 0 {
					continue
				}
				fmt.Printf("%-13s %-16s %-14s %-14s %-14s %s\n", kind, d, interval(l, func(m measured) float64 { return m.auc }),
					interval(l, func(m measured) float64 { return m.at100 }), interval(l, func(m measured) float64 { return m.at1000 }),
					interval(l, func(m measured) float64 { return m.days }))
			}
		}
	}
}

func order(d string) int {
	if d == "tocsin" {
		return -2
	}
	return slices.Index(baselineNames, d)
}

// interval is the mean over the seeds with half the width of its 95 % interval.
func interval(l []measured, of func(measured) float64) string {
	sum, square, n := 0.0, 0.0, 0.0
	for _, m := range l {
		if x := of(m); !math.IsNaN(x) {
			w := float64(m.n)
			sum += w * x
			square += w * x * x
			n += w
		}
	}
	if n == 0 {
		return "-"
	}
	mean := sum / n
	sd := math.Sqrt(max(0, square/n-mean*mean))
	return fmt.Sprintf("%.3f ±%.3f", mean, 1.96*sd/math.Sqrt(float64(max(len(l)-1, 1))))
}

// classOf is the class of learn that each attack is for.
var classOf = map[plant.Kind]learn.Kind{plant.Takeover: learn.Graph, plant.Fanout: learn.Graph, plant.Exfiltration: learn.Exfiltration, plant.Offhours: learn.OffHours, plant.Drift: learn.Drift}

// untouched is the person-days against which attacks are held: of possible victims who were spared, in the second half of what they sent.
func untouched(mails []learn.Mail, able []*learn.Address, attacks []plant.Attack) []key {
	hit := map[uint64]bool{}
	for _, a := range attacks {
		hit[a.Who.ID] = true
	}
	sent := map[uint64][]int32{}
	for _, x := range mails {
		if x.From.Inside {
			sent[x.From.ID] = append(sent[x.From.ID], int32(x.At/86_400_000))
		}
	}
	var l []key
	for _, a := range able {
		if hit[a.ID] {
			continue
		}
		s := sent[a.ID]
		for _, d := range slices.Compact(s[len(s)/2:]) {
			l = append(l, key{a.ID, d})
		}
	}
	return l
}
