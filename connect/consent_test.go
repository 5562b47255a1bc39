package connect

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store"
)

const callback = "https://tocsin.example/connect/callback"

var asker = Asker{Account: "a1", Email: "amy@x.example", Session: "session of a browser"}

func anyTenant(tocsin.TenantID) error { return nil }

// registered gives the bench a registration of the read tier: the simulator's app.
func (b *bench) register() {
	b.Helper()
	_, err := b.s.SetRegistration(b.Context(), "ops@x.example", NewRegistration{Tier: Read, Client: b.w.ClientID(), Secret: b.w.Secret(), Own: Own{Authority: sim.Address, Graph: sim.Address}})
	if err != nil {
		b.Fatal(err)
	}
	b.w.Redirects(callback)
}

func (b *bench) begin(who Asker, in Begin) string {
	b.Helper()
	in.Redirect, in.Tier = callback, Read
	address, err := b.s.BeginConsent(b.Context(), who, in)
	if err != nil {
		b.Fatal(err)
	}
	return address
}

// answer is what somebody does on a page of the simulator, and the query that the browser comes back with.
func (b *bench) answer(address string, pairs ...string) Answer {
	b.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	c := b.w.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := c.PostForm(address, form)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	to, err := res.Location()
	if err != nil {
		text, _ := io.ReadAll(res.Body)
		b.Fatalf("%s leads nowhere: %d\n%s", address, res.StatusCode, text)
	}
	if at := to.Scheme + "://" + to.Host + to.Path; at != callback {
		b.Fatalf("sent back to %s", at)
	}
	return answerOf(to.Query())
}

func answerOf(q url.Values) Answer {
	return Answer{State: q.Get("state"), Code: q.Get("code"), Tenant: q.Get("tenant"), AdminConsent: q.Get("admin_consent"), Error: q.Get("error"), Description: q.Get("error_description")}
}

func (b *bench) finish(a Answer) (Step, error) {
	return b.s.FinishConsent(b.Context(), asker, a, anyTenant)
}

// toConsent goes as far as the consent page, and gives its address.
func (b *bench) toConsent(in Begin) string {
	b.Helper()
	step, err := b.finish(b.answer(b.begin(asker, in), "account", "global"))
	if err != nil {
		b.Fatal(err)
	}
	return step.Next
}

// ticked are form values that accept these permissions as a Global Administrator.
func ticked(account string, roles ...string) []string {
	out := []string{"account", account, "accept", "yes"}
	for _, r := range roles {
		out = append(out, "permission", r)
	}
	return out
}

// what is the sentence of a problem.
func what(err error) string {
	if err == nil {
		return ""
	}
	return tocsin.AsProblem(err).What
}

