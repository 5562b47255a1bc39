package collect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// How silence is judged. What comes is counted by whole hours of UTC; which hour of the week that is, a mailbox's time zone says.
const (
	hour         = int64(time.Hour / time.Millisecond)
	hoursOfWeek  = 7 * 24
	silentMost   = 48 * hour // so far back a silence is judged
	learnAfter   = 48 * hour // an hour is learned when it is so old: what was late has come
	learnedWeeks = 8         // about so many weeks are remembered
	weeksEnough  = 2         // so often an hour of the week must have been seen before it counts
	silentLong   = 14 * 24 * hour
)

// Improbable is the probability below which a silence is one, where no other is set.
const Improbable = 1e-6

// usual is how many messages come to a mailbox in each hour of the week: the mean of the last weeks, and how many those were.
type usual struct {
	Rate []float64 `json:"rate,omitempty"`
	Seen []int     `json:"seen,omitempty"`
	Zone string    `json:"zone,omitempty"` // by which the hours are told apart; empty: UTC
}

// zone is that of the hours.
func (u *usual) zone() *time.Location {
	if z := tocsin.Zone(u.Zone); z != nil {
		return z
	}
	return time.UTC
}

// slot is the hour of the week, from Thursday 0:00 on, in a zone.
func slot(at int64, zone *time.Location) int {
	if zone != time.UTC {
		_, ahead := time.UnixMilli(at).In(zone).Zone()
		at += int64(ahead) * 1000
	}
	return int(at / hour % hoursOfWeek)
}

// into counts by the hours of another zone from at on: what was usual at a moment stays usual at that moment. It says whether
// that is another.
func (u *usual) into(zone string, at int64) bool {
	if u.Zone == zone {
		return false
	}
	old := *u
	u.Zone, u.Rate, u.Seen = zone, nil, nil
	if len(old.Rate) != hoursOfWeek || len(old.Seen) != hoursOfWeek {
		return true
	}
	was, is := old.zone(), u.zone()
	u.Rate, u.Seen = make([]float64, hoursOfWeek), make([]int, hoursOfWeek)
	for h := range int64(hoursOfWeek) {
		from, to := slot(at+h*hour, was), slot(at+h*hour, is)
		u.Rate[to], u.Seen[to] = old.Rate[from], old.Seen[from]
	}
	return true
}

// learn takes in how many messages came in an hour. Of an hour that comes twice, when the clocks go back, the first counts.
func (u *usual) learn(at int64, n int) {
	if len(u.Rate) != hoursOfWeek || len(u.Seen) != hoursOfWeek {
		u.Rate, u.Seen = make([]float64, hoursOfWeek), make([]int, hoursOfWeek)
	}
	zone := u.zone()
	k := slot(at, zone)
	if k == slot(at-hour, zone) {
		return
	}
	u.Seen[k] = min(u.Seen[k]+1, learnedWeeks)
	u.Rate[k] = math.Round((u.Rate[k]+(float64(n)-u.Rate[k])/float64(u.Seen[k]))*100) / 100
}

// in is how many messages are usual in an hour; 0 where that is not known yet.
func (u *usual) in(at int64) float64 {
	return u.at(slot(at, u.zone()))
}

// at is how many are usual in an hour of the week.
func (u *usual) at(k int) float64 {
	if k >= len(u.Rate) || k >= len(u.Seen) || u.Seen[k] < weeksEnough {
		return 0
	}
	return u.Rate[k]
}

// expect is how many messages are usual from one hour to another.
func (u *usual) expect(from, to int64) (n float64) {
	zone := u.zone()
	for at := from; at < to; at += hour {
		n += u.at(slot(at, zone))
	}
	return n
}

// sumsByZone is what is usual for many mailboxes, by their zones.
type sumsByZone map[*time.Location]*[hoursOfWeek]float64

func (w sumsByZone) add(u *usual) {
	zone := u.zone()
	if w[zone] == nil {
		w[zone] = &[hoursOfWeek]float64{}
	}
	for k := range hoursOfWeek {
		w[zone][k] += u.at(k)
	}
}

// in is how many messages are usual for all of them in an hour.
func (w sumsByZone) in(at int64) (n float64) {
	for zone, sum := range w {
		n += sum[slot(at, zone)]
	}
	return n
}

