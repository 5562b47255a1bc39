package api_test

import (
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestInstallationsChannels: a channel of the installation is for those with a role there. What it tells about a tenant
// stands in that tenant's log, without the channel's name for who may not know it, and in no other's.
func TestInstallationsChannels(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		settle(t, st, globex)
		at := func(tenant tocsin.TenantID) api.In { return api.In{Tenant: tenant} }
		made := call[api.Channel](t, s.owner, "channels create", api.CreateChannelIn{In: at(api.Everywhere), Body: api.ChannelNew{Kind: "slack",
			ChannelSettings: api.ChannelSettings{Name: "The NOC of all", Address: "https://hooks.slack.com/services/SECRET", Tenants: []string{string(acme)}}}})
		if made.Tenant != api.Everywhere || made.Address != "https://hooks.slack.com/…" || made.Secret != "" {
			t.Errorf("made: %+v", made)
		}
		err := st.UpdateTenant(t.Context(), api.Everywhere, func(tn *store.Tenant) error {
			for _, about := range []tocsin.TenantID{acme, globex} {
				if _, err := tn.Exec(t.Context(), `insert into alert (tenant, id, channel, about, finding, rule, severity, severity_rank, change, body, at, early, state, message) values ($1, $2, $3, $4, $5, 'forward-outside', 'high', 3, 'opened', '{}', 1, $6, 'sent', 'big')`,
					"of-all-"+string(about), made.ID, string(about), findingOf(about), false); err != nil {
					return err
				}
			}
			_, err := tn.Exec(t.Context(), `insert into alert_try (tenant, message, n, at, outcome) values ($1, 'big', 1, 1, 'taken')`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		c := s.token(api.Owner, string(acme))
		for _, o := range []struct {
			name string
			in   any
		}{{"channels list", api.ListIn{In: at(api.Everywhere)}}, {"channels get", api.ByID{In: at(api.Everywhere), ID: made.ID}}, {"channels test", api.ByID{In: at(api.Everywhere), ID: made.ID}}, {"alerts list", api.AlertsIn{In: at(api.Everywhere)}}, {"snoozes list", api.ListIn{In: at(api.Everywhere)}}} {
			if err := c.Do(t.Context(), o.name, o.in, nil); code(err) != tocsin.Denied {
				t.Errorf("%s of the installation by a tenant's owner: %v", o.name, err)
			}
		}
		if err := c.Do(t.Context(), "channels get", api.ByID{In: at(acme), ID: made.ID}, nil); code(err) != tocsin.NotFound {
			t.Errorf("the installation's channel as one's own: %v", err)
		}
		log := call[api.Page[api.Alert]](t, c, "alerts list", api.AlertsIn{In: at(acme)})
		if log.Total != 2 {
			t.Errorf("the log: %+v", log)
		}
		for _, a := range log.Items {
			if a.Tenant != acme || strings.Contains(a.ChannelName, "NOC") {
				t.Errorf("shown to a tenant's owner: %+v", a)
			}
		}
		if err := c.Do(t.Context(), "alerts tries", api.TriesIn{ByID: api.ByID{In: at(acme), ID: "of-all-" + string(acme)}}, nil); code(err) != tocsin.NotFound {
			t.Errorf("the tries of a message to others as well: %v", err)
		}
		if tries := call[api.Page[api.Try]](t, s.owner, "alerts tries", api.TriesIn{ByID: api.ByID{In: at(acme), ID: "of-all-" + string(acme)}}); len(tries.Items) != 1 {
			t.Errorf("tries: %+v", tries)
		}
		if log = call[api.Page[api.Alert]](t, s.owner, "alerts list", api.AlertsIn{In: at(api.Everywhere), Severity: []tocsin.Severity{tocsin.High}}); log.Total != 2 || log.Items[0].ChannelName != "The NOC of all" || log.Items[0].Title == "" {
			t.Errorf("the installation's log: %+v", log)
		}
		if log = call[api.Page[api.Alert]](t, s.owner, "alerts list", api.AlertsIn{In: at(acme), Channel: made.ID, State: []string{"dead"}}); log.Total != 0 {
			t.Errorf("filtered: %+v", log)
		}
	})
}

// TestChannelEdits: what an edit leaves away stays, what is given is checked; a secret is told once and kept nowhere in the clear.
func TestChannelEdits(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		in := api.In{Tenant: acme}
		from, to := "22:00", "07:00"
		made := call[api.Channel](t, s.owner, "channels create", api.CreateChannelIn{In: in, Body: api.ChannelNew{Kind: "webhook",
			ChannelSettings: api.ChannelSettings{Name: "SIEM", Address: "https://siem.example/path", QuietFrom: &from, QuietTo: &to, QuietZone: "Europe/Berlin", Rules: []string{"forwarding"}}}})
		if !strings.HasPrefix(made.Secret, "whsec_") {
			t.Fatalf("made: %+v", made)
		}
		edited := call[api.Channel](t, s.owner, "channels edit", api.EditChannelIn{ByID: api.ByID{In: in, ID: made.ID}, Body: api.ChannelEdit{Version: 1, ChannelSettings: api.ChannelSettings{Severity: tocsin.Low}}})
		if edited.Severity != tocsin.Low || edited.Name != "SIEM" || edited.QuietFrom != from || edited.QuietZone != "Europe/Berlin" || len(edited.Rules) != 1 || edited.Secret != "" || edited.Version != 2 || edited.Address != "https://siem.example/…" {
			t.Errorf("edited: %+v", edited)
		}
		if err := s.owner.Do(t.Context(), "channels edit", api.EditChannelIn{ByID: api.ByID{In: in, ID: made.ID}, Body: api.ChannelEdit{Version: 1}}, nil); code(err) != tocsin.Conflict {
			t.Errorf("a stale version: %v", err)
		}
		if err := s.owner.Do(t.Context(), "channels edit", api.EditChannelIn{ByID: api.ByID{In: in, ID: made.ID}, Body: api.ChannelEdit{Version: 2, ChannelSettings: api.ChannelSettings{Address: "https://10.0.0.1/"}}}, nil); code(err) != tocsin.Invalid {
			t.Errorf("an address of the inside: %v", err)
		}
		rotated := call[api.Channel](t, s.owner, "channels rotate", api.ByID{In: in, ID: made.ID})
		if rotated.Secret == made.Secret || rotated.OldUntil.IsZero() {
			t.Errorf("rotated: %+v", rotated)
		}
		err := st.View(t.Context(), func(tx *store.Tx) error {
			for _, q := range []string{`select count(*) from request_key where answer like '%whsec%'`, `select count(*) from fact where body like '%whsec%' or body like '%siem.example/path%'`, `select count(*) from channel where address like '%path%'`} {
				var n int
				if err := tx.QueryRow(t.Context(), q).Scan(&n); err != nil || n != 0 {
					t.Errorf("%s: %d, %v", q, n, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
