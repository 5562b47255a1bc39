package connect

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/permission"
	"tocsin.dev/store"
)

// seen is what a look at the tenant shows of a connection.
type seen struct {
	grants  []Grant
	plans   []string // nil: not known
	expires time.Time
}

// Look reads what the tenant has granted the connection's app, which licences it holds and when the credential ends, and
// writes down what differs from the last look: who takes a permission from Tocsin, or gives it one, is found out by the
// next look. What may not be read is said on the capabilities, and is no error.
func (s *Connections) Look(ctx context.Context, c Connection) error {
	if err := c.asks(); err != nil {
		return err
	}
	gc, err := s.Client(ctx, c)
	if err != nil {
		return err
	}
	met, err := s.look(ctx, c, gc)
	if ctx.Err() != nil { // err may be none
		return ctx.Err()
	}
	if errors.Is(err, graph.ErrPaused) {
		return asProblem(err)
	}
	if _, ok := errors.AsType[*graph.Revoked](err); ok { // said of the connection
		return asProblem(err)
	}
	if err != nil && graph.CallOf(err) != "" {
		met = append(met, err)
	}
	if _, note := s.keepRefusals(ctx, c, askedByLook, refusals(met)); note != nil {
		return errors.Join(note, err)
	}
	if err != nil {
		return asProblem(err)
	}
	return nil
}

// look is a look, which goes on without what it is refused: met is that. The error is what ended it.
func (s *Connections) look(ctx context.Context, c Connection, gc *graph.Client) (met []error, err error) {
	var now seen
	now.grants, err = s.lookGrants(ctx, c, gc)
	because, refused := unreadable(err)
	if err != nil && !refused {
		return nil, err
	}
	changed := false
	if refused {
		met = append(met, err)
		if err := s.unseen(ctx, c, because); err != nil {
			return met, err
		}
	} else {
		if now.expires, err = s.lookEnd(ctx, c, gc); err != nil {
			if _, ok := errors.AsType[*graph.Denied](err); ok {
				met = append(met, err)
			} else if _, ok := unreadable(err); !ok { // it is another tenant's registration, say
				return met, err
			}
		}
		if changed, err = s.saw(ctx, c, now); err != nil {
			return met, err
		}
	}
	denied, err := s.lookLicences(ctx, c, gc)
	if denied != nil {
		met = append(met, denied)
	}
	if err != nil || !changed {
		return met, err
	}
	// What was refused may be granted now, and the token in use may be of before.
	if err := s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error { return forgetAsked(ctx, t, c.ID) }); err != nil {
		return met, err
	}
	return met, gc.SignIn(ctx)
}

// LookAndJudge looks, and judges the capabilities by what is seen, and by what could not be.
func (s *Connections) LookAndJudge(ctx context.Context, c Connection) error {
	looked := s.Look(ctx, c)
	gc, err := s.Client(ctx, c)
	if err == nil {
		_, err = s.capabilities(ctx, c, gc)
	}
	if looked != nil {
		return looked
	}
	return err
}

// unreadable says of a refusal that lasts why something cannot be looked at.
func unreadable(err error) (string, bool) {
	if e, ok := errors.AsType[*graph.Denied](err); ok {
		if len(e.Permissions) > 0 {
			return e.Permissions[0] + " is not granted.", true
		}
		return sentence(e.Error()), true
	}
	if _, ok := errors.AsType[*graph.NotFound](err); ok {
		return "The app is not in the tenant's directory.", true
	}
	return "", false
}

