package sim

import (
	"net/http"
	"testing"
	"time"
)

// BenchmarkSearchOfMailboxes is the simulator's own cost of what an investigation asks of a mailbox that nobody has changed, so
// that a benchmark against it can tell whose time it is.
func BenchmarkSearchOfMailboxes(b *testing.B) {
	s, err := New(Config{Users: 10_000, Content: true, Limits: Limits{Global: -1}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	if _, err := s.Campaign(Campaign{Mails: 3000, Innocents: 500, Over: Duration(time.Hour)}); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct{ name, query string }{
		{"filter", "$filter=receivedDateTime%20ge%202020-01-01T00:00:00Z%20and%20hasAttachments%20eq%20true&"},
		{"search", "$search=%22body:settled%22&"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				p := s.world.person(n % 10_000)
				if !p.hasBox() {
					continue
				}
				r := &request{method: http.MethodGet, version: "v1.0", base: Address + "/v1.0", path: "users/" + p.id + "/messages", header: http.Header{}, claims: &claims{Roles: ReadTier}, id: "x"}
				if r.query, err = parseQuery(c.query + "$select=id,subject,from,receivedDateTime&$top=250"); err != nil {
					b.Fatal(err)
				}
				r.route, _ = s.table.find(r)
				if out := s.finish(r); out.status != 200 && out.status != 403 {
					b.Fatalf("%d %s", out.status, out.body)
				}
			}
		})
	}
}
