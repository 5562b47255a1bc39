package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/learn"
	"tocsin.dev/store"
)

const (
	placesFor  = 90     // days
	placesRead = 30_000 // sign-ins that are counted at most, the newest
	placesMost = 30     // places that are told at most
)

// repliesOf is how swiftly and how often a person answers; nil where nothing that they sent was learned.
func repliesOf(learned *learn.Persona) *PersonaReplies {
	sent, swift := learned.Answers()
	if sent == 0 {
		return nil
	}
	r := &PersonaReplies{Minutes: int(learn.SwiftWithin.Minutes()), Sent: sent, Swift: swift, Share: swift / sent}
	if r.Share < 0.01 {
		r.Says = fmt.Sprintf("Hardly anything that this person sends answers mail of the %d minutes before.", r.Minutes)
	} else {
		r.Says = fmt.Sprintf("%.0f %% of what this person sends goes to somebody who wrote to them in the %d minutes before: about %.1f such mails on a day with mail.", 100*r.Share, r.Minutes, swift)
	}
	return r
}

// places is from where the person signed in.
func (p *Persona) places(ctx context.Context, t *store.Tenant, now time.Time) error {
	rows, err := find(ctx, t, (&query{}).add("select at, country, city, result from sign_in where tenant = $1 and person = ? and at >= ? order by at desc limit ?", p.Person, now.AddDate(0, 0, -placesFor), placesRead),
		func(r *placeRow) []any { return []any{&r.at, &r.country, &r.city, &r.result} })
	if err != nil {
		return err
	}
	all, err := capabilitiesUnder(ctx, t)
	if err != nil {
		return err
	}
	zone := tocsin.Zone(p.Zone)
	if zone == nil {
		zone = time.UTC
	}
	p.Places = placesFrom(rows, zone, now)
	p.Places.because(all, len(rows))
	p.Places.say()
	return nil
}

// placeRow is a sign-in of a person.
type placeRow struct {
	at                    int64
	country, city, result string
}

// placesFrom counts sign-ins, the newest first, by place. Days are those of the zone.
func placesFrom(rows []placeRow, zone *time.Location, now time.Time) PersonaPlaces {
	type tally struct {
		PersonaPlace
		day string // the last that was counted
	}
	type at struct{ country, city string }
	out, by, countries := PersonaPlaces{Items: []PersonaPlace{}}, map[at]*tally{}, map[string]time.Time{}
	var first time.Time // that succeeded, from wherever
	today := ""
	for _, r := range rows {
		when := tocsin.FromMillis(r.at)
		out.Since = when
		known := r.country != "" || r.city != ""
		x := by[at{r.country, r.city}]
		if x == nil && known {
			x = &tally{PersonaPlace: PersonaPlace{Country: r.country, City: r.city}}
			by[at{r.country, r.city}] = x
		}
		if known {
			x.SignIns++
		}
		if r.result != "success" {
			continue
		}
		first = when
		day := when.In(zone).Format(time.DateOnly)
		if day != today {
			today = day
			out.Days++
		}
		if !known {
			out.Unknown++
			continue
		}
		if x.Succeeded++; x.Succeeded == 1 {
			x.Last = when
		}
		x.First, countries[r.country] = when, when
		if day != x.day {
			x.day = day
			x.Days++
		}
	}
	isNew := func(since time.Time) bool { return now.Sub(since) < newFor && since.Sub(first) > newFor }
	for _, x := range by {
		if x.Succeeded == 0 {
			out.Failed, out.FailedPlaces = out.Failed+x.SignIns, out.FailedPlaces+1
			continue
		}
		x.Share, x.New = float64(x.Days)/float64(out.Days), isNew(x.First)
		x.NewCountry = x.New && isNew(countries[x.Country])
		out.Items = append(out.Items, x.PersonaPlace)
	}
	slices.SortFunc(out.Items, func(a, b PersonaPlace) int {
		return cmp.Or(cmp.Compare(b.Days, a.Days), cmp.Compare(b.Succeeded, a.Succeeded), cmp.Compare(a.Country, b.Country), cmp.Compare(a.City, b.City))
	})
	out.fit(placesMost)
	return out
}

// fit leaves out what there is no room for: old places of few days before new ones.
func (l *PersonaPlaces) fit(most int) {
	for _, isNew := range []bool{false, true} {
		for i := len(l.Items) - 1; i >= 0 && len(l.Items) > most; i-- {
			if l.Items[i].New == isNew {
				l.Items = slices.Delete(l.Items, i, i+1)
				l.LeftOut++
			}
		}
	}
}

// because says why sign-ins are not read, or not all of them.
func (l *PersonaPlaces) because(all []Capability, read int) {
	l.Because, l.Mend = "No connection is there to read sign-ins by.", "Connect the tenant."
	for _, k := range all {
		if k.Name != "sign-ins" {
			continue
		}
		if l.Because, l.Mend = k.Because, k.Mend; k.State != string(connect.Off) {
			break
		}
	}
	if read == placesRead && l.Because == "" {
		l.Because = fmt.Sprintf("Only the newest %s sign-ins are counted.", thousands(placesRead))
	}
}

// say says in a sentence from where the person signs in.
func (l *PersonaPlaces) say() {
	var s []string
	switch n := len(l.Items) + l.LeftOut; {
	case l.Days == 0:
		s = append(s, fmt.Sprintf("No sign-in of this person that succeeded was read in the last %d days.", placesFor))
	case n == 0:
		s = append(s, "Of no sign-in that succeeded the place is told.")
	case n == 1 && l.Items[0].Days == l.Days:
		s = append(s, fmt.Sprintf("Signed in from %s alone, on %s since %s.", l.Items[0].name(), plural(l.Days, "day"), l.Since.UTC().Format("2 January 2006")))
	default:
		s = append(s, fmt.Sprintf("Signed in from %s since %s: on %d of %s from %s.", plural(n, "place"), l.Since.UTC().Format("2 January 2006"), l.Items[0].Days, plural(l.Days, "day"), l.Items[0].name()))
	}
	var fresh []string
	for _, x := range l.Items {
		if x.NewCountry {
			fresh = append(fresh, x.name()+" (the country too)")
		} else if x.New {
			fresh = append(fresh, x.name())
		}
	}
	switch n := len(fresh); {
	case n == 1:
		s = append(s, "One is new: "+fresh[0]+".")
	case n > 1 && n <= 3:
		s = append(s, fmt.Sprintf("%d are new: %s.", n, strings.Join(fresh, "; ")))
	case n > 3:
		s = append(s, fmt.Sprintf("%d are new.", n))
	}
	if l.Unknown > 0 && len(l.Items) > 0 {
		s = append(s, fmt.Sprintf("Of %s the place is not told.", plural(l.Unknown, "more sign-in")))
	}
	if l.Failed > 0 {
		place := "other place"
		if len(l.Items) == 0 {
			place = "place"
		}
		s = append(s, fmt.Sprintf("%s from %s did not succeed.", plural(l.Failed, "sign-in"), plural(l.FailedPlaces, place)))
	}
	l.Says = strings.Join(s, " ")
}

// name is the place in words.
func (x *PersonaPlace) name() string {
	if x.City == "" || x.Country == "" {
		return x.City + x.Country
	}
	return x.City + ", " + x.Country
}
