package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/notify"
)

// alertsView is what the page of alerts shows.
type alertsView struct {
	Own, All []api.Channel // the tenant's channels, and the installation's for those who may see them
	Snoozes  []api.Snooze
	AllZ     []api.Snooze // the installation's
	Log      api.Page[api.Alert]
	Next     string
	In       api.AlertsIn
}

// ofWhom is a channel's owner as an address names it: own is the tenant, all the installation.
func ofWhom(r *http.Request) tocsin.TenantID {
	if r.PathValue("of") == "all" || r.FormValue("of") == "all" {
		return api.Everywhere
	}
	return tocsin.TenantID(r.PathValue("tenant"))
}

func ofWord(owner tocsin.TenantID) string {
	if owner == api.Everywhere {
		return "all"
	}
	return "own"
}

// channelAt is the address of a channel's page.
func (p *page) channelAt(c api.Channel, parts ...string) string {
	return p.at(append([]string{"settings", "alerts", ofWord(c.Tenant), c.ID}, parts...)...)
}

// mayChange says whether the viewer may change a channel.
func (p *page) mayChange(c api.Channel, least api.Role) bool {
	if c.Tenant == api.Everywhere {
		return p.installs(least)
	}
	return p.may(least)
}

func (w *web) channels(r *http.Request, owner tocsin.TenantID) ([]api.Channel, error) {
	var all []api.Channel
	for in := (api.ListIn{In: api.In{Tenant: owner}, Paging: api.Paging{Limit: 200}}); ; {
		got, err := w.svc.ListChannels(r.Context(), in)
		if err != nil {
			return nil, err
		}
		all = append(all, got.Items...)
		if in.After = got.Next; in.After == "" {
			return all, nil
		}
	}
}

func alertsIn(tenant tocsin.TenantID, r *http.Request) api.AlertsIn {
	q := r.URL.Query()
	in := api.AlertsIn{In: api.In{Tenant: tenant}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")}, Channel: q.Get("channel")}
	for _, s := range q["state"] {
		if s != "" {
			in.State = append(in.State, s)
		}
	}
	return in
}

func (w *web) alerts(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v := alertsView{In: alertsIn(p.Tenant.ID, r)}
	var err error
	if v.Own, err = w.channels(r, p.Tenant.ID); err != nil {
		return nil, err
	}
	if p.installs(api.Viewer) {
		if v.All, err = w.channels(r, api.Everywhere); err != nil {
			return nil, err
		}
		zs, err := w.svc.ListSnoozes(r.Context(), api.ListIn{In: api.In{Tenant: api.Everywhere}, Paging: api.Paging{Limit: 200}})
		if err != nil {
			return nil, err
		}
		v.AllZ = zs.Items
	}
	zs, err := w.svc.ListSnoozes(r.Context(), api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: 200}})
	if err != nil {
		return nil, err
	}
	v.Snoozes = zs.Items
	if v.Log, err = w.svc.ListAlerts(r.Context(), v.In); err != nil {
		return nil, err
	}
	v.Next = onward(p.at("settings", "alerts"), kept(r), v.Log.Next)
	return alertsPage(p, v), nil
}

// channelNew is the form for a channel, with help for its kind.
func (w *web) channelNew(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	kind := r.URL.Query().Get("kind")
	if !slices.Contains(notify.Kinds, kind) {
		return nil, tocsin.Problemf(tocsin.NotFound, "Choose e-mail, Slack, Teams or a webhook.", "There is no such kind of channel.")
	}
	return w.channelForm(r, p, blankChannel(r, kind))
}

// blankChannel is a channel with the usual settings.
func blankChannel(r *http.Request, kind string) api.Channel {
	u := notify.Usual()
	return api.Channel{Kind: kind, Tenant: tocsin.TenantID(r.PathValue("tenant")), Severity: u.Filter.Severity, Changes: u.Filter.Changes, QuietExcept: u.Quiet.Except,
		QuietZone: lookOf(r.Context()).zone.String(), DigestOver: u.DigestOver, DigestMinutes: u.DigestMinutes, Enabled: true}
}

