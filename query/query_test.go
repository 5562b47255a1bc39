package query

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/mail"
)

// sample is a mail with something of each kind in it.
func sample() *Doc {
	return &Doc{
		Known: Everything, From: []mail.Address{{Name: "Jürgen Boss", Address: "Billing@mail.Contoso.com"}}, To: []mail.Address{{Name: "Doe, Jane", Address: "jane@fabrikam.com"}},
		Cc: []mail.Address{{Address: "bob@fabrikam.com"}}, ReplyTo: []mail.Address{{Address: "drop@evil.example"}},
		Subject: "RE: Overdue in\u00advoice #123 for 発票番号 𝗯𝗼𝗹𝗱 Café", MessageID: "one@contoso.com", Received: time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC), Sent: time.Date(2026, 1, 14, 23, 0, 0, 0, time.UTC),
		HasAttachments: Yes, Importance: "high", Headers: []mail.Field{{Name: "X-Mailer", Value: "PHPMailer 5.2"}},
		Text: "Please pay today,\nor else. Your account-number is 42.", Other: "secret words", Size: 20_000,
		Links:       []mail.Link{mail.NewLink("https://login.evil.co.uk/a?b=C", "here", mail.InHTML), mail.NewLink("https://qr.example.net/", "", mail.InQR)},
		Attachments: []mail.Attachment{{Name: "Bill 2026.zip", Type: "application/zip", SHA256: strings.Repeat("ab", 32), Inside: []mail.Attachment{{Name: "run.me.ISO ", SHA256: strings.Repeat("cd", 32)}}}},
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		query string
		want  Truth
	}{
		{`invoice`, Yes}, {`INVOICE`, Yes}, {`invoic`, No}, {`invoic*`, Yes}, {`"overdue invoice"`, Yes}, {`"invoice overdue"`, No}, {`subject:"overdue inv*"`, Yes},
		{`subject:bold`, Yes}, {`subject:票番`, Yes}, {`subject:café`, Yes}, {"subject:cafe\u0301", Yes}, {`subject:cafe`, No},
		{`from:billing@mail.contoso.com`, Yes}, {`from:contoso.com`, Yes}, {`from:@contoso.com`, Yes}, {`from:ontoso.com`, No}, {`from:jürgen`, Yes}, {`from:bill`, No}, {`from:bill*`, Yes},
		{`from:billing@mail.contoso.co`, No}, {`from:billing@*`, Yes}, {`to:jane`, Yes}, {`to:"doe jane"`, Yes}, {`cc:jane`, No}, {`participants:evil.example`, Yes}, {`recipients:bob@fabrikam.com`, Yes},
		{`body:"pay today or else"`, Yes}, {`body:secret`, Yes}, {`body:invoice`, No}, {`account-number`, Yes}, {`body:/number is \d+\./`, Yes}, {`body:/^please/`, Yes}, {`body:/Number IS 43/`, No},
		{`attachment:bill*`, Yes}, {`attachment:*.iso`, Yes}, {`attachment:*.exe`, No}, {`attachment:*`, Yes}, {`attachment.sha256:` + strings.Repeat("CD", 32), Yes}, {`attachment.type:application/zip`, Yes},
		{`url:evil.co.uk/a`, Yes}, {`url.domain:evil.co.uk`, Yes}, {`url.domain:vil.co.uk`, No}, {`url.domain:co.uk`, Yes}, {`https://login.evil.co.uk/a?b=C`, Yes}, {`url:/qr\.example/`, Yes},
		{`header.x-mailer:phpmailer`, Yes}, {`header.X-Mailer:*`, Yes}, {`header.List-Id:*`, No},
		{`received:2026-01-15`, Yes}, {`received:2026-01-01..2026-01-14`, No}, {`received:2026-01-01..2026-01-15`, Yes}, {`received>2026-01-15`, No}, {`received>=2026-01-15`, Yes}, {`sent<2026-01-15`, Yes},
		{`received:today`, Unknown}, {`size>10KB`, Yes}, {`size:1KB..20KB`, Yes}, {`size<20000`, No}, {`size:20000`, Yes}, {`hasattachments:true`, Yes}, {`hasattachments:no`, No}, {`importance:high`, Yes},
		{`messageid:<one@contoso.com>`, Yes}, {`NOT invoice`, No}, {`-invoice`, No}, {`invoice -overdue`, No}, {`invoice NOT overdraft`, Yes}, {`subject<>invoice`, No},
		{`nothing OR invoice`, Yes}, {`nothing OR invoice AND nowhere`, No}, {`(nothing OR invoice) AND overdue`, Yes}, {`subject:(overdue nothing)`, No}, {`subject:(overdue OR nothing)`, Yes},
	} {
		q, err := Parse(c.query)
		if err != nil {
			t.Errorf("%s: %v", c.query, err)
			continue
		}
		got, why := q.Match(sample())
		if got != c.want {
			t.Errorf("%s: %v (%q), want %v", c.query, got, why, c.want)
		}
		if got == Yes && len(why) == 0 || got == Unknown && len(why) == 0 {
			t.Errorf("%s: %v without a reason", c.query, got)
		}
		again, err := Parse(q.String())
		if err != nil || again.String() != q.String() {
			t.Errorf("%s is written %s, and that is read as %v (%v)", c.query, q, again, err)
		} else if second, _ := again.Match(sample()); second != got {
			t.Errorf("%s written as %s matches otherwise: %v, not %v", c.query, q, second, got)
		}
	}
}