// lookGrants reads the application permissions granted to the connection's app, with their names.
func (s *Connections) lookGrants(ctx context.Context, c Connection, gc *graph.Client) ([]Grant, error) {
	var own graph.ServicePrincipal
	if err := gc.Get(ctx, "servicePrincipals.byAppId", graph.P{"appId": c.Client}, &own); err != nil {
		return nil, err
	}
	n := namer{gc: gc, known: map[string]map[string]string{}}
	out := []Grant{}
	for a, err := range graph.Pages[graph.AppRoleAssignment](ctx, gc, "servicePrincipals.appRoleAssignments", graph.P{"principal": own.ID}) {
		if err != nil {
			return nil, err
		}
		name, err := n.name(ctx, a)
		if err != nil {
			return nil, err
		}
		out = append(out, Grant{Resource: a.ResourceDisplayName, Permission: name, Granted: a.CreatedDateTime.Time})
	}
	return out, nil
}

// namer names permissions by their ids: by our own table, else by what the service says of itself.
type namer struct {
	gc    *graph.Client
	known map[string]map[string]string // by service, those that were asked
}

func (n namer) name(ctx context.Context, a graph.AppRoleAssignment) (string, error) {
	for _, p := range permission.All {
		if p.ID != "" && strings.EqualFold(p.ID, a.AppRoleID) {
			return p.Name, nil
		}
	}
	if a.AppRoleID == "00000000-0000-0000-0000-000000000000" {
		return "default access", nil
	}
	app := map[string]string{"Microsoft Graph": permission.Graph, "Office 365 Exchange Online": permission.Exchange, "Office 365 Management APIs": permission.Management}[a.ResourceDisplayName]
	if app == "" {
		return a.AppRoleID, nil
	}
	if n.known[app] == nil {
		n.known[app] = map[string]string{}
		var service graph.ServicePrincipal
		err := n.gc.Get(ctx, "servicePrincipals.byAppId", graph.P{"appId": app}, &service)
		if _, gone := errors.AsType[*graph.NotFound](err); err != nil && !gone {
			return "", err
		}
		for _, r := range service.AppRoles {
			n.known[app][strings.ToLower(r.ID)] = r.Value
		}
	}
	if name := n.known[app][strings.ToLower(a.AppRoleID)]; name != "" {
		return name, nil
	}
	return a.AppRoleID, nil
}

// lookLicences reads the service plans of the tenant's licences.
func (s *Connections) lookLicences(ctx context.Context, c Connection, gc *graph.Client) (denied, err error) {
	plans := map[string]bool{}
	for sku, err := range graph.Pages[graph.SubscribedSku](ctx, gc, "subscribedSkus.list", nil) {
		if _, ok := unreadable(err); ok {
			return err, nil
		}
		if err != nil {
			return nil, err
		}
		if sku.CapabilityStatus != "Enabled" && sku.CapabilityStatus != "Warning" {
			continue
		}
		for _, p := range sku.ServicePlans {
			if p.ProvisioningStatus != "Disabled" {
				plans[p.ServicePlanName] = true
			}
		}
	}
	now := tocsin.Millis(s.Store.Clock().Now())
	return nil, s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		if _, err := t.Exec(ctx, `delete from licence where tenant = $1`); err != nil {
			return err
		}
		for p := range plans {
			if _, err := t.Exec(ctx, `insert into licence (tenant, plan, seen) values ($1, $2, $3)`, p, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// lookEnd reads when the credential in use ends; zero where the registration does not tell, as for one of another tenant.
func (s *Connections) lookEnd(ctx context.Context, c Connection, gc *graph.Client) (time.Time, error) {
	if c.Method == MethodOAuth {
		return time.Time{}, nil // the registration's, which is asked for where it is entered
	}
	var app graph.Application
	if err := gc.Get(ctx, "applications.byAppId", graph.P{"appId": c.Client}, &app); err != nil {
		return time.Time{}, err
	}
	k, err := s.kept(ctx, c)
	if err != nil {
		return time.Time{}, err
	}
	plain, err := s.Keeper.Open(k.sealed, about(c.Tenant, c.ID))
	if err != nil {
		return time.Time{}, err
	}
	return endOf(app, k.method, plain, s.Store.Clock().Now()), nil
}

// endOf finds the credential among the registration's: a certificate by its thumbprint, a secret by its first letters. Of
// several that begin so, the one that ends first of those that have not ended is taken, so that a warning comes too early
// rather than too late.
func endOf(app graph.Application, method string, plain []byte, now time.Time) (end time.Time) {
	if method == "certificate" {
		leaf := certificate(plain)
		if leaf == nil {
			return time.Time{}
		}
		sum := sha1.Sum(leaf.Raw)
		for _, k := range app.KeyCredentials {
			print, err := base64.StdEncoding.DecodeString(k.CustomKeyIdentifier)
			if err != nil || len(print) != len(sum) { // some tools show it in hex
				print, _ = hex.DecodeString(k.CustomKeyIdentifier) // what is neither is not ours
			}
			if bytes.Equal(print, sum[:]) {
				return k.EndDateTime.Time
			}
		}
		return time.Time{}
	}
	for _, p := range app.PasswordCredentials {
		ends := p.EndDateTime.Time
		if p.Hint != "" && bytes.HasPrefix(plain, []byte(p.Hint)) && ends.After(now) && (end.IsZero() || ends.Before(end)) {
			end = ends
		}
	}
	return end
}

// certificate is the first of a PEM text.
func certificate(text []byte) *x509.Certificate {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil
		}
		if block.Type == "CERTIFICATE" {
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil
			}
			return c
		}
	}
}

