package api

import (
	"context"
	"slices"
	"time"

	"tocsin.dev/inbox/work"
	"tocsin.dev/store"
)

// InboxService is the service times of an inbox: business hours, and within how many minutes of them.
type InboxService struct {
	Hours   work.BusinessHours  `json:"hours"`
	Targets work.ServiceTargets `json:"targets"`
	High    work.ServiceTargets `json:"high"`   // in place of targets, where they are not 0
	Urgent  work.ServiceTargets `json:"urgent"` //
	Version int64               `json:"version"`
}

// SetInboxServiceIn sets an inbox's service times.
type SetInboxServiceIn struct {
	ByIDAct
	Body InboxService
}

// ThreadClock is a service time of a thread.
type ThreadClock struct {
	Kind    string    `json:"kind"`  // first (answer), next (answer), resolve
	State   string    `json:"state"` // running, paused, met, missed
	Began   time.Time `json:"began"`
	Due     time.Time `json:"due,omitzero"` // absent while it is paused
	Ended   time.Time `json:"ended,omitzero"`
	Minutes int       `json:"minutes"` // the target, of business time
	Left    int       `json:"left"`    // minutes of business time until it is missed, below 0 since; of one that runs or is paused
}

func threadClocks(ctx context.Context, t *store.Tenant, box, thread string) ([]ThreadClock, error) {
	list, err := work.Clocks(ctx, t, box, thread)
	if err != nil {
		return nil, err
	}
	s, err := work.ServiceOf(ctx, t, box)
	now := t.Tx().Clock().Now()
	out := []ThreadClock{}
	for _, c := range list {
		v := ThreadClock{Kind: c.Kind, State: c.State(now), Began: c.Began, Due: c.Due, Ended: c.Ended, Minutes: int(c.Target / time.Minute)}
		switch {
		case !c.Ended.IsZero():
		case c.Due.IsZero():
			v.Left = int((c.Target - c.Used) / time.Minute)
		case now.After(c.Due):
			v.Left = -int(s.Hours.Between(c.Due, now) / time.Minute)
		default:
			v.Left = int(s.Hours.Between(now, c.Due) / time.Minute)
		}
		out = append(out, v)
	}
	return out, err
}

// GetInboxService gives an inbox's service times.
func (s *Service) GetInboxService(ctx context.Context, in ByID) (InboxService, error) {
	return inboxView(ctx, s, "inboxes service", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (InboxService, error) {
		if _, err := oneInbox(ctx, t, r, in.ID); err != nil {
			return InboxService{}, err
		}
		v, err := work.ServiceOf(ctx, t, in.ID)
		return serviceView(v), err
	})
}

func serviceView(v work.Service) InboxService {
	if v.Hours.Holidays == nil {
		v.Hours.Holidays = []string{}
	}
	return InboxService(v)
}

// SetInboxService sets an inbox's service times, for clocks that begin from then on.
func (s *Service) SetInboxService(ctx context.Context, in SetInboxServiceIn) (InboxService, error) {
	return inboxAct(ctx, s, "inboxes set-service", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (InboxService, error) {
		if _, err := oneInbox(ctx, t, r, in.ID); err != nil {
			return InboxService{}, err
		}
		if err := work.SetService(ctx, t, in.ID, work.Service(in.Body)); err != nil {
			return InboxService{}, err
		}
		v, err := work.ServiceOf(ctx, t, in.ID)
		return serviceView(v), err
	})
}

// InboxReportIn asks for an inbox's report.
type InboxReportIn struct {
	ByID
	Since time.Time `query:"since" doc:"From then; thirty days when absent"`
	Until time.Time `query:"until" doc:"Until then; now when absent"`
}

// InboxReport is how an inbox did in a time, of the threads that began in it. It holds no mail.
type InboxReport struct {
	Since      time.Time           `json:"since"`
	Until      time.Time           `json:"until"`
	Threads    int                 `json:"threads"`
	Answered   int                 `json:"answered"`
	Resolved   int                 `json:"resolved"`
	Spam       int                 `json:"spam"`
	Silent     int                 `json:"silent"` // brought by a first reading
	Answer     InboxSpread         `json:"first_answer"`
	Resolution InboxSpread         `json:"resolution"`
	Met        map[string]int      `json:"met"` // by service time: first, next, resolve
	Missed     map[string]int      `json:"missed"`
	Days       []InboxReportDay    `json:"days"` // mails, UTC
	People     []InboxReportPerson `json:"people"`
	Tags       []InboxReportTag    `json:"tags"`           // a thread with several counts for each
	Hours      bool                `json:"business_hours"` // times are of business hours
	Cut        bool                `json:"cut,omitempty"`  // there are more threads than were looked at
}

