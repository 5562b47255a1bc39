package posture

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev/sharedtest"
)

type peerCase struct {
	Service, Check, Test string
	Expect               struct {
		N       *int `json:"n_results"`
		Results map[string]struct {
			Status string
			Name   string `json:"resource_name"`
		}
	}
	State map[string]json.RawMessage
}

// want is the peer's verdict over all that it reports on: fail where anything fails.
func (c *peerCase) want() string {
	got := map[string]bool{}
	for _, r := range c.Expect.Results {
		got[r.Status] = true
	}
	switch {
	case got["FAIL"]:
		return "fail"
	case got["MANUAL"]:
		return "unknown"
	case got["PASS"]:
		return "pass"
	case c.Expect.N != nil && *c.Expect.N == 0:
		return "nothing"
	}
	return "not said"
}

// peers are Prowler's checks and which of ours asks the same.
var peers = map[string]string{
	"entra_admin_consent_workflow_enabled": "users-consent-workflow", "entra_admin_portals_access_restriction": "ca-administration-portals",
	"entra_admin_users_cloud_only": "admin-cloud-only", "entra_admin_users_mfa_enabled": "ca-mfa-administrators",
	"entra_admin_users_phishing_resistant_mfa_enabled": "ca-phishing-resistant-administrators", "entra_admin_users_sign_in_frequency_enabled": "ca-administrators-sign-in-again",
	"entra_all_apps_conditional_access_coverage": "ca-all-applications", "entra_app_registration_client_secret_unused": "app-secret",
	"entra_app_registration_no_unused_privileged_permissions": "app-unused-permission", "entra_authentication_method_authenticator_show_context": "methods-context",
	"entra_authentication_method_email_otp_disabled": "methods-email", "entra_authentication_method_sms_voice_disabled": "methods-weak",
	"entra_break_glass_account_fido2_security_key_registered": "ca-emergency-keys", "entra_conditional_access_policy_all_apps_all_users": "ca-everything",
	"entra_conditional_access_policy_app_enforced_restrictions": "ca-restricted-sessions", "entra_conditional_access_policy_approved_client_app_required_for_mobile": "ca-mobile-applications",
	"entra_conditional_access_policy_authentication_transfer_blocked": "ca-authentication-transfer", "entra_conditional_access_policy_block_elevated_insider_risk": "ca-insider-risk",
	"entra_conditional_access_policy_block_high_medium_sign_in_risk": "ca-sign-in-risk-blocked", "entra_conditional_access_policy_block_o365_elevated_insider_risk": "ca-insider-risk-office",
	"entra_conditional_access_policy_block_unknown_device_platforms": "ca-unknown-systems", "entra_conditional_access_policy_compliant_device_hybrid_joined_device_mfa_required": "ca-device-or-mfa",
	"entra_conditional_access_policy_corporate_device_sign_in_frequency_enforced": "ca-unmanaged-sign-in-again", "entra_conditional_access_policy_device_code_flow_blocked": "ca-device-code",
	"entra_conditional_access_policy_device_registration_mfa_required": "ca-device-registration", "entra_conditional_access_policy_directory_sync_account_excluded": "ca-synchronisation-account",
	"entra_conditional_access_policy_explicitly_targets_azure_devops": "ca-azure-devops", "entra_conditional_access_policy_groups_management_restricted": "ca-groups-protected",
	"entra_conditional_access_policy_mdm_compliant_device_required": "ca-compliant-device", "entra_conditional_access_policy_no_deleted_object_references": "ca-deleted-objects",
	"entra_conditional_access_policy_no_exclusion_gaps": "ca-exclusions", "entra_conditional_access_policy_require_mfa_for_management_api": "ca-azure-management",
	"entra_conditional_access_policy_sign_in_frequency_all_users": "ca-everyone-signs-in-again", "entra_conditional_access_policy_untrusted_locations_blocked": "ca-untrusted-places",
	"entra_conditional_access_trusted_named_location_exists": "ca-trusted-places", "entra_default_app_management_policy_enabled": "app-credentials-restricted",
	"entra_device_registration_global_admins_not_local_admins": "device-local-global", "entra_device_registration_join_restricted": "device-join",
	"entra_device_registration_laps_enabled": "device-local-password", "entra_device_registration_max_devices_per_user_limited": "device-quota",
	"entra_device_registration_registering_user_not_local_admin": "device-local-user", "entra_directory_sync_object_takeover_blocked": "sync-takeover",
	"entra_dynamic_group_for_guests_created": "guests-group", "entra_emergency_access_exclusion": "ca-emergency-accounts",
	"entra_identity_protection_sign_in_risk_enabled": "ca-sign-in-risk", "entra_identity_protection_user_risk_enabled": "ca-user-risk",
	"entra_idle_session_timeout_configured": "session-idle", "entra_intune_enrollment_sign_in_frequency_every_time": "ca-intune-enrolment",
	"entra_legacy_authentication_blocked": "ca-legacy-blocked", "entra_managed_device_required_for_authentication": "ca-managed-device",
	"entra_managed_device_required_for_mfa_registration": "ca-registration-device", "entra_password_hash_sync_enabled": "sync-hashes",
	"entra_password_protection_custom_banned_list_enforced": "password-own-words", "entra_password_protection_lockout_duration_configured": "password-lockout-time",
	"entra_password_protection_lockout_threshold_limited": "password-lockout-tries", "entra_password_protection_on_premises_enforced": "password-on-premises",
	"entra_pim_global_administrator_approval_required": "admin-approval-global", "entra_pim_privileged_role_administrator_approval_required": "admin-approval-privileged",
	"entra_policy_default_user_cannot_create_m365_groups": "users-create-groups", "entra_policy_default_user_cannot_create_security_groups": "users-create-security-groups",
	"entra_policy_default_user_cannot_read_bitlocker_keys": "users-bitlocker", "entra_policy_ensure_default_user_cannot_create_tenants": "users-create-tenants",
	"entra_policy_guest_invitations_restricted_to_allowed_domains": "guests-domains", "entra_policy_guest_users_access_restrictions": "guests-access",
	"entra_policy_restricts_user_consent_for_apps": "users-consent", "entra_seamless_sso_disabled": "sync-seamless",
	"entra_service_principal_no_secrets_for_permanent_tier0_roles": "app-role-secret", "entra_service_principal_privileged_role_no_owners": "app-role-owner",
	"entra_thirdparty_integrated_apps_not_allowed": "users-register-applications", "entra_users_mfa_capable": "methods-capable", "entra_users_mfa_enabled": "ca-mfa-everyone",
	"admincenter_external_calendar_sharing_disabled": "mail-calendars", "admincenter_organization_customer_lockbox_enabled": "mail-lockbox",
	"defender_antispam_connection_filter_policy_empty_ip_allowlist": "mail-allowed-addresses", "defender_antispam_connection_filter_policy_safe_list_off": "mail-safe-list",
	"defender_antispam_outbound_policy_forwarding_disabled": "mail-forwarding", "defender_antispam_policy_inbound_no_allowed_domains": "mail-allowed-domains", "defender_domain_dkim_enabled": "mail-signed",
	"exchange_external_email_tagging_enabled": "mail-outside-marked", "exchange_mailbox_audit_bypass_disabled": "mail-audit-bypass", "exchange_mailbox_policy_additional_storage_restricted": "mail-storage",
	"exchange_organization_mailbox_auditing_enabled": "mail-audit", "exchange_organization_mailtips_enabled": "mail-tips", "exchange_organization_modern_authentication_enabled": "mail-modern",
	"exchange_organization_reject_direct_send_enabled": "mail-direct-send", "exchange_owa_mailbox_policy_personal_accounts_disabled": "mail-personal-accounts",
	"exchange_roles_assignment_policy_addins_disabled": "mail-add-ins", "exchange_transport_config_smtp_auth_disabled": "mail-smtp", "exchange_transport_rules_mail_forwarding_disabled": "mail-rules-redirect",
	"exchange_transport_rules_whitelist_disabled": "mail-rules-trust",
	"defender_antiphishing_policy_configured":     "mail-phishing", "defender_antispam_outbound_policy_configured": "mail-outbound-told",
	"defender_atp_safe_attachments_and_docs_configured": "mail-attachments-files", "defender_chat_report_policy_configured": "mail-reports",
	"defender_malware_policy_common_attachments_filter_enabled": "mail-malware-types", "defender_malware_policy_comprehensive_attachments_filter_applied": "mail-malware-executables",
	"defender_malware_policy_notifications_internal_users_malware_enabled": "mail-malware-told", "defender_priority_account_protection_enabled": "mail-priority-accounts",
	"defender_safe_attachments_policy_enabled": "mail-attachments", "defender_safelinks_policy_enabled": "mail-links", "defender_strict_preset_security_policy_enabled": "mail-preset-strict",
	"defender_zap_for_teams_enabled": "mail-teams-purge", "exchange_mailbox_primary_smtp_uses_custom_domain": "mail-own-domain", "exchange_organization_delicensing_resiliency_enabled": "mail-delicensing",
	"exchange_shared_mailbox_sign_in_disabled": "mail-shared-sign-in", "exchange_user_mailbox_auditing_enabled": "mail-audit-mailboxes", "admincenter_shared_bookings_disabled": "mail-bookings",
	"admincenter_groups_not_public_visibility": "groups-public", "admincenter_settings_password_never_expire": "password-expiry",
	"admincenter_users_admins_reduced_license_footprint": "admin-licence", "admincenter_users_between_two_and_four_global_admins": "admin-globals",
}

