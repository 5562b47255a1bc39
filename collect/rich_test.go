package collect

import (
	"strings"
	"testing"
	"time"

	"tocsin.dev/secret"
)

// TestSentIsNotALook: what Graph sent of a message is taken in where it is certainly newer than what is held; where it may be
// older, or of a message that is gone, it is looked instead.
func TestSentIsNotALook(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("Amy")[0]
		sent := func(id, change string, modified int64, read bool) mailLook {
			return mailLook{ID: id, Change: change, At: 9_000, Rich: true, Message: &mailSeen{ID: id, Folder: "F", Modified: modified, Received: 5_000, Created: 5_000, Read: read}}
		}
		fold := func(l ...mailLook) { b.fold(b.item(kindMail, amy, mailLooks{Looks: l})) }
		const events, parked, held = `select action from event where tenant = $1 and type = 'EMAIL' order by at, action`, `select count(*) from parked where tenant = $1`,
			`select native, is_read, modified, deleted > 0 from mail where tenant = $1 order by native`
		fold(sent("m1", "created", 5_000, false), sent("m1", "updated", 6_000, true))
		b.want("what was sent in order", events, "email_received", "email_read")
		fold(sent("m1", "created", 5_000, false))
		b.want("a late one", held, "m1 1 6000 0")
		b.want("a late one needs no look", parked, "0")
		fold(sent("m1", "updated", 6_000, true))
		b.want("a repeated one needs no look", parked, "0")
		fold(sent("m1", "updated", 6_000, false))
		b.want("another of the same second", held, "m1 1 6000 0")
		b.want("another of the same second is looked at", `select because from parked where tenant = $1`, "What Microsoft Graph sent of it may be older than what is known.")
		b.exec(`delete from parked where tenant = $1`)
		fold(mailLook{ID: "m1", Change: "deleted", At: 9_001})
		fold(sent("m1", "updated", 7_000, true))
		b.want("what is gone stays gone until it was looked", held, "m1 1 6000 1")
		b.want("and is looked at", parked, "1")
		b.exec(`delete from parked where tenant = $1`)

		// Its end overtook its coming.
		fold(mailLook{ID: "m2", Change: "deleted", At: 9_002})
		fold(sent("m2", "created", 8_000, false), sent("m2", "created", 8_000, false))
		b.want("what was gone before it came", held, "m1 1 6000 1", "m2 0 0 1")
		b.want("is looked at once", parked, "1")
		fold(mailLook{ID: "m2", Change: "created", At: 9_003, Waited: true})
		b.want("and is counted", `select unseen from mail_ledger where tenant = $1`, "1")
		b.want("nothing waits", parked, "0")
		b.want("events", events, "email_received", "email_read", "email_deleted", "email_deleted")
	})
}

// TestCertificates: one is the newest for a month, then another; the older one's key is kept as long as something may come
// that was encrypted for it, and all replicas have the same.
func TestCertificates(t *testing.T) {
	onBoth(t, func(b *bed) {
		keeper, err := secret.Open(t.Context(), secret.Source{Value: strings.Repeat("ab", 32)})
		if err != nil {
			t.Fatal(err)
		}
		one, other := &Certificates{Store: b.st, Keeper: keeper}, &Certificates{Store: b.st, Keeper: keeper}
		newest := func(c *Certificates) Certificate {
			t.Helper()
			c.looked = time.Time{}
			got, err := c.Newest(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		opens := func(c *Certificates, id string) bool {
			t.Helper()
			c.absent = nil
			k, err := c.Key(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return k != nil
		}
		first := newest(one)
		if again := newest(other); again.ID != first.ID || again.Public != first.Public || !opens(other, first.ID) {
			t.Fatalf("another replica has %+v, and not %+v", again, first)
		}
		b.st.Clock().Advance(certificateUse - time.Hour)
		if newest(other).ID != first.ID {
			t.Error("it was replaced too early")
		}
		b.st.Clock().Advance(2 * time.Hour)
		second := newest(other)
		if second.ID == first.ID || newest(one).ID != second.ID || !opens(one, second.ID) || !opens(&Certificates{Store: b.st, Keeper: keeper}, first.ID) {
			t.Error("after a month it is not another for all, or the old one is gone")
		}
		forget := func(age time.Duration) int {
			t.Helper()
			n, err := one.Forget(t.Context(), age)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		b.st.Clock().Advance(28 * time.Hour)
		if n := forget(0); n != 0 {
			t.Errorf("%d were dropped within a day and four hours", n)
		}
		b.st.Clock().Advance(2 * time.Hour)
		if n := forget(24 * time.Hour); n != 0 {
			t.Errorf("%d were dropped while the journal holds what is a day old", n)
		}
		if n := forget(0); n != 1 || opens(one, first.ID) || !opens(one, second.ID) {
			t.Errorf("%d were dropped", n)
		}
		// Where the key that seals is lost, so is the certificate's: another takes its place.
		lost, err := secret.Open(t.Context(), secret.Source{Value: strings.Repeat("cd", 32)})
		if err != nil {
			t.Fatal(err)
		}
		if third := newest(&Certificates{Store: b.st, Keeper: lost}); third.ID == second.ID {
			t.Error("what does not open stays the newest")
		}
	})
}
