package sim

import (
	"fmt"
	"slices"
	"time"

	"tocsin.dev/story"
)

// firstSignIns is from when on people sign in every day.
func (s *Sim) firstSignIns(start time.Time) time.Time {
	if s.cfg.Reports.Days <= 0 {
		return time.Time{}
	}
	return start.Truncate(24*time.Hour).AddDate(0, 0, -s.cfg.Reports.Days)
}

// everyday lets everybody sign in as on any day, up to now: from the office or from home with the computer, on the way with the
// telephone, sometimes with a mistyped password, now and then on a journey to another office. The same world does the same. The
// caller holds mu.
func (s *Sim) everyday(now time.Time) {
	r := &s.reports
	if r.until.IsZero() || now.Sub(r.until) < time.Minute {
		return
	}
	had := len(r.signIns)
	for day := r.until.Truncate(24 * time.Hour); !day.After(now); day = day.AddDate(0, 0, 1) {
		var some []*signIn
		for i := range s.world.users {
			if p := s.acquainted(i); p.kind == employee && p.enabled && p.licensed && !p.gone {
				some = append(some, s.dayOf(p, day)...)
			}
		}
		for _, si := range some {
			if si.at.Before(r.until) || !si.at.Before(now) {
				continue
			}
			r.ids++
			si.id, si.correlation = s.world.seed.guid(askSignIn, 1<<24+r.ids), s.world.seed.guid(askChange, 1<<24+r.ids)
			si.seen = r.seen(si.at, r.ids)
			r.signIns = append(r.signIns, si)
		}
	}
	if len(r.signIns) == had {
		r.until = now
		return
	}
	slices.SortStableFunc(r.signIns, func(a, b *signIn) int { return a.at.Compare(b.at) })
	r.until = now
}

// homePlace is where a person's office is.
func homePlace(p *person) *story.Place { return story.PlaceOf(p.place.city) }

// officeHours are how far offices' clocks are from UTC; the seasons are left aside.
var officeHours = map[string]time.Duration{"Chicago": -6 * time.Hour, "Leeds": 0, "Singapore": 8 * time.Hour, "Pune": 5*time.Hour + 30*time.Minute}

// awayOf is the office at which somebody works in the week that begins on a day, counted from 1970; nil where it is his own.
func (s *Sim) awayOf(p *person, monday int) *story.Place {
	if j := s.world.seed.at(askSignIn+7000+monday, p.i); j%20 == 0 {
		return story.PlaceOf(places[j>>8%uint64(len(places))].city)
	}
	return nil
}

// dayOf are a person's sign-ins of a day, which begins at midnight UTC.
func (s *Sim) dayOf(p *person, day time.Time) []*signIn {
	w := s.world
	h := w.seed.at(askSignIn+int(day.Unix()/86400), p.i)
	weekend := day.Weekday() == time.Saturday || day.Weekday() == time.Sunday
	if weekend && h%8 != 0 || h%23 == 0 {
		return nil // free, ill
	}
	monday := int(day.AddDate(0, 0, -(int(day.Weekday())+6)%7).Unix() / 86400)
	if weekend && (s.awayOf(p, monday) != nil || s.awayOf(p, monday+7) != nil) {
		return nil // on the way
	}
	home, office := homePlace(p), homePlace(p)
	// One week in twenty somebody works at another office; the journey falls on the weekend.
	if away := s.awayOf(p, monday); away != nil && !weekend {
		office = away
	}
	offset, own := officeHours[office.City]
	if !own {
		offset = time.Hour
	}
	begin := day.Add(8*time.Hour - offset + time.Duration(h>>8%7200)*time.Second)
	ip := func(kind uint64) string { // the office's, the home's, the telephone's
		if office != home && kind == 1 {
			kind = 0 // a hotel shares the office's way out
		}
		switch kind {
		case 0:
			return office.IP
		case 1:
			return fmt.Sprintf("198.19.%d.%d", p.i>>8&255, p.i&255)
		}
		return fmt.Sprintf("%s%d", office.IP[:len(office.IP)-1], 20+h>>16%200)
	}
	base := signIn{kind: "interactive", upn: p.upn(), subject: p.id, display: p.display, place: office, asn: office.ASN, agent: edge, client: "Browser", system: "Windows 11", browser: "Edge 140.0.0",
		error: "0", mfa: "claim", app: "OfficeHome", appID: appIDs["OfficeHome"], resource: "Office 365 Exchange Online", device: fmt.Sprintf("FF-%05d", p.i), compliant: "true",
		session: w.seed.guid(askSignIn, int(day.Unix()/86400)<<20|p.i)}
	var out []*signIn
	add := func(at time.Time, change func(*signIn)) {
		si := base
		si.at = at
		change(&si)
		out = append(out, &si)
	}
	where := h >> 20 % 3 // more often at the office
	at := ip(where / 2)
	if h>>24%15 == 0 { // mistyped once
		add(begin.Add(-time.Minute), func(si *signIn) { si.ip, si.error, si.mfa, si.session = at, "50126", "single", "" })
	}
	add(begin, func(si *signIn) {
		si.ip = at
		if h>>28%4 == 0 {
			si.mfa = "asked"
		}
	})
	for k := range 2 + h>>32%3 {
		add(begin.Add(time.Duration(k+1)*2*time.Hour+time.Duration(h>>34%1800)*time.Second), func(si *signIn) {
			si.ip, si.kind, si.app, si.resource = at, "non_interactive", []string{"Microsoft Office", "Microsoft Teams"}[k%2], []string{"Office 365 Exchange Online", "Microsoft Graph"}[k%2]
			si.appID = appIDs[si.app]
		})
	}
	if h>>40%3 != 0 {
		add(begin.Add(-30*time.Minute), func(si *signIn) {
			si.ip, si.kind, si.app, si.system, si.browser, si.device = ip(2), "non_interactive", "Outlook Mobile", "iOS 18.6", "Mobile Safari", ""
			si.client, si.agent, si.appID, si.compliant, si.session = "Mobile Apps and Desktop clients", "Outlook-iOS/2.0", appIDs["Outlook Mobile"], "", ""
		})
	}
	if h>>44%30 == 0 { // a prompt that was not answered in time, and again
		add(begin.Add(5*time.Hour), func(si *signIn) { si.ip, si.error, si.mfa = at, "500121", "refused" })
		add(begin.Add(5*time.Hour+time.Minute), func(si *signIn) { si.ip, si.mfa = at, "asked" })
	}
	return out
}
