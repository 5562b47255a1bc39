package graph

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// judge turns an answer that is not a good one into the error for it, of a batch's part as well as of a whole answer.
func (c *Client) judge(call Call, rep *reply) error {
	f := parseFault([]byte(c.hide(string(rep.body)))) // a server may repeat what it was sent
	at := rep.where(call)
	at.RequestID = or(at.RequestID, f.RequestID)
	switch s := rep.status; {
	case f.is("syncStateNotFound", "resyncRequired", "syncStateInvalid", "resyncChangesApplyDifferences", "resyncChangesUploadDifferences") || s == http.StatusGone:
		return &Gone{Where: at, Code: f.Code}
	case f.is("AF429"): // the activity feed says so with 403
		return c.throttled(at, rep)
	case call.Service == ExchangeAdmin && s >= 400 && s < 500 && lacksRole(f):
		return &Denied{Where: at, Permissions: call.Permissions, Code: RoleMissing, Message: f.Message}
	case call.Kind == Mailbox && s >= 400 && s < 500 && f.is(noMailbox...):
		return &NoMailbox{Where: at, Code: f.Code}
	case s == http.StatusTooManyRequests:
		return c.throttled(at, rep)
	case s == http.StatusUnauthorized:
		return c.unauthorized(at, f, rep)
	case s == http.StatusForbidden:
		return c.denied(call, at, f, rep)
	case s == http.StatusNotFound:
		return &NotFound{Where: at, Code: f.Code}
	case s >= 500 || s == http.StatusRequestTimeout || s == http.StatusFailedDependency:
		what := fmt.Sprintf("Microsoft Graph answered %d%s", s, codeIn(f.Code))
		return &passes{Unavailable: &Unavailable{Where: at, What: what, Code: f.Code}, after: after(rep.header, time.Now(), 0)}
	case s >= 300 && s < 400:
		return &Unavailable{Where: at, What: fmt.Sprintf("the answer is a redirection (%d), which is not followed", s)}
	}
	return &Failed{Where: at, Code: f.Code, Message: f.Message}
}

// NoPremium is the code of a [Denied] that is for want of Entra ID P1 and not of a permission.
const NoPremium = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"

// RoleMissing is the code of a [Denied] that is for want of a role in Exchange and not of a permission.
const RoleMissing = "RoleMissing"

// lacksRole says whether Exchange refused for want of a role: it says so in words alone, and hides the cmdlets of roles one has not.
// https://learn.microsoft.com/powershell/exchange/app-only-auth-powershell-v2
func lacksRole(f fault) bool {
	m := strings.ToLower(f.Message)
	return strings.Contains(m, "role assigned to application") || strings.Contains(m, "is not recognized as")
}

// noMailbox are the codes of users without one that Graph can open.
var noMailbox = []string{
	"MailboxNotEnabledForRESTAPI", "MailboxNotSupportedForRESTAPI", "MailboxNotHostedInExchangeOnline",
	"ErrorInvalidUser", "ErrorNonExistentMailbox", "ErrorNonPrimarySmtpAddress", "extensionError",
}

func codeIn(code string) string {
	if code == "" {
		return ""
	}
	return " (" + code + ")"
}

// throttled is a 429: Identity Protection's, and some others, do not say how long to wait.
func (c *Client) throttled(at Where, rep *reply) error {
	e := &Throttled{Where: at, After: after(rep.header, time.Now(), -1)}
	if e.After < 0 {
		e.After, e.guess = backoff(4*c.cfg.Backoff, 1), true
	}
	return e
}

func (c *Client) unauthorized(at Where, f fault, rep *reply) error {
	if claims, ok := challenge(rep.header); ok {
		return &Challenge{Where: at, Claims: claims}
	}
	return &Unauthorized{Where: at, Code: f.Code, Message: f.Message}
}

// challenge is the claims that a 401 asks for.
// https://learn.microsoft.com/entra/identity-platform/claims-challenge
func challenge(h http.Header) (claims string, ok bool) {
	for _, v := range h.Values("WWW-Authenticate") {
		if !strings.Contains(v, "insufficient_claims") {
			continue
		}
		_, rest, found := strings.Cut(v, `claims="`)
		coded, _, _ := strings.Cut(rest, `"`)
		if !found {
			return "", true
		}
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			if plain, err := enc.DecodeString(coded); err == nil {
				return string(plain), true
			}
		}
		return "", true
	}
	return "", false
}

// denied tells a missing permission from a mailbox that the tenant keeps from the app: the latter has the code
// ErrorAccessDenied too, so the roles decide, where they can be read, of the token that the request went with: meanwhile a
// permission may have been given or taken away, and the token renewed.
// https://learn.microsoft.com/graph/auth-limit-mailbox-access
func (c *Client) denied(call Call, at Where, f fault, rep *reply) error {
	if claims, ok := challenge(rep.header); ok {
		return &Challenge{Where: at, Claims: claims}
	}
	d := &Denied{Where: at, Permissions: c.needs(call), Code: f.Code, Message: f.Message}
	if (call.Kind == Mailbox || call.Name == "subscriptions.create") && f.is("ErrorAccessDenied") { // the latter names a mailbox, too
		d.OutOfScope = mayHold(rep.token, d.Permissions)
	}
	return d
}

// needs are the permissions any one of which lets this client make the call.
func (c *Client) needs(call Call) []string {
	if c.cfg.Delegated != nil {
		return call.Scopes
	}
	return call.Permissions
}

// mayHold says whether a token has any of these permissions, or cannot be read.
func mayHold(token string, permissions []string) bool {
	roles, ok := rolesOf(token)
	return !ok || slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(permissions, r) })
}
