package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/detect/posture"
)

// directoryView is what a list of groups, guests, devices or sites shows.
type directoryView[In, Row any] struct {
	Query url.Values
	In    In
	Page  api.Page[Row]
	Held  []api.Knowledge // the first is of the list itself
}

// filtered says whether anything but the order was chosen.
func (v directoryView[In, Row]) filtered() bool {
	for k, values := range v.Query {
		if k != "sort" && len(values) > 0 && values[0] != "" {
			return true
		}
	}
	return false
}

// known says whether the list was read at all.
func (v directoryView[In, Row]) known() bool { return len(v.Held) > 0 && v.Held[0].State != "unknown" }

func paging(q url.Values) api.Paging { return api.Paging{Limit: pageSize, After: q.Get("after")} }

// directory reads a list and what is known of it.
func directory[In, Row any](w *web, r *http.Request, p *page, of string, in In, list func(context.Context, In) (api.Page[Row], error)) (v directoryView[In, Row], err error) {
	v.Query, v.In = kept(r), in
	if v.Page, err = list(r.Context(), in); err != nil {
		return v, err
	}
	held, err := w.svc.ListHeld(r.Context(), api.KnowledgeIn{In: api.In{Tenant: p.Tenant.ID}, Of: of})
	v.Held = held.Items
	return v, err
}

func groupsIn(tenant tocsin.TenantID, q url.Values) api.GroupsIn {
	return api.GroupsIn{In: api.In{Tenant: tenant}, Paging: paging(q), Q: q.Get("q"), Kind: q.Get("kind"), Outside: on(q, "outside"), Dynamic: on(q, "dynamic"), Public: on(q, "public"),
		Assignable: on(q, "assignable"), Grants: on(q, "grants"), Failing: on(q, "failing"), Sort: nameOr(q.Get("sort"), "meaning")}
}

func guestsIn(tenant tocsin.TenantID, q url.Values) api.GuestsIn {
	return api.GuestsIn{In: api.In{Tenant: tenant}, Paging: paging(q), Q: q.Get("q"), State: q.Get("state"), Unused: on(q, "unused"), NoFactor: on(q, "no_factor"), Home: q.Get("home"), Sort: nameOr(q.Get("sort"), "risk")}
}

func devicesIn(tenant tocsin.TenantID, q url.Values) api.DevicesIn {
	return api.DevicesIn{In: api.In{Tenant: tenant}, Paging: paging(q), Q: q.Get("q"), System: q.Get("system"), Failing: on(q, "failing"), Compliance: q.Get("compliance"), Unencrypted: on(q, "unencrypted"),
		OutOfDate: on(q, "out_of_date"), Silent: on(q, "silent"), Sort: nameOr(q.Get("sort"), "checks")}
}

func sitesIn(tenant tocsin.TenantID, q url.Values) api.SitesIn {
	return api.SitesIn{In: api.In{Tenant: tenant}, Paging: paging(q), Q: q.Get("q"), Public: on(q, "public"), Personal: on(q, "personal"), Sort: nameOr(q.Get("sort"), "name")}
}

func (w *web) groups(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v, err := directory(w, r, p, "groups", groupsIn(p.Tenant.ID, r.URL.Query()), w.svc.ListGroups)
	return groupsPage(p, v), err
}

func (w *web) group(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	d, err := w.svc.GetGroup(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	p.Title = d.Name
	return groupPage(p, d), err
}

func (w *web) guests(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v, err := directory(w, r, p, "guests", guestsIn(p.Tenant.ID, r.URL.Query()), w.svc.ListGuests)
	return guestsPage(p, v), err
}

func (w *web) devices(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v, err := directory(w, r, p, "devices", devicesIn(p.Tenant.ID, r.URL.Query()), w.svc.ListDevices)
	return devicesPage(p, v), err
}

func (w *web) device(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	d, err := w.svc.GetDevice(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	p.Title = d.Name
	return devicePage(p, d), err
}

func (w *web) sites(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v, err := directory(w, r, p, "sites", sitesIn(p.Tenant.ID, r.URL.Query()), w.svc.ListSites)
	if err != nil {
		return nil, err
	}
	sharing, err := w.svc.GetSharing(r.Context(), api.In{Tenant: p.Tenant.ID})
	if err != nil {
		return nil, err
	}
	checks, err := w.svc.ListChecks(r.Context(), api.ChecksIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}, Area: posture.Sharing})
	return sitesPage(p, v, sharing, checks.Items), err
}

