package api

import (
	"context"
	"math"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/investigate"
	"tocsin.dev/remediate"
	"tocsin.dev/store"
)

func asActor(c Caller, tenant tocsin.TenantID) investigate.Actor {
	return investigate.Actor{Who: asWho(c, tenant), Admin: c.Role(tenant).Includes(Admin)}
}

// mailActs are acts as the caller may see them, with how far they have come.
func mailActs(ctx context.Context, t *store.Tenant, c Caller, list ...*investigate.Act) ([]MailAct, error) {
	out := make([]MailAct, len(list))
	counts, err := investigate.ActsCounted(ctx, t, list)
	if err != nil {
		return nil, err
	}
	titles, err := titled(ctx, t, list)
	if err != nil {
		return nil, err
	}
	now := t.Tx().Clock().Now()
	for i, a := range list {
		mails, notices := counts[a.ID][investigate.PartMail], counts[a.ID][investigate.PartNotice]
		m := MailAct{ID: a.ID, Investigation: a.Investigation, Title: titles[a.Investigation], Kind: a.Kind, State: a.State, Restores: a.Restores, RestoredBy: a.RestoredBy,
			ByItself: a.ByItself, Options: a.Options, Why: a.Why, AskedBy: a.AskedEmail, ApprovedBy: a.ApprovedEmail, Because: a.Because, Mend: a.Mend,
			Counts: MailActCounts(mails), Notices: MailActCounts(notices), Mine: a.AskedBy == c.Account, Created: a.Created, Changed: a.Changed, Began: a.Began, Ended: a.Ended, Version: a.Version,
			CanStop:    a.State == investigate.ActWaiting || a.State == investigate.ActRunning,
			CanRestore: a.Kind.Restorable() && (a.State.Ended() || a.ByItself) && mails.Done+mails.Unknown > 0}
		m.progress(now)
		out[i] = m
	}
	return out, nil
}

// titled are the names of the investigations of acts.
func titled(ctx context.Context, t *store.Tenant, list []*investigate.Act) (map[string]string, error) {
	out := map[string]string{}
	if len(list) == 0 {
		return out, nil
	}
	var ids []string
	for _, a := range list {
		if !slices.Contains(ids, a.Investigation) {
			ids = append(ids, a.Investigation)
		}
	}
	q := (&query{}).add("select id, name from investigation where tenant = $1 and id in (")
	q.add(q.in(anys(ids)...) + ")")
	type row struct{ id, name string }
	rows, err := find(ctx, t, q, func(r *row) []any { return []any{&r.id, &r.name} })
	for _, r := range rows {
		out[r.id] = r.name
	}
	return out, err
}

// progress says how far an act has come, how fast, and when it ends if it goes on so.
func (m *MailAct) progress(now time.Time) {
	total, open := m.Counts.Total+m.Notices.Total, m.Counts.Waiting+m.Counts.Sent+m.Notices.Waiting+m.Notices.Sent
	if total == 0 {
		return
	}
	ended := total - open
	m.Percent = ended * 100 / total
	if m.Began.IsZero() {
		return
	}
	until := now
	if m.State.Ended() {
		until = m.Ended
	}
	minutes := max(until.Sub(m.Began), time.Second).Minutes()
	m.PerMinute = math.Round(float64(ended)/minutes*10) / 10
	if m.State == investigate.ActRunning && ended > 0 && open > 0 && m.Because == "" {
		m.Until = now.Add(time.Duration(float64(open) / float64(ended) * float64(until.Sub(m.Began)))).Truncate(time.Second)
	}
}

func (n MailActNew) ask() investigate.ActAsk {
	return investigate.ActAsk{Investigation: n.Investigation, Kind: n.Kind, Matches: n.Matches, Clusters: n.Clusters, People: n.People, Except: n.Except, Why: n.Why, Force: n.Force,
		Options: investigate.ActOptions{DeletedItems: n.DeletedItems && n.Kind == investigate.SoftDelete, Notice: n.Notice, NoticeText: n.NoticeText}}
}

