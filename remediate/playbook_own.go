package remediate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

// Fit says on which stories a playbook is offered: where all that is said holds. What is not said holds always.
type Fit struct {
	Rules    []string        `json:"rules,omitempty" doc:"One of these rules found part of the story"`
	Stages   []string        `json:"stages,omitempty" doc:"The story came to one of these stages of a breach"`
	Severity tocsin.Severity `json:"severity,omitempty" doc:"The story is at least so severe: low, medium, high, critical"`
	Takeover bool            `json:"takeover,omitempty" doc:"The account looks taken over"`
	Admin    bool            `json:"admin,omitempty" doc:"The person has a role of the directory, or may take one"`
}

// PlaybookText is what somebody writes of a playbook of their own.
type PlaybookText struct {
	Title string `json:"title" minLength:"1" maxLength:"80" doc:"What it is called"`
	Says  string `json:"says,omitempty" maxLength:"400" doc:"When it is of use, a sentence"`
	Steps []Kind `json:"steps" doc:"What it does, of: revoke_sessions, disable_rule, delete_rule, suspend, reinstate, force_password_change, mfa_enroll, confirm_risk, dismiss_risk. The hard ones come after the others"`
	Fits  Fit    `json:"fits,omitzero" doc:"On which stories it is offered; on all where nothing is said"`
}

// OwnPlaybook is a playbook of the customer's own as it is kept.
type OwnPlaybook struct {
	Name    string
	Version int64
	Text    PlaybookText
	Deleted bool
}

// PlaybookVersion is a version of a playbook: the first is the newest.
type PlaybookVersion struct {
	Version int64        `json:"version"`
	At      int64        `json:"-"`
	Who     string       `json:"who"`
	Change  string       `json:"change"` // created, updated, deleted
	Note    string       `json:"note"`
	Text    PlaybookText `json:"text"`
}

var playbookName = regexp.MustCompile(`^[a-z][a-z0-9-]{1,39}$`)

// Stages are those of a breach, as findings name them.
var Stages = []string{"access", "persistence", "hiding", "collection", "exfiltration", "lateral_movement"}

const mostSteps = 10

// ForPlaybook says whether a kind of action can be a step: one on a person whose target the playbook finds by itself.
func (k Kind) ForPlaybook() bool {
	a := table[k]
	return a != nil && a.asked && (a.on == OnAccount || a.on == OnMethods || a.on == OnRule)
}

// Sound says what is wrong with a playbook, and brings its hard steps behind the others.
func (p *PlaybookText) Sound(name string, known func(rule string) bool) error {
	wrong := func(do, what string, args ...any) error { return tocsin.Problemf(tocsin.Invalid, do, what, args...) }
	if !playbookName.MatchString(name) || name == "new" { // a page has that address
		return wrong("Begin with a letter; then small letters, digits and dashes, 40 at most.", "A playbook cannot be called %q.", name)
	}
	if slices.ContainsFunc(Playbooks, func(b Playbook) bool { return b.Name == name }) {
		return wrong("Give it another name.", "%s is a playbook that comes with Tocsin.", name)
	}
	p.Title, p.Says = strings.TrimSpace(p.Title), strings.TrimSpace(p.Says)
	if p.Title == "" {
		return wrong("Say in a few words what it does.", "The title is missing.")
	}
	if len(p.Steps) == 0 || len(p.Steps) > mostSteps {
		return wrong(fmt.Sprintf("Give 1 to %d.", mostSteps), "A playbook of %d steps cannot be run.", len(p.Steps))
	}
	for i, k := range p.Steps {
		switch {
		case k.On() == "":
			return wrong("See the kinds of actions in the documentation.", "There is no action %q.", k)
		case !k.ForPlaybook():
			return wrong("Do it from the page of what it is done to.", "%s needs a target that a playbook cannot find.", k)
		case slices.Contains(p.Steps[:i], k):
			return wrong("Name it once.", "The step %s is there twice.", k)
		}
		for _, other := range p.Steps[:i] {
			if k.Undo() == other || other.Undo() == k || other == ConfirmRisk && k == DismissRisk || other == DismissRisk && k == ConfirmRisk {
				return wrong("Leave one of them out.", "The steps %s and %s undo each other.", other, k)
			}
		}
	}
	if slices.Contains(p.Steps, DisableRule) && slices.Contains(p.Steps, DeleteRule) {
		return wrong("Leave one of them out.", "A rule that is deleted need not be switched off.")
	}
	slices.SortStableFunc(p.Steps, func(a, b Kind) int { return order(a) - order(b) })
	for _, r := range p.Fits.Rules {
		if known != nil && !known(r) {
			return wrong("See the list of detections.", "There is no detection %q.", r)
		}
	}
	for _, x := range p.Fits.Stages {
		if !slices.Contains(Stages, x) {
			return wrong("Give one of: "+strings.Join(Stages, ", ")+".", "There is no stage %q.", x)
		}
	}
	if s := p.Fits.Severity; s != "" && s.Rank() == 0 {
		return wrong("Give low, medium, high or critical.", "There is no severity %q.", s)
	}
	return nil
}

