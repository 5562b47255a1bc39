// Package dial reaches addresses that people give, and never the server's inside.
//
// Whoever may enter an address (a webhook, a cloud of one's own) could otherwise have the server call what only the server
// reaches: its loopback, its network, the metadata service of its cloud. A [Guard] looks at the address that is dialled,
// after names were resolved and immediately before the connection is made, so that a name whose answer changes (DNS
// rebinding) gains nothing. Its clients speak https alone, follow no redirect and take no proxy from the environment.
package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"tocsin.dev"
)

// Guard says which addresses may be reached. The zero value lets through what is public, and nothing else.
type Guard struct {
	Allow    []netip.Prefix // networks of one's own that may be reached all the same
	Resolver *net.Resolver  // the system's where nil
	Roots    *x509.CertPool // certificate authorities; the system's where nil
}

// Inside is the error of an address that may not be reached: it is in the server's own network, or belongs to nobody.
type Inside struct {
	Address netip.Addr
	Why     string // a phrase: loopback, a private network …
}

func (e *Inside) Error() string {
	return fmt.Sprintf("%s may not be called: it is %s", e.Address, e.Why)
}

// Problem says it to a person.
func (e *Inside) Problem() *tocsin.Problem {
	p := tocsin.Problemf(tocsin.Invalid, "Give an address on the Internet, or have the operator allow the network in the setting alerts.allow.",
		"The address leads to %s (%s), which this server does not call for others.", e.Address, e.Why)
	p.Err = e
	return p
}

// Check is nil for an address that may be reached, an [*Inside] for another.
func (g *Guard) Check(a netip.Addr) error {
	plain := a.WithZone("").Unmap()
	for _, p := range g.Allow {
		if p.Contains(plain) {
			return nil
		}
	}
	if why := inside(plain); why != "" {
		return &Inside{Address: a, Why: why}
	}
	return nil
}

// Control is for net.Dialer: it refuses a connection to the inside when the address is known and nothing was sent yet.
func (g *Guard) Control(_ context.Context, network, address string, _ syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return fmt.Errorf("%s is not called over %s", address, network)
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%s is no address: %w", address, err)
	}
	return g.Check(to.Addr())
}

// Dialer dials what may be reached.
func (g *Guard) Dialer() *net.Dialer {
	return &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Resolver: g.Resolver, ControlContext: g.Control}
}

// Packets dials what may be reached, for datagrams.
func (g *Guard) Packets() *net.Dialer {
	return &net.Dialer{Timeout: 10 * time.Second, Resolver: g.Resolver, ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !strings.HasPrefix(network, "udp") {
			return fmt.Errorf("%s is not called over %s", address, network)
		}
		return g.Check(to.Addr())
	}}
}

// ErrScheme is the error of a request that is not https.
var ErrScheme = errors.New("only https is called")

// Client is an HTTP client behind the guard: https alone, no redirects (the redirect is the answer), no proxies, an answer
// within the time, headers of at most 64 KiB.
func (g *Guard) Client(within time.Duration) *http.Client {
	inner := &http.Transport{
		DialContext:            g.Dialer().DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: g.Roots},
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  within,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        30 * time.Second,
		ForceAttemptHTTP2:      true,
	}
	return &http.Client{Transport: secureOnly{inner}, Timeout: within,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// secureOnly makes https requests and refuses others.
type secureOnly struct{ *http.Transport }

// RoundTrip makes the request.
func (s secureOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, ErrScheme
	}
	return s.Transport.RoundTrip(r)
}

// URL reads an address that somebody gave: https, a host, nothing hidden in it. An address in numbers is checked at once;
// where a name leads is only known, and checked, when it is dialled. What is wrong is a tocsin.Problem.
func (g *Guard) URL(s string) (*url.URL, error) {
	const do = "Give it as https://host/path."
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return nil, tocsin.Problemf(tocsin.Invalid, do, "The address holds a blank or a character that addresses do not have.")
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return nil, tocsin.Problemf(tocsin.Invalid, do, "That is no address of a web server.")
	case u.Scheme != "https":
		return nil, tocsin.Problemf(tocsin.Invalid, do, "The address does not begin with https://, so anybody on the way could read and change what is sent.")
	case u.User != nil:
		return nil, tocsin.Problemf(tocsin.Invalid, do, "The address holds a user name or a password.")
	case u.Fragment != "":
		return nil, tocsin.Problemf(tocsin.Invalid, do, "The address holds a part after #, which is never sent.")
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		if in, ok := errors.AsType[*Inside](g.Check(a)); ok {
			return nil, in.Problem()
		}
	}
	return u, nil
}