// actDraft plans an act, after the caller's role and the input were checked.
func (s *Service) actDraft(ctx context.Context, name string, in any, plan func(context.Context, investigate.Actor) (*investigate.ActDraft, error)) (*investigate.ActDraft, Caller, error) {
	c, err := s.allow(ctx, name, tenantOf(in))
	if err != nil {
		return nil, c, err
	}
	if err := valid(in); err != nil {
		return nil, c, err
	}
	if s.o.ActDesk == nil {
		return nil, c, errNoDesk
	}
	f, err := plan(ctx, asActor(c, tenantOf(in)))
	return f, c, err
}

func mailActPlan(f *investigate.ActDraft, owner bool) MailActPlan {
	v := MailActPlan{ActPlan: f.Plan, Possible: len(f.Plan.Stops) == 0}
	v.Forcible = !v.Possible && !slices.ContainsFunc(f.Plan.Stops, func(s remediate.Stop) bool { return s.Force == "" || s.Force == "owner" && !owner })
	v.Touches, v.Not, v.Approvals = orNone(v.Touches), orNone(v.Not), orNone(v.Approvals)
	return v
}

// PlanMailAct says what an act would do and whom it would reach: the dry run.
func (s *Service) PlanMailAct(ctx context.Context, in MailActPlanIn) (MailActPlan, error) {
	f, c, err := s.actDraft(ctx, "mail-acts plan", in, func(ctx context.Context, who investigate.Actor) (*investigate.ActDraft, error) {
		return s.o.ActDesk.Plan(ctx, in.Tenant, who, in.Body.ask())
	})
	if err != nil {
		return MailActPlan{}, err
	}
	return mailActPlan(f, asWho(c, in.Tenant).Owner), nil
}

// recordAct makes an act of a draft, and gives it as the caller may see it.
func (s *Service) recordAct(ctx context.Context, name string, in any, plan func(context.Context, investigate.Actor) (*investigate.ActDraft, error)) (MailAct, error) {
	f, c, err := s.actDraft(ctx, name, in, plan)
	if err != nil {
		s.refused(ctx, name, tenantOf(in), in, c, err)
		return MailAct{}, err
	}
	return s.actOnMail(ctx, name, in, func(ctx context.Context, t *store.Tenant, _ investigate.Actor) (*investigate.Act, error) {
		return s.o.ActDesk.Record(ctx, t, f)
	})
}

// actOnMail makes an act, or moves one.
func (s *Service) actOnMail(ctx context.Context, name string, in any, do func(context.Context, *store.Tenant, investigate.Actor) (*investigate.Act, error)) (MailAct, error) {
	return act(ctx, s, name, in, func(ctx context.Context, t *store.Tenant, c Caller) (MailAct, error) {
		a, err := do(ctx, t, asActor(c, t.ID()))
		if err != nil {
			return MailAct{}, err
		}
		list, err := mailActs(ctx, t, c, a)
		if err != nil {
			return MailAct{}, err
		}
		return list[0], nil
	})
}

// CreateMailAct records an act on mails, which is then done by itself, or waits for approval.
func (s *Service) CreateMailAct(ctx context.Context, in MailActCreateIn) (MailAct, error) {
	return s.recordAct(ctx, "mail-acts create", in, func(ctx context.Context, who investigate.Actor) (*investigate.ActDraft, error) {
		return s.o.ActDesk.Plan(ctx, in.Tenant, who, in.Body.ask())
	})
}

// PlanMailRestore says what restoring an act would bring back.
func (s *Service) PlanMailRestore(ctx context.Context, in MailActRestoreIn) (MailActPlan, error) {
	f, c, err := s.actDraft(ctx, "mail-acts plan-restore", in, func(ctx context.Context, who investigate.Actor) (*investigate.ActDraft, error) {
		return s.o.ActDesk.PlanRestore(ctx, in.Tenant, who, in.ID, in.Body.Why, in.Body.Items)
	})
	if err != nil {
		return MailActPlan{}, err
	}
	return mailActPlan(f, asWho(c, in.Tenant).Owner), nil
}