func (w *web) channelForm(r *http.Request, p *page, c api.Channel) (templ.Component, error) {
	fs, err := w.families(r, p)
	if err != nil {
		return nil, err
	}
	return channelNewPage(p, c, fs), nil
}

// families are the families of the detections, in the catalogue's order.
func (w *web) families(r *http.Request, p *page) ([]string, error) {
	ds, err := w.catalogue(r, p.Tenant.ID)
	var out []string
	for _, d := range ds {
		if !slices.Contains(out, d.Family) {
			out = append(out, d.Family)
		}
	}
	return out, err
}

// typedChannel is what a form says of a channel.
func typedChannel(r *http.Request) api.ChannelSettings {
	f := r.PostFormValue
	number := func(name string) int {
		n, _ := strconv.Atoi(trim(f(name))) // what is no number is the usual
		return n
	}
	list := func(name string) []string { return slices.Concat([]string{""}, r.PostForm[name]) } // never absent: none is none
	text := func(name string) *string { s := trim(f(name)); return &s }
	enabled := f("enabled") == "yes"
	s := api.ChannelSettings{Name: trim(f("name")), Address: trim(f("address")), Severity: tocsin.Severity(f("severity")), Rules: list("rule"), QuietDays: list("quiet_day"),
		QuietFrom: text("quiet_from"), QuietTo: text("quiet_to"), QuietZone: trim(f("quiet_zone")), QuietExcept: text("quiet_except"),
		DigestOver: number("digest_over"), DigestMinutes: number("digest_minutes"), Enabled: &enabled}
	s.Changes = list("change")
	return s
}

// channelAdd makes a channel. A webhook's secret is shown, this once: it goes into no cookie and no address.
func (w *web) channelAdd(rw http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	if err := short(rw, r); err != nil {
		return nil, err
	}
	s := typedChannel(r)
	made, err := w.svc.CreateChannel(r.Context(), api.CreateChannelIn{In: api.In{Tenant: ofWhom(r)}, Body: api.ChannelNew{Kind: r.PostFormValue("kind"), ChannelSettings: s}})
	if err != nil {
		w.note(r, err)
		problem := tocsin.AsProblem(err)
		p.Notice = &notice{Kind: "bad", What: problem.What, Do: problem.Do}
		if !slices.Contains(notify.Kinds, r.PostFormValue("kind")) {
			return nil, err
		}
		c := blankChannel(r, r.PostFormValue("kind"))
		c.Tenant, c.Name, c.Severity, c.Changes, c.Rules, c.QuietDays = ofWhom(r), s.Name, s.Severity, s.Changes, s.Rules, s.QuietDays
		c.QuietFrom, c.QuietTo, c.QuietZone, c.QuietExcept, c.Enabled = *s.QuietFrom, *s.QuietTo, s.QuietZone, tocsin.Severity(*s.QuietExcept), *s.Enabled
		if c.Kind == notify.Email {
			c.Address = s.Address
		}
		return w.channelForm(r, p, c)
	}
	p.Notice = &notice{Kind: "good", What: "The channel “" + made.Name + "” was made.", Do: "Send a test message to see whether it arrives."}
	return w.channelShown(r, p, made)
}

// short holds a form to a size and reads it.
func short(rw http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(rw, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		return tocsin.Problemf(tocsin.Invalid, "Send it again, shorter.", "The form could not be read.")
	}
	return nil
}

func channelIn(r *http.Request) api.ByID {
	return api.ByID{In: api.In{Tenant: ofWhom(r)}, ID: r.PathValue("id")}
}

func (w *web) channel(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	c, err := w.svc.GetChannel(r.Context(), channelIn(r))
	if err != nil {
		return nil, err
	}
	return w.channelShown(r, p, c)
}

