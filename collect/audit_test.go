package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/audit"
	"tocsin.dev/graph/sim"
	"tocsin.dev/offline"
	"tocsin.dev/sharedtest"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// records puts records into the tables as collectors and the fold do, so many at a time, and has them judged as said.
func (b *bed) records(j *AuditJudge, list []json.RawMessage, most int) {
	b.Helper()
	for some := range slices.Chunk(list, most) {
		items, err := AuditItems(b.Context(), b.st, b.tenant, FromFeed, "Audit.Exchange", some, func(i int, why string) { b.Errorf("%s: %s", some[i], why) })
		if err != nil {
			b.Fatal(err)
		}
		b.fold(items...)
		if j != nil {
			if err := j.Judge(b.Context(), b.tenant); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// eventFindings are those of event rules, as "rule who subject", sorted.
func (b *bed) eventFindings() []string {
	return b.rows(`select rule, lower(who), subject from finding where tenant = $1 and rule not in ('shared-destination', 'forward-chain') order by rule, who, subject`)
}

// analyzed are the same by `tocsin analyze`.
func analyzed(t *testing.T, domains []string, list []json.RawMessage) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "records.jsonl")
	var text bytes.Buffer
	for _, raw := range list {
		if err := json.Compact(&text, raw); err != nil {
			t.Fatal(err)
		}
		text.WriteByte('\n')
	}
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var out []string
	_, err := offline.Analyze(context.Background(), offline.Options{Files: []string{path}, Domains: domains}, func(f tocsin.Finding) {
		if f.Rule != "shared-destination" && f.Rule != "forward-chain" {
			out = append(out, fmt.Sprintf("%s %s %s", f.Rule, strings.ToLower(f.Who), f.Subject))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// real are real records and those of peers' cases, as objects, each with an id.
func real(t *testing.T) []json.RawMessage {
	dir := sharedtest.File(t, "data")
	var out []json.RawMessage
	seen := map[string]bool{} // peers' cases give different records one id
	add := func(raw json.RawMessage, id string) {
		e, err := audit.Whole(raw)
		if err != nil || e.Shape == audit.Strange || e.Record.Operation == "" {
			return
		}
		if e.ID == "" {
			var m map[string]any
			if json.Unmarshal(raw, &m) != nil {
				return
			}
			m["Id"] = id
			raw, _ = json.Marshal(m)
			if e, err = audit.Whole(raw); err != nil || e.ID == "" {
				return
			}
		}
		if seen[e.ID] || e.Twin != "" && seen[e.Twin] {
			return
		}
		seen[e.ID] = true
		if e.Twin != "" {
			seen[e.Twin] = true
		}
		out = append(out, raw)
	}
	for _, name := range []string{"otrf-goldensaml/OfficeActivityEvents.json", "otrf-goldensaml/AADAuditEvents.json", "otrf-goldensaml/Microsoft365DefenderEvents.json", "panther-m365-azure/cases.jsonl"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for line := range bytes.Lines(text) {
			raw := bytes.TrimSpace(line)
			if len(raw) == 0 || !json.Valid(raw) {
				continue
			}
			n++
			var c struct{ Log json.RawMessage }
			if strings.Contains(name, "panther") && json.Unmarshal(raw, &c) == nil {
				raw = c.Log
			}
			add(raw, fmt.Sprintf("%s-%d", name, n))
		}
	}
	more, err := filepath.Glob("../offline/testdata/*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range more {
		if strings.Contains(name, "broken") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			if json.Valid(line) {
				add(bytes.TrimSpace(line), "")
			}
		}
	}
	if len(out) < 200 {
		t.Fatalf("only %d records", len(out))
	}
	return out
}

// The same records give the same findings, whether a file of them is analyzed or they are collected: in order, in none, some
// of them twice, in small parcels, with a restart after each.
func TestCollectedAsAnalyzed(t *testing.T) {
	list := real(t)
	// A takeover is joined of what was found about people of the directory, which has none here.
	want := slices.DeleteFunc(analyzed(t, []string{"x.example"}, list), func(s string) bool { return strings.HasPrefix(s, "account-takeover ") })
	if len(want) < 20 {
		t.Fatalf("only %d findings", len(want))
	}
	shuffled := func(seed uint64) []json.RawMessage {
		out := slices.Clone(list)
		r := rand.New(rand.NewPCG(seed, 1))
		r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		return append(out, out[:len(out)/10]...)
	}
	for name, run := range map[string]func(b *bed){
		"in order": func(b *bed) { b.records(&AuditJudge{Store: b.st}, list, 400) },
		"judged at the end": func(b *bed) {
			b.records(nil, shuffled(1), 300)
			b.records(&AuditJudge{Store: b.st}, list[:1], 1)
			j := &AuditJudge{Store: b.st}
			judgeAll(b, j)
		},
		"out of order": func(b *bed) { b.records(&AuditJudge{Store: b.st}, shuffled(2), 97) },
		"short memory": func(b *bed) { b.records(&AuditJudge{Store: b.st, Back: 20}, shuffled(3), 97) },
		"restarts": func(b *bed) {
			for some := range slices.Chunk(shuffled(4), 61) {
				b.records(&AuditJudge{Store: b.st}, some, 61)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T, st *store.Store) {
				b := &bed{T: t, st: st, tenant: acme}
				b.exec(`insert into tenant (tenant, name, created) values ($1, 'Acme', 1)`)
				b.fold(b.item(kindDomains, "", domainsSeen{Domains: []domainSeen{{Name: "x.example", Default: true}}}))
				run(b)
				got := b.eventFindings()
				for _, w := range want {
					if !slices.Contains(got, w) {
						t.Errorf("not found: %s", w)
					}
				}
				for _, g := range got {
					if !slices.Contains(want, g) {
						t.Errorf("found too: %s", g)
					}
				}
				if n := b.rows(`select count(*) from audit_record where tenant = $1 and not judged`); n[0] != "0" {
					t.Errorf("%s were not judged", n[0])
				}
			})
		})
	}
}

func judgeAll(b *bed, j *AuditJudge) {
	b.Helper()
	if err := j.Judge(b.Context(), b.tenant); err != nil {
		b.Fatal(err)
	}
}

const auditStory = `# rights are given, and mail is sent on
domain x.example
person root root@x.example admin
person amy amy@x.example
person bob bob@x.example
mon 09:00 root runs Set-Mailbox as admin from 203.0.113.7 on amy ForwardingSmtpAddress="smtp:amy@evil.example" DeliverToMailboxAndForward="False"
mon 09:01 root runs Add-MailboxPermission as admin on amy User="root@x.example" AccessRights="FullAccess"
mon 09:02 root runs New-TransportRule as admin on Copies Name="Copies" BlindCopyTo="eve@evil.example"
mon 09:03 "NT AUTHORITY\\SYSTEM (Microsoft.Exchange.ServiceHost)" runs Add-MailboxPermission as system on bob User="NT AUTHORITY\\SELF" AccessRights="FullAccess"
mon 09:04 amy signs in from 203.0.113.9/NL
`

// feeding gives a field whose app may read the feed, and whose people are known.
func feeding(t *testing.T, st *store.Store, feed sim.Feed) *field {
	f := newField(t, st, 12, auditStory)
	f.w.SetFeed(feed)
	f.w.Consent(append([]string{"ActivityFeed.Read", "AuditLogsQuery-Exchange.Read.All", "Exchange.ManageAsApp", "Exchange.ManageAsAppV2"}, sim.ReadTier...)...)
	f.ask("domains", "users")
	return f
}

func TestAuditFeed(t *testing.T) {
	for name, feed := range map[string]sim.Feed{"plain": {}, "awkward": {Parcel: 1, Page: 1, Repeat: true, Shuffle: true}} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T, st *store.Store) {
				f := feeding(t, st, feed)
				j := &AuditJudge{Store: st}
				for range 2 {
					f.ask("audit")
					judgeAll(f.bed, j)
				}
				f.ok("audit")
				f.want("records", `select operation, actor, count(*) from audit_record where tenant = $1 group by operation, actor order by operation, actor`,
					"Add-MailboxPermission NT AUTHORITY\\SYSTEM (Microsoft.Exchange.ServiceHost) 1", "Add-MailboxPermission root@x.example 1", "New-TransportRule root@x.example 1",
					"Set-Mailbox root@x.example 1", "UserLoggedIn amy@x.example 1")
				amy := f.rows(`select person from person where tenant = $1 and mail = 'amy@x.example'`)[0]
				f.want("whose they are", `select count(*) from audit_record where tenant = $1 and about = '`+amy+`'`, "3")
				f.want("findings", `select rule, who, person = '`+amy+`' from finding where tenant = $1 and rule in ('mailbox-forwards-outside', 'mailbox-access-to-oneself') order by rule`,
					"mailbox-access-to-oneself amy@x.example 1", "mailbox-forwards-outside amy@x.example 1")
				f.want("no finding on the service", `select count(*) from finding where tenant = $1 and who = 'bob@x.example'`, "0")
				f.want("the ledger", `select content, state, records > 0 from audit_window where tenant = $1 and content in ('Audit.Exchange', 'Audit.General') order by content`,
					"Audit.Exchange read 1", "Audit.General read 0")
			})
		})
	}
}

