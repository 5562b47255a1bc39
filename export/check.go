package export

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tocsin.dev"
	"tocsin.dev/dial"
	"tocsin.dev/notify"
)

var (
	headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)
	subject    = regexp.MustCompile(`^[A-Za-z0-9_{}-]+(\.[A-Za-z0-9_{}-]+)*$`)
	topic      = regexp.MustCompile(`^[A-Za-z0-9._{}-]{1,200}$`)
	fileName   = regexp.MustCompile(`^[A-Za-z0-9_{}-][A-Za-z0-9._{}-]{0,99}$`)
	braces     = regexp.MustCompile(`\{[^}]*\}?|\}`)
)

func invalid(do, what string, args ...any) error {
	return tocsin.Problemf(tocsin.Invalid, do, what, args...)
}

// check says what cannot be right about the settings of an export of the kind, puts them into their form, and leaves of
// what another kind would know nothing. The address is the whole one; what may be shown of it takes its place.
func (x *Exports) check(kind string, s *Settings, k *keys) error {
	s.Name, s.Address = strings.TrimSpace(s.Name), strings.TrimSpace(s.Address)
	if s.Name == "" || notify.Clean(s.Name, 200) != s.Name {
		return invalid("Give a name such as “SIEM”.", "The export's name is empty, or holds what cannot be seen.")
	}
	if !slices.Contains(Forms, s.Form) {
		return invalid("Use native or ocsf.", "There is no form %q.", s.Form)
	}
	if s.Batch < 1 || s.Batch > 5000 || s.Wait < 0 || s.Wait > 60_000 {
		return invalid("Give 1 to 5000 events and 0 to 60000 milliseconds.", "Batches of %d events within %d ms are not possible.", s.Batch, s.Wait)
	}
	for _, v := range s.Types {
		if !slices.Contains(Types, v) {
			return invalid("Use "+strings.Join(Types, ", ")+".", "There is no type of events %q.", v)
		}
	}
	if len(s.Types)+len(s.Actions)+len(s.People) > 300 {
		return invalid("Name fewer, or none for all.", "The export is held to more than 300 types, actions and people.")
	}
	if len(k.Credential) > 16<<10 || kind != NATS && notify.Clean(k.Credential, 16<<10) != k.Credential {
		return invalid("Enter it again, on one line.", "The credential holds what a credential does not.")
	}
	var err error
	switch kind {
	case Webhook:
		err = x.checkWebhook(s, k)
	case Syslog:
		err = x.checkStream(s, k, "6514", "tls", "tcp", "udp")
	case NATS:
		err = x.checkNATS(s, k)
	case Kafka:
		err = x.checkKafka(s, k)
	case File:
		err = x.checkFile(s, k)
	}
	if err != nil {
		return err
	}
	if err := checkTLS(kind, s, k); err != nil {
		return err
	}
	usual := Usual(kind)
	if kind != Webhook {
		s.Body, s.Header = "", ""
	}
	if kind != Webhook && kind != File {
		s.Gzip = false
	}
	if kind != Syslog {
		s.Unconfirmed = false
	}
	if kind != File {
		s.MaxMB, s.MaxHours, s.Keep = 0, 0, 0
	}
	if kind != Kafka {
		s.SASL = ""
	}
	if usual.To == "" {
		s.To = ""
	}
	if kind != NATS && kind != Kafka {
		s.User = ""
	}
	return nil
}

