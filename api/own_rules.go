package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/detect"
	"tocsin.dev/detect/sigma"
	"tocsin.dev/store"
)

// OwnRule is a detection that the customer wrote.
type OwnRule struct {
	ID        string          `json:"id"`
	Name      string          `json:"name" doc:"What its findings, and exceptions to it, are filed under"`
	Title     string          `json:"title"`
	Severity  tocsin.Severity `json:"severity"`
	State     string          `json:"state" doc:"draft, testing (it is counted and files nothing), live or off"`
	Sources   []string        `json:"sources" doc:"The logs that it reads"`
	Lacks     string          `json:"lacks" doc:"Why it can find nothing here; empty where each log it reads is collected"`
	Origin    string          `json:"origin" doc:"The file of the folder that it came from; empty where somebody wrote it here"`
	Version   int64           `json:"version"`
	Hits      int             `json:"hits" doc:"How often it spoke since it was first tested"`
	LastHit   time.Time       `json:"last_hit"`
	Noisy     time.Time       `json:"noisy" doc:"When it last filed as many findings in a day as one rule may"`
	Open      int             `json:"open" doc:"Open findings of it"`
	Created   time.Time       `json:"created"`
	CreatedBy string          `json:"created_by"`
	Changed   time.Time       `json:"changed"`
	ChangedBy string          `json:"changed_by"`
}

// OwnRuleDetail is a rule with its text, what is wrong with it, its tests and what it met.
type OwnRuleDetail struct {
	OwnRule
	Text     string              `json:"text"`
	About    detect.Meta         `json:"about"`
	Problems []sigma.Fault       `json:"problems" doc:"What is wrong with the text; it is not judged then"`
	Tests    []sigma.Outcome     `json:"tests" doc:"Its own examples, run"`
	Days     []collect.OwnDay    `json:"days" doc:"Hits of the last 30 days"`
	Samples  []collect.OwnSample `json:"samples" doc:"The last records that it met"`
	Versions []OwnVersion        `json:"versions" doc:"What was changed, the newest first"`
}

// OwnVersion is a rule as it was at a time.
type OwnVersion struct {
	Version int64     `json:"version"`
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	State   string    `json:"state"`
	Text    string    `json:"text"`
}

// OwnTested is what came of a text that was tried.
type OwnTested struct {
	OK       bool            `json:"ok" doc:"It can be read, and its tests come out as they should"`
	Problems []sigma.Fault   `json:"problems"`
	Tests    []sigma.Outcome `json:"tests"`
	About    detect.Meta     `json:"about"`
	Lacks    string          `json:"lacks" doc:"Why it can find nothing here"`
}

// OwnRuleText is a rule's text.
type OwnRuleText struct {
	Text string `json:"text" minLength:"1" maxLength:"65536" doc:"A Sigma rule (YAML)"`
}

// CreateOwnRuleIn adds a rule.
type CreateOwnRuleIn struct {
	In
	Key
	Body OwnRuleText
}

// TestOwnRuleIn tries a text.
type TestOwnRuleIn struct {
	In
	Body OwnRuleText
}

// OwnRuleEdit is another text for a rule.
type OwnRuleEdit struct {
	Text    string `json:"text" minLength:"1" maxLength:"65536" doc:"The rule's text"`
	Version int64  `json:"version" minimum:"1" doc:"The version you looked at"`
}

// UpdateOwnRuleIn gives a rule another text.
type UpdateOwnRuleIn struct {
	ByIDAct
	Body OwnRuleEdit
}

// OwnRuleState is another state for a rule.
type OwnRuleState struct {
	State   string `json:"state" enum:"draft,testing,live,off" doc:"What it shall be"`
	Version int64  `json:"version" minimum:"1" doc:"The version you looked at"`
}

// SetOwnRuleIn sets a rule's state.
type SetOwnRuleIn struct {
	ByIDAct
	Body OwnRuleState
}

// ReplayOwnRuleIn plays stored records to a rule.
type ReplayOwnRuleIn struct {
	ByID
	Body OwnReplayAsked
}

// OwnReplayAsked says over how many days, and perhaps by which text.
type OwnReplayAsked struct {
	Days int    `json:"days" minimum:"1" maximum:"180" doc:"How many days back"`
	Text string `json:"text,omitempty" maxLength:"65536" doc:"Another text than the rule has, not kept"`
}

const ownColumns = `id, name, title, level, state, sources, origin, version, hits, last_hit, noisy, created, created_by, changed, changed_by`

type ownRow struct {
	OwnRule
	level, sources                string
	last, noisy, created, changed int64
}

