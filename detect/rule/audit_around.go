package rule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// aroundEvents judge what goes around the ways that are watched.
var aroundEvents = []detect.Event{
	{Meta: sparedGroup, Judge: judgeSparedGroup},
	{Meta: serviceAsPerson, Judge: judgeServiceAsPerson},
	{Meta: rolesInSeries, Judge: judgeRolesInSeries},
	{Meta: kitDevice, Judge: judgeKitDevice},
	{Meta: deviceOutOfPolicy, Judge: judgeDeviceOutOfPolicy},
	{Meta: teamsOpened, Judge: judgeTeams},
}

var aroundOperations = []string{"Add member to group", "Add device", "Device no longer compliant", "Device no longer managed",
	"Set-CsTenantFederationConfiguration", "Set-CsExternalAccessPolicy", "Set-CsTeamsClientConfiguration", "Set-CsTeamsGuestMessagingConfiguration", "TeamsTenantSettingChanged"}

var sparedGroup = detect.Meta{
	Name: "spared-group-gained-member", Title: "Somebody was added to a group that policies leave out", Family: "directory policies",
	Severity: tocsin.High, Attack: []string{"T1556.009"}, Stage: "hiding",
	Says:           "An enforced conditional access policy does not hold for a group, and the group gained a member: the policy does not hold for him either.",
	FalsePositives: "A new emergency account.",
	Fix:            "Take the member out again unless it was agreed on; give exclusions an end.",
	Actions:        []string{"revoke_sessions"}, Source: "audit_log",
}

var serviceAsPerson = detect.Meta{
	Name: "service-acted-as-a-person", Title: "A service of Microsoft's acted in an account's name", Family: "directory accounts",
	Severity: tocsin.High, Attack: []string{"T1078.004", "T1550.001"}, Stage: "persistence",
	Says:           "The directory was changed by an account whose display name is that of Exchange, SharePoint or another service: so the record looks where somebody holds a token that lets a service act as anybody.",
	FalsePositives: "A hybrid organisation's own writing back, by Exchange.",
	Fix:            "See what was changed; rotate the credentials of the hybrid applications.",
	Actions:        []string{"revoke_sessions"}, Source: "audit_log",
}

var rolesInSeries = detect.Meta{
	Name: "roles-granted-in-series", Title: "Many roles were given in a short time", Family: "directory roles",
	Severity: tocsin.High, Attack: []string{"T1098.003"}, Stage: "persistence",
	Says:           "One account or application gave three or more roles within an hour.",
	FalsePositives: "A new team, or a clean-up.",
	Fix:            "Confirm with the administrator; take back what nobody asked for.",
	Actions:        []string{"remove_admin_role", "revoke_sessions"}, Source: "audit_log",
}

var kitDevice = detect.Meta{
	Name: "device-like-a-kit", Title: "A device was registered that looks like an attack kit's", Family: "directory accounts",
	Severity: tocsin.High, Attack: []string{"T1098.005"}, Stage: "persistence",
	Says:           "The build of the system, or the program that registered the device, is one that attack tools make up and hardly any computer still has.",
	FalsePositives: "A computer that was never updated since 2021.",
	Fix:            "Delete the device, revoke the sessions, reset the password.",
	Actions:        []string{"revoke_sessions", "force_password_change", "mfa_enroll"}, Source: "audit_log",
}

var deviceOutOfPolicy = detect.Meta{
	Name: "device-no-longer-compliant", Title: "A device no longer meets the conditions", Family: "directory accounts",
	Severity: tocsin.Low, Attack: []string{"T1078.004"}, Stage: "hiding",
	Says:           "A device became non-compliant, or is no longer managed.",
	FalsePositives: "Missed updates.",
	Fix:            "See which condition it does not meet.",
	Actions:        []string{}, Source: "audit_log",
}

var teamsOpened = detect.Meta{
	Name: "teams-opened-outside", Title: "Teams was opened to people outside", Family: "protection off",
	Severity: tocsin.Medium, Attack: []string{"T1484", "T1098"}, Stage: "hiding",
	Says:           "Guests, other organisations or private accounts may now write to people in Teams.",
	FalsePositives: "It was decided on.",
	Fix:            "Confirm with the administrator; name the organisations that are wanted.",
	Actions:        []string{}, Source: "audit_log",
}

const noteRoles = "roles-by" // actor → roles and whom they were given to

func judgeSparedGroup(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Add member to group" || !auditDone(r) || o.Spared == nil {
		return nil
	}
	names := []string{auditTargetOf(r, "Group").ID, auditTargetOf(r, "Group").Name}
	for _, p := range []string{"Group.ObjectID", "Group.DisplayName"} {
		_, now, _ := auditModified(r, p)
		names = append(names, auditPlain(now))
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		policies := o.Spared(name)
		if len(policies) == 0 {
			continue
		}
		group := names[3]
		if group == "" {
			group = name
		}
		who := auditTargetOf(r, "User").Label()
		terms := auditTerms(66, auditPlural(len(policies), "policy")+" leave the group out")
		if len(policies) == 1 {
			terms[0].Why = "a policy leaves the group out: " + policies[0]
		}
		if auditSame(who, r.Actor) {
			terms.Add(15, "added by himself")
		}
		why := fmt.Sprintf("%s was added to %s%s: %d conditional access %s no longer for him (%s).", who, group, auditBy(r), len(policies),
			map[bool]string{true: "policy holds", false: "policies hold"}[len(policies) == 1], strings.Join(policies, ", "))
		return auditOne(auditFinding(o, &sparedGroup, r, who, strings.ToLower(who), strings.ToLower(group), why, terms))
	}
	return nil
}

