package notify_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/notify"
	"tocsin.dev/store"
)

// TestTakeoverIsOneAlert: of a takeover and its parts, filed together, one alert is written; a part that comes later is silent, and
// who does not want to hear of takeovers hears of the parts.
func TestTakeoverIsOneAlert(t *testing.T) {
	onBoth(t, func(b *bed) {
		r := b.receiver(nil)
		b.channel(acme, notify.Webhook, r.URL+"/all", nil)
		b.channel(acme, notify.Webhook, r.URL+"/rule", func(s *notify.Settings) { s.Filter.Rules = []string{"forward-outside"} })
		whole := finding("whole", tocsin.Critical)
		whole.Rule = "account-takeover"
		part := func(id string) {
			b.update(acme, func(t *store.Tenant) error {
				_, err := t.Exec(b.Context(), `insert into attack_story_part (tenant, finding, story) values ($1, $2, 's')`, id)
				return err
			})
			b.found(acme, finding(id, tocsin.High), "raised")
		}
		b.update(acme, func(t *store.Tenant) error {
			_, err := t.Exec(b.Context(), `insert into attack_story (tenant, id, person, who, title, why, severity, severity_rank, score, stage, stages, attack, terms, takeover, began, ended, findings, open, changed)
				values ($1, 's', 'p-jane', 'jane', 't', 'w', 'critical', 4, 100, '', '[]', '[]', '[]', 'whole', 1, 1, 2, 2, 1)`)
			return err
		})
		told := func() string {
			b.fold()
			b.serve()
			b.later(time.Hour)
			var got []string
			for _, g := range r.taken() {
				for _, f := range read(b, g).Data.Findings {
					got = append(got, g.path+" "+f.ID+" "+f.Change)
				}
			}
			slices.Sort(got)
			return strings.Join(got, ", ")
		}
		for _, id := range []string{"a", "b", "c"} {
			part(id)
		}
		b.found(acme, whole, "raised")
		if got, want := told(), "/all whole opened, /rule a opened, /rule b opened, /rule c opened"; got != want {
			b.Errorf("told %s; want %s", got, want)
		}
		part("d")
		if got, want := told(), "/all whole opened, /rule a opened, /rule b opened, /rule c opened, /rule d opened"; got != want {
			b.Errorf("then told %s; want %s", got, want)
		}
		b.found(acme, whole, "fixed")
		part("e")
		if got := told(); !strings.Contains(got, "/all e opened") {
			b.Errorf("after the takeover was settled a new part is told: %s", got)
		}
	})
}
