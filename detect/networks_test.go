package detect

import (
	"strings"
	"testing"
)

// TestNetwork: what the organisation told outweighs what everybody knows, and of that the narrowest; what nobody told is not known.
func TestNetwork(t *testing.T) {
	list, err := ParseNetworks(strings.NewReader("# ours\nAS9009 office Our provider\n203.0.113.0/24 vpn Field\n\n203.0.113.7 office Leeds # the door\n"))
	if err != nil {
		t.Fatal(err)
	}
	o := Org{Networks: list}
	for _, c := range []struct {
		ip, asn string
		want    NetworkKind
		name    string
	}{
		{"203.0.113.7", "9009", Office, "Leeds"}, {"203.0.113.8", "9009", VPN, "Field"}, {"::ffff:203.0.113.8", "", VPN, "Field"}, {"198.51.100.1", "9009", Office, "Our provider"},
		{"198.51.100.1", "8075", Microsoft, "Microsoft"}, {"198.51.100.1", "24940", Hosting, "Hetzner"}, {"198.51.100.1", "2856", "", ""}, {"nonsense", "", "", ""},
	} {
		if n, ok := o.Network(c.ip, c.asn); n.Kind != c.want || n.Name != c.name || ok != (c.want != "") {
			t.Errorf("%s of AS%s: %q %q %v, want %q %q", c.ip, c.asn, n.Kind, n.Name, ok, c.want, c.name)
		}
	}
	for text, says := range map[string]string{"AS9009": "line 1: a network and its kind", "AS0 vpn": "no autonomous system", "ASx vpn": "no autonomous system", "x vpn": "no network", "AS1 home": "no kind", "\n10.0.0.0/33 vpn": "line 2"} {
		if _, err := ParseNetworks(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

// FuzzNetworks: whatever is read can be written and read again as the same.
func FuzzNetworks(f *testing.F) {
	f.Add("AS9009 vpn M247\n203.0.113.0/24 office Leeds\n2001:db8::/32 hosting\n")
	f.Add("::ffff:1.2.3.4 relay\nAS007 vpn")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ParseNetworks(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, n := range list {
			again, err := ParseNetwork(n.String(), string(n.Kind), n.Name)
			if err != nil || again != n {
				t.Errorf("%+v is read again as %+v (%v)", n, again, err)
			}
		}
	})
}
