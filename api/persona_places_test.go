package api_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/learn"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestPersonaPlaces: from where a person signed in is told by day and place in their own zone, what is new is marked, what never
// succeeded is no place of theirs, and what is not read is said, with the reason.
func TestPersonaPlaces(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		settle(t, st, globex)
		jane := string(personOf(acme))
		get := func() api.PersonaPlaces {
			return call[api.Persona](t, s.owner, "personas get", api.ByPerson{In: in(acme), Person: personOf(acme)}).Places
		}
		do := func(tenant tocsin.TenantID, q string, args ...any) {
			t.Helper()
			if err := st.UpdateTenant(t.Context(), tenant, func(tn *store.Tenant) error {
				_, err := tn.Exec(t.Context(), q, args...)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		at := func(tenant tocsin.TenantID, when time.Time, kind, country, city, result string) {
			t.Helper()
			n++
			do(tenant, `insert into sign_in (tenant, id, record, at, seen, kind, person, actor, country, city, result) values ($1, $2, $2, $3, 1, $4, $5, 'jane', $6, $7, $8)`,
				fmt.Sprint("of-places-", n), tocsin.Millis(when), kind, string(personOf(tenant)), country, city, result)
		}

		got := get()
		if len(got.Items) != 0 || got.Items == nil || got.Because != "No connection is there to read sign-ins by." || got.Mend == "" || !strings.HasPrefix(got.Says, "No sign-in of this person that succeeded") {
			t.Errorf("without any: %+v", got)
		}
		do(acme, `insert into capability (tenant, connection, name, state, because, mend, checked) values ($1, $2, 'sign-ins', 'off', 'There is no licence for them.', 'Buy one.', 1)`, connectionOf(acme))
		if got = get(); got.Because != "There is no licence for them." || got.Mend != "Buy one." {
			t.Errorf("without a licence: %+v", got)
		}
		do(acme, `update capability set state = 'works', because = '', mend = '' where tenant = $1 and name = 'sign-ins'`)
		if got = get(); got.Because != "" {
			t.Errorf("where they are read: %+v", got)
		}

		do(acme, `update mailbox set timezone = 'Tokyo Standard Time' where tenant = $1 and person = $2`, jane)
		today := st.Clock().Now().UTC().Truncate(24 * time.Hour)
		ago := func(days, hour int) time.Time {
			return today.AddDate(0, 0, -days).Add(time.Duration(hour) * time.Hour)
		}
		for day := 5; day <= 40; day++ {
			at(acme, ago(day, 8), "interactive", "NL", "Utrecht", "success")
		}
		at(acme, ago(20, 9), "non_interactive", "NL", "Utrecht", "success") // the same day
		at(acme, ago(20, 10), "interactive", "NL", "Utrecht", "failure")
		at(acme, ago(30, 14), "interactive", "NL", "Gouda", "success") // 23:00 in Tokyo
		at(acme, ago(30, 16), "interactive", "NL", "Gouda", "success") // 1:00 of the next day
		at(acme, ago(3, 7), "interactive", "NL", "Delft", "success")
		at(acme, ago(2, 7), "non_interactive", "BR", "", "success")
		at(acme, ago(20, 7), "interactive", "RU", "Omsk", "failure")
		at(acme, ago(20, 7), "interactive", "RU", "Omsk", "interrupted")
		at(acme, ago(19, 7), "interactive", "CN", "", "failure")
		at(acme, ago(10, 7), "interactive", "", "", "success")
		at(acme, ago(95, 7), "interactive", "FR", "Metz", "success")
		at(globex, ago(9, 7), "interactive", "PT", "Faro", "success")
		got = get()
		var lines []string
		sum := 0.0
		for _, x := range got.Items {
			lines = append(lines, fmt.Sprintf("%s/%s %d days, %d of %d, new %v %v", x.City, x.Country, x.Days, x.Succeeded, x.SignIns, x.New, x.NewCountry))
			sum += x.Share
		}
		want := "Utrecht/NL 36 days, 37 of 38, new false false\nGouda/NL 2 days, 2 of 2, new false false\n/BR 1 days, 1 of 1, new true true\nDelft/NL 1 days, 1 of 1, new true false"
		if strings.Join(lines, "\n") != want {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), want)
		}
		if got.Days != 38 || got.Unknown != 1 || got.Failed != 3 || got.FailedPlaces != 2 || got.LeftOut != 0 || math.Abs(sum-40.0/38) > 1e-9 || !got.Since.Equal(ago(40, 8)) {
			t.Errorf("in all: %+v, shares %g", got, sum)
		}
		if x := got.Items[0]; !x.First.Equal(ago(40, 8)) || !x.Last.Equal(ago(5, 8)) {
			t.Errorf("from %v to %v", x.First, x.Last)
		}
		says := "Signed in from 4 places since " + ago(40, 8).Format("2 January 2006") + ": on 36 of 38 days from Utrecht, NL. 2 are new: BR (the country too); Delft, NL. Of 1 more sign-in the place is not told. 3 sign-ins from 2 other places did not succeed."
		if got.Says != says {
			t.Errorf("says\n%s\nwant\n%s", got.Says, says)
		}

		for i := range 40 {
			at(acme, ago(35, 7), "interactive", "DE", fmt.Sprintf("Town %02d", i), "success")
		}
		got = get()
		fresh := 0
		for _, x := range got.Items {
			if x.New {
				fresh++
			}
		}
		if len(got.Items) != 30 || got.LeftOut != 14 || fresh != 2 || got.Items[0].City != "Utrecht" {
			t.Errorf("of 44 places %d are told, %d of them new, %d left out, first %s", len(got.Items), fresh, got.LeftOut, got.Items[0].City)
		}
	})
}