// What the feed refuses, breaks off or repeats is read all the same, once each, as soon as it can be.
func TestAuditFeedFaults(t *testing.T) {
	st := storetest.SQLite(t)
	f := feeding(t, st, sim.Feed{Parcel: 1})
	all := func() string {
		return f.rows(`select count(*) from audit_record where tenant = $1`)[0]
	}
	why := func() string {
		return f.rows(`select because from source where tenant = $1 and name = 'audit'`)[0]
	}
	f.w.SetFeed(sim.Feed{Off: true})
	f.ask("audit")
	if !strings.Contains(why(), "audit log is switched off") {
		t.Errorf("with the audit log off it says %q", why())
	}
	f.w.SetFeed(sim.Feed{Parcel: 1, PerMinute: 3})
	f.c.Graph = f.client()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	if err := f.c.askAudit(ctx); err == nil {
		t.Error("throttled, and all was read")
	}
	cancel()
	f.w.SetFeed(sim.Feed{Parcel: 1, PerMinute: 2000})
	f.c.Graph = f.client() // which was not told to wait
	f.w.Advance(20 * time.Minute)
	f.st.Clock().Advance(20 * time.Minute)
	for _, kind := range []sim.FaultKind{sim.Cut, sim.Garbage, sim.Broken} {
		if err := f.w.Fault(sim.Fault{Path: "/api/**", Kind: kind, Every: 3}); err != nil {
			t.Fatal(err)
		}
		if err := f.c.askAudit(t.Context()); err == nil && kind == "" {
			t.Error("nothing broke")
		}
		f.w.Heal()
	}
	f.ask("audit")
	f.ok("audit")
	if all() != "5" {
		t.Errorf("%s records of 5: %q, %q", all(), f.rows(`select operation from audit_record where tenant = $1`), f.rows(`select id, state, records from audit_parcel where tenant = $1`))
	}
	// Killed between the journal and the ledger: the same parcel is read once more.
	f.exec(`delete from audit_parcel where tenant = $1`)
	f.exec(`update audit_feed set until = 0, deep = 0 where tenant = $1`)
	f.ask("audit")
	if all() != "5" {
		t.Errorf("%s records of 5 after a kill", all())
	}
	// A subscription that was disabled is started again.
	f.w.DisableSubscription("Audit.Exchange")
	f.st.Clock().Advance(time.Hour)
	f.w.Advance(time.Hour)
	f.ask("audit")
	f.ok("audit")
	// Away for longer than Microsoft keeps: the gap is known, and what came meanwhile is read.
	f.st.Clock().Advance(9 * 24 * time.Hour)
	f.w.Advance(9 * 24 * time.Hour)
	f.w.Audit("Audit.Exchange", f.w.Clock().Now(), json.RawMessage(`{"Id":"late","CreationTime":"2026-01-05T09:00:00","Operation":"Set-Mailbox","Workload":"Exchange","UserId":"root@x.example","RecordType":1}`))
	f.w.Advance(time.Minute)
	f.st.Clock().Advance(time.Minute)
	f.ask("audit")
	f.ok("audit")
	f.want("the gap", `select state, count(*) from audit_window where tenant = $1 and content = 'Audit.Exchange' group by state order by state`, "lost 1", "read 2")
	if all() != "6" {
		t.Errorf("%s records of 6", all())
	}
}

