package sim

import (
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// target is what a subscription is to.
type target struct {
	kind   targetKind
	box    int    // of messages
	folder int    // of messages; -1: all of them
	id     string // of a user or group; "": all of them
	sel    []string
	expand []expansion
	keep   condition // of messages; nil: all
}

type targetKind uint8

const (
	ofMessages targetKind = iota
	ofUsers
	ofGroups
)

// longest is how long a subscription of the kind may last.
// See https://learn.microsoft.com/graph/api/resources/subscription#subscription-lifetime.
func (t target) longest(rich bool) time.Duration {
	switch {
	case t.kind != ofMessages:
		return 41_760 * time.Minute
	case rich:
		return 1_440 * time.Minute
	}
	return 10_080 * time.Minute
}

// forSubscribe are the roles that open /subscriptions at all; what is subscribed to needs its own.
var forSubscribe = slices.Concat(forMail, forUserLog, forGroups)

// permits says whether the roles allow the subscription.
func (sub *subscription) permits(roles []string) bool {
	need := forMail
	switch sub.target.kind {
	case ofUsers:
		need = forUserLog
	case ofGroups:
		need = forGroups
	}
	return slices.ContainsFunc(roles, func(role string) bool { return slices.Contains(need, role) })
}

// aim reads a subscription's resource.
func (s *Sim) aim(r *request, sub *subscription) *reply {
	refuse := func(format string, args ...any) *reply {
		bad := s.refuse(r, http.StatusBadRequest, "BadRequest", format, args...)
		return &bad
	}
	path, raw, _ := strings.Cut(sub.resource, "?")
	parts, ok := split(strings.Trim(path, "/"), nil)
	if !ok || len(parts) == 0 || strings.Contains(path, "://") {
		return refuse("Invalid 'resource' attribute: '%s'.", sub.resource)
	}
	for i := range parts {
		if i%2 == 0 {
			parts[i] = strings.ToLower(parts[i])
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := &sub.target
	t.folder = -1
	var bad *reply
	switch n := len(parts); {
	case n == 3 && parts[0] == "users" && parts[2] == "messages":
		bad = s.aimBox(r, t, parts[1], "")
	case n == 5 && parts[0] == "users" && parts[2] == "mailfolders" && parts[4] == "messages":
		bad = s.aimBox(r, t, parts[1], parts[3])
	case n <= 2 && parts[0] == "users", n <= 3 && parts[0] == "groups":
		bad = s.aimDirectory(r, t, parts)
	case parts[0] == "me":
		return refuse("/me request is only valid with delegated authentication flow.")
	default:
		return refuse("Resource '%s' does not support change notifications.", sub.resource)
	}
	if bad == nil && !sub.permits(r.claims.Roles) {
		out := s.refuse(r, http.StatusForbidden, "ExtensionError", "Operation: Create; Exception: [Status Code: Forbidden; Reason: Access is denied. Check credentials and try again.]")
		bad = &out
	}
	if bad == nil && t.kind != ofMessages && sub.changes&created != 0 {
		bad = refuse("The changeType 'created' is not supported for the resource '%s': use updated.", sub.resource)
	}
	if bad == nil {
		if why := t.ask(raw); why != "" {
			bad = refuse("%s", why)
		}
	}
	return bad
}

func (s *Sim) aimBox(r *request, t *target, who, folder string) *reply {
	inner := *r
	inner.vars[0] = who
	p, bad := s.box(&inner)
	if bad != nil {
		return bad
	}
	t.box = p.i
	if folder == "" {
		return nil
	}
	f := s.world.folder(s.world.look(p), folder)
	if f == nil {
		out := s.refuse(r, http.StatusNotFound, "ErrorItemNotFound", "The specified object was not found in the store.")
		return &out
	}
	t.folder = f.n
	return nil
}

func (s *Sim) aimDirectory(r *request, t *target, parts []string) *reply {
	t.kind = ofUsers
	if parts[0] == "groups" {
		t.kind = ofGroups
	}
	var there bool
	switch {
	case len(parts) == 1:
		return nil
	case len(parts) == 3 && parts[2] != "members" && parts[2] != "owners":
		out := s.refuse(r, http.StatusBadRequest, "BadRequest", "Resource '%s' does not support change notifications.", strings.Join(parts, "/"))
		return &out
	case t.kind == ofUsers:
		p := s.world.find(parts[1])
		if there = p != nil; there {
			t.id = p.id
		}
	default:
		for _, g := range s.world.groups {
			if there = strings.EqualFold(g.id, parts[1]); there {
				t.id = g.id
				break
			}
		}
	}
	if !there {
		out := s.refuse(r, http.StatusNotFound, "Request_ResourceNotFound", "Resource '%s' does not exist or one of its queried reference-property objects are not present.", parts[1])
		return &out
	}
	return nil
}

// ask reads the query in a resource: $select and $filter, and $expand of extended properties.
func (t *target) ask(raw string) (why string) {
	q, err := parseQuery(raw)
	if err != nil {
		return err.Error()
	}
	for _, p := range q {
		switch {
		case t.kind != ofMessages:
			return "The resource of a directory object takes no query."
		case p.name == "$select":
			if t.sel, err = selection(p.value, messageProperties); err != nil {
				return err.Error()
			}
		case p.name == "$filter":
			if t.keep, _, err = parseFilter(p.value, messageProperties); err != nil {
				return err.Error()
			}
		case p.name == "$expand" && (strings.HasPrefix(p.value, "singleValueExtendedProperties") || strings.HasPrefix(p.value, "multiValueExtendedProperties")):
			if t.expand, err = expansions(p.value, messageProperties); err != nil {
				return err.Error()
			}
		default:
			return "The query parameter '" + p.name + "' is not supported in the resource of a subscription."
		}
	}
	return ""
}

// enrich reads what rich notifications need: properties to select, and a certificate to encrypt for.
func (sub *subscription) enrich(in obj) (why string) {
	if !sub.rich {
		return ""
	}
	switch {
	case sub.target.kind != ofMessages:
		return "includeResourceData is not supported for the resource '" + sub.resource + "'."
	case len(sub.target.sel) == 0:
		return "A subscription with includeResourceData needs $select in its resource."
	}
	for _, name := range sub.target.sel {
		if strings.EqualFold(name, "body") || strings.EqualFold(name, "uniqueBody") {
			return "The property '" + name + "' cannot be selected for notifications with resource data."
		}
	}
	text, id := in.text("encryptionCertificate"), in.text("encryptionCertificateId")
	if text == "" || id == "" {
		return "encryptionCertificate and encryptionCertificateId are required when includeResourceData is true."
	}
	if len(id) > 128 {
		return "The length of encryptionCertificateId exceeds the maximum of 128 characters."
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "encryptionCertificate is not the base64 form of a certificate."
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return "encryptionCertificate is not the base64 form of a certificate."
	}
	key, isRSA := c.PublicKey.(*rsa.PublicKey)
	if !isRSA || key.N.BitLen() < 2048 || key.N.BitLen() > 4096 {
		return "The key of encryptionCertificate must be RSA of 2048 to 4096 bits."
	}
	sum := sha1.Sum(der)
	sub.certificate, sub.lock = text, &lock{key: key, id: id, thumbprint: strings.ToUpper(hex.EncodeToString(sum[:]))}
	return ""
}

// withheld refuses a metadata-only connection that would be sent content.
func (s *Sim) withheld(r *request, sub *subscription) *reply {
	a := s.appBy(r.claims.AppID)
	a.mu.Lock()
	allowed := a.content
	a.mu.Unlock()
	if allowed {
		return nil
	}
	for _, name := range sub.target.sel {
		if slices.Contains(secretive, name) {
			s.counts.violate(r, "notifications with "+name)
			bad := s.refuse(r, http.StatusForbidden, "SimulatorMetadataOnly", "This connection is metadata-only and asked for notifications with %s.", name)
			return &bad
		}
	}
	return nil
}

// wrongAddress says what is wrong with an address for notifications: it is https, or http on loopback.
func wrongAddress(text string) string {
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Fragment != "" || u.User != nil {
		return "The notification URL '" + text + "' is not valid."
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return ""
	}
	return "The notification URL '" + text + "' must use the HTTPS protocol."
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// onlyLoopback is a net.Dialer's Control: whatever a name stands for, nothing but this machine is reached.
func onlyLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return &net.AddrError{Err: "the simulator delivers to this machine only", Addr: address}
	}
	return nil
}
