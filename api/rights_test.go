package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/collect"
	"tocsin.dev/detect"
	"tocsin.dev/journal"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/stream"
)

// fold folds items of one kind, as the reader does, and what follows the facts.
func fold(t testing.TB, st *store.Store, tenant tocsin.TenantID, kind string, person tocsin.PersonID, body any) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	it := journal.Item{Tenant: tenant, Person: person, Kind: kind, At: tocsin.Millis(st.Clock().Now()), Body: raw}
	if err := st.Update(t.Context(), func(tx *store.Tx) error { return (&collect.Fold{}).Step(t.Context(), tx, []journal.Item{it}) }); err != nil {
		t.Fatal(err)
	}
	if err := stream.Fold(t.Context(), st, "sweep", store.Lane(tenant), collect.Sweep); err != nil {
		t.Fatal(err)
	}
}

func full(trustee string) detect.RightSeen {
	return detect.RightSeen{Trustee: trustee, Kind: detect.RightFullAccess, Levels: []string{"FullAccess"}}
}

func TestDelegationsPaging(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		thirty(t, st)
		at := tocsin.Millis(st.Clock().Now())
		for i := range 30 {
			look := detect.RightsSeen{Source: "export", At: at, Whole: []string{detect.RightFullAccess, detect.RightFolder}}
			for j := range i % 4 {
				look.Rights = append(look.Rights, full(fmt.Sprintf("p%02d", (i+j+1)%30)))
			}
			if i%5 == 0 {
				look.Rights = append(look.Rights, full("eve@evil.example"), detect.RightSeen{Trustee: "Default", Kind: detect.RightFolder, Folder: "Inbox", Levels: []string{"Reviewer"}},
					detect.RightSeen{Trustee: "Default", Kind: detect.RightFolder, Folder: "Calendar", Levels: []string{"AvailabilityOnly"}})
			}
			// the trustees are people's ids here, which the source would not know
			fold(t, st, acme, "rights", tocsin.PersonID(fmt.Sprintf("p%02d", i)), look)
		}
		ctx := api.WithCaller(t.Context(), everybodysOwner)
		for name, c := range map[string]struct {
			in   api.DelegationsIn
			want int
			keep func(api.Delegation) bool
		}{
			"all": {api.DelegationsIn{}, 43 + 12, func(d api.Delegation) bool { return d.Right == "full_access" || d.Folder == "Inbox" }},
			"risky": {api.DelegationsIn{Risky: true}, 8, // two have no mailbox, as Graph says
				func(d api.Delegation) bool { return d.Risk > 0 && len(d.Marks) > 0 }},
			"a right":    {api.DelegationsIn{Right: "folder"}, 6, func(d api.Delegation) bool { return d.TrusteeKind == "everyone" && d.Levels == "Reviewer" }},
			"an owner":   {api.DelegationsIn{Owner: "p05"}, 3, func(d api.Delegation) bool { return d.Owner == "p05" && d.OwnerAddress != "" }},
			"a stranger": {api.DelegationsIn{Trustee: "eve@evil.example"}, 6, func(d api.Delegation) bool { return d.Address == "eve@evil.example" }},
			"a text":     {api.DelegationsIn{Q: "EVE@"}, 6, func(d api.Delegation) bool { return d.Trustee == "eve@evil.example" }},
		} {
			c.in.Tenant = acme
			seen := map[string]bool{}
			risk := 100
			list := pieces(t, func(p api.Paging) (api.Page[api.Delegation], error) {
				c.in.Paging = p
				return s.api.ListDelegations(ctx, c.in)
			})
			for _, d := range list {
				key := string(d.Owner) + d.Right + d.Folder + d.Trustee
				if !c.keep(d) || seen[key] || d.Risk > risk {
					t.Errorf("%s: %+v", name, d)
				}
				seen[key], risk = true, d.Risk
			}
			if len(list) != c.want {
				t.Errorf("%s: %d rights, want %d", name, len(list), c.want)
			}
		}
		rows := pieces(t, func(p api.Paging) (api.Page[api.MatrixRow], error) {
			return s.api.DelegationMatrix(ctx, api.DelegationsIn{In: in(acme), Paging: p})
		})
		n, owners := 0, map[tocsin.PersonID]bool{}
		for _, r := range rows {
			if owners[r.Owner] || r.OwnerAddress == "" {
				t.Errorf("matrix: %+v", r)
			}
			owners[r.Owner] = true
			for _, c := range r.Cells {
				n += len(c.Rights)
			}
		}
		if n != 55 {
			t.Errorf("the matrix has %d rights", n)
		}
	})
}