// TestConsent: one sign-in and one consent connect the tenant, with who consented and when; another consent adds to it.
func TestConsent(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.register()
		b.w.Remove(true) // the app is not in the tenant before it is consented to
		b.w.Consent()
		b.w.Request("User.Read.All", "Directory.Read.All", "MailboxSettings.Read", "Mail.ReadBasic.All")
		address := b.begin(asker, Begin{})
		at, err := url.Parse(address)
		if err != nil {
			b.Fatal(err)
		}
		q := at.Query()
		if at.Path != "/organizations/oauth2/v2.0/authorize" || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 ||
			len(q.Get("state")) < 43 || len(q.Get("nonce")) < 43 || q.Get("scope") != "openid profile" || q.Get("redirect_uri") != callback {
			b.Fatalf("sent to %s", address)
		}
		next := b.toConsent(Begin{})
		if !strings.HasPrefix(next, sim.Address+"/"+b.w.Tenant()+"/v2.0/adminconsent?") {
			b.Fatalf("sent to %s", next)
		}
		step, err := b.finish(b.answer(next, ticked("global", "User.Read.All", "MailboxSettings.Read")...))
		if err != nil {
			b.Fatal(err)
		}
		c := step.Connection
		if string(c.Tenant) != b.w.Tenant() || c.Method != MethodOAuth || c.State != On {
			b.Fatalf("connected %+v", c)
		}
		if roles, err := b.client(c).Roles(b.Context()); err != nil || !slices.Equal(roles, []string{"User.Read.All", "MailboxSettings.Read"}) {
			b.Fatalf("granted %v, %v", roles, err)
		}
		states := b.capabilities(c)
		if states["mailbox-rules"] != Degraded || states["roles"] != Off || states["mailbox-settings"] != Works {
			b.Errorf("after consent to less: %v", states)
		}

		again, err := b.finish(b.answer(b.toConsent(Begin{Tenant: b.w.Tenant()}), ticked("privileged", "User.Read.All", "MailboxSettings.Read", "Directory.Read.All", "Mail.ReadBasic.All")...))
		if err != nil {
			b.Fatal(err)
		}
		if again.Connection.ID != c.ID || again.Connection.Version <= c.Version {
			b.Errorf("connected again: %+v, before %+v", again.Connection, c)
		}
		states = b.capabilities(c)
		if states["mailbox-rules"] != Works || states["roles"] != Works {
			b.Errorf("after another consent: %v", states)
		}
		b.view(c, func(tx *store.Tenant) error {
			rows, err := tx.Query(b.Context(), `select name, upn, actor, granted from consented where tenant = $1 and connection = $2 order by at, id`, c.ID)
			if err != nil {
				return err
			}
			defer rows.Close()
			var granted []string
			for rows.Next() {
				var name, upn, actor, g string
				if err := rows.Scan(&name, &upn, &actor, &g); err != nil {
					return err
				}
				if name != "Gloria Global" || !strings.HasPrefix(upn, "gloria.global@") || actor != asker.Email {
					b.Errorf("consented: %s, %s, for %s", name, upn, actor)
				}
				granted = append(granted, g)
			}
			if len(granted) != 2 || granted[0] != `["User.Read.All","MailboxSettings.Read"]` {
				b.Errorf("granted %v", granted)
			}
			return rows.Err()
		})
	})
}

func (b *bench) capabilities(c Connection) map[string]State {
	b.Helper()
	list, err := b.s.Test(b.Context(), c.Tenant, c.ID)
	if err != nil {
		b.Fatal(err)
	}
	out := map[string]State{}
	for _, v := range list {
		out[v.Name] = v.State
	}
	return out
}

func (b *bench) view(c Connection, do func(*store.Tenant) error) {
	b.Helper()
	if err := b.s.Store.ViewTenant(b.Context(), c.Tenant, do); err != nil {
		b.Fatal(err)
	}
}

// TestConsentRefused: each way not to consent is a sentence, and connects nothing.
func TestConsentRefused(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.register()
		for name, c := range map[string]struct {
			answer Answer
			want   string
		}{
			"the sign-in is left":         {b.answer(b.begin(asker, Begin{}), "cancel", "yes"), "The consent was refused"},
			"the consent is refused":      {b.answer(b.toConsent(Begin{}), "cancel", "yes"), "The consent was refused"},
			"who may not, goes back":      {b.answer(b.toConsent(Begin{}), "return", "yes"), "may not consent"},
			"the app is not found":        {Answer{State: stateOf(b.toConsent(Begin{})), Error: "unauthorized_client", Description: "AADSTS700016: Application with identifier 'x' was not found"}, "The app is not in this tenant"},
			"an error that nobody knows":  {Answer{State: stateOf(b.toConsent(Begin{})), Error: "<script>alert(1)</script>", Description: "<b>"}, "Microsoft refuses"},
			"no consent is said":          {Answer{State: stateOf(b.toConsent(Begin{})), Tenant: b.w.Tenant()}, "The consent was refused"},
			"out of order for the moment": {Answer{State: stateOf(b.toConsent(Begin{})), Error: "temporarily_unavailable"}, "out of order"},
		} {
			_, err := b.finish(c.answer)
			if !strings.Contains(what(err), c.want) || tocsin.AsProblem(err).Do == "" {
				b.Errorf("%s: %v", name, err)
			}
		}
		if all, err := b.s.List(b.Context()); err != nil || len(all) > 0 {
			b.Errorf("connected all the same: %v, %v", all, err)
		}
	})
}

func stateOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Query().Get("state")
}

