package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/store"
)

// What was found about a person is joined into stories, and a story of a takeover makes a finding of its own, in the transaction
// that files the findings: so whoever follows the findings' facts meets the stories as they are with them. The same findings make
// the same stories, in whatever order they came; a story keeps its id as it grows.

// joined makes the stories of people anew, and reckons how much they are at risk.
func joined(ctx context.Context, t *store.Tenant, now time.Time, people []tocsin.PersonID) error {
	of := map[tocsin.PersonID]about{}
	for _, p := range people {
		a, err := joinedOne(ctx, t, now, p)
		if err != nil {
			return fmt.Errorf("join what was found about %s: %w", p, err)
		}
		of[p] = a
	}
	return reckoned(ctx, t, now, of)
}

// parted are the findings that stories are made of. An odd day that is told as something else by now is one of them.
func parted(found []aboutPerson) (parts []rule.Part) {
	for _, f := range found {
		again := f.status == tocsin.Fixed && ofPersona(f.Rule) && slices.ContainsFunc(found, func(o aboutPerson) bool { return o.Open && ofPersona(o.Rule) && o.cause == f.cause })
		if f.Open || f.status == tocsin.Fixed && !again {
			parts = append(parts, f.Part)
		}
	}
	return parts
}

// ofPersona says whether a rule finds odd days of a person.
func ofPersona(name string) bool {
	return slices.ContainsFunc(rule.Personas, func(m detect.Meta) bool { return m.Name == name })
}

func joinedOne(ctx context.Context, t *store.Tenant, now time.Time, person tocsin.PersonID) (a about, err error) {
	// Two that file at once wait for each other here, so that the later sees what the earlier filed.
	if _, err := t.Exec(ctx, `insert into identity_risk (tenant, person, risk, terms, judged, due) values ($1, $2, 0, '[]', 0, 0)
		on conflict (tenant, person) do update set judged = identity_risk.judged`, string(person)); err != nil {
		return a, err
	}
	by, err := foundAbout(ctx, t, person)
	if err != nil {
		return a, err
	}
	found := by[person]
	stories, err := storiesHeld(ctx, t, person)
	if err != nil {
		return a, err
	}
	list := rule.Join(parted(found))
	ids := stories.named(t.ID(), person, list)
	who := ""
	if err := t.QueryRow(ctx, `select case when mail <> '' then mail else upn end from person where tenant = $1 and person = $2`, string(person)).Scan(&who); err != nil && !errors.Is(err, store.ErrNone) {
		return a, err
	}
	var taken []tocsin.Finding
	for i := range list {
		s := &list[i]
		takeover := ""
		if s.Takeover {
			f := rule.Takeover(s, person, who, ids[i])
			takeover = tocsin.NewFindingID(t.ID(), f.Rule, rule.Identity(&f), f.Cause)
			if s.Open() > 0 {
				taken = append(taken, f)
			}
		}
		if err := stories.keep(ctx, t, now, ids[i], person, who, takeover, s); err != nil {
			return a, err
		}
	}
	if err := stories.drop(ctx, t, ids); err != nil {
		return a, err
	}
	if len(taken) > 0 || slices.ContainsFunc(found, func(f aboutPerson) bool { return f.Rule == rule.AccountTakeover && f.Open }) {
		f := filing{t: t, now: now, rules: map[string]bool{rule.AccountTakeover: true}, joins: true}
		if err := f.file(ctx, taken, `person = $2 and rule = $3`, string(person), rule.AccountTakeover); err != nil {
			return a, err
		}
		if by, err = foundAbout(ctx, t, person); err != nil {
			return a, err
		}
		found = by[person]
	}
	return about{found, list}, nil
}

// aboutPerson is a finding about a person, with what was decided of it.
type aboutPerson struct {
	rule.Part
	status tocsin.Status
	cause  string
	last   time.Time
}

// foundAbout are people's findings, the oldest first. They are sorted here: by an index of their times those of everybody
// would be read.
func foundAbout(ctx context.Context, t *store.Tenant, people ...tocsin.PersonID) (map[tocsin.PersonID][]aboutPerson, error) {
	out := map[tocsin.PersonID][]aboutPerson{}
	err := each(ctx, t, func(scan func(...any) error) error {
		var f aboutPerson
		var p tocsin.PersonID
		var body string
		var first, last int64
		if err := scan(&p, &f.ID, &f.Rule, &f.Title, &f.Severity, &f.Risk, &f.Stage, &f.Why, &f.status, &first, &last, &body); err != nil {
			return err
		}
		var x struct {
			Attack []string
			Cause  string
		}
		if err := json.Unmarshal([]byte(body), &x); err != nil {
			return err
		}
		f.cause = x.Cause
		f.Attack, f.At, f.last = x.Attack, tocsin.FromMillis(first), tocsin.FromMillis(last)
		f.Open = f.status == tocsin.Open || f.status == tocsin.InWork
		out[p] = append(out[p], f)
		return nil
	}, `select person, id, rule, title, severity, risk, stage, why, status, first_seen, last_seen, body from finding where tenant = $1 and person in (`+store.In(len(people), 2)+`) order by first_seen, id`, anys(people)...)
	return out, err
}

