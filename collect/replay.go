package collect

import (
	"context"
	"encoding/json"

	"tocsin.dev"
	"tocsin.dev/journal"
)

// Replay puts what was given up into the journal again, to be opened and folded as if it had come now. kind, subject and
// body are those of the dead letter: a notification that Microsoft did not let us look at, or an item that could not be folded.
func Replay(ctx context.Context, j *journal.Journal, now int64, tenant tocsin.TenantID, kind, subject string, body []byte) error {
	it := journal.Item{Tenant: tenant, Person: tocsin.PersonID(subject), Kind: kind, At: now, Body: body}
	var whole journal.Item
	if json.Unmarshal(body, &whole) == nil && whole.Kind != "" && whole.Tenant == tenant {
		it = whole
		it.At = now
	}
	if it.Kind == kindMail { // how the messages were then is not how they are
		var looks mailLooks
		if json.Unmarshal(it.Body, &looks) == nil {
			looks.Again = true
			var err error
			if it.Body, err = encode(looks); err != nil {
				return err
			}
		}
	}
	if !json.Valid(it.Body) {
		return tocsin.Problemf(tocsin.Invalid, "Nothing can be done with it. What it was about is found when the mailbox is looked through.", "What is kept cannot be read.")
	}
	return j.Append(ctx, it)
}