// RestoreMailAct records the restore of an act: an act of its own.
func (s *Service) RestoreMailAct(ctx context.Context, in MailActRestoreIn) (MailAct, error) {
	return s.recordAct(ctx, "mail-acts restore", in, func(ctx context.Context, who investigate.Actor) (*investigate.ActDraft, error) {
		return s.o.ActDesk.PlanRestore(ctx, in.Tenant, who, in.ID, in.Body.Why, in.Body.Items)
	})
}

type decideMail func(ctx context.Context, t *store.Tenant, who investigate.Actor, id, note string) (*investigate.Act, error)

func (s *Service) decideMailAct(ctx context.Context, name string, in MailActDecideIn, do decideMail) (MailAct, error) {
	return s.actOnMail(ctx, name, in, func(ctx context.Context, t *store.Tenant, who investigate.Actor) (*investigate.Act, error) {
		return do(ctx, t, who, in.ID, in.Body.Note)
	})
}

// ApproveMailAct lets an act go ahead that somebody else asked for.
func (s *Service) ApproveMailAct(ctx context.Context, in MailActDecideIn) (MailAct, error) {
	return s.decideMailAct(ctx, "mail-acts approve", in, investigate.ApproveAct)
}

// RefuseMailAct ends an act that waits for approval.
func (s *Service) RefuseMailAct(ctx context.Context, in MailActDecideIn) (MailAct, error) {
	return s.decideMailAct(ctx, "mail-acts refuse", in, investigate.RefuseAct)
}

// StopMailAct stops an act at once.
func (s *Service) StopMailAct(ctx context.Context, in MailActDecideIn) (MailAct, error) {
	return s.decideMailAct(ctx, "mail-acts stop", in, investigate.StopAct)
}

// ListMailActs lists what was done to mails, and is to be.
func (s *Service) ListMailActs(ctx context.Context, in MailActsIn) (Page[MailAct], error) {
	return view(ctx, s, "mail-acts list", in, func(ctx context.Context, t *store.Tenant, c Caller) (Page[MailAct], error) {
		after, err := parseCursor(in.After, "mail-acts", 1)
		if err != nil {
			return Page[MailAct]{}, err
		}
		n := in.limit()
		rows, err := investigate.Acts(ctx, t, investigate.ActFilter{Investigation: in.Investigation, States: in.State, Kinds: in.Kind, Before: after.text(0), Limit: n + 1})
		if err != nil {
			return Page[MailAct]{}, err
		}
		list, err := mailActs(ctx, t, c, rows...)
		if err != nil {
			return Page[MailAct]{}, err
		}
		p := paged(list, n, func(a MailAct) string { return cursor("mail-acts", a.ID) })
		return total(in.Paging, p, func() (int, bool, error) {
			q := (&query{}).add("mail_act where tenant = $1")
			if in.Investigation != "" {
				q.add(" and investigation = ?", in.Investigation)
			}
			if len(in.State) > 0 {
				q.add(" and state in (" + q.in(anys(in.State)...) + ")")
			}
			if len(in.Kind) > 0 {
				q.add(" and kind in (" + q.in(anys(in.Kind)...) + ")")
			}
			return counted(ctx, t, q)
		})
	})
}

// GetMailAct is an act with its plan and its history.
func (s *Service) GetMailAct(ctx context.Context, in ByID) (MailActDetail, error) {
	return view(ctx, s, "mail-acts get", in, func(ctx context.Context, t *store.Tenant, c Caller) (MailActDetail, error) {
		a, err := investigate.GetAct(ctx, t, in.ID)
		if err != nil {
			return MailActDetail{}, err
		}
		list, err := mailActs(ctx, t, c, a)
		if err != nil {
			return MailActDetail{}, err
		}
		d := MailActDetail{MailAct: list[0], Plan: a.Plan, History: []ActionChange{}}
		d.Plan.Touches, d.Plan.Not, d.Plan.Approvals = orNone(d.Plan.Touches), orNone(d.Plan.Not), orNone(d.Plan.Approvals)
		history, err := investigate.ActHistory(ctx, t, in.ID)
		for _, h := range history {
			if h.Who == "" {
				h.Who = "tocsin"
			}
			d.History = append(d.History, ActionChange{ID: h.ID, At: tocsin.FromMillis(h.At), Who: h.Who, Change: h.Change, Note: h.Note})
		}
		return d, err
	})
}

