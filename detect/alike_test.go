package detect

import "testing"

func TestAlike(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"contoso.co", "contoso.com", true},
		{"c0ntoso.com", "contoso.com", true},
		{"cont\u043eso.com", "contoso.com", true},
		{"xn--contso-zqf.com", "contoso.com", true}, // the same in punycode
		{"fabrikarn.com", "fabrikam.com", true},
		{"fabrikan.com", "fabrikam.com", true},
		{"contoso-mail.com", "contoso.com", true},
		{"contoso.com", "contoso-mail.com", true},
		{"contoso.com", "contoso.com", false},
		{"mail.contoso.com", "contoso.com", false},
		{"partner1.example", "partner2.example", false},
		{"partner1.example", "partner10.example", false},
		{"firm.example", "farm.example", false}, // four letters: one other is another word
		{"gmail.com", "gmall.com", false},       // anybody's mailbox is no correspondent's domain
		{"northwind.com", "contoso.com", false},
		{"", "contoso.com", false},
	} {
		if got := Alike(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}

func FuzzAlike(f *testing.F) {
	f.Add("c0ntoso.com", "contoso.com")
	f.Fuzz(func(t *testing.T, a, b string) {
		if Alike(a, b) != Alike(b, a) {
			t.Errorf("%q and %q are alike one way only", a, b)
		}
	})
}