func (o *OwnPlaybook) playbook() Playbook {
	return Playbook{Name: o.Name, Title: o.Text.Title, Says: o.Text.Says, Steps: o.Text.Steps, Own: true, Version: o.Version, Fits: o.Text.Fits}
}

// ErrPlaybookStale is that somebody has changed a playbook since it was looked at.
var ErrPlaybookStale = errors.New("the playbook is another by now")

var errNoPlaybook = tocsin.Problemf(tocsin.NotFound, "Look in the list of playbooks.", "There is no such playbook.")

// OwnPlaybookNamed is a playbook of one's own, deleted or not.
func OwnPlaybookNamed(ctx context.Context, t *store.Tenant, name string) (OwnPlaybook, error) {
	o := OwnPlaybook{Name: name}
	var body string
	var deleted int64
	err := t.QueryRow(ctx, `select version, body, deleted from playbook where tenant = $1 and name = $2`, name).Scan(&o.Version, &body, &deleted)
	if errors.Is(err, store.ErrNone) {
		return o, errNoPlaybook
	}
	if err != nil {
		return o, err
	}
	o.Deleted = deleted != 0
	return o, json.Unmarshal([]byte(body), &o.Text)
}

// OwnPlaybooks are the playbooks of the customer's own that there are, by name.
func OwnPlaybooks(ctx context.Context, t *store.Tenant) ([]Playbook, error) {
	rows, err := t.Query(ctx, `select name, version, body from playbook where tenant = $1 and deleted = 0 order by name limit 200`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Playbook
	for rows.Next() {
		var o OwnPlaybook
		var body string
		if err := rows.Scan(&o.Name, &o.Version, &body); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(body), &o.Text); err != nil {
			return nil, fmt.Errorf("playbook %s: %w", o.Name, err)
		}
		out = append(out, o.playbook())
	}
	return out, rows.Err()
}

// mostPlaybooks are kept of the customer's own in a tenant.
const mostPlaybooks = 100

// KeepPlaybook writes a playbook: the first version where version is 0, else the one behind version. Every version is kept.
func KeepPlaybook(ctx context.Context, t *store.Tenant, who Who, name string, version int64, text PlaybookText, note string) error {
	body, err := json.Marshal(text)
	if err != nil {
		return err
	}
	now, change := tocsin.Millis(t.Tx().Clock().Now()), "updated"
	had, err := OwnPlaybookNamed(ctx, t, name)
	switch p, _ := errors.AsType[*tocsin.Problem](err); {
	case version == 0 && err == nil && !had.Deleted:
		return tocsin.Problemf(tocsin.Conflict, "Give it another name, or change the one there is.", "There is a playbook %s already.", name)
	case version == 0 && (err == nil || p == errNoPlaybook):
		change = "created"
		n := 0
		if err := t.QueryRow(ctx, `select count(*) from playbook where tenant = $1 and deleted = 0`).Scan(&n); err != nil {
			return err
		}
		if n >= mostPlaybooks {
			return tocsin.Problemf(tocsin.Conflict, "Delete one that nobody needs.", "There are %d playbooks, which is the limit.", n)
		}
	case err != nil:
		return err
	case had.Deleted:
		return errNoPlaybook
	case had.Version != version:
		return ErrPlaybookStale
	}
	if _, err := t.Exec(ctx, `insert into playbook (tenant, name, version, title, body, created, changed, deleted) values ($1, $2, $3, $4, $5, $6, $6, 0)
		on conflict (tenant, name) do update set version = excluded.version, title = excluded.title, body = excluded.body, changed = excluded.changed, deleted = 0`,
		name, had.Version+1, text.Title, string(body), now); err != nil {
		return err
	}
	return versioned(ctx, t, who, name, had.Version+1, change, note, text.Title, string(body))
}