func (r *ownRow) fields() []any {
	return []any{&r.ID, &r.Name, &r.Title, &r.level, &r.State, &r.sources, &r.Origin, &r.Version, &r.Hits, &r.last, &r.noisy, &r.created, &r.CreatedBy, &r.changed, &r.ChangedBy}
}

// ownSources are the logs of a rule as its row keeps them.
type ownSources struct {
	Names []string `json:"names"`
	Lacks string   `json:"lacks"`
}

func (r *ownRow) view() (OwnRule, error) {
	var s ownSources
	if err := json.Unmarshal([]byte(r.sources), &s); err != nil {
		return r.OwnRule, fmt.Errorf("rule %s: %w", r.ID, err)
	}
	r.Sources, r.Lacks = orNone(s.Names), s.Lacks
	r.Severity = (&sigma.Head{Level: r.level}).Severity()
	r.LastHit, r.Noisy, r.Created, r.Changed = tocsin.FromMillis(r.last), tocsin.FromMillis(r.noisy), tocsin.FromMillis(r.created), tocsin.FromMillis(r.changed)
	return r.OwnRule, nil
}

// ListOwnRules lists the customer's own rules, by name.
func (s *Service) ListOwnRules(ctx context.Context, in ListIn) (Page[OwnRule], error) {
	return view(ctx, s, "sigma list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[OwnRule], error) {
		var p Page[OwnRule]
		after, err := parseCursor(in.After, "own", 1)
		if err != nil {
			return p, err
		}
		n := in.limit()
		rows, err := find(ctx, t, (&query{}).add("select "+ownColumns+" from own_rule where tenant = $1 and name > ? order by name limit ?", after.text(0), n+1), (*ownRow).fields)
		if err != nil {
			return p, err
		}
		open, err := openByRule(ctx, t)
		if err != nil {
			return p, err
		}
		list := make([]OwnRule, len(rows))
		for i := range rows {
			if list[i], err = rows[i].view(); err != nil {
				return p, err
			}
			list[i].Open = open[list[i].Name].Open
		}
		p = paged(list, n, func(r OwnRule) string { return cursor("own", r.Name) })
		return total(in.Paging, p, func() (int, bool, error) { return counted(ctx, t, (&query{}).add("own_rule where tenant = $1")) })
	})
}

// GetOwnRule is one rule with its text, its tests and what it met.
func (s *Service) GetOwnRule(ctx context.Context, in ByID) (OwnRuleDetail, error) {
	return view(ctx, s, "sigma get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (OwnRuleDetail, error) {
		return s.ownRule(ctx, t, in.ID)
	})
}

// ownRuleAt is a rule's row and text, by id or name.
func ownRuleAt(ctx context.Context, t *store.Tenant, id string) (r ownRow, text, samples string, err error) {
	err = t.QueryRow(ctx, `select `+ownColumns+`, text, samples from own_rule where tenant = $1 and (id = $2 or name = $2)`, id).Scan(append(r.fields(), &text, &samples)...)
	if errors.Is(err, store.ErrNone) {
		return r, "", "", notFound("rule")
	}
	return r, text, samples, err
}

func (s *Service) ownRule(ctx context.Context, t *store.Tenant, id string) (d OwnRuleDetail, err error) {
	r, text, samples, err := ownRuleAt(ctx, t, id)
	if err != nil {
		return d, err
	}
	if d.OwnRule, err = r.view(); err != nil {
		return d, err
	}
	d.Text, d.Samples = text, []collect.OwnSample{}
	if err := json.Unmarshal([]byte(samples), &d.Samples); err != nil {
		return d, fmt.Errorf("rule %s: %w", r.ID, err)
	}
	tried := tryOwn(text, r.Name)
	d.Problems, d.Tests, d.About = tried.Problems, tried.Tests, tried.About
	open, err := openByRule(ctx, t)
	if err != nil {
		return d, err
	}
	d.Open = open[d.Name].Open
	type day struct {
		at int64
		n  int
	}
	since := s.now().UTC().AddDate(0, 0, -29).Truncate(24 * time.Hour)
	days, err := find(ctx, t, (&query{}).add("select day, hits from own_rule_day where tenant = $1 and rule = ? and day >= ?", r.ID, tocsin.Millis(since)), func(v *day) []any { return []any{&v.at, &v.n} })
	if err != nil {
		return d, err
	}
	for at := since; !at.After(s.now()); at = at.AddDate(0, 0, 1) {
		one := collect.OwnDay{Day: at}
		for _, v := range days {
			if v.at == tocsin.Millis(at) {
				one.Hits = v.n
			}
		}
		d.Days = append(d.Days, one)
	}
	type version struct {
		OwnVersion
		at int64
	}
	list, err := find(ctx, t, (&query{}).add("select version, at, who, state, text from own_rule_version where tenant = $1 and rule = ? order by version desc limit 20", r.ID),
		func(v *version) []any { return []any{&v.Version, &v.at, &v.Who, &v.State, &v.Text} })
	d.Versions = []OwnVersion{}
	for _, v := range list {
		v.At = tocsin.FromMillis(v.at)
		d.Versions = append(d.Versions, v.OwnVersion)
	}
	return d, err
}

