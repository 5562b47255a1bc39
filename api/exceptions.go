package api

import (
	"context"
	"errors"
	"strings"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/sigma"
	"tocsin.dev/store"
)

// ListExceptions lists what is excused, the last made first.
func (s *Service) ListExceptions(ctx context.Context, in ExceptionsIn) (Page[Exception], error) {
	return view(ctx, s, "exceptions list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Exception], error) {
		var p Page[Exception]
		after, err := parseCursor(in.After, "exceptions", 1)
		if err != nil {
			return p, err
		}
		since := tocsin.Millis(s.now())
		if in.Expired {
			since = 0
		}
		n := in.limit()
		q := (&query{}).add("select "+exceptionColumns+" from exception where tenant = $1 and expires > ?", since)
		if !after.begins() {
			q.add(" and id < ?", after.text(0)) // ids sort by when they were made
		}
		rows, err := find(ctx, t, q.add(" order by id desc limit ?", n+1), (*exceptionRow).fields)
		if err != nil {
			return p, err
		}
		list := make([]Exception, len(rows))
		for i := range rows {
			list[i] = rows[i].view(s)
		}
		people := map[tocsin.PersonID]bool{}
		for _, e := range list {
			if e.Scope == detect.ScopePerson {
				people[tocsin.PersonID(e.Value)] = true
			}
		}
		names, err := namesOf(ctx, t, people)
		if err != nil {
			return p, err
		}
		for i := range list {
			if e := &list[i]; e.Scope == detect.ScopePerson {
				e.Name = names[tocsin.PersonID(e.Value)].address
			}
		}
		p = paged(list, n, func(e Exception) string { return cursor("exceptions", e.ID) })
		return total(in.Paging, p, func() (int, bool, error) {
			return counted(ctx, t, (&query{}).add("exception where tenant = $1 and expires > ?", since))
		})
	})
}

const exceptionColumns = `id, rule, scope, value, owner, reason, expires, created, created_by`

type exceptionRow struct {
	Exception
	expires, created int64
}

func (r *exceptionRow) fields() []any {
	return []any{&r.ID, &r.Rule, &r.Scope, &r.Value, &r.Owner, &r.Reason, &r.expires, &r.created, &r.CreatedBy}
}

func (r *exceptionRow) view(s *Service) Exception {
	r.Expires, r.Created = tocsin.FromMillis(r.expires), tocsin.FromMillis(r.created)
	r.Expired = !r.Expires.After(s.now())
	return r.Exception
}

// CreateException excuses something from a detection, until a date.
func (s *Service) CreateException(ctx context.Context, in CreateExceptionIn) (Exception, error) {
	return act(ctx, s, "exceptions create", in, func(ctx context.Context, t *store.Tenant, c Caller) (Exception, error) {
		b, err := s.exceptionAsked(ctx, t, in.Body)
		if err != nil {
			return Exception{}, err
		}
		value, owner, reason := b.Value, b.Owner, b.Reason
		e := exceptionRow{Exception: Exception{ID: tocsin.NewID(), Rule: b.Rule, Scope: detect.Scope(b.Scope), Value: value, Owner: owner, Reason: reason, CreatedBy: c.Email},
			expires: tocsin.Millis(b.Expires), created: tocsin.Millis(s.now())}
		_, err = t.Exec(ctx, `insert into exception (tenant, `+exceptionColumns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			e.ID, e.Rule, string(e.Scope), e.Value, e.Owner, e.Reason, e.expires, e.created, e.CreatedBy)
		if err != nil {
			return Exception{}, err
		}
		return e.view(s), settingsFact(ctx, t, "exception.changed", e.ID, c.Email, "created")
	})
}

// CheckException says why CreateException would refuse, and changes nothing.
func (s *Service) CheckException(ctx context.Context, in CreateExceptionIn) error {
	_, err := view(ctx, s, "exceptions create", in, func(ctx context.Context, t *store.Tenant, _ Caller) (None, error) {
		_, err := s.exceptionAsked(ctx, t, in.Body)
		return None{}, err
	})
	return err
}

// exceptionAsked is an exception in the form in which it is kept, refused where it can be none.
func (s *Service) exceptionAsked(ctx context.Context, t *store.Tenant, b ExceptionNew) (ExceptionNew, error) {
	if err := ends(b.Expires, s.now()); err != nil {
		return b, err
	}
	if own, err := ownMeta(ctx, t, b.Rule); err != nil {
		return b, err
	} else if own == nil && b.Rule != sigma.Family && !known(b.Rule) {
		return b, invalid("Use a name or a family of tocsin detections list, or *.", "There is no detection %q.", b.Rule)
	}
	var err error
	if b.Value, err = excused(ctx, t, detect.Scope(b.Scope), b.Value); err != nil {
		return b, err
	}
	if b.Rule == "*" && b.Value == "*" {
		return b, invalid("Name a detection, or what is excused.", "That would excuse everything.")
	}
	b.Owner, b.Reason = strings.TrimSpace(b.Owner), strings.TrimSpace(b.Reason)
	if b.Owner == "" || b.Reason == "" {
		return b, invalid("Say who answers for it, and why it is excused.", "The owner or the reason is missing.")
	}
	return b, nil
}

// excused is the value of an exception in the form in which it is compared, refused where it can mean nothing.
func excused(ctx context.Context, t *store.Tenant, scope detect.Scope, value string) (string, error) {
	value = strings.TrimSpace(value)
	if value == "*" && (scope == detect.ScopePerson || scope == detect.ScopeSubject) {
		return value, nil
	}
	switch scope {
	case detect.ScopePerson:
		id, err := personNamed(ctx, t, tocsin.PersonID(value))
		if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code == tocsin.NotFound {
			return "", invalid("Give the id or an address of somebody in the directory.", "There is no person %q.", value)
		}
		return string(id), err
	case detect.ScopeAddress:
		return emailAddress(value)
	case detect.ScopeDomain:
		return domainName(value)
	}
	if value == "" {
		return "", invalid("Give the id of the thing that is judged.", "The value is missing.")
	}
	return value, nil
}

// DeleteException ends an exception: what it excused is judged again.
func (s *Service) DeleteException(ctx context.Context, in ByIDAct) (None, error) {
	return act(ctx, s, "exceptions delete", in, func(ctx context.Context, t *store.Tenant, c Caller) (None, error) {
		n, err := t.Exec(ctx, `delete from exception where tenant = $1 and id = $2`, in.ID)
		if err != nil {
			return None{}, err
		}
		if n == 0 {
			return None{}, notFound("exception")
		}
		return None{}, settingsFact(ctx, t, "exception.changed", in.ID, c.Email, "deleted")
	})
}