// TestConsentForged: what did not come of a consent begun here, by this account in this session, is refused.
func TestConsentForged(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.register()
		const none = "belongs to no consent"
		good := b.answer(b.begin(asker, Begin{}), "account", "global")
		forged := good
		forged.State = graph.Secret()
		empty := good
		empty.State = ""
		for name, a := range map[string]Answer{"a forged state": forged, "no state": empty} {
			if _, err := b.finish(a); !strings.Contains(what(err), none) {
				b.Errorf("%s: %v", name, err)
			}
		}
		for name, who := range map[string]Asker{
			"another session": {Account: asker.Account, Email: asker.Email, Session: "an attacker's"},
			"another account": {Account: "a2", Email: "eve@x.example", Session: asker.Session},
			"no session":      {Account: asker.Account, Email: asker.Email},
		} {
			if _, err := b.s.FinishConsent(b.Context(), who, good, anyTenant); !strings.Contains(what(err), none) {
				b.Errorf("%s: %v", name, err)
			}
		}
		if _, err := b.s.BeginConsent(b.Context(), Asker{Account: "a1"}, Begin{Tier: Read, Redirect: callback}); err == nil {
			b.Error("a consent was begun outside of a session")
		}
		step, err := b.finish(good) // who tried in vain did not use it up
		if err != nil {
			b.Fatal(err)
		}
		if _, err := b.finish(good); !strings.Contains(what(err), none) {
			b.Errorf("a replayed state: %v", err)
		}

		// A code that was redeemed comes with a state that is good.
		stolen := b.answer(b.begin(asker, Begin{}), "account", "global")
		stolen.Code = good.Code
		if _, err := b.finish(stolen); !strings.Contains(what(err), "code was used already") {
			b.Errorf("a replayed code: %v", err)
		}
		// A code of another sign-in, not redeemed yet: PKCE.
		injected := b.answer(b.begin(asker, Begin{}), "account", "global")
		injected.Code = b.answer(b.begin(Asker{Account: "a2", Email: "eve@x.example", Session: "hers"}, Begin{}), "account", "global").Code
		if _, err := b.finish(injected); !strings.Contains(what(err), "belongs to another sign-in") {
			b.Errorf("an injected code: %v", err)
		}

		accepted := b.answer(step.Next, ticked("global", "User.Read.All")...)
		late := accepted
		b.s.Store.Clock().Advance(stateLife)
		if _, err := b.finish(late); !strings.Contains(what(err), none) {
			b.Errorf("ten minutes later: %v", err)
		}
		if all, err := b.s.List(b.Context()); err != nil || len(all) > 0 {
			b.Errorf("connected all the same: %v, %v", all, err)
		}
	})
}

// TestConsentTenantMixUp: the tenant is proven; what an address says of it only agrees or is refused.
func TestConsentTenantMixUp(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.register()
		const other = "6731de76-14a6-49ae-97bc-6eba6914391e"
		for name, tenant := range map[string]string{"another tenant": other, "no tenant": "", "a name": "contoso.com", "markup": "<b>"} {
			a := b.answer(b.toConsent(Begin{}), ticked("global", "User.Read.All")...)
			a.Tenant = tenant
			if _, err := b.finish(a); !strings.Contains(what(err), "Nothing was connected") || strings.Contains(what(err), "<b>") {
				b.Errorf("the redirect names %s: %v", name, err)
			}
		}
		// Who signs in is of another organisation: that is the tenant that would be connected, and the asker may not.
		a := b.answer(b.begin(asker, Begin{}), "account", "elsewhere")
		asked := ""
		_, err := b.s.FinishConsent(b.Context(), asker, a, func(id tocsin.TenantID) error {
			asked = string(id)
			return tocsin.Problemf(tocsin.Denied, "Ask.", "Not yours.")
		})
		if what(err) != "Not yours." || asked == b.w.Tenant() || asked == "" {
			b.Errorf("somebody of another tenant: %v, asked for %q", err, asked)
		}
		// One tenant was to be connected, and the token is of another.
		u, err := url.Parse(b.begin(asker, Begin{Tenant: other}))
		if err != nil {
			b.Fatal(err)
		}
		u.Path = "/organizations/oauth2/v2.0/authorize" // as an attacker has the browser go elsewhere
		if _, err := b.finish(b.answer(u.String(), "account", "global")); err == nil {
			b.Error("a code of another tenant was taken")
		}
		for _, tenant := range []string{"a/../b", "x y", "-", "contoso", strings.Repeat("a", 300) + ".com", "contoso.com?x=1"} {
			if _, err := b.s.BeginConsent(b.Context(), asker, Begin{Tier: Read, Tenant: tenant, Redirect: callback}); !strings.Contains(what(err), "neither a tenant id nor a domain") {
				b.Errorf("tenant %q: %v", tenant, err)
			}
		}
		if all, err := b.s.List(b.Context()); err != nil || len(all) > 0 {
			b.Errorf("connected all the same: %v, %v", all, err)
		}
	})
}