// Why ours differs from a peer's verdict, by check, and by check and test.
const (
	notTold    = "what is not told is unknown here; the peer takes it as a fail"
	refused    = "what may not be read is unknown here, with the permission that lacks; the peer takes it as a fail"
	lostIntune = "the case lost the state of Intune (an unspecified mock), so ours is unknown"
	nothing    = "where there is nothing, nothing does what is wanted; the peer reports nothing"
	usual      = "settings that were never changed are as Microsoft sets them; the peer reports nothing"
	hashes     = "the peer takes onPremisesSyncEnabled for password hash synchronisation; ours reads the feature itself, and a tenant of the cloud alone has none"
)

var differs = map[string]string{
	"entra_app_registration_no_unused_privileged_permissions/test_no_oauth_apps_none":                                           notTold,
	"entra_authentication_method_email_otp_disabled/test_email_otp_unknown_state":                                               notTold,
	"entra_break_glass_account_fido2_security_key_registered/test_user_registration_details_permission_error":                   refused,
	"entra_break_glass_account_fido2_security_key_registered/test_user_registration_details_permission_error_with_missing_user": refused,
	"entra_conditional_access_policy_authentication_transfer_blocked/test_no_resources":                                         nothing,
	"entra_conditional_access_policy_mdm_compliant_device_required":                                                             lostIntune,
	"entra_conditional_access_policy_sign_in_frequency_all_users/test_no_resources":                                             nothing,
	"entra_conditional_access_trusted_named_location_exists/test_no_resources":                                                  nothing,
	"entra_dynamic_group_for_guests_created/test_no_groups":                                                                     nothing,
	"entra_password_hash_sync_enabled":                                                                                          hashes,
	"entra_password_protection_custom_banned_list_enforced/test_template_absent":                                                usual,
	"entra_password_protection_on_premises_enforced/test_no_resources":                                                          usual,
	"entra_policy_default_user_cannot_create_security_groups/test_authorization_policy_none":                                    notTold,
	"entra_policy_default_user_cannot_create_security_groups/test_unknown_security_group_creation_permission_fails":             notTold,
	"entra_policy_default_user_cannot_read_bitlocker_keys/test_authorization_policy_none":                                       notTold,
	"entra_policy_default_user_cannot_read_bitlocker_keys/test_bitlocker_permission_unknown":                                    notTold,
	"entra_policy_ensure_default_user_cannot_create_tenants/test_entra_empty_tenant":                                            notTold,
	"entra_policy_guest_users_access_restrictions/test_no_auth_policy":                                                          notTold,
	"entra_policy_restricts_user_consent_for_apps/test_entra_empty_policy":                                                      notTold,
	"entra_seamless_sso_disabled/test_insufficient_permissions_error":                                                           refused,
	"entra_users_mfa_capable/test_user_registration_details_permission_error":                                                   refused,
	"entra_users_mfa_capable/test_user_registration_details_permission_error_skips_guest_and_disabled":                          refused,
}