// hush is a mailbox to which nothing came since a time, though it should have. The whole tenant has no person.
type hush struct {
	person   tocsin.PersonID
	began    int64
	expected float64
}

// expected is what should have come to a mailbox.
type expected struct {
	heard int64   // when the hour ended in which it got its last message
	began int64   // since when nothing came, as far back as is judged
	own   float64 // what is usual since then
	whole float64 // what is usual since anything came to any of them
}

// hark is what should have come to whom. Of each mailbox it keeps a few numbers, and not what is usual for it: there may be a
// hundred thousand.
type hark struct {
	end, last int64         // the last hour's end, and when the hour ended in which anything came
	all       map[int64]int // how many came to all of them, by hour
	sums      sumsByZone
	boxes     map[tocsin.PersonID]expected
}

func newHark(all map[int64]int, now int64) *hark {
	k := &hark{end: now / hour * hour, all: all, sums: sumsByZone{}, boxes: map[tocsin.PersonID]expected{}}
	for at, n := range all {
		if n > 0 {
			k.last = max(k.last, at+hour)
		}
	}
	return k
}

// from is since when a silence is judged that began when something was heard.
func (k *hark) from(heard int64) int64 { return max(heard, k.end-silentMost) }

// take takes in what is usual for a mailbox, and when the hour ended in which it got its last message.
func (k *hark) take(person tocsin.PersonID, u *usual, heard int64) {
	k.sums.add(u)
	began := k.from(heard)
	k.boxes[person] = expected{heard: heard, began: began, own: u.expect(began, k.end), whole: u.expect(k.from(k.last), k.end)}
}

// quiet judges who is silent. Where the others get less than usual, so does a mailbox: of a holiday nobody is told, unless it is
// as quiet as no holiday is.
func (k *hark) quiet(below float64) (out []hush) {
	whole := map[int64]float64{}
	for at := k.end - silentMost; at < k.end; at += hour {
		whole[at] = k.sums.in(at)
	}
	n := 0.0
	for at := k.from(k.last); at < k.end; at += hour {
		n += whole[at]
	}
	if math.Exp(-n) < below {
		return []hush{{began: k.from(k.last), expected: n}} // then it says nothing of one of them
	}
	for _, person := range sortedKeys(k.boxes) {
		is := k.boxes[person]
		own := is.own
		if math.Exp(-own) >= below {
			continue
		}
		came, others := 0.0, -own
		for at := is.began; at < k.end; at += hour {
			came += float64(k.all[at])
			others += whole[at]
		}
		if others >= 10 { // of fewer nobody can say whether they are less than usual
			own *= min(1, came/others)
		}
		if math.Exp(-own) < below {
			out = append(out, hush{person: person, began: is.began, expected: own})
		}
	}
	return out
}

// askSilence learns how many messages are usual, and sees to whom none come that should.
func (c *Collector) askSilence(ctx context.Context) error {
	if c.Improbable < 0 {
		return errNothing
	}
	if err := c.settled(ctx); err != nil { // what is under way is not lost
		return err
	}
	now := tocsin.Millis(c.Store.Clock().Now())
	k, err := c.listenTo(ctx, now)
	if err != nil {
		return err
	}
	below := c.Improbable
	if below == 0 {
		below = Improbable
	}
	found := k.quiet(below)
	still, err := c.silencesEnded(ctx, k, now)
	if err != nil {
		return err
	}
	open, err := c.withGaps(ctx)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(h hush) bool { return still[h.person] || open[h.person] || h.person == "" && len(open) > 0 }) // it is known, or being seen to

	var failed error // of one mailbox, which says nothing of the others
	for i := range found[:min(len(found), asksAtMost)] {
		err := c.silent(ctx, &found[i], k, now)
		if err != nil && (ctx.Err() != nil || stops(err)) {
			return err
		}
		if err != nil {
			failed = err
		}
	}
	return failed
}

// withGaps are the mailboxes that are being caught up on, and not tried again and again in vain.
func (c *Collector) withGaps(ctx context.Context) (map[tocsin.PersonID]bool, error) {
	open := map[tocsin.PersonID]bool{}
	return open, c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		clear(open)
		return each(ctx, t, func(scan func(...any) error) error {
			var person tocsin.PersonID
			err := scan(&person)
			open[person] = true
			return err
		}, `select distinct person from mail_gap where tenant = $1 and closed = 0 and tries < 3`)
	})
}

