package server

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/dial"
	"tocsin.dev/graph"
	"tocsin.dev/notify"
	"tocsin.dev/secret"
)

// Config is every setting. The path a.b in the YAML file is TOCSIN_A_B in the environment and --set a.b=… on the command
// line; a later one of these wins. An unknown one is refused. The zero value of a limit is Microsoft's published one.
type Config struct {
	Data     string `koanf:"data"`     // directory for the journal and, unless database says otherwise, the tables
	Listen   string `koanf:"listen"`   // address of the pages and the API
	URL      string `koanf:"url"`      // where browsers reach the pages, if a proxy stands before them
	Database string `koanf:"database"` // empty: SQLite in data; or postgres://…
	Proxies  string `koanf:"proxies"`  // networks of proxies before the pages whose X-Forwarded-For is believed: 10.0.0.0/8, ::1/128
	TLS      struct {
		Certificate string `koanf:"certificate"` // PEM files; both empty: plain HTTP, for loopback or behind a proxy
		Key         string `koanf:"key"`
	} `koanf:"tls"`
	Hooks struct {
		URL    string `koanf:"url"`    // where Microsoft Graph reaches this server from the Internet, to tell of mail as it comes: https://hooks.acme.example. Empty: nowhere, and mail activity is off
		Listen string `koanf:"listen"` // an address of its own for what Graph posts (/hooks/graph), so that the pages need not be public; empty: that of the pages
	} `koanf:"hooks"`
	Journal struct {
		URL        string `koanf:"url"`        // empty: embedded in data; or nats://…
		Partitions int    `koanf:"partitions"` // fixed when the journal is made; 0: 1 embedded, 16 in a cluster
	} `koanf:"journal"`
	Key struct {
		Value   string        `koanf:"value"`   // the key that seals credentials
		File    string        `koanf:"file"`    // or a file that holds it; made where absent. Empty: tocsin.key in data, which is warned of
		Command string        `koanf:"command"` // or a command, run at start without a shell, that prints it: docs/key.md
		Timeout time.Duration `koanf:"timeout"` // how long the command may take
	} `koanf:"key"`
	Owner struct {
		Email string `koanf:"email"` // with token: the first account and an API token of it, made at start
		Token string `koanf:"token"`
	} `koanf:"owner"`
	OIDC struct {
		Issuer       string `koanf:"issuer"`       // the identity provider people may sign in by: https://login.microsoftonline.com/<tenant>/v2.0. Empty: none
		Client       string `koanf:"client"`       // the client id of Tocsin there
		SecretFile   string `koanf:"secretfile"`   // a file with its client secret
		Name         string `koanf:"name"`         // on the button; empty: the issuer's host
		TrustAddress bool   `koanf:"trustaddress"` // believe an address that the provider does not call verified (Entra never does); only for a provider of one organisation
	} `koanf:"oidc"`
	SMTP struct {
		Host         string `koanf:"host"`         // the mail server that alerts go out by; empty: none, and no channel sends e-mail
		Port         int    `koanf:"port"`         // 0: 587, 465 or 25, as tls has it
		User         string `koanf:"user"`         // empty: no sign-in
		PasswordFile string `koanf:"passwordfile"` // a file with the password
		From         string `koanf:"from"`         // the sender: tocsin@acme.example, or Tocsin <tocsin@acme.example>
		TLS          string `koanf:"tls"`          // starttls, implicit or none
		CA           string `koanf:"ca"`           // PEM file with authorities to trust besides the system's
	} `koanf:"smtp"`
	Alerts struct {
		Allow string `koanf:"allow"` // networks of one's own that webhooks may lead to: 10.1.0.0/16, fd00:1::/64. Empty: the Internet only
		CA    string `koanf:"ca"`    // PEM file with authorities of receivers to trust besides the system's
	} `koanf:"alerts"`
	Exports struct {
		Directory string        `koanf:"directory"` // where exports to files write, a directory for each tenant in it. Empty: none, and no export writes files
		Late      time.Duration `koanf:"late"`      // an export that fails, or sends what came so long ago, is told of as a fault
	} `koanf:"exports"`
	Sigma struct {
		Directory string `koanf:"directory"` // a folder of Sigma rules of one's own, read again every minute; a folder in it that is called as a tenant's id is that tenant's alone. Empty: none
		State     string `koanf:"state"`     // of a rule that is new in it: draft, testing (counted, nothing is filed) or live
	} `koanf:"sigma"`
	Cloud struct {
		Allow string `koanf:"allow"` // networks in which a cloud of one's own may stand: 10.1.0.0/16, 127.0.0.0/8. Empty: loopback, if the pages are reached by it alone
	} `koanf:"cloud"`
	Log struct {
		Level  string `koanf:"level"`  // debug, info, warn, error
		Format string `koanf:"format"` // text, json
	} `koanf:"log"`
	Every   Every   `koanf:"every"`
	Batches int     `koanf:"batches"` // batches of 20 mailboxes asked at once, per tenant
	Limits  Limits  `koanf:"limits"`
	Silence float64 `koanf:"silence"` // a mailbox (or a whole tenant) to which nothing comes is told of when that is less probable than this, by what is usual; below 0: never
}

