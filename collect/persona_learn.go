package collect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/learn"
	"tocsin.dev/store"
)

// A Learner learns a tenant's people from the mail that the facts tell of. What it knows of closed days is written when days are
// closed; the mail of open days is kept as it came, in the transaction in which the fact is taken. So each mail is learned once, and
// what is learned is the same whatever dies when. See decision 45.
//
// Several may learn a tenant at once: every write counts a version up, and whoever comes too late begins again from the tables.
type Learner struct {
	st     *store.Store
	tenant tocsin.TenantID
	log    *slog.Logger
	behind func(context.Context) bool // mail waits to be folded; nil where nobody says
	handed *Handed                    // mail that was folded in this process; nil where nobody hands it over

	model    *learn.Model // nil: it is to be read
	names    *learn.Names
	settings LearnSettings
	fact     int64 // taken up to here
	written  int64 // up to which that stands in the tables
	version  int64
	began    int32

	people map[tocsin.PersonID]string // the address under which somebody is learned
	who    map[string]tocsin.PersonID // whose an address is
	zones  map[string]*time.Location  // by the address under which somebody is learned
	called map[string]string          // names of people, by the same
	groups map[string]string          // their departments, by the same
	zone   *time.Location             // of whom none is known
	looked time.Time                  // the open days were looked at; by the system's clock
	took   time.Duration              // that took so long
	since  time.Time                  // what is learned was read; by the system's clock
	fresh  bool                       // mail came since
}

// NewLearner is a learner that has read nothing yet.
func NewLearner(st *store.Store, tenant tocsin.TenantID, log *slog.Logger) *Learner {
	return &Learner{st: st, tenant: tenant, log: log}
}

const (
	learnGrace = time.Hour // after midnight a day stays open for so long, for what comes late
	lookRest   = 50        // open days are looked at for no more than a fiftieth of the time
	learnRows  = 500       // that are written in one transaction
	youngDays  = 10        // of a tenant that is known for fewer nothing is told
	youngSent  = 5         // nor of a person with fewer days with mail
	learnFacts = 500       // that are read at once

	standBack = time.Minute // at most, between two portions, while mail waits to be folded
)

// KeepLearning learns a tenant's people as their mail comes, until ctx ends. It rests twenty times as long as it works, so that what comes fast is written together, and stands
// back while behind says that mail waits to be folded: whoever looks for a mail wants it at once, what is usual has time.
func KeepLearning(ctx context.Context, st *store.Store, tenant tocsin.TenantID, handed *Handed, behind func(context.Context) bool, log *slog.Logger) error {
	l := NewLearner(st, tenant, log)
	l.handed, l.behind = handed, behind
	for ctx.Err() == nil {
		news, began := st.Appended(), time.Now()
		rest := 2 * time.Second // what another replica wrote, and a day's end
		if err := l.Round(ctx); err != nil && ctx.Err() == nil {
			log.Error("what is usual for people is not learned; it is tried again", "tenant", tenant, "error", err)
			news, rest = nil, 10*time.Second
		}
		if l.since.After(began) { // reading what is learned is not what a round costs
			began = l.since
		}
		restFor(ctx, max(200*time.Millisecond, min(20*time.Since(began), 10*time.Second)))
		timer := time.NewTimer(rest)
		select {
		case <-ctx.Done():
		case <-news:
		case <-timer.C:
		}
		timer.Stop()
	}
	return ctx.Err()
}

func restFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Round takes in all mail that is told of, closes the days that are over, and looks at those that are not.
func (l *Learner) Round(ctx context.Context) error {
	err := l.round(ctx)
	if err != nil {
		l.model = nil // what was learned without being written is read again
		if errors.Is(err, store.ErrLost) {
			return nil
		}
	}
	return err
}

