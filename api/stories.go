package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tocsin.dev"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
)

// Story is what joins of one person's findings: those that follow each other within three days.
type Story struct {
	ID       string          `json:"id"`
	Person   tocsin.PersonID `json:"person"`
	Who      string          `json:"who"`
	Title    string          `json:"title"`
	Why      string          `json:"why"`
	Severity tocsin.Severity `json:"severity"`
	Score    int             `json:"score" doc:"0 to 100: the weightiest finding, and what the others add"`
	Stage    string          `json:"stage" doc:"Of the breach: how far it has come"`
	Stages   []string        `json:"stages" doc:"Of the breach, in the order in which they were come to"`
	Attack   []string        `json:"attack" doc:"MITRE ATT&CK techniques"`
	Takeover string          `json:"takeover" doc:"The finding that says that the account was taken over; empty where it does not look so"`
	Began    time.Time       `json:"began"`
	Ended    time.Time       `json:"ended" doc:"When the last of it happened"`
	Findings int             `json:"findings"`
	Open     int             `json:"open" doc:"How many of its findings are open"`
}

// StoryDetail is a story with its findings.
type StoryDetail struct {
	Story
	Terms    []tocsin.RiskTerm `json:"terms" doc:"What adds up to the score"`
	Parts    []Finding         `json:"parts" doc:"In the order of time"`
	Identity *Identity         `json:"identity"`
	Acts     []Act             `json:"acts" doc:"What can be done about the person here"`

	Playbooks []remediate.Playbook `json:"playbooks" doc:"Several acts at once that fit it: the customer's own first"`
}

// StoriesIn filters stories. The worst first.
type StoriesIn struct {
	In
	Paging
	Person   tocsin.PersonID `query:"person" maxLength:"100" doc:"Only of this person"`
	Takeover bool            `query:"takeover" doc:"Only those in which an account was taken over"`
	All      bool            `query:"all" doc:"Also those of which nothing is open"`
}

const storyColumns = `id, person, who, title, why, severity, severity_rank, score, stage, stages, attack, terms, takeover, began, ended, findings, open`

type storyRow struct {
	Story
	stages, attack, terms string
	rank, began, ended    int64
}

func (r *storyRow) fields() []any {
	return []any{&r.ID, &r.Person, &r.Who, &r.Title, &r.Why, &r.Severity, &r.rank, &r.Score, &r.Stage, &r.stages, &r.attack, &r.terms, &r.Takeover, &r.began, &r.ended, &r.Findings, &r.Open}
}

func (r *storyRow) view() (Story, error) {
	r.Began, r.Ended = tocsin.FromMillis(r.began), tocsin.FromMillis(r.ended)
	err := errors.Join(json.Unmarshal([]byte(r.stages), &r.Stages), json.Unmarshal([]byte(r.attack), &r.Attack))
	r.Stages, r.Attack = orNone(r.Stages), orNone(r.Attack)
	if err != nil {
		err = fmt.Errorf("story %s: %w", r.ID, err)
	}
	return r.Story, err
}

func storyViews(rows []storyRow) ([]Story, error) {
	out := make([]Story, len(rows))
	for i := range rows {
		var err error
		if out[i], err = rows[i].view(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ListStories lists stories, the worst first.
func (s *Service) ListStories(ctx context.Context, in StoriesIn) (Page[Story], error) {
	return view(ctx, s, "stories list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Story], error) {
		var p Page[Story]
		after, err := parseCursor(in.After, "stories", 4)
		if err != nil {
			return p, err
		}
		n := in.limit()
		q := (&query{}).add("select " + storyColumns + " from attack_story where tenant = $1")
		in.conditions(q)
		if !after.begins() {
			q.add(" and (severity_rank, score, ended, id) < (?, ?, ?, ?)", after.number(0), after.number(1), after.number(2), after.text(3))
		}
		rows, err := find(ctx, t, q.add(" order by severity_rank desc, score desc, ended desc, id desc limit ?", n+1), (*storyRow).fields)
		if err != nil {
			return p, err
		}
		pieces := paged(rows, n, func(r storyRow) string { return cursor("stories", r.rank, int64(r.Score), r.ended, r.ID) })
		p.Next = pieces.Next
		if p.Items, err = storyViews(pieces.Items); err != nil {
			return p, err
		}
		return total(in.Paging, p, func() (int, bool, error) {
			from := (&query{}).add("attack_story where tenant = $1")
			in.conditions(from)
			return counted(ctx, t, from)
		})
	})
}

func (in *StoriesIn) conditions(q *query) {
	if in.Person != "" {
		q.add(" and person = ?", in.Person)
	}
	if in.Takeover {
		q.add(" and takeover <> ''")
	}
	if !in.All {
		q.add(" and open > 0")
	}
}

// storiesOf are a person's stories, the newest first.
func storiesOf(ctx context.Context, t *store.Tenant, person tocsin.PersonID) ([]Story, error) {
	rows, err := find(ctx, t, (&query{}).add("select "+storyColumns+" from attack_story where tenant = $1 and person = ? order by began desc, id limit 20", person), (*storyRow).fields)
	if err != nil {
		return nil, err
	}
	return storyViews(rows)
}

// storyWith is the story of which a finding is a part, or which it tells of; nil where there is none.
func storyWith(ctx context.Context, t *store.Tenant, finding string) (*Story, error) {
	q := (&query{}).add("select "+storyColumns+" from attack_story where tenant = $1 and (id = (select story from attack_story_part where tenant = $1 and finding = ?)", finding)
	q.add(" or takeover = ? and person = (select person from finding where tenant = $1 and id = ?)) order by id limit 1", finding, finding)
	rows, err := find(ctx, t, q, (*storyRow).fields)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	story, err := rows[0].view()
	return &story, err
}

// GetStory is a story with all that happened in it.
func (s *Service) GetStory(ctx context.Context, in ByID) (StoryDetail, error) {
	return view(ctx, s, "stories get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (StoryDetail, error) {
		var r storyRow
		var d StoryDetail
		err := t.QueryRow(ctx, `select `+storyColumns+` from attack_story where tenant = $1 and id = $2`, in.ID).Scan(r.fields()...)
		if errors.Is(err, store.ErrNone) {
			return d, notFound("story")
		}
		if err != nil {
			return d, err
		}
		if d.Story, err = r.view(); err != nil {
			return d, err
		}
		if err := json.Unmarshal([]byte(r.terms), &d.Terms); err != nil {
			return d, fmt.Errorf("story %s: %w", in.ID, err)
		}
		d.Terms = orNone(d.Terms)
		if d.Playbooks, err = remediate.Offered(ctx, t, in.ID); err != nil {
			return d, err
		}
		q := (&query{}).add("select "+findingColumns+" from finding where tenant = $1 and id in (select finding from attack_story_part where tenant = $1 and story = ?) order by first_seen, id limit 200", in.ID)
		rows, err := find(ctx, t, q, (*findingRow).fields)
		if err != nil {
			return d, err
		}
		if d.Parts, err = findingViews(ctx, t, rows); err != nil {
			return d, err
		}
		who, err := identities(ctx, t, d.Person)
		if err != nil {
			return d, err
		}
		if len(who) > 0 {
			d.Identity = &who[0]
		}
		d.Acts, err = actsOn(ctx, t, d.Person, nil)
		return d, err
	})
}