// TestVerdicts: one verdict says where mail goes and who may open a mailbox, by which source; it is never none while a source
// that could tell is off.
func TestVerdicts(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		settle(t, st, acme)
		ctx := api.WithCaller(t.Context(), everybodysOwner)
		p := personOf(acme)
		get := func() api.MailboxDetail {
			t.Helper()
			m, err := s.api.GetMailbox(ctx, api.ByPerson{In: in(acme), Person: p})
			if err != nil {
				t.Fatal(err)
			}
			list, err := s.api.ListMailboxes(ctx, api.MailboxesIn{In: in(acme)})
			if err != nil || list.Items[0].Forwarding.State != m.Forwarding.State || list.Items[0].Delegation.State != m.Delegation.State {
				t.Fatalf("the list says otherwise: %+v, %v", list.Items, err)
			}
			i, err := s.api.GetIdentity(ctx, api.ByPerson{In: in(acme), Person: p})
			if err != nil || i.MailboxOf.Forwarding.State != m.Forwarding.State || len(i.OpenedBy) != len(m.OpenedBy) {
				t.Fatalf("the identity says otherwise: %v", err)
			}
			return m
		}
		is := func(what, forwarding, delegation string, says ...string) {
			t.Helper()
			m := get()
			if m.Forwarding.State != forwarding || m.Delegation.State != delegation {
				t.Errorf("%s: forwarding %s, delegation %s; want %s, %s: %+v", what, m.Forwarding.State, m.Delegation.State, forwarding, delegation, m.Forwarding)
			}
			all := text(t, m.Forwarding) + text(t, m.Delegation)
			for _, part := range says {
				if !strings.Contains(all, part) {
					t.Errorf("%s: %q is not in %s", what, part, all)
				}
			}
		}
		fold(t, st, acme, "judge", p, struct{}{})
		is("only rules are read", "outside", "unknown", "drop@evil.example", "Unknown: no source of mailbox forwarding is on; connect the audit feed or Exchange, or import an export.")
		fold(t, st, acme, "rules", p, map[string]any{})
		is("no rule", "unknown", "unknown", "No forwarding is known, and not all is known.")

		now := tocsin.Millis(st.Clock().Now())
		all := []string{detect.RightForwarding, detect.RightFullAccess, detect.RightSendAs, detect.RightSendOnBehalf, detect.RightFolder}
		fold(t, st, acme, "cover", "", map[string]any{"source": "audit", "kinds": append(all, detect.RightTransport), "since": now - 1000, "until": now})
		is("the feed alone", "unknown", "unknown", "Of mailbox forwarding only what changed since")
		fold(t, st, acme, "rights", "", detect.RightsSeen{Source: "export", Org: true, At: now - 500, Whole: []string{detect.RightTransport, detect.RightJournal}})
		fold(t, st, acme, "rights", p, detect.RightsSeen{Source: "export", At: now - 500, Whole: all, Settings: detect.Forwards("", "", true)})
		is("looked at whole, and changes told", "none", "none", "Nothing forwards, as of", `"source":"audit"`, `"source":"export"`)
		fold(t, st, acme, "rights", p, detect.RightsSeen{Source: "audit", At: now - 100, Record: "r1", Actor: "jane@" + domainOf(acme), Settings: map[string]string{detect.ForwardingSMTP: "eve@evil.example"}})
		fold(t, st, acme, "rights", p, detect.RightsSeen{Source: "audit", At: now - 100, Record: "r2", Rights: []detect.RightSeen{full("eve@evil.example")}})
		is("set", "outside", "risky", "Mail goes on to eve@evil.example, outside the organisation.", "One other has rights over it, 1 of whom")
		if m := get(); len(m.OpenedBy) != 1 || m.OpenedBy[0].By != "" || len(m.OpenedBy[0].Marks) != 1 {
			t.Errorf("opened by %+v", m.OpenedBy)
		}
		ways, err := s.api.ListForwarding(ctx, api.ForwardingIn{In: in(acme), Outside: true})
		if err != nil || len(ways.Items) != 1 || ways.Items[0].Kind != "mailbox" || !ways.Items[0].Outside || ways.Items[0].Deliver == nil || !*ways.Items[0].Deliver || ways.Items[0].By == "" {
			t.Errorf("ways %+v, %v", ways.Items, err)
		}
		fold(t, st, acme, "rights", "", detect.RightsSeen{Source: "audit", Org: true, At: now - 50, Record: "r3", Actor: "root", MailFlow: []detect.MailFlowSeen{{Kind: "transport", Name: "Archive", Made: true,
			Params: map[string]string{"blindcopyto": "mal@evil.example", "enabled": "true"}}}})
		flow, err := s.api.ListForwarding(ctx, api.ForwardingIn{In: in(acme), Kind: "transport"})
		if err != nil || len(flow.Items) != 1 || flow.Items[0].To != "mal@evil.example" || flow.Items[0].Risk < 60 || flow.Items[0].By != "root" {
			t.Errorf("mail flow %+v, %v", flow.Items, err)
		}
		covers, err := s.api.ListRights(ctx, api.ListIn{In: in(acme)})
		if err != nil || len(covers.Items) != 6 {
			t.Fatalf("covers %+v, %v", covers.Items, err)
		}
		for _, c := range covers.Items {
			if c.State != "on" || c.Unknown != "" || c.Looked != 1 {
				t.Errorf("%s: %+v", c.Kind, c)
			}
		}
		st.Clock().Advance(49 * time.Hour)
		fold(t, st, acme, "rights", p, detect.RightsSeen{Source: "audit", At: now - 10, Record: "r4", Settings: map[string]string{detect.ForwardingSMTP: ""}})
		is("the feed has stopped", "unknown", "risky", "it is not known what changed since")
	})
}

