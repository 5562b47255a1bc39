package remediate

import (
	"context"
	"encoding/json"
	"strings"

	"tocsin.dev/graph"
)

func lookApp(ctx context.Context, gc *graph.Client, t target) (seen, error) {
	var raw json.RawMessage
	err := gc.Get(ctx, "servicePrincipals.get", graph.P{"principal": t.object}, &raw)
	return seen{raw: bare(raw)}, err
}

func lookGrants(ctx context.Context, gc *graph.Client, t target) (seen, error) {
	return listed(ctx, gc, "servicePrincipals.grants", graph.P{"principal": t.object}, t.id)
}

func lookPermissions(ctx context.Context, gc *graph.Client, t target) (seen, error) {
	return listed(ctx, gc, "servicePrincipals.appRoleAssignments", graph.P{"principal": t.object}, t.id)
}

func planDisableApp(p *Plan, f *Draft, now seen) {
	p.Does = "Disables the application " + f.whom.who + " in this tenant: nobody can sign in to it, and it gets no more tokens."
	p.Touches = []string{"the application " + f.whom.who}
	p.Not = []string{"An access token that it has works until it runs out, for about an hour.", "What it was consented to stays, and counts again when it is enabled."}
	p.Undo, p.CanUndo = "It can be undone: the application is enabled again.", true
	p.already(now, now.raw != nil && !isOn(now.raw, "accountEnabled"), "The application is disabled already.")
}

func planEnableApp(p *Plan, f *Draft, now seen) {
	p.Does = "Enables the application " + f.whom.who + " in this tenant again, with what it was consented to."
	p.Touches = []string{"the application " + f.whom.who}
	p.Undo, p.CanUndo = "It can be undone: the application is disabled again.", true
	p.already(now, now.raw != nil && isOn(now.raw, "accountEnabled"), "The application is enabled already.")
}

func planRevokeGrant(p *Plan, f *Draft, now seen) {
	p.Does = "Revokes the consent of the application " + f.whom.who + " to " + f.shown() + "."
	p.Touches = []string{"what " + f.whom.who + " may do on people's behalf: " + f.shown()}
	p.Not = []string{
		"People can consent again, where policy lets them: disable the application as well.",
		"An access token that it has works until it runs out, for about an hour.",
	}
	p.Undo, p.CanUndo = "It can be undone: the same consent is given again.", true
	p.Lost = []string{"It gets another id."}
	p.already(now, false, "")
}

func planRemovePermission(p *Plan, f *Draft, now seen) {
	p.Does = "Takes the permission " + f.shown() + " from the application " + f.whom.who + "."
	p.Touches = []string{"the permission " + f.shown() + " of " + f.whom.who}
	p.Not = []string{"An access token that it has carries the permission until it runs out, for about an hour."}
	p.Undo, p.CanUndo = "It can be undone: the same permission is given again.", true
	p.Lost = []string{"It is told to be of the day on which it is given again."}
	p.already(now, false, "")
}

// scopeIn is what a consent is to, for people.
func scopeIn(raw json.RawMessage) string {
	var g struct{ Scope, ConsentType string }
	if json.Unmarshal(raw, &g) != nil || strings.TrimSpace(g.Scope) == "" {
		return ""
	}
	whose := ""
	if g.ConsentType == "AllPrincipals" {
		whose = " (for everybody)"
	}
	return strings.Join(strings.Fields(g.Scope), ", ") + whose
}