// Every is how often each source is asked.
type Every struct {
	Directory time.Duration `koanf:"directory"`
	Roles     time.Duration `koanf:"roles"`
	Domains   time.Duration `koanf:"domains"`
	Settings  time.Duration `koanf:"settings"`
	Rules     time.Duration `koanf:"rules"`
	Members   time.Duration `koanf:"members"`
	Absent    time.Duration `koanf:"absent"`
	Audit     time.Duration `koanf:"audit"`
	Folders   time.Duration `koanf:"folders"`
	Reconcile time.Duration `koanf:"reconcile"`
	Canary    time.Duration `koanf:"canary"`
	SignIns   time.Duration `koanf:"signins"`
	Exchange  time.Duration `koanf:"exchange"`
	Posture   time.Duration `koanf:"posture"`
}

// Limits are Microsoft Graph's, each to be set where Microsoft changes one; see graph.Limits.
type Limits struct {
	Requests                    int           `koanf:"requests"`
	Window                      time.Duration `koanf:"window"`
	MailboxRequests             int           `koanf:"mailboxrequests"`
	MailboxWindow               time.Duration `koanf:"mailboxwindow"`
	MailboxConcurrent           int           `koanf:"mailboxconcurrent"`
	MailboxBackground           int           `koanf:"mailboxbackground"`
	MailboxUpload               int           `koanf:"mailboxupload"`
	MailboxUploadWindow         time.Duration `koanf:"mailboxuploadwindow"`
	DirectoryUnits              int           `koanf:"directoryunits"`
	DirectoryWindow             time.Duration `koanf:"directorywindow"`
	DirectoryMediumUnits        int           `koanf:"directorymediumunits"`
	DirectorySmallUnits         int           `koanf:"directorysmallunits"`
	DirectoryMediumFrom         int           `koanf:"directorymediumfrom"`
	DirectoryLargeFrom          int           `koanf:"directorylargefrom"`
	DirectoryAppUnits           int           `koanf:"directoryappunits"`
	DirectoryAppWindow          time.Duration `koanf:"directoryappwindow"`
	DirectoryWrites             int           `koanf:"directorywrites"`
	DirectoryWritesWindow       time.Duration `koanf:"directorywriteswindow"`
	DirectoryAppWrites          int           `koanf:"directoryappwrites"`
	DirectoryAppWritesWindow    time.Duration `koanf:"directoryappwriteswindow"`
	DirectoryTenantWrites       int           `koanf:"directorytenantwrites"`
	DirectoryTenantWritesWindow time.Duration `koanf:"directorytenantwriteswindow"`
	Reports                     int           `koanf:"reports"`
	ReportsWindow               time.Duration `koanf:"reportswindow"`
	Protection                  int           `koanf:"protection"`
	ProtectionWindow            time.Duration `koanf:"protectionwindow"`
	Intune                      int           `koanf:"intune"`
	IntuneTenant                int           `koanf:"intunetenant"`
	IntuneWrites                int           `koanf:"intunewrites"`
	IntuneTenantWrites          int           `koanf:"intunetenantwrites"`
	IntuneWindow                time.Duration `koanf:"intunewindow"`
	Subscriptions               int           `koanf:"subscriptions"`
	SubscriptionsTenant         int           `koanf:"subscriptionstenant"`
	SubscriptionsWindow         time.Duration `koanf:"subscriptionswindow"`
	Traces                      int           `koanf:"traces"`
	TracesWindow                time.Duration `koanf:"traceswindow"`
	Activity                    int           `koanf:"activity"`
	ActivityWindow              time.Duration `koanf:"activitywindow"`
	Administration              int           `koanf:"administration"`
	AdministrationWindow        time.Duration `koanf:"administrationwindow"`
	Reserve                     int           `koanf:"reserve"`
	Caution                     int           `koanf:"caution"`
	MaxWait                     time.Duration `koanf:"maxwait"`
}

