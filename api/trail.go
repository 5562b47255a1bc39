package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// TrailEntry is something that somebody did here, or was refused.
type TrailEntry struct {
	ID        string            `json:"id"`
	At        time.Time         `json:"at"`
	Tenant    string            `json:"tenant"` // * for the installation's own
	Account   string            `json:"account"`
	Email     string            `json:"email"`
	Token     string            `json:"token,omitempty"` // the API token's id, where it was one
	Address   string            `json:"address,omitempty"`
	Operation string            `json:"operation"`
	Does      string            `json:"does"`    // what the operation does, in words
	Subject   string            `json:"subject"` // what it was done to
	Detail    map[string]string `json:"detail"`
	Outcome   string            `json:"outcome"` // done or refused
	Because   string            `json:"because,omitempty"`
}

// TrailFilter is what of the trail is asked for.
type TrailFilter struct {
	Paging
	Who     string `query:"who" maxLength:"320" doc:"Only by this account, by id or address"`
	Outcome string `query:"outcome" enum:"done,refused" doc:"Only what was done, or refused"`
}

// TrailIn asks for all of the trail.
type TrailIn struct{ TrailFilter }

// TenantTrailIn asks for a tenant's.
type TenantTrailIn struct {
	In
	TrailFilter
}

// shown are the fields of a body that the trail may hold, but for those tagged trail:"-": of a field with the same name elsewhere.
var shown = strings.Fields("status severity role tenant on domain rule scope value expires until name email kind erase enabled products tier owner force person finding cloud client_id change digest_over what metadata_only since until address operations approval kinds per_hour at_once spared authority graph tenants days reason verdict message investigation all mailbox addin thanks new_key")

// Changes says whether an operation changes something: what it does is written down.
func (o Op) Changes() bool { return o.Method != "" && o.Method != http.MethodGet && !o.dry }

// note writes down an act, in the transaction of what it changed; err is the problem where it was refused.
func (s *Service) note(ctx context.Context, tx *store.Tx, name string, tenant tocsin.TenantID, in any, c Caller, err error) error {
	o := s.ops[name]
	if !o.Changes() {
		return nil
	}
	outcome, because := "done", ""
	if err != nil {
		outcome, because = "refused", tocsin.AsProblem(err).What
	}
	detail, fault := json.Marshal(detailOf(in))
	if fault != nil {
		return fault
	}
	if tenant == "" {
		tenant = Everywhere
	}
	id := tocsin.NewID()
	t := tx.Tenant(tenant)
	_, fault = t.Exec(ctx, `insert into trail (tenant, id, at, account, email, by_token, address, operation, subject, detail, outcome, because) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		id, tocsin.Millis(s.now()), c.Account, c.Email, c.Token, addressIn(ctx), name, subjectIn(tenant, in), string(detail), outcome, because)
	return fault
}

// noteAfter is note by itself: for what was refused, and for what is no transaction of ours. Nobody is told that it could
// not be written, but the log is.
func (s *Service) noteAfter(ctx context.Context, name string, tenant tocsin.TenantID, in any, c Caller, err error) {
	if !s.ops[name].Changes() || c.Account == "" && s.ops[name].Role != Stranger {
		return
	}
	ctx = context.WithoutCancel(ctx)
	if fault := s.st.Update(ctx, func(tx *store.Tx) error { return s.note(ctx, tx, name, tenant, in, c, err) }); fault != nil {
		s.log.Error("what somebody did was not written down", "operation", name, "who", c.Email, "error", fault)
	}
}

// refused writes down an act that came to nothing: not a stranger's, who could fill the disk with them, but for those that
// are for strangers and counted.
func (s *Service) refused(ctx context.Context, name string, tenant tocsin.TenantID, in any, c Caller, err error) {
	if err != nil && (c.Account != "" || s.ops[name].Role == Stranger) && tocsin.AsProblem(err).Code != tocsin.Throttled {
		s.noteAfter(ctx, name, tenant, in, c, err)
	}
}

// subjectIn is what an act was done to, for the trail of tenant: in the installation's a tenant is named as well.
func subjectIn(tenant tocsin.TenantID, in any) string {
	if n, ok := in.(about); ok {
		in = n.in
	}
	subject := subjectOf(in)
	if subject == "" || tenant != Everywhere {
		return subject
	}
	if of := tenantOf(in); of != "" && of != Everywhere {
		return string(of) + " " + subject
	}
	return subject
}

// about is an input with the name of what it is about, which may be gone when the trail is read.
type about struct {
	in       any
	as, name string
}

// subjectOf is what an input's address names, but for the tenant.
func subjectOf(in any) string {
	if n, ok := in.(about); ok {
		in = n.in
	}
	var out []string
	eachField(reflect.Indirect(reflect.ValueOf(in)), func(f reflect.StructField, v reflect.Value) {
		if tag := f.Tag.Get("path"); tag != "" && tag != "tenant" && v.Kind() == reflect.String {
			out = append(out, v.String())
		}
	})
	return strings.Join(out, " ")
}

// detailOf is what of an input's body may be shown.
func detailOf(in any) map[string]string {
	if n, ok := in.(about); ok {
		out := detailOf(n.in)
		if n.name != "" {
			out[n.as] = n.name
		}
		return out
	}
	out := map[string]string{}
	v := reflect.Indirect(reflect.ValueOf(in))
	if v.Kind() != reflect.Struct {
		return out
	}
	body := v.FieldByName("Body")
	if !body.IsValid() || body.Kind() != reflect.Struct {
		if f := v.FieldByName("ImportFile"); f.IsValid() { // its name is all that is kept of a file
			if name := f.FieldByName("Name").String(); name != "" {
				out["name"] = name
			}
		}
		return out
	}
	eachField(body, func(f reflect.StructField, v reflect.Value) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !slices.Contains(shown, name) || f.Tag.Get("trail") == "-" || v.IsZero() {
			return
		}
		if v = reflect.Indirect(v); v.Kind() == reflect.String {
			out[name] = v.String()
			return
		}
		raw, err := json.Marshal(v.Interface())
		if err == nil {
			out[name] = strings.Trim(string(raw), `"`)
		}
	})
	return out
}

