package offline

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/learn"
	"tocsin.dev/learn/plant"
)

const backtestHelp = `Backtest learns what is usual for each person from the metadata of mail, day after day, and prints what would have alarmed; it needs
no server and sends nothing.

It takes CSV with the header time,sender,recipients[,attachments,bytes,message_id] (recipients separated by ";"), JSON lines with these
members, and lists of "sender recipient unixtime"; plain or gzipped; "-" is standard input. Lines may come in any order. The
organisation's own domains are those that every mail has at one of its ends, unless --domain tells them.

With --inject it measures itself on your own mail: it plants attacks of few mails (takeover, exfiltration, fanout, offhours, drift) and
prints what share of them is found at which rate of false alarms.

The exit status is 0 when all was read, and 1 when a line could not be read or the command could not run.`

type backtest struct {
	json, all bool
	domains   []string
	zone      string
	budget    float64
	inject    []string
	seed      uint64
	each      int
	location  *time.Location
}

// Backtest is "tocsin backtest".
func Backtest() *cobra.Command {
	c := &cobra.Command{
		Use: "backtest [--json] [--all] FILE…", Short: "Learn what is usual for each person from a file, and print what is not", Long: backtestHelp,
		Example: "  tocsin backtest mail.csv\n  tocsin backtest --json --all --domain contoso.com mail.csv\n  tocsin backtest --inject takeover --seed 1 mail.csv",
		Args:    cobra.MinimumNArgs(1), SilenceUsage: true,
	}
	var b backtest
	f := c.Flags()
	f.BoolVar(&b.json, "json", false, "print one JSON object a line")
	f.BoolVar(&b.all, "all", false, "print every person-day with its highest score, not only what alarms")
	f.StringSliceVar(&b.domains, "domain", nil, "a domain of the organisation (repeat, or join with commas); otherwise found in the mail")
	f.StringVar(&b.zone, "zone", "UTC", "the time zone people live in, as Europe/Berlin")
	f.Float64Var(&b.budget, "budget", 0.03, "how many false alarms are expected per person and month")
	f.StringSliceVar(&b.inject, "inject", nil, "plant attacks and print how many are found: takeover, exfiltration, fanout, offhours, drift, all")
	f.Uint64Var(&b.seed, "seed", 1, "what the planted attacks are drawn from")
	f.IntVar(&b.each, "each", 0, "how many attacks of a kind are planted; a person in 10 is a victim otherwise")
	c.RunE = func(c *cobra.Command, args []string) error { return b.run(c, args) }
	return c
}

func (b *backtest) run(c *cobra.Command, files []string) error {
	if err := checkDomains(b.domains); err != nil {
		return err
	}
	if b.location = tocsin.Zone(b.zone); b.location == nil {
		return tocsin.Problemf(tocsin.Invalid, "Name a zone such as Europe/Berlin.", "There is no time zone %q.", b.zone)
	}
	if !(b.budget > 0) || b.budget > 30 {
		return tocsin.Problemf(tocsin.Invalid, "Give how many false alarms per person and month are bearable, such as 0.03.", "A budget of %g cannot be held.", b.budget)
	}
	kinds, err := b.kinds()
	if err != nil {
		return err
	}
	r := &mailReader{notes: c.ErrOrStderr()}
	for _, f := range files {
		if err := r.file(f, c.InOrStdin()); err != nil {
			return err
		}
	}
	if len(r.rows) == 0 {
		return tocsin.Problemf(tocsin.Invalid, "Give CSV with the header time,sender,recipients.", "No mail was found in %s.", clean(strings.Join(files, ", ")))
	}
	domains := b.domains
	if len(domains) == 0 {
		domains = inside(r.rows)
		fmt.Fprintf(c.ErrOrStderr(), "The organisation's own: %s.\n", clean(strings.Join(orEveryone(domains), ", ")))
	}
	mails := r.mails(learn.NewNames(domains...))
	if len(kinds) > 0 {
		err = b.measure(c, mails, kinds)
	} else {
		err = b.replay(c, mails)
	}
	if err != nil {
		return err
	}
	if r.bad > 0 {
		return tocsin.Problemf(tocsin.Invalid, "Mend the lines named above.", "%d lines could not be read.", r.bad)
	}
	return nil
}