// the struct conversions hold the two lists of settings to those that they stand for.
func (l Limits) graph() graph.Limits         { return graph.Limits(l) }
func (e Every) intervals() collect.Intervals { return collect.Intervals(e) }

// Defaults are the settings that nobody gave.
func Defaults() Config {
	c := Config{Data: "tocsin-data", Listen: "127.0.0.1:8420", Batches: 64}
	c.Log.Level, c.Log.Format = "info", "text"
	c.Key.Timeout = 30 * time.Second
	c.Silence = collect.Improbable
	c.SMTP.TLS = notify.StartTLS
	c.Sigma.State = collect.OwnTesting
	c.Every = Every(collect.Intervals{}.OrDefault())
	return c
}

// Load reads the settings: the defaults, then the file (where one is named), then the environment (a list as os.Environ
// gives it), then the flags by path. What cannot be right is a problem that names the setting.
func Load(path string, environ []string, flags map[string]string) (Config, error) {
	k := koanf.New(".")
	if err := k.Load(structs.Provider(Defaults(), "koanf"), nil); err != nil {
		return Config{}, err
	}
	known := map[string]bool{}
	for _, key := range k.Keys() {
		known[key] = true
	}
	if path != "" {
		if err := loadFile(k, path, known); err != nil {
			return Config{}, err
		}
	}
	given, err := fromEnvironment(environ, known)
	if err != nil {
		return Config{}, err
	}
	maps.Copy(given, flags)
	values := map[string]any{}
	for key, v := range given {
		if !known[key] {
			return Config{}, unknown(key, "on the command line", known)
		}
		values[key] = v
	}
	if err := k.Load(confmap.Provider(values, "."), nil); err != nil {
		return Config{}, err
	}
	var c Config
	if err := k.Unmarshal("", &c); err != nil {
		return c, misfit(k)
	}
	return c, c.check()
}

// misfit names the setting that does not have the form of its default.
func misfit(k *koanf.Koanf) error {
	forms := koanf.New(".")
	if err := forms.Load(structs.Provider(Defaults(), "koanf"), nil); err != nil {
		return err
	}
	for _, key := range forms.Keys() {
		value, form := fmt.Sprint(k.Get(key)), ""
		switch forms.Get(key).(type) {
		case time.Duration:
			if _, err := time.ParseDuration(value); err != nil {
				form = "a duration, such as 5m or 90s"
			}
		case int:
			if _, err := strconv.Atoi(value); err != nil {
				form = "a whole number, such as 16"
			}
		}
		if form != "" {
			return tocsin.Problemf(tocsin.Invalid, "Give "+form+".", "The setting %s is %q.", key, value)
		}
	}
	return tocsin.Problemf(tocsin.Invalid, "See `tocsin serve --check` for the form of each.", "A setting has the wrong form.")
}

func loadFile(k *koanf.Koanf, path string, known map[string]bool) error {
	f := koanf.New(".")
	if err := f.Load(file.Provider(path), yaml.Parser()); errors.Is(err, fs.ErrNotExist) {
		return tocsin.Problemf(tocsin.Invalid, "Name the file that holds the settings, or leave out --config.", "There is no file %s.", path)
	} else if err != nil {
		return tocsin.Problemf(tocsin.Invalid, "Write it as YAML, such as listen: 127.0.0.1:8420.", "%s cannot be read: %s.", path, firstLine(err))
	}
	for _, key := range f.Keys() {
		if !known[key] {
			return unknown(key, "in "+path, known)
		}
	}
	return k.Merge(f)
}

// fromEnvironment gives the settings of the environment by path. TOCSIN_TEST_… is the tests' own.
func fromEnvironment(environ []string, known map[string]bool) (map[string]string, error) {
	names := map[string]string{}
	for key := range known {
		names["TOCSIN_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))] = key
	}
	out := map[string]string{}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "TOCSIN_") || strings.HasPrefix(name, "TOCSIN_TEST_") || slices.Contains(clientNames, name) || serviceLink.MatchString(name) {
			continue
		}
		key, ok := names[name]
		if !ok {
			return nil, tocsin.Problemf(tocsin.Invalid, "See `tocsin serve --check` for every setting."+nearest(name, slices.Collect(maps.Keys(names))),
				"No setting is called %s in the environment.", name)
		}
		out[key] = value
	}
	return out, nil
}

