package server

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tocsin.dev/api"
	"tocsin.dev/graph/sim"
	"tocsin.dev/remediate"
)

// TestSessionOutlives: sessions are revoked from here, Microsoft's log of the directory tells of it, and a session from before that is
// let in again two hours later is found, wherever it began.
func TestSessionOutlives(t *testing.T) {
	t.Parallel()
	w := world(t, 20, fromAfar)
	w.Consent(slices.Concat(sim.ReadTier, sim.RespondTier)...)
	c := settings(t)
	c.Every.SignIns = time.Second
	s := start(t, c, w.Client())
	conn := join(t, s, w)
	in := api.In{Tenant: conn.Tenant}
	eventually(t, "the sign-in", func() string {
		got, err := s.API.ListSignIns(as(t.Context(), api.Viewer), api.SignInsIn{In: in})
		if err != nil || len(got.Items) == 0 {
			return fmt.Sprintf("is not there: %v", err)
		}
		return ""
	})
	made, err := s.API.CreateAction(as(t.Context(), api.Owner), api.CreateActionIn{In: in, Body: api.ActionNew{Kind: remediate.RevokeSessions, Person: "amy@fabrikamfreight.com", Why: "Taken over."}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the revocation", func() string {
		d, err := s.API.GetAction(as(t.Context(), api.Viewer), api.ByID{In: in, ID: made.ID})
		if err != nil || !d.State.Ended() {
			return fmt.Sprintf("%s %v", d.State, err)
		}
		return ""
	})
	eventually(t, "the record of it", func() string {
		got, err := s.API.ListAudit(as(t.Context(), api.Viewer), api.AuditIn{In: in, Operation: "Update StsRefreshTokenValidFrom Timestamp"})
		if err != nil || len(got.Items) == 0 {
			return fmt.Sprintf("is not there: %v", err)
		}
		return ""
	})
	w.Advance(2*time.Hour + 5*time.Minute)
	s.Clock.Advance(2*time.Hour + 5*time.Minute)
	play(t, w, "# It lives on.\ndomain fabrikamfreight.com\nperson amy\n"+nowIn(w.Clock().Now(), time.Minute, "amy signs in from 203.0.113.7/NL session=s1 kind=non_interactive mfa=claim"))
	eventually(t, "that the session lives on", func() string {
		if f := findings(t, s, conn.Tenant)["session-outlived-revocation amy@"+w.Domain()]; f.ID == "" {
			return "is not found"
		}
		return ""
	})
}
