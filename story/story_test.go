package story

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
)

const whole = `# Everything the format can say.
domain fabrikam.com
partner trusted.example
person amy "Amy Adams" amy@fabrikam.com
person bob
person invoices "Invoices" invoices@fabrikam.com shared blocked
person eve eve@evil.example guest
group finance@fabrikam.com "Finance" with bob, eve
contact vendor@fabrikam.com to sales@vendor.example
exception forward-outside for domain audit.example by amy because "the yearly audit" until wed+1 10:00

# Comments may stand anywhere.
mon 09:00 amy signs in from 203.0.113.7/NL app "Outlook"
mon 09:01 amy signs in from KP failing
mon 09:05 amy makes rule "\u200b" disabled when subject_contains "invoice", "pay \"now\"" and has_attachments except from_addresses bob forward to eve@evil.example, bob and move to rssfeeds and mark read stop
mon 09:06 amy makes rule "opaque" readonly
mon 09:07 amy changes rule "\u200b" redirect to eve and copy to "Kept" mark high categorise "Red", "Blue"
mon 10:00 amy deletes rule "\u200b"
mon 10:00 amy disables rule "opaque"
tue 00:00 bob sets automatic reply "Write to bob@home.example"
tue 00:00 bob stops automatic reply
wed 12:00 bob receives from ceo@fabrikam.com subject "Payment" text "Pay \"now\"" link "https://evil.example/?a=1" attaching "Invoice 1.pdf"
wed 12:01 bob sends to amy, eve@evil.example subject "Re: Payment"
wed 12:02 bob drafts mail to amy subject "Draft"
wed 12:02 bob sends draft "Draft"
wed 12:03 bob reads mail "Payment"
wed 12:03 bob unreads mail "Payment"
wed 12:03 bob flags mail "Payment"
wed 12:03 bob unflags mail "Payment"
wed 12:03 bob categorises mail "Payment" as "Red, \"bright\""
wed 12:04 bob moves mail "Payment" to rssfeeds
wed 12:04 bob moves mail "Payment" to "Kept"
wed 12:05 bob replies to mail "Payment"
wed 12:05 bob replies to mail "Payment" all
wed 12:05 bob forwards mail "Payment" to eve@evil.example, amy
wed 12:06 bob deletes mail "Payment"
wed 12:06 bob purges mail "Payment"
thu 08:00 invoices is unblocked
thu 08:00 amy is blocked
thu 08:00 bob becomes shared
fri 23:59 amy runs Set-Mailbox from 2001:db8::1 as admin on bob Identity=bob@fabrikam.com ForwardingSmtpAddress="smtp:eve@evil.example"
mon+1 08:00 "Microsoft Exchange" audits "Add member to role." as service workload AzureActiveDirectory target bob Role.DisplayName="" becoming "Global Administrator"
expect forward-outside amy risk 60 says "outside"
expect shared-destination eve@evil.example
silent hidden-folder
silent
`

func TestParse(t *testing.T) {
	s := parse(t, whole)
	if got, want := len(s.Acts), 30; got != want {
		t.Errorf("acts: got %d, want %d", got, want)
	}
	r := s.Acts[2].Rule
	want := &tocsin.MailRule{
		Name:       "\u200b",
		Conditions: []tocsin.Term{{Name: "subject_contains", Values: []string{"invoice", `pay "now"`}}, {Name: "has_attachments", Values: []string{"true"}}},
		Exceptions: []tocsin.Term{{Name: "from_addresses", Values: []string{"bob@fabrikam.com"}}},
		Forward:    []tocsin.Address{{Address: "eve@evil.example"}, {Address: "bob@fabrikam.com"}},
		MoveTo:     &tocsin.Folder{WellKnown: "rssfeeds"}, MarkRead: true, Stop: true,
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("rule: got %+v, want %+v", r, want)
	}
	runs := s.Acts[28]
	if runs.Params["ForwardingSmtpAddress"] != "smtp:eve@evil.example" || runs.Args["on"] != "bob@fabrikam.com" || runs.Args["ip"] != "2001:db8::1" {
		t.Errorf("runs: got %+v", runs)
	}
	last := s.Acts[29]
	if last.Modified["Role.DisplayName"] != [2]string{"", "Global Administrator"} || last.At != 7*24*time.Hour+8*time.Hour {
		t.Errorf("audits: got %+v", last)
	}
	if d := s.World[8]; d.Until != 9*24*time.Hour+10*time.Hour || d.Title != "the yearly audit" {
		t.Errorf("exception: got %+v", d)
	}
	if got := s.Address("bob"); got != "bob@fabrikam.com" {
		t.Errorf("bob's address: got %q", got)
	}
}

