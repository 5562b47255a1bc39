package remediate

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tocsin.dev/graph"
)

// globalAdministrator is the role's template, the same in every tenant.
// https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
const globalAdministrator = "62e90394-69f5-4237-9190-012177145e10"

// held is who has, or may take, a role. https://learn.microsoft.com/graph/api/resources/unifiedroleassignment
type held struct {
	Principal string `json:"principalId"`
	Role      string `json:"roleDefinitionId"`
	Scope     string `json:"directoryScopeId"`
	Ends      string `json:"endDateTime"`
}

func heldIn(raw json.RawMessage) (h held, err error) {
	return h, json.Unmarshal(raw, &h)
}

func lookRoles(ctx context.Context, gc *graph.Client, t target) (seen, error) {
	return listed(ctx, gc, "roleAssignments.of", ofPrincipal(t), t.id)
}

func lookEligible(ctx context.Context, gc *graph.Client, t target) (seen, error) {
	return listed(ctx, gc, "roleEligibility.of", ofPrincipal(t), t.id)
}

func ofPrincipal(t target) graph.P { return graph.P{"$filter": "principalId eq '" + t.object + "'"} }

// removeEligibility asks for what Privileged Identity Management calls adminRemove.
// https://learn.microsoft.com/graph/api/rbacapplication-post-roleeligibilityschedulerequests
func removeEligibility(ctx context.Context, s *step) (string, error) {
	h, err := heldIn(s.Plan.Before)
	if err != nil {
		return "", err
	}
	return "", s.gc.Act(ctx, "roleEligibility.request", nil, map[string]any{"action": "adminRemove", "principalId": h.Principal, "roleDefinitionId": h.Role, "directoryScopeId": h.Scope, "justification": s.justification()}, nil)
}

// returnEligibility gives it from now on, and until when it was.
func returnEligibility(ctx context.Context, s *step) (string, error) {
	h, err := heldIn(s.Plan.Original)
	if err != nil {
		return "", err
	}
	ends := map[string]any{"type": "noExpiration"}
	if h.Ends != "" {
		ends = map[string]any{"type": "afterDateTime", "endDateTime": h.Ends}
	}
	return "", s.gc.Act(ctx, "roleEligibility.request", nil, map[string]any{"action": "adminAssign", "principalId": h.Principal, "roleDefinitionId": h.Role, "directoryScopeId": h.Scope, "justification": s.justification(),
		"scheduleInfo": map[string]any{"startDateTime": s.Store.Clock().Now().UTC().Format(time.RFC3339), "expiration": ends}}, nil)
}

// justification is what Microsoft's own log has of why.
func (s *step) justification() string { return "Tocsin " + s.ID }

func planRemoveRole(p *Plan, f *Draft, now seen) {
	p.Does = "Takes the role " + f.shown() + " from " + f.whom.who + "."
	p.Touches = []string{"the role " + f.shown() + " of " + f.whom.who}
	p.Not = []string{
		"Who may activate the role can take it again: take away that as well.",
		"Roles that come by a group stay: they are the group's.",
		"Tokens that are out carry the role until they run out, for about an hour: revoke the sessions as well.",
	}
	p.Undo, p.CanUndo = "It can be undone: the role is given again, for the same scope.", true
	p.already(now, false, "")
}

func planRemoveEligibility(p *Plan, f *Draft, now seen) {
	p.Does = "Takes from " + f.whom.who + " the right to take the role " + f.shown() + "."
	p.Touches = []string{"that " + f.whom.who + " may take the role " + f.shown()}
	p.Not = []string{"Where the role is active now it stays so until it runs out: take the role as well."}
	p.Undo, p.CanUndo = "It can be undone: the right is given again, for the same scope and until the same day.", true
	p.Lost = []string{"It begins anew, with another id."}
	p.already(now, false, "")
}

// planReturn is of what gives something again; what has the account's or application's name and the target's.
func planReturn(what string) func(*Plan, *Draft, seen) {
	return func(p *Plan, f *Draft, now seen) {
		p.Does = fmt.Sprintf(what, f.whom.who, f.shown())
		p.Touches = []string{f.shown() + " of " + f.whom.who}
		p.Lost = f.original.Plan.Lost
		p.Undo = "It can be taken again by a new action."
		shape := shapes[f.Ask.Kind.On()]
		want, err := shape.fingerprint(f.original.Plan.Before)
		for _, it := range now.items {
			if is, bad := shape.fingerprint(it.raw); err == nil && bad == nil && is == want {
				p.Already = "Somebody has given it again already."
			}
		}
	}
}
