package api

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"tocsin.dev"
	"tocsin.dev/store"
)

// DecideFinding decides what becomes of a finding. Accepted needs a reason and until when; a false alarm needs a reason.
func (s *Service) DecideFinding(ctx context.Context, in DecideIn) (FindingDetail, error) {
	return act(ctx, s, "findings decide", in, func(ctx context.Context, t *store.Tenant, c Caller) (FindingDetail, error) {
		b := in.Body
		b.Reason = strings.TrimSpace(b.Reason)
		if err := s.sensible(b); err != nil {
			return FindingDetail{}, err
		}
		h, err := lockFinding(ctx, t, in.ID, b.Version)
		if err != nil {
			return FindingDetail{}, err
		}
		owner := h.owner
		if b.Owner != nil {
			if owner, err = ownerNamed(ctx, t, *b.Owner); err != nil {
				return FindingDetail{}, err
			}
		}
		until := int64(0)
		if b.Status == tocsin.Accepted {
			until = tocsin.Millis(b.Until)
		}
		_, err = t.Exec(ctx, `update finding set status = $3, reason = $4, accepted_until = $5, owner = $6 where tenant = $1 and id = $2`,
			in.ID, b.Status, b.Reason, until, owner)
		if err != nil {
			return FindingDetail{}, err
		}
		if err := s.heedDecision(ctx, t, c, in.ID, b.Status, b.Reason); err != nil {
			return FindingDetail{}, err
		}
		note := b.Reason
		if until != 0 {
			note = strings.TrimSpace(note + " (until " + b.Until.UTC().Format("2 January 2006") + ")")
		}
		if err := s.noteFinding(ctx, t, h, c, string(b.Status), note); err != nil {
			return FindingDetail{}, err
		}
		if owner != h.owner {
			if err := s.noteChange(ctx, t, h, c, "assigned", owner); err != nil {
				return FindingDetail{}, err
			}
		}
		return getFinding(ctx, t, in.ID)
	})
}

// sensible says whether a decision is complete.
func (s *Service) sensible(b Decision) error {
	switch b.Status {
	case tocsin.Accepted:
		if b.Reason == "" {
			return invalid("Say why it is acceptable.", "The reason is missing.")
		}
		if b.Until.IsZero() {
			return invalid("Give the day on which it is to be looked at again.", "until is missing: nothing is accepted for ever.")
		}
		if err := ends(b.Until, s.now()); err != nil {
			return invalid("Give a time that is still to come, within two years.", "until cannot be %s.", b.Until.UTC().Format("2006-01-02"))
		}
	case tocsin.FalseAlarm:
		if b.Reason == "" {
			return invalid("Say why it is none, so that the rule can be made better.", "The reason is missing.")
		}
	}
	return nil
}

// AssignFinding says who looks after a finding.
func (s *Service) AssignFinding(ctx context.Context, in AssignIn) (FindingDetail, error) {
	return act(ctx, s, "findings assign", in, func(ctx context.Context, t *store.Tenant, c Caller) (FindingDetail, error) {
		h, err := lockFinding(ctx, t, in.ID, in.Body.Version)
		if err != nil {
			return FindingDetail{}, err
		}
		owner, err := ownerNamed(ctx, t, in.Body.Owner)
		if err != nil {
			return FindingDetail{}, err
		}
		if _, err := t.Exec(ctx, `update finding set owner = $3 where tenant = $1 and id = $2`, in.ID, owner); err != nil {
			return FindingDetail{}, err
		}
		if err := s.noteFinding(ctx, t, h, c, "assigned", owner); err != nil {
			return FindingDetail{}, err
		}
		return getFinding(ctx, t, in.ID)
	})
}

type heldFinding struct{ id, person, owner string }

// lockFinding takes the version that was looked at, raising it, so that who looked at the same one comes too late.
func lockFinding(ctx context.Context, t *store.Tenant, id string, version int64) (heldFinding, error) {
	h := heldFinding{id: id}
	err := t.QueryRow(ctx, `update finding set version = version + 1 where tenant = $1 and id = $2 and version = $3 returning person, owner`, id, version).
		Scan(&h.person, &h.owner)
	if !errors.Is(err, store.ErrNone) {
		return h, err
	}
	var one int
	err = t.QueryRow(ctx, `select 1 from finding where tenant = $1 and id = $2`, id).Scan(&one)
	if errors.Is(err, store.ErrNone) {
		return h, notFound("finding")
	}
	if err != nil {
		return h, err
	}
	return h, errStale
}

// ownerNamed is the address of an account that may see the tenant; empty for nobody.
func ownerNamed(ctx context.Context, t *store.Tenant, email string) (string, error) {
	email = tocsin.CanonicalAddress(email)
	if email == "" {
		return "", nil
	}
	var one int
	err := t.QueryRow(ctx, `select 1 from account a join role_grant g on g.account = a.id
		where a.email = $2 and not a.disabled and g.tenant in ($1, '*') limit 1`, email).Scan(&one)
	if errors.Is(err, store.ErrNone) {
		return "", invalid("Name somebody who can sign in and see this tenant.", "There is no account %s here.", email)
	}
	return email, err
}

func (s *Service) noteFinding(ctx context.Context, t *store.Tenant, h heldFinding, c Caller, change, note string) error {
	if err := s.noteChange(ctx, t, h, c, change, note); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"change": change, "note": note})
	if err != nil {
		return err
	}
	return t.Append(ctx, store.Fact{Kind: "finding.decided", Subject: h.id, Person: h.person, Actor: c.Email, Body: body})
}

func (s *Service) noteChange(ctx context.Context, t *store.Tenant, h heldFinding, c Caller, change, note string) error {
	_, err := t.Exec(ctx, `insert into finding_change (tenant, finding, id, at, who, change, note) values ($1, $2, $3, $4, $5, $6, $7)`,
		h.id, tocsin.NewID(), s.now(), c.Email, change, note)
	return err
}