// TestConsentNonce: a token that answers another sign-in, or none, is refused though its code and state are right.
func TestConsentNonce(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.register()
		for _, nonce := range []string{"", "another"} {
			u, err := url.Parse(b.begin(asker, Begin{}))
			if err != nil {
				b.Fatal(err)
			}
			q := u.Query()
			q.Set("nonce", nonce)
			u.RawQuery = q.Encode()
			if _, err := b.finish(b.answer(u.String(), "account", "global")); !strings.Contains(what(err), "answers another sign-in") {
				b.Errorf("nonce %q: %v", nonce, err)
			}
		}
	})
}

// TestRegistration: sealed, given to nobody, replaced under the connections that use it, and not forgotten from under them.
func TestRegistration(t *testing.T) {
	onBoth(t, func(b *bench) {
		if _, err := b.s.BeginConsent(b.Context(), asker, Begin{Tier: Read, Redirect: callback}); !strings.Contains(what(err), "No app registration is entered") {
			b.Errorf("without a registration: %v", err)
		}
		b.register()
		var sealed string
		if err := b.s.Store.View(b.Context(), func(tx *store.Tx) error {
			var raw []byte
			err := tx.QueryRow(b.Context(), `select sealed from registration where tier = $1`, "read").Scan(&raw)
			sealed = string(raw)
			return err
		}); err != nil || strings.Contains(sealed, b.w.Secret()) {
			b.Fatalf("the secret stands in the table (%v)", err)
		}
		step, err := b.finish(b.answer(b.toConsent(Begin{}), ticked("global", sim.ReadTier...)...))
		if err != nil {
			b.Fatal(err)
		}
		c := step.Connection
		old := b.client(c)
		if b.client(c) != old {
			b.Error("another client, though nothing has changed")
		}
		if err := b.s.DeleteRegistration(b.Context(), Read); tocsin.AsProblem(err).Code != tocsin.Conflict {
			b.Errorf("forgotten from under a connection: %v", err)
		}
		certificate, err := b.w.Certificate()
		if err != nil {
			b.Fatal(err)
		}
		b.w.ReplaceSecret("another", time.Time{})
		r, err := b.s.SetRegistration(b.Context(), "ops@x.example", NewRegistration{Tier: Read, Client: b.w.ClientID(), Certificate: certificate, Own: Own{Authority: sim.Address, Graph: sim.Address}})
		if err != nil || r.Method != "certificate" || r.Version != 2 || r.Ends.IsZero() {
			b.Fatalf("replaced: %+v, %v", r, err)
		}
		if now := b.client(c); now == old {
			b.Error("the old credential is still used")
		}
		if _, err := b.s.Test(b.Context(), c.Tenant, c.ID); err != nil {
			b.Errorf("with the certificate: %v", err)
		}
		if _, err := b.finish(b.answer(b.toConsent(Begin{}), ticked("global", sim.ReadTier...)...)); err != nil {
			b.Errorf("a code redeemed with a certificate: %v", err)
		}
		if err := b.s.Delete(b.Context(), "amy@x.example", c.Tenant, c.ID); err != nil {
			b.Fatal(err)
		}
		if err := b.s.DeleteRegistration(b.Context(), Read); err != nil {
			b.Errorf("forgotten: %v", err)
		}
	})
}

