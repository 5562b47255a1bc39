package remediate

import (
	"context"
	"encoding/json"

	"tocsin.dev/connect"
	"tocsin.dev/graph"
)

// Kind is what an action does.
type Kind string

// The kinds. Each stands in the table of acts below.
const (
	RevokeSessions Kind = "revoke_sessions"
	Suspend        Kind = "suspend"
	Reinstate      Kind = "reinstate"
	ForcePassword  Kind = "force_password_change"
	RemoveMethods  Kind = "mfa_enroll"
	ConfirmRisk    Kind = "confirm_risk"
	DismissRisk    Kind = "dismiss_risk"

	DisableRule Kind = "disable_rule"
	DeleteRule  Kind = "delete_rule"
	EnableRule  Kind = "enable_rule"
	RestoreRule Kind = "restore_rule"

	RemoveRole        Kind = "remove_admin_role"
	ReturnRole        Kind = "return_admin_role"
	RemoveEligibility Kind = "remove_eligible_role"
	ReturnEligibility Kind = "return_eligible_role"

	RevokeGrant      Kind = "revoke_grant"
	ReturnGrant      Kind = "return_grant"
	RemovePermission Kind = "remove_permission"
	ReturnPermission Kind = "return_permission"
	DisableApp       Kind = "disable_app"
	EnableApp        Kind = "enable_app"
)

// On is what a kind of action is done to.
type On string

// The sorts of target. An account, a rule, a role and a sign-in method are a person's; a consent and a permission are an
// application's.
const (
	OnAccount     On = "account"
	OnMethods     On = "methods" // all of them, or one
	OnRule        On = "rule"
	OnRole        On = "role"
	OnEligibility On = "eligible_role"
	OnApp         On = "app"
	OnGrant       On = "grant"
	OnPermission  On = "permission"
)

// OfApp says whether it is an application's, and not a person's.
func (o On) OfApp() bool { return o == OnApp || o == OnGrant || o == OnPermission }

// Part says whether a target has to be named within the account or the application.
func (o On) Part() bool { return o != OnAccount && o != OnMethods && o != OnApp }

// act is all that is particular to a kind. What all share, planning, approval, limits, the record, sending once, reading back
// and undoing, stands in the other files.
type act struct {
	kind  Kind
	on    On
	undo  Kind   // undoes it; empty where nothing does
	asked bool   // people ask for it; else it is an undo only
	hard  bool   // somebody cannot work while it holds, or it cannot be undone: in a playbook it comes after the others
	needs string // the capability of package connect

	// look reads the target as it is now. A target that is not there is no error.
	look func(ctx context.Context, gc *graph.Client, t target) (seen, error)
	// so says whether the target is as the action makes it.
	so func(s *step, now seen) (bool, error)
	// send makes the act, once. made is the id of what came into being.
	send func(ctx context.Context, s *step) (made string, err error)
	// plan puts it into words, and says what of the target's own state stands against it.
	plan func(p *Plan, f *Draft, now seen)
	// did says what was done, for those who read the history.
	did func(s *step) string
	// stale are the sources of which package collect reads what was changed; they are read again at once.
	stale []string
}

// target is what an action is done to, by the ids of Microsoft.
type target struct {
	object string // the account's, or the service principal's
	id     string // of what of it
}