// unseen notes why what is granted could not be read.
func (s *Connections) unseen(ctx context.Context, c Connection, because string) error {
	return s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `update connection set looked_because = $3 where tenant = $1 and id = $2 and looked_because <> $3`, c.ID, because)
		return err
	})
}

// saw writes down what was seen, and what differs from the look before: the first look makes state and no changes.
func (s *Connections) saw(ctx context.Context, c Connection, now seen) (changed bool, err error) {
	at := tocsin.Millis(s.Store.Clock().Now())
	return changed, s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		changed = false
		var looked, expires int64
		var by, state string
		if err := t.QueryRow(ctx, `select looked, expires, expires_by, state from connection where tenant = $1 and id = $2`, c.ID).Scan(&looked, &expires, &by, &state); err != nil {
			return err
		}
		if (Connection{State: state}).stopped() {
			return nil // a late answer
		}
		held, err := grants(ctx, t, c.ID)
		if err != nil {
			return err
		}
		same := func(a Grant) func(Grant) bool {
			return func(b Grant) bool { return a.Resource == b.Resource && a.Permission == b.Permission }
		}
		for _, g := range held {
			if slices.ContainsFunc(now.grants, same(g)) {
				continue
			}
			changed = true
			if _, err := t.Exec(ctx, `delete from app_grant where tenant = $1 and connection = $2 and resource = $3 and permission = $4`, c.ID, g.Resource, g.Permission); err != nil {
				return err
			}
			if err := drifted(ctx, t, c, g, "removed", at); err != nil {
				return err
			}
		}
		for _, g := range now.grants {
			if slices.ContainsFunc(held, same(g)) {
				continue
			}
			changed = true
			if _, err := t.Exec(ctx, `insert into app_grant (tenant, connection, resource, permission, granted, seen) values ($1, $2, $3, $4, $5, $6)
				on conflict (tenant, connection, resource, permission) do nothing`, c.ID, g.Resource, g.Permission, tocsin.Millis(g.Granted), at); err != nil {
				return err
			}
			if looked > 0 {
				if err := drifted(ctx, t, c, g, "granted", at); err != nil {
					return err
				}
			}
		}
		if !now.expires.IsZero() && by != "certificate" && tocsin.Millis(now.expires) != expires {
			changed = true
			if _, err := t.Exec(ctx, `update connection set expires = $3, expires_by = 'read' where tenant = $1 and id = $2`, c.ID, tocsin.Millis(now.expires)); err != nil {
				return err
			}
		}
		if _, err := t.Exec(ctx, `update connection set looked = $3, looked_because = '' where tenant = $1 and id = $2`, c.ID, at); err != nil || !changed {
			return err
		}
		return t.Append(ctx, store.Fact{Kind: "consent.changed", Subject: c.ID})
	})
}