func (x *Exports) checkWebhook(s *Settings, k *keys) error {
	if k.URL = strings.TrimSpace(k.URL); k.URL == "" {
		return invalid("Give it as https://host/path.", "The webhook's address is missing.")
	}
	if _, err := x.Guard.URL(k.URL); err != nil {
		return err
	}
	s.Address = notify.Shown(k.URL)
	if !slices.Contains(Bodies, s.Body) {
		return invalid("Use lines, array, splunk or elastic.", "No body of a request is called %q.", s.Body)
	}
	if !headerName.MatchString(s.Header) || slices.Contains([]string{"host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "webhook-id", "webhook-timestamp", "webhook-signature"}, strings.ToLower(s.Header)) {
		return invalid("Use Authorization, or a name such as X-Api-Key.", "%q is no header that can hold the credential.", notify.Clean(s.Header, 64))
	}
	return nil
}

// checkStream reads addresses such as tls://host:port, one or (where many is told by a comma) several, of these schemes.
func (x *Exports) checkStream(s *Settings, k *keys, port string, schemes ...string) error {
	scheme, hosts, err := x.addresses(k.URL, port, schemes...)
	if err != nil {
		return err
	}
	if len(hosts) > 1 {
		return invalid("Give one address.", "There are %d addresses.", len(hosts))
	}
	k.URL = scheme + "://" + hosts[0]
	s.Address = k.URL
	return nil
}

// addresses reads scheme://host:port,host:port; without a scheme it is the first of those there are.
func (x *Exports) addresses(text, port string, schemes ...string) (scheme string, hosts []string, err error) {
	do := "Give it as " + schemes[0] + "://host:" + port + "."
	text = strings.TrimSpace(text)
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = schemes[0], text
	}
	scheme = strings.ToLower(scheme)
	if !slices.Contains(schemes, scheme) {
		return "", nil, invalid("Use "+strings.Join(schemes, ", ")+".", "Nothing is sent by %q.", notify.Clean(scheme, 20))
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(rest, "/"), ",") {
		part = strings.TrimSpace(part)
		u, err := url.Parse("x://" + part)
		if err != nil || u.Hostname() == "" || u.Path != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(part, " \t\r\n\\") {
			return "", nil, invalid(do, "That is no address of a server.")
		}
		p := u.Port()
		if p == "" {
			p = port
		}
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return "", nil, invalid(do, "That is no port of a server.")
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil {
			if in, ok := errors.AsType[*dial.Inside](x.Guard.Check(a)); ok {
				return "", nil, in.Problem()
			}
		}
		hosts = append(hosts, net.JoinHostPort(strings.ToLower(u.Hostname()), p))
	}
	if len(hosts) > 20 {
		return "", nil, invalid("Give some of them.", "There are more than 20 addresses.")
	}
	return scheme, hosts, nil
}

func (x *Exports) checkNATS(s *Settings, k *keys) error {
	scheme, hosts, err := x.addresses(k.URL, "4222", "tls", "nats")
	if err != nil {
		return err
	}
	k.URL = scheme + "://" + strings.Join(hosts, ",")
	s.Address = k.URL
	file := strings.Contains(k.Credential, "-----BEGIN NATS USER JWT-----")
	switch {
	case scheme == "nats" && k.Credential != "" && !file:
		return invalid("Use tls:// before the address, or a credentials file, which does not send its secret.", "The password or token would be sent in the clear.")
	case s.User != "" && k.Credential == "":
		return invalid("Give the password as the credential.", "The user has no password.")
	case !subject.MatchString(s.To) || len(s.To) > 200:
		return invalid("Give one such as tocsin.{tenant}.{type}.{action}.", "That is no subject to publish to.")
	}
	return checkBraces(s.To)
}

func (x *Exports) checkKafka(s *Settings, k *keys) error {
	scheme, hosts, err := x.addresses(k.URL, "9093", "tls", "tcp")
	if err != nil {
		return err
	}
	k.URL = scheme + "://" + strings.Join(hosts, ",")
	s.Address = k.URL
	switch {
	case !slices.Contains(SASLs, s.SASL):
		return invalid("Use "+strings.Join(SASLs, ", ")+".", "No way to sign in to Kafka is called %q.", s.SASL)
	case s.SASL != "none" && (s.User == "" || k.Credential == ""):
		return invalid("Give the user, and the password as the credential.", "Signing in to Kafka needs a user and a password.")
	case s.SASL == "plain" && scheme != "tls":
		return invalid("Use tls:// before the address.", "The password would be sent in the clear.")
	case !topic.MatchString(s.To):
		return invalid("Give one such as tocsin-events or tocsin.{type}.", "That is no topic.")
	}
	return checkBraces(s.To)
}

func (x *Exports) checkFile(s *Settings, k *keys) error {
	if x.Dir == "" {
		return tocsin.Problemf(tocsin.Unavailable, "Have the operator set exports.directory, or use another kind of export.", "This server has no directory that exports may write to.")
	}
	k.URL, k.Credential = "", ""
	s.Address = ""
	switch {
	case !fileName.MatchString(s.To) || strings.Contains(s.To, ".."):
		return invalid("Give one such as events.jsonl or {type}.jsonl.", "That is no name of a file.")
	case s.MaxMB < 1 || s.MaxMB > 10_000 || s.MaxHours < 1 || s.MaxHours > 24*31 || s.Keep < 0 || s.Keep > 10_000:
		return invalid("Give 1 to 10000 MB, 1 to 744 hours, and 0 (all) to 10000 files.", "Files of %d MB or %d hours, of which %d are kept, are not possible.", s.MaxMB, s.MaxHours, s.Keep)
	}
	return checkBraces(s.To)
}

func checkBraces(pattern string) error {
	for _, b := range braces.FindAllString(pattern, -1) {
		if !slices.Contains([]string{"{tenant}", "{type}", "{action}"}, b) {
			return invalid("Use {tenant}, {type} and {action}.", "Nothing is put in for %s.", b)
		}
	}
	return nil
}