func (w *web) channelShown(r *http.Request, p *page, c api.Channel) (templ.Component, error) {
	p.Title = c.Name
	in := api.AlertsIn{In: api.In{Tenant: c.Tenant}, Paging: api.Paging{Limit: 20}, Channel: c.ID}
	log, err := w.svc.ListAlerts(r.Context(), in)
	if err != nil {
		return nil, err
	}
	fs, err := w.families(r, p)
	if err != nil {
		return nil, err
	}
	return channelPage(p, c, log.Items, fs), nil
}

// channelRotate gives a webhook another secret and shows it, this once.
func (w *web) channelRotate(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	c, err := w.svc.RotateChannel(r.Context(), channelIn(r))
	if err != nil {
		return nil, err
	}
	return w.channelShown(r, p, c)
}

// channelDo changes, tests, snoozes or deletes a channel.
func (w *web) channelDo(r *http.Request) (string, *notice, error) {
	in, f := channelIn(r), r.PostFormValue
	all := tenantAt(tocsin.TenantID(r.PathValue("tenant")), "settings", "alerts")
	to := tenantAt(tocsin.TenantID(r.PathValue("tenant")), "settings", "alerts", ofWord(in.Tenant), in.ID)
	switch r.PathValue("do") {
	case "edit":
		version, _ := strconv.ParseInt(f("version"), 10, 64) // what is no number is no version
		c, err := w.svc.EditChannel(r.Context(), api.EditChannelIn{ByID: in, Body: api.ChannelEdit{Version: version, ChannelSettings: typedChannel(r)}})
		return to, &notice{Kind: "good", What: "The channel “" + c.Name + "” was changed."}, err
	case "delete":
		_, err := w.svc.DeleteChannel(r.Context(), api.ByIDAct{ByID: in})
		return all, &notice{Kind: "good", What: "The channel was forgotten. What it told stays in the log."}, err
	case "test":
		res, err := w.svc.TestChannel(r.Context(), in)
		if err != nil || !res.OK {
			return to, &notice{Kind: "bad", What: res.What, Do: res.Do}, err
		}
		return to, &notice{Kind: "good", What: res.What + " It took " + strconv.Itoa(res.Took) + " ms.", Do: "See whether it arrived where people look."}, nil
	case "snooze":
		until, err := formDay(r, "until")
		if err != nil {
			return to, nil, err
		}
		_, err = w.svc.CreateSnooze(r.Context(), api.CreateSnoozeIn{In: in.In, Body: api.SnoozeNew{Scope: notify.OfChannel, Value: in.ID, Until: until, Reason: trim(f("reason"))}})
		return to, &notice{Kind: "good", What: "Nothing is told by this channel until then; it comes as one message after it."}, err
	}
	return all, nil, tocsin.Problemf(tocsin.NotFound, "Use the buttons of the page.", "There is nothing of that name to do.")
}

// snoozeAdd snoozes a finding, or all of its detection.
func (w *web) snoozeAdd(r *http.Request) (string, *notice, error) {
	tenant, f := tocsin.TenantID(r.PathValue("tenant")), r.PostFormValue
	to := f("back")
	if to == "" {
		to = tenantAt(tenant, "settings", "alerts")
	}
	until, err := formDay(r, "until")
	if err != nil {
		return to, nil, err
	}
	scope, value, _ := strings.Cut(f("what"), ":")
	_, err = w.svc.CreateSnooze(r.Context(), api.CreateSnoozeIn{In: api.In{Tenant: tenant}, Body: api.SnoozeNew{Scope: scope, Value: value, Until: until, Reason: trim(f("reason"))}})
	return to, &notice{Kind: "good", What: "Nobody is told of it until " + day(r.Context(), until) + "."}, err
}

func (w *web) snoozeDelete(r *http.Request) (string, *notice, error) {
	tenant := tocsin.TenantID(r.PathValue("tenant"))
	_, err := w.svc.DeleteSnooze(r.Context(), api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: ofWhom(r)}, ID: r.PostFormValue("id")}})
	return tenantAt(tenant, "settings", "alerts"), &notice{Kind: "good", What: "The snooze has ended; what it held is told now."}, err
}

