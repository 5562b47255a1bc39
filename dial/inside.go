package dial

import "net/netip"

// block is a network that is not on the Internet, or not somebody's to name.
type block struct {
	net netip.Prefix
	why string
}

func blocks(list ...string) []block {
	var out []block
	for i := 0; i < len(list); i += 2 {
		out = append(out, block{netip.MustParsePrefix(list[i]), list[i+1]})
	}
	return out
}

// closed4 are the IPv4 networks of the IANA special-purpose registry that are not globally reachable
// (https://www.iana.org/assignments/iana-ipv4-special-registry/), and addresses of cloud providers' inner services that
// stand outside of these.
var closed4 = blocks(
	"0.0.0.0/8", "this host",
	"10.0.0.0/8", "a private network",
	"100.64.0.0/10", "a carrier's inner network",
	"127.0.0.0/8", "this host's loopback",
	"169.254.0.0/16", "link-local, where clouds keep their metadata",
	"172.16.0.0/12", "a private network",
	"192.0.0.0/24", "set aside for protocols",
	"192.0.2.0/24", "for documentation",
	"192.88.99.0/24", "a relay to IPv6",
	"192.168.0.0/16", "a private network",
	"198.18.0.0/15", "for measuring networks",
	"198.51.100.0/24", "for documentation",
	"203.0.113.0/24", "for documentation",
	"224.0.0.0/4", "multicast",
	"240.0.0.0/4", "reserved, or broadcast",
	"168.63.129.16/32", "Azure's inner service", // https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
)

// closed6 are the IPv6 networks within 2000::/3 that are not globally reachable, or that wrap an IPv4 address
// (https://www.iana.org/assignments/iana-ipv6-special-registry/). Outside of 2000::/3 nothing is reachable but NAT64.
var closed6 = blocks(
	"2001::/23", "set aside for protocols, Teredo among them",
	"2001:db8::/32", "for documentation",
	"3fff::/20", "for documentation",
)

var (
	global6 = netip.MustParsePrefix("2000::/3")
	nat64   = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixTo4  = netip.MustParsePrefix("2002::/16")    // RFC 3056
	loop6   = netip.IPv6Loopback()
)

// inside is why an address without a zone, not IPv4 in IPv6's form, may not be reached; empty where it may.
func inside(a netip.Addr) string {
	if !a.IsValid() {
		return "no address"
	}
	if a.Is4() {
		return among(closed4, a)
	}
	raw := a.As16()
	switch {
	case a == loop6:
		return "this host's loopback"
	case nat64.Contains(a):
		return wrapped(netip.AddrFrom4([4]byte(raw[12:])))
	case sixTo4.Contains(a):
		return wrapped(netip.AddrFrom4([4]byte(raw[2:6])))
	case a.IsPrivate():
		return "a private network"
	case a.IsLinkLocalUnicast():
		return "link-local"
	case a.IsMulticast():
		return "multicast"
	case !global6.Contains(a):
		return "not on the Internet"
	}
	return among(closed6, a)
}

// wrapped is why an IPv4 address within an IPv6 one may not be reached.
func wrapped(a netip.Addr) string {
	if why := among(closed4, a); why != "" {
		return why + ", written in IPv6 as " + a.String()
	}
	return ""
}

func among(list []block, a netip.Addr) string {
	for _, b := range list {
		if b.net.Contains(a) {
			return b.why
		}
	}
	return ""
}
