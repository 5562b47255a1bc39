package web

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/detect"
	"tocsin.dev/journal"
	"tocsin.dev/store"
	"tocsin.dev/stream"
)

// rights tells of forwarding and delegations as sources do, hostile names among them. The findings that fill made up are
// judged with them, and most are gone then.
func (s *site) rights() {
	s.t.Helper()
	var people []seedPerson
	if err := s.st.ViewTenant(context.Background(), tenantID, func(t *store.Tenant) error {
		q, err := t.Query(context.Background(), `select person, upn, kind, mailbox from person where tenant = $1 order by created desc`)
		if err != nil {
			return err
		}
		defer q.Close()
		for q.Next() {
			var p seedPerson
			var kind string
			if err := q.Scan(&p.id, &p.upn, &kind, &p.mailbox); err != nil {
				return err
			}
			p.guest = kind == "guest"
			people = append(people, p)
		}
		return q.Err()
	}); err != nil {
		s.t.Fatal(err)
	}
	now := s.st.Clock().Now()
	ms := func(ago time.Duration) int64 { return tocsin.Millis(now.Add(-ago)) }
	var items []journal.Item
	put := func(kind string, person tocsin.PersonID, body any) {
		raw, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		items = append(items, journal.Item{Tenant: tenantID, Person: person, Kind: kind, At: tocsin.Millis(now), Body: raw})
	}
	var boxes []seedPerson
	for _, p := range people {
		if !p.guest && p.mailbox == "read" {
			boxes = append(boxes, p)
		}
	}
	kinds := []string{detect.RightForwarding, detect.RightFullAccess, detect.RightSendAs, detect.RightSendOnBehalf}
	put("cover", "", map[string]any{"source": "audit", "kinds": append(kinds, detect.RightTransport), "since": ms(20 * 24 * time.Hour), "until": ms(12 * time.Minute)})
	for i, p := range boxes {
		look := detect.RightsSeen{Source: "export", At: ms(10 * 24 * time.Hour), Whole: kinds, Settings: detect.Forwards("", "", true)}
		for j := range i % 5 {
			kind := []string{detect.RightFullAccess, detect.RightSendAs, detect.RightSendOnBehalf}[(i+j)%3]
			look.Rights = append(look.Rights, detect.RightSeen{Trustee: boxes[(i*3+j*7+1)%len(boxes)].upn, Kind: kind})
		}
		if i%6 == 1 {
			look.Rights = append(look.Rights, detect.RightSeen{Trustee: "eve@gmail.com", Kind: detect.RightFullAccess}, detect.RightSeen{Trustee: "Default", Kind: detect.RightFolder, Folder: "Inbox", Levels: []string{"Reviewer"}})
		}
		if i > 2 {
			put("rights", p.id, look)
		}
	}
	record := func(ago time.Duration, id string, who seedPerson, s detect.RightsSeen) {
		s.Source, s.At, s.Record, s.Actor, s.ActorKind = "audit", ms(ago), id, "olga@acme.example", "admin"
		put("rights", who.id, s)
	}
	record(26*time.Hour, "rec-1", boxes[4], detect.RightsSeen{Settings: map[string]string{detect.ForwardingSMTP: "eve" + evilBlank + "@evil.example", detect.ForwardingDeliver: "false"}})
	record(3*time.Hour, "rec-2", boxes[3], detect.RightsSeen{Rights: []detect.RightSeen{{Trustee: "olga@acme.example", Kind: detect.RightFullAccess}, {Trustee: evilScript, Kind: detect.RightSendAs}}})
	put("rights", "", detect.RightsSeen{Source: "audit", Org: true, At: ms(5 * time.Hour), Record: "rec-3", Actor: "olga@acme.example", ActorKind: "admin",
		MailFlow: []detect.MailFlowSeen{{Kind: "transport", Name: evilScript, Made: true, Params: map[string]string{"blindcopyto": "mal@evil.example", "enabled": "true"}},
			{Kind: "transport", Name: "Scanner", Made: true, Params: map[string]string{"setscl": "-1", "senderipranges": "203.0.113.0/24", "enabled": "true"}}}})
	for i := range items {
		if err := s.st.Update(context.Background(), func(tx *store.Tx) error {
			return (&collect.Fold{}).Step(context.Background(), tx, items[i:i+1])
		}); err != nil {
			s.t.Fatal(fmt.Errorf("fold %s: %w", items[i].Body, err))
		}
	}
	if err := stream.Fold(context.Background(), s.st, "sweep", store.Lane(tenantID), collect.Sweep); err != nil {
		s.t.Fatal(err)
	}
}