// acts is everything that can be done to a tenant.
var acts = []act{
	{kind: RevokeSessions, on: OnAccount, asked: true, needs: connect.RevokeSessions,
		look: lookAccount, so: sessionsRevoked, send: revokeSessions, plan: planRevoke, did: said("The sessions were revoked; Microsoft shows the new date.")},
	{kind: Suspend, on: OnAccount, undo: Reinstate, asked: true, hard: true, needs: connect.AccountSwitch, stale: []string{"users"},
		look: lookAccount, so: switched("accountEnabled", false), send: switchTo("users.enable", "accountEnabled", false), plan: planSuspend, did: said("The account was disabled, and reads back so.")},
	{kind: Reinstate, on: OnAccount, undo: Suspend, asked: true, needs: connect.AccountSwitch, stale: []string{"users"},
		look: lookAccount, so: switched("accountEnabled", true), send: switchTo("users.enable", "accountEnabled", true), plan: planReinstate, did: said("The account was enabled, and reads back so.")},
	{kind: ForcePassword, on: OnAccount, asked: true, hard: true, needs: connect.NewPassword,
		look: lookAccount, so: passwordChanged, send: newPassword, plan: planPassword, did: said("The password was replaced by one that nobody knows; Microsoft shows the new date.")},
	{kind: RemoveMethods, on: OnMethods, asked: true, hard: true, needs: connect.MethodRemoval, stale: []string{"registrations"},
		look: lookMethods, so: gone, send: removeMethods, plan: planMethods, did: said("The sign-in methods were removed, and are no longer there.")},
	{kind: ConfirmRisk, on: OnAccount, asked: true, needs: connect.RiskVerdict, stale: []string{"protection"},
		look: lookRisk, so: riskConfirmed, send: sayRisk("riskyUsers.confirm"), plan: planConfirm, did: said("Microsoft was told that the account was taken over, and holds it so.")},
	{kind: DismissRisk, on: OnAccount, asked: true, needs: connect.RiskVerdict, stale: []string{"protection"},
		look: lookRisk, so: riskDismissed, send: sayRisk("riskyUsers.dismiss"), plan: planDismiss, did: said("The risk was dismissed, and Microsoft holds none.")},

	{kind: DisableRule, on: OnRule, undo: EnableRule, asked: true, needs: connect.RuleChange,
		look: lookRule, so: ruleOff, send: switchTo("messageRules.update", "isEnabled", false), plan: planDisableRule, did: named("The rule “%s” was switched off, and reads back so.")},
	{kind: DeleteRule, on: OnRule, undo: RestoreRule, asked: true, needs: connect.RuleChange,
		look: lookRules, so: gone, send: remove("messageRules.delete"), plan: planDeleteRule, did: named("The rule “%s” was deleted, and is no longer there.")},
	{kind: EnableRule, on: OnRule, needs: connect.RuleChange,
		look: lookRule, so: switched("isEnabled", true), send: switchTo("messageRules.update", "isEnabled", true), plan: planEnableRule, did: named("The rule “%s” was switched on again, and reads back as it was.")},
	{kind: RestoreRule, on: OnRule, needs: connect.RuleChange,
		look: lookRules, so: restored, send: restoreRule, plan: planRestoreRule, did: remadeRule},

	{kind: RemoveRole, on: OnRole, undo: ReturnRole, asked: true, needs: connect.RoleRemoval, stale: []string{"privileges", "roles"},
		look: lookRoles, so: gone, send: remove("roleAssignments.delete"), plan: planRemoveRole, did: named("The role %s was taken, and is no longer there.")},
	{kind: ReturnRole, on: OnRole, needs: connect.RoleRemoval, stale: []string{"privileges", "roles"},
		look: lookRoles, so: restored, send: give("roleAssignments.create"), plan: planReturn("Gives %s the role %s again."), did: named("The role %s was given again, and reads back as it was.")},
	{kind: RemoveEligibility, on: OnEligibility, undo: ReturnEligibility, asked: true, needs: connect.EligibilityRemoval, stale: []string{"privileges"},
		look: lookEligible, so: gone, send: removeEligibility, plan: planRemoveEligibility, did: named("The right to take the role %s was taken away, and is no longer there.")},
	{kind: ReturnEligibility, on: OnEligibility, needs: connect.EligibilityRemoval, stale: []string{"privileges"},
		look: lookEligible, so: restored, send: returnEligibility, plan: planReturn("Lets %s take the role %s again."), did: named("The right to take the role %s was given again, and reads back as it was.")},

	{kind: RevokeGrant, on: OnGrant, undo: ReturnGrant, asked: true, needs: connect.GrantRemoval, stale: []string{"applications"},
		look: lookGrants, so: gone, send: remove("oauth2PermissionGrants.delete"), plan: planRevokeGrant, did: named("The consent to %s was revoked, and is no longer there.")},
	{kind: ReturnGrant, on: OnGrant, needs: connect.GrantRemoval, stale: []string{"applications"},
		look: lookGrants, so: restored, send: give("oauth2PermissionGrants.create"), plan: planReturn("Gives %s the consent to %s again."), did: named("The consent to %s was given again, and reads back as it was.")},
	{kind: RemovePermission, on: OnPermission, undo: ReturnPermission, asked: true, needs: connect.PermissionRemoval, stale: []string{"applications"},
		look: lookPermissions, so: gone, send: remove("appRoleAssignments.delete"), plan: planRemovePermission, did: named("The permission %s was taken, and is no longer there.")},
	{kind: ReturnPermission, on: OnPermission, needs: connect.PermissionRemoval, stale: []string{"applications"},
		look: lookPermissions, so: restored, send: give("appRoleAssignments.create"), plan: planReturn("Gives %s the permission %s again."), did: named("The permission %s was given again, and reads back as it was.")},
	{kind: DisableApp, on: OnApp, undo: EnableApp, asked: true, hard: true, needs: connect.AppSwitch, stale: []string{"applications"},
		look: lookApp, so: switched("accountEnabled", false), send: switchTo("servicePrincipals.enable", "accountEnabled", false), plan: planDisableApp, did: said("The application was disabled, and reads back so.")},
	{kind: EnableApp, on: OnApp, undo: DisableApp, asked: true, needs: connect.AppSwitch, stale: []string{"applications"},
		look: lookApp, so: switched("accountEnabled", true), send: switchTo("servicePrincipals.enable", "accountEnabled", true), plan: planEnableApp, did: said("The application was enabled, and reads back so.")},
}