// tryOwn reads a text and runs its tests.
func tryOwn(text, name string) OwnTested {
	out := OwnTested{Problems: []sigma.Fault{}, Tests: []sigma.Outcome{}, About: detect.Meta{Attack: []string{}, Actions: []string{}}}
	b, err := sigma.Parse([]byte(text))
	if p, ok := errors.AsType[sigma.Faults](err); ok {
		out.Problems = p
		return out
	}
	out.Tests = b.Test()
	out.OK = sigma.Passes(out.Tests)
	named := sigma.Named{Name: name, Bundle: b}
	out.About, out.Lacks = named.Meta(), b.Uncollected()
	out.About.Attack = orNone(out.About.Attack)
	return out
}

// TestOwnRule reads a text and runs its tests; nothing is kept.
func (s *Service) TestOwnRule(ctx context.Context, in TestOwnRuleIn) (OwnTested, error) {
	return view(ctx, s, "sigma test", in, func(context.Context, *store.Tenant, Caller) (OwnTested, error) { return tryOwn(in.Body.Text, ""), nil })
}

// compiledOwn is a text compiled, or a problem that says what is wrong with it.
func compiledOwn(text string) (*sigma.Bundle, error) {
	b, err := sigma.Parse([]byte(text))
	if p, ok := errors.AsType[sigma.Faults](err); ok {
		at := ""
		if p[0].Line > 0 {
			at = fmt.Sprintf("Line %d: ", p[0].Line)
		}
		more := ""
		if len(p) > 1 {
			more = fmt.Sprintf(" (and %s more)", plural(len(p)-1, "fault"))
		}
		return nil, invalid(p[0].Do, "%s%s%s", at, p[0].What, more)
	}
	return b, nil
}

// CreateOwnRule adds a rule, as a draft.
func (s *Service) CreateOwnRule(ctx context.Context, in CreateOwnRuleIn) (OwnRuleDetail, error) {
	return act(ctx, s, "sigma create", in, func(ctx context.Context, t *store.Tenant, c Caller) (OwnRuleDetail, error) {
		b, err := compiledOwn(in.Body.Text)
		if err != nil {
			return OwnRuleDetail{}, err
		}
		id, err := collect.AddOwn(ctx, t, collect.OwnText{Bundle: b, Text: in.Body.Text, State: collect.OwnDraft, Who: c.Email})
		if err != nil {
			return OwnRuleDetail{}, err
		}
		if err := settingsFact(ctx, t, "own_rule.changed", id, c.Email, "created"); err != nil {
			return OwnRuleDetail{}, err
		}
		return s.ownRule(ctx, t, id)
	})
}

// UpdateOwnRule gives a rule another text. One that is tested or live is judged by it from the next record on; a text with faults,
// or of a live rule with tests that fail, is refused, and the rule stays as it is.
func (s *Service) UpdateOwnRule(ctx context.Context, in UpdateOwnRuleIn) (OwnRuleDetail, error) {
	return act(ctx, s, "sigma update", in, func(ctx context.Context, t *store.Tenant, c Caller) (OwnRuleDetail, error) {
		r, _, _, err := ownRuleAt(ctx, t, in.ID)
		if err != nil {
			return OwnRuleDetail{}, err
		}
		b, err := compiledOwn(in.Body.Text)
		if err != nil {
			return OwnRuleDetail{}, err
		}
		if r.Origin != "" {
			return OwnRuleDetail{}, ownElsewhere(r.Origin)
		}
		if err := mayRun(b, r.State); err != nil {
			return OwnRuleDetail{}, err
		}
		err = collect.ChangeOwn(ctx, t, r.ID, in.Body.Version, collect.OwnText{Bundle: b, Text: in.Body.Text, State: r.State, Who: c.Email})
		return s.changedOwn(ctx, t, r.ID, c, "text", err)
	})
}

func ownElsewhere(file string) error {
	return tocsin.Problemf(tocsin.Conflict, "Change it there: it is read again within a minute.", "The rule comes from the file %s.", file)
}

