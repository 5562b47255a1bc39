package graph

import (
	"errors"
	"strconv"
	"strings"
)

// accountSignIns are what the sign-in's codes mean for an account in whose name an app acts, where that is not what they mean for an app.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var accountSignIns = []signIn{
	{50173, "The account's sessions were revoked, by an administrator, by Identity Protection or with its password.",
		"See in the tenant's sign-in log why, and reconnect: sign in with the account again."},
	{50133, "The account's password was changed or has expired, which ended its sign-in.",
		"Reconnect: sign in with the account again."},
	{700082, "The account's sign-in has expired: it was not used for 90 days.",
		"Reconnect: sign in with the account again."},
	{70008, "The account's sign-in has expired.",
		"Reconnect: sign in with the account again."},
	{70043, "Conditional Access ends the account's sign-in after a time (sign-in frequency), and that time is over.",
		"Exclude the service account from that policy, or it will have to sign in again every time; then reconnect."},
	{9002313, "Microsoft does not know the account's sign-in any more.",
		"Reconnect: sign in with the account again."},
	{70000, "Microsoft does not take the account's sign-in any more.",
		"Reconnect: sign in with the account again."},
	{50076, "Conditional Access asks for a second factor, which nobody gives in the background.",
		"Reconnect, and give the second factor when you sign in; where it is asked for again, exclude the service account at this server's address from the policy."},
	{50079, "Conditional Access asks the account to register a second factor.",
		"Reconnect, and register it when you sign in."},
	{50074, "Conditional Access asks for a second factor, which nobody gives in the background.",
		"Reconnect, and give the second factor when you sign in."},
	{53003, "Conditional Access blocks the account's sign-in.",
		"Look at the account's sign-ins in Entra for the policy, and exclude the service account or allow this server's address; then reconnect."},
	{53000, "Conditional Access asks for a compliant device, which a server is not.",
		"Exclude the service account from that policy; then reconnect."},
	{53001, "Conditional Access asks for a device that is joined, which a server is not.",
		"Exclude the service account from that policy; then reconnect."},
	{50105, "The app is limited to assigned users, and the service account is not one.",
		"Assign the account under Enterprise applications → the app → Users and groups; then reconnect."},
	{50057, "The account is disabled.",
		"Enable it, or reconnect with another account that is a member of the mailboxes."},
	{50034, "The account does not exist in this tenant any more.",
		"Reconnect with another account that is a member of the mailboxes."},
	{50053, "The account is locked, or signs in from an address that Microsoft holds to be dangerous.",
		"Look at the account's sign-ins in Entra, unlock it, and reconnect."},
	{50055, "The account's password has expired.",
		"Set a new one, and reconnect."},
	{65001, "The consent is missing: nobody has consented to the app in this tenant, or the consent was revoked.",
		"Reconnect, and have an administrator consent again."},
	{65004, "The consent was refused, or the page was left with Cancel.",
		"Nothing has changed. Begin again."},
	{90094, "An administrator has not consented to the app yet.",
		"Have a Global Administrator, a Privileged Role Administrator or a Cloud Application Administrator consent first: begin with the administrator's consent."},
	{50020, "The account is of another tenant.",
		"Sign in with an account of this tenant."},
}

// NotSignedIn is the code of a [Revoked] that is for want of a refresh token.
const NotSignedIn = "not_signed_in"

// OfAccount is a refusal of the sign-in as it is meant for an account in whose name an app acts; another error stays what it is.
func OfAccount(err error) error {
	e, ok := errors.AsType[*Revoked](err)
	if !ok {
		return err
	}
	code, _ := strconv.Atoi(strings.TrimPrefix(e.Code, "AADSTS"))
	for _, s := range accountSignIns {
		if s.code == code {
			return &Revoked{Code: e.Code, What: s.what, Do: s.do}
		}
	}
	return err
}