func (w *web) groupsCSV(tenant tocsin.TenantID, q url.Values) export {
	return export{[]string{"name", "mail", "kind", "dynamic", "membership_rule", "visibility", "role_assignable", "members", "guests", "roles", "policies", "checks_failed", "created", "id"},
		func(ctx context.Context, after string) (rows [][]string, next string, err error) {
			in := groupsIn(tenant, q)
			in.Limit, in.After = 200, after
			p, err := w.svc.ListGroups(ctx, in)
			for _, g := range p.Items {
				var uses []string
				for _, u := range g.Policies {
					uses = append(uses, useWord(u))
				}
				rows = append(rows, []string{g.Name, g.Mail, g.Kind, strconv.FormatBool(g.Dynamic), g.Rule, nameOr(g.Visibility, "unknown"), strconv.FormatBool(g.Assignable), counted(g.Members), counted(g.Guests), strings.Join(g.Roles, "; "), strings.Join(uses, "; "), checksWord(g.Checks), stamp(g.Created), g.ID})
			}
			return rows, p.Next, err
		}}
}

func (w *web) guestsCSV(tenant tocsin.TenantID, q url.Values) export {
	return export{[]string{"name", "mail", "home", "state", "enabled", "created", "invited_by", "invited", "last_sign_in", "unused", "second_factor_registered", "second_factor_asked", "why", "groups", "roles", "open_findings", "risk"},
		func(ctx context.Context, after string) (rows [][]string, next string, err error) {
			in := guestsIn(tenant, q)
			in.Limit, in.After = 200, after
			p, err := w.svc.ListGuests(ctx, in)
			for _, g := range p.Items {
				by, at := "unknown", ""
				if g.Invited != nil {
					by, at = g.Invited.By, stamp(g.Invited.At)
				}
				var groups []string
				for _, x := range g.Groups {
					groups = append(groups, x.Name)
				}
				rows = append(rows, []string{g.Name, nameOr(g.Mail, g.UPN), g.Home, nameOr(g.State, "unknown"), maybe(g.Enabled), stamp(g.Created), by, at, stamp(g.LastSignIn), maybe(g.Unused), maybe(g.MFA), string(g.Demand.Factor), g.Demand.Why,
					strings.Join(groups, "; "), strings.Join(g.Roles, "; "), strconv.Itoa(g.Open.All()), strconv.Itoa(g.Risk)})
			}
			return rows, p.Next, err
		}}
}

func (w *web) devicesCSV(tenant tocsin.TenantID, q url.Values) export {
	return export{[]string{"name", "user", "system", "version", "out_of_date", "compliance", "encrypted", "jail_broken", "management", "ownership", "model", "enrolled", "last_heard_of", "silent", "checks_failed", "id"},
		func(ctx context.Context, after string) (rows [][]string, next string, err error) {
			in := devicesIn(tenant, q)
			in.Limit, in.After = 200, after
			p, err := w.svc.ListDevices(ctx, in)
			for _, d := range p.Items {
				rows = append(rows, []string{d.Name, d.Who, d.System, d.Version, strconv.FormatBool(d.OutOfDate), nameOr(d.Compliance, "unknown"), maybe(d.Encrypted), maybe(d.JailBroken), d.Management, d.Ownership, d.Model, stamp(d.Enrolled), stamp(d.Synced),
					strconv.FormatBool(d.Silent), checksWord(d.Checks), d.ID})
			}
			return rows, p.Next, err
		}}
}

func (w *web) sitesCSV(tenant tocsin.TenantID, q url.Values) export {
	return export{[]string{"name", "url", "public", "group", "created", "sharing_links", "checks_failed", "id"},
		func(ctx context.Context, after string) (rows [][]string, next string, err error) {
			in := sitesIn(tenant, q)
			in.Limit, in.After = 200, after
			p, err := w.svc.ListSites(ctx, in)
			for _, x := range p.Items {
				group := ""
				if x.Group != nil {
					group = x.Group.Name
				}
				rows = append(rows, []string{x.Name, x.URL, maybe(x.Public), group, stamp(x.Created), counted(x.Links), checksWord(x.Checks), x.ID})
			}
			return rows, p.Next, err
		}}
}

// counted is a number that may be unknown.
func counted(n *int) string {
	if n == nil {
		return "unknown"
	}
	return strconv.Itoa(*n)
}

// checksWord are the checks that something fails, for a line.
func checksWord(list []api.Failing) string {
	var out []string
	for _, f := range list {
		out = append(out, f.Title)
	}
	return strings.Join(out, "; ")
}

// groupKinds are the kinds of group as people call them.
var groupKinds = map[string]string{"microsoft365": "Microsoft 365", "security": "Security", "mail_security": "Security, with mail", "distribution": "Distribution list", "": "Not told"}

// useWord is how a policy names a group.
func useWord(u posture.Use) string {
	word := u.Policy
	if u.Excluded {
		word = "left out of " + word
	}
	return word + map[string]string{"report_only": " (only reports)", "disabled": " (off)"}[u.State]
}

