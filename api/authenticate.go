package api

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// request is what is known of who asks, in the context of a request that came by HTTP.
type request struct {
	caller  *Caller
	address string // where from, for limits
	host    string // that was asked for
	agent   string // the browser, as it says
	session bool   // a session was loaded and can be written
}

type requestKey struct{}

func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// CallerOf is who asks; false where nobody is signed in.
func CallerOf(ctx context.Context) (Caller, bool) {
	if r := requestOf(ctx); r != nil && r.caller != nil {
		return *r.caller, true
	}
	return Caller{}, false
}

// WithCaller is ctx with c as who asks: for what the server itself does, and for tests.
func WithCaller(ctx context.Context, c Caller) context.Context {
	r := request{}
	if old := requestOf(ctx); old != nil {
		r = *old
	}
	r.caller = &c
	return context.WithValue(ctx, requestKey{}, &r)
}

// Authenticate finds out who asks, by API token or session cookie, for REST and pages alike, and puts it into the
// context. A stranger goes through without a caller; a token that is not valid does not. A change that a browser sends
// from another site is refused; programs with a token are no browsers.
func (s *Service) Authenticate(next http.Handler) http.Handler {
	bySession := s.sessions.LoadAndSave(s.origins.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := requestOf(r.Context())
		req.session = true
		c, err := s.bySession(r.Context())
		if err != nil {
			s.log.Error("who asks", "error", err)
			WriteProblem(w, err)
			return
		}
		req.caller = c
		next.ServeHTTP(w, r)
	})))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requestOf(r.Context()) != nil { // found out further out
			next.ServeHTTP(w, r)
			return
		}
		req := &request{address: s.addressOf(r), host: r.Host, agent: r.UserAgent()}
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, req))
		token, bearer := bearerOf(r)
		if !bearer {
			bySession.ServeHTTP(w, r)
			return
		}
		c, err := s.byToken(r.Context(), token)
		if err != nil {
			WriteProblem(w, err)
			return
		}
		req.caller = c
		next.ServeHTTP(w, r)
	})
}

func bearerOf(r *http.Request) (string, bool) {
	h := r.Header.Get("Authorization")
	scheme, token, _ := strings.Cut(h, " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "bearer")
}

// addressOf is where a request comes from. What a trusted proxy says of it is believed, from the right to the first
// that is no trusted proxy.
func (s *Service) addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusted(host); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		host = hop.Unmap().String()
	}
	return network(host)
}

// network is an address for counting: of IPv6 the /64, since whoever has one has all of it.
func network(host string) string {
	a, err := netip.ParseAddr(host)
	if err != nil || a.Unmap().Is4() {
		return host
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return host
	}
	return p.String()
}

func (s *Service) trusted(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && slices.ContainsFunc(s.o.Proxies, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// newOrigins refuses changes that a browser sends from another site (Sec-Fetch-Site, Origin).
func newOrigins(origin string) *http.CrossOriginProtection {
	p := http.NewCrossOriginProtection()
	if origin != "" {
		if err := p.AddTrustedOrigin(origin); err != nil {
			panic("api: the origin " + origin + " is not one: " + err.Error()) // the configuration was checked before
		}
	}
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		WriteProblem(w, tocsin.Problemf(tocsin.Denied, "Open Tocsin itself and do it there.", "A change was sent from another site."))
	}))
	return p
}

// bySession is who the session says, if they still may: the account is there, not disabled, has the same
// password, and nobody has ended the session.
func (s *Service) bySession(ctx context.Context) (*Caller, error) {
	id := s.sessions.GetString(ctx, keyAccount)
	if id == "" {
		return nil, nil
	}
	stamp := s.sessions.GetString(ctx, keyStamp)
	session := s.sessions.GetString(ctx, keySession)
	var c *Caller
	var stale bool
	err := s.st.View(ctx, func(tx *store.Tx) error {
		a, err := loadAccount(ctx, tx, `id = $1`, id)
		if errors.Is(err, store.ErrNone) || err == nil && (a.disabled || !same(stamp, a.stamp())) {
			return nil
		}
		if err != nil {
			return err
		}
		var open bool
		if open, stale, err = s.open(ctx, tx, session); err != nil || !open {
			return err
		}
		grants, err := loadGrants(ctx, tx, a.id)
		c = &Caller{Account: a.id, Email: a.email, Name: a.name, By: "session", Grants: grants, session: session}
		return err
	})
	if c != nil && stale {
		s.seen(ctx, session)
	}
	return c, err
}