func orEveryone(l []string) []string {
	if len(l) == 1 && l[0] == "" {
		return []string{"everyone, since the addresses have no domain"}
	}
	return l
}

func (b *backtest) kinds() ([]plant.Kind, error) {
	var l []plant.Kind
	for _, k := range b.inject {
		switch {
		case k == "all":
			return plant.Kinds, nil
		case !slices.Contains(plant.Kinds, plant.Kind(k)):
			return nil, tocsin.Problemf(tocsin.Invalid, "Use takeover, exfiltration, fanout, offhours, drift or all.", "There is no attack %q.", k)
		}
		l = append(l, plant.Kind(k))
	}
	return l, nil
}

func (b *backtest) options() learn.Options {
	return learn.Options{
		Budget: b.budget,
		Zone:   func(*learn.Address) *time.Location { return b.location },
		Own: func(a, who *learn.Address) bool {
			return detect.FreeMail(a.Name) && detect.OwnName(a.Name, who.Name, "")
		},
		Alike: detect.Alike,
	}
}

// days gives each person-day to do, in order of days; a day is closed a day late, since people's midnights differ.
func days(m *learn.Model, mails []learn.Mail, do func(learn.Day) error) error {
	give := func(l []learn.Day) error {
		for _, d := range l {
			if err := do(d); err != nil {
				return err
			}
		}
		return nil
	}
	last := int32(-1 << 31)
	for _, x := range mails {
		if n := int32(x.At / 86_400_000); n > last {
			if err := give(m.Close(n - 2)); err != nil {
				return err
			}
			last = n
		}
		m.Mail(x)
	}
	return give(m.Close(1<<31 - 1))
}

// anomaly is a person-day as --json prints it.
type anomaly struct {
	Person string     `json:"person"`
	Time   string     `json:"time"`
	Kind   learn.Kind `json:"kind"`
	Score  float64    `json:"score"`
	Why    string     `json:"why"`
}

func (b *backtest) replay(c *cobra.Command, mails []learn.Mail) error {
	m := learn.New(b.options())
	out := c.OutOrStdout()
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	people := map[uint64]bool{}
	var sum, events, alarms int
	by := map[learn.Kind]int{}
	err := days(m, mails, func(d learn.Day) error {
		people[d.Who.ID] = true
		sum++
		events += d.Sent
		if d.Alarm {
			alarms++
			by[d.Kind()]++
		}
		if !d.Alarm && !b.all {
			return nil
		}
		a := anomaly{d.Who.Name, time.UnixMilli(d.At()).UTC().Format(time.RFC3339), d.Kind(), d.Score(), m.Why(&d)}
		if b.json {
			return enc.Encode(a)
		}
		mark := ""
		if d.Alarm {
			mark = "  ALARM"
		}
		_, err := fmt.Fprintf(out, "%s  %-17s %.6f%s  %s\n", learn.Date(d.Day).Format(time.DateOnly), a.Kind, a.Score, mark, clean(a.Why))
		return err
	})
	if err != nil {
		return err
	}
	months := 0.0
	if len(mails) > 0 {
		months = float64(len(people)) * float64(mails[len(mails)-1].At-mails[0].At) / 86_400_000 / 30.44
	}
	notes := c.ErrOrStderr()
	fmt.Fprintf(notes, "%d persons, %d mails (%d sent by them), %d person-days with mail sent.\n", len(people), len(mails), events, sum)
	fmt.Fprintf(notes, "%d alarms: %.4f per person and month, where %g were allowed.\n", alarms, float64(alarms)/max(months, 1e-9), b.budget)
	for _, k := range learn.Kinds {
		if by[k] > 0 {
			fmt.Fprintf(notes, "  %-18s %5d  %.4f\n", k, by[k], float64(by[k])/max(months, 1e-9))
		}
	}
	return nil
}

// point is a line of the curve: at a threshold that so many untouched person-days pass, so many attacks are found.
type point struct {
	Attack     plant.Kind `json:"attack"`
	Planted    int        `json:"planted"`
	FalseAlarm float64    `json:"false_alarms_per_person_day"`
	Found      float64    `json:"found"`
	Days       *float64   `json:"days_to_detection"` // on average, of those found
	AUC        float64    `json:"auc"`
}

var rates = []float64{0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3}

