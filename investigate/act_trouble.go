package investigate

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
)

// trouble is what becomes of an item that Microsoft did not answer well; d is what was sent, nil where something was read. What
// passes is waited for; what may have taken effect is looked at before it is sent again; what nobody can do now holds the act.
func (s *actStep) trouble(ctx context.Context, now time.Time, cause error, d *deed) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	state := s.it.State
	if d != nil && refusal(cause) {
		state = s.was // it did nothing
	}
	switch t, _ := errors.AsType[*graph.Throttled](cause); {
	case t != nil:
		return false, s.wait(ctx, now.Add(max(t.After, time.Second)), state, "Microsoft asks to wait.")
	case everywhere(cause):
		if s.Refused != nil {
			if err := s.Refused(ctx, s.tenant, s.through, cause); err != nil {
				return false, err
			}
		}
		if state != s.it.State {
			if err := s.wait(ctx, now, state, ""); err != nil {
				return false, err
			}
		}
		return false, s.hold(ctx, now, actProblem(cause))
	case passes(cause):
		because := "Microsoft gave no answer that can be used."
		if d != nil {
			because = "It was sent without an answer: whether it took effect is looked at."
		}
		return false, s.wait(ctx, now.Add(s.backoff()), s.it.State, because)
	case lost(cause) && state == ItemSent:
		return false, s.end(ctx, ItemUnknown, "It was sent without an answer, and the mailbox is no longer there.", "Look at the person in Entra.")
	case lost(cause):
		return false, s.end(ctx, ItemGone, "The mailbox is no longer there.", "")
	case noSuchItem(cause) && d != nil && s.it.Tries < actTries: // the message, or the folder
		s.box.drop(d.folder)
		return true, s.wait(ctx, now, state, "Microsoft no longer knows the message or the folder: both are looked at.")
	case refusal(cause):
		p := actProblem(cause)
		return false, s.end(ctx, ItemRefused, p.What, p.Do)
	}
	return false, cause
}

// backoff is how long to leave the mailbox alone.
func (s *actStep) backoff() time.Duration { return min(time.Second<<min(s.it.Tries, 6), time.Minute) }

// everywhere says whether Microsoft, or we, would refuse every message alike.
func everywhere(err error) bool {
	if d, ok := errors.AsType[*graph.Denied](err); ok {
		return !d.OutOfScope
	}
	return is[*graph.Revoked](err) || is[*graph.Unauthorized](err) || is[*graph.Challenge](err) || is[*graph.ContentRefused](err) || errors.Is(err, graph.ErrPaused)
}

// passes says whether something goes by itself.
func passes(err error) bool {
	return is[*graph.Unavailable](err) || errors.Is(err, context.DeadlineExceeded)
}

// lost says whether the mailbox is not there any more.
func lost(err error) bool {
	if is[*graph.NoMailbox](err) {
		return true
	}
	return is[*graph.NotFound](err) && !noSuchItem(err)
}

// refusal says whether Microsoft said no to what was sent, so that it did nothing.
func refusal(err error) bool {
	return is[*graph.Throttled](err) || is[*graph.Failed](err) || is[*graph.NotFound](err) || is[*graph.NoMailbox](err) || is[*graph.Denied](err) || everywhere(err)
}

// actProblem is a refusal as a person may read it.
func actProblem(err error) *tocsin.Problem {
	as := func(code tocsin.Code, do, what string, args ...any) *tocsin.Problem {
		p := tocsin.Problemf(code, do, what, args...)
		p.Err = err
		return p
	}
	if e, ok := errors.AsType[*graph.Revoked](err); ok {
		return as(tocsin.Denied, e.Do, "%s", e.What)
	}
	if e, ok := errors.AsType[*graph.Denied](err); ok {
		if e.OutOfScope {
			return as(tocsin.Denied, "Add the mailbox to the scope in Exchange (RBAC for Applications).", "Exchange keeps this mailbox from the app.")
		}
		name := "for it"
		if len(e.Permissions) > 0 {
			name = e.Permissions[0]
		}
		return as(tocsin.Denied, "Grant the permission to the app registration in Entra, give administrator consent, wait a few minutes, and test the connection.", "Microsoft refuses it: the permission %s is not granted.", name)
	}
	if e, ok := errors.AsType[*graph.Failed](err); ok {
		return as(tocsin.Conflict, "Look at the message in its mailbox.", "Microsoft refused it: %s.", cmp.Or(strings.TrimRight(e.Message, "."), e.Code))
	}
	switch {
	case errors.Is(err, graph.ErrPaused):
		return as(tocsin.Conflict, "Resume the connection first.", "The connection is paused: nothing is asked of Microsoft.")
	case is[*graph.ContentRefused](err):
		return as(tocsin.Conflict, "Let the connection read content, or use another.", "The connection is for metadata only.")
	case is[*graph.NotFound](err):
		return as(tocsin.NotFound, "Look at the message in its mailbox.", "Microsoft no longer knows the message, or the folder it was to go to.")
	}
	return as(tocsin.Unavailable, "Test the connection.", "Microsoft does not let the app sign in.")
}
