package api

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
)

// Action is something done to the tenant, or to be done. States: planned, waiting_approval, approved, running, done (sent,
// and not read back yet), verified, undoing, undone, failed, refused, unknown (sent, and nobody can tell), cancelled.
type Action struct {
	ID         string          `json:"id"`
	Kind       remediate.Kind  `json:"kind"`
	State      remediate.State `json:"state"`
	On         remediate.On    `json:"on"`     // account, methods, rule, role, eligible_role, app, grant, permission
	Person     tocsin.PersonID `json:"person"` // empty where it is an application's
	App        string          `json:"app"`    // the application's service principal, where it is one's
	Who        string          `json:"who"`    // the person's address, or the application's name
	Target     string          `json:"target"` // the id of the rule, role, method, consent or permission
	Name       string          `json:"name"`   // and what it is called
	Finding    string          `json:"finding"`
	Why        string          `json:"why"`
	Forced     bool            `json:"forced"`
	AskedBy    string          `json:"asked_by"`    // an account's e-mail
	ApprovedBy string          `json:"approved_by"` // empty where no approval was needed, or none was given yet
	Undoes     string          `json:"undoes"`      // the action that it undoes
	UndoneBy   string          `json:"undone_by"`   // the action that undid it, or is to
	Made       string          `json:"made"`        // the id of what was made again
	Because    string          `json:"because"`     // why it is where it is
	Mend       string          `json:"mend"`
	Tries      int64           `json:"tries"` // how often it was sent
	CanUndo    bool            `json:"can_undo"`
	Created    time.Time       `json:"created"`
	Changed    time.Time       `json:"changed"`
	Sent       time.Time       `json:"sent,omitzero"`
	Ended      time.Time       `json:"ended,omitzero"`
	Mine       bool            `json:"mine"` // you asked for it, so somebody else has to approve it
	Hard       bool            `json:"hard"` // somebody cannot work while it holds, or it cannot be undone
	Run        string          `json:"run"`  // the playbook's run of which it is a step
	Version    int64           `json:"version"`
}

// ActionDetail is an action with its plan and its history.
type ActionDetail struct {
	Action
	Plan    remediate.Plan `json:"plan"`
	History []ActionChange `json:"history"` // the oldest first
}

// ActionChange is a line of an action's history: the state it came to, or sending, throttled, no_answer, reading_back, held.
type ActionChange struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Who    string    `json:"who"` // an account's e-mail, or tocsin
	Change string    `json:"change"`
	Note   string    `json:"note"`
}

// ActionPlan is what an action would do: nothing of it is recorded.
type ActionPlan struct {
	remediate.Plan
	Who      string `json:"who"`
	Name     string `json:"name"`     // of the rule, role, consent or permission
	Possible bool   `json:"possible"` // nothing stands against it
	Forcible bool   `json:"forcible"` // what stands against it can be overridden by you
}

// ActionNew is what is asked for.
type ActionNew struct {
	Kind    remediate.Kind  `json:"kind" enum:"revoke_sessions,suspend,reinstate,force_password_change,mfa_enroll,confirm_risk,dismiss_risk,disable_rule,delete_rule,remove_admin_role,remove_eligible_role,revoke_grant,remove_permission,disable_app,enable_app" doc:"What to do"`
	Person  tocsin.PersonID `json:"person,omitempty" maxLength:"320" doc:"The person's id, or address, for what is done to an account or a mailbox"`
	App     string          `json:"app,omitempty" maxLength:"100" doc:"The id of the application's service principal, for what is done to one"`
	Target  string          `json:"target,omitempty" maxLength:"500" doc:"The id of the rule, role assignment, eligibility, sign-in method, consent or permission"`
	Finding string          `json:"finding,omitempty" maxLength:"100" doc:"The finding that it is done on"`
	Why     string          `json:"why" minLength:"1" maxLength:"2000" doc:"Why; kept in the history"`
	Force   bool            `json:"force,omitempty" doc:"Do it in spite of what the plan says stands against it, where you may"`
	Seen    string          `json:"seen,omitempty" maxLength:"500" doc:"What the plan said was seen: refused when it has changed since"`
}

// ActionNote is why something is decided.
type ActionNote struct {
	Note string `json:"note,omitempty" maxLength:"2000" doc:"Why; kept in the history"`
}

