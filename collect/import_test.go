package collect

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/offline"
	"tocsin.dev/sharedtest"
)

// brings has an importer take a file's records, n at a time.
func (b *bed) brings(m *Importer, file string, n int) (sum Imported, broken []string) {
	b.Helper()
	var some []Line
	flush := func() {
		b.Helper()
		if err := m.Audit(b.Context(), b.tenant, some, &sum, func(line int, why string) { broken = append(broken, fmt.Sprintf("%d: %s", line, why)) }); err != nil {
			b.Fatal(err)
		}
		some = nil
	}
	err := offline.Read("file", strings.NewReader(file), func(x offline.Broken) { sum.Broken++; broken = append(broken, fmt.Sprintf("%d: %s", x.Line, x.Reason)) }, func(line int, record []byte) error {
		if some = append(some, Line{line, bytes.Clone(record)}); len(some) == n {
			flush()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	flush()
	return sum, broken
}

const exportedLog = `{"Id":"r1","CreationTime":"2026-03-16T10:00:00","Operation":"Set-Mailbox","Workload":"Exchange","RecordType":1,"UserId":"amy@x.example","ObjectId":"amy","OrganizationId":"11111111-2222-4333-8444-555555555555","Parameters":[{"Name":"Identity","Value":"amy@x.example"},{"Name":"ForwardingSmtpAddress","Value":"smtp:eve@evil.example"}]}
{"Id":"r2","CreationTime":"2026-03-16T10:01:00","Operation":"UserLoggedIn","Workload":"AzureActiveDirectory","RecordType":15,"UserId":"amy@x.example","OrganizationId":"11111111-2222-4333-8444-555555555555"}
{"Id":"r1","CreationTime":"2026-03-16T10:00:00","Operation":"Set-Mailbox","Workload":"Exchange","RecordType":1,"UserId":"amy@x.example","ObjectId":"amy","OrganizationId":"11111111-2222-4333-8444-555555555555","Parameters":[{"Name":"Identity","Value":"amy@x.example"},{"Name":"ForwardingSmtpAddress","Value":"smtp:eve@evil.example"}]}
{"Id":"r6","CreationTime":"2026-03-16T10:01:30","Operation":"SendAsNobodyLooksAt","Workload":"Exchange","UserId":"amy@x.example"}
{"Id":"r3","CreationTime":"2026-03-16T10:02:00","Operation":"FileAccessed","Workload":"OneDrive","UserId":"amy@x.example"}
{"Id":"r4","CreationTime":"2026-03-16T10:03:00","Operation":"Set-Mailbox","Workload":"Exchange","UserId":"mal@z.example","OrganizationId":"99999999-2222-4333-8444-555555555555"}
{"Id":"r5","CreationTime":
{"no":"record"}
`

// TestImportAudit: what stands in a file is taken as what the feed brings is, once; a second time changes nothing.
func TestImportAudit(t *testing.T) {
	onBoth(t, func(b *bed) {
		b.settle("amy")
		j := b.journal()
		r := b.reads(j)
		m := &Importer{Store: b.st, Journal: j, Lag: r.Lag}
		sum, broken := b.brings(m, exportedLog, 2)
		if sum.Records != 5 || sum.New != 3 || sum.Known != 1 || sum.Passed != 1 || sum.Strange != 1 || sum.Broken != 2 || len(broken) != 2 || !strings.HasPrefix(broken[0]+broken[1], "7: ") {
			t.Fatalf("%+v, broken %q", sum, broken)
		}
		if !sum.Since.Equal(time.Date(2026, 3, 16, 10, 0, 0, 0, time.UTC)) || !sum.Until.Equal(time.Date(2026, 3, 16, 10, 1, 0, 0, time.UTC)) {
			t.Errorf("from %v to %v", sum.Since, sum.Until)
		}
		b.folded(r)
		b.want("kept", `select id, source, content, operation from audit_record where tenant = $1 order by id`, "r1 file Audit.Exchange Set-Mailbox", "r2 file Audit.AzureActiveDirectory UserLoggedIn", "r6 file Audit.Exchange SendAsNobodyLooksAt")
		judge := &AuditJudge{Store: b.st}
		if err := judge.Judge(b.Context(), b.tenant); err != nil {
			t.Fatal(err)
		}
		b.want("judged", `select rule, status from finding where tenant = $1`, "mailbox-forwards-outside open")
		b.want("told", `select name, value, source from mailbox_setting where tenant = $1`, "forwarding_smtp eve@evil.example audit")

		end := must(j.Last(b.Context(), 0))
		sum, _ = b.brings(m, exportedLog, 500)
		if sum.New != 0 || sum.Known != 4 || must(j.Last(b.Context(), 0)) != end {
			t.Errorf("given again: %+v", sum)
		}
		b.records(judge, []json.RawMessage{json.RawMessage(strings.SplitN(exportedLog, "\n", 2)[0])}, 1) // and by the feed
		b.want("one record", `select id, source from audit_record where tenant = $1 and id = 'r1'`, "r1 file")
		b.want("one finding", `select rule, status, count from finding where tenant = $1`, "mailbox-forwards-outside open 1")
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestImportForms: a log comes as JSON, JSON lines, a table with AuditData, compressed, in UTF-16; its records are the same.
func TestImportForms(t *testing.T) {
	onBoth(t, func(b *bed) {
		j := b.journal()
		m := &Importer{Store: b.st, Journal: j}
		record := strings.SplitN(exportedLog, "\n", 2)[0]
		var table bytes.Buffer
		w := csv.NewWriter(&table)
		w.WriteAll([][]string{{"RecordId", "CreationDate", "Operation", "UserId", "AuditData"}, {"r1", "2026-03-16T10:00:00Z", "Set-Mailbox", "amy@x.example", record}})
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		z.Write(table.Bytes())
		z.Close()
		wide := "\xff\xfe"
		for _, c := range table.String() {
			wide += string([]byte{byte(c), byte(c >> 8)})
		}
		for name, file := range map[string]string{
			"lines": record + "\n", "array": "[" + record + "]", "Graph": `{"value":[{"id":"outer","auditData":` + record + `}]}`,
			"table": table.String(), "gzip": zipped.String(), "UTF-16": wide,
		} {
			sum, broken := b.brings(m, file, 500)
			if sum.Records != 1 || sum.New != 1 || sum.Broken > 0 {
				t.Errorf("%s: %+v %q", name, sum, broken)
			}
		}
		r := b.reads(j)
		b.folded(r)
		b.want("one record", `select id from audit_record where tenant = $1`, "r1")
	})
}

// TestImportCutGzip: of a file that was cut off, what came before is in, and the cut is told.
func TestImportCutGzip(t *testing.T) {
	b := &bed{T: t, st: nil, tenant: acme}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	for i := range 5000 {
		fmt.Fprintf(z, `{"Id":"%d","Operation":"Set-Mailbox","CreationTime":"2026-03-16T10:00:00","Workload":"Exchange","UserId":"u%d@x.example"}`+"\n", i, i*7919)
	}
	z.Close()
	n, broken := 0, ""
	err := offline.Read("f", bytes.NewReader(zipped.Bytes()[:zipped.Len()/2]), func(x offline.Broken) { broken += x.Reason }, func(int, []byte) error { n++; return nil })
	if err != nil || n < 100 || n >= 5000 || !strings.Contains(broken, "cut off") {
		b.Errorf("%d records, %q, %v", n, broken, err)
	}
}

// takes has an importer take an export of rights.
func (b *bed) takes(m *Importer, at time.Time, files ...string) (broken []string) {
	b.Helper()
	var x Exported
	for _, file := range files {
		if err := offline.Read("file", strings.NewReader(file), func(p offline.Broken) { broken = append(broken, p.Reason) }, func(line int, record []byte) error {
			if err := x.Row(record); err != nil {
				broken = append(broken, fmt.Sprintf("%d: %s", line, err))
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	if err := m.Mailboxes(b.Context(), b.tenant, &x, at); err != nil {
		b.Fatal(err)
	}
	return broken
}

const (
	exportedBoxes = `"PrimarySmtpAddress","ForwardingSmtpAddress","ForwardingAddress","DeliverToMailboxAndForward","GrantSendOnBehalfTo"
"amy@x.example","smtp:eve@evil.example","","True","bob@x.example;cyd@x.example"
"bob@x.example","","","False",""
`
	exportedAccess = `#TYPE Selected.Object
"Mailbox","User","AccessRights","Deny","IsInherited"
"amy@x.example","NT AUTHORITY\SELF","FullAccess,ReadPermission","False","False"
"amy@x.example","bob@x.example","FullAccess","False","False"
"bob@x.example","NT AUTHORITY\SELF","FullAccess,ReadPermission","False","False"
"bob@x.example","cyd@x.example","ReadPermission","False","False"
`
	exportedSend = `[{"Identity":"amy","Trustee":"NT AUTHORITY\\SELF","AccessRights":["SendAs"],"AccessControlType":"Allow","IsInherited":false},
 {"Identity":"amy","Trustee":"cyd@x.example","AccessRights":{"value":["SendAs"],"Count":1},"AccessControlType":"Allow","IsInherited":false}]`
	exportedInbox = `{"Identity":"amy@x.example:\\Inbox","FolderName":"Inbox","User":{"DisplayName":"Default"},"AccessRights":["None"]}
{"Identity":"amy@x.example:\\Inbox","FolderName":"Inbox","User":{"DisplayName":"Bob","RawIdentity":"bob@x.example"},"AccessRights":["Reviewer"]}
`
)

// TestImportMailboxes: exports tell of forwarding and rights, as of their time; what a whole export does not name is gone, what a part of
// one does not name is not.
func TestImportMailboxes(t *testing.T) {
	onBoth(t, func(b *bed) {
		people := b.settle("amy", "bob", "cyd")
		amy, bob, cyd := string(people[0]), string(people[1]), string(people[2])
		j := b.journal()
		r := b.reads(j)
		m := &Importer{Store: b.st, Journal: j, Lag: r.Lag}
		at := b.st.Clock().Now().Add(-48 * time.Hour)
		if broken := b.takes(m, at, exportedBoxes, exportedAccess, exportedSend, exportedInbox); len(broken) > 0 {
			t.Fatal(broken)
		}
		b.folded(r)
		rights := `select owner, kind, folder, trustee, levels, source from delegation where tenant = $1 and removed = 0 order by kind, trustee = '` + cyd + `'`
		all := []string{amy + " folder inbox " + bob + " Reviewer export", amy + " full_access  " + bob + " full_access export", amy + " send_as  " + cyd + " send_as export",
			amy + " send_on_behalf  " + bob + " send_on_behalf export", amy + " send_on_behalf  " + cyd + " send_on_behalf export"}
		b.want("rights", rights, all...)
		settings := `select person, name, value, source, at from mailbox_setting where tenant = $1 and value <> '' order by person = '` + bob + `', name`
		ms := fmt.Sprint(tocsin.Millis(at))
		b.want("settings", settings, amy+" forwarding_deliver 1 export "+ms, amy+" forwarding_smtp eve@evil.example export "+ms, bob+" forwarding_deliver 0 export "+ms)
		b.want("looks", `select person, looks from rights_look where tenant = $1 and source = 'export' order by person = '`+bob+`'`,
			amy+` {"folder:inbox":`+ms+`,"forwarding":`+ms+`,"full_access":`+ms+`,"send_as":`+ms+`,"send_on_behalf":`+ms+`}`, bob+` {"forwarding":`+ms+`,"full_access":`+ms+`,"send_on_behalf":`+ms+`}`)
		b.want("judged", `select rule, person from finding where tenant = $1 and rule = 'mailbox-forwards-outside'`, "mailbox-forwards-outside "+amy)

		changes := b.since(func() { b.takes(m, at, exportedBoxes, exportedAccess, exportedSend, exportedInbox); b.folded(r) })
		b.same("given again", changes)
		b.takes(m, at.Add(-time.Hour), strings.ReplaceAll(exportedAccess, "bob@x.example\",\"FullAccess\"", "cyd@x.example\",\"FullAccess\"")) // an older one
		b.folded(r)
		b.want("an older export changes nothing", rights, all...)
		b.takes(m, at.Add(time.Hour), "Mailbox,User,AccessRights\namy@x.example,cyd@x.example,FullAccess\n") // a part
		b.folded(r)
		b.want("a part of an export takes nothing away", `select trustee from delegation where tenant = $1 and removed = 0 and kind = 'full_access' order by trustee = '`+cyd+`'`, bob, cyd)
		b.takes(m, at.Add(2*time.Hour), "Mailbox,User,AccessRights\namy@x.example,NT AUTHORITY\\SELF,FullAccess\namy@x.example,cyd@x.example,FullAccess\n")
		b.folded(r)
		b.want("a whole one does", `select trustee from delegation where tenant = $1 and removed = 0 and kind = 'full_access'`, cyd)
	})
}

func TestExportedRows(t *testing.T) {
	for row, says := range map[string]string{
		`{"User":"a","AccessRights":"FullAccess"}`:                                      "names no mailbox",
		`{"Mailbox":"a@x.example"}`:                                                     "neither of forwarding nor of rights",
		`{"Mailbox":"a@x.example","AccessRights":"FullAccess"}`:                         "nobody who has the right",
		`{"Mailbox":"a@x.example","User":"b","AccessRights":"System.Collections.List"}`: "name of a type",
		`{"Mailbox":`: "ends",
	} {
		var x Exported
		if err := x.Row([]byte(row)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want one that says %q", row, err, says)
		}
		if x.Rows != 0 {
			t.Errorf("%s was taken", row)
		}
	}
	var x Exported
	if err := x.Row([]byte(`{"Identity":"a","User":"DOM\\b","AccessRights":"{FullAccess, ReadPermission}","Deny":"True","IsInherited":true}`)); err != nil {
		t.Fatal(err)
	}
	if got := x.boxes["a"].rights; len(got) != 1 || !got[0].Deny || !got[0].Inherited || got[0].Trustee != `DOM\b` || got[0].Kind != detect.RightFullAccess {
		t.Errorf("%+v", got)
	}
}

// FuzzExported: any row is taken or refused, and what is taken can be told.
func FuzzExported(f *testing.F) {
	for _, file := range []string{exportedSend, exportedInbox} {
		for line := range strings.Lines(file) {
			f.Add([]byte(strings.Trim(line, "[], \n")))
		}
	}
	f.Add([]byte(`{"PrimarySmtpAddress":"a@b","GrantSendOnBehalfTo":["x",{"Name":"y"}],"ForwardingAddress":{"Name":"z"},"DeliverToMailboxAndForward":true}`))
	f.Fuzz(func(t *testing.T, row []byte) {
		var x Exported
		err := x.Row(row)
		if (err == nil) != (x.Rows == 1) || err == nil && len(x.boxes) != 1 {
			t.Fatalf("%q: %v, %d rows, %d mailboxes", row, err, x.Rows, len(x.boxes))
		}
		for _, b := range x.boxes {
			if err == nil && b.name == "" {
				t.Fatalf("%q: a mailbox without a name", row)
			}
			for _, r := range b.rights {
				if r.Trustee == "" || r.Kind == "" {
					t.Fatalf("%q: %+v", row, r)
				}
			}
		}
	})
}

// TestImportShared: of the exports of others, which nobody on this project wrote, an import takes every record that tocsin analyze reads.
func TestImportShared(t *testing.T) {
	dir := sharedtest.File(t, "data")
	var files []string
	for _, folder := range []string{"sentinel-training-lab", "otrf-goldensaml"} {
		if err := filepath.WalkDir(filepath.Join(dir, folder), func(path string, d fs.DirEntry, err error) error {
			if ext := filepath.Ext(path); err == nil && !d.IsDir() && (ext == ".csv" || ext == ".json") {
				files = append(files, path)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	onBoth(t, func(b *bed) {
		b.tenant = "2ad3fc79-1859-42fa-9011-6f8df2251b22" // that of the lab
		b.exec(`insert into tenant (tenant, name, created) values ($1, 'Lab', 1)`)
		j := b.journal()
		m := &Importer{Store: b.st, Journal: j}
		read := 0
		for _, path := range files {
			text := string(must(os.ReadFile(path)))
			want := must(offline.Analyze(b.Context(), offline.Options{Files: []string{path}}, func(tocsin.Finding) {}))
			sum, _ := b.brings(m, text, 500)
			read += sum.Records
			if got := sum.Records + sum.Strange; got > want.Records || got < want.Records-want.Strange && want.Records > 0 {
				t.Errorf("%s: %+v; analyze read %d", filepath.Base(path), sum, want.Records)
			}
			again, _ := b.brings(m, text, 100)
			t.Logf("%s: %d records, %d new, %d known, %d passed, %d broken (analyze %d, strange %d); before the fold again %d new", filepath.Base(path), sum.Records, sum.New, sum.Known, sum.Passed, sum.Broken, want.Records, want.Strange, again.New)
		}
		if read < 100 {
			t.Errorf("only %d records were read", read)
		}
		r := b.reads(j)
		b.folded(r)
		if n := b.rows(`select count(*) from dead_letter where tenant = $1`); n[0] != "0" {
			t.Errorf("%s items could not be folded", n[0])
		}
		end := must(j.Last(b.Context(), 0))
		for _, path := range files {
			if sum, _ := b.brings(m, string(must(os.ReadFile(path))), 500); sum.New > 0 {
				t.Errorf("%s given again: %+v", filepath.Base(path), sum)
			}
		}
		if now := must(j.Last(b.Context(), 0)); now != end {
			t.Errorf("given again, something was appended")
		}
	})
}
