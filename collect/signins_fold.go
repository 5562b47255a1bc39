package collect

import (
	"context"
	"encoding/json"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/audit"
	"tocsin.dev/store"
)

// signInColumns are those of a sign-in's row.
var signInColumns = []string{"id", "record", "at", "seen", "kind", "person", "actor", "app", "app_id", "resource", "ip", "asn", "country", "city", "latitude", "longitude",
	"client", "protocol", "system", "browser", "device", "compliant", "result", "error", "reason", "mfa", "risk", "policy", "session"}

// signInRow is the row of a sign-in whose whole stands in an audit record.
func signInRow(p *pending[auditSeen], e *audit.Entry, record string, person tocsin.PersonID) []any {
	r := &e.Record
	x := func(name string) string {
		s, _ := r.Extra[name].(string)
		return clipped(s, 200)
	}
	at := tocsin.Millis(r.Time)
	if r.Time.IsZero() {
		at = 0
	}
	risk := x("risk")
	if risk == "none" || risk == "unknownFutureValue" { // "hidden" stays: the tenant has no Entra P2
		risk = ""
	}
	return []any{e.ID, record, at, p.at, x("kind"), string(person), clipped(r.Actor, 400), x("app"), x("app_id"), x("resource"), r.IP, x("asn"), x("country"), x("city"), x("latitude"), x("longitude"),
		clipped(r.ClientApp, 200), x("protocol"), x("system"), x("browser"), x("device"), x("compliant"), signInResult(r), x("error"), x("reason"), x("mfa"), risk, x("conditional_access"), x("session")}
}

// interruptions are codes by which a sign-in is not refused: something is asked for first, a second factor or a consent.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var interruptions = map[string]bool{"50055": true, "50058": true, "50059": true, "50072": true, "50074": true, "50076": true, "50079": true, "50097": true, "50125": true, "50127": true, "50129": true,
	"50140": true, "50143": true, "50144": true, "50199": true, "51006": true, "52004": true, "65001": true, "81010": true, "81012": true, "81014": true, "165100": true, "502031": true, "900144": true}

// signInResult says how a sign-in ended: success, failure, or interrupted, which is the one before either.
func signInResult(r *detect.Record) string {
	if r.Result == "success" {
		return "success"
	}
	if code, _ := r.Extra["error"].(string); interruptions[code] {
		return "interrupted"
	}
	return "failure"
}

// signedIn writes the sign-ins' rows.
func (f *recordFold) signedIn(ctx context.Context) error {
	if len(f.signs) == 0 {
		return nil
	}
	if err := f.t.Insert(ctx, store.Into{Table: "sign_in", Key: []string{"id"}, Columns: signInColumns}, f.signs); err != nil {
		return err
	}
	for _, row := range f.signs {
		if err := f.tellSignIn(row); err != nil {
			return err
		}
	}
	body, err := encode(map[string]any{"count": len(f.signs)})
	if err != nil {
		return err
	}
	return f.t.Append(ctx, store.Fact{Kind: "sign_in.recorded", Body: body})
}

// entraSource is the platform that sign-ins and changes of the directory are told by.
const entraSource = "MICROSOFT_GRAPH_ENTRA_API"

// tellSignIn makes an event of a sign-in by a person of the directory. What programs do in their name, which is most of the log and
// no act of theirs, is in the list of sign-ins alone.
func (f *recordFold) tellSignIn(row []any) error {
	is := map[string]any{}
	for i, name := range signInColumns {
		is[name] = row[i]
	}
	at, _ := is["at"].(int64)
	person, _ := is["person"].(string)
	id, _ := is["id"].(string)
	if is["kind"] != "interactive" || person == "" || at == 0 {
		return nil
	}
	action := map[any]string{"success": "signed_in", "failure": "sign_in_failed", "interrupted": "sign_in_interrupted"}[is["result"]]
	payload := map[string]any{"user": is["actor"], "action": action}
	for _, name := range []string{"app", "ip", "country", "city", "client", "result", "error", "mfa", "risk", "protocol", "device"} {
		if is[name] != "" {
			payload[name] = is[name]
		}
	}
	return f.tellEntra("SIGN_IN", action, id, person, at, payload)
}

// tellChange makes an event of a change in the directory, of the person that it is about, else of whoever made it.
func (f *recordFold) tellChange(e *audit.Entry, person tocsin.PersonID, at int64) error {
	if e.Shape != audit.DirectoryLog || person == "" || at == 0 {
		return nil
	}
	r := &e.Record
	payload := map[string]any{"user": r.Actor, "action": "directory_changed", "name": clipped(r.Operation, 200), "object": clipped(r.Object, 400), "target": clipped(r.Target, 400), "result": clipped(r.Result, 100), "ip": r.IP}
	for name, v := range payload {
		if v == "" {
			delete(payload, name)
		}
	}
	return f.tellEntra("AUDIT", "directory_changed", e.ID, string(person), at, payload)
}

func (f *recordFold) tellEntra(kind, action, native, person string, at int64, payload map[string]any) error {
	id := tocsin.NewEventID(f.t.ID(), kind, native)
	payload["event_id"] = native
	raw, err := encode(payload)
	if err != nil {
		return err
	}
	body, err := encode(&tocsin.Event{EventID: id, EventType: kind, Source: "ENTRA", SignalType: "IDENTITY", DomainID: f.t.ID(), TUID: tocsin.PersonID(person), Timestamp: tocsin.FromMillis(at).UTC(),
		Payload: raw, RawMetadata: json.RawMessage("{}"), PlatformEventID: native, PlatformEventSource: entraSource})
	if err != nil {
		return err
	}
	f.events = append(f.events, []any{id, at, kind, action, person, string(body)})
	return nil
}

// enrich puts what the directory's own log tells of a sign-in in the place of what the unified log told, under the id by which
// findings name it, and has it judged anew.
func (f *recordFold) enrich(ctx context.Context, p *pending[auditSeen], e *audit.Entry, id string, people map[string]tocsin.PersonID) error {
	who, _ := audit.Concerns(&e.Record)
	f.signs = append(f.signs, signInRow(p, e, id, people[who]))
	f.judge = true
	_, err := f.t.Exec(ctx, `update audit_record set source = $3, content = $4, ip = $5, object = $6, result = $7, judge = $8, judged = $9, sign_in = $8, body = $10 where tenant = $1 and id = $2`,
		id, p.body.Source, p.body.Content, e.Record.IP, clipped(e.Record.Object, 400), clipped(e.Record.Result, 100), true, false, string(p.body.Record))
	return err
}