// ListMailActItems lists what became of each message of an act.
func (s *Service) ListMailActItems(ctx context.Context, in MailActItemsIn) (Page[MailActItem], error) {
	return view(ctx, s, "mail-acts items", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[MailActItem], error) {
		after, err := parseCursor(in.After, "mail-act-items", 1)
		if err != nil {
			return Page[MailActItem]{}, err
		}
		if _, err := investigate.GetAct(ctx, t, in.ID); err != nil {
			return Page[MailActItem]{}, err
		}
		n := in.limit()
		f := investigate.ItemFilter{Act: in.ID, States: in.State, Part: in.Part, Person: in.Person, After: after.text(0), Limit: n + 1}
		rows, err := investigate.Items(ctx, t, f)
		if err != nil {
			return Page[MailActItem]{}, err
		}
		list := make([]MailActItem, len(rows))
		for i, it := range rows {
			list[i] = MailActItem{ID: it.ID, Part: it.Part, Person: it.Person, Who: it.Who, Message: it.Message, MovedTo: it.MovedTo, Internet: it.Internet, Sender: it.Sender, Subject: it.Subject,
				Received: it.Received, State: it.State, Because: it.Because, Mend: it.Mend, Before: it.Before, After: it.After, Tries: it.Tries, Sent: it.Sent, Changed: it.Changed}
		}
		p := paged(list, n, func(i MailActItem) string { return cursor("mail-act-items", i.ID) })
		return total(in.Paging, p, func() (int, bool, error) {
			q := (&query{}).add("mail_act_item where tenant = $1 and act = ?", in.ID)
			if len(in.State) > 0 {
				q.add(" and state in (" + q.in(anys(in.State)...) + ")")
			}
			if in.Part != "" {
				q.add(" and part = ?", in.Part)
			}
			if in.Person != "" {
				q.add(" and person = ?", in.Person)
			}
			return counted(ctx, t, q)
		})
	})
}

func mailActSettings(s investigate.ActSettings) MailActSettings {
	return MailActSettings{PerAct: s.PerAct, PerHour: s.PerHour, Share: s.Share, Most: s.Most, Purge: s.Purge, Version: s.Version, Changed: s.Changed, ChangedBy: s.ChangedBy}
}

// GetMailActSettings is how a tenant lets mails be acted on.
func (s *Service) GetMailActSettings(ctx context.Context, in In) (MailActSettings, error) {
	return view(ctx, s, "mail-act-settings get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (MailActSettings, error) {
		v, err := investigate.ActSettingsOf(ctx, t)
		return mailActSettings(v), err
	})
}

// SetMailActSettings sets how a tenant lets mails be acted on.
func (s *Service) SetMailActSettings(ctx context.Context, in SetMailActSettingsIn) (MailActSettings, error) {
	return act(ctx, s, "mail-act-settings set", in, func(ctx context.Context, t *store.Tenant, c Caller) (MailActSettings, error) {
		b := in.Body
		n, err := investigate.ActSettingsOf(ctx, t)
		if err != nil {
			return MailActSettings{}, err
		}
		for to, from := range map[*int]*int{&n.PerAct: b.PerAct, &n.PerHour: b.PerHour, &n.Share: b.Share, &n.Most: b.Most} {
			if from != nil {
				*to = *from
			}
		}
		if b.Purge != nil {
			n.Purge = *b.Purge
		}
		v, err := investigate.SetActs(ctx, t, asActor(c, t.ID()), n, b.Version)
		return mailActSettings(v), err
	})
}