// listenTo learns what is old enough, and gives what should have come to whom.
func (c *Collector) listenTo(ctx context.Context, now int64) (*hark, error) {
	all := map[int64]int{}
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error { // before what is learned is dropped from it
		clear(all)
		return each(ctx, t, func(scan func(...any) error) error {
			var at int64
			var n int
			err := scan(&at, &n)
			all[at] = n
			return err
		}, `select hour, sum(n) from mail_hour where tenant = $1 group by hour`)
	})
	if err != nil {
		return nil, err
	}
	k := newHark(all, now)
	return k, c.learnUsual(ctx, now, k.take)
}

// learnUsual learns what is old enough, and gives take what is usual for each mailbox that is told of, and when the hour ended in
// which it got its last message.
func (c *Collector) learnUsual(ctx context.Context, now int64, take func(tocsin.PersonID, *usual, int64)) error {
	zone, err := c.tenantZone(ctx)
	if err != nil {
		return err
	}
	for after := tocsin.PersonID(""); ; {
		var some []learning
		err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) (err error) {
			some, err = toLearn(ctx, t, after, zone, now)
			return err
		})
		if err != nil || len(some) == 0 {
			return err
		}
		if err := c.learnSome(ctx, some, now); err != nil {
			return err
		}
		for i := range some {
			l := &some[i]
			take(l.person, &l.usual, max(l.heard, (l.since+hour-1)/hour*hour))
			after = l.person
		}
	}
}

// tenantZone is the time zone in which most mailboxes are: that of those which have none that is known.
func (c *Collector) tenantZone(ctx context.Context) (zone string, err error) {
	return zone, c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		zone = ""
		return each(ctx, t, func(scan func(...any) error) error {
			var name string
			var n int
			err := scan(&name, &n)
			if zone == "" && tocsin.Zone(name) != nil {
				zone = name
			}
			return err
		}, `select timezone, count(*) from mailbox where tenant = $1 and timezone <> '' group by timezone order by 2 desc, 1`)
	})
}

// learning is a mailbox of which is learned.
type learning struct {
	person                tocsin.PersonID
	since, learned, heard int64
	open                  int // gaps and silences: what came then is not what is usual
	usual                 usual
	moved                 bool // into another time zone
	came                  map[int64]int
}

// toLearn are the next mailboxes of which is learned. zone is that of those whose own is not known.
func toLearn(ctx context.Context, t *store.Tenant, after tocsin.PersonID, zone string, now int64) ([]learning, error) {
	var some []learning
	at := map[tocsin.PersonID]int{}
	err := each(ctx, t, func(scan func(...any) error) error {
		l := learning{came: map[int64]int{}}
		var weeks, own string
		if err := scan(&l.person, &l.since, &weeks, &l.learned, &l.heard, &l.open, &own); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(weeks), &l.usual); err != nil {
			return fmt.Errorf("what is usual for %s: %w", l.person, err)
		}
		if tocsin.Zone(own) == nil {
			own = zone
		}
		l.moved = l.usual.into(own, now)
		at[l.person] = len(some)
		some = append(some, l)
		return nil
	}, `select l.person, l.since, coalesce(u.weeks, '{}'), coalesce(u.learned, 0), coalesce(u.heard, 0),
			(select count(*) from mail_gap g where g.tenant = l.tenant and g.person = l.person and g.closed = 0)
			+ (select count(*) from silence s where s.tenant = l.tenant and s.ended = 0 and s.person in (l.person, '')), coalesce(b.timezone, '')
		from mail_ledger l join subscription s on s.tenant = l.tenant and s.person = l.person and s.state = 'on'
		left join mail_usual u on u.tenant = l.tenant and u.person = l.person left join mailbox b on b.tenant = l.tenant and b.person = l.person
		where l.tenant = $1 and l.since > 0 and l.person > $2 order by l.person limit 400`, string(after))
	if err != nil || len(some) == 0 {
		return nil, err
	}
	args := make([]any, len(some))
	for i := range some {
		args[i] = string(some[i].person)
	}
	return some, each(ctx, t, func(scan func(...any) error) error {
		var person tocsin.PersonID
		var when int64
		var n int
		err := scan(&person, &when, &n)
		l := &some[at[person]]
		l.came[when], l.heard = n, max(l.heard, when+hour)
		return err
	}, `select person, hour, n from mail_hour where tenant = $1 and person in (`+store.In(len(some), 2)+`)`, args...)
}

