package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// Standing is what is known of what a connection may do.
type Standing struct {
	Granted  []string           // the permissions that its tokens carry
	Pending  []string           // those that the tenant granted and its tokens do not carry yet
	Refused  map[string]string  // what was refused in practice, by call, and why: outweighs what is granted
	Mends    map[string]string  // what to do about a refusal, by call, where that is not to grant a permission
	Passing  map[string]Passing // what did not come and will be asked again by itself, by call
	Answered map[string]bool    // calls that were answered though no permission for them is granted in Entra: a role in Exchange
	Kept     int                // mailboxes that the tenant keeps from the app
	Plans    []string           // service plans of the tenant's licences; nil where they are not known
	Metadata bool               // the connection is for metadata only: calls that read content are refused before they are made
}

// mailboxes says whether a call is made of each mailbox, so that the tenant can keep some from the app.
func mailboxes(call string) bool { return graph.Find(call).Kind == graph.Mailbox }

// Judge says how each capability stands.
func (s Standing) Judge() []Verdict {
	out := make([]Verdict, 0, len(Capabilities))
	for _, c := range Capabilities {
		out = append(out, s.judge(c))
	}
	return out
}

// Passing is what Microsoft did not give and is asked for again by itself.
type Passing struct {
	Because, Mend string
	Never         bool // nothing of it was ever read
}

// Judge says how each capability stands under the granted permissions (the roles in an app-only token). A refusal that
// was met in practice, by call, outweighs what was granted.
func Judge(granted []string, refused map[string]string) []Verdict {
	return Standing{Granted: granted, Refused: refused}.Judge()
}

func (s Standing) judge(c Capability) Verdict {
	v := Verdict{Capability: c, State: Works}
	if c.Not != "" {
		v.State, v.Because, v.Mend = Off, c.Not+" "+c.Cost, c.Instead
		return v
	}
	if s.Metadata && c.content() {
		v.State, v.Because = Off, "The connection is for metadata only: no subject, text or attachment is read by it. "+c.Cost
		v.Mend = "Make a mail configuration, which has a connection of its own, under Connections → Mail configurations."
		return v
	}
	if l := s.lacking(c.Needs); l.any() {
		v.State, v.Because, v.Mend = Off, l.why+" "+c.Cost, l.mend()
		return v
	}
	if !s.licensed(c) {
		v.State, v.Because, v.Mend = Off, "The tenant has no licence for it: it needs "+c.Licence+". "+c.Cost, buy(c)
		return v
	}
	if l := s.lacking(c.Helps); l.any() {
		v.State, v.Because, v.Mend = Degraded, strings.TrimSuffix(l.why, ".")+": "+c.Lost+".", l.mend()
		return v
	}
	for i, call := range slices.Concat(c.Needs, c.Helps) {
		p, ok := s.Passing[call]
		if !ok {
			continue
		}
		v.State, v.Because, v.Mend = Degraded, p.Because, p.Mend
		if p.Never && i < len(c.Needs) { // nothing of it was ever read
			v.State, v.Because = Off, p.Because+" "+c.Cost
		}
		return v
	}
	if s.Kept > 0 && c.Tier == Read && slices.ContainsFunc(c.Needs, mailboxes) { // an act on another mailbox can be done all the same
		v.State, v.Because = Degraded, fmt.Sprintf("The tenant keeps %d mailboxes from the app.", s.Kept)
		if s.Kept == 1 {
			v.Because = "The tenant keeps a mailbox from the app."
		}
		v.Mend = "If it is to be watched, widen the scope of the app's role in Exchange, or its application access policy; Mailboxes names which are kept."
	}
	return v
}

// licensed says whether the tenant has a licence for it, or whether that is not known.
func (s Standing) licensed(c Capability) bool {
	return len(c.Plans) == 0 || s.Plans == nil || slices.ContainsFunc(c.Plans, func(p string) bool { return slices.Contains(s.Plans, p) })
}

// notGranted says whether a refusal is for want of a permission.
func notGranted(because string) bool { return strings.Contains(because, "not granted") }

func buy(c Capability) string {
	return "Get " + c.Licence + " for the tenant, or do without; it comes on by itself."
}

// lack is what keeps calls from being made.
type lack struct {
	permissions []string // that would allow them, the least of each
	waits       bool     // they are granted, and it takes Microsoft some minutes
	why         string
	other       string // what mends it, where that is not to grant a permission
}