func (l *Learner) round(ctx context.Context) error {
	off, err := l.ready(ctx)
	if err != nil || off {
		return err
	}
	for ctx.Err() == nil {
		began := time.Now()
		more, err := l.take(ctx)
		if err != nil {
			return fmt.Errorf("take mail in: %w", err)
		}
		if !more {
			break
		}
		restFor(ctx, min(3*time.Since(began), 3*time.Second))
		for rested := time.Duration(0); rested < standBack && l.behind != nil && l.behind(ctx); rested += standBack / 60 {
			restFor(ctx, standBack/60) // this is made up for when there is less
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if over := l.over(); over > l.model.Shut() {
		if err := l.close(ctx, over); err != nil {
			return fmt.Errorf("close days: %w", err)
		}
	}
	if err := l.early(ctx); err != nil {
		return fmt.Errorf("look at open days: %w", err)
	}
	return nil
}

// ready reads the settings, and what is learned where that is to be read; off says that nothing is to be learned.
func (l *Learner) ready(ctx context.Context) (off bool, err error) {
	var is LearnSettings
	known := false
	err = l.st.ViewTenant(ctx, l.tenant, func(t *store.Tenant) (err error) {
		var one int
		err = t.QueryRow(ctx, `select 1 from tenant where tenant = $1`).Scan(&one)
		if known = err == nil; errors.Is(err, store.ErrNone) {
			return nil
		}
		if err == nil {
			is, err = LearnSettingsOf(ctx, t)
		}
		return err
	})
	if err != nil || !known {
		l.model = nil
		return true, err
	}
	if is.Off {
		l.model = nil
		return true, l.forget(ctx)
	}
	if l.model != nil && is.Version == l.settings.Version {
		return false, nil
	}
	l.settings, l.model = is, nil
	return false, l.read(ctx)
}

// read reads what is learned from the tables; where nothing is, it is learned from the mail in them.
func (l *Learner) read(ctx context.Context) error {
	anew := false
	err := l.st.ViewTenant(ctx, l.tenant, func(t *store.Tenant) error {
		anew = false
		l.names, l.people = learn.NewNames(), map[tocsin.PersonID]string{}
		if err := l.directory(ctx, t); err != nil {
			return err
		}
		m := l.fresher()
		var shut int32
		err := t.QueryRow(ctx, `select shut, fact, began, version from learned where tenant = $1`).Scan(&shut, &l.fact, &l.began, &l.version)
		if errors.Is(err, store.ErrNone) {
			anew = true
			return nil
		}
		if err != nil {
			return err
		}
		if shut < 0 { // it was begun, and broken off
			anew = true
			return nil
		}
		err = l.parts(ctx, t, m, shut)
		if errors.Is(err, learn.ErrForm) {
			anew = true
			return nil
		}
		if err != nil {
			return err
		}
		l.model, l.written = m, l.fact
		if err := l.directory(ctx, t); err != nil { // again: by now it is known under which addresses people are learned
			return err
		}
		return l.openDays(ctx, t)
	})
	if err != nil {
		l.model = nil
		return fmt.Errorf("read what is learned: %w", err)
	}
	l.looked, l.fresh = time.Time{}, true
	if anew {
		if err := l.history(ctx); err != nil {
			return fmt.Errorf("learn what is stored: %w", err)
		}
	}
	l.since = time.Now()
	return nil
}

func (l *Learner) fresher() *learn.Model {
	return learn.New(learn.Options{Budget: l.settings.Budget, Named: func(a *learn.Address) string { return cmp.Or(l.called[a.Name], a.Name) },
		Zone: func(a *learn.Address) *time.Location {
			if z := l.zones[a.Name]; z != nil {
				return z
			}
			return l.zone
		},
		Group: func(a *learn.Address) string { return l.groups[a.Name] },
		Own: func(a, who *learn.Address) bool {
			return detect.FreeMail(a.Name) && detect.OwnName(a.Name, who.Name, l.called[who.Name])
		},
		Alike: detect.Alike})
}

// directory reads who is there: names, addresses, time zones and the organisation's domains. Somebody is learned under one address
// for ever, whatever becomes of it in the directory.
func (l *Learner) directory(ctx context.Context, t *store.Tenant) error {
	org, err := loadOrg(ctx, t)
	if err != nil {
		return err
	}
	for d := range org.Domains {
		l.names.Domains[d] = true
	}
	l.who, l.zones, l.called, l.groups = map[string]tocsin.PersonID{}, map[string]*time.Location{}, map[string]string{}, map[string]string{}
	if err := each(ctx, t, func(scan func(...any) error) error {
		var person tocsin.PersonID
		var address, name, zone, group string
		if err := scan(&person, &address, &name, &zone, &group); err != nil {
			return err
		}
		as := l.people[person]
		if as == "" {
			if as = tocsin.CanonicalAddress(address); as == "" {
				return nil
			}
			l.people[person] = as
		}
		l.who[as] = person
		l.called[as], l.groups[as] = cmp.Or(name, as), group
		if z := tocsin.Zone(zone); z != nil {
			l.zones[as] = z
		}
		return nil
	}, `select p.person, case when p.mail <> '' then p.mail else p.upn end, p.name, coalesce(m.timezone, ''), p.department from person p
		left join mailbox m on m.tenant = p.tenant and m.person = p.person where p.tenant = $1 order by p.person`); err != nil {
		return err
	}
	if l.zone, err = UsualZone(ctx, t); err != nil {
		return err
	}
	return each(ctx, t, func(scan func(...any) error) error {
		var address string
		var person tocsin.PersonID
		if err := scan(&address, &person); err != nil {
			return err
		}
		if _, taken := l.who[address]; !taken && l.people[person] != "" {
			l.who[address] = person
		}
		return nil
	}, `select address, person from person_address where tenant = $1 order by address, person`)
}

// UsualZone is the time zone of most of a tenant's mailboxes, in which people are learned whose own is not known: UTC where none is.
func UsualZone(ctx context.Context, t *store.Tenant) (*time.Location, error) {
	usual, most := time.UTC, 0
	err := each(ctx, t, func(scan func(...any) error) error {
		var name string
		var n int
		err := scan(&name, &n)
		if z := tocsin.Zone(name); z != nil && n > most {
			usual, most = z, n
		}
		return err
	}, `select timezone, count(*) from mailbox where tenant = $1 and timezone <> '' group by timezone order by timezone`)
	return usual, err
}

// named is the address under which whoever has that one is learned.
func (l *Learner) named(address string) *learn.Address {
	if person, ok := l.who[address]; ok {
		address = cmp.Or(l.people[person], address)
	}
	return l.names.Of(address)
}

// key is under which a persona is kept: a person's id, or the address of what is no person (a group, say).
func (l *Learner) key(a *learn.Address) string { return cmp.Or(string(l.who[a.Name]), "@"+a.Name) }

func (l *Learner) parts(ctx context.Context, t *store.Tenant, m *learn.Model, shut int32) error {
	var state []byte
	if err := each(ctx, t, func(scan func(...any) error) error {
		var piece []byte
		err := scan(&piece)
		state = append(state, piece...)
		return err
	}, `select body from learned_part where tenant = $1 and kind = 'tenant' and day = $2 order by key`, shut); err != nil {
		return err
	}
	if err := m.Restore(state, l.names); err != nil {
		return err
	}
	last, body := "", []byte(nil)
	adopt := func() error {
		if last == "" {
			return nil
		}
		p, err := learn.ReadPersona(body, l.names)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(last, "@") {
			l.people[tocsin.PersonID(last)] = p.Of.Name
		}
		m.Adopt(p)
		return nil
	}
	if err := each(ctx, t, func(scan func(...any) error) error {
		var key string
		var b []byte
		if err := scan(&key, &b); err != nil {
			return err
		}
		if key != last {
			if err := adopt(); err != nil {
				return err
			}
		}
		last, body = key, b
		return nil
	}, `select key, body from learned_part where tenant = $1 and kind = 'person' and day <= $2 order by key, day`, shut); err != nil {
		return err
	}
	return adopt()
}

// openDays takes in again what came of days that are not closed.
func (l *Learner) openDays(ctx context.Context, t *store.Tenant) error {
	return each(ctx, t, func(scan func(...any) error) error {
		var shut int32
		var body []byte
		if err := scan(&shut, &body); err != nil {
			return err
		}
		var list []heldMail
		if err := json.Unmarshal(body, &list); err != nil {
			return fmt.Errorf("the mail of open days: %w", err)
		}
		for i := range list {
			l.again(&list[i], shut)
		}
		return nil
	}, `select shut, body from learned_open where tenant = $1 and last > $2 order by fact, part`, l.model.Shut())
}

func (l *Learner) again(h *heldMail, shut int32) {
	if h.Rule != nil {
		l.model.RuleAgain(l.ruleOf(h), shut)
		return
	}
	l.model.Again(l.mailOf(h), shut)
}

func (l *Learner) ruleOf(h *heldMail) learn.Rule {
	return learn.Rule{At: h.At, Who: l.names.Of(h.From), Outside: h.Rule.Outside, Deletes: h.Rule.Deletes, Hide: h.Rule.Hides, ID: h.Event}
}

func (l *Learner) mailOf(h *heldMail) learn.Mail {
	m := learn.Mail{At: h.At, From: l.names.Of(h.From), Files: h.Files, ID: h.Event, To: make([]*learn.Address, len(h.To))}
	for i, a := range h.To {
		m.To[i] = l.names.Of(a)
	}
	return m
}

// settle puts in the place of each address the one under which its person is learned, and leaves out what is no mail to learn from:
// what one of the organisation sent another is learned from where it was sent.
func (l *Learner) settle(list []heldMail) []heldMail {
	out, now := list[:0], l.st.Clock().Now()
	for _, h := range list {
		if h.At > tocsin.Millis(now.AddDate(0, 0, 1)) { // a wrong clock, or an import: a day to come would be closed before it came
			h.At = tocsin.Millis(now)
		}
		if h.Rule != nil {
			if h.From = l.people[h.Person]; h.From != "" {
				out = append(out, h)
			}
			continue
		}
		mine := l.people[h.Person]
		if mine == "" {
			continue
		}
		if h.Sent {
			h.From = mine
			var to []string
			for _, a := range h.To {
				if is := l.named(a).Name; is != mine && !slices.Contains(to, is) {
					to = append(to, is)
				}
			}
			if h.To = to; len(to) == 0 {
				continue
			}
		} else {
			from := l.named(h.From)
			if from.Inside || from.Name == mine {
				continue
			}
			h.From, h.To = from.Name, []string{mine}
		}
		out = append(out, h)
	}
	return out
}

// take takes in what the next facts tell of; more says that there may be further ones.
func (l *Learner) take(ctx context.Context) (more bool, err error) {
	facts, err := l.st.TenantFacts(ctx, l.tenant, l.fact, learnFacts)
	if err != nil || len(facts) == 0 {
		return false, err
	}
	full := len(facts)
	facts = l.portion(facts)
	more = full == learnFacts || len(facts) < full
	last := facts[len(facts)-1].N
	var list []heldMail
	err = l.st.ViewTenant(ctx, l.tenant, func(t *store.Tenant) error {
		list, err = l.gather(ctx, t, facts)
		return err
	})
	if err != nil {
		return false, err
	}
	if len(list) == 0 {
		// Facts that tell of no mail are passed by; that is written with the next that do, and seldom by itself.
		if last-l.written < 5*learnFacts {
			l.fact = last
			return more, nil
		}
	}
	c := contacts{}
	for i := range list {
		c.add(l, &list[i])
	}
	shut := l.model.Shut()
	if err := l.st.UpdateTenant(store.Patient(ctx), l.tenant, func(t *store.Tenant) error {
		if err := l.claim(ctx, t, shut, last); err != nil {
			return err
		}
		if err := l.keepOpen(ctx, t, list, last, shut); err != nil {
			return err
		}
		return c.write(ctx, t)
	}); err != nil {
		return false, err
	}
	l.version++
	l.fact, l.written = last, last
	for i := range list {
		h := &list[i]
		if h.Rule != nil {
			l.model.Rule(l.ruleOf(h))
		} else {
			l.model.Mail(l.mailOf(h))
		}
	}
	l.fresh = l.fresh || len(list) > 0
	return more, nil
}
