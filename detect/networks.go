package detect

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// NetworkKind is what sort of network an address is of.
type NetworkKind string

// The kinds. From an office or a relay many people come, wherever they are; a vpn or hosting hides where somebody is.
const (
	Office    NetworkKind = "office"    // the organisation's own way out
	Relay     NetworkKind = "relay"     // a way out that a service puts before everybody: Zscaler, private relays
	VPN       NetworkKind = "vpn"       // one that sells to anybody
	Hosting   NetworkKind = "hosting"   // servers for rent
	Microsoft NetworkKind = "microsoft" // its own machinery, which signs in on behalf of others
)

// Network is what is known of a network.
type Network struct {
	Prefix netip.Prefix // of addresses; invalid where it is a whole autonomous system
	ASN    string       // without AS; empty where it is of addresses
	Kind   NetworkKind
	Name   string
}

// String is the network as [ParseNetwork] reads it.
func (n Network) String() string {
	if n.ASN != "" {
		return "AS" + n.ASN
	}
	if n.Prefix.IsSingleIP() {
		return n.Prefix.Addr().String()
	}
	return n.Prefix.String()
}

// Networks are those that somebody told of. Nil is none; what everybody knows is known besides.
type Networks []Network

// known are autonomous systems that everybody knows, by what stands about them in the registries (RIPE, ARIN, PeeringDB) and in
// the services' own pages. It is short on purpose: what is not here is said to be unknown.
var known = map[string]Network{
	"8075": {Kind: Microsoft, Name: "Microsoft"}, "8068": {Kind: Microsoft, Name: "Microsoft"}, "8069": {Kind: Microsoft, Name: "Microsoft"}, "12076": {Kind: Microsoft, Name: "Microsoft"},
	"62044": {Kind: Relay, Name: "Zscaler"}, "22616": {Kind: Relay, Name: "Zscaler"}, "53813": {Kind: Relay, Name: "Zscaler"}, "55256": {Kind: Relay, Name: "Netskope"}, "54538": {Kind: Relay, Name: "Palo Alto Networks"},
	"13335": {Kind: Relay, Name: "Cloudflare"}, "36183": {Kind: Relay, Name: "Akamai"}, "54113": {Kind: Relay, Name: "Fastly"}, "36692": {Kind: Relay, Name: "Cisco Umbrella"},
	"9009": {Kind: VPN, Name: "M247"}, "60068": {Kind: VPN, Name: "Datacamp"}, "212238": {Kind: VPN, Name: "Datacamp"}, "39351": {Kind: VPN, Name: "31173 Services"}, "136787": {Kind: VPN, Name: "PacketHub"}, "147049": {Kind: VPN, Name: "PacketHub"},
	"24940": {Kind: Hosting, Name: "Hetzner"}, "16276": {Kind: Hosting, Name: "OVH"}, "14061": {Kind: Hosting, Name: "DigitalOcean"}, "63949": {Kind: Hosting, Name: "Akamai Linode"}, "20473": {Kind: Hosting, Name: "Vultr"},
	"14618": {Kind: Hosting, Name: "Amazon"}, "16509": {Kind: Hosting, Name: "Amazon"}, "396982": {Kind: Hosting, Name: "Google Cloud"}, "51167": {Kind: Hosting, Name: "Contabo"}, "53667": {Kind: Hosting, Name: "FranTech"}, "36352": {Kind: Hosting, Name: "HostPapa"},
}

// Network says what is known of the network that an address is of, told by the organisation before known to everybody, and of
// what was told the narrowest. An asn is a number, empty or 0 where it is not told.
func (o *Org) Network(ip, asn string) (Network, bool) {
	addr, err := netip.ParseAddr(ip)
	var best *Network
	for i := range o.Networks {
		n := &o.Networks[i]
		switch {
		case n.ASN != "" && n.ASN == asn && best == nil:
			best = n
		case n.ASN == "" && err == nil && n.Prefix.Contains(addr.Unmap()) && (best == nil || best.ASN != "" || n.Prefix.Bits() > best.Prefix.Bits()):
			best = n
		}
	}
	if best != nil {
		return *best, true
	}
	n, ok := known[asn]
	n.ASN = asn
	return n, ok
}

// ParseNetwork reads AS9009, 203.0.113.7 or 203.0.113.0/24, with its kind.
func ParseNetwork(network, kind, name string) (Network, error) {
	n := Network{Kind: NetworkKind(strings.ToLower(kind)), Name: name}
	switch n.Kind {
	case Office, Relay, VPN, Hosting:
	default:
		return n, fmt.Errorf("%q is no kind of network: office, relay, vpn or hosting", kind)
	}
	if number, ok := strings.CutPrefix(strings.ToUpper(network), "AS"); ok {
		if v, err := strconv.ParseUint(number, 10, 32); err != nil || v == 0 {
			return n, fmt.Errorf("%q is no autonomous system: AS9009", network)
		}
		n.ASN = strings.TrimLeft(number, "0")
		return n, nil
	}
	if addr, err := netip.ParseAddr(network); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		n.Prefix = netip.PrefixFrom(addr, addr.BitLen())
		return n, nil
	}
	p, err := netip.ParsePrefix(network)
	if err != nil {
		return n, fmt.Errorf("%q is no network: AS9009, 203.0.113.7 or 203.0.113.0/24", network)
	}
	n.Prefix = p.Masked()
	return n, nil
}

// mostNetworks is how many a file may have.
const mostNetworks = 20_000

// ParseNetworks reads a file of networks: a line each, "AS9009 vpn M247" or "203.0.113.0/24 office Leeds", comments behind #. An
// error says in which line something is wrong, and what.
func ParseNetworks(r io.Reader) (Networks, error) {
	var out Networks
	s := bufio.NewScanner(r)
	for line := 1; s.Scan(); line++ {
		text, _, _ := strings.Cut(s.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		if len(fields) < 2 {
			return nil, fmt.Errorf("line %d: a network and its kind are wanted: AS9009 vpn", line)
		}
		n, err := ParseNetwork(fields[0], fields[1], strings.Join(fields[2:], " "))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if out = append(out, n); len(out) > mostNetworks {
			return nil, fmt.Errorf("line %d: more than %d networks", line, mostNetworks)
		}
	}
	return out, s.Err()
}
