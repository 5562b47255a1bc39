package posture

import (
	"bytes"
	"encoding/json"
	"strings"
)

// fromScuba brings what CISA's ScubaGear exports (ProviderSettingsExport.json) into a snapshot. Its objects are Graph's with
// capital letters, and SharePoint's with numbers for words. What ScubaGear could not read it names, and that stays uncollected.
// https://github.com/cisagov/ScubaGear/blob/main/docs/execution/execution.md
func fromScuba(text []byte) (*Snapshot, error) {
	var in struct {
		Tenants []struct {
			DisplayName, TenantID string
		} `json:"tenant_details"`
		Policies      json.RawMessage `json:"conditional_access_policies"`
		Authorization json.RawMessage `json:"authorization_policies"`
		Consent       json.RawMessage `json:"admin_consent_policies"`
		Methods       json.RawMessage `json:"authentication_method"`
		Domains       json.RawMessage `json:"domain_settings"`
		Settings      json.RawMessage `json:"directory_settings"`
		Persons       map[string]struct {
			DisplayName           string
			OnPremisesImmutableID *string
			Roles                 []string
		} `json:"privileged_users"`
		Roles []struct {
			RoleTemplateID string
			DisplayName    string
			Assignments    []struct {
				PrincipalID string
				EndDateTime *string
			}
			Rules []struct {
				ID    string
				Extra map[string]json.RawMessage `json:"AdditionalProperties"`
			}
		} `json:"privileged_roles"`
		Sites     []scubaSharing  `json:"SPO_tenant"`
		Org       json.RawMessage `json:"org_config"`
		Transport json.RawMessage `json:"transport_config"`
		Rules     json.RawMessage `json:"transport_rule"`
		Calendar  json.RawMessage `json:"sharing_policy"`
		Filter    json.RawMessage `json:"conn_filter"`
		Inbound   json.RawMessage `json:"hosted_content_filter_policies"`
		Remote    json.RawMessage `json:"remote_domains"`
		Phish     json.RawMessage `json:"anti_phish_policies"`
		Malware   json.RawMessage `json:"malware_filter_policies"`
		Attached  json.RawMessage `json:"safe_attachment_policies"`
		AttRules  json.RawMessage `json:"safe_attachment_rules"`
		Links     json.RawMessage `json:"safe_links_policies"`
		LinkRules json.RawMessage `json:"safe_links_rules"`
		Office    json.RawMessage `json:"atp_policy_for_o365"`
		Presets   json.RawMessage `json:"protection_policy_rules"`
		PresetsO  json.RawMessage `json:"atp_policy_rules"`
		Log       json.RawMessage `json:"admin_audit_log_config"`
		Sync      []struct {
			TenantRestrictionEnabled *bool
		} `json:"Tenant_sync_info"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, err
	}
	s := &Snapshot{Collections: map[string][]json.RawMessage{}}
	if len(in.Tenants) > 0 {
		s.Tenant = Tenant{ID: in.Tenants[0].TenantID, DisplayName: in.Tenants[0].DisplayName}
	}
	for path, body := range map[string]json.RawMessage{
		pathPolicies: in.Policies, pathAuthorization: in.Authorization, pathAdminConsent: in.Consent, pathDomains: in.Domains, pathSettings: in.Settings,
		pathMailOrg: in.Org, pathMailTransport: in.Transport, pathMailRules: in.Rules, pathMailCalendar: in.Calendar, pathMailConnection: in.Filter, pathMailInbound: in.Inbound, pathMailRemote: in.Remote,
		pathMailPhish: in.Phish, pathMailMalware: in.Malware, pathMailAttached: in.Attached, pathMailAttachedRules: in.AttRules, pathMailLinks: in.Links, pathMailLinksRules: in.LinkRules, pathMailOffice: in.Office,
		pathMailPreset: in.Presets, pathMailPresetOffice: in.PresetsO, pathMailLog: in.Log,
	} {
		if len(bytes.TrimSpace(body)) == 0 {
			continue
		}
		list, err := elements(body)
		if err != nil {
			return nil, err
		}
		s.Collections[path] = list
	}
	var methods []struct {
		Policy json.RawMessage `json:"authentication_method_policy"`
	}
	if json.Unmarshal(in.Methods, &methods) == nil && len(methods) > 0 && len(methods[0].Policy) > 0 {
		s.Collections[pathMethods] = []json.RawMessage{methods[0].Policy}
	}
	put := func(path string, body any) {
		if text, err := json.Marshal(body); err == nil {
			s.Collections[path] = append(s.Collections[path], text)
		}
	}
	if in.Persons != nil {
		s.Collections[pathUsers], s.Collections[pathAssignments] = []json.RawMessage{}, []json.RawMessage{}
	}
	for id, p := range in.Persons {
		put(pathUsers, map[string]any{"id": id, "displayName": p.DisplayName, "onPremisesSyncEnabled": p.OnPremisesImmutableID != nil})
	}
	for _, r := range in.Roles {
		for _, a := range r.Assignments {
			put(pathActive, map[string]any{"principalId": a.PrincipalID, "roleDefinitionId": r.RoleTemplateID, "assignmentType": "Assigned", "endDateTime": a.EndDateTime})
		}
		rules := []map[string]any{}
		for _, rule := range r.Rules {
			rules = append(rules, map[string]any{"id": rule.ID, "setting": rule.Extra["setting"]})
		}
		put(pathRolePolicies, map[string]any{"roleDefinitionId": r.RoleTemplateID, "policy": map[string]any{"rules": rules}})
	}
	if len(in.Sites) > 0 {
		body := in.Sites[0].graph()
		if len(in.Sync) > 0 {
			body["isUnmanagedSyncAppForTenantRestricted"] = in.Sync[0].TenantRestrictionEnabled
		}
		put(pathSharing, body)
	}
	return s, nil
}

// scubaSharing is SharePoint's tenant, with its own numbers.
type scubaSharing struct {
	SharingCapability, ODBSharingCapability, DefaultSharingLinkType, DefaultLinkPermission, FileAnonymousLinkType, FolderAnonymousLinkType, SharingDomainRestrictionMode *int
	RequireAnonymousLinksExpireInDays                                                                                                                                    *int
	SharingAllowedDomainList                                                                                                                                             *string
	LegacyAuthProtocolsEnabled, PreventExternalUsersFromResharing, EmailAttestationRequired, DisallowInfectedFileDownload, ExternalUserExpirationRequired                *bool
	EmailAttestationReAuthDays, ExternalUserExpireInDays                                                                                                                 int
}

// graph is the same with the names that Graph has, or has not.
func (x *scubaSharing) graph() map[string]any {
	word := func(n *int, words ...string) string {
		if n == nil || *n < 0 || *n >= len(words) {
			return ""
		}
		return words[*n]
	}
	reach := []string{"disabled", "externalUserSharingOnly", "externalUserAndGuestSharing", "existingExternalUserSharingOnly"}
	out := map[string]any{
		"sharingCapability": word(x.SharingCapability, reach...), "oneDriveSharingCapability": word(x.ODBSharingCapability, reach...),
		"defaultSharingLinkType": word(x.DefaultSharingLinkType, "none", "direct", "internal", "anonymousAccess"),
		"defaultLinkPermission":  word(x.DefaultLinkPermission, "none", "view", "edit"),
		"fileAnonymousLinkType":  word(x.FileAnonymousLinkType, "none", "view", "edit"), "folderAnonymousLinkType": word(x.FolderAnonymousLinkType, "none", "view", "edit"),
		"sharingDomainRestrictionMode":      word(x.SharingDomainRestrictionMode, "none", "allowList", "blockList"),
		"requireAnonymousLinksExpireInDays": x.RequireAnonymousLinksExpireInDays, "isLegacyAuthProtocolsEnabled": x.LegacyAuthProtocolsEnabled,
		"emailAttestationRequired": x.EmailAttestationRequired, "emailAttestationReAuthDays": x.EmailAttestationReAuthDays,
		"disallowInfectedFileDownload": x.DisallowInfectedFileDownload, "externalUserExpirationRequired": x.ExternalUserExpirationRequired, "externalUserExpireInDays": x.ExternalUserExpireInDays,
	}
	if x.PreventExternalUsersFromResharing != nil {
		out["isResharingByExternalUsersEnabled"] = !*x.PreventExternalUsersFromResharing
	}
	if x.SharingAllowedDomainList != nil {
		out["sharingAllowedDomainList"] = strings.Fields(*x.SharingAllowedDomainList)
	}
	return out
}
