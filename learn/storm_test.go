package learn_test

import (
	"flag"
	"fmt"
	"math"
	"slices"
	"testing"

	"tocsin.dev/learn"
)

// judged counts the alarms of the days from one to another, counted from the first day of mail, and person-months of them.
func judged(m *learn.Model, mails []learn.Mail, from, till int) (alarms int) {
	first := int32(mails[0].At / 86_400_000)
	count := func(days []learn.Day) {
		for _, d := range days {
			if n := int(d.Day - first); d.Alarm && n >= from && n < till {
				alarms++
			}
		}
	}
	last := int32(0)
	for _, x := range mails {
		if n := int32(x.At / 86_400_000); n > last {
			count(m.Close(n - 1))
			last = n
		}
		m.Mail(x)
	}
	count(m.Close(math.MaxInt32 - 1))
	return alarms
}

var calmSeeds = flag.Int("calm", 1, "over how many seeds it is measured that nothing storms and the budget is kept")

// storms are those that would make a storm of alarms, were it not taken out what all have in common.
var storms = []string{"a shift of all clocks by five hours", "another job for everybody, with other colleagues"}

// upset is something that happens to everybody from day 50 on.
var upset = map[string]func(names *learn.Names, day int, x *learn.Mail) bool{
	"a shift of all clocks by five hours": func(_ *learn.Names, day int, x *learn.Mail) bool {
		if day >= 50 {
			x.At += 5 * 3_600_000
		}
		return true
	},
	"a new mail system, in which all partners have new addresses": func(names *learn.Names, day int, x *learn.Mail) bool {
		if day >= 50 {
			other := func(a *learn.Address) *learn.Address {
				if a.Inside {
					return a
				}
				return names.Of(a.Name + ".new")
			}
			x.From = other(x.From)
			x.To = slices.Clone(x.To)
			for i := range x.To {
				x.To[i] = other(x.To[i])
			}
		}
		return true
	},
	"another job for everybody, with other colleagues": func(names *learn.Names, day int, x *learn.Mail) bool {
		if day >= 50 {
			x.To = slices.Clone(x.To)
			for i, a := range x.To {
				var n int
				if _, err := fmt.Sscanf(a.Name, "p%d@acme", &n); err == nil {
					x.To[i] = names.Of(fmt.Sprintf("p%d@acme.example", (n*7+3)%150))
				}
			}
		}
		return true
	},
	"attachments in every mail": func(_ *learn.Names, day int, x *learn.Mail) bool {
		if day >= 50 {
			x.Files = 1
		}
		return true
	},
	"a holiday": func(_ *learn.Names, day int, x *learn.Mail) bool {
		return day != 51 || x.At%12 == 0
	},
}

// TestStorm: what happens to everybody makes no storm of alarms; and it would, were it not taken out.
func TestStorm(t *testing.T) {
	t.Parallel()
	const budget = 0.2
	for what, happens := range upset {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			alarms, without := 0, 0
			for seed := range uint64(*calmSeeds) {
				names := learn.NewNames("acme.example")
				var mails []learn.Mail
				clean := small(seed)
				first := clean[0].At / 86_400_000
				for _, x := range clean {
					if happens(names, int(x.At/86_400_000-first), &x) {
						mails = append(mails, x)
					}
				}
				alarms += judged(learn.New(learn.Options{Budget: budget}), mails, 50, 53)
				if slices.Contains(storms, what) {
					without += judged(learn.Restless(learn.Options{Budget: budget}), mails, 50, 53)
				}
			}
			months := float64(*calmSeeds) * 150 * 3 / 30.44
			t.Logf("%.3f alarms per person and month in the three days after it, %.3f if it were not taken out, where %g are allowed", float64(alarms)/months, float64(without)/months, budget)
			if float64(alarms) > 2*budget*months {
				t.Errorf("%d alarms in three days, where %.0f are allowed", alarms, budget*months)
			}
			if slices.Contains(storms, what) && float64(without) <= 2*budget*months {
				t.Errorf("%d alarms with nothing taken out: this is no test of a storm", without)
			}
		})
	}
}

// TestUntouched: a stream that nobody touched keeps to the false alarms that were allowed, whatever is allowed.
func TestUntouched(t *testing.T) {
	t.Parallel()
	for _, budget := range []float64{0.03, 0.2, 1} {
		alarms := 0
		for seed := range uint64(*calmSeeds) {
			mails := small(seed + 20)
			alarms += judged(learn.New(learn.Options{Budget: budget}), mails, 0, 1000)
		}
		months := float64(*calmSeeds) * 150 * 75 / 30.44
		t.Logf("%.4f alarms per person and month, where %g are allowed", float64(alarms)/months, budget)
		if float64(alarms) > 1.5*budget*months {
			t.Errorf("%d alarms, where %.0f are allowed", alarms, budget*months)
		}
	}
}
