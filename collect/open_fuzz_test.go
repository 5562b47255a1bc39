package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/journal"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
	"tocsin.dev/stream"
)

// answering is Graph as it answers every batch with the same: whole where it is the answer itself, else what every part of it
// is answered.
type answering struct {
	status int
	body   []byte
	whole  bool
}

// RoundTrip answers.
func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := func(status int, body []byte) *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}
	}
	if strings.HasSuffix(r.URL.Path, "/token") {
		return answer(http.StatusOK, []byte(`{"access_token":"x.y.z","token_type":"Bearer","expires_in":3600}`)), nil
	}
	if a.whole || r.Body == nil {
		return answer(a.status, a.body), nil
	}
	var asked struct{ Requests []struct{ ID string } }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString(`{"responses":[`)
	for i, q := range asked.Requests {
		if i > 0 {
			out.WriteByte(',')
		}
		head, err := json.Marshal(map[string]any{"id": q.ID, "status": a.status})
		if err != nil {
			return nil, err
		}
		out.Write(head[:len(head)-1])
		out.WriteString(`,"body":`)
		out.Write(a.body)
		out.WriteByte('}')
	}
	out.WriteString(`]}`)
	return answer(http.StatusOK, out.Bytes()), nil
}

// FuzzOpener: whatever lies in the journal, and whatever Graph answers to looks or sends encrypted, one item comes of each, of
// the same mailbox; it is folded, or it alone is called poison; and what is told is an event of that mailbox.
func FuzzOpener(f *testing.F) {
	const good = `{"id":"m1","parentFolderId":"F","isRead":false,"isDraft":false,"receivedDateTime":"2026-03-15T09:15:02Z","lastModifiedDateTime":"2026-03-15T09:15:02Z",` +
		`"from":{"emailAddress":{"address":"eve@evil.example","name":"Eve"}},"toRecipients":[{"emailAddress":{"address":"amy@x.example"}}],"flag":{"flagStatus":"notFlagged"},` +
		`"singleValueExtendedProperties":[{"id":"Integer 0x1081","value":"104"},{"id":"SystemTime 0x1082","value":"2026-03-15T10:15:02Z"}]}`
	f.Add([]byte(`{"id":"m1","change":"created","sub":"s"}`), []byte(good), 200, false)
	f.Add([]byte(`{"id":"m1","change":"updated"}`), []byte(`{"error":{"code":"ErrorItemNotFound","message":"x"}}`), 404, false)
	f.Add([]byte(`{"id":"m1"}`), []byte(`{"error":{"code":"MailboxNotEnabledForRESTAPI"}}`), 404, false)
	f.Add([]byte(`{"id":"m1"}`), []byte(`{"error":{"code":"TooManyRequests"}}`), 429, false)
	f.Add([]byte(`{}`), []byte(`{"responses":[{"id":"1","status":200,"body":[]},{"id":"1","status":"x"},{"id":"99"}]}`), 200, true)
	f.Add([]byte(`{"id":"m1","rich":{"data":"AA==","dataKey":"AA==","dataSignature":"AA==","encryptionCertificateId":"x"}}`), []byte(`<html>`), 502, true)
	f.Add([]byte(`[`), []byte(`null`), 204, false)

	ctx := context.Background()
	st := storetest.SQLite(f)
	amy := tocsin.NewPersonID(acme, "object-amy")
	fold := &Fold{Log: slog.New(slog.DiscardHandler)}
	step := func(items []journal.Item) error {
		return st.Update(ctx, func(tx *store.Tx) error { return fold.Step(ctx, tx, items) })
	}
	item := func(kind string, body any) journal.Item {
		raw, err := encode(body)
		if err != nil {
			f.Fatal(err)
		}
		return journal.Item{Tenant: acme, Person: amy, Kind: kind, At: 9_000, Body: raw}
	}
	err := st.UpdateTenant(ctx, acme, func(t *store.Tenant) error {
		_, err := t.Exec(ctx, `insert into tenant (tenant, name, created) values ($1, 'Acme', 1)`)
		return err
	})
	err = errors.Join(err, step([]journal.Item{item(kindPerson, personSeen{Object: "object-amy", Name: "Amy", UPN: "amy@x.example", Mail: "amy@x.example", Kind: "member", Enabled: yes(), Licensed: yes()}),
		item(kindSettings, settingsSeen{Purpose: "user"})}))
	if err != nil {
		f.Fatal(err)
	}
	says := &answering{}
	var ahead atomic.Int64
	client, err := graph.New(graph.Config{Cloud: graph.Own("https://graph.invalid", "https://graph.invalid"), Tenant: string(acme), Client: "app", Secret: "secret",
		HTTP: &http.Client{Transport: says}, Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }, Tries: 1, Backoff: time.Microsecond, Log: slog.New(slog.DiscardHandler), Limits: graph.Limits{MaxWait: time.Millisecond}})
	if err != nil {
		f.Fatal(err)
	}
	o := &Opener{Store: st, Log: slog.New(slog.DiscardHandler), Client: func(context.Context, tocsin.TenantID) (*graph.Client, error) { return client, nil }}

	undone := errors.New("nothing of it is kept")
	f.Fuzz(func(t *testing.T, body, answer []byte, status int, whole bool) {
		if !json.Valid(body) {
			body = []byte(`{"id":"m1"}`) // the journal takes nothing else
		}
		ahead.Add(int64(time.Hour)) // what was refused before is long past
		*says = answering{status: 100 + (status%500+500)%500, body: answer, whole: whole}
		in := []journal.Item{{Tenant: acme, Person: amy, Kind: kindNotified, At: 9_000, Body: body}, {Tenant: acme, Person: "nobody", Kind: kindNotified, At: 9_000, Body: body}}
		out, err := o.Open(ctx, in)
		if err != nil || len(out) != len(in) {
			t.Fatalf("%d items of %d, %v", len(out), len(in), err)
		}
		sent := brought{look: mailLook{ID: "m1", Change: "created", At: 9_000}} // as if it had opened
		if sent.open(answer, nil); sent.what == RichOpened {
			out = append(out, item(kindMail, mailLooks{Looks: []mailLook{sent.look}}))
		}
		for i := range out {
			if i < len(in) && (out[i].Tenant != in[i].Tenant || out[i].Person != in[i].Person) {
				t.Errorf("an item of %s has become one of %s", in[i].Person, out[i].Person)
			}
			err := st.Update(ctx, func(tx *store.Tx) error {
				if err := fold.Step(ctx, tx, out[i:i+1]); err != nil {
					return err
				}
				rows, err := tx.Tenant(acme).Query(ctx, `select id, at, action, person, body from event where tenant = $1 and type = 'EMAIL'`)
				if err != nil {
					return err
				}
				defer rows.Close()
				for rows.Next() {
					is := tocsin.EventRow{Tenant: acme}
					var e tocsin.Event
					if err := rows.Scan(&is.ID, &is.At, &is.Action, &is.Person, &is.Body); err != nil {
						return err
					}
					if err := json.Unmarshal([]byte(is.JSON()), &e); err != nil || e.DomainID != acme || is.Person != amy || e.TUID != amy || e.PlatformEventID != is.Native() {
						t.Errorf("an event of %s reads %s: %v", is.Person, is.JSON(), err)
					}
				}
				return errors.Join(rows.Err(), undone)
			})
			if _, poison := errors.AsType[*stream.Poison](err); !poison && !errors.Is(err, undone) {
				t.Errorf("it is not folded: %v", err)
			}
		}
		clear(o.aside)
	})
}