// heldStories are a person's stories as they are kept.
type heldStories struct {
	of    map[string]string // a finding's story
	began map[string]int64
	told  map[string]string // what a story's row says, to see whether it changes
}

func storiesHeld(ctx context.Context, t *store.Tenant, person tocsin.PersonID) (*heldStories, error) {
	h := &heldStories{of: map[string]string{}, began: map[string]int64{}, told: map[string]string{}}
	err := each(ctx, t, func(scan func(...any) error) error {
		var id, why, terms, takeover string
		var began, findings, open int64
		err := scan(&id, &why, &terms, &takeover, &began, &findings, &open)
		h.began[id], h.told[id] = began, rowSays(why, terms, takeover, findings, open)
		return err
	}, `select id, why, terms, takeover, began, findings, open from attack_story where tenant = $1 and person = $2 order by began`, string(person))
	if err != nil || len(h.began) == 0 {
		return h, err
	}
	return h, each(ctx, t, func(scan func(...any) error) error {
		var finding, story string
		err := scan(&finding, &story)
		h.of[finding] = story
		return err
	}, `select finding, story from attack_story_part where tenant = $1 and story in (select id from attack_story where tenant = $1 and person = $2)`, string(person))
}

func rowSays(why, terms, takeover string, findings, open int64) string {
	return fmt.Sprint(why, "\x00", terms, "\x00", takeover, "\x00", findings, "\x00", open)
}

// named gives each story the id under which it is kept: that of the oldest one of which it has a finding and which no other has
// taken, else a new one.
func (h *heldStories) named(tenant tocsin.TenantID, person tocsin.PersonID, list []rule.Story) []string {
	ids, taken := make([]string, len(list)), map[string]bool{}
	for i := range list {
		for _, p := range list[i].Parts {
			id := h.of[p.ID]
			if id != "" && !taken[id] && (ids[i] == "" || h.began[id] < h.began[ids[i]]) {
				ids[i] = id
			}
		}
		if ids[i] == "" {
			ids[i] = tocsin.NewFindingID(tenant, "story", string(person), list[i].Parts[0].ID)
		}
		for n := 0; taken[ids[i]]; n++ { // a story that was parted, whose first finding went to the other
			ids[i] = tocsin.NewFindingID(tenant, "story", string(person), fmt.Sprint(list[i].Parts[0].ID, n))
		}
		taken[ids[i]] = true
	}
	return ids
}

func (h *heldStories) keep(ctx context.Context, t *store.Tenant, now time.Time, id string, person tocsin.PersonID, who, takeover string, s *rule.Story) error {
	terms, err := encode(s.Terms)
	if err != nil {
		return err
	}
	if h.told[id] != rowSays(s.Why, string(terms), takeover, int64(len(s.Parts)), int64(s.Open())) {
		stages, err := encode(s.Stages)
		if err != nil {
			return err
		}
		attack, err := encode(s.Attack)
		if err != nil {
			return err
		}
		row := []any{id, string(person), who, s.Title, s.Why, string(s.Severity), s.Severity.Rank(), s.Score, s.Stages[len(s.Stages)-1], string(stages), string(attack), string(terms), takeover,
			tocsin.Millis(s.Began()), tocsin.Millis(s.Ended()), len(s.Parts), s.Open(), tocsin.Millis(now)}
		if err := t.Insert(ctx, store.Into{Table: "attack_story", Key: []string{"id"}, Columns: []string{"id", "person", "who", "title", "why", "severity", "severity_rank", "score", "stage", "stages",
			"attack", "terms", "takeover", "began", "ended", "findings", "open", "changed"}}, [][]any{row}); err != nil {
			return err
		}
		if err := t.Append(ctx, store.Fact{Kind: "story.changed", Subject: id, Person: string(person)}); err != nil {
			return err
		}
	}
	var rows [][]any
	for _, p := range s.Parts {
		if h.of[p.ID] != id {
			rows = append(rows, []any{p.ID, id})
		}
		delete(h.of, p.ID)
	}
	return t.Insert(ctx, store.Into{Table: "attack_story_part", Key: []string{"finding"}, Columns: []string{"finding", "story"}}, rows)
}

// drop forgets the findings that are of no story any more, and the stories that are none.
func (h *heldStories) drop(ctx context.Context, t *store.Tenant, ids []string) error {
	for _, finding := range sortedKeys(h.of) {
		if _, err := t.Exec(ctx, `delete from attack_story_part where tenant = $1 and finding = $2`, finding); err != nil {
			return err
		}
	}
	for _, id := range sortedKeys(h.began) {
		if slices.Contains(ids, id) {
			continue
		}
		if _, err := t.Exec(ctx, `delete from attack_story where tenant = $1 and id = $2`, id); err != nil {
			return err
		}
		if err := t.Append(ctx, store.Fact{Kind: "story.changed", Subject: id}); err != nil {
			return err
		}
	}
	return nil
}