func TestRoundTrip(t *testing.T) {
	s := parse(t, whole)
	again := parse(t, s.String())
	forgetLines(s)
	forgetLines(again)
	if !reflect.DeepEqual(s, again) {
		t.Errorf("got %s\nwant %s", again, s)
	}
}

func TestRefuses(t *testing.T) {
	const head = "domain a.example\nperson amy\n"
	for _, c := range []struct{ text, what, do string }{
		{"frobnicate", "frobnicate", "an act that begins with a day"},
		{"mon 09:00 bob is blocked", "bob", "declared before"},
		{"mon 09:00 amy makes rule x delete", "x", "in quotes"},
		{`mon 09:00 amy makes rule "x" explode`, "explode", "forward to"},
		{`mon 09:00 amy makes rule "x" when subject "a" delete`, "subject", "subject_contains"},
		{`mon 09:00 amy makes rule "x"`, "does nothing", "readonly"},
		{`mon 09:00 amy makes rule "x" forward to bob`, "bob", "short name of a declared person"},
		{`mon 09:00 amy makes rule "x`, "not closed", `\"`},
		{`mon 9:00 amy is blocked`, "9:00", "09:30"},
		{"tue 09:00 amy is blocked\nmon 09:00 amy is unblocked", "before the act above", "mon+1"},
		{"mon 09:00 amy signs in from nowhere", "nowhere", "203.0.113.7/NL"},
		{"mon 09:00 amy reads rule \"x\"", "rule", "mail"},
		{"mon 09:00 amy reads mail x", "x", "subject in quotes"},
		{"mon 09:00 amy receives from a@b.example subject", "too early", "subject in quotes"},
		{"mon 09:00 amy receives from a@b.example attaching \"a\" text \"b\"", "text", "end of the line"},
		{"mon 09:00 amy replies with mail \"x\"", "with", "to"},
		{"mon 09:00 amy moves mail \"x\"", "too early", "to"},
		{"mon 09:00 amy audits x as king", "king", "service"},
		{"mon 09:00 amy audits x bare", "bare", "KEY=VALUE"},
		{"expect x", "too early", "whom"},
		{"expect x amy risk 101", "101", "1 to 100"},
		{"person amy", "twice", "once"},
		{"silent a b", "b", "end of the line"},
		{"person bob bob@b.example boss", "boss", "newcomer"},
	} {
		_, err := Parse("s.story", strings.NewReader(head+c.text+"\n"))
		p, ok := errors.AsType[*tocsin.Problem](err)
		if !ok {
			t.Errorf("%s: got error %v, want a problem", c.text, err)
			continue
		}
		if !strings.HasPrefix(p.What, "s.story:") || !strings.Contains(p.What, c.what) || !strings.Contains(p.Do, c.do) {
			t.Errorf("%s: got %q, want %q and %q in it", c.text, p.Error(), c.what, c.do)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, l := range strings.SplitAfter(whole, "\n") {
		f.Add(l)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("fuzz.story", strings.NewReader(text))
		if err != nil {
			return
		}
		again, err := Parse("fuzz.story", strings.NewReader(s.String()))
		if err != nil {
			t.Fatalf("what was written is refused: %v\n%s", err, s)
		}
		forgetLines(s)
		forgetLines(again)
		if !reflect.DeepEqual(s, again) {
			t.Fatalf("got %q\nwant %q", again.String(), s.String())
		}
	})
}

func parse(t *testing.T, text string) *Story {
	t.Helper()
	s, err := Parse("test.story", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func forgetLines(s *Story) {
	for i := range s.World {
		s.World[i].Line = 0
	}
	for i := range s.Acts {
		s.Acts[i].Line = 0
	}
	for i := range s.Expects {
		s.Expects[i].Line = 0
	}
}
