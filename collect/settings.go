package collect

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/secret/reseal"
	"tocsin.dev/store"
)

// Which mailboxes of a tenant are watched.
const (
	WatchAll    = "all"
	WatchOnly   = "only"   // those that the scope names
	WatchExcept = "except" // all but those that the scope names
)

// The kinds of what a scope names.
const (
	ScopePerson     = "person"     // a [tocsin.PersonID]
	ScopeDepartment = "department" // as the directory writes it
	ScopeDomain     = "domain"     // of the main address
	ScopeGroup      = "group"      // the directory's id of a group; its members at every depth
)

// Scope is one thing that a setting names.
type Scope struct{ Kind, Value string }

// The forms in which a mailbox can be told of.
const (
	FormBasic = "basic" // Graph says that a message changed, and it is looked at
	FormRich  = "rich"  // Graph sends what changed, encrypted for a certificate of ours
)

// Changes are the types of changes that Graph can be asked to tell of, in the order in which they are asked for.
// https://learn.microsoft.com/graph/api/resources/subscription
var Changes = []string{"created", "updated", "deleted"}

// FoldersLeft are the folders that can be left out, by Graph's well-known names.
// https://learn.microsoft.com/graph/api/resources/mailfolder
var FoldersLeft = []string{"junkemail", "deleteditems", "drafts", "sentitems", "archive", "conversationhistory", "clutter", "syncissues"}

// Bounds of batching.
const (
	MostBatch  = 20 // https://learn.microsoft.com/graph/json-batching
	MostGather = 5 * time.Second
)

// StreamSettings are how a connection's mail is watched.
type StreamSettings struct {
	Connection string
	Mailboxes  string // WatchAll, WatchOnly or WatchExcept
	Scope      []Scope
	Folders    []string // whose mail is not kept, of FoldersLeft
	Changes    []string // of Changes, in its order
	Form       string   // FormBasic or FormRich
	Forms      map[tocsin.PersonID]string
	Batch      int           // looks in one request, 1 to MostBatch
	Gather     time.Duration // for how long a run is gathered, to MostGather
	Hashing    bool          // names and addresses are kept as hashes
	NewKey     bool          // for SetStream: names are hashed with a new key from now on
	Version    int64         // 0: they were never changed
	Changed    time.Time
	ChangedBy  string
}

// StreamSettingsOf are the settings of a connection; the defaults where they were never changed.
func StreamSettingsOf(ctx context.Context, t *store.Tenant, connection string) (StreamSettings, error) {
	s, err := settingsRow(t.QueryRow(ctx, settingsColumns+` from stream_setting s where s.tenant = $1 and s.connection = $2`, connection).Scan)
	if errors.Is(err, store.ErrNone) {
		s, err = defaultSettings(), nil
	}
	if err != nil {
		return s, err
	}
	s.Connection = connection
	err = each(ctx, t, func(scan func(...any) error) error {
		var one Scope
		err := scan(&one.Kind, &one.Value)
		s.Scope = append(s.Scope, one)
		return err
	}, `select kind, value from stream_scope where tenant = $1 and connection = $2 order by kind, value`, connection)
	if err != nil {
		return s, err
	}
	err = each(ctx, t, func(scan func(...any) error) error {
		var person tocsin.PersonID
		var form string
		err := scan(&person, &form)
		s.Forms[person] = form
		return err
	}, `select person, form from stream_form where tenant = $1 and connection = $2`, connection)
	return s, err
}

func defaultSettings() StreamSettings {
	return StreamSettings{Mailboxes: WatchAll, Folders: []string{}, Changes: slices.Clone(Changes), Form: FormBasic, Forms: map[tocsin.PersonID]string{}, Batch: MostBatch, Scope: []Scope{}}
}

const settingsColumns = `select s.mailboxes, s.folders, s.changes, s.form, s.batch, s.gather, s.hashing, s.version, s.changed, s.changed_by`