// The table of agreement: of 699 cases all are run.
const (
	agreeing  = 630
	differing = 34
	silent    = 35 // of which what the peer says was lost on the way
)

// TestPeers runs every case of Prowler's on Microsoft 365 and holds the table of agreement.
func TestPeers(t *testing.T) {
	f, err := os.Open(sharedtest.File(t, "data/prowler-m365/cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	agree, differ, apart, unsaid := map[string]int{}, map[string][]string{}, map[string]int{}, 0
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		var c peerCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		id, ours := peers[c.Check]
		if !ours {
			apart[c.Check]++
			continue
		}
		snap := c.snapshot(t)
		at := slices.IndexFunc(Checks, func(k Check) bool { return k.ID == id })
		if at < 0 {
			t.Fatalf("there is no check %s", id)
		}
		check := Checks[at]
		if id == "mail-malware-executables" { // the case says which kinds of file it wants blocked
			wanted, _ := get(c.state(t), "audit_config", "recommended_blocked_file_types").([]any)
			check.judge = ofMalware.every(wrongTypes(words(wanted)))
		}
		r := check.Judge(NewState(snap, time.Date(2026, 11, 21, 0, 3, 35, 0, time.UTC)), nil)
		got, want := string(r.Status), c.want()
		if want == "not said" {
			unsaid++
			continue
		}
		same := got == want || want == "nothing" && got != "fail"
		name := c.Check + "/" + c.Test
		why, listed := differs[name]
		if !listed {
			why, listed = differs[c.Check]
		}
		switch {
		case same:
			agree[c.Check]++
		case !listed:
			t.Errorf("%s (%s): the peer says %s, ours %s: %s", name, id, want, got, r.Why)
		default:
			differ[why] = append(differ[why], fmt.Sprintf("%s: %s, ours %s", name, want, got))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, n := range agree {
		total += n
	}
	t.Logf("agree: %d cases of %d checks", total, len(agree))
	for _, why := range slices.Sorted(maps.Keys(differ)) {
		t.Logf("differ, because %s: %d\n\t%s", why, len(differ[why]), strings.Join(differ[why], "\n\t"))
	}
	n := 0
	for _, k := range apart {
		n += k
	}
	t.Logf("not run: %d cases of %d checks", n, len(apart))
	different := 0
	for _, list := range differ {
		different += len(list)
	}
	t.Logf("of %d more the peer's verdict was lost", unsaid)
	if total != agreeing || different != differing || unsaid != silent || n != 0 {
		t.Errorf("%d cases agree, %d differ, of %d the verdict is not said and %d were not run; the table says %d, %d, %d and none", total, different, unsaid, n, agreeing, differing, silent)
	}
}

type object = map[string]any

// state is the case's state, of all its clients together.
func (c *peerCase) state(t *testing.T) object {
	t.Helper()
	out := object{}
	for client, raw := range c.State {
		var state object
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if err := dec.Decode(&state); err != nil {
			t.Fatalf("%s: %v", client, err)
		}
		maps.Copy(out, state)
	}
	return out
}

// snapshot is the case's state as Graph has it.
func (c *peerCase) snapshot(t *testing.T) *Snapshot {
	t.Helper()
	s := &Snapshot{Collections: map[string][]json.RawMessage{}, Missing: map[string]Missing{}}
	put := func(path string, bodies ...object) {
		if s.Collections[path] == nil {
			s.Collections[path] = []json.RawMessage{}
		}
		for _, b := range bodies {
			text, err := json.Marshal(b)
			if err != nil {
				t.Fatal(err)
			}
			s.Collections[path] = append(s.Collections[path], text)
		}
	}
	peerState(c.state(t), put, s)
	return s
}

// get walks to a value by names; nil where there is none.
func get(o any, names ...string) any {
	for _, n := range names {
		m, ok := o.(object)
		if !ok {
			return nil
		}
		o = m[n]
	}
	return o
}

// each gives the objects of a list or of a map, sorted by key.
func each(o any) []object {
	var out []object
	switch x := o.(type) {
	case []any:
		for _, e := range x {
			if m, ok := e.(object); ok {
				out = append(out, m)
			}
		}
	case object:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if m, ok := x[k].(object); ok {
				out = append(out, m)
			}
		}
	}
	return out
}

func words(o any) []string {
	out := []string{}
	if l, ok := o.([]any); ok {
		for _, w := range l {
			out = append(out, fmt.Sprint(w))
		}
	}
	return out
}

func peerState(state object, put func(string, ...object), s *Snapshot) {
	if v, ok := state["conditional_access_policies"]; ok {
		put(pathPolicies)
		for _, p := range each(v) {
			put(pathPolicies, peerPolicy(p))
		}
		peerReferences(state, v, put, s)
	}
	switch v := state["groups"].(type) {
	case []any, object:
		put(pathGroups)
		for _, g := range each(v) {
			types := g["groupTypes"]
			if types == nil {
				types = g["group_types"]
			}
			put(pathGroups, object{"id": g["id"], "displayName": g["name"], "groupTypes": types, "membershipRule": g["membershipRule"], "visibility": g["visibility"],
				"isAssignableToRole": g["is_assignable_to_role"], "isManagementRestricted": g["is_management_restricted"]})
		}
	}
	if v, ok := state["users"]; ok {
		put(pathUsers)
		put(pathAssignments)
		put(pathSkus)
		if state["user_registration_details_error"] == nil {
			put(pathRegistrations)
		} else {
			s.Missing[pathRegistrations] = Missing{Reason: Permission, Why: fmt.Sprint(state["user_registration_details_error"])}
		}
		for _, u := range each(v) {
			body := object{"id": u["id"], "displayName": u["name"], "onPremisesSyncEnabled": u["on_premises_sync_enabled"], "accountEnabled": u["account_enabled"], "userType": u["user_type"], "employeeHireDate": u["employee_hire_date"]}
			if l, ok := u["license"].(string); ok {
				put(pathSkus, object{"skuId": l, "skuPartNumber": l})
				body["assignedLicenses"] = []object{{"skuId": l}}
			}
			put(pathUsers, body)
			for _, role := range words(u["directory_roles_ids"]) {
				put(pathAssignments, object{"principalId": u["id"], "roleDefinitionId": role, "directoryScopeId": "/"})
			}
			for _, role := range words(u["directory_roles"]) {
				for id, name := range roleNames {
					if name == role {
						put(pathAssignments, object{"principalId": u["id"], "roleDefinitionId": id, "directoryScopeId": "/"})
					}
				}
			}
			if state["user_registration_details_error"] == nil {
				put(pathRegistrations, object{"id": u["id"], "isMfaCapable": u["is_mfa_capable"], "methodsRegistered": u["authentication_methods"]})
			}
		}
	}
	if v, ok := state["directory_roles"]; ok {
		put(pathDirectoryRole)
		for _, r := range each(v) {
			id := ""
			for template, name := range roleNames {
				if name == r["name"] {
					id = template
				}
			}
			put(pathDirectoryRole, object{"id": r["id"], "roleTemplateId": id, "displayName": r["name"], "members": r["members"]})
		}
	}
	if v, ok := state["named_locations"]; ok {
		put(pathLocations)
		for _, l := range each(v) {
			var ranges []object
			if n, ok := l["ip_ranges_count"].(json.Number); ok {
				k, _ := n.Int64()
				ranges = make([]object, k)
			}
			put(pathLocations, object{"id": l["id"], "displayName": l["display_name"], "isTrusted": l["is_trusted"], "ipRanges": ranges})
		}
	}
	if v, ok := state["organizations"]; ok {
		put(pathOrganization)
		for _, o := range each(v) {
			put(pathOrganization, object{"id": o["id"], "displayName": o["name"], "onPremisesSyncEnabled": o["on_premises_sync_enabled"]})
		}
	}
	if v, ok := state["directory_sync_settings"]; ok && state["directory_sync_error"] == nil {
		put(pathSync)
		put(pathOrganization)
		for _, y := range each(v) {
			put(pathSync, object{"id": y["id"], "features": object{"blockSoftMatchEnabled": y["block_soft_match_enabled"], "blockCloudObjectTakeoverThroughHardMatchEnabled": y["block_cloud_object_takeover_through_hard_match_enabled"],
				"seamlessSingleSignOnEnabled": y["seamless_sso_enabled"], "passwordSyncEnabled": y["password_sync_enabled"]}})
		}
	}
	if e := state["directory_sync_error"]; e != nil {
		s.Missing[pathSync] = Missing{Reason: Permission, Why: fmt.Sprint(e)}
	}
	if v, ok := state["directory_settings"]; ok {
		put(pathSettings)
		if m, ok := v.(object); ok {
			for template, values := range m {
				id := map[string]string{"PASSWORD_RULE_SETTINGS_TEMPLATE_ID": templatePasswords, "GROUP_UNIFIED_SETTINGS_TEMPLATE_ID": templateGroups}[template]
				var list []object
				for name, value := range values.(object) {
					list = append(list, object{"name": name, "value": value})
				}
				put(pathSettings, object{"templateId": id, "values": list})
			}
		}
	}
	if a, ok := state["authorization_policy"].(object); ok {
		p := get(a, "default_user_role_permissions")
		put(pathAuthorization, object{"id": a["id"], "guestUserRoleId": a["guest_user_role_id"], "allowInvitesFrom": a["guest_invite_settings"], "defaultUserRolePermissions": object{
			"allowedToCreateApps": get(p, "allowed_to_create_apps"), "allowedToCreateTenants": get(p, "allowed_to_create_tenants"), "allowedToCreateSecurityGroups": get(p, "allowed_to_create_security_groups"),
			"allowedToReadBitlockerKeysForOwnedDevice": get(p, "allowed_to_read_bitlocker_keys_for_owned_device"), "permissionGrantPoliciesAssigned": get(p, "permission_grant_policies_assigned"),
		}})
	}
	if a, ok := state["admin_consent_policy"].(object); ok {
		put(pathAdminConsent, object{"isEnabled": a["admin_consent_enabled"], "notifyReviewers": a["notify_reviewers"]})
	}
	if v, ok := state["authentication_method_configurations"]; ok {
		var list []object
		for _, m := range each(v) {
			list = append(list, object{"id": m["id"], "state": m["state"]})
		}
		put(pathMethods, object{"authenticationMethodConfigurations": list})
	}
	if a, ok := state["authentication_methods_policy_settings"].(object); ok {
		put(pathMethods, object{"authenticationMethodConfigurations": []object{{"id": "MicrosoftAuthenticator", "state": a["authenticator_state"], "featureSettings": object{
			"displayAppInformationRequiredState":      object{"state": a["authenticator_display_app_information_state"]},
			"displayLocationInformationRequiredState": object{"state": a["authenticator_display_location_information_state"]}}}}})
	}
	if d, ok := state["device_registration_policy"].(object); ok {
		member := func(name string) any {
			if d[name] == nil {
				return nil
			}
			return object{"@odata.type": d[name]}
		}
		put(pathDeviceJoin, object{"userDeviceQuota": d["user_device_quota"], "localAdminPassword": object{"isEnabled": d["local_admin_password_enabled"]}, "azureADJoin": object{
			"allowedToJoin": member("azure_ad_join_allowed_to_join_type"),
			"localAdmins":   object{"enableGlobalAdmins": d["azure_ad_join_global_admins_enabled"], "registeringUsers": member("azure_ad_join_registering_users_type")}}})
	}
	if v, ok := state["activity_based_timeout_policies"]; ok {
		put(pathTimeouts)
		for _, p := range each(v) {
			var definition []string
			if n, ok := p["web_session_idle_timeout_seconds"].(json.Number); ok {
				k, _ := n.Int64()
				definition = []string{fmt.Sprintf(`{"ActivityBasedTimeoutPolicy":{"Version":1,"ApplicationPolicies":[{"ApplicationId":"default","WebSessionIdleTimeout":"%02d:%02d:%02d"}]}}`, k/3600, k/60%60, k%60)}
			}
			put(pathTimeouts, object{"id": p["id"], "displayName": p["name"], "definition": definition})
		}
	}
	if b, ok := state["b2b_collaboration_policy"].(object); ok {
		domains := "{}"
		if b["invitations_restricted_to_allowed_domains"] == true {
			text, _ := json.Marshal(words(b["allowed_domains"]))
			domains = `{"AllowedDomains":` + string(text) + `}`
		}
		put(pathB2B, object{"definition": []string{`{"B2BManagementPolicy":{"InvitationsAllowedAndBlockedDomainsPolicy":` + domains + `}}`}})
	}
	if d, ok := state["default_app_management_policy"].(object); ok {
		of := func(name string) []object {
			out := []object{}
			for _, r := range each(get(d, "application_restrictions", name)) {
				out = append(out, object{"restrictionType": r["restriction_type"], "state": r["state"]})
			}
			return out
		}
		put(pathAppManagement, object{"isEnabled": d["is_enabled"], "applicationRestrictions": object{"passwordCredentials": of("password_credentials"), "keyCredentials": of("key_credentials")}})
	}
	if v, ok := state["pim_role_approval_settings"]; ok {
		put(pathRolePolicies)
		for _, p := range each(v) {
			role := map[any]string{"GLOBAL_ADMINISTRATOR_ROLE_TEMPLATE_ID": roleGlobal, "PRIVILEGED_ROLE_ADMINISTRATOR_ROLE_TEMPLATE_ID": rolePrivileged}[p["role_definition_id"]]
			approvers := []object{}
			if p["has_approvers"] == true {
				approvers = append(approvers, object{"userId": "x"})
			}
			put(pathRolePolicies, object{"roleDefinitionId": role, "policy": object{"rules": []object{{"id": "Approval_EndUser_Assignment", "setting": object{
				"isApprovalRequired": p["is_approval_required"], "approvalStages": []object{{"primaryApprovers": approvers}}}}}}})
		}
	}
	if v, ok := state["oauth_apps"]; ok && v != nil {
		put(pathAppGovernance)
		for _, a := range each(v) {
			list := []object{}
			for _, p := range each(a["permissions"]) {
				list = append(list, object{"PermissionValue": p["name"], "PrivilegeLevel": p["privilege_level"], "InUse": p["usage_status"]})
			}
			put(pathAppGovernance, object{"OAuthAppId": a["id"], "AppName": a["name"], "Permissions": list})
		}
	}
	credentials := func(o any) []object {
		out := []object{}
		for _, c := range each(o) {
			out = append(out, object{"keyId": c["key_id"], "displayName": c["display_name"], "startDateTime": c["start_date_time"], "endDateTime": c["end_date_time"]})
		}
		return out
	}
	if v, ok := state["app_registrations"]; ok {
		put(pathApplications)
		for _, a := range each(v) {
			put(pathApplications, object{"id": a["id"], "appId": a["app_id"], "displayName": a["name"], "passwordCredentials": credentials(a["password_credentials"]), "keyCredentials": credentials(a["key_credentials"])})
		}
	}
	if v, ok := state["service_principals"]; ok {
		put(pathPrincipals)
		put(pathAssignments)
		owners := func(o any) []object {
			out := []object{}
			for _, id := range words(o) {
				out = append(out, object{"id": id})
			}
			return out
		}
		for _, p := range each(v) {
			put(pathPrincipals, object{"id": p["id"], "appId": p["app_id"], "displayName": p["name"], "passwordCredentials": credentials(p["password_credentials"]), "keyCredentials": credentials(p["key_credentials"]), "owners": owners(p["sp_owner_ids"])})
			put(pathApplications, object{"id": fmt.Sprint("app of ", p["id"]), "appId": p["app_id"], "owners": owners(p["app_owner_ids"])})
			for _, role := range words(p["directory_role_template_ids"]) {
				put(pathAssignments, object{"principalId": p["id"], "roleDefinitionId": role, "directoryScopeId": "/"})
			}
		}
	}
	peerMail(state, put)
	if p, ok := state["password_policy"].(object); ok {
		put(pathDomains, object{"id": "contoso.com", "isVerified": true, "passwordValidityPeriodInDays": p["password_validity_period"]})
	}
}

// peerMail is what Exchange is set to, with the names of its cmdlets.
func peerMail(state object, put func(string, ...object)) {
	rename := map[string]string{"name": "Name", "id": "Identity", "identity": "Identity", "audit_disabled": "AuditDisabled", "oauth_enabled": "OAuth2ClientProfileEnabled", "mailtips_enabled": "MailTipsAllTipsEnabled",
		"mailtips_external_recipient_enabled": "MailTipsExternalRecipientsTipsEnabled", "mailtips_group_metrics_enabled": "MailTipsGroupMetricsEnabled", "mailtips_large_audience_threshold": "MailTipsLargeAudienceThreshold",
		"reject_direct_send": "RejectDirectSend", "customer_lockbox_enabled": "CustomerLockboxEnabled", "smtp_auth_disabled": "SmtpClientAuthenticationDisabled", "external_mail_tag_enabled": "Enabled",
		"audit_bypass_enabled": "AuditBypassEnabled", "additional_storage_enabled": "AdditionalStorageProvidersAvailable", "is_default": "IsDefault", "personal_accounts_enabled": "PersonalAccountsEnabled",
		"personal_account_calendars_enabled": "PersonalAccountCalendarsEnabled", "assigned_roles": "AssignedRoles", "redirect_message_to": "RedirectMessageTo", "sender_domain_is": "SenderDomainIs", "scl": "SetSCL",
		"ip_allow_list": "IPAllowList", "enable_safe_list": "EnableSafeList", "auto_forwarding_mode": "AutoForwardingMode", "allowed_sender_domains": "AllowedSenderDomains", "dkim_signing_enabled": "Enabled", "enabled": "Enabled",
		"bookings_enabled": "BookingsEnabled", "bookings_mailbox_creation_enabled": "BookingsMailboxCreationEnabled", "delayed_delicensing_enabled": "DelayedDelicensingEnabled", "default": "IsDefault",
		"spoof_intelligence": "EnableSpoofIntelligence", "spoof_intelligence_action": "AuthenticationFailAction", "dmarc_reject_action": "DmarcRejectAction", "dmarc_quarantine_action": "DmarcQuarantineAction",
		"safety_tips": "EnableFirstContactSafetyTips", "unauthenticated_sender_action": "EnableUnauthenticatedSender", "show_tag": "EnableViaTag", "honor_dmarc_policy": "HonorDmarcPolicy",
		"notify_limit_exceeded": "BccSuspiciousOutboundMail", "notify_sender_blocked": "NotifyOutboundSpam", "notify_limit_exceeded_addresses": "BccSuspiciousOutboundAdditionalRecipients", "notify_sender_blocked_addresses": "NotifyOutboundSpamRecipients",
		"enable_file_filter": "EnableFileFilter", "file_types": "FileTypes", "enable_internal_sender_admin_notifications": "EnableInternalSenderAdminNotifications", "internal_sender_admin_address": "InternalSenderAdminAddress",
		"enable": "Enable", "action": "Action", "quarantine_tag": "QuarantineTag", "redirect": "Redirect", "is_built_in_protection": "IsBuiltInProtection", "enable_safe_links_for_email": "EnableSafeLinksForEmail",
		"enable_safe_links_for_teams": "EnableSafeLinksForTeams", "enable_safe_links_for_office": "EnableSafeLinksForOffice", "track_clicks": "TrackClicks", "allow_click_through": "AllowClickThrough", "scan_urls": "ScanUrls",
		"enable_for_internal_senders": "EnableForInternalSenders", "deliver_message_after_scan": "DeliverMessageAfterScan", "disable_url_rewrite": "DisableUrlRewrite", "enable_atp_for_spo_teams_odb": "EnableATPForSPOTeamsODB",
		"enable_safe_docs": "EnableSafeDocs", "allow_safe_docs_open": "AllowSafeDocsOpen", "priority_account_protection_enabled": "EnablePriorityAccountProtection", "state": "State", "recipient_domain_is": "RecipientDomainIs",
		"zap_enabled": "ZapEnabled", "report_junk_to_customized_address": "ReportJunkToCustomizedAddress", "report_not_junk_to_customized_address": "ReportNotJunkToCustomizedAddress", "report_phish_to_customized_address": "ReportPhishToCustomizedAddress",
		"report_junk_addresses": "ReportJunkAddresses", "report_not_junk_addresses": "ReportNotJunkAddresses", "report_phish_addresses": "ReportPhishAddresses", "report_chat_message_enabled": "ReportChatMessageEnabled",
		"report_chat_message_to_customized_address_enabled": "ReportChatMessageToCustomizedAddressEnabled", "external_directory_object_id": "ExternalDirectoryObjectId", "audit_enabled": "AuditEnabled",
		"audit_admin": "AuditAdmin", "audit_delegate": "AuditDelegate", "audit_owner": "AuditOwner", "type": "RecipientTypeDetails"}
	for name, link := range map[string]guarded{"antiphishing_rules": ofPhish, "outbound_spam_rules": ofOutbound, "malware_rules": ofMalware, "safe_attachments_rules": ofAttached, "safe_links_rules": ofLinks} {
		rules, ok := state[name].(object)
		if !ok {
			continue
		}
		put(link.rules)
		for policy, r := range rules {
			put(link.rules, object{"Name": policy, link.link: policy, "State": get(r, "state"), "SentTo": get(r, "users"), "SentToMemberOf": get(r, "groups"), "RecipientDomainIs": get(r, "domains")})
		}
	}
	if n, ok := get(state, "organization_config", "total_paid_licenses").(json.Number); ok {
		put(pathSkus, object{"skuPartNumber": "SPE_E3", "prepaidUnits": object{"enabled": n}})
	}
	if boxes, ok := state["mailboxes"].([]any); ok {
		put(pathUsers)
		for _, m := range each(boxes) {
			put(pathUsers, object{"id": m["identity"], "displayName": m["name"], "mail": m["primary_smtp_address"], "userType": "Member"})
		}
	}
	for _, m := range each(state["shared_mailboxes"]) {
		m["type"] = "SharedMailbox"
	}
	for _, m := range each(state["mailbox_audit_properties"]) {
		if days, ok := m["audit_log_age"].(json.Number); ok {
			put(pathMailBoxes, object{"Name": m["name"], "Identity": m["identity"], "AuditEnabled": m["audit_enabled"], "AuditAdmin": m["audit_admin"], "AuditDelegate": m["audit_delegate"], "AuditOwner": m["audit_owner"],
				"AuditLogAgeLimit": days.String() + ".00:00:00", "DefaultAuditSet": []string{}})
		}
	}
	for name, path := range map[string]string{"organization_config": pathMailOrg, "transport_config": pathMailTransport, "transport_rules": pathMailRules, "external_mail_config": pathMailTag, "mailbox_policies": pathMailWeb,
		"role_assignment_policies": pathMailRoles, "connection_filter_policy": pathMailConnection, "inbound_spam_policies": pathMailInbound, "outbound_spam_policies": pathMailOutbound, "dkim_configurations": pathMailSigning,
		"sharing_policy": pathMailCalendar, "mailboxes_config": pathMailBypass, "antiphishing_policies": pathMailPhish, "malware_policies": pathMailMalware, "safe_attachments_policies": pathMailAttached,
		"safe_links_policies": pathMailLinks, "advanced_threat_protection_policy": pathMailOffice, "email_tenant_settings": pathMailPriority, "eop_protection_policy_rules": pathMailPreset,
		"atp_protection_policy_rules": pathMailPresetOffice, "teams_protection_policy": pathMailTeams, "report_submission_policy": pathMailReports, "shared_mailboxes": pathMailBoxes} {
		v, ok := state[name]
		if !ok || v == nil && strings.HasSuffix(name, "_policy_rules") { // which the peer could not read
			continue
		}
		put(path)
		list := each(v)
		if slices.Contains([]string{"organization_config", "transport_config", "connection_filter_policy", "sharing_policy", "advanced_threat_protection_policy", "email_tenant_settings", "teams_protection_policy", "report_submission_policy"}, name) {
			list = nil
			if m, is := v.(object); is {
				list = []object{m}
			}
		}
		for _, o := range list {
			out := object{}
			for k, value := range o {
				if n := rename[k]; n != "" {
					out[n] = value
				}
			}
			put(path, out)
		}
	}
}

// peerReferences makes what policies name be there, but for what the case says is not.
func peerReferences(state object, policies any, put func(string, ...object), s *Snapshot) {
	if state["unresolved_directory_object_references"] == nil && state["errored_directory_object_references"] == nil {
		return
	}
	gone, refused := map[string]bool{}, map[string]bool{}
	for name, into := range map[string]map[string]bool{"unresolved_directory_object_references": gone, "errored_directory_object_references": refused} {
		pairs, _ := state[name].([]any)
		for _, p := range pairs {
			if pair := words(p); len(pair) == 2 {
				into[pair[1]] = true
				into["kind "+pair[0]] = true
			}
		}
	}
	for kind, path := range map[string]string{"user": pathUsers, "group": pathGroups, "role": pathDefinitions} {
		if refused["kind "+kind] {
			s.Missing[path] = Missing{Reason: Permission}
			continue
		}
		put(path)
		for _, p := range each(policies) {
			for _, which := range []string{"included_", "excluded_"} {
				for _, id := range words(get(p, "conditions", "user_conditions", which+kind+"s")) {
					if !gone[id] {
						put(path, object{"id": id})
					}
				}
			}
		}
	}
}

// peerPolicy is a policy with Graph's names.
func peerPolicy(p object) object {
	c, u, a := get(p, "conditions"), get(p, "conditions", "user_conditions"), get(p, "conditions", "application_conditions")
	g, n := get(p, "grant_controls"), get(p, "session_controls")
	out := object{"id": p["id"], "displayName": p["display_name"], "state": p["state"]}
	conditions := object{"clientAppTypes": get(c, "client_app_types"), "signInRiskLevels": get(c, "sign_in_risk_levels"), "userRiskLevels": get(c, "user_risk_levels"), "insiderRiskLevels": get(c, "insider_risk_levels")}
	if u != nil {
		users := object{}
		for _, kind := range []string{"users", "groups", "roles"} {
			title := strings.ToUpper(kind[:1]) + kind[1:]
			users["include"+title], users["exclude"+title] = get(u, "included_"+kind), get(u, "excluded_"+kind)
		}
		conditions["users"] = users
	}
	if a != nil {
		conditions["applications"] = object{"includeApplications": get(a, "included_applications"), "excludeApplications": get(a, "excluded_applications"), "includeUserActions": get(a, "included_user_actions")}
	}
	if f := get(c, "platform_conditions"); f != nil {
		conditions["platforms"] = object{"includePlatforms": get(f, "include_platforms"), "excludePlatforms": get(f, "exclude_platforms")}
	}
	if l := get(c, "locations"); l != nil {
		conditions["locations"] = object{"includeLocations": get(l, "include_locations"), "excludeLocations": get(l, "exclude_locations")}
	}
	if d := get(c, "device_conditions"); d != nil {
		conditions["devices"] = object{"deviceFilter": object{"mode": get(d, "device_filter_mode"), "rule": get(d, "device_filter_rule")}}
	}
	if f := get(c, "authentication_flows"); f != nil {
		conditions["authenticationFlows"] = object{"transferMethods": strings.Join(words(get(f, "transfer_methods")), ",")}
	}
	out["conditions"] = conditions
	if g != nil {
		grant := object{"operator": get(g, "operator"), "builtInControls": get(g, "built_in_controls")}
		if name, ok := get(g, "authentication_strength").(string); ok {
			id := map[string]string{"Phishing-resistant MFA": strengthResistant, "Multifactor authentication": strengthMFA, "Passwordless MFA": strengthNoPasswd}[name]
			grant["authenticationStrength"] = object{"id": id, "displayName": name}
		}
		out["grantControls"] = grant
	}
	if n != nil {
		out["sessionControls"] = object{
			"signInFrequency":                 object{"isEnabled": get(n, "sign_in_frequency", "is_enabled"), "value": get(n, "sign_in_frequency", "frequency"), "type": get(n, "sign_in_frequency", "type"), "frequencyInterval": get(n, "sign_in_frequency", "interval")},
			"applicationEnforcedRestrictions": object{"isEnabled": get(n, "application_enforced_restrictions", "is_enabled") == true},
		}
	}
	return out
}
