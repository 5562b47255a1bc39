package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/dial"
)

// security is the syslog facility of security messages: https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1
const security = 10

// syslogBody is the message's findings as syslog messages (RFC 5424), each with an OCSF event as its text, framed by their
// length (https://www.rfc-editor.org/rfc/rfc5425#section-4.3). What strangers wrote is within JSON, where line ends are escaped.
func (m *Message) syslogBody(host string) ([]byte, error) {
	if host == "" {
		host = "-"
	}
	var b bytes.Buffer
	for _, e := range m.events() {
		text, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		level := map[any]int{5: 2, 4: 3, 3: 4, 2: 5, 1: 6}[e["severity_id"]]
		line := fmt.Sprintf("<%d>1 %s %s tocsin - %s - %s", security*8+level, m.Created.UTC().Format("2006-01-02T15:04:05.000Z"), host, m.Type(), text)
		fmt.Fprintf(&b, "%d %s", len(line), line)
	}
	return b.Bytes(), nil
}

// syslogAddress reads an address as host:port, with or without tls:// before it; the port is 6514 where none is given.
func syslogAddress(g *dial.Guard, s string) (string, error) {
	bad := func(what string) error {
		return tocsin.Problemf(tocsin.Invalid, "Give it as siem.acme.example:6514.", "%s", what)
	}
	rest, _ := strings.CutPrefix(s, "tls://")
	u, err := url.Parse("tls://" + rest)
	if err != nil || u.Hostname() == "" || u.Path != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(rest, " \t\r\n\\") {
		return "", bad("That is no address of a syslog server.")
	}
	port := u.Port()
	if port == "" {
		port = "6514"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", bad("That is no port of a syslog server.")
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		if in, ok := errors.AsType[*dial.Inside](g.Check(a)); ok {
			return "", in.Problem()
		}
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port), nil
}

// syslog writes the message over TLS. Syslog knows no answer: what was written counts as taken.
func (a *Alerts) syslog(ctx context.Context, address string, m *Message) outcome {
	host := ""
	if u, err := url.Parse(a.URL); err == nil {
		host = u.Hostname()
	}
	body, err := m.syslogBody(host)
	if err != nil {
		return ours(err)
	}
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return outcome{because: "its address cannot be read", mend: "Enter the address again."}
	}
	d := tls.Dialer{NetDialer: a.Guard.Dialer(), Config: &tls.Config{ServerName: name, RootCAs: a.Guard.Roots, MinVersion: tls.VersionTLS12}}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return unreached(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(within)); err != nil { // the socket's own clock
		return unreached(err)
	}
	if _, err := conn.Write(body); err != nil {
		return unreached(err)
	}
	if err := conn.Close(); err != nil {
		return unreached(err)
	}
	return outcome{ok: true}
}