// learnSome learns a day or more at once of each mailbox, so that its row is seldom written; most rounds write nothing. What
// came late between the look and the writing is not learned.
func (c *Collector) learnSome(ctx context.Context, some []learning, now int64) error {
	var rows [][]any
	until := (now - learnAfter) / hour * hour
	for i := range some {
		l := &some[i]
		from := max(l.learned, (l.since+hour-1)/hour*hour)
		to := until
		switch {
		case until-from < 24*hour, l.open > 0 && until-from <= 9*24*hour: // nothing yet
			if to = l.learned; !l.moved || len(l.usual.Rate) == 0 {
				continue
			}
		case until-from > 9*24*hour: // so long a time was not watched as it should have been
		default:
			for at := from; at < until; at += hour {
				l.usual.learn(at, l.came[at])
			}
		}
		weeks, err := encode(&l.usual)
		if err != nil {
			return err
		}
		rows = append(rows, []any{string(l.person), string(weeks), to, l.heard})
	}
	if len(rows) == 0 {
		return nil
	}
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		for _, r := range rows {
			if _, err := t.Exec(ctx, `delete from mail_hour where tenant = $1 and person = $2 and hour < $3`, r[0], r[2]); err != nil {
				return err
			}
		}
		return t.Insert(ctx, store.Into{Table: "mail_usual", Key: []string{"person"}, Columns: []string{"person", "weeks", "learned", "heard"}}, rows)
	})
}

// silencesEnded ends the silences that are over, and gives whose are known and last.
func (c *Collector) silencesEnded(ctx context.Context, k *hark, now int64) (map[tocsin.PersonID]bool, error) {
	still := map[tocsin.PersonID]bool{}
	return still, c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		clear(still)
		over := map[tocsin.PersonID]int64{}
		err := each(ctx, t, func(scan func(...any) error) error {
			var person tocsin.PersonID
			var began int64
			err := scan(&person, &began)
			box, watched := k.boxes[person]
			last := box.heard
			if person == "" {
				last, watched = k.last, true
			}
			if last > began || !watched || now-began > silentLong {
				over[person] = began
			} else {
				still[person] = true
			}
			return err
		}, `select person, began from silence where tenant = $1 and ended = 0`)
		if err != nil || len(over) == 0 {
			return err
		}
		for person, began := range over {
			if _, err := t.Exec(ctx, `update silence set ended = $4 where tenant = $1 and person = $2 and began = $3`, string(person), began, now); err != nil {
				return err
			}
		}
		return t.Append(ctx, store.Fact{Kind: "silence.changed"})
	})
}

// asksAtMost is how many mailboxes are looked at in a round because they are silent, and how many of a tenant that is.
const (
	asksAtMost = 200
	asksOfAll  = 5
)

// silent looks whether a mailbox is silent in truth. Where something had come, the subscription is lost, and is made anew:
// that opens the gap. Otherwise somebody has to know.
func (c *Collector) silent(ctx context.Context, h *hush, k *hark, now int64) error {
	people := []tocsin.PersonID{h.person}
	if h.person == "" { // then those are looked at to whom most would have come
		people = sortedKeys(k.boxes)
		slices.SortStableFunc(people, func(a, b tocsin.PersonID) int { return cmp.Compare(k.boxes[b].whole, k.boxes[a].whole) })
		people = people[:min(len(people), asksOfAll)]
	}
	lost, failed := false, error(nil)
	for _, person := range people {
		had, err := c.toldOfAll(ctx, person, h.began, now)
		if err != nil && (ctx.Err() != nil || stops(err) || len(people) == 1) {
			return err
		}
		if err != nil {
			failed = err
			continue
		}
		if had {
			continue
		}
		lost = true
		if err := c.lostSubscription(ctx, person, h, now); err != nil {
			return err
		}
	}
	if lost && h.person == "" { // if some are lost without a word, all may be
		return c.lostSubscription(ctx, "", h, now)
	}
	if lost || failed != nil { // where one could not be asked it is not certain that nothing came
		return failed
	}
	return c.noteSilence(ctx, h, now, false)
}