func settingsRow(scan func(...any) error) (StreamSettings, error) {
	s := defaultSettings()
	var folders, changes string
	var gather, changed int64
	if err := scan(&s.Mailboxes, &folders, &changes, &s.Form, &s.Batch, &gather, &s.Hashing, &s.Version, &changed, &s.ChangedBy); err != nil {
		return s, err
	}
	s.Changes, s.Gather, s.Changed = strings.Split(changes, ","), time.Duration(gather)*time.Millisecond, tocsin.FromMillis(changed)
	return s, json.Unmarshal([]byte(folders), &s.Folders)
}

// inForce are the settings by which what is told of a tenant is taken in: those of the connection that collects, or that
// collected last.
func inForce(ctx context.Context, t *store.Tenant) (StreamSettings, error) {
	s, err := settingsRow(t.QueryRow(ctx, settingsColumns+` from stream_setting s join connection c on c.tenant = s.tenant and c.id = s.connection
		where s.tenant = $1 and c.id = (select id from connection where tenant = $1 and tier = 'read'
			order by case when state in ('paused', 'closing', 'closed') then 1 else 0 end, created limit 1)`).Scan)
	if errors.Is(err, store.ErrNone) {
		return defaultSettings(), nil
	}
	return s, err
}

// check says what of the settings cannot be.
func (s *StreamSettings) check() error {
	wrong := func(do, what string, args ...any) error { return tocsin.Problemf(tocsin.Invalid, do, what, args...) }
	switch {
	case !slices.Contains([]string{WatchAll, WatchOnly, WatchExcept}, s.Mailboxes):
		return wrong("Use all, only or except.", "Which mailboxes are watched is %q.", s.Mailboxes)
	case s.Mailboxes != WatchAll && len(s.Scope) == 0:
		return wrong("Name people, departments, domains or groups; or watch all.", "It is not said which mailboxes are meant.")
	case len(s.Changes) == 0:
		return wrong("Choose created, updated or deleted; to watch nothing, switch the product off.", "No type of change is chosen.")
	case !slices.Contains([]string{FormBasic, FormRich}, s.Form):
		return wrong("Use basic or rich.", "The form of notifications is %q.", s.Form)
	case s.Batch < 1 || s.Batch > MostBatch:
		return wrong("Use 1 to 20.", "%d messages cannot be looked at in one request.", s.Batch)
	case s.Gather < 0 || s.Gather > MostGather:
		return wrong("Use up to 5,000 milliseconds.", "A run cannot be gathered for %s.", s.Gather)
	}
	for _, f := range s.Folders {
		if !slices.Contains(FoldersLeft, f) {
			return wrong("Use "+strings.Join(FoldersLeft, ", ")+".", "The folder %q cannot be left out.", f)
		}
	}
	for _, f := range s.Forms {
		if f != FormBasic && f != FormRich {
			return wrong("Use basic or rich.", "The form of notifications is %q.", f)
		}
	}
	return nil
}

