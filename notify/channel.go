package notify

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/mail"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/rule"
	"tocsin.dev/detect/sigma"
	"tocsin.dev/store"
)

// Installation is the owner of a channel that tells of every tenant.
const Installation = tocsin.TenantID("*")

// Filter is what a channel wants to be told.
type Filter struct {
	Severity tocsin.Severity   `json:"severity"`          // at least
	Tenants  []tocsin.TenantID `json:"tenants,omitempty"` // of an installation's channel; all where empty
	Rules    []string          `json:"rules,omitempty"`   // detections or families of them; all where empty
	Changes  []string          `json:"changes"`
}

// Settings are what a person sets of a channel.
type Settings struct {
	Name          string
	Address       string // recipients, separated by commas; or the webhook's address, where empty keeps the one there is
	Filter        Filter
	Quiet         Quiet
	DigestOver    int // more than so many alerts …
	DigestMinutes int // … in so many minutes become one message
	Enabled       bool
}

// Channel is a way in which people are told. Address is what may be shown of where it leads.
type Channel struct {
	Owner    tocsin.TenantID
	ID, Kind string
	Settings
	Since, Created, Delivered, Failed time.Time
	CreatedBy                         string
	Version                           int64
	Failures                          int64 // messages or tries that failed since the last that went well
	Because, Mend                     string
	sealed                            []byte
}

// Usual are the settings of a new channel.
func Usual() Settings {
	return Settings{Filter: Filter{Severity: tocsin.High, Changes: []string{Opened, Reopened, Worse}}, Quiet: Quiet{Zone: "UTC", Except: tocsin.Critical},
		DigestOver: 10, DigestMinutes: 15, Enabled: true}
}

// keys are what a channel keeps sealed.
type keys struct {
	URL      string `json:"url,omitempty"`
	Secret   string `json:"secret,omitempty"`    // whsec_…
	Old      string `json:"old,omitempty"`       // the secret before, which signs as well …
	OldUntil int64  `json:"old_until,omitempty"` // … until then, in Unix milliseconds
}

// overlap is for how long the old secret signs beside a new one.
const overlap = 24 * time.Hour

func about(owner tocsin.TenantID, id string) string { return "channel|" + string(owner) + "|" + id }

func (a *Alerts) seal(owner tocsin.TenantID, id string, k keys) ([]byte, error) {
	plain, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	return a.Keeper.Seal(plain, about(owner, id))
}

func (a *Alerts) keysOf(c *Channel) (k keys, err error) {
	plain, err := a.Keeper.Open(c.sealed, about(c.Owner, c.ID))
	if err != nil {
		return k, err
	}
	return k, json.Unmarshal(plain, &k)
}

// newSecret is a signing secret in the form of Standard Webhooks: 32 random bytes.
func newSecret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(b[:])
}

// check says what cannot be right about the settings of a channel of the kind, and puts them into their form. The address
// is the whole one where it is given.
func (a *Alerts) check(ctx context.Context, t *store.Tenant, kind string, s *Settings) error {
	s.Name = strings.TrimSpace(s.Name)
	s.Address = strings.TrimSpace(s.Address)
	switch {
	case s.Name == "" || clean(s.Name, 200) != s.Name:
		return tocsin.Problemf(tocsin.Invalid, "Give a name such as “On call”.", "The channel's name is empty, or holds what cannot be seen.")
	case !slices.Contains(severities, s.Filter.Severity):
		return tocsin.Problemf(tocsin.Invalid, "Use info, low, medium, high or critical.", "There is no severity %q.", s.Filter.Severity)
	case len(s.Filter.Changes) == 0:
		return tocsin.Problemf(tocsin.Invalid, "Name at least one of opened, reopened, worse and fixed.", "The channel would never be told of anything.")
	case s.DigestOver < 1 || s.DigestOver > 1000 || s.DigestMinutes < 1 || s.DigestMinutes > 24*60:
		return tocsin.Problemf(tocsin.Invalid, "Give 1 to 1000 messages in 1 to 1440 minutes.", "A digest after %d messages in %d minutes is not possible.", s.DigestOver, s.DigestMinutes)
	case t.ID() != Installation && len(s.Filter.Tenants) > 0:
		return tocsin.Problemf(tocsin.Invalid, "Leave the tenants away.", "A tenant's own channel tells of that tenant only.")
	case s.Quiet.Except != "" && !slices.Contains(severities, s.Quiet.Except):
		return tocsin.Problemf(tocsin.Invalid, "Use info, low, medium, high or critical.", "There is no severity %q.", s.Quiet.Except)
	}
	for _, c := range s.Filter.Changes {
		if !slices.Contains(Changes, c) {
			return tocsin.Problemf(tocsin.Invalid, "Use opened, reopened, worse and fixed.", "A finding does not change to %q.", c)
		}
	}
	for _, r := range s.Filter.Rules {
		if is, err := knownRule(ctx, t, r); err != nil {
			return err
		} else if !is {
			return tocsin.Problemf(tocsin.Invalid, "Use names and families of tocsin detections list.", "There is no detection %q.", r)
		}
	}
	if err := s.Quiet.check(); err != nil {
		return err
	}
	if s.Address == "" {
		return nil
	}
	return a.checkAddress(kind, s)
}