// byToken is who an API token stands for. Its grants are its account's, held to its own role and tenant.
func (s *Service) byToken(ctx context.Context, token string) (*Caller, error) {
	var c *Caller
	var used int64
	err := s.st.View(ctx, func(tx *store.Tx) error {
		var id, account, role, tenant string
		var expires int64
		err := tx.QueryRow(ctx, `select id, account, role, tenant, expires, used from api_token where hash = $1`, hashToken(token)).
			Scan(&id, &account, &role, &tenant, &expires, &used)
		if errors.Is(err, store.ErrNone) || err == nil && expires != 0 && expires <= tocsin.Millis(s.now()) {
			return badToken
		}
		if err != nil {
			return err
		}
		a, err := loadAccount(ctx, tx, `id = $1`, account)
		if errors.Is(err, store.ErrNone) || err == nil && a.disabled {
			return badToken
		}
		if err != nil {
			return err
		}
		grants, err := loadGrants(ctx, tx, a.id)
		c = &Caller{Account: a.id, Email: a.email, Name: a.name, By: "token", Token: id, Grants: held(grants, Role(role), tenant)}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.noteUse(ctx, c.Token, used); err != nil {
		s.log.Warn("when a token was used was not noted", "error", err) // who reads must not depend on a write
	}
	return c, nil
}

// noteUse writes when a token was last used, to the minute, so that reading does not mean writing.
func (s *Service) noteUse(ctx context.Context, id string, used int64) error {
	now := s.now()
	if now.Sub(tocsin.FromMillis(used)) < time.Minute {
		return nil
	}
	return s.st.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `update api_token set used = $2 where id = $1`, id, now)
		return err
	})
}

// held are an account's grants as a token with this role and tenant has them.
func held(grants []Grant, role Role, tenant string) []Grant {
	out := []Grant{}
	whole := Caller{Grants: grants}
	if tenant != Everywhere {
		if r := whole.Role(tocsin.TenantID(tenant)).atMost(role); r != "" {
			out = append(out, Grant{Tenant: tenant, Role: r})
		}
		return out
	}
	for _, g := range grants {
		if r := g.Role.atMost(role); r != "" {
			out = append(out, Grant{Tenant: g.Tenant, Role: r})
		}
	}
	return out
}

// still is the caller as of now: their role may have been taken since a long answer began. nil: shut out.
func (s *Service) still(ctx context.Context, c Caller) (*Caller, error) {
	if c.By == "session" {
		return s.stillSession(ctx)
	}
	var now *Caller
	err := s.st.View(ctx, func(tx *store.Tx) error {
		var role, tenant string
		var expires int64
		err := tx.QueryRow(ctx, `select t.role, t.tenant, t.expires from api_token t join account a on a.id = t.account
			where t.id = $1 and not a.disabled`, c.Token).Scan(&role, &tenant, &expires)
		if errors.Is(err, store.ErrNone) || err == nil && expires != 0 && expires <= tocsin.Millis(s.now()) {
			return nil
		}
		if err != nil {
			return err
		}
		grants, err := loadGrants(ctx, tx, c.Account)
		c.Grants = held(grants, Role(role), tenant)
		now = &c
		return err
	})
	return now, err
}

// stillSession is the caller by the session as the table has it now: signing out deletes its row, and its end comes
// however busy it is. What the request loaded when it came says nothing of that.
func (s *Service) stillSession(ctx context.Context) (*Caller, error) {
	fresh, err := s.sessions.Load(bare{ctx}, s.sessions.Token(ctx))
	if err != nil {
		return nil, err
	}
	return s.bySession(fresh)
}

// bare is a context that ends as another does and has none of its values: a session is not loaded where there is one.
type bare struct{ context.Context }

func (bare) Value(any) any { return nil }

// WriteProblem answers err as application/problem+json.
func WriteProblem(w http.ResponseWriter, err error) {
	p := restError(err)
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="tocsin"`)
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // who has gone away needs no answer
}