// TestPoisonParcel: a parcel that cannot be read holds up neither the others nor what comes after it; the ledger does not pass
// it, and when Microsoft has it no longer, says so.
func TestPoisonParcel(t *testing.T) {
	st := storetest.SQLite(t)
	f := feeding(t, st, sim.Feed{Parcel: 1})
	f.ask("audit") // the subscriptions begin
	record := func(id string) {
		f.w.Audit("Audit.Exchange", f.w.Clock().Now(), json.RawMessage(`{"Id":"`+id+`","CreationTime":"2026-01-05T09:00:00","Operation":"Set-Mailbox","Workload":"Exchange","UserId":"root@x.example","RecordType":1}`))
		f.w.Advance(time.Minute)
		f.st.Clock().Advance(time.Minute)
	}
	record("before")
	f.ask("audit")
	f.ok("audit")
	read := func() string {
		return strings.Join(f.rows(`select id from audit_record where tenant = $1 and id in ('before', 'poison', 'beside', 'after') order by id`), " ")
	}
	until := func() string {
		return f.rows(`select until from audit_feed where tenant = $1 and content = 'Audit.Exchange'`)[0]
	}
	stood := until()
	record("poison")
	if err := f.w.Fault(sim.Fault{Path: "/api/**/audit/*", Kind: sim.Garbage, Times: 8}); err != nil { // as often as it is tried in two rounds
		t.Fatal(err)
	}
	if err := f.c.askAudit(t.Context()); err == nil {
		t.Error("nothing is wrong")
	}
	f.want("the parcel", `select state from audit_parcel where tenant = $1 and state <> 'read'`, "failed")
	poison := f.rows(`select id from audit_parcel where tenant = $1 and state = 'failed'`)[0]
	f.w.Heal()
	if err := f.w.Fault(sim.Fault{Path: "/api/**/audit/" + poison, Kind: sim.Garbage}); err != nil {
		t.Fatal(err)
	}
	record("beside")
	f.w.Advance(30 * time.Hour) // another window
	f.st.Clock().Advance(30 * time.Hour)
	record("after")
	f.ask("audit")
	if why := f.rows(`select because from source where tenant = $1 and name = 'audit'`)[0]; why == "" {
		t.Error("it is not said that something is not read")
	}
	if got := read(); got != "after before beside" {
		t.Errorf("read: %s", got)
	}
	if until() != stood {
		t.Error("the ledger has passed what was not read")
	}
	// Microsoft keeps it no longer.
	f.w.Advance(7 * 24 * time.Hour)
	f.st.Clock().Advance(7 * 24 * time.Hour)
	f.ask("audit")
	f.ok("audit")
	if because := f.rows(`select because from audit_window where tenant = $1 and content = 'Audit.Exchange' and state = 'read' order by since desc`)[0]; !strings.Contains(because, "did not give") && len(f.rows(`select 1 from audit_window where tenant = $1 and state = 'lost'`)) == 0 {
		t.Errorf("the ledger says nothing of it: %q", because)
	}
}