// heldWords are what is held, as people call it.
var heldWords = map[string]string{"groups": "Groups", "group_members": "Who is in them", "group_owners": "Who owns them", "access_policies": "Conditional access", "guests": "Guests", "last_sign_ins": "When they last signed in",
	"registered_methods": "Registered second factors", "devices": "Devices that Intune manages", "joined_devices": "Devices that Entra alone knows", "sites": "Sites", "sharing": "Settings of sharing", "sharing_links": "Links that anybody can use"}

// lackingOf are what is not known, or not all of it.
func lackingOf(list []api.Knowledge) (out []api.Knowledge) {
	for _, h := range list {
		if h.State != "known" {
			out = append(out, h)
		}
	}
	return out
}

// demandWord is whether a second factor is asked of somebody, and the tone it has.
func demandWord(d posture.Demand) (word, mark string) {
	switch d.Factor {
	case posture.FactorRequired:
		return "Asked for", "ok"
	case posture.FactorNot:
		return "Not asked for", "bad"
	case posture.FactorBlocked:
		return "Kept out", "off"
	}
	return "Not known", "unknown"
}

// sharesWith is with whom the tenant shares, in a sentence.
func sharesWith(s api.Sharing) string {
	switch s.With {
	case "nobody":
		return "Nothing is shared outside."
	case "known_guests":
		return "Files are shared outside only with guests who are in the directory already."
	case "new_guests":
		return "Files are shared with anybody outside who proves an address: they become guests."
	case "anybody":
		return "Files are shared by links that anybody can use who has them, without signing in."
	}
	return "With whom files are shared is not known."
}

// complianceWord is what Intune says of a device, and the mark that goes with it.
func complianceWord(d api.ManagedDevice) (word, mark string) {
	switch strings.ToLower(d.Compliance) {
	case "compliant":
		return "Compliant", "ok"
	case "noncompliant":
		return "Not compliant", "bad"
	case "ingraceperiod":
		return "Not compliant, in its time of grace", "part"
	case "conflict":
		return "Its policies conflict", "part"
	case "error":
		return "Could not be judged", "part"
	case "configmanager":
		return "Judged by Configuration Manager", "unknown"
	}
	return "Not known", "unknown"
}

// managementWords are what manages a device, in place of Microsoft's words.
var managementWords = map[string]string{"mdm": "Intune", "eas": "ActiveSync", "easmdm": "Intune and ActiveSync", "intuneclient": "Intune, by its client", "configurationmanagerclient": "Configuration Manager",
	"configurationmanagerclientmdm": "Configuration Manager and Intune", "configurationmanagerclientmdmeas": "Configuration Manager, Intune and ActiveSync", "jamf": "Jamf", "googleclouddevicepolicycontroller": "Google's device policy",
	"microsoft365managedmdm": "Microsoft 365", "mssense": "Defender for Endpoint"}

func managedBy(d api.ManagedDevice) string {
	return nameOr(managementWords[strings.ToLower(d.Management)], nameOr(d.Management, "Not told"))
}

// deviceLine is a device's system in a line.
func deviceLine(d api.ManagedDevice) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s", d.System, d.Version))
}

// whyUnknown is why something is not known, with what mends it.
func whyUnknown(list []api.Knowledge, what string) string {
	for _, h := range list {
		if h.What == what && h.Because != "" {
			return strings.TrimSpace(h.Because + " " + h.Mend)
		}
	}
	return "It is not known."
}

func groupNames(list []api.GroupRef) []string {
	out := make([]string, len(list))
	for i, g := range list {
		out[i] = g.Name
	}
	return out
}

// restWord says of checks that do not fail how many pass, and how many cannot be told.
func restWord(checks []api.PostureCheck) string {
	pass, unknown := 0, 0
	for _, c := range checks {
		switch c.Status {
		case posture.Pass:
			pass++
		case posture.Unknown:
			unknown++
		}
	}
	out := plural(pass, "check passes", "checks pass")
	if unknown > 0 {
		out += fmt.Sprintf(", of %d it cannot be told", unknown)
	}
	return out + "."
}

// membersWord is how many are in a group, and how many of them are guests.
func membersWord(members, guests int) string {
	if guests == 0 {
		return plural(members, "member", "members")
	}
	return fmt.Sprintf("%s, %s of them", plural(members, "member", "members"), plural(guests, "guest", "guests"))
}

// besides are what is held without some that are wholly unknown, and of which that is said elsewhere.
func besides(list []api.Knowledge, said ...string) (out []api.Knowledge) {
	for _, h := range list {
		if h.State != "unknown" || !has(said, h.What) {
			out = append(out, h)
		}
	}
	return out
}