func (b *backtest) measure(c *cobra.Command, mails []learn.Mail, kinds []plant.Kind) error {
	each := b.each
	if each == 0 {
		sent := map[*learn.Address]int{}
		able := 0
		for _, x := range mails {
			if sent[x.From]++; x.From.Inside && sent[x.From] == plant.Least {
				able++
			}
		}
		each = max(1, able/10/len(kinds))
	}
	zone := b.options().Zone
	all, attacks, able := plant.Into(mails, plant.Options{Kinds: kinds, Each: each, Seed: b.seed, Zone: zone})
	if len(attacks) == 0 {
		return tocsin.Problemf(tocsin.Invalid, fmt.Sprintf("Give the mail of more people or of more days: a victim has sent %d mails.", plant.Least), "No attack could be planted.")
	}
	victims := map[*learn.Address]bool{}
	for _, a := range attacks {
		victims[a.Who] = true
	}
	type personDay struct {
		who *learn.Address
		day int32
	}
	scores := map[personDay]float64{}
	start := plant.Second(mails, able, zone)
	var others []float64
	if err := days(learn.New(b.options()), all, func(d learn.Day) error {
		if from, ok := start[d.Who]; ok && victims[d.Who] {
			scores[personDay{d.Who, d.Day}] = d.Score()
		} else if ok && d.Day >= from {
			others = append(others, d.Score())
		}
		return nil
	}); err != nil {
		return err
	}
	enc := json.NewEncoder(c.OutOrStdout())
	for _, k := range kinds {
		var hits []float64
		n := 0
		for _, a := range attacks {
			if a.Kind == k {
				n++
				for _, d := range a.Days {
					hits = append(hits, scores[personDay{a.Who, d}])
				}
			}
		}
		if n == 0 {
			fmt.Fprintf(c.ErrOrStderr(), "%s could not be planted: nobody's mail has room for it.\n", k)
			continue
		}
		auc := plant.AUC(hits, others)
		if !b.json {
			fmt.Fprintf(c.OutOrStdout(), "%s: %d planted, held against %d untouched person-days; area under the curve by person-day %.3f\n  false alarms a person-day   found   days to detection\n", k, n, len(others), auc)
		}
		for _, rate := range rates {
			bar := plant.Bar(others, rate)
			found, wait := 0, 0.0
			for _, a := range attacks {
				if a.Kind != k {
					continue
				}
				for _, d := range a.Days {
					if scores[personDay{a.Who, d}] > bar {
						found++
						wait += float64(d - a.Days[0])
						break
					}
				}
			}
			p := point{Attack: k, Planted: n, FalseAlarm: rate, Found: float64(found) / float64(n), AUC: auc}
			when := "-"
			if found > 0 {
				w := wait / float64(found)
				p.Days, when = &w, fmt.Sprintf("%.1f", w)
			}
			if b.json {
				if err := enc.Encode(p); err != nil {
					return err
				}
				continue
			}
			if _, err := fmt.Fprintf(c.OutOrStdout(), "  %-25g %7.3f   %8s  %s\n", rate, p.Found, when, strings.Repeat("█", int(p.Found*40+0.5))); err != nil {
				return err
			}
		}
	}
	return nil
}

// inside is the organisation's own domains: the smallest set, found greedily, of which nearly every mail has an address. Where
// addresses have no domain it is the empty one.
func inside(rows []mailRow) []string {
	open := make([]int, len(rows))
	for i := range open {
		open[i] = i
	}
	var l []string
	for len(open)*50 > len(rows) && len(l) < 20 {
		n := map[string]int{}
		for _, i := range open {
			seen := map[string]bool{}
			for _, a := range append([]string{rows[i].from}, rows[i].to...) {
				if d := (tocsin.Address{Address: a}).Domain(); !seen[d] {
					seen[d] = true
					n[d]++
				}
			}
		}
		best := ""
		for d, x := range n {
			if c := cmp.Or(cmp.Compare(x, n[best]), -cmp.Compare(d, best)); x > 0 && (c > 0 || n[best] == 0) {
				best = d
			}
		}
		l = append(l, best)
		open = slices.DeleteFunc(open, func(i int) bool {
			return slices.ContainsFunc(append([]string{rows[i].from}, rows[i].to...), func(a string) bool { return (tocsin.Address{Address: a}).Domain() == best })
		})
	}
	return l
}
