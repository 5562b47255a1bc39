package api

import (
	"context"
	"time"

	"tocsin.dev"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
)

// PlaybookNew is a playbook that is asked for.
type PlaybookNew struct {
	Playbook string          `json:"playbook" minLength:"1" maxLength:"50" doc:"Which: see the list of playbooks"`
	Person   tocsin.PersonID `json:"person" minLength:"1" maxLength:"320" doc:"The person's id, or address"`
	Finding  string          `json:"finding,omitempty" maxLength:"100" doc:"The finding that it is run on"`
	Why      string          `json:"why" minLength:"1" maxLength:"2000" doc:"Why; kept in the history of each step"`
	Force    bool            `json:"force,omitempty" doc:"Do it in spite of what the plans say stands against it, where you may"`
}

// PlaybookPlan is what a playbook would do, step by step: nothing of it is recorded.
type PlaybookPlan struct {
	remediate.Playbook
	Plans []ActionPlan `json:"plans"` // in their order; what is not possible is left out, and says why
}

// PlaybookRun is a playbook that was run, with its steps.
type PlaybookRun struct {
	ID       string          `json:"id"`
	Playbook string          `json:"playbook"`
	Person   tocsin.PersonID `json:"person"`
	Who      string          `json:"who"`
	Finding  string          `json:"finding"`
	Why      string          `json:"why"`
	AskedBy  string          `json:"asked_by"`
	Created  time.Time       `json:"created"`
	Mine     bool            `json:"mine"`    // you asked for it, so somebody else has to approve it
	Waiting  int             `json:"waiting"` // steps that wait for approval
	Actions  []Action        `json:"actions"` // in their order
}

// PlanPlaybookIn asks what a playbook would do.
type PlanPlaybookIn struct {
	In
	Body PlaybookNew
}

// RunPlaybookIn asks for a playbook.
type RunPlaybookIn struct {
	In
	Key
	Body PlaybookNew
}

// ListPlaybooks are the playbooks there are.
func (s *Service) ListPlaybooks(ctx context.Context, in ListIn) (Page[remediate.Playbook], error) {
	return view(ctx, s, "playbooks list", in, func(context.Context, *store.Tenant, Caller) (Page[remediate.Playbook], error) {
		return Page[remediate.Playbook]{Items: remediate.Playbooks}, nil
	})
}

// playbook plans one, after the caller's role and the input were checked.
func (s *Service) playbook(ctx context.Context, name string, in any, n PlaybookNew) (*remediate.PlaybookPlan, Caller, error) {
	tenant := tenantOf(in)
	c, err := s.allow(ctx, name, tenant)
	if err != nil {
		return nil, c, err
	}
	if err := valid(in); err != nil {
		return nil, c, err
	}
	if s.o.Desk == nil {
		return nil, c, errNoDesk
	}
	ask := remediate.Asking{Playbook: n.Playbook, Finding: n.Finding, Why: n.Why, Force: n.Force}
	err = s.st.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		ask.Person, err = personNamed(ctx, t, n.Person)
		return err
	})
	if err != nil {
		return nil, c, err
	}
	p, err := s.o.Desk.PlanPlaybook(ctx, tenant, ask)
	return p, c, err
}

// PlanPlaybook says what a playbook would do: the dry run of each of its steps.
func (s *Service) PlanPlaybook(ctx context.Context, in PlanPlaybookIn) (PlaybookPlan, error) {
	p, c, err := s.playbook(ctx, "playbooks plan", in, in.Body)
	if err != nil {
		return PlaybookPlan{}, err
	}
	out := PlaybookPlan{Playbook: p.Playbook, Plans: []ActionPlan{}}
	for _, f := range p.Steps {
		out.Plans = append(out.Plans, planView(f, asWho(c, tenantOf(in)).Owner))
	}
	return out, nil
}

// RunPlaybook records the steps of a playbook, which are then done by themselves, or wait for approval.
func (s *Service) RunPlaybook(ctx context.Context, in RunPlaybookIn) (PlaybookRun, error) {
	p, c, err := s.playbook(ctx, "playbooks run", in, in.Body)
	if err != nil {
		s.refused(ctx, "playbooks run", tenantOf(in), in, c, err)
		return PlaybookRun{}, err
	}
	return act(ctx, s, "playbooks run", in, func(ctx context.Context, t *store.Tenant, c Caller) (PlaybookRun, error) {
		return runView(c)(s.o.Desk.RecordPlaybook(ctx, t, asWho(c, t.ID()), p))
	})
}

// GetPlaybookRun is a run with its steps.
func (s *Service) GetPlaybookRun(ctx context.Context, in ByID) (PlaybookRun, error) {
	return view(ctx, s, "playbooks get", in, func(ctx context.Context, t *store.Tenant, c Caller) (PlaybookRun, error) {
		return runView(c)(remediate.GetRun(ctx, t, in.ID))
	})
}

// ApprovePlaybook approves every step of a run that waits, and RefusePlaybook refuses them.
func (s *Service) ApprovePlaybook(ctx context.Context, in ActionDecideIn) (PlaybookRun, error) {
	return act(ctx, s, "playbooks approve", in, func(ctx context.Context, t *store.Tenant, c Caller) (PlaybookRun, error) {
		return runView(c)(remediate.ApproveRun(ctx, t, asWho(c, t.ID()), in.ID, in.Body.Note))
	})
}

// RefusePlaybook refuses every step of a run that waits for approval.
func (s *Service) RefusePlaybook(ctx context.Context, in ActionDecideIn) (PlaybookRun, error) {
	return act(ctx, s, "playbooks refuse", in, func(ctx context.Context, t *store.Tenant, c Caller) (PlaybookRun, error) {
		return runView(c)(remediate.RefuseRun(ctx, t, asWho(c, t.ID()), in.ID, in.Body.Note))
	})
}

// runView is a run as the caller may see it.
func runView(c Caller) func(*remediate.Run, error) (PlaybookRun, error) {
	return func(r *remediate.Run, err error) (PlaybookRun, error) {
		if err != nil {
			return PlaybookRun{}, err
		}
		out := PlaybookRun{ID: r.ID, Playbook: r.Playbook, Person: r.Person, Who: r.Who, Finding: r.Finding, Why: r.Why, AskedBy: r.AskedEmail, Created: r.Created, Mine: r.AskedBy == c.Account, Actions: actionViews(r.Steps, c)}
		for _, a := range r.Steps {
			if a.State == remediate.Waiting {
				out.Waiting++
			}
		}
		return out, nil
	}
}