// DropPlaybook deletes a playbook. Its versions stay.
func DropPlaybook(ctx context.Context, t *store.Tenant, who Who, name string) error {
	had, err := OwnPlaybookNamed(ctx, t, name)
	if err != nil {
		return err
	}
	if had.Deleted {
		return errNoPlaybook
	}
	body, err := json.Marshal(had.Text)
	if err != nil {
		return err
	}
	now := tocsin.Millis(t.Tx().Clock().Now())
	if _, err := t.Exec(ctx, `update playbook set deleted = $3, changed = $3, version = version + 1 where tenant = $1 and name = $2`, name, now); err != nil {
		return err
	}
	return versioned(ctx, t, who, name, had.Version+1, "deleted", "", had.Text.Title, string(body))
}

func versioned(ctx context.Context, t *store.Tenant, who Who, name string, version int64, change, note, title, body string) error {
	_, err := t.Exec(ctx, `insert into playbook_version (tenant, name, version, at, who, change, note, title, body) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		name, version, tocsin.Millis(t.Tx().Clock().Now()), who.Email, change, note, title, body)
	return err
}

// PlaybookVersions are the versions of a playbook, the newest first, at most 50.
func PlaybookVersions(ctx context.Context, t *store.Tenant, name string) ([]PlaybookVersion, error) {
	rows, err := t.Query(ctx, `select version, at, who, change, note, body from playbook_version where tenant = $1 and name = $2 order by version desc limit 50`, name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []PlaybookVersion{}
	for rows.Next() {
		var v PlaybookVersion
		var body string
		if err := rows.Scan(&v.Version, &v.At, &v.Who, &v.Change, &v.Note, &body); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(body), &v.Text); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// playbookNamed is a playbook that can be run.
func playbookNamed(ctx context.Context, t *store.Tenant, name string) (Playbook, error) {
	if i := slices.IndexFunc(Playbooks, func(p Playbook) bool { return p.Name == name }); i >= 0 {
		return Playbooks[i], nil
	}
	o, err := OwnPlaybookNamed(ctx, t, name)
	if p, ok := errors.AsType[*tocsin.Problem](err); o.Deleted || ok && p == errNoPlaybook {
		return Playbook{}, tocsin.Problemf(tocsin.Invalid, "Give one of those in the list of playbooks.", "There is no playbook %q.", name)
	}
	return o.playbook(), err
}

// Offered are the playbooks that fit a story: those that come with Tocsin, and those of one's own whose condition holds, which come
// first.
func Offered(ctx context.Context, t *store.Tenant, story string) ([]Playbook, error) {
	var rank int
	var stages, takeover, person string
	err := t.QueryRow(ctx, `select severity_rank, stages, takeover, person from attack_story where tenant = $1 and id = $2`, story).Scan(&rank, &stages, &takeover, &person)
	if errors.Is(err, store.ErrNone) {
		return nil, tocsin.Problemf(tocsin.NotFound, "Look in the list for what is there now.", "There is no such story.")
	}
	if err != nil {
		return nil, err
	}
	own, err := OwnPlaybooks(ctx, t)
	if err != nil {
		return nil, err
	}
	var reached, rules []string
	if err := json.Unmarshal([]byte(stages), &reached); err != nil {
		return nil, err
	}
	rows, err := t.Query(ctx, `select distinct f.rule from attack_story_part p join finding f on f.tenant = p.tenant and f.id = p.finding where p.tenant = $1 and p.story = $2`, story)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r string
		if err := rows.Scan(&r); err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	roles := 0
	if err := t.QueryRow(ctx, `select (select count(*) from role_member where tenant = $1 and person = $2) + (select count(*) from role_holding where tenant = $1 and person = $2)`, person).Scan(&roles); err != nil {
		return nil, err
	}
	among := func(wanted, there []string) bool {
		return len(wanted) == 0 || slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(there, w) })
	}
	var out []Playbook
	for _, p := range own {
		f := &p.Fits
		if among(f.Rules, rules) && among(f.Stages, reached) && (f.Severity == "" || rank >= f.Severity.Rank()) && (!f.Takeover || takeover != "") && (!f.Admin || roles > 0) {
			out = append(out, p)
		}
	}
	return append(out, Playbooks...), nil
}

// PlaybookTitle is what a playbook is called; one that is deleted is still called so.
func PlaybookTitle(ctx context.Context, t *store.Tenant, name string) string {
	if p, err := playbookNamed(ctx, t, name); err == nil {
		return p.Title
	}
	if o, err := OwnPlaybookNamed(ctx, t, name); err == nil {
		return o.Text.Title
	}
	return name
}
