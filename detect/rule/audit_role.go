package rule

import (
	"fmt"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// roleEvents judge who received a directory role, and by which way.
// Operations: https://learn.microsoft.com/entra/identity/monitoring-health/reference-audit-activities.
var roleEvents = []detect.Event{
	{Meta: globalAdministratorGranted, Judge: judgeRole},
	{Meta: privilegedRoleGranted, Judge: auditBeside},
	{Meta: roleGranted, Judge: auditBeside},
	{Meta: roleGrantedOutsidePIM, Judge: auditBeside},
	{Meta: roleGrantedThroughPIM, Judge: auditBeside},
	{Meta: roleSettingChanged, Judge: judgeRoleSetting},
	{Meta: elevatedAccess, Judge: judgeElevated},
}

var roleOperations = []string{
	"Disable PIM alert", "Update role", "Update role definition", "Add role definition", "Microsoft.Authorization/elevateAccess/action",
	"MICROSOFT.AUTHORIZATION/ELEVATEACCESS/ACTION",
}

var globalAdministratorGranted = detect.Meta{
	Name: "global-administrator-granted", Title: "Somebody was made Global Administrator", Family: "directory roles",
	Severity: tocsin.Critical, Attack: []string{"T1098.003"}, Stage: "persistence",
	Says:           "An account received the role that may do everything.",
	FalsePositives: "A new administrator; the emergency accounts.",
	Fix:            "Confirm with the person who granted it, by another way than mail; remove the role otherwise.",
	Actions:        []string{"remove_admin_role", "revoke_sessions", "suspend"}, Source: "audit_log",
}

var privilegedRoleGranted = detect.Meta{
	Name: "privileged-role-granted", Title: "A privileged role was granted", Family: "directory roles",
	Severity: tocsin.High, Attack: []string{"T1098.003"}, Stage: "persistence",
	Says:           "An account received a role that can take over others: Privileged Role, Exchange, Application, Security Administrator and the like.",
	FalsePositives: "Ordinary appointment of an administrator.",
	Fix:            "Confirm with the person who granted it; prefer eligible and time-limited assignment.",
	Actions:        []string{"remove_admin_role", "revoke_sessions"}, Source: "audit_log",
}

var roleGranted = detect.Meta{
	Name: "role-granted", Title: "A directory role was granted", Family: "directory roles",
	Severity: tocsin.Low, Attack: []string{"T1098.003"}, Stage: "persistence",
	Says:           "An account received a role that reaches less.",
	FalsePositives: "Ordinary administration.",
	Fix:            "Nothing, if it was asked for.",
	Actions:        []string{"remove_admin_role"}, Source: "audit_log",
}

var roleGrantedOutsidePIM = detect.Meta{
	Name: "role-granted-outside-pim", Title: "A role was granted around Privileged Identity Management", Family: "directory roles",
	Severity: tocsin.High, Attack: []string{"T1098.003"}, Stage: "persistence",
	Says:           "Where roles are given through Privileged Identity Management, one was given without it.",
	FalsePositives: "A script that predates it.",
	Fix:            "Remove the assignment and give it through Privileged Identity Management.",
	Actions:        []string{"remove_admin_role", "revoke_sessions"}, Source: "audit_log",
}

var roleGrantedThroughPIM = detect.Meta{
	Name: "role-granted-through-pim", Title: "A role was assigned through Privileged Identity Management", Family: "directory roles",
	Severity: tocsin.Medium, Attack: []string{"T1098.003"}, Stage: "persistence",
	Says:           "A role was assigned, for ever or as eligible; activations for a time are not reported.",
	FalsePositives: "Ordinary appointment of an administrator.",
	Fix:            "See whether it must be permanent.",
	Actions:        []string{"remove_admin_role"}, Source: "audit_log",
}

var roleSettingChanged = detect.Meta{
	Name: "role-setting-changed", Title: "The rules for activating a role were changed", Family: "directory roles",
	Severity: tocsin.Medium, Attack: []string{"T1098.003", "T1556"}, Stage: "persistence",
	Says:           "A role's setting in Privileged Identity Management, or one of its alerts, was changed or disabled.",
	FalsePositives: "Ordinary administration.",
	Fix:            "Compare approval, MFA and duration with what you require.",
	Actions:        []string{}, Source: "audit_log",
}

var elevatedAccess = detect.Meta{
	Name: "elevated-access-to-azure", Title: "An administrator took control of all Azure subscriptions", Family: "directory roles",
	Severity: tocsin.High, Attack: []string{"T1098.003"}, Stage: "lateral_movement",
	Says:           "A Global Administrator switched on User Access Administrator at the root of Azure for himself.",
	FalsePositives: "Recovery of a subscription without an owner.",
	Fix:            "Switch it off again and see which role assignments were made meanwhile.",
	Actions:        []string{"remove_admin_role", "revoke_sessions"}, Source: "audit_log",
}

// roleRanks are what roles reach: 2 all, 1 others' accounts, mail or protection. Names and template ids:
// https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference.
var roleRanks = map[string]int{
	"global administrator": 2, "company administrator": 2, "62e90394-69f5-4237-9190-012177145e10": 2,
	"privileged role administrator": 1, "e8611ab8-c189-46e8-94e1-60213ab1f814": 1,
	"privileged authentication administrator": 1, "7be44c8a-adaf-4e2a-84d6-ab2649e08a13": 1,
	"authentication administrator": 1, "c4e39bd9-1100-46d3-8c65-fb160da0071f": 1,
	"authentication policy administrator": 1, "0526716b-113d-4c15-b2c8-68e3c22b9f80": 1,
	"application administrator": 1, "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3": 1,
	"cloud application administrator": 1, "158c047a-c907-4556-b7ef-446551a6b5f7": 1,
	"exchange administrator": 1, "exchange service administrator": 1, "29232cdf-9323-42fd-ade2-1d097af3e4de": 1,
	"sharepoint administrator": 1, "sharepoint service administrator": 1, "f28a1f50-f6e7-4571-818b-6a12f2af6b6c": 1,
	"security administrator": 1, "194ae4cb-b126-40b2-bd5b-6091b380977d": 1,
	"conditional access administrator": 1, "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9": 1,
	"user administrator": 1, "user account administrator": 1, "fe930be7-5e62-47db-91af-98c3a49a38b1": 1,
	"helpdesk administrator": 1, "729827e3-9c14-49f7-bb1b-9608f156bbb8": 1,
	"password administrator": 1, "966707d0-3269-4727-9be2-8c3a10f19b9d": 1,
	"hybrid identity administrator": 1, "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2": 1,
	"domain name administrator": 1, "8329153b-31d0-4727-b945-745eb3bc5f31": 1,
	"external identity provider administrator": 1, "be2f45a1-457d-42af-a067-6ec1fa63bc45": 1,
	"intune administrator": 1, "intune service administrator": 1, "3a2c62db-5318-420d-8d74-23affee5d9d5": 1,
	"compliance administrator": 1, "17315797-102d-40b4-93e0-432062caca18": 1,
	"partner tier1 support": 1, "4ba39ca4-527c-499a-b93d-d9b492c50246": 1,
	"partner tier2 support": 1, "e00e864a-17c5-4a4b-9c06-f5b95a8d5bd8": 1,
	"directory synchronization accounts": 1, "d29b2b05-8046-44ba-8758-1e26182fcf32": 1,
	"directory writers": 1, "9360feb5-f418-4baa-8175-e2a00bac4301": 1,
	"groups administrator": 1, "fdd7a751-b60b-444a-984c-02652fe8fa1c": 1,
}

// grantedRole is the role's name and its rank in what a record says.
func grantedRole(r *detect.Record) (name string, rank int) {
	for _, p := range []string{"Role.DisplayName", "RoleName", "Role.TemplateId", "TemplateId", "RoleDefinitionOriginId", "Role.WellKnownObjectName"} {
		_, now, ok := auditModified(r, p)
		if !ok {
			now, ok = auditParam(r, p)
		}
		if now = auditPlain(now); !ok || now == "" {
			continue
		}
		if name == "" || !strings.Contains(p, "Id") && strings.Contains(name, "-") {
			name = now
		}
		low := strings.ToLower(now)
		if p == "Role.WellKnownObjectName" && low == "tenantadmins" {
			rank = 2
		}
		rank = max(rank, roleRanks[low])
	}
	if t := auditTargetOf(r, "Role"); strings.EqualFold(t.Type, "Role") && t.Name != "" {
		name, rank = t.Name, max(rank, roleRanks[strings.ToLower(t.Name)])
	}
	return name, rank
}

func judgeRole(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	op := r.Operation
	if !strings.HasPrefix(op, "Add member to role") && !strings.HasPrefix(op, "Add eligible member to role") && !strings.HasPrefix(op, "Add scoped member to role") {
		return nil
	}
	pim := strings.Contains(op, "PIM") && !strings.Contains(op, "outside of PIM")
	if !auditDone(r) || pim && (!strings.Contains(op, "completed") || strings.Contains(op, "activation")) {
		return nil
	}
	if !pim && (auditService(r) || strings.EqualFold(r.Actor, "MS-PIM")) {
		return nil // an activation's own bookkeeping: what PIM says of it is judged
	}
	role, rank := grantedRole(r)
	who := auditTargetOf(r, "User", "ServicePrincipal", "Group").Label()
	m, terms := roleTerms(op, pim, role, rank)
	if auditSame(who, r.Actor) {
		terms.Add(15, "given by himself")
	}
	if o.Outside(tocsin.Address{Address: who}) || strings.Contains(strings.ToUpper(who), "#EXT#") {
		terms.Add(15, "given to somebody outside")
	}
	if auditText(r, "app_id") != "" && r.ActorKind == "app" {
		terms.Add(10, "given by an application")
	}
	if role == "" {
		role = "a role that the record does not name"
	}
	why := fmt.Sprintf("%s received the role %s%s.", who, role, auditBy(r))
	return auditOne(auditFinding(o, m, r, who, strings.ToLower(who), strings.ToLower(role), why, terms))
}

func roleTerms(op string, pim bool, role string, rank int) (*detect.Meta, detect.Terms) {
	reach := []string{"the role reaches little", "the role can take over others' accounts, mail or protection", "the role may do everything"}[rank]
	switch {
	case strings.Contains(op, "outside of PIM"):
		return &roleGrantedOutsidePIM, auditTerms([]int{65, 75, 90}[rank], "given around Privileged Identity Management; "+reach)
	case pim && strings.Contains(op, "timebound") && !strings.Contains(op, "eligible"):
		return &roleGrantedThroughPIM, auditTerms([]int{10, 20, 30}[rank], "for a time, through Privileged Identity Management; "+reach)
	case pim:
		return &roleGrantedThroughPIM, auditTerms([]int{40, 50, 65}[rank], "assigned through Privileged Identity Management; "+reach)
	case rank == 2:
		return &globalAdministratorGranted, auditTerms(88, reach)
	case rank == 1:
		return &privilegedRoleGranted, auditTerms(68, reach)
	}
	return &roleGranted, auditTerms(20, reach)
}

func judgeRoleSetting(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !strings.HasPrefix(r.Operation, "Update role setting") && r.Operation != "Disable PIM alert" || !auditDone(r) || auditService(r) {
		return nil
	}
	what := auditTargetOf(r, "Role").Label()
	why := fmt.Sprintf("%s: %s%s.", r.Operation, what, auditBy(r))
	return auditOne(auditFinding(o, &roleSettingChanged, r, r.Actor, strings.ToLower(what), r.Operation, why,
		auditTerms(45, "what a role's activation asks for was changed")))
}

func judgeElevated(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !strings.HasPrefix(r.Operation, "User has elevated their access") && !strings.EqualFold(r.Operation, "Microsoft.Authorization/elevateAccess/action") || !auditDone(r) {
		return nil
	}
	why := fmt.Sprintf("%s took the right to manage access in all Azure subscriptions%s.", r.Actor, auditFrom(r))
	return auditOne(auditFinding(o, &elevatedAccess, r, r.Actor, strings.ToLower(r.Actor), "", why, auditTerms(70, "control of every subscription")))
}
