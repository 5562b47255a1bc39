package api

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/store"
)

// EntraSignIn is one as the directory tells of it. What it does not tell is empty, or null. Body is there in get only.
type EntraSignIn struct {
	ID        string          `json:"id"`
	Record    string          `json:"record" doc:"The audit record that has all of it, by which findings name it"`
	At        time.Time       `json:"at" doc:"When it was"`
	Seen      time.Time       `json:"seen" doc:"When it was read"`
	Kind      string          `json:"kind" doc:"interactive, non_interactive, service_principal or managed_identity"`
	Person    tocsin.PersonID `json:"person" doc:"Who, where the directory knows them"`
	Actor     string          `json:"actor" doc:"The account, or the application"`
	App       string          `json:"app" doc:"What was signed in with"`
	AppID     string          `json:"app_id"`
	Resource  string          `json:"resource" doc:"What was signed in to"`
	IP        string          `json:"ip"`
	ASN       string          `json:"asn" doc:"The autonomous system that the address is of"`
	Country   string          `json:"country"`
	City      string          `json:"city"`
	Latitude  *float64        `json:"latitude"`
	Longitude *float64        `json:"longitude"`
	Client    string          `json:"client" doc:"The sort of client: Browser, IMAP4 …"`
	Protocol  string          `json:"protocol" doc:"Where it is no usual one: deviceCode, ropc …"`
	System    string          `json:"system" doc:"The device's system"`
	Browser   string          `json:"browser"`
	Device    string          `json:"device" doc:"The device's name"`
	Compliant *bool           `json:"compliant" doc:"The device meets the organisation's conditions"`
	Result    string          `json:"result" doc:"success, failure or interrupted"`
	Error     string          `json:"error" doc:"Microsoft's code; 0 is success"`
	Reason    string          `json:"reason" doc:"Why it failed, in Microsoft's words"`
	MFA       string          `json:"mfa" doc:"How a second factor was met: asked, claim (given before), refused; single where none was wanted; empty where that is not known"`
	Risk      string          `json:"risk" doc:"Microsoft's: low, medium, high; hidden without Entra ID P2"`
	Policy    string          `json:"policy" doc:"What conditional access did: success, failure, notApplied"`
	Session   string          `json:"session"`
	Body      json.RawMessage `json:"body,omitempty" doc:"The sign-in as Microsoft wrote it"`
}

// SignInsIn filters sign-ins. Sorted by time, the newest first.
type SignInsIn struct {
	In
	Paging
	Person  tocsin.PersonID `query:"person" maxLength:"100" doc:"Only of this person"`
	Actor   string          `query:"actor" maxLength:"400" doc:"Only of this account or application, by its address or name"`
	App     string          `query:"app" maxLength:"200" doc:"Only with this application, by its id or name"`
	IP      string          `query:"ip" maxLength:"64" doc:"Only from this address"`
	Country string          `query:"country" maxLength:"60" doc:"Only from this country: NL"`
	City    string          `query:"city" maxLength:"200" doc:"Only from this town"`
	Kind    string          `query:"kind" enum:"interactive,non_interactive,service_principal,managed_identity" doc:"Only of this kind"`
	Result  string          `query:"result" enum:"success,failure,interrupted" doc:"Only with this result"`
	MFA     string          `query:"mfa" enum:"asked,claim,refused,single" doc:"Only where a second factor was met so"`
	Risk    string          `query:"risk" enum:"any,low,medium,high" doc:"Only with this risk, or with any"`
	Session string          `query:"session" maxLength:"200" doc:"Only of this session"`
	Since   time.Time       `query:"since" doc:"Not before this time"`
	Until   time.Time       `query:"until" doc:"Before this time"`
}

const signInColumns = `id, record, at, seen, kind, person, actor, app, app_id, resource, ip, asn, country, city, latitude, longitude, client, protocol, system, browser, device, compliant, result, error, reason, mfa, risk, policy, session`

type signInRow struct {
	EntraSignIn
	at, seen                       int64
	latitude, longitude, compliant string
	body                           string
}