// clientNames are the environment's words for the command's client half, and are no settings of the server.
var clientNames = []string{"TOCSIN_SERVER", "TOCSIN_TOKEN", "TOCSIN_TENANT", "TOCSIN_CA", "TOCSIN_SHARED"}

// serviceLink are the names that Kubernetes puts into the environment for a Service called tocsin.
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
var serviceLink = regexp.MustCompile(`^TOCSIN_(SERVICE_HOST|SERVICE_PORT.*|PORT|PORT_.*)$`)

func unknown(key, where string, known map[string]bool) error {
	return tocsin.Problemf(tocsin.Invalid, "See `tocsin serve --check` for every setting."+nearest(key, slices.Collect(maps.Keys(known))),
		"No setting is called %s (%s).", key, where)
}

// nearest is a hint at the name that shares most with what was written; empty where none shares half.
func nearest(s string, names []string) string {
	slices.Sort(names)
	best, most := "", 0
	for _, n := range names {
		if c := common(s, n); c > most && 2*(c-common(s, "TOCSIN_")) > len(strings.TrimPrefix(s, "TOCSIN_")) {
			best, most = n, c
		}
	}
	if best == "" {
		return ""
	}
	return " Perhaps " + best + " was meant."
}

// common counts the letters that a and b share at the beginning and at the end.
func common(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	m := 0
	for m < len(a)-n && m < len(b)-n && a[len(a)-1-m] == b[len(b)-1-m] {
		m++
	}
	return n + m
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return strings.TrimSuffix(line, ".")
}

func (c *Config) check() error {
	switch {
	case c.Data == "" && (c.Database == "" || c.Journal.URL == ""):
		return tocsin.Problemf(tocsin.Invalid, "Name a directory that only this server uses.", "The setting data is empty.")
	case (c.TLS.Certificate == "") != (c.TLS.Key == ""):
		return tocsin.Problemf(tocsin.Invalid, "Give both tls.certificate and tls.key, or neither.", "TLS needs a certificate and its key.")
	case c.Journal.URL != "" && !strings.HasPrefix(c.Database, "postgres"):
		return tocsin.Problemf(tocsin.Invalid, "Set database to a postgres:// address as well.", "Several replicas share their tables: a journal at journal.url needs PostgreSQL.")
	case (c.Owner.Email == "") != (c.Owner.Token == ""):
		return tocsin.Problemf(tocsin.Invalid, "Give both owner.email and owner.token, or neither.", "The first account needs an e-mail address and a token.")
	case !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level):
		return tocsin.Problemf(tocsin.Invalid, "Use debug, info, warn or error.", "No log.level is called %q.", c.Log.Level)
	case !slices.Contains([]string{"text", "json"}, c.Log.Format):
		return tocsin.Problemf(tocsin.Invalid, "Use text or json.", "No log.format is called %q.", c.Log.Format)
	case !slices.Contains([]string{collect.OwnDraft, collect.OwnTesting, collect.OwnLive}, c.Sigma.State):
		return tocsin.Problemf(tocsin.Invalid, "Use draft, testing or live.", "No sigma.state is called %q.", c.Sigma.State)
	case c.Every.tooShort() != "":
		return tocsin.Problemf(tocsin.Invalid, "Give a duration of at least a second, such as 5m.", "The setting every.%s is shorter than a second.", c.Every.tooShort())
	case c.Limits.negative() != "":
		return tocsin.Problemf(tocsin.Invalid, "Give what Microsoft publishes, or leave it away.", "The setting limits.%s is less than nothing.", c.Limits.negative())
	case c.Hooks.Listen != "" && !listenable(c.Hooks.Listen):
		return tocsin.Problemf(tocsin.Invalid, "Write it as :8421, or leave it away to take notifications where the pages are.", "The setting hooks.listen is %q, which is no address.", c.Hooks.Listen)
	case c.Hooks.URL != "" && !hookable(c.Hooks.URL):
		return tocsin.Problemf(tocsin.Invalid, "Write it as https://hooks.acme.example: Microsoft Graph tells only addresses of https. Plain http is for a simulated tenant on this machine.", "The setting hooks.url is %q, where Microsoft Graph cannot send.", c.Hooks.URL)
	case c.Hooks.URL == "" && c.Hooks.Listen != "":
		return tocsin.Problemf(tocsin.Invalid, "Give hooks.url, which is how Microsoft Graph reaches that address.", "The setting hooks.listen is %q, and hooks.url is not given.", c.Hooks.Listen)
	case !listenable(c.Listen):
		return tocsin.Problemf(tocsin.Invalid, "Write it as 127.0.0.1:8420, or :8420 for every address of this machine.", "The setting listen is %q, which is no address.", c.Listen)
	case c.Key.Command != "" && c.Key.Value != "":
		return tocsin.Problemf(tocsin.Invalid, "Give one of key.command and key.value.", "The key is given twice.")
	case c.Key.Timeout < time.Second:
		return tocsin.Problemf(tocsin.Invalid, "Give a duration of at least a second, such as 30s.", "The setting key.timeout is shorter than a second.")
	case c.Batches < 1:
		return tocsin.Problemf(tocsin.Invalid, "Use a number from 1.", "The setting batches is %d.", c.Batches)
	}
	c.URL = strings.TrimRight(c.URL, "/")
	if c.URL != "" {
		if u, err := url.Parse(c.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return tocsin.Problemf(tocsin.Invalid, "Write it as https://tocsin.example, with no path.", "The setting url is %q, which is no address of a server.", c.URL)
		}
	}
	for name, list := range map[string]string{"proxies": c.Proxies, "alerts.allow": c.Alerts.Allow, "cloud.allow": c.Cloud.Allow} {
		for _, n := range networks(list) {
			if _, err := netip.ParsePrefix(n); err != nil && (name != "cloud.allow" || n != "none") {
				return tocsin.Problemf(tocsin.Invalid, "Write networks as 10.0.0.0/8, separated by commas.", "The setting %s has %q, which is no network.", name, n)
			}
		}
	}
	if err := c.checkSMTP(); err != nil {
		return err
	}
	return c.checkOIDC()
}

