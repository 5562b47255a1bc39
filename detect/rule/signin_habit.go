package rule

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// What follows rests on where an account has signed in from before, in the thirty days that rules remember.

var impossibleTravel = detect.Meta{
	Name: "impossible-travel", Title: "An account was at two places sooner than anybody travels", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1078.004", "T1557"}, Stage: "access",
	Says:           "Two successful sign-ins of one account lie 500 kilometres or more apart, and between them a person would have had to travel faster than 1,000 km/h.",
	FalsePositives: "A VPN or a way out abroad that is not known: name it under Networks.",
	Fix:            "Ask the person where he was; revoke the sessions and reset the password unless both were his.",
	Actions:        []string{"revoke_sessions", "force_password_change", "mfa_enroll"}, Source: "sign_in",
}

var atypicalPlace = detect.Meta{
	Name: "atypical-place", Title: "A sign-in from a country that is new for the person", Family: "sign-ins",
	Severity: tocsin.Medium, Attack: []string{"T1078.004"}, Stage: "access",
	Says:           "An account that has signed in on five days or more did so from a country from which it never had; weightier where no colleague signs in from there either.",
	FalsePositives: "Journeys; these weigh little where the organisation has people in the country.",
	Fix:            "Ask the person whether he is there.",
	Actions:        []string{"revoke_sessions"}, Source: "sign_in",
}

var anonymousNetwork = detect.Meta{
	Name: "anonymous-network-sign-in", Title: "A sign-in from a network that hides where somebody is", Family: "sign-ins",
	Severity: tocsin.Medium, Attack: []string{"T1078", "T1090"}, Stage: "access",
	Says:           "An account that has signed in on five days or more did so from a VPN or from rented servers for the first time.",
	FalsePositives: "A person's own VPN, a program that runs on such servers: name the network.",
	Fix:            "Ask the person; look at what was done in the session.",
	Actions:        []string{"revoke_sessions"}, Source: "sign_in",
}

var singleFactorUnusual = detect.Meta{
	Name: "single-factor-where-two-are-usual", Title: "One factor was enough where two are usual", Family: "sign-ins",
	Severity: tocsin.Medium, Attack: []string{"T1556.006"}, Stage: "access",
	Says:           "An account whose sign-ins met a second factor, ten or more of them, was let in with one from a network that is new for it.",
	FalsePositives: "A policy that was changed on purpose.",
	Fix:            "See which policy let it through, and close the gap.",
	Actions:        []string{"revoke_sessions"}, Source: "sign_in",
}

var deviceCodeNewNetwork = detect.Meta{
	Name: "device-code-from-new-network", Title: "A device code was redeemed from a network that is new for the person", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1528", "T1566.002"}, Stage: "access",
	Says:           "The code was asked for, and the token taken, where the person has never signed in from: the mark of a code that somebody else sent.",
	FalsePositives: "A television set or meeting room elsewhere.",
	Fix:            "Revoke the sessions; ask the person who sent the code.",
	Actions:        []string{"revoke_sessions", "force_password_change"}, Source: "sign_in",
}

var workloadNewNetwork = detect.Meta{
	Name: "application-from-new-network", Title: "An application signed in from a network that is new for it", Family: "sign-ins",
	Severity: tocsin.Medium, Attack: []string{"T1078.004"}, Stage: "access",
	Says:           "An application that has signed in on five days or more, from no more than three networks, did so from another: its secret may be used by somebody else.",
	FalsePositives: "It was moved to other servers.",
	Fix:            "Ask its owner; replace the secret if he knows of nothing.",
	Actions:        []string{}, Source: "sign_in",
}

var workloadNewCredential = detect.Meta{
	Name: "application-new-kind-of-credential", Title: "An application signed in with another kind of credential", Family: "sign-ins",
	Severity: tocsin.Medium, Attack: []string{"T1078.004", "T1550.001"}, Stage: "access",
	Says:           "An application that has signed in on five days or more with one kind of credential used another: a secret in the place of a certificate, another system's token.",
	FalsePositives: "Its owner replaced the credential.",
	Fix:            "See who added the credential, in the directory's audits.",
	Actions:        []string{}, Source: "sign_in",
}