// eachField calls do with every field of a struct, those of the structs within it too.
func eachField(v reflect.Value, do func(reflect.StructField, reflect.Value)) {
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			eachField(v.Field(i), do)
		} else if f.IsExported() {
			do(f, v.Field(i))
		}
	}
}

// ListTrail lists what people did here, newest first.
func (s *Service) ListTrail(ctx context.Context, in TrailIn) (Page[TrailEntry], error) {
	return install(ctx, s, "trail list", in, s.st.View, func(ctx context.Context, tx *store.Tx, _ Caller) (Page[TrailEntry], error) {
		return s.trail(ctx, tx.Tenant(Everywhere), in.TrailFilter)
	})
}

// TenantTrail lists what people did in a tenant, newest first.
func (s *Service) TenantTrail(ctx context.Context, in TenantTrailIn) (Page[TrailEntry], error) {
	return view(ctx, s, "trail of", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[TrailEntry], error) {
		return s.trail(ctx, t, in.TrailFilter)
	})
}

// trail is a piece of the tenant's trail, or of everything for [Everywhere].
func (s *Service) trail(ctx context.Context, t *store.Tenant, in TrailFilter) (p Page[TrailEntry], err error) {
	after, err := parseCursor(in.After, "trail", 1)
	if err != nil {
		return p, err
	}
	n := in.limit()
	q := (&query{}).add(`select id, at, tenant, account, email, by_token, address, operation, subject, detail, outcome, because from trail where ($1 = '*' or tenant = $1)`)
	if after.text(0) != "" {
		q.add(" and id < ?", after.text(0))
	}
	if in.Who != "" {
		q.add(" and (account = ? or email = ?)", in.Who, tocsin.CanonicalAddress(in.Who))
	}
	if in.Outcome != "" {
		q.add(" and outcome = ?", in.Outcome)
	}
	type row struct {
		TrailEntry
		at     int64
		detail string
	}
	found, err := find(ctx, t, q.add(" order by id desc limit ?", n+1), func(r *row) []any {
		return []any{&r.ID, &r.at, &r.Tenant, &r.Account, &r.Email, &r.Token, &r.Address, &r.Operation, &r.Subject, &r.detail, &r.Outcome, &r.Because}
	})
	if err != nil {
		return p, err
	}
	list := make([]TrailEntry, len(found))
	for i, r := range found {
		r.At, r.Does = tocsin.FromMillis(r.at), s.ops[r.Operation].Help
		if err := json.Unmarshal([]byte(r.detail), &r.Detail); err != nil {
			return p, err
		}
		list[i] = r.TrailEntry
	}
	return paged(list, n, func(e TrailEntry) string { return cursor("trail", e.ID) }), nil
}