func TestForwardingPaging(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		s := serve(t, st)
		thirty(t, st)
		for i := range 30 {
			if i%3 == 0 {
				fold(t, st, acme, "rights", tocsin.PersonID(fmt.Sprintf("p%02d", i)), detect.RightsSeen{Source: "export", At: 1, Whole: []string{detect.RightForwarding}, Settings: detect.Forwards(fmt.Sprintf("eve%d@evil.example", i), "", i%2 == 0)})
			}
		}
		ctx := api.WithCaller(t.Context(), everybodysOwner)
		for name, c := range map[string]struct {
			in   api.ForwardingIn
			want int
		}{"all": {api.ForwardingIn{}, 23}, "rules": {api.ForwardingIn{Kind: "rule"}, 13}, "mailboxes": {api.ForwardingIn{Kind: "mailbox"}, 10}, "one": {api.ForwardingIn{Q: "eve27@"}, 1}} {
			c.in.Tenant = acme
			list := pieces(t, func(p api.Paging) (api.Page[api.Forwarding], error) {
				c.in.Paging = p
				return s.api.ListForwarding(ctx, c.in)
			})
			for _, f := range list {
				if f.To == "" || f.Who == "" || c.in.Kind != "" && f.Kind != c.in.Kind || !f.Outside {
					t.Errorf("%s: %+v", name, f)
				}
			}
			if len(list) != c.want {
				t.Errorf("%s: %d, want %d", name, len(list), c.want)
			}
		}
	})
}