// UndoNew is why something is undone.
type UndoNew struct {
	Why   string `json:"why" minLength:"1" maxLength:"2000" doc:"Why; kept in the history"`
	Force bool   `json:"force,omitempty" doc:"Do it although the rule has changed since"`
}

// ResponseNew sets how acts may happen in a tenant. What is absent stays as it is.
type ResponseNew struct {
	Approval string   `json:"approval" enum:"none,hard,second_person" doc:"none; second_person: somebody else than who asked must approve; hard: what is felt at work, or cannot be undone, alone"`
	Kinds    []string `json:"kinds,omitempty" enum:"revoke_sessions,suspend,reinstate,force_password_change,mfa_enroll,confirm_risk,dismiss_risk,disable_rule,delete_rule,enable_rule,restore_rule,remove_admin_role,return_admin_role,remove_eligible_role,return_eligible_role,revoke_grant,return_grant,remove_permission,return_permission,disable_app,enable_app" doc:"What needs approval; all where the list is empty"`
	PerHour  *int     `json:"per_hour,omitempty" minimum:"0" maximum:"10000" doc:"How many acts in an hour at most, undos apart; 0 for no limit"`
	AtOnce   *int     `json:"at_once,omitempty" minimum:"0" maximum:"10000" doc:"How many may wait or be under way at most, undos apart; 0 for no limit"`
	Spared   []string `json:"spared,omitempty" doc:"People, by address or id, whom only an owner can have touched: break-glass accounts, say"`
	Version  int64    `json:"version" minimum:"0" doc:"The version that was looked at; 0 for the first"`
}

// ResponseSettings are how acts may happen in a tenant.
type ResponseSettings struct {
	Approval  string    `json:"approval"` // none, hard, second_person
	Kinds     []string  `json:"kinds"`    // what needs approval; all where empty
	PerHour   int       `json:"per_hour"` // 0 for no limit
	AtOnce    int       `json:"at_once"`  // 0 for no limit
	Spared    []string  `json:"spared"`
	Version   int64     `json:"version"`
	Changed   time.Time `json:"changed,omitzero"`
	ChangedBy string    `json:"changed_by,omitempty"`
}

// Act is something that can be done about a finding, a rule or a person here; off says why not and what mends it.
type Act struct {
	Kind   remediate.Kind `json:"kind"`
	Target string         `json:"target,omitempty"` // the id of the rule or role
	Name   string         `json:"name,omitempty"`   // what it is called, where it is one of several
	Off    string         `json:"off,omitempty"`
	Mend   string         `json:"mend,omitempty"`
	Now    string         `json:"now,omitempty"` // the id of the action of that kind that is under way
}

// PlanActionIn asks what an action would do.
type PlanActionIn struct {
	In
	Body ActionNew
}

// CreateActionIn asks for an action.
type CreateActionIn struct {
	In
	Key
	Body ActionNew
}

// ActionsIn filters actions. The newest first.
type ActionsIn struct {
	In
	Paging
	State   []remediate.State `query:"state" enum:"planned,waiting_approval,approved,running,done,verified,undoing,undone,failed,refused,unknown,cancelled" doc:"Only in these states"`
	Kind    []remediate.Kind  `query:"kind" enum:"revoke_sessions,suspend,reinstate,force_password_change,mfa_enroll,confirm_risk,dismiss_risk,disable_rule,delete_rule,enable_rule,restore_rule,remove_admin_role,return_admin_role,remove_eligible_role,return_eligible_role,revoke_grant,return_grant,remove_permission,return_permission,disable_app,enable_app" doc:"Only of these kinds"`
	Person  tocsin.PersonID   `query:"person" maxLength:"100" doc:"Only on this person"`
	App     string            `query:"app" maxLength:"100" doc:"Only on the application of this service principal"`
	Finding string            `query:"finding" maxLength:"100" doc:"Only on this finding"`
	Run     string            `query:"run" maxLength:"100" doc:"Only steps of this run of a playbook"`
}

// ActionDecideIn decides an action.
type ActionDecideIn struct {
	ByIDAct
	Body ActionNote
}

// UndoIn undoes an action.
type UndoIn struct {
	ByIDAct
	Body UndoNew
}

// SetResponseIn sets how acts may happen.
type SetResponseIn struct {
	In
	Key
	Body ResponseNew
}

var errNoDesk = tocsin.Problemf(tocsin.Unavailable, "Run a server that is connected to Microsoft.", "This server cannot act.")

