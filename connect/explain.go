package connect

import (
	"errors"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
)

// Explain is what Graph answered, or did not, as a person may read it of something that is asked again and again by itself:
// what happened, and what to do.
func Explain(err error) *tocsin.Problem {
	if p, ok := errors.AsType[*tocsin.Problem](err); ok {
		return p
	}
	p := explain(err)
	p.Err = err
	return p
}

func explain(err error) *tocsin.Problem {
	if e, ok := errors.AsType[*graph.Throttled](err); ok {
		if e.Ours && !e.Asked {
			return tocsin.Problemf(tocsin.Throttled, "Nothing to do: it goes on by itself. Connections → Limits shows how near each limit is.", "Reading waits %s, so as not to pass a limit of Microsoft's.", max(e.After.Round(time.Second), time.Second))
		}
		return tocsin.Problemf(tocsin.Throttled, "Nothing to do: it goes on by itself.", "Microsoft Graph asked to wait %s.", max(e.After.Round(time.Second), time.Second))
	}
	if e, ok := errors.AsType[*graph.Denied](err); ok {
		return denied(e)
	}
	if e, ok := errors.AsType[*graph.Revoked](err); ok {
		return &tocsin.Problem{Code: tocsin.Denied, What: e.What, Do: e.Do}
	}
	if e, ok := errors.AsType[*graph.Unauthorized](err); ok {
		return tocsin.Problemf(tocsin.Denied, "Look whether the app is still there and enabled under Enterprise applications in Entra, then test the connection.",
			"Microsoft Graph does not accept the app's token (%s).", e.Code)
	}
	if _, ok := errors.AsType[*graph.Challenge](err); ok {
		return tocsin.Problemf(tocsin.Denied, "Exclude the app from the Conditional Access policy that asks, or allow this server's address in it, then test the connection.",
			"Conditional Access asks for a new sign-in, which an app cannot give.")
	}
	if errors.Is(err, graph.ErrPaused) {
		return tocsin.Problemf(tocsin.Conflict, "Resume the connection.", "The connection is paused.")
	}
	return tocsin.Problemf(tocsin.Unavailable, "Nothing to do: it is tried again by itself. If it stays, look at the network between Tocsin and Microsoft Graph.",
		"Microsoft Graph could not be read: %s.", strings.TrimSuffix(err.Error(), "."))
}

func denied(e *graph.Denied) *tocsin.Problem {
	if e.Code == graph.RoleMissing {
		return tocsin.Problemf(tocsin.Denied, "In Entra open Roles and administrators, give the app the role Global Reader, wait up to an hour, then test the connection.",
			"The app has the permission, and no role in Exchange.")
	}
	if e.Code == graph.NoPremium {
		return tocsin.Problemf(tocsin.Denied, "Get Entra ID P1 or P2 for the tenant, or do without: `tocsin analyze` reads the sign-ins of the last seven days, exported in Entra under Sign-in logs.",
			"Microsoft gives sign-ins only of tenants with Entra ID P1 or P2, which this one does not have.")
	}
	if len(e.Permissions) == 0 { // a batch, say, which needs none
		return tocsin.Problemf(tocsin.Denied, "Nothing to do if it passes: it is asked again by itself. If it stays, look for a proxy between Tocsin and Microsoft Graph that refuses it.",
			"Microsoft Graph refused a request that needs no permission (%s).", strings.TrimSuffix(e.Error(), "."))
	}
	p := tocsin.Problemf(tocsin.Denied, "Grant it to the app registration in Entra (API permissions → Application permissions), give administrator consent, wait a few minutes, then test the connection.",
		"%s.", e.Error())
	if !e.OutOfScope {
		p.What = "The permission " + e.Permissions[0] + " is not granted."
	}
	return p
}