// TestLooksDespiteOne: a mailbox that is refused, or does not answer, keeps none of the others from being looked at.
func TestLooksDespiteOne(t *testing.T) {
	f := newField(t, storetest.SQLite(t), 60, "")
	f.ask("users")
	f.ask("rules")
	people := f.rows(`select person || ' ' || object_id from person where tenant = $1 and licensed and enabled and kind = 'member' order by person`)[:4]
	for i, p := range people {
		person, _, _ := strings.Cut(p, " ")
		f.exec(`insert into audit_look (tenant, person, at) values ($1, $2, $3)`, person, i+1)
	}
	_, refused, _ := strings.Cut(people[0], " ")
	_, down, _ := strings.Cut(people[1], " ")
	f.fault(sim.Fault{Path: "users/" + refused + "/**", Kind: sim.Denied})
	f.fault(sim.Fault{Path: "users/" + down + "/**", Kind: sim.Broken})
	if err := f.c.askLooks(t.Context()); err == nil {
		t.Error("one did not answer, and nothing is said")
	}
	left, _, _ := strings.Cut(people[1], " ")
	f.want("what is still to be looked at", `select person from audit_look where tenant = $1`, left)
	f.w.Heal()
	if err := f.c.askLooks(t.Context()); err != nil {
		t.Error(err)
	}
	f.want("afterwards", `select count(*) from audit_look where tenant = $1`, "0")
}