// table is acts by kind; init breaks the circle of acts that name functions that look into it.
var table map[Kind]*act

// Kinds are all there are, and Asked those that can be asked for; the others are undos.
var Kinds, Asked []Kind

func init() {
	table = make(map[Kind]*act, len(acts))
	for i := range acts {
		a := &acts[i]
		table[a.kind] = a
		Kinds = append(Kinds, a.kind)
		if a.asked {
			Asked = append(Asked, a.kind)
		}
	}
}

// On is what it is done to; empty of a kind there is not.
func (k Kind) On() On {
	if a := table[k]; a != nil {
		return a.on
	}
	return ""
}

// OnRule says whether the kind is about an inbox rule.
func (k Kind) OnRule() bool { return k.On() == OnRule }

// Undo is the kind that undoes it; empty where there is none.
func (k Kind) Undo() Kind {
	if a := table[k]; a != nil {
		return a.undo
	}
	return ""
}

// Needs is the capability of package connect without which it cannot be done.
func (k Kind) Needs() string {
	if a := table[k]; a != nil {
		return a.needs
	}
	return ""
}

// Hard says whether somebody cannot work while it holds, or it cannot be undone.
func (k Kind) Hard() bool { return table[k] != nil && table[k].hard }

// seen is a target as it is now.
type seen struct {
	gone  bool            // it is not there
	raw   json.RawMessage // it, or what of it says how it stands, as Microsoft gave it
	items []item          // all of its sort that the account or the application has, where it may go and come
}

// item is one of a sort.
type item struct {
	id  string
	raw json.RawMessage
}

// beside are the others than the target, with their places where these are in an order.
func (s seen) beside(id string) []Place {
	var out []Place
	for _, it := range s.items {
		if it.id != id {
			out = append(out, Place{it.id, inOrder(it.raw)})
		}
	}
	return out
}

func (s seen) item(id string) json.RawMessage {
	for _, it := range s.items {
		if it.id == id {
			return it.raw
		}
	}
	return nil
}