func (r *signInRow) fields() []any {
	return []any{&r.ID, &r.Record, &r.at, &r.seen, &r.Kind, &r.Person, &r.Actor, &r.App, &r.AppID, &r.Resource, &r.IP, &r.ASN, &r.Country, &r.City, &r.latitude, &r.longitude, &r.Client, &r.Protocol,
		&r.System, &r.Browser, &r.Device, &r.compliant, &r.Result, &r.Error, &r.Reason, &r.MFA, &r.Risk, &r.Policy, &r.Session}
}

func (r *signInRow) view() EntraSignIn {
	r.At, r.Seen = tocsin.FromMillis(r.at), tocsin.FromMillis(r.seen)
	r.Latitude, r.Longitude = coordinates(r.latitude, r.longitude)
	if is, err := strconv.ParseBool(r.compliant); err == nil {
		r.Compliant = &is
	}
	return r.EntraSignIn
}

// coordinates are those of a place as they are kept; none where they are not known.
func coordinates(latitude, longitude string) (*float64, *float64) {
	a, err := strconv.ParseFloat(latitude, 64)
	if err != nil {
		return nil, nil
	}
	b, err := strconv.ParseFloat(longitude, 64)
	if err != nil {
		return nil, nil
	}
	return &a, &b
}

// ListSignIns lists sign-ins.
func (s *Service) ListSignIns(ctx context.Context, in SignInsIn) (Page[EntraSignIn], error) {
	return view(ctx, s, "signins list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[EntraSignIn], error) {
		var p Page[EntraSignIn]
		after, err := parseCursor(in.After, "signins", 2)
		if err != nil {
			return p, err
		}
		n := in.limit()
		q := (&query{}).add("select " + signInColumns + " from sign_in where tenant = $1")
		in.conditions(q)
		if !after.begins() {
			q.add(" and (at, id) < (?, ?)", after.number(0), after.text(1))
		}
		rows, err := find(ctx, t, q.add(newest, n+1), (*signInRow).fields)
		if err != nil {
			return p, err
		}
		pieces := paged(rows, n, func(r signInRow) string { return cursor("signins", r.at, r.ID) })
		p.Items, p.Next = make([]EntraSignIn, len(pieces.Items)), pieces.Next
		for i := range pieces.Items {
			p.Items[i] = pieces.Items[i].view()
		}
		return p, nil
	})
}

// conditions adds what is filtered by.
func (in *SignInsIn) conditions(q *query) {
	for _, c := range []struct{ column, value string }{{"person", string(in.Person)}, {"ip", in.IP}, {"country", strings.ToUpper(in.Country)}, {"city", in.City}, {"kind", in.Kind}, {"result", in.Result},
		{"mfa", in.MFA}, {"session", in.Session}} {
		if c.value != "" {
			q.add(" and "+c.column+" = ?", c.value)
		}
	}
	if in.Actor != "" {
		q.add(" and lower(actor) = ?", strings.ToLower(in.Actor))
	}
	if in.App != "" {
		q.add(" and (app_id = ? or app = ?)", in.App, in.App)
	}
	switch in.Risk {
	case "":
	case "any":
		q.add(" and risk in ('low', 'medium', 'high')")
	default:
		q.add(" and risk = ?", in.Risk)
	}
	if !in.Since.IsZero() {
		q.add(" and at >= ?", in.Since)
	}
	if !in.Until.IsZero() {
		q.add(" and at < ?", in.Until)
	}
}

// GetSignIn gives a sign-in as Microsoft wrote it.
func (s *Service) GetSignIn(ctx context.Context, in ByID) (EntraSignIn, error) {
	return view(ctx, s, "signins get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (EntraSignIn, error) {
		var r signInRow
		err := t.QueryRow(ctx, `select `+signInColumns+`, coalesce((select body from audit_record a where a.tenant = sign_in.tenant and a.id = sign_in.record), '') from sign_in where tenant = $1 and id = $2`, in.ID).
			Scan(append(r.fields(), &r.body)...)
		if errors.Is(err, store.ErrNone) {
			return EntraSignIn{}, tocsin.Problemf(tocsin.NotFound, "Look at tocsin signins list.", "There is no such sign-in.")
		}
		if err != nil {
			return EntraSignIn{}, err
		}
		if r.body != "" {
			r.EntraSignIn.Body = rawJSON(r.body)
		}
		return r.view(), nil
	})
}
