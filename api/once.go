package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// kept is how long the answer under an idempotency key is.
const kept = 24 * time.Hour

// keptAnswer is what table request_key holds: which request it was, and what was answered.
type keptAnswer struct {
	Request string          `json:"request"`
	Out     json.RawMessage `json:"out"`
}

// once runs do, unless the same caller gave the same key before: then out is what was answered then. The same key with
// another request is a conflict. Two at the same time: the second waits for the first or conflicts in the database.
func (s *Service) once(ctx context.Context, t *store.Tenant, name string, c Caller, in, out any, do func() error) error {
	key := keyOf(in)
	if key == "" {
		return do()
	}
	request := requestHash(name, in)
	had, err := recall(ctx, t, key, c.Account, request, s.now(), out)
	if had || err != nil {
		return err
	}
	// The key is taken first: on PostgreSQL a second request waits here until the first is through.
	_, err = t.Exec(ctx, `insert into request_key (tenant, key, account, answer, at) values ($1, $2, $3, '', $4)`, key, c.Account, tocsin.Millis(s.now()))
	if err != nil {
		if store.Duplicate(err) {
			return tocsin.Problemf(tocsin.Conflict, "Send it again in a moment.", "The same request is being worked on.")
		}
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return remember(ctx, t, key, c.Account, request, out)
}

func recall(ctx context.Context, t *store.Tenant, key, account, request string, now time.Time, out any) (bool, error) {
	if _, err := t.Exec(ctx, `delete from request_key where tenant = $1 and at < $2`, tocsin.Millis(now.Add(-kept))); err != nil {
		return false, err
	}
	var text string
	err := t.QueryRow(ctx, `select answer from request_key where tenant = $1 and key = $2 and account = $3`, key, account).Scan(&text)
	if errors.Is(err, store.ErrNone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var a keptAnswer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return false, fmt.Errorf("answer kept under an idempotency key: %w", err)
	}
	if a.Request != request {
		return false, tocsin.Problemf(tocsin.Conflict, "Use a new key for a new request.", "The Idempotency-Key was used for another request.")
	}
	return true, json.Unmarshal(a.Out, out)
}

func remember(ctx context.Context, t *store.Tenant, key, account, request string, out any) error {
	body, err := json.Marshal(out)
	if err != nil {
		return err
	}
	text, err := json.Marshal(keptAnswer{Request: request, Out: body})
	if err != nil {
		return err
	}
	_, err = t.Exec(ctx, `update request_key set answer = $4 where tenant = $1 and key = $2 and account = $3`, key, account, string(text))
	return err
}

func keyOf(in any) string {
	if f := reflect.Indirect(reflect.ValueOf(in)).FieldByName("Key"); f.IsValid() {
		if f.Kind() == reflect.Struct {
			f = f.FieldByName("Key")
		}
		return f.String()
	}
	return ""
}

func requestHash(name string, in any) string {
	body, err := json.Marshal(in)
	if err != nil {
		panic("api: an input is not JSON: " + err.Error()) // inputs are structs of texts, numbers and times
	}
	sum := sha256.Sum256(append([]byte(name+"\n"), body...))
	return hex.EncodeToString(sum[:])
}