func (l lack) any() bool { return len(l.permissions) > 0 }

func (l lack) mend() string {
	if l.waits {
		return "Nothing to do: it takes Microsoft some minutes, and comes on by itself."
	}
	if l.other != "" {
		return l.other
	}
	return grant(l.permissions)
}

func (s Standing) lacking(calls []string) (l lack) {
	pending := true
	for _, name := range calls {
		call := graph.Find(name)
		in := func(list []string) bool {
			return slices.ContainsFunc(call.Permissions, func(p string) bool { return slices.Contains(list, p) })
		}
		allowed := in(s.Granted) || s.Answered[name]
		if allowed && s.Refused[name] == "" || len(call.Permissions) == 0 {
			continue
		}
		if allowed {
			l.why, l.other = s.Refused[name], s.Mends[name]
		}
		pending = pending && !allowed && in(s.Pending)
		if !slices.Contains(l.permissions, call.Permissions[0]) {
			l.permissions = append(l.permissions, call.Permissions[0])
		}
	}
	if !l.any() {
		return l
	}
	be := " is"
	if len(l.permissions) > 1 {
		be = " are"
	}
	switch l.waits = pending; {
	case pending:
		l.why = strings.Join(l.permissions, " and ") + be + " granted, and Microsoft's tokens do not carry it yet."
	case l.why == "":
		l.why = strings.Join(l.permissions, " and ") + be + " not granted."
	}
	return l
}

// Later are capabilities of the design that this version does not have: permissions granted for them wait, and they come on
// with the version that has them, without another consent.
var Later = []Capability{
	{Name: "authentication-methods", Title: "Authentication methods of administrators", Product: Entra, Tier: Read, Asks: []string{"UserAuthenticationMethod.Read.All"}},
	{Name: "teams", Title: "Teams, for the delivery of alerts", Product: Teams, Tier: Read, Asks: []string{"Team.ReadBasic.All"}},
}

var (
	entraP1 = []string{"AAD_PREMIUM", "AAD_PREMIUM_P2"}
	entraP2 = []string{"AAD_PREMIUM_P2"}
)

// Wait says of each capability that this version does not have that it is off for that, and whether it is granted and
// licensed already. What is to act is told of a connection to act only.
func (s Standing) Wait(tier Tier) []Verdict {
	var out []Verdict
	for _, c := range Later {
		if !tier.Has(c) {
			continue
		}
		v := Verdict{Capability: c, State: Off, Because: "This version of Tocsin does not have it yet.", Mend: "Nothing to do: it comes with a later version, without another consent."}
		var lacks []string
		for _, p := range c.Asks {
			if !slices.Contains(s.Granted, p) {
				lacks = append(lacks, p)
			}
		}
		be := map[bool]string{true: " is", false: " are"}
		if len(lacks) == 0 {
			v.Because += " " + strings.Join(c.Asks, " and ") + be[len(c.Asks) == 1] + " granted."
		} else {
			v.Because += " " + strings.Join(lacks, " and ") + be[len(lacks) == 1] + " not granted."
			v.Mend = "Nothing to do until a later version has it; it will need " + strings.Join(lacks, " and ") + "."
		}
		if !s.licensed(c) {
			v.Because += " The tenant has no licence for it: it needs " + c.Licence + "."
		}
		out = append(out, v)
	}
	return out
}

// Excess is a permission that was granted and is more than is needed.
type Excess struct {
	Permission string `json:"permission"`
	Why        string `json:"why"`
	Mend       string `json:"mend"`
	Dangerous  bool   `json:"dangerous"` // who has it can take the tenant
}

// powers are the permissions with which an app can make itself, or anybody, an administrator of the tenant.
// https://learn.microsoft.com/security/zero-trust/develop/protected-api-example, and the tier 0 of
// https://github.com/emiliensocchi/azure-tiering, by what each allows.
var powers = []string{"RoleManagement.ReadWrite.Directory", "AppRoleAssignment.ReadWrite.All", "Application.ReadWrite.All", "Application.ReadWrite.OwnedBy",
	"Directory.ReadWrite.All", "UserAuthenticationMethod.ReadWrite.All", "User-PasswordProfile.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All",
	"RoleAssignmentSchedule.ReadWrite.Directory", "RoleEligibilitySchedule.ReadWrite.Directory", "Policy.ReadWrite.ConditionalAccess", "Group.ReadWrite.All",
	"GroupMember.ReadWrite.All", "Organization.ReadWrite.All", "Domain.ReadWrite.All", "full_access_as_app", "Sites.FullControl.All"}

