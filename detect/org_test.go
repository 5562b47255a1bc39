package detect

import (
	"testing"
	"time"

	"golang.org/x/net/idna"
	"tocsin.dev"
)

func org() *Org {
	return &Org{
		Domains:  map[string]bool{"fabrikam.com": true, "fabrikam.onmicrosoft.com": true, "*.fabrikam.org": true},
		Partners: map[string]bool{"trusted.example": true, "one@many.example": true},
		Now:      time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC),
	}
}

func TestPlace(t *testing.T) {
	o := org()
	for addr, want := range map[string]Place{
		"bob@fabrikam.com": Inside, "SMTP:Bob@FABRIKAM.com": Inside, "bob@sub.fabrikam.com": Outside, "bob@notfabrikam.com": Outside, "bob@a.b.fabrikam.org": Inside,
		"bob@fabrikam.org": Outside, "x@trusted.example": Partner, "one@many.example": Partner, "two@many.example": Outside, "/o=ExchangeLabs/cn=bob": Unknown, "bob": Unknown,
		"bob@fabrikam.com@evil.example": Outside,
	} {
		if got := o.Place(tocsin.Address{Address: addr}); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
	if o.Outside(tocsin.Address{Address: "bob"}) || !o.Outside(tocsin.Address{Address: "eve@evil.example"}) {
		t.Error("Outside disagrees with Place")
	}
}

func TestWithoutDomains(t *testing.T) {
	o := &Org{Lookup: func(a string) Known {
		if a == "cyd@second.example" {
			return Known{Kind: Person}
		}
		return Known{}
	}}
	for addr, want := range map[string]Place{"bob@fabrikam.com": Inside, "cyd@second.example": Inside, "eve@evil.example": Unknown} {
		if got := o.Where("amy@fabrikam.com", tocsin.Address{Address: addr}); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
	if o.Outside(tocsin.Address{Address: "eve@evil.example"}) {
		t.Error("known to be outside, though no domain is known")
	}
	if got := o.PlaceOfHost("amy@fabrikam.com", "www.fabrikam.com"); got != Inside {
		t.Errorf("own site: got %s", got)
	}
}

func TestDestinations(t *testing.T) {
	o := org()
	o.Lookup = func(a string) Known {
		switch a {
		case "finance@fabrikam.com":
			return Known{Kind: Group, Name: "Finance", Outside: []string{"eve@evil.example", "x@trusted.example"}}
		case "unread@fabrikam.com":
			return Known{Kind: Group, Partial: true}
		}
		return Known{Kind: Person}
	}
	r := &tocsin.MailRule{
		Forward:  []tocsin.Address{{Address: "bob@fabrikam.com"}, {Address: "finance@fabrikam.com"}, {Address: "unread@fabrikam.com"}},
		Redirect: []tocsin.Address{{Address: "Mallory@evil.example"}, {Address: "mallory@EVIL.example"}},
	}
	got := o.Destinations("amy@fabrikam.com", r)
	if len(got) != 2 || got[0].Address != "eve@evil.example" || got[0].Via != `the group "Finance" (finance@fabrikam.com)` ||
		got[1].Address != "mallory@evil.example" || got[1].Verb != "redirect" {
		t.Errorf("got %+v", got)
	}
}

func TestExceptions(t *testing.T) {
	o := org()
	m := &Meta{Name: "forward-outside", Family: "forwarding"}
	f := &tocsin.Finding{Person: "p1", Who: "amy@fabrikam.com", Subject: "rule-1"}
	good := Exception{Rule: "forward-outside", Scope: ScopePerson, Value: "AMY@fabrikam.com", Owner: "bob", Reason: "known", Expires: o.Now.Add(time.Hour)}
	change := func(c func(*Exception)) Exception { e := good; c(&e); return e }
	for name, c := range map[string]struct {
		e    Exception
		want bool
	}{
		"good":            {good, true},
		"by id":           {change(func(e *Exception) { e.Value = "p1" }), true},
		"by family":       {change(func(e *Exception) { e.Rule = "forwarding" }), true},
		"any rule":        {change(func(e *Exception) { e.Rule = "*" }), true},
		"subject":         {change(func(e *Exception) { e.Scope, e.Value = ScopeSubject, "rule-1" }), true},
		"own domain":      {change(func(e *Exception) { e.Scope, e.Value = ScopeDomain, "fabrikam.com" }), true},
		"all":             {change(func(e *Exception) { e.Scope = ScopeAll }), true},
		"for ever":        {change(func(e *Exception) { e.Expires = time.Time{} }), true},
		"another rule":    {change(func(e *Exception) { e.Rule = "hidden-folder" }), false},
		"another person":  {change(func(e *Exception) { e.Value = "bob@fabrikam.com" }), false},
		"expired":         {change(func(e *Exception) { e.Expires = o.Now }), false},
		"without owner":   {change(func(e *Exception) { e.Owner = "" }), false},
		"without reason":  {change(func(e *Exception) { e.Reason = "" }), false},
		"unknown to us":   {change(func(e *Exception) { e.Scope = "planet" }), false},
		"only a location": {change(func(e *Exception) { e.Scope, e.Value = ScopeAddress, "eve@evil.example" }), false},
	} {
		o.Exceptions = []Exception{c.e}
		if got := o.Excused(m, f) != nil; got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	o.Exceptions = []Exception{{Rule: "forwarding", Scope: ScopeAddress, Value: "Eve@evil.example", Owner: "bob", Reason: "known"}}
	eve := tocsin.Address{Address: "eve@EVIL.example"}
	if got := o.For(m).Place(eve); got != Partner {
		t.Errorf("an excepted destination: got %s", got)
	}
	if got := o.Place(eve); got != Outside {
		t.Errorf("the organisation itself was changed: got %s", got)
	}
}

func TestResembles(t *testing.T) {
	o := org()
	puny, err := idna.ToASCII("f\u0430brikam.com")
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"a@fabrikarn.com": true, "a@fabrlkam.com": true, "a@fabrikam.co": true, "a@fabrikam-mail.com": true, "a@fаbrikam.com": true, "a@" + puny: true, "a@fabrika.com": true,
		"a@fabrikam.com": false, "a@gmail.com": false, "a@fabricator.com": false, "a@contoso.com": false, "nobody": false,
	} {
		if own, got := o.Resembles(addr); got != want {
			t.Errorf("%s: got %v (%s), want %v", addr, got, own, want)
		}
	}
}

func TestOwnName(t *testing.T) {
	for addr, want := range map[string]bool{
		"amy.adams@gmail.com": true, "a.adams@gmail.com": true, "adams.amy@x.example": true, "aadams77@gmail.com": true, "eve@evil.example": false, "bob.adams@gmail.com": false, "amy@gmail.com": false,
	} {
		if got := OwnName(addr, "amyadams@fabrikam.com", "Amy Adams"); got != want {
			t.Errorf("%s: got %v, want %v", addr, got, want)
		}
	}
}

func TestSameMailbox(t *testing.T) {
	for in, want := range map[string]string{"E.v.e+x@GoogleMail.com": "eve@gmail.com", "a.b+c@evil.example": "a.b@evil.example", "nobody": "nobody", "+a@b.c": "+a@b.c"} {
		if got := SameMailbox(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestBreadth(t *testing.T) {
	term := func(name string, values ...string) tocsin.Term { return tocsin.Term{Name: name, Values: values} }
	for _, c := range []struct {
		terms []tocsin.Term
		want  Breadth
	}{
		{nil, Every},
		{[]tocsin.Term{term("sent_to_me", "true")}, Every},
		{[]tocsin.Term{term("sender_contains", "@")}, Every},
		{[]tocsin.Term{term("body_contains", "xyz", "e")}, Every},
		{[]tocsin.Term{term("header_contains", "Received:")}, Every},
		{[]tocsin.Term{term("within_size_range", "minimumSize=0", "maximumSize=999999")}, Every},
		{[]tocsin.Term{term("within_size_range_minimum", "1")}, Every},
		{[]tocsin.Term{term("within_size_range", "500-1000")}, Some},
		{[]tocsin.Term{term("within_size_range_maximum", "5")}, Some},
		{[]tocsin.Term{term("sent_to_me", "true"), term("subject_contains", "x-ray")}, Some},
		{[]tocsin.Term{term("subject_contains", "a"), term("from_addresses", "bob@fabrikam.com")}, ByAuthor},
		{[]tocsin.Term{term("not_told", "true")}, Some},
		{[]tocsin.Term{term("something_new", "true")}, Some},
	} {
		if got := RuleBreadth(&tocsin.MailRule{Conditions: c.terms}); got != c.want {
			t.Errorf("%+v: got %d, want %d", c.terms, got, c.want)
		}
	}
}

func TestMemory(t *testing.T) {
	var m Memory
	at := org().Now
	for i := range 3 * MaxNotes {
		m.Add("spray", "203.0.113.7", Note{At: at.Add(time.Duration(i) * time.Second), Value: string(rune('a' + i%3))})
	}
	if n := len(m.Since("spray", "203.0.113.7", time.Time{})); n < MaxNotes || n > 2*MaxNotes {
		t.Errorf("kept %d notes", n)
	}
	last, ok := m.Last("spray", "203.0.113.7")
	if !ok || last.At != at.Add((3*MaxNotes-1)*time.Second) {
		t.Errorf("last: got %+v", last)
	}
	if n := Distinct(m.Since("spray", "203.0.113.7", last.At.Add(-9*time.Second))); n != 3 {
		t.Errorf("distinct: got %d", n)
	}
	m.Trim(last.At)
	if n := len(m.Since("spray", "203.0.113.7", time.Time{})); n != 1 {
		t.Errorf("after trimming: %d notes", n)
	}
	m.Trim(last.At.Add(time.Second))
	if _, ok := m.Last("spray", "203.0.113.7"); ok || len(m.notes) != 0 {
		t.Error("an empty key is left")
	}
	m.Forget("spray", "nobody")
}
