package graph

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
)

// signIn is what a code of Microsoft's sign-in means for an app, and what mends it.
type signIn struct {
	code     int
	what, do string
}

// signIns are the codes that an app can meet. https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var signIns = []signIn{
	{7000215, "The client secret is wrong.",
		"Enter the secret's value, not its id; if it is lost, make a new one under Certificates & secrets."},
	{7000222, "The client secret has expired.",
		"Make a new one under Certificates & secrets of the app registration and enter its value."},
	{7000218, "The app registration wants a secret or a certificate, and none was sent.",
		"Enter one on the connection."},
	{700016, "The app is not in this tenant: the client id is wrong, or the app was deleted or never consented to.",
		"Compare the application (client) id, and give administrator consent in this tenant."},
	{7000229, "The app has no enterprise application in this tenant.",
		"Give administrator consent in this tenant; that makes it."},
	{7000112, "The app is disabled in this tenant.",
		"Enable sign-in under Enterprise applications → the app → Properties."},
	{7000113, "The app is not allowed to sign in by itself.",
		"Register it as a confidential client with a secret or a certificate."},
	{90002, "The tenant does not exist.",
		"Compare the tenant id, and the cloud it lives in."},
	{900023, "The tenant id is neither an id nor a domain.",
		"Enter the tenant (directory) id from the tenant's overview page."},
	{900382, "The tenant belongs to another Microsoft cloud.",
		"Choose the tenant's cloud on the connection."},
	{900432, "The app registration and the tenant are in different Microsoft clouds.",
		"Choose the tenant's cloud on the connection."},
	{700027, "The certificate is not the app registration's, has expired, or this server's clock is wrong.",
		"Upload the certificate to the app registration, and compare this server's time."},
	{700024, "The proof by certificate is out of its time: this server's clock is wrong.",
		"Set the clock by NTP."},
	{700030, "The certificate's subject or issuer is not what the app registration allows.",
		"Upload this certificate to the app registration."},
	{500011, "Microsoft Graph is not known in this tenant under this cloud's address.",
		"Choose the tenant's cloud on the connection; in a new tenant, sign in to it once with a browser."},
	{500014, "Microsoft Graph is disabled in this tenant.",
		"Enable its service principal in the tenant."},
	{65001, "Nobody has consented to the app in this tenant.",
		"Give administrator consent."},
	{53003, "Conditional Access blocks the app.",
		"Look in the tenant's service principal sign-ins for the policy, and exclude the app or allow this server's address."},
	{53000, "Conditional Access asks for a compliant device, which an app does not have.",
		"Exclude the app from that policy."},
	{530035, "Security defaults block the app's sign-in.",
		"Look in the tenant's service principal sign-ins for the reason."},
	{50034, "The account does not exist in this tenant.",
		"Compare the account and the tenant."},
	{50057, "The account is disabled.",
		"Enable it, or connect with another."},
	{50105, "The app is limited to assigned users, and this one is not.",
		"Assign it under Enterprise applications → the app → Users and groups."},
	{50020, "The account is from another tenant and is not a guest here.",
		"Sign in with an account of this tenant."},
	{70001, "The app is disabled or not known in this tenant.",
		"Compare the client id, and give administrator consent."},
	{65004, "The consent was refused, or the page was left with Cancel.",
		"Nothing has changed. Begin again with an administrator who consents, or connect by API credentials."},
	{90094, "The account may not consent for the organisation.",
		"Have a Global Administrator or a Privileged Role Administrator sign in; other roles cannot consent to application permissions of Microsoft Graph."},
	{90095, "The organisation reviews consent: the request was sent to its administrators.",
		"Connect again when one of them has approved it."},
	{50011, "The app registration does not know the address to come back to.",
		"Enter the redirect URI that Settings → App registrations shows in the registration, under Authentication → Web."},
	{50194, "The app registration is for its own organisation only.",
		"In the registration choose accounts in any organizational directory (signInAudience AzureADMultipleOrgs), or connect by API credentials."},
	{54005, "The sign-in's code was used already.",
		"Begin again."},
	{70008, "The sign-in's code has expired.",
		"Begin again, and go through with it within ten minutes."},
	{501481, "The sign-in's code belongs to another sign-in.",
		"Begin again."},
	{9002313, "Microsoft does not know the sign-in's code.",
		"Begin again."},
	{650052, "The organisation has no subscription to a service whose permissions the app registration asks for.",
		"Take that service's permissions out of the app registration, or subscribe to it."},
	{650056, "The app registration asks for no permission that can be consented to.",
		"Put the permissions of the manifest under Settings → App registrations into it."},
	{1002012, "The scope asked for does not fit a sign-in without a person.",
		"Choose the tenant's cloud on the connection."},
}

// passing are the codes of faults that pass by themselves.
var passing = map[int]bool{90033: true, 90055: true, 90006: true, 90012: true, 50196: true, 50087: true, 90051: true}

// Refusals are those of the sign-in that are known, each with what it means and what mends it.
func Refusals() []*Revoked {
	out := make([]*Revoked, len(signIns))
	for i, s := range signIns {
		out[i] = refused(s.code, "")
	}
	return out
}

// Passing are the codes of the sign-in's faults that pass by themselves.
func Passing() []int { return slices.Sorted(maps.Keys(passing)) }

var aadsts = regexp.MustCompile(`AADSTS(\d{4,8})`)

// signInCode is the code in an error body of the sign-in service, 0 when there is none.
func signInCode(body []byte) (code int, kind string) {
	var e struct {
		Error       any    `json:"error"`
		Description string `json:"error_description"`
		Codes       []int  `json:"error_codes"`
	}
	_ = json.Unmarshal(body, &e) // what could be read is used; the rest stays zero
	kind, _ = e.Error.(string)
	if len(e.Codes) > 0 {
		return e.Codes[0], clip(kind, 60)
	}
	if m := aadsts.FindStringSubmatch(e.Description); m != nil {
		code, _ = strconv.Atoi(m[1])
	}
	return code, clip(kind, 60)
}

// refused is the error for a code that does not pass by itself.
func refused(code int, kind string) *Revoked {
	for _, s := range signIns {
		if s.code == code {
			return &Revoked{Code: "AADSTS" + strconv.Itoa(code), What: s.what, Do: s.do}
		}
	}
	name := "AADSTS" + strconv.Itoa(code)
	if code == 0 {
		name = or(kind, "unknown")
	}
	return &Revoked{
		Code: name,
		What: "Microsoft refuses the app's sign-in (" + or(kind, name) + ").",
		Do:   "Look the code up at https://login.microsoftonline.com/error, and in the tenant's service principal sign-ins.",
	}
}