// drifted writes a difference between two looks: its row, and an event.
func drifted(ctx context.Context, t *store.Tenant, c Connection, g Grant, change string, at int64) error {
	id := tocsin.NewEventID(t.ID(), c.ID, g.Resource, g.Permission, change, fmt.Sprint(at))
	if _, err := t.Exec(ctx, `insert into app_grant_change (tenant, connection, id, at, resource, permission, change) values ($1, $2, $3, $4, $5, $6, $7)
		on conflict (tenant, connection, id) do nothing`, c.ID, id, at, g.Resource, g.Permission, change); err != nil {
		return err
	}
	payload, err := json.Marshal(map[string]any{"event_id": id, "action": "permission_" + change, "permission": g.Permission, "resource": g.Resource, "connection": c.ID, "app_id": c.Client})
	if err != nil {
		return err
	}
	raw, err := json.Marshal(map[string]any{"platform_event_id": id, "change_type": change, "source_platform": "microsoft_entra"})
	if err != nil {
		return err
	}
	body, err := json.Marshal(tocsin.Event{EventID: id, EventType: "AUDIT", Source: "ENTRA", SignalType: "IDENTITY", DomainID: t.ID(), Timestamp: tocsin.FromMillis(at),
		Payload: payload, RawMetadata: raw, PlatformEventID: id, PlatformEventSource: "MICROSOFT_GRAPH_ENTRA_API"})
	if err != nil {
		return err
	}
	return t.Insert(ctx, store.Into{Table: "event", Key: []string{"id"}, Columns: []string{"id", "at", "type", "action", "person", "body"}},
		[][]any{{id, at, "AUDIT", "permission_" + change, "", string(body)}})
}

// ends notes when a fresh credential does: a certificate says so itself, a secret's end may have been entered.
func (s *Connections) ends(ctx context.Context, c Connection, n New) error {
	at, by := n.Expires, "entered"
	if leaf := certificate([]byte(n.Certificate)); leaf != nil && n.Consent == nil {
		at, by = leaf.NotAfter, "certificate"
	}
	if at.IsZero() {
		by = ""
	}
	return s.update(ctx, "", c, `update connection set expires = $3, expires_by = $4, expires_told = '' where tenant = $1 and id = $2`, tocsin.Millis(at), by)
}

// Due are the steps at which the end of a credential is warned of, by how long is left.
var Due = []struct {
	Left time.Duration
	Name string
}{{0, "expired"}, {24 * time.Hour, "1 day"}, {7 * 24 * time.Hour, "7 days"}, {30 * 24 * time.Hour, "30 days"}}

// DueStep is the step that a credential is at which ends then; empty where there is time.
func DueStep(expires, now time.Time) string {
	if expires.IsZero() {
		return ""
	}
	for _, d := range Due {
		if expires.Sub(now) <= d.Left {
			return d.Name
		}
	}
	return ""
}

// TellEnds tells as a fact of each connection whose credential has come nearer to its end by a step, so that it is judged.
// It is to be called each minute or so.
func (s *Connections) TellEnds(ctx context.Context) error {
	list, err := s.List(ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, c := range list {
		step := DueStep(c.Expires, s.Store.Clock().Now())
		if step == c.told {
			continue
		}
		failed = errors.Join(failed, s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
			n, err := t.Exec(ctx, `update connection set expires_told = $3 where tenant = $1 and id = $2 and expires_told <> $3`, c.ID, step)
			if err != nil || n == 0 {
				return err
			}
			return t.Append(ctx, store.Fact{Kind: "consent.changed", Subject: c.ID})
		}))
	}
	return failed
}