// kindWords are the kinds of channels as people say them.
var kindWords = map[string]string{notify.Email: "E-mail", notify.Webhook: "Webhook", notify.Slack: "Slack", notify.Teams: "Teams", notify.OCSF: "OCSF webhook", notify.Syslog: "Syslog"}

func kindWord(k string) string {
	if w, ok := kindWords[k]; ok {
		return w
	}
	return sentence(k)
}

// alertWords are the states of an alert: mark and word.
var alertWords = map[string][2]string{
	"waiting": {"paused", "Waits"}, "sending": {"busy", "On its way"}, "sent": {"ok", "Delivered"}, "dead": {"bad", "Given up"}, "dropped": {"off", "Not sent"},
}

// channelWords are the states of a channel.
var channelWords = map[string][2]string{
	"new": {"unknown", "Nothing sent yet"}, "works": {"ok", "Works"}, "failing": {"bad", "Failing"}, "off": {"off", "Off"},
}

// channelNow is a channel's state, and that it is snoozed where it is.
func channelNow(c api.Channel, now time.Time) [2]string {
	if c.Enabled && c.Snoozed.After(now) {
		return [2]string{"paused", "Snoozed"}
	}
	return channelWords[c.State]
}

func changeOf(c string) string {
	return map[string]string{"opened": "Opened", "reopened": "Back again", "worse": "Grew worse", "fixed": "Fixed", "test": "Test message"}[c]
}

// wants says in a line what a channel tells of.
func wants(c api.Channel) string {
	s := severityWord(c.Severity) + " and above"
	if c.Severity == tocsin.Critical {
		s = "Critical only"
	}
	if len(c.Rules) > 0 {
		s += ", " + plural(len(c.Rules), "kind of detection", "kinds of detections")
	}
	if c.QuietFrom != "" || len(c.QuietDays) > 0 {
		s += ", with quiet hours"
	}
	return s
}

// single are the rules of a channel that are no family: what the form cannot show it keeps.
func single(c api.Channel, families []string) []string {
	return slices.DeleteFunc(slices.Clone(c.Rules), func(r string) bool { return r == "" || slices.Contains(families, r) })
}

// changeChoices are what can be told of a finding.
var changeChoices = []struct{ Name, Word, Means string }{
	{"opened", "Opened", "it is found for the first time"},
	{"reopened", "Back again", "it comes back after it was fixed or accepted"},
	{"worse", "Grew worse", "its severity rises"},
	{"fixed", "Fixed", "its cause is gone, or somebody says so"},
}

var weekDays = []struct{ Name, Word string }{{"mon", "Mon"}, {"tue", "Tue"}, {"wed", "Wed"}, {"thu", "Thu"}, {"fri", "Fri"}, {"sat", "Sat"}, {"sun", "Sun"}}

// verifySample checks a signature, to copy.
const verifySample = `import base64, hashlib, hmac, time

def verify(secret, headers, body):          # body: the raw bytes
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([headers["webhook-id"].encode(),
                        headers["webhook-timestamp"].encode(), body])
    want = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return fresh and any(hmac.compare_digest(s, "v1," + want)
                         for s in headers["webhook-signature"].split(" "))`

// findingOfWho begins a line on whom a finding is about.
func findingOfWho(who string) string {
	if who == "" {
		return "A finding"
	}
	return "A finding, "
}

// sentence1 begins a phrase with a capital.
func sentence1(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func addressLabel(kind string) string {
	return map[string]string{notify.Slack: "Incoming webhook’s address", notify.Teams: "Workflow’s address", notify.Webhook: "Address", notify.OCSF: "Address", notify.Syslog: "Server and port"}[kind]
}

func addressExample(c api.Channel, fresh bool) string {
	if !fresh {
		return c.Address
	}
	return map[string]string{notify.Slack: "https://hooks.slack.com/services/…", notify.Teams: "https://….api.powerplatform.com/…", notify.Webhook: "https://soar.acme.example/tocsin", notify.OCSF: "https://siem.acme.example/ocsf", notify.Syslog: "siem.acme.example:6514"}[c.Kind]
}