// Dangerous says whether who has a permission can take the tenant.
func Dangerous(permission string) bool { return slices.Contains(powers, permission) }

// Excess are the permissions that were granted beyond what a connection of the tier needs, each with what to do.
func (s Standing) Excess(tier Tier) []Excess {
	out := []Excess{}
	for _, p := range append(slices.Clone(s.Granted), s.Pending...) {
		if why, mend := s.excess(p, tier); why != "" && !slices.ContainsFunc(out, func(e Excess) bool { return e.Permission == p }) {
			out = append(out, Excess{Permission: p, Why: why, Mend: mend, Dangerous: Dangerous(p)})
		}
	}
	slices.SortStableFunc(out, func(a, b Excess) int {
		if a.Dangerous != b.Dangerous {
			if a.Dangerous {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Permission, b.Permission)
	})
	return out
}

func (s Standing) excess(p string, tier Tier) (why, mend string) {
	remove := "Remove " + p + " from the app registration and from its consent (Enterprise applications → the app → Permissions)."
	lesser := map[string]bool{}
	acts := false
	for _, c := range Capabilities {
		for _, name := range slices.Concat(c.Needs, c.Helps) {
			call := graph.Find(name)
			if !slices.Contains(call.Permissions, p) {
				continue
			}
			if !tier.Has(c) {
				acts = true // it is of use only to act
				continue
			}
			least := call.Permissions[0]
			i := slices.IndexFunc(call.Permissions, func(x string) bool { return slices.Contains(s.Granted, x) || slices.Contains(s.Pending, x) })
			changes := call.Method != "GET" && call.Kind != graph.Subscriptions // to be told of something changes nothing
			if call.Permissions[max(i, 0)] == p && (!writes(p) || writes(least) || changes) {
				return "", "" // it is what this call goes by
			}
			lesser[least] = true
		}
	}
	switch {
	case writes(p) && len(lesser) > 0 && !acts:
		return "It allows changes, and Tocsin only reads by it: " + join(lesser) + " would do.", remove
	case acts:
		return "It allows changes, and this connection is one to read: acting belongs to an app registration of its own.",
			remove + " To act from here, connect the tier that it is of, or keep it and take the risk."
	case len(lesser) > 0:
		for name := range lesser {
			if !slices.Contains(s.Granted, name) && !slices.Contains(s.Pending, name) {
				return "", ""
			}
		}
		return "What it is used for goes by " + join(lesser) + ", granted too.", remove
	}
	for _, c := range Later {
		if slices.Contains(c.Asks, p) && tier.Has(c) && !Dangerous(p) {
			return "", "" // it waits for a version that has it
		}
	}
	return "Nothing in this version uses it.", remove
}

// writes says whether a permission allows changes.
func writes(p string) bool {
	return strings.Contains(p, "Write") || strings.Contains(p, ".Send") || strings.Contains(p, "FullControl") || strings.Contains(p, "Manage.")
}

func join(set map[string]bool) string {
	var names []string
	for n := range set {
		names = append(names, n)
	}
	slices.Sort(names)
	return strings.Join(names, " and ")
}

// granted is what a connection's tokens carry, and since when they carry that and no more, as far as this process knows.
func (s *Connections) granted(ctx context.Context, c Connection, gc *graph.Client) (all []string, since time.Time, err error) {
	if all, err = gc.Roles(ctx); err != nil {
		return nil, since, asProblem(err)
	}
	for _, service := range servicesUsed() {
		roles, err := gc.RolesFor(ctx, service)
		if ctx.Err() != nil { // err may be none
			return nil, since, ctx.Err()
		}
		if errors.Is(err, graph.ErrPaused) {
			return nil, since, asProblem(err)
		}
		if err != nil { // the service is not in the tenant, say: nothing of it is granted
			s.Log.Debug("no token for a service", "tenant", c.Tenant, "service", service, "error", err)
		}
		all = append(all, roles...)
	}
	return all, s.carried(c, all), nil
}

// standing gathers what is known of what a connection may do, with what is granted to it.
func standing(ctx context.Context, t *store.Tenant, c Connection, granted []string, since time.Time) (is Standing, err error) {
	is.Granted = granted
	if err := is.read(ctx, t, c); err != nil {
		return is, err
	}
	if err := is.refused(ctx, t, c.ID); err != nil {
		return is, err
	}
	return is, is.answers(ctx, t, since)
}

// carried is since when the connection's tokens carry these permissions and no others, as far as this process knows.
func (s *Connections) carried(c Connection, granted []string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Store.Clock().Now()
	had := s.clients[string(c.Tenant)+"/"+c.ID]
	if had == nil {
		return now
	}
	sorted := slices.Sorted(slices.Values(granted))
	if had.since.IsZero() || !slices.Equal(had.carries, sorted) {
		had.carries, had.since = sorted, now
	}
	return had.since
}

// Stood is what is known of what a connection may do, by what was written down of it: nothing is asked.
func Stood(ctx context.Context, t *store.Tenant, id string) (is Standing, err error) {
	c := Connection{Tenant: t.ID(), ID: id}
	if err := is.read(ctx, t, c); err != nil {
		return is, err
	}
	is.Granted, is.Pending = is.Pending, nil // what the tenant has, as nothing is known of tokens here
	return is, nil
}

// read adds what the tables tell.
func (is *Standing) read(ctx context.Context, t *store.Tenant, c Connection) error {
	held, err := grants(ctx, t, c.ID)
	if err != nil {
		return err
	}
	is.Pending = nil
	for _, g := range held {
		if !slices.Contains(is.Granted, g.Permission) {
			is.Pending = append(is.Pending, g.Permission)
		}
	}
	is.Plans = nil
	if err := rowsOf(ctx, t, func(scan func(...any) error) error {
		var plan string
		err := scan(&plan)
		is.Plans = append(is.Plans, plan)
		return err
	}, `select plan from licence where tenant = $1 order by plan`); err != nil {
		return err
	}
	if err := t.QueryRow(ctx, `select metadata_only from connection where tenant = $1 and id = $2`, c.ID).Scan(&is.Metadata); err != nil && !errors.Is(err, store.ErrNone) {
		return err
	}
	if err := t.QueryRow(ctx, `select count(*) from person where tenant = $1 and deleted = 0 and mailbox = 'out_of_scope'`).Scan(&is.Kept); err != nil {
		return err
	}
	return nil
}

// answers finds the calls of mailboxes that were answered though no token carries a permission for them: a role in Exchange
// gives it, for the mailboxes of its scope (https://learn.microsoft.com/exchange/permissions-exo/application-rbac). An answer
// to a token of before proves nothing.
func (is *Standing) answers(ctx context.Context, t *store.Tenant, since time.Time) error {
	is.Answered = map[string]bool{}
	return rowsOf(ctx, t, func(scan func(...any) error) error {
		var source string
		var done int64
		if err := scan(&source, &done); err != nil {
			return err
		}
		if call := sources[source]; call != "" && mailboxes(call) && done > 0 {
			is.Answered[call] = true
		}
		return nil
	}, `select name, done from source where tenant = $1 and succeeded > failed and started > $2`, tocsin.Millis(since))
}

// servicesUsed are those beside Graph that a capability calls.
func servicesUsed() (out []graph.Service) {
	for _, c := range Capabilities {
		for _, name := range slices.Concat(c.Needs, c.Helps) {
			if s := graph.Find(name).Service; s != "" && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// rowsOf calls scan for each row.
func rowsOf(ctx context.Context, t *store.Tenant, do func(scan func(...any) error) error, query string, args ...any) error {
	q, err := t.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer q.Close()
	for q.Next() {
		if err := do(q.Scan); err != nil {
			return err
		}
	}
	return q.Err()
}

// Grant is a permission granted to a connection's app.
type Grant struct {
	Resource   string    `json:"resource"` // Microsoft Graph …
	Permission string    `json:"permission"`
	Granted    time.Time `json:"granted"` // by Microsoft's word
}

// grants are those that the last look found.
func grants(ctx context.Context, t *store.Tenant, id string) (out []Grant, err error) {
	err = rowsOf(ctx, t, func(scan func(...any) error) error {
		var g Grant
		var at int64
		err := scan(&g.Resource, &g.Permission, &at)
		g.Granted = tocsin.FromMillis(at)
		out = append(out, g)
		return err
	}, `select resource, permission, granted from app_grant where tenant = $1 and connection = $2 order by resource, permission`, id)
	return out, err
}