func (a *Alerts) checkAddress(kind string, s *Settings) error {
	if kind == Email {
		list, err := recipients(s.Address)
		s.Address = strings.Join(list, ", ")
		return err
	}
	if kind == Syslog {
		address, err := syslogAddress(a.Guard, s.Address)
		if err == nil {
			s.Address = address
		}
		return err
	}
	u, err := a.Guard.URL(s.Address)
	if err != nil {
		return err
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case kind == Teams && (strings.HasSuffix(host, ".webhook.office.com") || host == "outlook.office.com" || host == "outlook.office365.com"):
		return tocsin.Problemf(tocsin.Invalid, "Make a workflow in Teams (“Send webhook alerts to a channel”) and give its address.",
			"That is an Office 365 connector; Microsoft has retired those.")
	case kind == Slack && host == "slack.com":
		return tocsin.Problemf(tocsin.Invalid, "Give the incoming webhook's address, https://hooks.slack.com/services/….", "That is a page of Slack, not a webhook.")
	case Signed(kind) && (host == "hooks.slack.com" || strings.HasSuffix(host, ".logic.azure.com") || strings.HasSuffix(host, ".api.powerplatform.com")):
		return tocsin.Problemf(tocsin.Invalid, "Make a channel of the kind slack or teams for it.", "That address takes messages in a form of its own.")
	}
	return nil
}

// recipients reads the addresses of an e-mail channel.
func recipients(s string) ([]string, error) {
	var out []string
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ';' || r == '\n' }) {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		m, err := mail.ParseAddress(part)
		if err != nil || m.Name != "" || m.Address != part || strings.ContainsFunc(part, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return nil, tocsin.Problemf(tocsin.Invalid, "Give addresses such as soc@acme.example, separated by commas.", "%q is not an e-mail address.", part)
		}
		out = append(out, part)
	}
	if len(out) == 0 || len(out) > 50 {
		return nil, tocsin.Problemf(tocsin.Invalid, "Give 1 to 50 addresses, or one of a list.", "There are %d recipients.", len(out))
	}
	return out, nil
}

// knownRule says whether there is a detection, or a family of them, of the name: of Tocsin's, or of the tenant's own.
func knownRule(ctx context.Context, t *store.Tenant, name string) (bool, error) {
	for _, m := range rule.All() {
		if m.Name == name || m.Family == name {
			return true, nil
		}
	}
	if !sigma.Owns(name) {
		return name == sigma.Family, nil
	}
	var one int
	err := t.QueryRow(ctx, `select 1 from own_rule where tenant = $1 and name = $2`, name).Scan(&one)
	if errors.Is(err, store.ErrNone) {
		return false, nil
	}
	return err == nil, err
}