// SetStream puts settings in force. s.Version is the one that was looked at: another one is a conflict. key is the tenant's
// key, sealed, for where it has none yet, or is to have a new one.
func SetStream(ctx context.Context, t *store.Tenant, s StreamSettings, actor string, key []byte) (StreamSettings, error) {
	s.Changes = slices.DeleteFunc(slices.Clone(Changes), func(c string) bool { return !slices.Contains(s.Changes, c) })
	if err := s.check(); err != nil {
		return s, err
	}
	folders, err := encode(s.Folders)
	if err != nil {
		return s, err
	}
	now := tocsin.Millis(t.Tx().Clock().Now())
	values := []any{s.Connection, s.Mailboxes, string(folders), strings.Join(s.Changes, ","), s.Form, s.Batch, s.Gather.Milliseconds(), s.Hashing, now, actor, s.Version}
	n, err := t.Exec(ctx, `update stream_setting set mailboxes = $3, folders = $4, changes = $5, form = $6, batch = $7, gather = $8, hashing = $9, changed = $10, changed_by = $11, version = version + 1
		where tenant = $1 and connection = $2 and version = $12`, values...)
	if err == nil && n == 0 && s.Version == 0 {
		n, err = t.Exec(ctx, `insert into stream_setting (tenant, connection, mailboxes, folders, changes, form, batch, gather, hashing, changed, changed_by, version)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, cast($12 as bigint) + 1) on conflict (tenant, connection) do nothing`, values...)
	}
	if err == nil && n == 0 {
		err = tocsin.Problemf(tocsin.Conflict, "Look at them as they are now, and change that.", "The settings were changed meanwhile.")
	}
	if err != nil {
		return s, err
	}
	if err := setScope(ctx, t, &s); err != nil {
		return s, err
	}
	if s.Hashing {
		if _, err := t.Exec(ctx, `insert into tenant_key (tenant, name, sealed, created) values ($1, $2, $3, $4) on conflict (tenant, name) do nothing`, hashKeyName, key, now); err != nil {
			return s, err
		}
		if s.NewKey {
			if _, err := t.Exec(ctx, `update tenant_key set sealed = $3, created = $4 where tenant = $1 and name = $2`, hashKeyName, key, now); err != nil {
				return s, err
			}
			if _, err := t.Exec(ctx, `update parked set retry = $2 where tenant = $1 and retry > $2 and kind = '`+kindNotified+`'`, now); err != nil {
				return s, err
			}
		}
	}
	// What Graph refused is tried again at once.
	if _, err := t.Exec(ctx, `update subscription set because = '', mend = '' where tenant = $1 and state = 'on' and because <> ''`); err != nil {
		return s, err
	}
	// Whoever keeps the subscriptions sees to it at once, on whichever replica.
	if _, err := t.Exec(ctx, `update source set due = 0 where tenant = $1 and name = 'subscriptions'`); err != nil {
		return s, err
	}
	if err := t.Append(ctx, store.Fact{Kind: "stream.changed", Subject: s.Connection, Actor: actor}); err != nil {
		return s, err
	}
	return StreamSettingsOf(ctx, t, s.Connection)
}