const (
	noteSpot      = "spot"       // account → its last success with a place
	noteHabit     = "habit"      // account → country/asn/ASN, once a day each
	noteColleague = "colleagues" // country → accounts, once a day each
	noteFactor    = "two-factor" // account → successes with a second factor, the first few
	noteTool      = "credential" // application → kinds of credential, once a day each
	manyFactors   = 10           // sign-ins with two factors until one is unusual
	habitDays     = 5            // days with a sign-in until something is unusual
	travelSpeed   = 1000.0       // km/h: an airliner does 900
	travelLeast   = 500.0        // km: what the place of an address may be wrong by
)

// spot is where a sign-in came from.
type spot struct {
	lat, lon               float64
	city, country, asn, ip string
}

func spotOf(r *detect.Record) (spot, bool) {
	s := spot{city: auditText(r, "city"), country: auditText(r, "country"), asn: asnOf(r), ip: r.IP}
	var err, err2 error
	s.lat, err = strconv.ParseFloat(auditText(r, "latitude"), 64)
	s.lon, err2 = strconv.ParseFloat(auditText(r, "longitude"), 64)
	ok := err == nil && err2 == nil && math.Abs(s.lat) <= 90 && math.Abs(s.lon) <= 180 && (s.lat != 0 || s.lon != 0)
	return s, ok
}

// asnOf is the autonomous system's number; empty where it is not told.
func asnOf(r *detect.Record) string {
	if asn := auditText(r, "asn"); asn != "0" {
		return asn
	}
	return ""
}

func (s spot) note() string {
	return strings.Join([]string{strconv.FormatFloat(s.lat, 'f', 4, 64), strconv.FormatFloat(s.lon, 'f', 4, 64), s.city, s.country, s.asn, s.ip}, "\t")
}

func readSpot(text string) (s spot, ok bool) {
	f := strings.Split(text, "\t")
	if len(f) != 6 {
		return s, false
	}
	var err, err2 error
	s.lat, err = strconv.ParseFloat(f[0], 64)
	s.lon, err2 = strconv.ParseFloat(f[1], 64)
	s.city, s.country, s.asn, s.ip = f[2], f[3], f[4], f[5]
	return s, err == nil && err2 == nil
}

// where is the spot in words.
func (s spot) where() string {
	place := s.country
	if s.city != "" {
		place = s.city + " (" + s.country + ")"
	}
	if s.asn != "" {
		return place + ", network AS" + s.asn
	}
	return place
}

// apart is the distance of two spots in kilometres, over the sphere.
func apart(a, b spot) float64 {
	const earth = 6371
	rad := func(d float64) float64 { return d * math.Pi / 180 }
	dlat, dlon := rad(b.lat-a.lat), rad(b.lon-a.lon)
	h := math.Pow(math.Sin(dlat/2), 2) + math.Cos(rad(a.lat))*math.Cos(rad(b.lat))*math.Pow(math.Sin(dlon/2), 2)
	return 2 * earth * math.Asin(math.Min(1, math.Sqrt(h)))
}

// habit is what an account did before.
type habit struct {
	days      int // with a sign-in
	countries map[string]bool
	networks  map[string]bool // autonomous systems
}

func habitOf(mem *detect.Memory, r *detect.Record, who string) habit {
	h := habit{countries: map[string]bool{}, networks: map[string]bool{}}
	days := map[string]bool{}
	for _, n := range mem.Since(noteHabit, who, r.Time.Add(-30*24*time.Hour)) {
		country, asn, _ := strings.Cut(n.Value, "/")
		h.countries[country], h.networks[asn] = true, true
		days[n.At.UTC().Format(time.DateOnly)] = true
	}
	h.days = len(days)
	return h
}

// daily notes a value under a key unless it was noted on that day already.
func daily(mem *detect.Memory, r *detect.Record, kind, key, value string) {
	midnight := r.Time.UTC().Truncate(24 * time.Hour)
	for _, n := range mem.Since(kind, key, midnight) {
		if n.Value == value {
			return
		}
	}
	mem.Add(kind, key, detect.Note{At: r.Time, ID: r.ID, Value: value})
}