func asWho(c Caller, tenant tocsin.TenantID) remediate.Who {
	return remediate.Who{Account: c.Account, Email: c.Email, Owner: c.Role(tenant).Includes(Owner)}
}

func actionView(a *remediate.Action, c Caller) Action {
	return Action{ID: a.ID, Kind: a.Kind, State: a.State, Person: a.Person, Who: a.Who, On: a.Kind.On(), App: appOf(a), Target: a.Target, Name: a.Name, Hard: a.Kind.Hard(), Run: a.RunID, Finding: a.Finding, Why: a.Why, Forced: a.Forced,
		AskedBy: a.AskedEmail, ApprovedBy: a.ApprovedEmail, Undoes: a.Undoes, UndoneBy: a.UndoneBy, Made: a.Made, Because: a.Because, Mend: a.Mend, Tries: a.Tries,
		CanUndo: a.State == remediate.Verified && a.Plan.CanUndo && a.Kind.Undo() != "", Created: a.Created, Changed: a.Changed, Sent: a.Sent, Ended: a.Ended,
		Mine: a.AskedBy == c.Account, Version: a.Version}
}

// appOf is the service principal of what an action on an application is on.
func appOf(a *remediate.Action) string {
	if a.Kind.On().OfApp() {
		return a.Object
	}
	return ""
}

func actionViews(list []*remediate.Action, c Caller) []Action {
	out := make([]Action, len(list))
	for i, a := range list {
		out[i] = actionView(a, c)
	}
	return out
}

// asked is what is asked for, as package remediate has it; an address is made a person's id.
func (s *Service) asked(ctx context.Context, tenant tocsin.TenantID, n ActionNew) (ask remediate.Ask, err error) {
	ask = remediate.Ask{Kind: n.Kind, Person: n.Person, App: n.App, Target: n.Target, Finding: n.Finding, Why: n.Why, Force: n.Force, Seen: n.Seen}
	on := n.Kind.On()
	if on.OfApp() {
		ask.Person = ""
	} else {
		ask.App = ""
	}
	if !on.Part() && on != remediate.OnMethods {
		ask.Target = ""
	}
	if err := ask.Sound(); err != nil || on.OfApp() {
		return ask, err
	}
	err = s.st.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		ask.Person, err = personNamed(ctx, t, n.Person)
		return err
	})
	return ask, err
}

// drafted plans an action, after the caller's role and the input were checked.
func (s *Service) drafted(ctx context.Context, name string, in any, n ActionNew) (*remediate.Draft, Caller, error) {
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
	ask, err := s.asked(ctx, tenant, n)
	if err != nil {
		return nil, c, err
	}
	f, err := s.o.Desk.Plan(ctx, tenant, ask)
	return f, c, err
}

// planView is a plan as the caller may see it.
func planView(f *remediate.Draft, owner bool) ActionPlan {
	v := ActionPlan{Plan: f.Plan, Who: f.Who(), Name: f.Name(), Possible: len(f.Plan.Stops) == 0 && f.Plan.Already == ""}
	v.Forcible = !v.Possible && f.Plan.Already == "" && !slices.ContainsFunc(f.Plan.Stops, func(s remediate.Stop) bool {
		return s.Force == "" || s.Force == "owner" && !owner
	})
	v.Touches, v.Not = orNone(v.Touches), orNone(v.Not)
	return v
}

// PlanAction says what an action would do: the dry run.
func (s *Service) PlanAction(ctx context.Context, in PlanActionIn) (ActionPlan, error) {
	f, c, err := s.drafted(ctx, "actions plan", in, in.Body)
	if err != nil {
		return ActionPlan{}, err
	}
	return planView(f, asWho(c, tenantOf(in)).Owner), nil
}

// CreateAction records an action, which is then done by itself, or waits for approval.
func (s *Service) CreateAction(ctx context.Context, in CreateActionIn) (Action, error) {
	f, c, err := s.drafted(ctx, "actions create", in, in.Body)
	if err != nil {
		s.refused(ctx, "actions create", tenantOf(in), in, c, err)
		return Action{}, err
	}
	return s.actOn(ctx, "actions create", in, func(ctx context.Context, t *store.Tenant, who remediate.Who) (*remediate.Action, error) {
		return s.o.Desk.Record(ctx, t, who, f)
	})
}