func (s *Service) changedOwn(ctx context.Context, t *store.Tenant, id string, c Caller, what string, err error) (OwnRuleDetail, error) {
	if errors.Is(err, collect.ErrOwnStale) {
		return OwnRuleDetail{}, errStale
	}
	if err != nil {
		return OwnRuleDetail{}, err
	}
	if err := settingsFact(ctx, t, "own_rule.changed", id, c.Email, what); err != nil {
		return OwnRuleDetail{}, err
	}
	return s.ownRule(ctx, t, id)
}

// mayRun says why a rule cannot be tested on what comes, or go live.
func mayRun(b *sigma.Bundle, state string) error {
	if state != collect.OwnTesting && state != collect.OwnLive {
		return nil
	}
	if why := b.Uncollected(); why != "" {
		return tocsin.Problemf(tocsin.Conflict, "Leave it a draft, or read exported files with it: tocsin analyze --rules.", "%s", why)
	}
	if state == collect.OwnTesting {
		return nil
	}
	for _, o := range b.Test() {
		if !o.OK {
			return tocsin.Problemf(tocsin.Conflict, "Mend the rule or the test; what the test says stands on the rule's page.", "A rule goes live when its tests come out as they should. “%s” (line %d): %s", o.Name, o.Line, o.Says)
		}
	}
	return nil
}

// SetOwnRule sets a rule's state. It goes live only if its own tests come out as they should.
func (s *Service) SetOwnRule(ctx context.Context, in SetOwnRuleIn) (OwnRuleDetail, error) {
	return act(ctx, s, "sigma set", in, func(ctx context.Context, t *store.Tenant, c Caller) (OwnRuleDetail, error) {
		r, text, _, err := ownRuleAt(ctx, t, in.ID)
		if err != nil {
			return OwnRuleDetail{}, err
		}
		b, err := compiledOwn(text)
		if err != nil {
			return OwnRuleDetail{}, err
		}
		if err := mayRun(b, in.Body.State); err != nil {
			return OwnRuleDetail{}, err
		}
		err = collect.ChangeOwn(ctx, t, r.ID, in.Body.Version, collect.OwnText{Bundle: b, Text: text, State: in.Body.State, Who: c.Email})
		return s.changedOwn(ctx, t, r.ID, c, in.Body.State, err)
	})
}

// DeleteOwnRule forgets a rule. What it found stays.
func (s *Service) DeleteOwnRule(ctx context.Context, in ByIDAct) (None, error) {
	return act(ctx, s, "sigma delete", in, func(ctx context.Context, t *store.Tenant, c Caller) (None, error) {
		r, _, _, err := ownRuleAt(ctx, t, in.ID)
		if err != nil {
			return None{}, err
		}
		if r.Origin != "" {
			return None{}, ownElsewhere(r.Origin)
		}
		if err := collect.DeleteOwn(ctx, t, r.ID); err != nil {
			return None{}, err
		}
		return None{}, settingsFact(ctx, t, "own_rule.changed", r.ID, c.Email, "deleted")
	})
}

// ReplayOwnRule says what a rule would have found in what is stored. It files nothing.
func (s *Service) ReplayOwnRule(ctx context.Context, in ReplayOwnRuleIn) (collect.OwnReplay, error) {
	var b *sigma.Bundle
	var name string
	_, err := view(ctx, s, "sigma replay", in, func(ctx context.Context, t *store.Tenant, _ Caller) (None, error) {
		r, text, _, err := ownRuleAt(ctx, t, in.ID)
		if err != nil {
			return None{}, err
		}
		if strings.TrimSpace(in.Body.Text) != "" {
			text = in.Body.Text
		}
		name = r.Name
		b, err = compiledOwn(text)
		return None{}, err
	})
	if err != nil {
		return collect.OwnReplay{}, err
	}
	return collect.ReplayOwn(ctx, s.st, in.Tenant, name, b, in.Body.Days)
}

// ownMeta is what a rule of the customer's own says of itself, or nil where there is none of this name.
func ownMeta(ctx context.Context, t *store.Tenant, name string) (*detect.Meta, error) {
	if !sigma.Owns(name) {
		return nil, nil
	}
	_, text, _, err := ownRuleAt(ctx, t, name)
	if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code == tocsin.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := sigma.Parse([]byte(text))
	if err != nil {
		return nil, nil // it is shown as broken on its own page
	}
	named := sigma.Named{Name: name, Bundle: b}
	m := named.Meta()
	m.Attack = orNone(m.Attack)
	return &m, nil
}