// judgeHabit compares a successful sign-in with those before it, and then counts it among them.
func judgeHabit(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	if !signIn(r) || !succeeded(r) || r.Actor == "" || r.Time.IsZero() {
		return nil
	}
	who := strings.ToLower(r.Actor)
	here, placed := spotOf(r)
	net, told := o.Network(r.IP, here.asn)
	if told && net.Kind == detect.Microsoft {
		return nil // machinery of Microsoft's signs in on behalf of others
	}
	if r.ActorKind == "app" {
		return judgeWorkload(o, mem, r, who, here)
	}
	var found []tocsin.Finding
	h := habitOf(mem, r, who)
	open := !told || net.Kind == detect.Hosting || net.Kind == detect.VPN // nobody's own way out
	newNetwork := h.days >= habitDays && here.asn != "" && !h.networks[here.asn] && (!told || open)
	newCountry := h.days >= habitDays && here.country != "" && !h.countries[here.country] && !told
	if placed && !told {
		found = append(found, travelled(o, mem, r, who, here)...)
	}
	if newCountry {
		found = append(found, newPlace(o, mem, r, who, here, h))
	}
	if newNetwork && told {
		terms := auditTerms(42, fmt.Sprintf("AS%s is %s, %s", here.asn, net.Name, map[detect.NetworkKind]string{detect.VPN: "a VPN open to anybody", detect.Hosting: "servers for rent"}[net.Kind]))
		why := fmt.Sprintf("%s signed in%s, of %s (%s), for the first time in %d days with sign-ins.", r.Actor, auditFrom(r), net.Name, net.Kind, h.days)
		found = append(found, auditFinding(o, &anonymousNetwork, r, r.Actor, who, here.asn, why, terms))
	}
	if newNetwork && strings.EqualFold(auditText(r, "protocol"), "deviceCode") && !strings.EqualFold(auditText(r, "app_id"), authenticationBroker) {
		terms := auditTerms(66, fmt.Sprintf("none of %d days with sign-ins knows network AS%s", h.days, here.asn))
		why := fmt.Sprintf("%s signed in by device code from %s, which is new after %d days with sign-ins.", r.Actor, here.where(), h.days)
		found = append(found, auditFinding(o, &deviceCodeNewNetwork, r, r.Actor, who, here.asn, why, terms))
	}
	found = append(found, factorsUsual(o, mem, r, who, here, newNetwork || newCountry)...)
	if len(found) > 0 {
		suspect(mem, r, who, found[0].Why)
	}
	if here.country != "" || here.asn != "" {
		daily(mem, r, noteHabit, who, here.country+"/"+here.asn)
	}
	if here.country != "" {
		daily(mem, r, noteColleague, here.country, who)
	}
	if placed && !told {
		mem.Forget(noteSpot, who)
		mem.Add(noteSpot, who, detect.Note{At: r.Time, ID: r.ID, Value: here.note()})
	}
	return found
}

// travelled compares a sign-in with the account's last one.
func travelled(o *detect.Org, mem *detect.Memory, r *detect.Record, who string, here spot) []tocsin.Finding {
	n, ok := mem.Last(noteSpot, who)
	there, read := readSpot(n.Value)
	if !ok || !read {
		return nil
	}
	far, took := apart(there, here), r.Time.Sub(n.At)
	if far < travelLeast || took < 0 || far/math.Max(took.Hours(), 1.0/60) < travelSpeed {
		return nil
	}
	terms := auditTerms(68, fmt.Sprintf("%.0f km in %s", far, auditAgo(took)))
	if there.asn == "" || here.asn == "" {
		terms.Add(-15, "whose networks these are is not told, so a VPN cannot be ruled out")
	}
	if auditText(r, "mfa") == "single" {
		terms.Add(7, "with one factor")
	}
	why := fmt.Sprintf("%s signed in from %s %s after %s: %.0f km.", r.Actor, here.where(), auditAgo(took), there.where(), far)
	pair := there.country + there.city + "/" + here.country + here.city
	if back := here.country + here.city + "/" + there.country + there.city; back < pair {
		pair = back
	}
	return auditOne(auditFinding(o, &impossibleTravel, r, r.Actor, who, pair+" "+auditDay(r), why, terms, n))
}