// servicesNames are the display names of services that have no account of their own.
var servicesNames = []string{"office 365 exchange online", "office 365 sharepoint online", "skype for business online", "dataverse", "microsoft dynamics erp"}

func judgeServiceAsPerson(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	name := auditText(r, "actor_name")
	if r.ActorKind != "user" || !auditDone(r) || !slices.Contains(servicesNames, strings.ToLower(name)) {
		return nil
	}
	why := fmt.Sprintf("%s: %s was done in the name of the account %s by what calls itself %q%s.", r.Operation, auditTargetOf(r, "User", "ServicePrincipal", "Group", "Application").Label(), r.Actor, name, auditFrom(r))
	return auditOne(auditFinding(o, &serviceAsPerson, r, r.Actor, strings.ToLower(r.Actor), strings.ToLower(name)+" "+auditDay(r), why, auditTerms(68, "no account is called so; a service's token was used")))
}

func judgeRolesInSeries(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !strings.HasPrefix(r.Operation, "Add member to role") || strings.Contains(r.Operation, "activation") || strings.Contains(r.Operation, "requested") || strings.EqualFold(r.Actor, "MS-PIM") {
		return nil
	}
	role, _ := grantedRole(r)
	notes := inSeries(mem, r, noteRoles, strings.ToLower(role+" to "+auditTargetOf(r, "User", "ServicePrincipal", "Group").Label()), 3, time.Hour)
	if notes == nil {
		return nil
	}
	n := detect.Distinct(notes)
	why := fmt.Sprintf("%s gave %d roles within an hour%s.", r.Actor, n, auditFrom(r))
	return auditOne(auditFinding(o, &rolesInSeries, r, r.Actor, strings.ToLower(r.Actor), auditDay(r), why, auditTerms(66, fmt.Sprintf("%d roles within an hour", n)), auditTail(notes, 20)...))
}

// kitBuilds are the builds that attack tools register devices with. https://github.com/dirkjanm/ROADtools
var kitBuilds = []string{"10.0.19041.928"}

// kitAgents are the programs that they say they are.
var kitAgents = []string{"Dsreg/10.0 (Windows 10.0.19044.1826)"}

func judgeKitDevice(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Add device" && r.Operation != "Register device" || !auditDone(r) {
		return nil
	}
	mark := ""
	if slices.Contains(kitAgents, r.UserAgent) {
		mark = r.UserAgent
	}
	for _, p := range []string{"DeviceOSVersion", "Device OS Version", "OSVersion"} {
		if _, now, ok := auditModified(r, p); ok {
			if v := auditPlain(now); slices.Contains(kitBuilds, v) {
				mark = "build " + v
			}
		}
	}
	for name, v := range r.Extra {
		if text, ok := v.(string); ok && strings.EqualFold(strings.ReplaceAll(name, " ", ""), "deviceosversion") && slices.Contains(kitBuilds, text) {
			mark = "build " + text
		}
	}
	if mark == "" {
		return nil
	}
	who := r.Actor
	if t := auditTargetOf(r, "User").Label(); strings.Contains(t, "@") {
		who = t
	}
	why := fmt.Sprintf("%s registered a device with %s, as attack tools do%s.", who, mark, auditFrom(r))
	return auditOne(auditFinding(o, &kitDevice, r, who, strings.ToLower(who), auditDay(r), why, auditTerms(70, mark+" is what attack tools make up")))
}

func judgeDeviceOutOfPolicy(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if r.Operation != "Device no longer compliant" && r.Operation != "Device no longer managed" || !auditDone(r) {
		return nil
	}
	device := auditTargetOf(r, "Device").Label()
	why := fmt.Sprintf("%s: %s.", r.Operation, device)
	return auditOne(auditFinding(o, &deviceOutOfPolicy, r, "", strings.ToLower(device), "", why, auditTerms(20, "it no longer meets what the organisation asks of devices")))
}

// teamsSettings open Teams where they become true.
var teamsSettings = map[string]string{
	"AllowFederatedUsers": "people of other organisations", "AllowPublicUsers": "people with private Skype accounts", "AllowTeamsConsumer": "people with private Teams accounts",
	"AllowTeamsConsumerInbound": "people with private Teams accounts, unasked", "EnableFederationAccess": "people of other organisations", "EnablePublicCloudAccess": "people with private accounts", "AllowGuestUser": "guests",
	"AllowGuestAccess": "guests",
}

func judgeTeams(o *detect.Org, _ *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !strings.HasPrefix(r.Operation, "Set-Cs") && r.Operation != "TeamsTenantSettingChanged" || !auditDone(r) || auditService(r) {
		return nil
	}
	var opened []string
	for setting, whom := range teamsSettings {
		old, now, changed := auditModified(r, setting)
		if auditSaid(r, setting, "true") || changed && strings.EqualFold(auditPlain(now), "true") && !strings.EqualFold(auditPlain(old), "true") ||
			strings.EqualFold(auditText(r, "Name"), setting) && strings.EqualFold(auditText(r, "NewValue"), "true") {
			opened = append(opened, whom)
		}
	}
	if len(opened) == 0 {
		return nil
	}
	slices.Sort(opened)
	opened = slices.Compact(opened)
	why := fmt.Sprintf("In Teams %d more kinds of people may reach the organisation's: %s%s.", len(opened), strings.Join(opened, ", "), auditBy(r))
	if len(opened) == 1 {
		why = fmt.Sprintf("In Teams 1 more kind of people may reach the organisation's: %s%s.", opened[0], auditBy(r))
	}
	return auditOne(auditFinding(o, &teamsOpened, r, r.Actor, "teams", strings.Join(opened, ","), why, auditTerms(42, "Teams is open to "+strings.Join(opened, ", "))))
}
