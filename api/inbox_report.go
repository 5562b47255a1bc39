package api

import (
	"context"
	"strings"

	"tocsin.dev"
	"tocsin.dev/inbox"
	"tocsin.dev/inbox/work"
	"tocsin.dev/investigate"
	"tocsin.dev/mail"
	"tocsin.dev/store"
)

// ReportThread opens an investigation that finds a mail of a thread, and its like, in all mailboxes. An agent's waits for an analyst to start it.
func (s *Service) ReportThread(ctx context.Context, in ReportThreadIn) (ThreadReported, error) {
	return inboxAct(ctx, s, "threads report", in, func(ctx context.Context, t *store.Tenant, r *inboxReader) (out ThreadReported, err error) {
		v, err := r.works(ctx, t, in.ID)
		if err != nil {
			return out, err
		}
		m, err := newestIn(ctx, t, v, in.Body.Message)
		if err != nil {
			return out, err
		}
		if in.Body.Start && !r.Role(t.ID()).Includes(Analyst) {
			return out, tocsin.Problemf(tocsin.Denied, "Report it without starting: an analyst decides.", "To search all mailboxes needs the role analyst.")
		}
		whole := s.wholeOf(ctx, t, v.Inbox, m)
		own, err := column(ctx, t, `select name from domain where tenant = $1`)
		if err != nil {
			return out, err
		}
		made := investigate.FromMail(whole, own)
		if made.Query == "" {
			return out, tocsin.Problemf(tocsin.Conflict, "Make an investigation by hand.", "The mail has nothing by which others like it could be found.")
		}
		why := "Reported from a shared inbox by " + r.Email + "."
		if note := strings.TrimSpace(in.Body.Note); note != "" {
			why += " " + note
		}
		i := &investigate.Investigation{Name: made.Name, Query: made.Query, Trigger: "once", Depth: "whole", Reason: why, From: "inbox thread " + v.ID, ThenBy: r.Caller.Account}
		if err := i.Sound(s.now()); err != nil {
			return out, err
		}
		if err := investigate.Create(ctx, t, r.Email, i); err != nil {
			return out, err
		}
		out = ThreadReported{Investigation: i.ID, Name: made.Name, Query: made.Query, Terms: some(made.Terms), Lacks: some(made.Lacks)}
		if in.Body.Start {
			if s.o.Investigations == nil {
				return out, errNoSearch
			}
			if _, err := investigate.Start(ctx, t, r.Email, i.ID); err != nil {
				return out, err
			}
			out.Started = true
		}
		c := work.Change{Reported: i.ID}
		if in.Body.Spam {
			spam := inbox.Spam
			c.State = &spam
		}
		_, err = work.Apply(ctx, t, r.Reach, r.Caller.Account, v.ID, c)
		return out, err
	})
}

// wholeOf is a mail of an inbox as an investigation is made of it; what it says is left out where it is not kept, and that is told.
func (s *Service) wholeOf(ctx context.Context, t *store.Tenant, box string, m sender) *mail.Message {
	out := &mail.Message{}
	text, err := s.htmlOf(ctx, t, box, m.id)
	if err == nil {
		out = mail.ReadBody("text/html", text)
	} else {
		out.Faults = []string{"Its text is not kept here, so links are not among what is looked for."}
	}
	out.Subject, out.MessageID = m.subject, strings.Trim(m.internet, "<>")
	out.From = []mail.Address{{Name: m.name, Address: m.address}}
	return out
}
