package posture

import "testing"

// TestEIDSCA judges the controls of EIDSCA that no other benchmark has: well, ill, and where it is not told.
func TestEIDSCA(t *testing.T) {
	method := func(text string) map[string]string {
		return map[string]string{pathMethods: `[{"authenticationMethodConfigurations":[` + text + `]}]`}
	}
	set := func(template, name, value string) map[string]string {
		return map[string]string{pathSettings: `[{"templateId":"` + template + `","values":[{"name":"` + name + `","value":"` + value + `"}]}]`}
	}
	policy := func(text string) map[string]string { return map[string]string{pathAuthorization: `[{` + text + `}]`} }
	flow := func(text string) map[string]string { return map[string]string{pathAdminConsent: `[{` + text + `}]`} }
	const context = `"displayAppInformationRequiredState":{"state":"enabled","includeTarget":{"id":"all_users"}},"displayLocationInformationRequiredState":{"state":"enabled","includeTarget":{"id":`
	for _, c := range []struct {
		name, check string
		state       map[string]string
		want        Status
	}{
		{"keys", "methods-keys", method(`{"id":"Fido2","state":"enabled","isSelfServiceRegistrationAllowed":true}`), Pass},
		{"no keys", "methods-keys", method(`{"id":"Fido2","state":"disabled"}`), Fail},
		{"keys, by themselves not told", "methods-keys", method(`{"id":"Fido2","state":"enabled"}`), Unknown},
		{"attested", "methods-keys-attested", method(`{"id":"Fido2","state":"enabled","isAttestationEnforced":true}`), Pass},
		{"not attested", "methods-keys-attested", method(`{"id":"Fido2","state":"enabled","isAttestationEnforced":false}`), Fail},
		{"attested, not told", "methods-keys-attested", method(``), Unknown},
		{"restricted", "methods-keys-restricted", method(`{"id":"Fido2","state":"enabled","keyRestrictions":{"isEnforced":true,"enforcementType":"allow","aaGuids":["x"]}}`), Pass},
		{"restricted to nothing", "methods-keys-restricted", method(`{"id":"Fido2","state":"enabled","keyRestrictions":{"isEnforced":true,"aaGuids":[]}}`), Fail},
		{"restricted, not told", "methods-keys-restricted", method(`{"id":"Fido2","state":"enabled"}`), Unknown},
		{"authenticator", "methods-authenticator", method(`{"id":"MicrosoftAuthenticator","state":"enabled"}`), Pass},
		{"no authenticator", "methods-authenticator", method(`{"id":"MicrosoftAuthenticator","state":"disabled"}`), Fail},
		{"shown to all", "methods-context-everybody", method(`{"id":"MicrosoftAuthenticator","state":"enabled","featureSettings":{` + context + `"all_users"}}}}`), Pass},
		{"shown to some", "methods-context-everybody", method(`{"id":"MicrosoftAuthenticator","state":"enabled","featureSettings":{` + context + `"some-group"}}}}`), Fail},
		{"shown to whom is not told", "methods-context-everybody", method(`{"id":"MicrosoftAuthenticator","state":"enabled"}`), Unknown},
		{"passes", "methods-access-pass-on", method(`{"id":"TemporaryAccessPass","state":"enabled"}`), Pass},
		{"no passes", "methods-access-pass-on", method(`{"id":"TemporaryAccessPass","state":"disabled"}`), Fail},
		{"reported by some", "methods-report-suspicious", map[string]string{pathMethods: `[{"reportSuspiciousActivitySettings":{"state":"enabled","includeTarget":{"id":"some-group"}}}]`}, Fail},
		{"reported by all", "methods-report-suspicious", map[string]string{pathMethods: `[{"reportSuspiciousActivitySettings":{"state":"enabled","includeTarget":{"id":"all_users"}}}]`}, Pass},
		{"administrators reset", "users-admin-reset", policy(`"allowedToUseSSPR":true`), Fail},
		{"administrators do not reset", "users-admin-reset", policy(`"allowedToUseSSPR":false`), Pass},
		{"reset, not told", "users-admin-reset", policy(`"id":"x"`), Unknown},
		{"others are seen", "users-read-others", policy(`"defaultUserRolePermissions":{"allowedToReadOtherUsers":true}`), Pass},
		{"others are not seen", "users-read-others", policy(`"defaultUserRolePermissions":{"allowedToReadOtherUsers":false}`), Fail},
		{"reviewers", "users-consent-reviewers", flow(`"isEnabled":true,"notifyReviewers":true,"remindersEnabled":true,"requestDurationInDays":30`), Pass},
		{"reviewers not told", "users-consent-reviewers", flow(`"isEnabled":true,"notifyReviewers":false`), Fail},
		{"requests for long", "users-consent-reviewers", flow(`"isEnabled":true,"notifyReviewers":true,"remindersEnabled":true,"requestDurationInDays":60`), Fail},
		{"reviewers unknown", "users-consent-reviewers", flow(`"isEnabled":true`), Unknown},
		{"owners consent", "groups-owner-consent", set(templateConsent, "EnableGroupSpecificConsent", "True"), Fail},
		{"owners do not", "groups-owner-consent", map[string]string{pathSettings: "[]"}, Pass},
		{"no way to ask", "users-consent-settings", set(templateConsent, "BlockUserConsentForRiskyApps", "true"), Fail},
		{"a way to ask", "users-consent-settings", set(templateConsent, "EnableAdminConsentRequests", "true"), Pass},
		{"settings not read", "users-consent-settings", nil, Unknown},
		{"guests own", "guests-own-groups", set(templateGroups, "AllowGuestsToBeGroupOwner", "True"), Fail},
		{"guests do not own", "guests-own-groups", set(templateGroups, "AllowGuestsToBeGroupOwner", "False"), Pass},
		{"guests kept out", "guests-group-content", set(templateGroups, "AllowGuestsToAccessGroups", "False"), Fail},
		{"guests let in", "guests-group-content", map[string]string{pathSettings: "[]"}, Pass},
	} {
		if r := result(t, world(t, c.state), c.check); r.Status != c.want {
			t.Errorf("%s: %s is %s, want %s: %s", c.name, c.check, r.Status, c.want, r.Why)
		}
	}
}