// actOn makes an action, or moves one, and gives it as the caller may see it.
func (s *Service) actOn(ctx context.Context, name string, in any, do func(context.Context, *store.Tenant, remediate.Who) (*remediate.Action, error)) (Action, error) {
	return act(ctx, s, name, in, func(ctx context.Context, t *store.Tenant, c Caller) (Action, error) {
		a, err := do(ctx, t, asWho(c, t.ID()))
		if err != nil {
			return Action{}, err
		}
		return actionView(a, c), nil
	})
}

// planUndo plans an undo, after the caller's role and the input were checked.
func (s *Service) planUndo(ctx context.Context, name string, in any, id, why string, force bool) (*remediate.Draft, Caller, error) {
	c, err := s.allow(ctx, name, tenantOf(in))
	if err != nil {
		return nil, c, err
	}
	if err := valid(in); err != nil {
		return nil, c, err
	}
	if s.o.Desk == nil {
		return nil, c, errNoDesk
	}
	f, err := s.o.Desk.PlanUndo(ctx, tenantOf(in), id, why, force)
	return f, c, err
}

// PlanUndo says what undoing an action would do.
func (s *Service) PlanUndo(ctx context.Context, in ByIDAct) (ActionPlan, error) {
	f, c, err := s.planUndo(ctx, "actions plan-undo", in, in.ID, "", false)
	if err != nil {
		return ActionPlan{}, err
	}
	return planView(f, asWho(c, tenantOf(in)).Owner), nil
}

// UndoAction records the undo of an action: an action of its own.
func (s *Service) UndoAction(ctx context.Context, in UndoIn) (Action, error) {
	f, c, err := s.planUndo(ctx, "actions undo", in, in.ID, in.Body.Why, in.Body.Force)
	if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code == tocsin.Conflict && keyOf(in) != "" {
		// The same request again, after the undo has begun: its first answer stands under its key.
		var out Action
		var had bool
		kept := s.st.UpdateTenant(ctx, tenantOf(in), func(t *store.Tenant) (err error) {
			had, err = recall(ctx, t, keyOf(in), c.Account, requestHash("actions undo", in), s.now(), &out)
			return err
		})
		if had || kept != nil {
			return out, kept
		}
	}
	if err != nil {
		s.refused(ctx, "actions undo", tenantOf(in), in, c, err)
		return Action{}, err
	}
	return s.actOn(ctx, "actions undo", in, func(ctx context.Context, t *store.Tenant, who remediate.Who) (*remediate.Action, error) {
		return s.o.Desk.Record(ctx, t, who, f)
	})
}

type decideAction func(ctx context.Context, t *store.Tenant, who remediate.Who, id, note string) (*remediate.Action, error)

func (s *Service) decideAction(ctx context.Context, name string, in ActionDecideIn, do decideAction) (Action, error) {
	return s.actOn(ctx, name, in, func(ctx context.Context, t *store.Tenant, who remediate.Who) (*remediate.Action, error) {
		return do(ctx, t, who, in.ID, in.Body.Note)
	})
}

// ApproveAction lets an action go ahead that somebody else asked for.
func (s *Service) ApproveAction(ctx context.Context, in ActionDecideIn) (Action, error) {
	return s.decideAction(ctx, "actions approve", in, remediate.Approve)
}

// RefuseAction ends an action that waits for approval.
func (s *Service) RefuseAction(ctx context.Context, in ActionDecideIn) (Action, error) {
	return s.decideAction(ctx, "actions refuse", in, remediate.Refuse)
}

// CancelAction ends an action that has not begun.
func (s *Service) CancelAction(ctx context.Context, in ActionDecideIn) (Action, error) {
	return s.decideAction(ctx, "actions cancel", in, remediate.Cancel)
}

