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
	Title    string          `json:"title"`
	Version  int64           `json:"version"`  // of a playbook of one's own that was run, else 0
	Undoes   string          `json:"undoes"`   // the run that this one undoes, else empty
	Undoable int             `json:"undoable"` // steps that were done and can be undone
	Actions  []Action        `json:"actions"`  // in their order
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

// PlaybooksIn lists playbooks.
type PlaybooksIn struct {
	In
	Paging
	Story string `query:"story" maxLength:"100" doc:"Only those that are offered on this story"`
}

// ListPlaybooks are the playbooks there are: the customer's own, and those that come with Tocsin.
func (s *Service) ListPlaybooks(ctx context.Context, in PlaybooksIn) (Page[remediate.Playbook], error) {
	return view(ctx, s, "playbooks list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[remediate.Playbook], error) {
		var all []remediate.Playbook
		var err error
		if in.Story != "" {
			all, err = remediate.Offered(ctx, t, in.Story)
		} else if all, err = remediate.OwnPlaybooks(ctx, t); err == nil {
			all = append(all, remediate.Playbooks...)
		}
		if err != nil {
			return Page[remediate.Playbook]{}, err
		}
		return sliced(all, in.Paging, "playbooks")
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
		return runView(ctx, t, c)(s.o.Desk.RecordPlaybook(ctx, t, asWho(c, t.ID()), p))
	})
}

// GetPlaybookRun is a run with its steps.
func (s *Service) GetPlaybookRun(ctx context.Context, in ByID) (PlaybookRun, error) {
	return view(ctx, s, "playbooks get", in, func(ctx context.Context, t *store.Tenant, c Caller) (PlaybookRun, error) {
		return runView(ctx, t, c)(remediate.GetRun(ctx, t, in.ID))
	})
}

// ApprovePlaybook approves every step of a run that waits, and RefusePlaybook refuses them.
func (s *Service) ApprovePlaybook(ctx context.Context, in ActionDecideIn) (PlaybookRun, error) {
	return act(ctx, s, "playbooks approve", in, func(ctx context.Context, t *store.Tenant, c Caller) (PlaybookRun, error) {
		return runView(ctx, t, c)(remediate.ApproveRun(ctx, t, asWho(c, t.ID()), in.ID, in.Body.Note))
	})
}

// RefusePlaybook refuses every step of a run that waits for approval.
func (s *Service) RefusePlaybook(ctx context.Context, in ActionDecideIn) (PlaybookRun, error) {
	return act(ctx, s, "playbooks refuse", in, func(ctx context.Context, t *store.Tenant, c Caller) (PlaybookRun, error) {
		return runView(ctx, t, c)(remediate.RefuseRun(ctx, t, asWho(c, t.ID()), in.ID, in.Body.Note))
	})
}

// runView is a run as the caller may see it.
func runView(ctx context.Context, t *store.Tenant, c Caller) func(*remediate.Run, error) (PlaybookRun, error) {
	return func(r *remediate.Run, err error) (PlaybookRun, error) {
		if err != nil {
			return PlaybookRun{}, err
		}
		out := PlaybookRun{ID: r.ID, Playbook: r.Playbook, Title: remediate.PlaybookTitle(ctx, t, r.Playbook), Version: r.Version, Undoes: r.Undoes, Person: r.Person, Who: r.Who, Finding: r.Finding, Why: r.Why, AskedBy: r.AskedEmail, Created: r.Created, Mine: r.AskedBy == c.Account, Actions: actionViews(r.Steps, c)}
		for _, a := range r.Steps {
			if a.State == remediate.Waiting {
				out.Waiting++
			}
		}
		out.Undoable = r.Undoable()
		return out, nil
	}
}

// UndoPlaybook records the undo of every step of a run that was done and can be undone, the last first: a run of its own.
func (s *Service) UndoPlaybook(ctx context.Context, in UndoIn) (PlaybookRun, error) {
	tenant := tenantOf(in)
	var of *remediate.Run
	var drafts []*remediate.Draft
	c, err := s.allow(ctx, "playbooks undo", tenant)
	if err == nil {
		err = valid(in)
	}
	if err == nil && s.o.Desk == nil {
		err = errNoDesk
	}
	if key := keyOf(in); err == nil && key != "" { // the same request again, after the undo has begun: its first answer stands under its key
		var out PlaybookRun
		var had bool
		if err := s.st.UpdateTenant(ctx, tenant, func(t *store.Tenant) (err error) {
			had, err = recall(ctx, t, key, c.Account, requestHash("playbooks undo", in), s.now(), &out)
			return err
		}); had || err != nil {
			return out, err
		}
	}
	if err == nil {
		of, drafts, err = s.o.Desk.PlanUndoRun(ctx, tenant, in.ID, in.Body.Why, in.Body.Force)
	}
	if err != nil {
		s.refused(ctx, "playbooks undo", tenant, in, c, err)
		return PlaybookRun{}, err
	}
	return act(ctx, s, "playbooks undo", in, func(ctx context.Context, t *store.Tenant, c Caller) (PlaybookRun, error) {
		return runView(ctx, t, c)(s.o.Desk.RecordUndoRun(ctx, t, asWho(c, t.ID()), of, in.Body.Why, drafts))
	})
}
