package collect

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"tocsin.dev/detect"
	"tocsin.dev/detect/audit"
	"tocsin.dev/detect/rule"
	"tocsin.dev/sharedtest"
)

// recorded gives the Exchange records among a peer's cases, by their ids.
func recorded(t *testing.T) []*detect.Record {
	t.Helper()
	f, err := os.Open(sharedtest.File(t, "data/panther-m365-azure/cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []*detect.Record
	s := bufio.NewScanner(f)
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		var c struct {
			Test string          `json:"test"`
			Log  json.RawMessage `json:"log"`
		}
		if err := json.Unmarshal(s.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(c.Log), `"Set-Mailbox"`) {
			continue
		}
		e, err := audit.Parse(c.Log)
		if err != nil {
			t.Fatalf("%s: %v", c.Test, err)
		}
		r := e.Record
		r.ID = c.Test // the peer gives all its cases one id
		out = append(out, &r)
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRecordedForwarding folds the Set-Mailbox records that a peer holds its own rule to: the address that each tells of is
// held of its mailbox, however the record names that.
func TestRecordedForwarding(t *testing.T) {
	list := recorded(t)
	if len(list) < 4 {
		t.Fatalf("only %d records of Set-Mailbox among the cases", len(list))
	}
	onBoth(t, func(b *bed) {
		b.fold(b.item(kindDomains, "", domainsSeen{Domains: []domainSeen{{Name: "simpsons.onmicrosoft.com", Default: true}, {Name: "simpsons.com"}}}))
		for _, name := range []string{"homer.simpson", "marge.simpson"} {
			id, p := b.amy(name)
			p.UPN, p.Mail, p.Addresses = name+"@simpsons.onmicrosoft.com", name+"@simpsons.onmicrosoft.com", []string{"SMTP:" + name + "@simpsons.onmicrosoft.com", "smtp:" + name + "@simpsons.com"}
			b.fold(b.item(kindPerson, id, p))
		}
		held := 0
		for _, r := range list {
			b.listens(r)
			for _, told := range rule.Rights(r) {
				want, ok := told.Settings[detect.ForwardingSMTP]
				if !ok {
					continue
				}
				rows := b.rows(`select value from mailbox_setting where tenant = $1 and name = 'forwarding_smtp'`)
				waits := b.rows(`select name from rights_waiting where tenant = $1`)
				switch {
				case slices.Equal(rows, []string{strings.ToLower(want)}): // it is told whose it is
					held++
				case len(rows) == 0 && slices.Equal(waits, []string{named(told.Mailbox)}): // of nobody in this directory
				default:
					t.Errorf("%s: held %q, waits %q, told %q", r.ID, rows, waits, want)
				}
			}
			outside := b.rows(`select cause from finding where tenant = $1 and rule = 'mailbox-forwards-outside' and status = 'open'`)
			if strings.Contains(r.ID, "External") && len(outside) != 1 {
				t.Errorf("%s: found %q", r.ID, outside)
			}
			b.forget()
			b.exec(`delete from finding where tenant = $1`)
		}
		if held < 4 {
			t.Errorf("of %d records only %d are held", len(list), held)
		}
	})
}
