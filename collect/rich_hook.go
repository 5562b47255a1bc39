package collect

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"tocsin.dev/graph"
)

// mostTokens is how many validation tokens a post may bear: one for each application and tenant.
const mostTokens = 100

// vouchTime is for looking whether Microsoft vouches for a post. Graph takes an address for slow that answers late, and then
// drops what it would have told there.
const vouchTime = 4 * time.Second

// Vouch says what a validation token vouches for; its errors are graph.ErrForged and graph.ErrUnsure. See [graph.Vouchers].
type Vouch func(ctx context.Context, token string) (graph.Vouched, error)

// vouched looks whether Microsoft vouches for a post that brings what changed: every token that it bears is good, and there
// is one for the tenant of each notification that is encrypted. A post without any of this it lets pass, and nobody waits. It
// gives nothing, or the outcome: a post that is not vouched for is dropped whole; and where nobody can say, because the
// keys that sign cannot be had, Graph is to send it again.
func (h *Hook) vouched(ctx context.Context, posted *graph.Notifications, items int) outcome {
	encrypted := false
	for i := range posted.Value {
		encrypted = encrypted || posted.Value[i].Encrypted != nil
	}
	if !encrypted && len(posted.ValidationTokens) == 0 {
		return outcome{}
	}
	if len(posted.ValidationTokens) == 0 || len(posted.ValidationTokens) > mostTokens || h.Vouch == nil {
		h.refused("it bears no token, or too many")
		return outcome{HookUnvouched, items, http.StatusAccepted}
	}
	ctx, stop := context.WithTimeout(ctx, vouchTime)
	defer stop()
	tenants := map[string]bool{}
	unsure := false
	for _, token := range posted.ValidationTokens {
		is, err := h.Vouch(ctx, token)
		switch {
		case errors.Is(err, graph.ErrForged):
			h.refused(err.Error())
			return outcome{HookUnvouched, items, http.StatusAccepted}
		case err != nil:
			unsure = true
			h.Log.Warn("whether notifications are Microsoft's cannot be told now; Microsoft Graph sends them again", "error", err)
		}
		tenants[is.Tenant] = true
	}
	if unsure {
		return outcome{HookUnsure, 1, http.StatusServiceUnavailable}
	}
	for i := range posted.Value {
		if n := &posted.Value[i]; n.Encrypted != nil && !tenants[strings.ToLower(n.Tenant())] {
			h.refused("no token is of the tenant of a notification")
			return outcome{HookUnvouched, items, http.StatusAccepted}
		}
	}
	return outcome{}
}

func (h *Hook) refused(why string) {
	h.Log.Debug("a post with what changed is not vouched for", "because", why)
}

// mostEncrypted is how many characters of encrypted content are kept of a notification. The metadata of a message take a few
// thousand; what is longer is looked at instead.
const mostEncrypted = 64 << 10

// content is what the journal keeps of what a notification brought; nil: the message is looked at.
func content(e *graph.EncryptedContent) *graph.EncryptedContent {
	if e == nil || len(e.Data)+len(e.DataKey)+len(e.Signature)+len(e.CertificateID) > mostEncrypted || e.Data == "" {
		return nil
	}
	return e
}
