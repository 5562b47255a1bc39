package dial

import (
	"crypto/tls"
	"net/http"
	"strings"
	"time"
)

// partnerMost is how much of an answer of a partner is read.
const partnerMost = 1 << 20

// Partner is a client for a service whose address the operator has set, and which names further addresses in its answers, as
// an identity provider does. Its own host (host:port, as in its address) is called wherever it stands; every other one only
// where the guard lets through. It speaks https alone and follows no redirect, and an answer of more than 1 MiB is an error.
// A proxy of the environment is the operator's, and is asked.
func (g *Guard) Partner(host string, within time.Duration) *http.Client {
	home := http.DefaultTransport.(*http.Transport).Clone()
	home.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: g.Roots}
	c := g.Client(within)
	c.Transport = &partner{host: host, home: home, away: c.Transport}
	return c
}

// partner sends a request to the partner's own host, or elsewhere through the guard.
type partner struct {
	host string
	home *http.Transport
	away http.RoundTripper
}

// RoundTrip makes the request.
func (p *partner) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, ErrScheme
	}
	by := p.away
	if proxy, err := p.home.Proxy(r); strings.EqualFold(r.URL.Host, p.host) || err == nil && proxy != nil {
		by = p.home
	}
	res, err := by.RoundTrip(r)
	if err == nil {
		res.Body = http.MaxBytesReader(nil, res.Body, partnerMost)
	}
	return res, err
}
