package collect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// richness is what a subscription's row says of its form.
type richness struct {
	form        string // as it is to be
	made        string // as the living one is
	certificate string // that the living one is encrypted for
	former      string // the one whose place it takes, still to be ended
	refused     error  // why it is told of in basic form although it is to be rich
	hole        int64  // when one was ended before the next was made, which Graph asked for
}

// wantsRich says whether the mailbox is to be told of richly.
func (c *Collector) wantsRich(s *mailSubscription) bool {
	return s.form == FormRich && c.Webhook.Certificates != nil
}

// turns says whether the living subscription is of another form than it is to be, or for other types of changes.
func (c *Collector) turns(s *mailSubscription) bool {
	return c.wantsRich(s) != (s.made == FormRich) || s.changes != s.want
}

// switched has those seen to at once whose form was changed, unless Graph has refused it and they wait for the next try.
func (c *Collector) switched(ctx context.Context, t *store.Tenant, people []any) error {
	if c.Webhook.Certificates == nil {
		return nil
	}
	_, err := t.Exec(ctx, `update subscription set due = 0 where tenant = $1 and state = 'on' and form <> made and because = '' and due > 0 and person in (`+store.In(len(people), 2)+`)`, people...)
	return err
}

// turn makes another subscription beside the living one, which is ended when this is written down: meanwhile
// both tell, and nothing is missed.
func (c *Collector) turn(ctx context.Context, s *mailSubscription, now time.Time) error {
	before := s.id
	err := c.create(ctx, s, now)
	switch {
	case err != nil:
		s.refused = err
	case s.id != before:
		s.former = before
	}
	return err
}

// createAs makes the subscription in the form that it is to have. Where Graph does not give the rich one, it is basic, and
// the row says why; it is tried again when that is renewed.
func (c *Collector) createAs(ctx context.Context, s *mailSubscription, basic graph.Subscription, now time.Time) error {
	if !c.wantsRich(s) {
		return c.madeAs(FormBasic, "", s, c.createOne(ctx, s, basic, now))
	}
	cert, err := c.Webhook.Certificates.Newest(ctx)
	if err != nil {
		return fmt.Errorf("a certificate for rich notifications: %w", err)
	}
	look, _ := mailCalls(ctx, c.Graph) // what is sent is what a look would ask for
	rich := basic
	rich.Resource = graph.WithFields(basic.Resource, look)
	rich.ExpirationDateTime = graph.Time{Time: now.Add(graph.RichLife).UTC()}
	rich.IncludeResourceData, rich.EncryptionCertificate, rich.EncryptionCertificateID = true, cert.Public, cert.ID
	err = c.madeAs(FormRich, cert.ID, s, c.createOne(ctx, s, rich, now))
	if !lacksRich(err) {
		return err
	}
	if s.refused = err; s.state == "on" && s.made == FormBasic && s.signal != "subscriptionRemoved" {
		return err // it is told of as it is
	}
	return c.madeAs(FormBasic, "", s, c.createOne(ctx, s, basic, now))
}

func (c *Collector) madeAs(form, certificate string, s *mailSubscription, err error) error {
	if err == nil {
		s.made, s.certificate = form, certificate
	}
	return err
}

// lacksRich says whether Graph refused what is particular to a rich subscription, so that a basic one may succeed.
func lacksRich(err error) bool {
	if _, denied := errors.AsType[*graph.Denied](err); denied {
		return true
	}
	f, ok := errors.AsType[*graph.Failed](err)
	return ok && f.Status >= 400 && f.Status < 500
}

// renewAs renews the living subscription as it is; a rich one is encrypted for the newest certificate from now on.
func (c *Collector) renewAs(ctx context.Context, s *mailSubscription, now time.Time) (graph.Subscription, error) {
	if s.made != FormRich || c.Webhook.Certificates == nil {
		return c.Graph.RenewSubscription(ctx, s.id, now.Add(graph.BasicLife))
	}
	cert, err := c.Webhook.Certificates.Newest(ctx)
	if err != nil {
		return graph.Subscription{}, fmt.Errorf("a certificate for rich notifications: %w", err)
	}
	is, err := c.Graph.RenewRichSubscription(ctx, s.id, now.Add(graph.RichLife), cert.Public, cert.ID)
	if err == nil {
		s.certificate = cert.ID
	}
	return is, err
}

// leave ends the subscription whose place another has taken, if there is one; what Graph cannot do now it is asked again soon,
// and what it refuses ends by itself. The error is the store's or ctx's.
func (c *Collector) leave(ctx context.Context, s *mailSubscription, now time.Time) error {
	if s.former == "" {
		return nil
	}
	failed := c.Graph.DeleteSubscription(ctx, s.former)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return c.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		if failed != nil && !lacksRich(failed) {
			soon := tocsin.Millis(now.Add(retryAfter(failed, 5*time.Minute)))
			_, err := t.Exec(ctx, `update subscription set due = $3 where tenant = $1 and person = $2 and due > $3`, string(s.person), soon)
			return err
		}
		_, err := t.Exec(ctx, `update subscription set former = '' where tenant = $1 and person = $2 and former = $3`, string(s.person), s.former)
		if err == nil {
			s.former = ""
		}
		return err
	})
}

// noteForm writes of what form the living subscription is; and why, where it was to be another, and when that is tried again.
func (s *mailSubscription) noteForm(ctx context.Context, t *store.Tenant, now time.Time) error {
	_, err := t.Exec(ctx, `update subscription set made = $3, certificate = $4, former = $5 where tenant = $1 and person = $2`, string(s.person), s.made, s.certificate, s.former)
	if err != nil || s.refused == nil || s.state != "on" {
		return err
	}
	p, again := Explain(s.refused), retryAfter(s.refused, 10*time.Minute)
	if lacksRich(s.refused) {
		again = 6 * time.Hour
	}
	_, err = t.Exec(ctx, `update subscription set because = $3, mend = $4, due = case when due < $5 then due else cast($5 as bigint) end where tenant = $1 and person = $2`, string(s.person),
		"It is told of as before, since Microsoft Graph did not make the other subscription. "+p.What, p.Do, tocsin.Millis(now.Add(again)))
	return err
}