// InboxSpread is how long something took, in minutes.
type InboxSpread struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Ninety float64 `json:"p90"`
	Most   float64 `json:"most"`
}

// InboxReportDay is a day's mails.
type InboxReportDay struct {
	Day string `json:"day"`
	In  int    `json:"in"`
	Out int    `json:"out"`
}

// InboxReportPerson is what the threads of somebody took; nobody's where it names none.
type InboxReportPerson struct {
	Who        *Worker     `json:"who,omitempty"`
	Threads    int         `json:"threads"`
	Resolved   int         `json:"resolved"`
	Answer     InboxSpread `json:"first_answer"`
	Resolution InboxSpread `json:"resolution"`
}

// InboxReportTag is what the threads with a tag took.
type InboxReportTag struct {
	Tag        Tag         `json:"tag"`
	Threads    int         `json:"threads"`
	Resolved   int         `json:"resolved"`
	Answer     InboxSpread `json:"first_answer"`
	Resolution InboxSpread `json:"resolution"`
}

func spreadView(s work.Spread) InboxSpread {
	return InboxSpread{N: s.N, Median: s.Median.Minutes(), Ninety: s.Ninety.Minutes(), Most: s.Most.Minutes()}
}

// ReportInbox says how an inbox did: volume, first answer, resolution, service times.
func (s *Service) ReportInbox(ctx context.Context, in InboxReportIn) (InboxReport, error) {
	return inboxView(ctx, s, "inboxes report", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (out InboxReport, err error) {
		if _, err := oneInbox(ctx, t, r, in.ID); err != nil {
			return out, err
		}
		out.Since, out.Until = in.Since, in.Until
		if out.Until.IsZero() {
			out.Until = s.now()
		}
		if out.Since.IsZero() {
			out.Since = out.Until.AddDate(0, 0, -30)
		}
		if !out.Since.Before(out.Until) {
			return out, invalid("Give a beginning before the end.", "The time ends before it begins.")
		}
		v, err := work.ReportOf(ctx, t, in.ID, out.Since, out.Until)
		if err != nil {
			return out, err
		}
		service, err := work.ServiceOf(ctx, t, in.ID)
		if err != nil {
			return out, err
		}
		out.Hours = service.Hours.Week != [7][2]int{}
		out.Threads, out.Answered, out.Resolved, out.Spam, out.Silent, out.Cut = v.Threads, v.Answered, v.Resolved, v.Spam, v.Silent, v.Cut
		out.Answer, out.Resolution, out.Met, out.Missed = spreadView(v.Answer), spreadView(v.Resolution), v.Met, v.Missed
		out.Days, out.People, out.Tags = []InboxReportDay{}, []InboxReportPerson{}, []InboxReportTag{}
		tags, err := work.Tags(ctx, t)
		if err != nil {
			return out, err
		}
		for _, g := range v.Tags {
			if i := slices.IndexFunc(tags, func(o work.Tag) bool { return o.ID == g.Tag }); i >= 0 {
				out.Tags = append(out.Tags, InboxReportTag{Tag: Tag(tags[i]), Threads: g.Threads, Resolved: g.Resolved, Answer: spreadView(g.Answer), Resolution: spreadView(g.Resolution)})
			}
		}
		for _, d := range v.Days {
			out.Days = append(out.Days, InboxReportDay(d))
		}
		var ids []string
		for _, p := range v.People {
			ids = append(ids, p.Account)
		}
		who, err := workersOf(ctx, t, ids...)
		for _, p := range v.People {
			out.People = append(out.People, InboxReportPerson{Who: who.of(p.Account), Threads: p.Threads, Resolved: p.Resolved, Answer: spreadView(p.Answer), Resolution: spreadView(p.Resolution)})
		}
		return out, err
	})
}