// TestOwnCloudInside: an address of a cloud of one's own that leads to the server's inside is not called, unless its network
// is allowed.
func TestOwnCloudInside(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.s.HTTP = nil
		for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1", "192.168.1.1:8443", "[fe80::1]", "[fd00:ec2::254]", "0.0.0.0", "[::ffff:127.0.0.1]", "168.63.129.16", "[64:ff9b::7f00:1]"} {
			n := b.good()
			n.Own = Own{Authority: "https://" + host, Graph: "https://" + host}
			if _, err := b.s.Create(b.Context(), "amy@x.example", n); !strings.Contains(what(err), "does not call for others") {
				b.Errorf("%s: %v", host, err)
			}
			_, err := b.s.SetRegistration(b.Context(), "ops@x.example", NewRegistration{Tier: Read, Client: b.w.ClientID(), Secret: "s", Own: n.Own})
			if !strings.Contains(what(err), "does not call for others") {
				b.Errorf("%s in a registration: %v", host, err)
			}
		}
		b.s.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		run, err := b.w.Serve(b.Context(), "127.0.0.1:0", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer run.Close()
		n := b.good()
		n.Own = Own{Authority: run.Authority, Graph: run.Graph}
		_, err = b.s.Create(b.Context(), "amy@x.example", n)
		b.problem("without its authority", err, tocsin.Invalid, "certified by an authority that this machine does not know", "--ca @FILE")
		n.Own.CA = run.CA
		c := b.create(n)
		// It was allowed when it was entered, and is not any more: the dialling refuses.
		b.s.Allow = nil
		b.s.forget(c)
		if _, err := b.s.Test(b.Context(), c.Tenant, c.ID); err == nil {
			b.Error("it was called though its network is not allowed")
		}
	})
}

// TestProducts: what is switched off is off, and says so; Entra stays.
func TestProducts(t *testing.T) {
	onBoth(t, func(b *bench) {
		c := b.create(b.good())
		if err := b.s.Choose(b.Context(), "amy@x.example", c.Tenant, c.ID, []Product{Teams}); err != nil {
			b.Fatal(err)
		}
		list, err := b.s.Test(b.Context(), c.Tenant, c.ID)
		if err != nil {
			b.Fatal(err)
		}
		for _, v := range list {
			off := strings.Contains(v.Because, "is switched off for this connection")
			if off != (v.Product != Teams && v.Product != Entra && v.Not == "") {
				b.Errorf("%s of %s: %s, %s", v.Name, v.Product, v.State, v.Because)
			}
		}
		off, err := b.s.SourcesOff(b.Context(), c)
		slices.Sort(off)
		if err != nil || !slices.Equal(off, []string{"audit", "devices", "exchange", "folder_rights", "rules", "settings", "sharing", "sites"}) {
			b.Errorf("not read: %v, %v", off, err)
		}
		if err := b.s.Choose(b.Context(), "amy@x.example", c.Tenant, "none", []Product{Teams}); tocsin.AsProblem(err).Code != tocsin.NotFound {
			b.Errorf("a connection that is not there: %v", err)
		}
		if _, err := ParseProducts([]string{"outlook,excel"}); err == nil {
			b.Error("excel is a product")
		}
		if p, err := ParseProducts([]string{"teams, outlook"}); err != nil || !slices.Equal(p, []Product{Outlook, Entra, Teams}) {
			b.Errorf("parsed %v, %v", p, err)
		}
	})
}

// TestFreshConsent: a directory that does not know the app for a while is waited for, and then said.
func TestFreshConsent(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.register()
		a := b.answer(b.toConsent(Begin{}), ticked("global", sim.ReadTier...)...)
		b.w.Remove(true)
		go func() {
			time.Sleep(100 * time.Millisecond)
			b.w.Remove(false)
		}()
		step, err := b.finish(a)
		if err != nil || step.Connection.ID == "" {
			b.Errorf("after a moment: %+v, %v", step, err)
		}
		if errors.Is(err, store.ErrNone) {
			b.Error("a store's error")
		}
	})
}
