package sim

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// subscription is one that the application made: what it wants to be told of, and where. It is guarded by hook.mu.
type subscription struct {
	id, app, creator string
	resource         string // as it was asked for
	target           target
	changeType       string // as it was asked for
	changes          changes
	url, lifecycle   string
	clientState      string
	expires          time.Time
	authorized       time.Time // until when the token behind it holds
	asked            bool      // reauthorization was asked for since
	missed           bool      // and told of
	immutable        bool      // the form of its ids
	rich             bool
	certificate      string // base64 of the DER
	lock             *lock
	tls              string
	appID            string // notificationUrlAppId
}

// changes are the types of changes that are told of.
type changes uint8

const (
	created changes = 1 << iota
	updated
	deletedNow
)

var changeNames = map[string]changes{"created": created, "updated": updated, "deleted": deletedNow}

func (c changes) String() string {
	switch c {
	case created:
		return "created"
	case updated:
		return "updated"
	}
	return "deleted"
}

const (
	subscriptionLeast = 45 * time.Minute
	perMailbox        = 1000 // subscriptions of one mailbox, of all apps
	perTenant         = 100  // of the directory's objects, for an app in a tenant
)

// subscribe serves POST /subscriptions. It asks both addresses whether they want it, while nothing is locked.
// See https://learn.microsoft.com/graph/api/subscription-post-subscriptions.
func (s *Sim) subscribe(r *request) reply {
	in, err := parseObject(r.body)
	if err != nil {
		return s.refuse(r, http.StatusBadRequest, "BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	sub := &subscription{id: randomGUID(), app: r.claims.AppID, creator: r.claims.ObjectID, immutable: r.immutable()}
	if bad := s.describe(r, sub, in); bad != nil {
		return *bad
	}
	if bad := s.taken(r, sub); bad != nil {
		return *bad
	}
	for _, url := range []string{sub.url, sub.lifecycle} {
		if why := s.greet(url); why != "" {
			return s.refuse(r, http.StatusBadRequest, "ValidationError", "%s", why)
		}
	}
	h := &s.hook
	h.mu.Lock()
	defer h.mu.Unlock()
	if bad := s.conflict(r, sub); bad != nil { // somebody else may have been quicker
		return *bad
	}
	h.add(sub)
	o := sub.object(r)
	o = o.set("clientState", text(sub.clientState)).set("encryptionCertificate", text(sub.certificate))
	return reply{status: http.StatusCreated, body: r.entity("subscriptions/$entity", o)}
}

// describe reads and checks what a subscription shall be.
func (s *Sim) describe(r *request, sub *subscription, in obj) *reply {
	refuse := func(format string, args ...any) *reply {
		bad := s.refuse(r, http.StatusBadRequest, "BadRequest", format, args...)
		return &bad
	}
	for _, m := range in {
		if _, known := subscriptionProperties[m.k]; !known && !strings.Contains(m.k, "@") {
			return refuse("The property '%s' does not exist on type 'microsoft.graph.subscription'. Make sure to only use property names that are defined by the type.", m.k)
		}
	}
	sub.resource, sub.changeType = in.text("resource"), in.text("changeType")
	sub.url, sub.lifecycle, sub.clientState = in.text("notificationUrl"), in.text("lifecycleNotificationUrl"), in.text("clientState")
	sub.tls, sub.appID = cmp.Or(in.text("latestSupportedTlsVersion"), "v1_2"), in.text("notificationUrlAppId")
	for _, name := range []string{"changeType", "notificationUrl", "resource", "expirationDateTime"} {
		if in.text(name) == "" {
			return refuse("Subscription validation failed: the property '%s' is required.", name)
		}
	}
	if len(sub.clientState) > 128 {
		return refuse("The length of clientState exceeds the maximum of 128 characters.")
	}
	for _, url := range []string{sub.url, sub.lifecycle} {
		if why := wrongAddress(url); why != "" {
			return refuse("%s", why)
		}
	}
	var why string
	if sub.changes, why = readChanges(sub.changeType); why != "" {
		return refuse("%s", why)
	}
	if bad := s.aim(r, sub); bad != nil {
		return bad
	}
	v, _ := in.get("includeResourceData")
	sub.rich, _ = v.(bool)
	if why := sub.enrich(in); why != "" {
		return refuse("%s", why)
	}
	if bad := s.withheld(r, sub); bad != nil {
		return bad
	}
	at, bad := s.lifetime(r, sub, in.text("expirationDateTime"))
	if bad != nil {
		return bad
	}
	sub.expires = at
	sub.authorized = s.authorizedUntil()
	return nil
}

// readChanges reads created,updated,deleted.
func readChanges(list string) (changes, string) {
	var out changes
	for _, name := range strings.Split(list, ",") {
		c, ok := changeNames[strings.ToLower(strings.TrimSpace(name))]
		if !ok {
			return 0, "Invalid 'changeType' attribute: '" + list + "'. The supported values are created, updated and deleted."
		}
		out |= c
	}
	return out, ""
}

// lifetime is when a subscription that is asked for until a time ends: not below 45 minutes, and no longer than its kind may.
func (s *Sim) lifetime(r *request, sub *subscription, text string) (time.Time, *reply) {
	refuse := func(format string, args ...any) (time.Time, *reply) {
		bad := s.refuse(r, http.StatusBadRequest, "ExtensionError", format, args...)
		return time.Time{}, &bad
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	now := s.clock.Now()
	most := sub.target.longest(sub.rich)
	switch {
	case err != nil:
		bad := s.refuse(r, http.StatusBadRequest, "BadRequest", "Cannot convert the literal '%s' to the expected type 'Edm.DateTimeOffset'.", text)
		return time.Time{}, &bad
	case !at.After(now):
		return refuse("Operation: Create; Exception: [Status Code: BadRequest; Reason: Subscription expiration has to be in the future.]")
	case at.After(now.Add(most + time.Second)): // the clocks of two machines
		return refuse("Operation: Create; Exception: [Status Code: BadRequest; Reason: Subscription expiration can only be %d minutes in the future.]", int(most/time.Minute))
	}
	if least := now.Add(subscriptionLeast); at.Before(least) {
		at = least
	}
	return at.UTC(), nil
}

// taken looks for a subscription to the same, and at the quotas.
func (s *Sim) taken(r *request, sub *subscription) *reply {
	s.hook.mu.Lock()
	defer s.hook.mu.Unlock()
	return s.conflict(r, sub)
}

// conflict is taken for who holds hook.mu.
func (s *Sim) conflict(r *request, sub *subscription) *reply {
	h := &s.hook
	now := s.clock.Now()
	same := h.of(sub.target)
	for _, other := range same {
		if now.Before(other.expires) && other.app == sub.app && other.changes == sub.changes && other.path() == sub.path() {
			bad := s.refuse(r, http.StatusConflict, "Conflict", "Subscription Id %s already exists for the requested combination", other.id)
			return &bad
		}
	}
	limit, of := perMailbox, "mailbox"
	if sub.target.kind != ofMessages {
		limit, of = perTenant, "application and tenant"
		same = nil
		for _, other := range h.subs {
			if other.target.kind != ofMessages {
				same = append(same, other)
			}
		}
	}
	if len(same) < limit {
		return nil
	}
	bad := s.refuse(r, http.StatusForbidden, "Forbidden", "The %s has reached its limit of %d active subscriptions.", of, limit)
	return &bad
}

// path is the resource as two requests for the same thing agree in.
func (sub *subscription) path() string {
	return strings.ToLower(strings.Trim(sub.resource, "/"))
}

// mine is the subscription that the path names, if it is this app's and has not ended. The caller holds hook.mu.
func (s *Sim) mine(r *request) (*subscription, *reply) {
	sub := s.hook.subs[strings.ToLower(r.vars[0])]
	if sub == nil || sub.app != r.claims.AppID || !s.clock.Now().Before(sub.expires) {
		bad := s.refuse(r, http.StatusNotFound, "ResourceNotFound", "The object was not found.")
		return nil, &bad
	}
	return sub, nil
}

func (s *Sim) subscriptionList(r *request) reply {
	h := &s.hook
	h.mu.Lock()
	defer h.mu.Unlock()
	var own []*subscription
	for _, sub := range h.living() {
		if s.clock.Now().Before(sub.expires) && sub.app == r.claims.AppID && sub.permits(r.claims.Roles) {
			own = append(own, sub)
		}
	}
	return s.list(r, list{context: "subscriptions", props: subscriptionProperties, total: len(own), page: 100, max: 999,
		at: func(i int) (item, bool) { return whole(own[i].object(r)), true }})
}

func (s *Sim) oneSubscription(r *request) reply {
	s.hook.mu.Lock()
	defer s.hook.mu.Unlock()
	sub, bad := s.mine(r)
	if bad != nil {
		return *bad
	}
	return s.object(r, "subscriptions", subscriptionProperties, nil, whole(sub.object(r)))
}

// patchSubscription renews: another end, another certificate, another address, which is asked first.
func (s *Sim) patchSubscription(r *request) reply {
	in, err := parseObject(r.body)
	if err != nil {
		return s.refuse(r, http.StatusBadRequest, "BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	for _, m := range in {
		if !slices.Contains([]string{"expirationDateTime", "encryptionCertificate", "encryptionCertificateId", "notificationUrl"}, m.k) && !strings.Contains(m.k, "@") {
			return s.refuse(r, http.StatusBadRequest, "BadRequest", "The property '%s' of a subscription cannot be changed.", m.k)
		}
	}
	h := &s.hook
	h.mu.Lock()
	_, bad := s.mine(r)
	h.mu.Unlock()
	if bad != nil {
		return *bad
	}
	if url := in.text("notificationUrl"); url != "" {
		why := wrongAddress(url)
		if why == "" {
			why = s.greet(url)
		}
		if why != "" {
			return s.refuse(r, http.StatusBadRequest, "ValidationError", "%s", why)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	sub, bad := s.mine(r)
	if bad == nil {
		bad = s.renew(r, sub, in)
	}
	if bad != nil {
		return *bad
	}
	return ok(r.entity("subscriptions/$entity", sub.object(r)))
}

// renew changes a subscription as asked, or not at all. The caller holds hook.mu.
func (s *Sim) renew(r *request, sub *subscription, in obj) *reply {
	next := *sub
	if !sub.permits(r.claims.Roles) {
		bad := s.refuse(r, http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
		return &bad
	}
	if until := in.text("expirationDateTime"); until != "" {
		at, bad := s.lifetime(r, sub, until)
		if bad != nil {
			return bad
		}
		next.expires, next.authorized, next.asked = at, s.authorizedUntil(), false
	}
	if url := in.text("notificationUrl"); url != "" {
		next.url = url
	}
	if _, newer := in.get("encryptionCertificate"); newer && sub.rich {
		if why := next.enrich(in); why != "" {
			bad := s.refuse(r, http.StatusBadRequest, "BadRequest", "%s", why)
			return &bad
		}
	}
	// What a worker may read meanwhile (id, app, rich) stays untouched.
	sub.expires, sub.authorized, sub.asked, sub.url, sub.certificate, sub.lock = next.expires, next.authorized, next.asked, next.url, next.certificate, next.lock
	s.hook.stir(sub, s.clock.Now())
	return nil
}

func (s *Sim) deleteSubscription(r *request) reply {
	s.hook.mu.Lock()
	defer s.hook.mu.Unlock()
	sub, bad := s.mine(r)
	if bad != nil {
		return *bad
	}
	s.hook.drop(sub)
	return reply{status: http.StatusNoContent}
}

func (s *Sim) reauthorize(r *request) reply {
	s.hook.mu.Lock()
	defer s.hook.mu.Unlock()
	sub, bad := s.mine(r)
	if bad != nil {
		return *bad
	}
	if !sub.permits(r.claims.Roles) {
		return s.refuse(r, http.StatusForbidden, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
	}
	sub.authorized, sub.asked = s.authorizedUntil(), false
	s.hook.stir(sub, s.clock.Now())
	return reply{status: http.StatusNoContent}
}

// text is a string of a resource: null where there is none.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// object is Graph's subscription; the clientState and the certificate are told at its creation only.
func (sub *subscription) object(*request) obj {
	return obj{{"id", sub.id}, {"resource", sub.resource}, {"applicationId", sub.app}, {"changeType", sub.changeType}, {"clientState", nil},
		{"notificationUrl", sub.url}, {"notificationQueryOptions", nil}, {"lifecycleNotificationUrl", text(sub.lifecycle)},
		{"expirationDateTime", sub.expires.Format(fine)}, {"creatorId", sub.creator}, {"includeResourceData", sub.rich}, {"latestSupportedTlsVersion", sub.tls},
		{"encryptionCertificate", nil}, {"encryptionCertificateId", text(sub.lock.name())}, {"notificationUrlAppId", text(sub.appID)}}
}

// fine is how the subscription service writes times.
const fine = "2006-01-02T15:04:05.0000000Z07:00"

func (sub *subscription) String() string {
	return fmt.Sprintf("%s %s of %s until %s", sub.id, sub.changeType, sub.resource, sub.expires.Format(time.RFC3339))
}