// shown is what may be shown of an address: of a webhook's only the host, for the rest is often its password.
func shown(kind, address string) string {
	if kind == Email || kind == Syslog {
		return address
	}
	rest, ok := strings.CutPrefix(address, "https://")
	if !ok {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	return "https://" + host + "/…"
}

// Create makes a channel. The signing secret of a webhook is given this once.
func (a *Alerts) Create(ctx context.Context, t *store.Tenant, actor, kind string, s Settings) (c Channel, secret string, err error) {
	if !slices.Contains(Kinds, kind) {
		return c, "", tocsin.Problemf(tocsin.Invalid, "Use "+strings.Join(Kinds, ", ")+".", "There is no kind of channel %q.", kind)
	}
	if s.Address == "" {
		return c, "", tocsin.Problemf(tocsin.Invalid, "Say whom it tells, or the webhook's address.", "The channel's address is missing.")
	}
	if err := a.mayMail(kind); err != nil {
		return c, "", err
	}
	if err := a.check(ctx, t, kind, &s); err != nil {
		return c, "", err
	}
	now := a.Store.Clock().Now()
	c = Channel{Owner: t.ID(), ID: tocsin.NewID(), Kind: kind, Settings: s, Since: now, Created: now, CreatedBy: actor, Version: 1}
	var k keys
	if kind != Email {
		k.URL = s.Address
	}
	if Signed(kind) {
		secret = newSecret()
		k.Secret = secret
	}
	c.Address = shown(kind, s.Address)
	if c.sealed, err = a.seal(c.Owner, c.ID, k); err != nil {
		return c, "", err
	}
	filter, quiet, err := encoded(&c)
	if err != nil {
		return c, "", err
	}
	_, err = t.Exec(ctx, `insert into channel (tenant, id, kind, name, address, sealed, filter, quiet, digest_over, digest_minutes, enabled, since, created, created_by)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13)`,
		c.ID, c.Kind, c.Name, c.Address, c.sealed, filter, quiet, c.DigestOver, c.DigestMinutes, c.Enabled, now, actor)
	if err != nil {
		return c, "", err
	}
	return c, secret, tell(ctx, t, "channel.changed", c.ID, actor)
}

// mayMail refuses e-mail where the operator has set no server for it.
func (a *Alerts) mayMail(kind string) error {
	if kind == Email && a.SMTP.Host == "" {
		return tocsin.Problemf(tocsin.Unavailable, "Have the operator set smtp.host and smtp.from, or use another kind of channel.", "This server knows no mail server to send by.")
	}
	return nil
}

func encoded(c *Channel) (filter, quiet string, err error) {
	f, err := json.Marshal(c.Filter)
	q, err2 := json.Marshal(c.Quiet)
	return string(f), string(q), errors.Join(err, err2)
}

// tell says as a fact that settings of alerts have changed.
func tell(ctx context.Context, t *store.Tenant, kind, subject, actor string) error {
	return t.Append(ctx, store.Fact{Kind: kind, Subject: subject, Actor: actor})
}

// Edit changes the version of a channel that was looked at. An empty address of a webhook keeps the one there is.
func (a *Alerts) Edit(ctx context.Context, t *store.Tenant, actor, id string, version int64, s Settings) (c Channel, err error) {
	if c, err = lockChannel(ctx, t, id, version); err != nil {
		return c, err
	}
	had := c.Address
	if c.Kind == Email && s.Address == "" {
		s.Address = had
	}
	if err := a.check(ctx, t, c.Kind, &s); err != nil {
		return c, err
	}
	if c.Kind != Email && s.Address != "" {
		k, err := a.keysOf(&c)
		if err != nil {
			return c, err
		}
		k.URL = s.Address
		if c.sealed, err = a.seal(c.Owner, c.ID, k); err != nil {
			return c, err
		}
	}
	now := a.Store.Clock().Now()
	since := c.Since
	if !slices.Equal(c.Filter.Rules, s.Filter.Rules) || c.Filter.Severity != s.Filter.Severity || !slices.Equal(c.Filter.Tenants, s.Filter.Tenants) || s.Enabled && !c.Enabled {
		since = now // what was found before and was not wanted is not news now
	}
	c.Settings, c.Since = s, since
	if c.Address = had; s.Address != "" {
		c.Address = shown(c.Kind, s.Address)
	}
	filter, quiet, err := encoded(&c)
	if err != nil {
		return c, err
	}
	_, err = t.Exec(ctx, `update channel set name = $3, address = $4, sealed = $5, filter = $6, quiet = $7, digest_over = $8, digest_minutes = $9, enabled = $10, since = $11
		where tenant = $1 and id = $2`, c.ID, c.Name, c.Address, c.sealed, filter, quiet, c.DigestOver, c.DigestMinutes, c.Enabled, c.Since)
	if err != nil {
		return c, err
	}
	if !c.Enabled {
		err = forget(ctx, t, c.ID, "the channel is switched off", now)
	} else {
		err = again(ctx, t, c.ID, now)
	}
	if err != nil {
		return c, err
	}
	return c, tell(ctx, t, "channel.changed", c.ID, actor)
}

// forget drops what waits for a channel.
func forget(ctx context.Context, t *store.Tenant, channel, why string, now time.Time) error {
	if _, err := t.Exec(ctx, `update alert set state = 'dropped', held = $3, ended = $4 where tenant = $1 and channel = $2 and state in ('waiting', 'sending')`, channel, why, now); err != nil {
		return err
	}
	_, err := t.Exec(ctx, `update alert_message set state = 'dropped', ended = $3 where tenant = $1 and channel = $2 and state = 'waiting'`, channel, now)
	return err
}

// again has what waits for a channel looked at anew: alerts that were held, and messages that failed.
func again(ctx context.Context, t *store.Tenant, channel string, now time.Time) error {
	if _, err := t.Exec(ctx, `update alert set held_until = 0 where tenant = $1 and state = 'waiting' and channel = $2`, channel); err != nil {
		return err
	}
	_, err := t.Exec(ctx, `update alert_message set due = $3 where tenant = $1 and state = 'waiting' and channel = $2 and due > $3 and because <> ''`, channel, now)
	return err
}

// lockChannel takes the version that was looked at, raising it.
func lockChannel(ctx context.Context, t *store.Tenant, id string, version int64) (Channel, error) {
	n, err := t.Exec(ctx, `update channel set version = version + 1 where tenant = $1 and id = $2 and version = $3`, id, version)
	if err != nil {
		return Channel{}, err
	}
	c, err := Get(ctx, t, id)
	if err == nil && n == 0 {
		return c, tocsin.Problemf(tocsin.Conflict, "Look at it again and repeat what you meant.", "Somebody has changed the channel meanwhile.")
	}
	return c, err
}

// Rotate gives a webhook a new signing secret, told this once; the old one signs beside it for a day.
func (a *Alerts) Rotate(ctx context.Context, t *store.Tenant, actor, id string) (c Channel, secret string, until time.Time, err error) {
	if _, err = t.Exec(ctx, `update channel set version = version + 1 where tenant = $1 and id = $2`, id); err != nil {
		return c, "", until, err
	}
	if c, err = Get(ctx, t, id); err != nil {
		return c, "", until, err
	}
	if !Signed(c.Kind) {
		return c, "", until, tocsin.Problemf(tocsin.Invalid, "Make a new address at "+word(c.Kind)+" and enter it here, if the old one may be known to others.", "Only a webhook has a signing secret.")
	}
	k, err := a.keysOf(&c)
	if err != nil {
		return c, "", until, err
	}
	until = a.Store.Clock().Now().Add(overlap)
	secret = newSecret()
	k.Old, k.OldUntil, k.Secret = k.Secret, tocsin.Millis(until), secret
	if c.sealed, err = a.seal(c.Owner, c.ID, k); err != nil {
		return c, "", until, err
	}
	if _, err = t.Exec(ctx, `update channel set sealed = $3 where tenant = $1 and id = $2`, id, c.sealed); err != nil {
		return c, "", until, err
	}
	return c, secret, until, tell(ctx, t, "channel.changed", c.ID, actor)
}

// Delete forgets a channel; what waits for it is dropped, its log stays.
func (a *Alerts) Delete(ctx context.Context, t *store.Tenant, actor, id string) error {
	n, err := t.Exec(ctx, `delete from channel where tenant = $1 and id = $2`, id)
	if err != nil {
		return err
	}
	if n == 0 {
		return errNoChannel
	}
	if err := forget(ctx, t, id, "the channel was deleted", a.Store.Clock().Now()); err != nil {
		return err
	}
	for _, q := range []string{`delete from alert_told where tenant = $1 and channel = $2`, `delete from snooze where tenant = $1 and scope = 'channel' and value = $2`} {
		if _, err := t.Exec(ctx, q, id); err != nil {
			return err
		}
	}
	return tell(ctx, t, "channel.changed", id, actor)
}

var errNoChannel = tocsin.Problemf(tocsin.NotFound, "Look at tocsin channels list.", "There is no such channel.")

const channelColumns = `id, kind, name, address, sealed, filter, quiet, digest_over, digest_minutes, enabled, since, created, created_by, version, delivered, failed, failures, because, mend`

// Get is a channel of the owner.
func Get(ctx context.Context, t *store.Tenant, id string) (Channel, error) {
	list, err := channels(ctx, t, `select `+channelColumns+` from channel where tenant = $1 and id = $2`, id)
	if err == nil && len(list) == 0 {
		err = errNoChannel
	}
	if err != nil {
		return Channel{}, err
	}
	return list[0], nil
}

// List are the owner's channels, in the order they were made.
func List(ctx context.Context, t *store.Tenant) ([]Channel, error) {
	return channels(ctx, t, `select `+channelColumns+` from channel where tenant = $1 order by id`)
}

func channels(ctx context.Context, t *store.Tenant, q string, args ...any) ([]Channel, error) {
	rows, err := t.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Channel
	for rows.Next() {
		c := Channel{Owner: t.ID()}
		var filter, quiet string
		var since, created, delivered, failed int64
		if err := rows.Scan(&c.ID, &c.Kind, &c.Name, &c.Address, &c.sealed, &filter, &quiet, &c.DigestOver, &c.DigestMinutes, &c.Enabled, &since, &created, &c.CreatedBy,
			&c.Version, &delivered, &failed, &c.Failures, &c.Because, &c.Mend); err != nil {
			return nil, err
		}
		if err := errors.Join(json.Unmarshal([]byte(filter), &c.Filter), json.Unmarshal([]byte(quiet), &c.Quiet)); err != nil {
			return nil, err
		}
		c.Since, c.Created, c.Delivered, c.Failed = tocsin.FromMillis(since), tocsin.FromMillis(created), tocsin.FromMillis(delivered), tocsin.FromMillis(failed)
		out = append(out, c)
	}
	return out, rows.Err()
}
