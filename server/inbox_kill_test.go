package server

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/inbox"
	"tocsin.dev/secret"
	"tocsin.dev/store"
)

var inboxKills = flag.Int("inbox.kills", 0, "how often TestInboxKill kills the server at a random moment besides, while mails are sent from every inbox")

// moments are when the server is killed that sends a mail: before Microsoft does what it is asked, or when it has done it and has not answered.
var moments = []struct {
	name, method, path string
	kind               sim.FaultKind
	done               string // what the mailbox tells by then
}{
	{"before its draft", "POST", "messages/*/createReply", sim.Slow, ""},
	{"its draft made", "POST", "messages/*/createReply", sim.Late, "drafted"},
	{"before it is written", "PATCH", "messages/*", sim.Slow, ""},
	{"written", "PATCH", "messages/*", sim.Late, "categorised"},
	{"before its file", "POST", "messages/*/attachments", sim.Slow, ""},
	{"its file attached", "POST", "messages/*/attachments", sim.Late, "attached"},
	{"before it goes", "POST", "messages/*/send", sim.Slow, ""},
	{"gone", "POST", "messages/*/send", sim.Late, "sent"},
	{"before it is read back", "GET", "messages/*", sim.Slow, "sent"},
}

// TestInboxKill: a server that is killed (kill -9) while it sends, in another mailbox at each moment, sends all of it once when it is started again,
// whole, and leaves nothing in the drafts.
func TestInboxKill(t *testing.T) {
	t.Parallel()
	w := world(t, 12)
	served, err := w.Serve(t.Context(), "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	k := &killed{o: orders{Config: settings(t)}, threads: map[string]string{}}
	k.o.Connect.Tenant = served.Tenant
	k.fill(t, w, connect.Own{Authority: served.Authority, Graph: served.Graph, CA: served.CA})
	k.queue("at a moment")
	struck := make([]*sim.Struck, len(moments))
	for i, m := range moments {
		struck[i], err = w.Strike(sim.Fault{Kind: m.kind, Method: m.method, Path: "users/" + k.name(i) + "*/" + m.path, Delay: sim.Duration(time.Hour), Times: 1})
		k.must(err)
	}
	end := k.begin()
	k.waits("every moment", func() (lacking string) {
		for i, m := range moments {
			if struck[i].Times() == 0 || m.done != "" && !k.told(k.boxes[i], m.done) {
				lacking += m.name + ", "
			}
		}
		return lacking
	})
	end()
	w.Heal()
	random := rand.New(rand.NewPCG(uint64(*inboxKills), 3))
	if *inboxKills > 0 {
		k.must(w.Fault(sim.Fault{Kind: sim.Slow, Delay: sim.Duration(20 * time.Millisecond)}))
	}
	for i := range *inboxKills {
		if i%2 == 0 {
			k.queue(fmt.Sprint("while kill ", i, " comes"))
		}
		end := k.begin()
		time.Sleep(time.Duration(random.Int64N(int64(2 * time.Second)))) // a kill has no moment of its own
		end()
	}
	w.Heal()
	end = k.begin()
	k.waits("all to go, and to be told", func() string {
		if n := k.count(`select count(*) from inbox_outgoing where tenant = $1 and state in ('held', 'sending')`); n > 0 {
			return fmt.Sprint(n, " are on their way")
		}
		if n := k.count(`select count(*) from inbox_message where tenant = $1 and direction = 'out' and attachments like '%once.txt%'`); n < k.queued {
			return fmt.Sprintf("%d of %d are told", n, k.queued)
		}
		return ""
	})
	end()
	for i, box := range k.boxes {
		want := k.queued / len(k.boxes)
		if n, left := k.sentOf(box), k.drafts(box)-k.before[box]; n != want || left != 0 {
			t.Errorf("%s: %d of %d went, and %d drafts are left", moments[i].name, n, want, left)
		}
	}
	for what, q := range map[string]string{
		"were not sent":           `select count(*) from inbox_outgoing where tenant = $1 and state <> 'sent'`,
		"have their file twice":   `select count(*) from inbox_message where tenant = $1 and direction = 'out' and attachments like '%once.txt%once.txt%'`,
		"are still marked":        `select count(*) from inbox_message where tenant = $1 and direction = 'out' and categories <> '[]'`,
		"are in a thread by them": `select count(*) from inbox_message m where m.tenant = $1 and m.direction = 'out' and not exists (select 1 from inbox_message a where a.tenant = $1 and a.thread = m.thread and a.direction = 'in')`,
	} {
		if n := k.count(q); n != 0 {
			t.Errorf("%d mails %s", n, what)
		}
	}
	if v := w.Violations(); len(v) > 0 {
		t.Error(v)
	}
}

// killed is a server that is killed, and what its inboxes are to send.
type killed struct {
	*post
	o       orders
	boxes   []string          // a shared mailbox for each moment
	threads map[string]string // inbox to the mail that is answered
	before  map[string]int    // drafts that lay there
	queued  int
}

// name is the local part of the mailbox of a moment.
func (k *killed) name(i int) string { return fmt.Sprintf("desk-%c", 'a'+i) }

// fill connects the mailboxes and reads them for the first time.
func (k *killed) fill(t *testing.T, w *sim.Sim, own connect.Own) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s, err := New(ctx, k.o.Config, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	k.post = newPost(t, w, s.Connections, own)
	k.before = map[string]int{}
	days, tenant := 0, tocsin.TenantID(w.Tenant())
	for i := range moments {
		box := k.share(k.name(i), sim.FullAccess, sim.SendAs)
		_, err := s.API.ConnectEmailAddress(as(ctx, api.Owner), api.ConnectAddressIn{In: api.In{Tenant: tenant}, Body: api.EmailAddressNew{Connection: k.connection, Address: box, BackfillDays: &days}})
		k.must(err)
		k.boxes, k.before[box] = append(k.boxes, box), k.drafts(box)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	k.waits("the first reading", func() string {
		k.must(s.Store.ViewTenant(ctx, tenant, func(tt *store.Tenant) error {
			rows, err := tt.Query(ctx, `select inbox, id from inbox_message where tenant = $1 and subject = 'Bill'`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var box, id string
				if err := rows.Scan(&box, &id); err != nil {
					return err
				}
				k.threads[box] = id
			}
			return rows.Err()
		}))
		if len(k.threads) < len(moments) {
			return fmt.Sprintf("%d of %d", len(k.threads), len(moments))
		}
		return ""
	})
	stop()
	<-done
}

func (k *killed) waits(what string, check func() string) {
	k.Helper()
	eventually(k.T, what, check)
}

// told says whether a mailbox tells that something was done in it by Graph.
func (k *killed) told(box, action string) bool {
	for _, l := range truthOf(k.T, k.w) {
		if strings.EqualFold(l.Mailbox, box) && l.By == "graph" && l.Action == action {
			return true
		}
	}
	return false
}

// in works on the tables beside the server.
func (k *killed) in(do func(context.Context, *store.Tenant) error) {
	k.Helper()
	st, err := store.Open(k.Context(), filepath.Join(k.o.Config.Data, "tocsin.db"), &tocsin.Clock{})
	k.must(err)
	defer st.Close()
	k.must(st.UpdateTenant(k.Context(), tocsin.TenantID(k.w.Tenant()), func(t *store.Tenant) error { return do(k.Context(), t) }))
}

func (k *killed) count(q string) (n int) {
	k.Helper()
	k.in(func(ctx context.Context, t *store.Tenant) error { return t.QueryRow(ctx, q).Scan(&n) })
	return n
}

// queue hands over an answer with a file in every inbox.
func (k *killed) queue(text string) {
	k.Helper()
	keeper, err := secret.Open(k.Context(), k.o.Config.keySource())
	k.must(err)
	k.in(func(ctx context.Context, t *store.Tenant) error {
		for box, message := range k.threads {
			o, err := inbox.Write(ctx, t, keeper, "ann", box, inbox.Reply, "", message, inbox.Writing{Text: text, Quote: true})
			if err == nil {
				_, err = inbox.Attach(ctx, t, keeper, "ann", box, o.ID, inbox.File{Name: "once.txt", Data: []byte("once")})
			}
			if err == nil {
				_, err = inbox.Send(ctx, t, "ann", box, o.ID, 0)
			}
			if err != nil {
				return err
			}
			k.queued++
		}
		return nil
	})
}

// begin starts the server as a process of its own, a minute later by every clock; end kills it.
func (k *killed) begin() (end func()) {
	k.Helper()
	k.o.Ahead += time.Minute
	k.w.Advance(time.Minute)
	raw, err := json.Marshal(k.o)
	k.must(err)
	path := filepath.Join(k.TempDir(), "orders.json")
	k.must(os.WriteFile(path, raw, 0o600))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "TOCSIN_") }), "TOCSIN_TEST_SERVER="+path)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	k.must(cmd.Start())
	ended := false
	end = func() {
		if !ended {
			ended = true
			_ = cmd.Process.Kill() // SIGKILL: nothing of it is tidied up
			_ = cmd.Wait()
		}
	}
	k.Cleanup(end)
	return end
}