func TestUnknown(t *testing.T) {
	d := sample()
	d.Known, d.Text, d.Other, d.Links, d.Attachments, d.Headers, d.Size = 0, "", "", nil, nil, nil, 0
	for _, c := range []struct {
		query string
		want  Truth
		needs Need
	}{
		{`from:contoso.com`, Yes, 0}, {`from:elsewhere.com AND body:word`, No, 0}, {`from:contoso.com AND body:word`, Unknown, Body}, {`from:contoso.com OR body:word`, Yes, 0},
		{`body:word OR header.X-Mailer:word`, Unknown, Headers}, {`attachment:word`, Unknown, Attachments}, {`attachment.type:word`, Unknown, Attachments}, {`NOT body:word`, Unknown, Body},
		{`size>5`, Unknown, Hashes}, {`url.domain:evil.com`, Unknown, Body}, {`received:today`, Unknown, 0}, {`invoice`, Yes, 0}, {`elsewhere`, Unknown, Body},
	} {
		q := MustParse(c.query)
		got, _ := q.Match(d)
		if got != c.want || q.Needs(d) != c.needs {
			t.Errorf("%s: %v, needs %v; want %v, %v", c.query, got, q.Needs(d), c.want, c.needs)
		}
	}
	d.Known, d.Lost = Everything, mail.LostText
	if got, why := MustParse("body:word").Match(d); got != Unknown || !strings.Contains(why[0], "could not be read whole") {
		t.Errorf("a body that was lost: %v %q", got, why)
	}
}

func TestErrors(t *testing.T) {
	for query, says := range map[string]string{
		``: "column 1", `"open`: "column 1", `a AND`: "column 6", `a AND OR b`: "column 7", `(a`: "column 1", `a)`: "column 2", `foo:bar`: "column 1", `subject:`: "column 9", `received:tomorrow`: "column 10",
		`size>big`: "column 6", `attachment.sha256:abc`: "64 hexadecimal", `body:/(/`: "RE2", `body:/((a{100}){10}){10}/`: "RE2", `body:/` + strings.Repeat("x{500}", 20) + `/`: "too long", `a*b`: "end of a word",
		`received:2026-02-01..2026-01-01`: "empty", `hasattachments:maybe`: "true or false", `subject:(a to:b)`: "brackets", `a NEAR b`: "NEAR", strings.Repeat("(", 60) + "a": "deep", `>5`: "no property", `é foo:bar`: "column 3", `...`: "letters",
	} {
		_, err := Parse(query)
		var e *Error
		p, isProblem := errors.AsType[*tocsin.Problem](err)
		if !errors.As(err, &e) || !isProblem || p.Code != tocsin.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want %q in it", query, err, says)
		}
	}
}

func TestPush(t *testing.T) {
	now := time.Date(2026, 1, 20, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		query, filter, narrow, search string
		exact                         bool
	}{
		{`received:2026-01-01..2026-01-31`, `receivedDateTime ge 2026-01-01T00:00:00Z and receivedDateTime lt 2026-02-01T00:00:00Z`, ``, `received>=2026-01-01 AND received<=2026-02-01`, true},
		{`from:a@x.com AND received>=2026-01-01`, `receivedDateTime ge 2026-01-01T00:00:00Z and from/emailAddress/address eq 'a@x.com'`, ``, `from:\"a@x.com\" AND received>=2026-01-01`, false},
		{`from:o'neil@x.com`, `receivedDateTime ge 1900-01-01T00:00:00Z and from/emailAddress/address eq 'o''neil@x.com'`, ``, `from:\"o'neil@x.com\"`, false},
		{`subject:"overdue invoice" hasattachments:true`, `receivedDateTime ge 1900-01-01T00:00:00Z and hasAttachments eq true`,
			`receivedDateTime ge 1900-01-01T00:00:00Z and contains(subject,'overdue') and contains(subject,'invoice') and hasAttachments eq true`, `subject:\"overdue invoice\" AND hasAttachments:true`, false},
		{`from:a@x.com OR from:b@x.com`, `receivedDateTime ge 1900-01-01T00:00:00Z and (from/emailAddress/address eq 'a@x.com' or from/emailAddress/address eq 'b@x.com')`, ``, `(from:\"a@x.com\" OR from:\"b@x.com\")`, false},
		{`from:a@x.com OR body:word`, ``, ``, `(from:\"a@x.com\" OR body:word)`, false},
		{`NOT hasattachments:true`, `receivedDateTime ge 1900-01-01T00:00:00Z and not (hasAttachments eq true)`, ``, ``, true},
		{`NOT from:a@x.com`, ``, ``, ``, false}, {`body:/x/`, ``, ``, ``, false}, {`url.domain:evil.com`, ``, ``, ``, false},
		{`received:7d`, `receivedDateTime ge 2026-01-13T12:00:00Z and receivedDateTime lt 2026-01-20T12:00:00Z`, ``, `received>=2026-01-13 AND received<=2026-01-20`, true},
		{`messageid:x@y`, `receivedDateTime ge 1900-01-01T00:00:00Z and internetMessageId eq '<x@y>'`, ``, ``, false},
	} {
		p := MustParse(c.query).Push(now)
		if p.Filter != c.filter || p.Narrow != c.narrow || p.Search != c.search || p.Exact != c.exact {
			t.Errorf("%s:\n filter %s\n want   %s\n narrow %s\n want   %s\n search %s\n want   %s\n exact %v", c.query, p.Filter, c.filter, p.Narrow, c.narrow, p.Search, c.search, p.Exact)
		}
	}
}