// newPlace tells of a country that is new for the person.
func newPlace(o *detect.Org, mem *detect.Memory, r *detect.Record, who string, here spot, h habit) tocsin.Finding {
	colleagues := map[string]bool{}
	for _, n := range mem.Since(noteColleague, here.country, r.Time.Add(-30*24*time.Hour)) {
		colleagues[n.Value] = true
	}
	terms := auditTerms(45, fmt.Sprintf("no sign-in from %s on %d days with sign-ins", here.country, h.days))
	others := "no colleague does either"
	if len(colleagues) > 0 {
		terms.Add(-25, fmt.Sprintf("%s from there", auditPlural(len(colleagues), "colleague")))
		others = fmt.Sprintf("%s did in thirty days", auditPlural(len(colleagues), "colleague"))
	}
	if auditText(r, "mfa") == "single" {
		terms.Add(10, "with one factor")
	}
	if auditText(r, "compliant") == "true" {
		terms.Add(-10, "with a device that meets the organisation's conditions")
	}
	countries := "one country"
	if n := len(h.countries); n != 1 {
		countries = fmt.Sprintf("%d countries", n)
	}
	why := fmt.Sprintf("%s signed in from %s, which is new after %d days with sign-ins from %s; %s.", r.Actor, here.where(), h.days, countries, others)
	return auditFinding(o, &atypicalPlace, r, r.Actor, who, here.country, why, terms)
}

// factorsUsual compares how a second factor was met.
func factorsUsual(o *detect.Org, mem *detect.Memory, r *detect.Record, who string, here spot, new bool) []tocsin.Finding {
	before := mem.Since(noteFactor, who, r.Time.Add(-30*24*time.Hour))
	switch auditText(r, "mfa") {
	case "asked", "claim":
		if len(before) < manyFactors { // no more is ever asked
			mem.Add(noteFactor, who, detect.Note{At: r.Time, ID: r.ID})
		}
		return nil
	case "single":
	default:
		return nil
	}
	if !new || len(before) < manyFactors {
		return nil
	}
	terms := auditTerms(48, fmt.Sprintf("%d sign-ins and more before met a second factor", manyFactors))
	why := fmt.Sprintf("%s was let in with one factor from %s, which is new, after %d sign-ins and more with two.", r.Actor, here.where(), manyFactors)
	return auditOne(auditFinding(o, &singleFactorUnusual, r, r.Actor, who, here.asn+"/"+here.country, why, terms))
}

// judgeWorkload does the same for an application.
func judgeWorkload(o *detect.Org, mem *detect.Memory, r *detect.Record, who string, here spot) []tocsin.Finding {
	var found []tocsin.Finding
	h := habitOf(mem, r, who)
	if here.asn != "" && h.days >= habitDays && len(h.networks) <= 3 && !h.networks[here.asn] {
		terms := auditTerms(48, fmt.Sprintf("%s in %d days with sign-ins", auditPlural(len(h.networks), "network"), h.days))
		why := fmt.Sprintf("The application %s signed in from %s, which is new after %d days with sign-ins from %s.", r.Actor, here.where(), h.days, auditPlural(len(h.networks), "network"))
		found = append(found, auditFinding(o, &workloadNewNetwork, r, r.Actor, who, here.asn, why, terms))
	}
	if kind := auditText(r, "credential"); kind != "" && kind != "none" {
		kinds := map[string]bool{}
		for _, n := range mem.Since(noteTool, who, r.Time.Add(-30*24*time.Hour)) {
			kinds[n.Value] = true
		}
		if h.days >= habitDays && len(kinds) > 0 && !kinds[kind] {
			points := 42
			if kind == "federatedIdentityCredential" {
				points = 66
			}
			why := fmt.Sprintf("The application %s signed in with %s for the first time in %d days with sign-ins.", r.Actor, credentialWords(kind), h.days)
			found = append(found, auditFinding(o, &workloadNewCredential, r, r.Actor, who, kind, why, auditTerms(points, "it used "+credentialWords(oneOf(kinds))+" before")))
		}
		daily(mem, r, noteTool, who, kind)
	}
	if here.country != "" || here.asn != "" {
		daily(mem, r, noteHabit, who, here.country+"/"+here.asn)
	}
	return found
}

func credentialWords(kind string) string {
	if w, ok := map[string]string{"clientSecret": "a secret", "clientAssertion": "an assertion it signed", "certificate": "a certificate", "federatedIdentityCredential": "a token of another system", "managedIdentity": "a managed identity"}[kind]; ok {
		return w
	}
	return kind
}

// oneOf is the first of a set, in the order of the alphabet.
func oneOf(set map[string]bool) string {
	first := ""
	for v := range set {
		if first == "" || v < first {
			first = v
		}
	}
	return first
}