// ListActions lists what was done, and is to be.
func (s *Service) ListActions(ctx context.Context, in ActionsIn) (Page[Action], error) {
	return view(ctx, s, "actions list", in, func(ctx context.Context, t *store.Tenant, c Caller) (Page[Action], error) {
		after, err := parseCursor(in.After, "actions", 1)
		if err != nil {
			return Page[Action]{}, err
		}
		n := in.limit()
		rows, err := remediate.List(ctx, t, remediate.Filter{States: in.State, Kinds: in.Kind, Person: in.Person, Object: in.App, Run: in.Run, Finding: in.Finding, Before: after.text(0), Limit: n + 1})
		if err != nil {
			return Page[Action]{}, err
		}
		p := paged(actionViews(rows, c), n, func(a Action) string { return cursor("actions", a.ID) })
		return total(in.Paging, p, func() (int, bool, error) {
			q := (&query{}).add("action where tenant = $1")
			if len(in.State) > 0 {
				q.add(" and state in (" + q.in(anys(in.State)...) + ")")
			}
			if len(in.Kind) > 0 {
				q.add(" and kind in (" + q.in(anys(in.Kind)...) + ")")
			}
			if in.Person != "" {
				q.add(" and person = ?", in.Person)
			}
			for _, c := range []struct{ column, value string }{{"finding", in.Finding}, {"object_id", in.App}, {"run", in.Run}} {
				if c.value != "" {
					q.add(" and "+c.column+" = ?", c.value)
				}
			}
			return counted(ctx, t, q)
		})
	})
}

// GetAction is an action with its plan and its history.
func (s *Service) GetAction(ctx context.Context, in ByID) (ActionDetail, error) {
	return view(ctx, s, "actions get", in, func(ctx context.Context, t *store.Tenant, c Caller) (ActionDetail, error) {
		a, err := remediate.Get(ctx, t, in.ID)
		if err != nil {
			return ActionDetail{}, err
		}
		d := ActionDetail{Action: actionView(a, c), Plan: a.Plan, History: []ActionChange{}}
		d.Plan.Touches, d.Plan.Not = orNone(d.Plan.Touches), orNone(d.Plan.Not)
		list, err := remediate.History(ctx, t, in.ID)
		for _, h := range list {
			if h.Who == "" {
				h.Who = "tocsin"
			}
			d.History = append(d.History, ActionChange{ID: h.ID, At: tocsin.FromMillis(h.At), Who: h.Who, Change: h.Change, Note: h.Note})
		}
		return d, err
	})
}

func responseView(s remediate.Settings) ResponseSettings {
	v := ResponseSettings{Approval: s.Approval, Kinds: []string{}, PerHour: s.PerHour, AtOnce: s.AtOnce, Spared: orNone(s.Spared), Version: s.Version,
		Changed: s.Changed, ChangedBy: s.ChangedBy}
	for _, k := range s.Kinds {
		v.Kinds = append(v.Kinds, string(k))
	}
	return v
}

// GetResponse is how acts may happen in a tenant.
func (s *Service) GetResponse(ctx context.Context, in In) (ResponseSettings, error) {
	return view(ctx, s, "response-settings get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (ResponseSettings, error) {
		v, err := remediate.SettingsOf(ctx, t)
		return responseView(v), err
	})
}

// SetResponse sets how acts may happen in a tenant.
func (s *Service) SetResponse(ctx context.Context, in SetResponseIn) (ResponseSettings, error) {
	return act(ctx, s, "response-settings set", in, func(ctx context.Context, t *store.Tenant, c Caller) (ResponseSettings, error) {
		b := in.Body
		n, err := remediate.SettingsOf(ctx, t)
		if err != nil {
			return ResponseSettings{}, err
		}
		n.Approval = b.Approval
		if b.Kinds != nil {
			n.Kinds = []remediate.Kind{}
		}
		for _, k := range b.Kinds {
			n.Kinds = append(n.Kinds, remediate.Kind(k))
		}
		if b.PerHour != nil {
			n.PerHour = *b.PerHour
		}
		if b.AtOnce != nil {
			n.AtOnce = *b.AtOnce
		}
		if b.Spared != nil {
			n.Spared = b.Spared
		}
		if len(b.Spared) > 200 {
			return ResponseSettings{}, invalid("Name 200 at most.", "Too many people are spared.")
		}
		v, err := remediate.Set(ctx, t, asWho(c, t.ID()), n, b.Version)
		return responseView(v), err
	})
}

