package collect

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin.dev/detect/sigma"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// ownText is a rule on an operation that no detection of Tocsin's looks at, of a workload of which most is not kept.
const ownText = `title: A page was viewed by the night
level: high
tags: [attack.collection, attack.t1213]
logsource: {product: m365, service: audit}
detection:
  s: {Operation: PageViewed, UserId|startswith: night}
  condition: s
tests:
  - {name: it speaks, expect: match, events: [{Id: a, Operation: PageViewed, Workload: SharePoint, UserId: night@fabrikam.com}]}
`

// ownBed is a bed on SQLite alone, for what is the same on both.
func ownBed(t *testing.T) *bed {
	b := &bed{T: t, st: storetest.SQLite(t), tenant: acme}
	b.exec(`insert into tenant (tenant, name, created) values ($1, 'Acme', 1)`)
	return b
}

func (b *bed) own(state, text string) (id string) {
	b.Helper()
	bundle, err := sigma.Parse([]byte(text))
	if err != nil {
		b.Fatal(err)
	}
	if err := b.st.UpdateTenant(b.Context(), b.tenant, func(t *store.Tenant) (err error) {
		id, err = AddOwn(b.Context(), t, OwnText{Bundle: bundle, Text: text, State: state, Who: "test"})
		return err
	}); err != nil {
		b.Fatal(err)
	}
	return id
}

func viewed(from, to int, who string) (out []json.RawMessage) {
	for i := from; i < to; i++ {
		at := time.Date(2026, 3, 2, 2, 0, i, 0, time.UTC)
		out = append(out, json.RawMessage(fmt.Sprintf(`{"Id":"view-%s-%d","CreationTime":%q,"Operation":"PageViewed","Workload":"SharePoint","RecordType":4,"UserType":0,"UserId":%q,"ObjectId":"https://x/%d","ResultStatus":"Succeeded"}`, who, i, at.Format("2006-01-02T15:04:05"), who, i)))
	}
	return out
}

// TestOwnRules has rules of the customer's own judge what comes: one that is live files, one that is tested only counts, one
// that cannot be read any more stops neither; what comes twice counts once.
func TestOwnRules(t *testing.T) {
	onBoth(t, func(b *bed) {
		t, st := b.T, b.st
		j := &AuditJudge{Store: st}
		b.records(j, viewed(0, 3, "night@fabrikam.com"), 3)
		b.want("without rules", `select count(*) from audit_record where tenant = $1 and operation = 'PageViewed'`, "3")
		b.own(OwnLive, ownText)
		b.own(OwnTesting, strings.Replace(ownText, "by the night", "in testing", 1))
		b.own(OwnLive, strings.Replace(ownText, "by the night", "broken", 1))
		b.exec(`update own_rule set text = 'title: [' where tenant = $1 and title like '%broken%'`)
		list := append(viewed(3, 8, "night@fabrikam.com"), viewed(3, 8, "day@fabrikam.com")...)
		b.records(j, list, 4)
		b.records(j, list, 4) // once more
		b.want("findings", `select rule, who, severity, status from finding where tenant = $1 and rule like 'own-%'`, "own-a-page-was-viewed-by-the-night night@fabrikam.com high open")
		b.want("hits", `select name, hits from own_rule where tenant = $1 order by name`, "own-a-page-was-viewed-broken 0", "own-a-page-was-viewed-by-the-night 5", "own-a-page-was-viewed-in-testing 5")
		b.want("days", `select hits from own_rule_day where tenant = $1 order by hits`, "5", "5")
		// What was there before is seen by a replay.
		bundle, err := sigma.Parse([]byte(ownText))
		if err != nil {
			t.Fatal(err)
		}
		days := int(time.Since(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))/(24*time.Hour)) + 2
		got, err := ReplayOwn(t.Context(), st, b.tenant, "own-a-page-was-viewed-by-the-night", bundle, days)
		if err != nil || got.Hits != 8 || got.Findings != 1 || got.Incomplete != "" || len(got.Samples) != 8 {
			t.Errorf("replay: %+v %v", got, err)
		}
		// An exception keeps it silent.
		b.exec(`insert into exception (tenant, id, rule, scope, value, owner, reason, expires, created, created_by) values ($1, 'e', 'own', 'address', 'night@fabrikam.com', 'o', 'r', 9999999999999, 1, 'c')`)
		if got, err = ReplayOwn(t.Context(), st, b.tenant, "own-a-page-was-viewed-by-the-night", bundle, days); err != nil || got.Hits != 0 || got.Excused != 8 {
			t.Errorf("replay with an exception: %+v %v", got, err)
		}
	})
}

// TestOwnNoisy bounds what one rule files in a day.
func TestOwnNoisy(t *testing.T) {
	b := ownBed(t)
	b.own(OwnLive, strings.Replace(ownText, ", UserId|startswith: night", "", 1))
	var list []json.RawMessage
	for i := range MaxOwnFindings + 40 {
		list = append(list, viewed(i%60, i%60+1, fmt.Sprintf("night%d@fabrikam.com", i))...)
	}
	b.records(&AuditJudge{Store: b.st}, list, 100)
	b.want("findings", `select count(*) from finding where tenant = $1 and rule like 'own-%'`, fmt.Sprint(MaxOwnFindings))
	b.want("hits", `select hits, noisy > 0 from own_rule where tenant = $1`, fmt.Sprint(MaxOwnFindings+40)+" 1")
}

// TestOwnFolder keeps the tables as a folder has them.
func TestOwnFolder(t *testing.T) {
	b := ownBed(t)
	dir := t.TempDir()
	put := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	told := map[string]int{}
	f := &OwnFolder{Store: b.st, Dir: dir, State: OwnLive}
	sync := func() {
		t.Helper()
		if err := f.Sync(t.Context(), func(file, what string) { told[file]++ }); err != nil {
			t.Fatal(err)
		}
	}
	put("a.yml", ownText)
	put("bad.yml", "title: x\n")
	put("failing.yml", strings.Replace(ownText, "expect: match", "expect: silent", 1))
	put(string(b.tenant)+"/mine.yml", strings.Replace(ownText, "A page", "My page", 1))
	put("elsewhere.yml", "title: Windows\nlogsource: {product: windows, service: security}\ndetection: {s: {EventID: 1}, condition: s}\n")
	sync()
	sync()
	b.want("rules", `select origin, state, version from own_rule where tenant = $1 order by origin`, string(b.tenant)+"/mine.yml live 1", "a.yml live 1", "elsewhere.yml draft 1")
	if told["bad.yml"] != 1 || told["failing.yml"] != 1 || len(told) != 2 {
		t.Errorf("told %v", told)
	}
	put("a.yml", strings.Replace(ownText, "level: high", "level: low", 1))
	if err := os.Remove(filepath.Join(dir, "elsewhere.yml")); err != nil {
		t.Fatal(err)
	}
	sync()
	b.want("changed", `select origin, state, level, version from own_rule where tenant = $1 order by origin`, string(b.tenant)+"/mine.yml live high 1", "a.yml live low 2", "elsewhere.yml off medium 2")
}
