package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/connect"
	"tocsin.dev/remediate"
)

// trail is what people did: everything for admins of the installation, else the tenant's.
func (w *web) trail(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	f := api.TrailFilter{Paging: api.Paging{Limit: pageSize, After: q.Get("after")}, Who: trim(q.Get("who")), Outcome: q.Get("outcome")}
	at := "/settings/trail"
	var list api.Page[api.TrailEntry]
	var err error
	if tenant := tocsin.TenantID(r.PathValue("tenant")); tenant != "" {
		at = tenantAt(tenant, "settings", "trail")
		list, err = w.svc.TenantTrail(r.Context(), api.TenantTrailIn{In: api.In{Tenant: tenant}, TrailFilter: f})
	} else {
		list, err = w.svc.ListTrail(r.Context(), api.TrailIn{TrailFilter: f})
	}
	if err != nil {
		return nil, err
	}
	return trailPage(p, list, onward(at, kept(r), list.Next), at, f), nil
}

// sessionEnd ends a session of one's own.
func (w *web) sessionEnd(r *http.Request) (string, *notice, error) {
	_, err := w.svc.EndSession(r.Context(), api.SessionIn{ID: r.PostFormValue("id")})
	return "/settings/you", &notice{Kind: "good", What: "The session has ended."}, err
}

// trailWords are acts in fewer words than the operation's help has, which says what it can do.
var trailWords = map[string]string{
	"connections create": "Connect a tenant by API credentials", "connections test": "Test the connection", "connections pause": "Pause the connection", "connections resume": "Resume the connection",
	"connections edit": "Change the connection", "connections rotate": "Rotate the credential", "connections close": "Disconnect", "connections reopen": "Open the connection again",
	"connections choose": "Choose the products", "connections delete": "Forget the connection", "consents begin": "Begin to connect by consent", "consents finish": "Come back from Microsoft with a consent",
	"audit-queries create": "Search the audit log", "findings decide": "Decide a finding", "actions create": "Ask for an action",
}

// trailWhat is what somebody did.
func trailWhat(e api.TrailEntry) string {
	return nameOr(trailWords[e.Operation], nameOr(e.Does, e.Operation))
}

// trailKeys are what is shown of an act's body, in this order, and its words. What has no word is left out of the pages.
var trailKeys = []struct{ Key, Word string }{
	{"connection", ""}, {"name", "Name"}, {"email", "Account"}, {"kind", "Kind"}, {"status", "Decision"}, {"rule", "Detection"}, {"severity", "Severity"}, {"scope", "Of"}, {"value", "What"},
	{"person", "Person"}, {"domain", "Domain"}, {"change", "Change"}, {"role", "Role"}, {"on", "Where"}, {"tenant", "Tenant"}, {"tier", "For"}, {"products", "Products"}, {"cloud", "Cloud"}, {"client_id", "Application"},
	{"metadata_only", "Metadata only"}, {"operations", "Operations"}, {"address", "By"}, {"since", "From"}, {"what", "What was read"}, {"enabled", "Switched on"}, {"force", "Although warned"},
	{"until", "Until"}, {"expires", "Ends"}, {"owner", "With"}, {"finding", "Finding"}, {"digest_over", "Digest over"},
	{"approval", "Approval"}, {"kinds", "Of"}, {"per_hour", "In an hour"}, {"at_once", "At once"}, {"spared", "Spared"}, {"tenants", "Tenants"}, {"authority", "Sign-in at"}, {"graph", "Graph at"}, {"days", "Days"},
}

// trailDetail is what is shown of an act's body, in one order.
func trailDetail(ctx context.Context, e api.TrailEntry) string {
	var out []string
	for _, k := range trailKeys {
		v, ok := e.Detail[k.Key]
		switch {
		case !ok, k.Key == "name" && v == e.Detail["connection"]:
		case k.Word == "":
			out = append(out, v)
		default:
			out = append(out, k.Word+": "+trailValue(ctx, k.Key, v))
		}
	}
	return strings.Join(out, " · ")
}

// trailValue is a value of an act's body as people read it: a time as elsewhere, a list with commas, a word of ours as one.
func trailValue(ctx context.Context, key, v string) string {
	if t, err := time.Parse(time.RFC3339, v); err == nil {
		if key == "until" || key == "expires" || t.Equal(t.Truncate(24*time.Hour)) {
			return day(ctx, t)
		}
		return clock(ctx, t)
	}
	if t, err := time.Parse(time.DateOnly, v); err == nil {
		return t.Format("2 Jan 2006")
	}
	var list []string
	if strings.HasPrefix(v, "[") && json.Unmarshal([]byte(v), &list) == nil {
		switch key {
		case "products":
			return productNames(list)
		case "operations":
			return strings.Join(searchWords(list), ", ")
		}
		return strings.Join(list, ", ")
	}
	switch {
	case key == "what" && v == connect.Keep:
		return "stays"
	case key == "what" && v == connect.Erase:
		return "is erased, with all that is kept of the tenant"
	case key == "approval" && v == "second_person":
		return "by a second person"
	case key == "tier":
		return tierWord(v)
	case key == "cloud":
		return cloudWord(v)
	case key == "kind":
		return actWord(remediate.Kind(v))
	case key == "status":
		return strings.ToLower(statusWord(tocsin.Status(v)))
	case v == "true":
		return "yes"
	case v == "false":
		return "no"
	}
	return v
}

// browserWord is a browser as people call it, from what it says it is.
func browserWord(agent string) string {
	system := ""
	for _, s := range [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS", "macOS"}, {"Linux", "Linux"}} {
		if strings.Contains(agent, s[0]) {
			system = s[1]
			break
		}
	}
	for _, b := range [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}} {
		if strings.Contains(agent, b[0]) {
			if system == "" {
				return b[1]
			}
			return fmt.Sprintf("%s on %s", b[1], system)
		}
	}
	return "An unknown browser"
}

// trailWhere is the tenant in which something was done.
func trailWhere(p *page, e api.TrailEntry) string {
	if e.Tenant == api.Everywhere {
		return "the installation"
	}
	return tenantName(p, e.Tenant)
}