func setScope(ctx context.Context, t *store.Tenant, s *StreamSettings) error {
	for _, text := range []string{`delete from stream_scope where tenant = $1 and connection = $2`, `delete from stream_form where tenant = $1 and connection = $2`} {
		if _, err := t.Exec(ctx, text, s.Connection); err != nil {
			return err
		}
	}
	var rows, forms [][]any
	for _, one := range s.Scope {
		rows = append(rows, []any{s.Connection, one.Kind, one.Value})
		if one.Kind == ScopeGroup {
			if _, err := t.Exec(ctx, `insert into scope_group (tenant, group_id) values ($1, $2) on conflict (tenant, group_id) do nothing`, one.Value); err != nil {
				return err
			}
		}
	}
	for person, form := range s.Forms {
		forms = append(forms, []any{s.Connection, string(person), form})
	}
	if err := t.Insert(ctx, store.Into{Table: "stream_scope", Key: []string{"connection", "kind", "value"}, Columns: []string{"connection", "kind", "value"}}, rows); err != nil {
		return err
	}
	if err := t.Insert(ctx, store.Into{Table: "stream_form", Key: []string{"connection", "person"}, Columns: []string{"connection", "person", "form"}}, forms); err != nil {
		return err
	}
	// Of groups that nothing names any more nobody needs to know who is in them.
	for _, text := range []string{
		`delete from scope_group where tenant = $1 and not exists (select 1 from stream_scope k where k.tenant = scope_group.tenant and k.kind = 'group' and k.value = scope_group.group_id)`,
		`delete from scope_member where tenant = $1 and not exists (select 1 from scope_group g where g.tenant = scope_member.tenant and g.group_id = scope_member.group_id)`,
	} {
		if _, err := t.Exec(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// hashKeyName is the row of a tenant's key by which names are hashed.
const hashKeyName = "hash"

func aboutTenantKey(tenant tocsin.TenantID, name string) string {
	return "tenant_key/" + string(tenant) + "/" + name
}

// NewHashKey makes a key by which a tenant's names are hashed, sealed.
func NewHashKey(tenant tocsin.TenantID, seal func(plain []byte, about string) ([]byte, error)) ([]byte, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return seal(key, aboutTenantKey(tenant, hashKeyName))
}

// Sealed is where keys of tenants lie, for a key that is replaced.
func Sealed() []reseal.Place {
	return []reseal.Place{{What: "keys by which names are hashed", Table: "tenant_key", Key: "name", Column: "sealed", Tenant: true, About: aboutTenantKey}, SealedCertificates()}
}

// hasher hashes names with a tenant's key; nil hashes nothing.
type hasher struct{ key []byte }

// errShut says that a tenant's names cannot be hashed, now or until somebody does something.
var errShut = errors.New("The key by which names are hashed does not open. Give Tocsin the key from then (key.file, key.command or TOCSIN_KEY_VALUE), or let it make a new one: Connections → How mail is watched, or tocsin connections set-stream --new-hash-key.") //nolint:staticcheck // people read it

// hasherOf is the tenant's hasher, where its settings ask for hashing; errShut where its key does not open.
func hasherOf(ctx context.Context, t *store.Tenant, s *StreamSettings, unseal func([]byte, string) ([]byte, error)) (*hasher, error) {
	if !s.Hashing {
		return nil, nil
	}
	var shut []byte
	if err := t.QueryRow(ctx, `select sealed from tenant_key where tenant = $1 and name = $2`, hashKeyName).Scan(&shut); err != nil && !errors.Is(err, store.ErrNone) {
		return nil, fmt.Errorf("the key by which names are hashed: %w", err)
	}
	if unseal == nil || shut == nil {
		return nil, errShut
	}
	key, err := unseal(shut, aboutTenantKey(t.ID(), hashKeyName))
	if err != nil {
		return nil, errShut
	}
	return &hasher{key}, nil
}

// HashKeyShut says whether names are to be hashed and the key for it does not open, so that what is told of waits.
func HashKeyShut(ctx context.Context, t *store.Tenant, s *StreamSettings, unseal func([]byte, string) ([]byte, error)) (bool, error) {
	_, err := hasherOf(ctx, t, s, unseal)
	if errors.Is(err, errShut) {
		return true, nil
	}
	return false, err
}

// of is a text's HMAC under the tenant's key, 32 hex digits.
func (h *hasher) of(text string) string {
	m := hmac.New(sha256.New, h.key)
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// address hides who has an address, and leaves the domain, by which inside is told from outside.
func (h *hasher) address(a tocsin.Address) tocsin.Address {
	if a.Address == "" {
		return tocsin.Address{}
	}
	out := h.of(a.Canonical())
	if d := a.Domain(); d != "" {
		out += "@" + d
	}
	return tocsin.Address{Address: out}
}

// hide makes of a message what is kept of it where names are hashed. sender is a person's id where insider is true.
func (h *hasher) hide(m *mailSeen, sender string, insider bool) {
	if h == nil || m.Hidden {
		return
	}
	m.Hidden, m.Sender = true, sender
	if !insider && sender != "" {
		m.Sender = h.of(sender)
	}
	if m.Internet != "" {
		m.Internet = h.of(m.Internet)
	}
	m.From = h.address(m.From)
	for _, list := range []*[]tocsin.Address{&m.To, &m.Cc, &m.Bcc} {
		hidden := make([]tocsin.Address, len(*list))
		for i, a := range *list {
			hidden[i] = h.address(a)
		}
		*list = hidden
	}
}

// kindOfChange is the type of change under which Graph tells of what happened.
func kindOfChange(action string) string {
	switch action {
	case "email_received", "email_sent", "email_drafted":
		return "created"
	case "email_deleted":
		return "deleted"
	}
	return "updated"
}

// shutFor is how long looks wait that cannot be folded, since their names cannot be hashed.
const shutFor = 5 * time.Minute

// putOff has what was looked at looked at again later: nothing of it is kept but the messages' ids. Other tenants go on.
func (l *mailLooks) putOff(because string, now time.Time) {
	l.Parked = slices.Clone(l.Parked)
	for _, one := range l.Looks {
		l.Parked = append(l.Parked, wait{ID: one.ID, Change: one.Change, At: one.At, Because: because, Retry: tocsin.Millis(now.Add(shutFor))})
	}
	l.Looks = nil
}

// watching is what the settings ask of the fold.
type watching struct {
	shut    bool            // names are to be hashed and cannot be
	left    map[string]bool // folders
	changes map[string]bool
	hash    *hasher
}

// watching reads the settings that are in force, in the transaction that folds by them.
func (r *run) watching(ctx context.Context) (*watching, error) {
	s, err := inForce(ctx, r.t)
	if err != nil {
		return nil, fmt.Errorf("how mail is watched: %w", err)
	}
	w := &watching{left: map[string]bool{}, changes: map[string]bool{}}
	for _, f := range s.Folders {
		w.left[f] = true
	}
	for _, c := range s.Changes {
		w.changes[c] = true
	}
	w.hash, err = hasherOf(ctx, r.t, &s, r.unseal)
	if errors.Is(err, errShut) {
		w.shut, err = true, nil
	}
	return w, err
}

// passes says that a look is not to be kept at all: the message lies, and lay, in a folder that is left out.
func (w *watching) passes(b *mailBox, had *mailHeld, is *mailSeen) bool {
	return had == nil && is != nil && w.left[b.folders[is.Folder]]
}

// told are those of the events that are to be kept. A message that moves out of the folders that are left out, or into them,
// is told of; what becomes of it there is not, but for its end.
func (w *watching) told(all []mailEvent, b *mailBox, had *mailHeld, is *mailSeen) []mailEvent {
	out := had != nil && is != nil && w.left[b.folders[had.folder]] && w.left[b.folders[is.Folder]]
	return slices.DeleteFunc(all, func(e mailEvent) bool { return out || !w.changes[kindOfChange(e.action)] })
}

// noFolder stands before the name of a folder that a mailbox does not have, in place of an id.
const noFolder = "none:"

// settings takes in what the settings in force ask of the opener.
func (t *opening) settings(ctx context.Context, tx *store.Tenant) error {
	s, err := inForce(ctx, tx)
	if err != nil {
		return fmt.Errorf("how mail is watched: %w", err)
	}
	t.batch, t.places = s.Batch, slices.Clone(placesAsked)
	for _, f := range s.Folders {
		if !slices.Contains(t.places, f) {
			t.places = append(t.places, f)
		}
	}
	return nil
}

// knows says whether a mailbox's folders, as the ledger has them, are all that are to be known. Those that tell what became
// of a message are asked for once; those that are left out, until it is known which they are.
func (t *opening) knows(folders *string) bool {
	if folders == nil || *folders == "{}" {
		return false
	}
	for _, name := range t.places[len(placesAsked):] {
		if !strings.Contains(*folders, `"`+name+`"`) {
			return false
		}
	}
	return true
}

// Gather is for how long a run is gathered, so that fewer requests look at more messages: the shortest time that the settings
// of a connected tenant say, since a run has items of any.
func (o *Opener) Gather(ctx context.Context) time.Duration {
	least := int64(-1)
	err := o.Store.View(ctx, func(tx *store.Tx) error {
		all, err := tenants(ctx, tx)
		if err != nil {
			return err
		}
		for _, id := range all {
			s, err := inForce(ctx, tx.Tenant(id))
			if err != nil {
				return err
			}
			if ms := s.Gather.Milliseconds(); least < 0 || ms < least {
				least = ms
			}
			if least == 0 {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return 0 // whoever folds the run says it
	}
	return time.Duration(max(0, least)) * time.Millisecond
}