// toldOfAll says whether all that is in a mailbox and came since a time is held; what came in the last minutes may be under
// way.
func (c *Collector) toldOfAll(ctx context.Context, person tocsin.PersonID, since, now int64) (bool, error) {
	var object string
	from := since
	held := map[string]bool{}
	err := c.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		clear(held)
		var watched int64
		if err := t.QueryRow(ctx, `select p.object_id, l.since from person p join mail_ledger l on l.tenant = p.tenant and l.person = p.person
			where p.tenant = $1 and p.person = $2`, string(person)).Scan(&object, &watched); err != nil {
			return err
		}
		from = max(since, watched)
		return each(ctx, t, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			held[id] = true
			return err
		}, `select native from mail where tenant = $1 and person = $2 and received >= $3`, string(person), from-hour)
	})
	if err != nil {
		return false, err
	}
	at := func(ms int64) string { return tocsin.FromMillis(ms).UTC().Format(time.RFC3339) }
	p := graph.P{"user": object, "$filter": "receivedDateTime ge " + at(from) + " and receivedDateTime lt " + at(now-underWay.Milliseconds())}
	for m, err := range graph.Pages[graph.Message](ctx, c.Graph, "messages.ids", p) {
		if _, none := errors.AsType[*graph.NoMailbox](err); none {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if !held[m.ID] {
			return false, nil
		}
	}
	return true, nil
}

// underWay is how long a notification may be on its way.
const underWay = 10 * time.Minute

// lostSubscription lets the subscription of a mailbox (of all, where there is no person) be ended and made anew, and notes
// why. Making it anew opens the gap.
func (c *Collector) lostSubscription(ctx context.Context, person tocsin.PersonID, h *hush, now int64) error {
	err := c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		if person != "" {
			if err := openGap(ctx, t, person, h.began, now, "Mail came, and Microsoft Graph did not tell: the subscription was lost."); err != nil {
				return err
			}
		}
		if _, err := t.Exec(ctx, `update subscription set signal = 'subscriptionRemoved', address = 'lost', due = 0 where tenant = $1 and state = 'on' and (person = $2 or cast($2 as text) = '')`, string(person)); err != nil {
			return err
		}
		_, err := t.Exec(ctx, `update source set due = 0 where tenant = $1 and name = 'subscriptions'`)
		return err
	})
	if err != nil {
		return err
	}
	return c.noteSilence(ctx, &hush{person: person, began: h.began, expected: h.expected}, now, true)
}

// noteSilence writes a silence down; one that was only ours is over at once.
func (c *Collector) noteSilence(ctx context.Context, h *hush, now int64, lost bool) error {
	ended := int64(0)
	if lost {
		ended = now
	}
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		if _, err := t.Exec(ctx, `insert into silence (tenant, person, began, found, expected, lost, ended) values ($1, $2, $3, $4, $5, $6, $7)
			on conflict (tenant, person, began) do update set found = excluded.found, expected = excluded.expected, lost = excluded.lost, ended = excluded.ended`,
			string(h.person), h.began, now, int64(h.expected*1000), lost, ended); err != nil {
			return err
		}
		return t.Append(ctx, store.Fact{Kind: "silence.changed", Subject: string(h.person), Person: string(h.person)})
	})
}

// hourOf is a message that came to a mailbox in an hour.
type hourOf struct {
	person tocsin.PersonID
	at     int64
}

// counted adds to the hours what came in them.
func (f *mailFold) counted(ctx context.Context) error {
	keys := slices.SortedFunc(maps.Keys(f.means.hours), func(a, b hourOf) int { return cmp.Or(cmp.Compare(a.person, b.person), cmp.Compare(a.at, b.at)) })
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = []any{string(k.person), k.at, f.means.hours[k]}
	}
	return upsert(ctx, f.t, "mail_hour", "person hour n", rows, "on conflict (tenant, person, hour) do update set n = mail_hour.n + excluded.n")
}