// actsOn are what can be done about a person, and a rule of theirs where it is there.
func actsOn(ctx context.Context, t *store.Tenant, person tocsin.PersonID, rule *MailRule) ([]Act, error) {
	out := []Act{}
	if person == "" {
		return out, nil
	}
	var object string
	var enabled *bool
	err := t.QueryRow(ctx, `select object_id, enabled from person where tenant = $1 and person = $2`, person).Scan(&object, &enabled)
	if errors.Is(err, store.ErrNone) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	for _, k := range remediate.Asked {
		target := ""
		switch k.On() {
		case remediate.OnAccount:
			if off := enabled != nil && !*enabled; k == remediate.Suspend && off || k == remediate.Reinstate && !off {
				continue
			}
		case remediate.OnMethods:
		case remediate.OnRule:
			if rule == nil || !rule.Deleted.IsZero() {
				continue
			}
			target = rule.ID
		default:
			continue
		}
		a, err := actNow(ctx, t, k, object, target)
		if err != nil {
			return nil, err
		}
		switch {
		case rule != nil && k.OnRule() && rule.Rule.ReadOnly:
			a.Off, a.Mend = "The rule is read-only: Microsoft Graph lets nobody change it.", "Remove it in Outlook, or with Remove-InboxRule in Exchange Online PowerShell."
		case k == remediate.DisableRule && !rule.Rule.Enabled:
			a.Off, a.Mend = "The rule is off already.", ""
		}
		out = append(out, a)
	}
	if rule != nil {
		return out, nil
	}
	return roleActs(ctx, t, object, out)
}

// roleActs adds the roles that somebody has or may take, as they were last read: each can be taken.
func roleActs(ctx context.Context, t *store.Tenant, object string, out []Act) ([]Act, error) {
	const active, eligible = "/roleManagement/directory/roleAssignments", "/roleManagement/directory/roleEligibilityScheduleInstances"
	type row struct{ id, path, body, name string }
	q := (&query{}).add(`select o.id, o.path, o.body, coalesce(d.name, '') from state_object o left join state_object d on d.tenant = o.tenant and d.path = '/roleManagement/directory/roleDefinitions'
		and o.body like '%"' || d.id || '"%' where o.tenant = $1 and o.deleted = 0 and o.path in (?, ?) and o.body like ? order by o.path, o.id limit 100`, active, eligible, `%"`+object+`"%`)
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.id, &r.path, &r.body, &r.name} })
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		var o struct{ PrincipalID, MemberType string }
		if err := json.Unmarshal([]byte(r.body), &o); err != nil {
			return nil, err
		}
		if !strings.EqualFold(o.PrincipalID, object) || o.MemberType == "Group" {
			continue // it is a group's, say
		}
		a, err := actNow(ctx, t, map[string]remediate.Kind{active: remediate.RemoveRole, eligible: remediate.RemoveEligibility}[r.path], object, r.id)
		if err != nil {
			return nil, err
		}
		a.Name = r.name
		out = append(out, a)
	}
	return out, nil
}

// actNow is an act on a target: why it cannot be done, or the action of that kind that is under way.
func actNow(ctx context.Context, t *store.Tenant, k remediate.Kind, object, target string) (a Act, err error) {
	a.Kind, a.Target = k, target
	if a.Off, a.Mend, err = able(ctx, t, k.Needs()); err != nil {
		return a, err
	}
	err = t.QueryRow(ctx, `select id from action where tenant = $1 and object_id = $2 and target = $3 and kind = $4 and state in ('planned', 'waiting_approval', 'approved', 'running', 'done') limit 1`, object, target, k).Scan(&a.Now)
	if errors.Is(err, store.ErrNone) {
		err = nil
	}
	return a, err
}

// able says why a capability cannot be used, and what mends that; both are empty where it can.
func able(ctx context.Context, t *store.Tenant, capability string) (because, mend string, err error) {
	type row struct{ state, because, mend, connection, name string }
	q := (&query{}).add(`select coalesce(k.state, ''), coalesce(k.because, ''), coalesce(k.mend, ''), c.state, c.name from connection c
		left join capability k on k.tenant = c.tenant and k.connection = c.id and k.name = ? where c.tenant = $1 order by c.created desc`, capability)
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.state, &r.because, &r.mend, &r.connection, &r.name} })
	because, mend = "The tenant is not connected.", "Connect it first."
	for _, r := range rows {
		switch {
		case r.connection == "paused":
			because, mend = "The connection "+r.name+" is paused.", "Resume it first."
		case r.connection != "on":
			because, mend = "The connection "+r.name+" does not work.", "Open it, and mend what it says."
		case r.state == "works" || r.state == "degraded":
			return "", "", err
		case r.state == "":
			because, mend = "What the connection "+r.name+" may do was not judged yet.", "Test the connection."
		default:
			because, mend = r.because, r.mend
		}
	}
	return because, mend, err
}