func (c *Config) checkSMTP() error {
	if !slices.Contains([]string{notify.StartTLS, notify.Implicit, notify.Plain}, c.SMTP.TLS) {
		return tocsin.Problemf(tocsin.Invalid, "Use starttls, implicit or none.", "No smtp.tls is called %q.", c.SMTP.TLS)
	}
	if c.SMTP.Host == "" {
		return nil
	}
	from, err := mail.ParseAddress(c.SMTP.From)
	switch {
	case err != nil || !strings.Contains(from.Address, "."):
		return tocsin.Problemf(tocsin.Invalid, "Write it as tocsin@acme.example, or Tocsin <tocsin@acme.example>.", "The setting smtp.from is %q, which is no address.", c.SMTP.From)
	case (c.SMTP.User == "") != (c.SMTP.PasswordFile == ""):
		return tocsin.Problemf(tocsin.Invalid, "Give both smtp.user and smtp.passwordfile, or neither.", "Signing in to the mail server needs a name and a password.")
	case c.SMTP.User != "" && c.SMTP.TLS == notify.Plain:
		return tocsin.Problemf(tocsin.Invalid, "Set smtp.tls to starttls or implicit.", "A password would be sent to the mail server in the clear.")
	case c.SMTP.Port < 0 || c.SMTP.Port > 65535:
		return tocsin.Problemf(tocsin.Invalid, "Use a number from 1 to 65535, or 0 for the usual one.", "The setting smtp.port is %d.", c.SMTP.Port)
	}
	return nil
}

// alerts is what tells people of findings, without the store and the key.
func (c *Config) alerts() (*notify.Alerts, error) {
	a := &notify.Alerts{URL: c.URL, Guard: &dial.Guard{Allow: prefixes(c.Alerts.Allow)},
		SMTP: notify.SMTP{Host: c.SMTP.Host, Port: c.SMTP.Port, User: c.SMTP.User, From: c.SMTP.From, TLS: c.SMTP.TLS}}
	var err error
	if a.Guard.Roots, err = roots("alerts.ca", c.Alerts.CA); err != nil {
		return nil, err
	}
	if a.SMTP.Roots, err = roots("smtp.ca", c.SMTP.CA); err != nil {
		return nil, err
	}
	if c.SMTP.PasswordFile != "" {
		text, err := os.ReadFile(c.SMTP.PasswordFile)
		if err != nil {
			return nil, tocsin.Problemf(tocsin.Invalid, "Name a file that this user may read.", "The file in smtp.passwordfile cannot be read.")
		}
		a.SMTP.Password = strings.TrimRight(string(text), "\r\n")
	}
	return a, nil
}

