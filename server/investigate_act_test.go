package server

import (
	"slices"
	"testing"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
)

// TestActOnMail: what an investigation found is taken out of mailboxes by the server at work, each message once, and brought back
// to equality.
func TestActOnMail(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		a := &actor{T: t, w: world(t, 60, "# A phish.\n"+crew+`mon 09:00 amy receives from bad@evil.example subject "Invoice"
mon 09:01 bruno receives from bad@evil.example subject "Invoice"
mon 09:02 bruno reads mail "Invoice"
`)}
		a.w.Consent(append(slices.Clone(sim.ReadTier), "Mail.ReadWrite", "MailboxSettings.ReadWrite")...)
		c := settings(t)
		c.Database = address
		a.s = start(t, c, a.w.Client())
		a.conn = join(t, a.s, a.w)
		synced(t, a.s, a.conn.Tenant)
		gc, err := a.s.Connections.Client(t.Context(), a.conn)
		if err != nil {
			t.Fatal(err)
		}
		investigation := tocsin.NewID()
		err = a.s.Store.UpdateTenant(t.Context(), a.conn.Tenant, func(tt *store.Tenant) error {
			if _, err := tt.Exec(t.Context(), `insert into investigation (tenant, id, name, query, created, created_by, changed) values ($1, $2, 'Invoices', 'from:evil.example', 1, 'x', 1)`, investigation); err != nil {
				return err
			}
			for _, who := range []string{"amy", "bruno"} {
				var person tocsin.PersonID
				var object string
				if err := tt.QueryRow(t.Context(), `select person, object_id from person where tenant = $1 and upn = $2`, who+"@"+a.w.Domain()).Scan(&person, &object); err != nil {
					return err
				}
				for m, err := range graph.Pages[graph.Message](t.Context(), gc, "messages.list", graph.P{"user": object}) {
					if err != nil {
						return err
					}
					if m.From == nil || m.From.EmailAddress.Address != "bad@evil.example" {
						continue
					}
					if _, err := tt.Exec(t.Context(), `insert into mail_match (tenant, investigation, person, message, id, address, internet_message_id, conversation, sender, sender_name, sender_domain, subject, received, day, folder, folder_name, found, seen, changed)
						values ($1, $2, $3, $4, $5, $6, '', '', 'bad@evil.example', '', '', 'Invoice', 1, '', '', '', 1, 1, 1)`, investigation, person, m.ID, tocsin.NewID(), who); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		before := a.w.Digest()
		create := api.MailActCreateIn{Body: api.MailActNew{Investigation: investigation, Kind: "quarantine", Why: "A phish."}}
		create.Tenant = a.conn.Tenant
		made, err := a.s.API.CreateMailAct(as(t.Context(), api.Analyst), create)
		if err != nil {
			t.Fatal(err)
		}
		if done := a.actEnds(made.ID); done.State != "done" || done.Counts.Done != 2 || done.Percent != 100 {
			t.Errorf("%+v", done)
		}
		back := api.MailActRestoreIn{Body: api.MailActRestore{Why: "A mistake."}}
		back.Tenant, back.ID = a.conn.Tenant, made.ID
		restored, err := a.s.API.RestoreMailAct(as(t.Context(), api.Analyst), back)
		if err != nil {
			t.Fatal(err)
		}
		if done := a.actEnds(restored.ID); done.State != "done" || done.Counts.Done != 2 {
			t.Errorf("%+v", done)
		}
		for who, digest := range a.w.Digest() {
			if digest != before[who] {
				t.Errorf("the mailbox of %s is not as it was", who)
			}
		}
	})
}

// actEnds waits until an act on mails has ended.
func (a *actor) actEnds(id string) (out api.MailAct) {
	a.Helper()
	in := api.ByID{ID: id}
	in.Tenant = a.conn.Tenant
	eventually(a, "the act", func() string {
		d, err := a.s.API.GetMailAct(as(a.Context(), api.Viewer), in)
		if err != nil {
			a.Fatal(err)
		}
		if out = d.MailAct; !out.State.Ended() {
			return "is " + string(out.State) + " " + out.Because
		}
		return ""
	})
	return out
}