// FuzzTrimmed takes subjects out of any record: what is left is JSON, and no subject stands in it.
func FuzzTrimmed(f *testing.F) {
	for _, s := range []string{`{"Id":"1","Item":{"Subject":"secret"}}`, `{"AuditData":"{\"Item\":{\"Subject\":\"secret\"}}"}`, `{"AffectedItems":[{"subject":"secret"}]}`, `{}`, `[`, `{"Subject":{"a":1}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, err := trimmed(raw)
		if err != nil {
			return
		}
		var m map[string]any
		if err := json.Unmarshal(out, &m); err != nil {
			t.Fatalf("%q became %q: %v", raw, out, err)
		}
		for k, v := range m {
			if _, text := v.(string); text && strings.EqualFold(k, "subject") {
				t.Errorf("%q became %q", raw, out)
			}
		}
	})
}

func TestTrimmedHasNoSubject(t *testing.T) {
	for _, raw := range []string{`{"Id":"1","Item":{"Subject":"hush","InternetMessageId":"<1>"}}`, `{"AuditData":"{\"AffectedItems\":[{\"Subject\":\"hush\"}]}"}`, `{"Subject":"hush"}`} {
		out, err := trimmed([]byte(raw))
		if err != nil || strings.Contains(string(out), "hush") {
			t.Errorf("%s became %s, %v", raw, out, err)
		}
	}
	long := `{"Id":"1","Operation":"MailItemsAccessed","Folders":[{"FolderItems":[` + strings.TrimSuffix(strings.Repeat(`{"InternetMessageId":"<`+strings.Repeat("x", 500)+`>"},`, 3000), ",") + `]}]}`
	out, err := trimmed([]byte(long))
	if err != nil || len(out) > 1000 || !strings.Contains(string(out), `"OperationCount":3000`) {
		t.Errorf("a long record became %.200s, %v", out, err)
	}
}

// BenchmarkAudit folds and judges records: how many a second.
func BenchmarkAudit(b *testing.B) {
	st := storetest.SQLite(b)
	if err := st.UpdateTenant(b.Context(), acme, func(t *store.Tenant) error {
		_, err := t.Exec(b.Context(), `insert into tenant (tenant, name, created) values ($1, 'Acme', 1)`)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	j, n := &AuditJudge{Store: st}, 0
	fold := &Fold{Log: slog.New(slog.DiscardHandler)}
	for b.Loop() {
		list := make([]json.RawMessage, 500)
		for i := range list {
			n++
			list[i] = fmt.Appendf(nil, `{"Id":"%d","CreationTime":"%s","Operation":"MailItemsAccessed","Workload":"Exchange","UserId":"p%d@x.example","MailboxOwnerUPN":"p%d@x.example","ClientIPAddress":"203.0.113.%d","RecordType":50,"OperationCount":3,"LogonType":0}`,
				n, time.Unix(1767600000+int64(n), 0).UTC().Format("2006-01-02T15:04:05"), n%500, n%500, n%250)
		}
		items, err := AuditItems(b.Context(), st, acme, FromFeed, "Audit.Exchange", list, func(int, string) {})
		if err != nil {
			b.Fatal(err)
		}
		if err := st.Update(b.Context(), func(tx *store.Tx) error { return fold.Step(b.Context(), tx, items) }); err != nil {
			b.Fatal(err)
		}
		if err := j.Judge(b.Context(), acme); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}

func TestAuditSearch(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		f := feeding(t, st, sim.Feed{Unsettled: 0})
		f.exec(`insert into audit_query (tenant, id, by_whom, operations, since, until, state, created) values ($1, 'q1', 'me', '["Set-Mailbox"]', 1, 4000000000000, 'waiting', 1)`)
		q := search{id: "q1", operations: `["Set-Mailbox"]`, since: 1, until: 4000000000000}
		if more, err := f.c.search(t.Context(), &q); err != nil || !more {
			t.Fatal(more, err)
		}
		f.ask("queries") // as after a restart: it goes on with the search that was begun
		f.ok("queries")
		f.want("the search", `select state, records from audit_query where tenant = $1`, "done 1")
		f.want("the record", `select operation, source from audit_record where tenant = $1`, "Set-Mailbox query")
		f.ask("audit")
		f.want("the same by the feed", `select count(*) from audit_record where tenant = $1 and operation = 'Set-Mailbox'`, "1")
		if n := f.w.Requests().Calls["POST /security/auditLog/queries"].Count; n != 1 {
			t.Errorf("%d searches were begun", n)
		}
	})
}

func TestExchangeState(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		f := feeding(t, st, sim.Feed{})
		f.ask("exchange", "folder_rights")
		f.ok("exchange", "folder_rights")
		amy := f.rows(`select person from person where tenant = $1 and mail = 'amy@x.example'`)[0]
		f.want("forwarding", `select name, value, source from mailbox_setting where tenant = $1 and person = '`+amy+`' and name like 'forwarding%' order by name`,
			"forwarding_deliver 0 invoke_command", "forwarding_recipient  invoke_command", "forwarding_smtp amy@evil.example invoke_command")
		f.want("full access", `select kind, source from delegation where tenant = $1 and owner = '`+amy+`' and removed = 0`, "full_access invoke_command")
		f.want("mail flow", `select name, enabled from mailflow_rule where tenant = $1`, "Copies 1")
		f.w.SetFeed(sim.Feed{NoRole: true})
		f.exec(`update source set due = 0 where tenant = $1`)
		f.ask("exchange")
		if got := f.rows(`select because from source where tenant = $1 and name = 'exchange'`); !strings.Contains(got[0], "no role in Exchange") {
			t.Errorf("without a role it says %q", got)
		}
	})
}

// TestExchangeWaits: the first look at Exchange's state waits for the people: one that knew nobody would count for a day.
func TestExchangeWaits(t *testing.T) {
	f := newField(t, storetest.SQLite(t), 12, auditStory)
	f.w.Consent(append([]string{"Exchange.ManageAsApp", "Exchange.ManageAsAppV2"}, sim.ReadTier...)...)
	asked := make(chan error, 1)
	go func() { asked <- f.c.askFolderRights(t.Context()) }()
	f.ask("domains", "users")
	if err := <-asked; err != nil {
		t.Fatal(err)
	}
	for call, n := range f.w.Requests().Calls {
		if strings.Contains(call, "MailboxFolderPermission") && n.Count > 0 {
			return
		}
	}
	t.Error("nobody's folders were asked for")
}