// roots are the system's certificate authorities and those of a file; nil, which is the system's, where there is no file.
func roots(setting, file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	text, err := os.ReadFile(file)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		return nil, tocsin.Problemf(tocsin.Invalid, "Name a PEM file with the authority's certificate.", "The file %s in the setting %s holds no certificate that can be read.", file, setting)
	}
	return pool, nil
}

// hookable says whether Graph can be told the address: https, or, for a simulated tenant, http on this machine.
func hookable(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

func listenable(address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	n, err := strconv.Atoi(port)
	return err == nil && n >= 0 && n < 1<<16
}

// positive says whether every interval is long enough to be one.
// tooShort is the name of a setting that is shorter than a second; empty for none.
func (e Every) tooShort() string { return below(reflect.ValueOf(e), int64(time.Second)) }

// negative is the name of a setting that is less than nothing; empty for none.
func (l Limits) negative() string { return below(reflect.ValueOf(l), 0) }

// below is the name of the first of a struct's numbers and durations that is less than least; empty for none.
func below(v reflect.Value, least int64) string {
	for i := range v.NumField() {
		if f := v.Field(i); f.CanInt() && f.Int() < least {
			return v.Type().Field(i).Tag.Get("koanf")
		}
	}
	return ""
}

func networks(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// ownNetworks are those in which a cloud of one's own may stand, though the server does not call them for others. Where
// nothing is set, a server that only its own machine reaches (it listens on loopback, and no url says that a proxy stands
// before it) calls its loopback: there a simulator stands, and whoever reaches the pages reaches it anyway.
func (c Config) ownNetworks() []netip.Prefix {
	var out []netip.Prefix
	for _, n := range networks(c.Cloud.Allow) {
		if p, err := netip.ParsePrefix(n); err == nil { // none, or check has refused what is none
			out = append(out, p)
		}
	}
	host, _, err := net.SplitHostPort(c.Listen)
	ip := net.ParseIP(host)
	if c.Cloud.Allow == "" && c.URL == "" && err == nil && (host == "localhost" || ip != nil && ip.IsLoopback()) {
		out = append(out, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	}
	return out
}

// proxies are those whose word on a client's address is believed.
func (c Config) proxies() []netip.Prefix { return prefixes(c.Proxies) }

func prefixes(list string) []netip.Prefix {
	var out []netip.Prefix
	for _, n := range networks(list) {
		if p, err := netip.ParsePrefix(n); err == nil { // check has refused what is none
			out = append(out, p)
		}
	}
	return out
}

// Sheet is the settings as YAML, without secrets: what --check prints.
func (c Config) Sheet() string {
	hide(&c.Key.Value)
	hide(&c.Owner.Token)
	c.Limits = Limits(c.Limits.graph().OrDefaults())
	c.Database = bare(c.Database)
	c.Journal.URL = bare(c.Journal.URL)
	k := koanf.New(".")
	if err := k.Load(structs.Provider(c, "koanf"), nil); err != nil {
		return err.Error() // a struct of our own
	}
	var b strings.Builder
	for _, key := range k.Keys() {
		fmt.Fprintf(&b, "%s: %v\n", key, k.Get(key))
	}
	return b.String()
}

// bare is a list of addresses with neither credentials nor queries, which may hold some.
func bare(list string) string {
	parts := strings.Split(list, ",")
	for i, p := range parts {
		u, err := url.Parse(p)
		switch {
		case err != nil:
			parts[i] = "(set)"
		case u.Host != "":
			u.User, u.RawQuery, u.Fragment = nil, "", ""
			parts[i] = u.String()
		}
	}
	return strings.Join(parts, ",")
}

func hide(s *string) {
	if *s != "" {
		*s = "(set)"
	}
}

// database is the store's address.
func (c Config) database() string {
	if c.Database != "" {
		return c.Database
	}
	return "sqlite:" + filepath.Join(c.Data, "tocsin.db")
}

// keyFile is where the sealing key lies, when it is not given as a value.
func (c Config) keyFile() string {
	if c.Key.File != "" {
		return c.Key.File
	}
	return filepath.Join(c.Data, "tocsin.key")
}

// keySource is where the key comes from.
func (c Config) keySource() secret.Source {
	return secret.Source{Command: c.Key.Command, Timeout: c.Key.Timeout, Value: c.Key.Value, File: c.keyFile(), Data: c.Data}
}

// prepare makes the data directory.
func (c Config) prepare() error {
	if c.Data == "" {
		return nil
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return tocsin.Problemf(tocsin.Invalid, "Name a directory in the setting data that this user may write.", "The directory %s cannot be made.", c.Data)
	}
	return nil
}