// TestPersonaReplies: how much of what a person sends answers what came shortly before is told as it was learned, and not at all where
// nothing was or learning is off; the settings say of how many people they are.
func TestPersonaReplies(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		get := func() *api.PersonaReplies {
			return call[api.Persona](t, s.owner, "personas get", api.ByPerson{In: in(acme), Person: personOf(acme)}).Replies
		}
		if got := get(); got != nil {
			t.Errorf("of nothing: %+v", got)
		}
		names := learn.NewNames(domainOf(acme))
		m, me, you := learn.New(learn.Options{}), names.Of("jane@"+domainOf(acme)), names.Of("bob@"+domainOf(acme))
		today := int32(st.Clock().Now().Unix() / 86400)
		for day := today - 20; day < today; day++ {
			mail := func(minute int64, from, to *learn.Address) {
				m.Mail(learn.Mail{At: int64(day)*86_400_000 + minute*60_000, From: from, To: []*learn.Address{to}, ID: fmt.Sprint(day, "/", minute)})
			}
			mail(540, you, me)
			mail(629, me, you) // 89 minutes later
			mail(720, me, you)
			mail(780, me, you)
			mail(840, you, me)
			mail(931, me, you) // 91 minutes later
			m.Close(day)
		}
		if err := st.UpdateTenant(t.Context(), acme, func(tn *store.Tenant) error {
			if _, err := tn.Exec(t.Context(), `insert into learned (tenant, shut, fact, began, version) values ($1, $2, 1, $3, 1)`, today-1, today-20); err != nil {
				return err
			}
			_, err := tn.Exec(t.Context(), `insert into learned_part (tenant, kind, key, day, body) values ($1, 'person', $2, $3, $4)`, string(personOf(acme)), today-1, m.Persona(me).State())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		got := get()
		if got == nil || got.Minutes != 90 || math.Abs(got.Share-.25) > .01 || math.Abs(got.Sent-4) > .05 || math.Abs(got.Swift-1) > .05 ||
			got.Says != "25 % of what this person sends goes to somebody who wrote to them in the 90 minutes before: about 1.0 such mails on a day with mail." {
			t.Errorf("one of four: %+v", got)
		}
		settings := call[api.PersonaSettings](t, s.owner, "persona-settings get", in(acme))
		if settings.Says != "For 1 person about 0.03 false alarms a month are expected." {
			t.Errorf("of one: %s", settings.Says)
		}
		set := func(off bool, budget float64) {
			t.Helper()
			settings = call[api.PersonaSettings](t, s.owner, "persona-settings set", api.SetPersonaSettingsIn{In: in(acme), Body: api.PersonaSettingsNew{Off: off, Budget: budget, Version: settings.Version}})
		}
		if set(false, 1); settings.Says != "For 1 person about 1 false alarm a month is expected." {
			t.Errorf("one of one: %s", settings.Says)
		}
		if set(true, 1); settings.People != 0 {
			t.Errorf("%d people are known though learning is off", settings.People)
		}
		if got := get(); got != nil {
			t.Errorf("though learning is off: %+v", got)
		}
		if set(false, 2); settings.Says != "For 100 people about 200 false alarms a month are expected." {
			t.Errorf("of a hundred: %s", settings.Says)
		}
	})
}
