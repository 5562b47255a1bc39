package remediate

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/graph"
)

// so says whether the target is as the action makes it.
func (s *step) so(now seen) (bool, error) {
	switch s.Kind {
	case RevokeSessions: // only our own sending counts: that the date is late says nothing of it
		return !s.Sent.IsZero() && now.sessions.After(sessionsIn(s.Plan.Before)), nil
	case DisableRule:
		return now.gone || !now.rule.IsEnabled, nil
	case DeleteRule:
		return now.gone, nil
	case EnableRule:
		return !now.gone && now.rule.IsEnabled, nil
	}
	return s.restored(now)
}

// restored says whether the rule is there again as it was, in each of its parts. It is the one that was made, or one that
// was not there when ours was sent.
func (s *step) restored(now seen) (bool, error) {
	id := s.madeIn(now)
	if id == "" {
		return false, nil
	}
	for _, r := range now.rules {
		if r.ID == id {
			names, err := differ(r.Raw, s.Plan.Original)
			return len(names) == 0, err
		}
	}
	return false, nil
}

// madeIn is the id of the rule that a restoring made; empty where it has made none.
func (s *step) madeIn(now seen) string {
	if s.Kind != RestoreRule || s.Sent.IsZero() {
		return ""
	}
	for _, r := range now.rules {
		if r.ID == s.Made {
			return r.ID
		}
	}
	want, err := fingerprint(s.Plan.Original, "sequence")
	if err != nil {
		return ""
	}
	for _, r := range now.rules {
		if slices.ContainsFunc(s.Plan.Beside, func(p Place) bool { return p.ID == r.ID }) {
			continue
		}
		if is, err := fingerprint(r.Raw, "sequence"); err == nil && is == want {
			return r.ID
		}
	}
	return ""
}

// before is the evidence of the state before: of a restoring there is none.
func (s *step) before(now seen) json.RawMessage {
	if s.Kind == RestoreRule {
		return nil
	}
	return now.raw
}

// unfit says why the target as it is now is not the one that was planned for.
func (s *step) unfit(now seen) *tocsin.Problem {
	as := func(x Stop) *tocsin.Problem { return tocsin.Problemf(tocsin.Conflict, x.Do, "%s", x.What) }
	if s.Kind == RevokeSessions || s.Kind == RestoreRule {
		return nil
	}
	if now.gone {
		return tocsin.Problemf(tocsin.Conflict, "Its owner, or somebody else, has deleted it since.", "The rule is no longer there, so it cannot be switched on.")
	}
	if now.rule.IsReadOnly {
		return as(readOnly)
	}
	if s.Forced {
		return nil
	}
	names, err := differ(now.raw, s.Plan.Before, "sequence")
	if err != nil {
		return tocsin.Problemf(tocsin.Conflict, "Look at the rule in Outlook.", "The rule cannot be read: %v.", err)
	}
	if len(names) > 0 {
		x := hasChanged
		x.What = "The rule has changed since it was looked at (" + strings.Join(names, ", ") + "), so nothing was done."
		x.Do = "Look at it again, and ask for it anew."
		return as(x)
	}
	return nil
}

// send makes the act, once. made is the id of a rule that came into being.
func (s *step) send(ctx context.Context) (made string, err error) {
	p := graph.P{"user": s.Object, "folder": "inbox", "rule": s.Rule}
	switch s.Kind {
	case RevokeSessions:
		return "", s.gc.Act(ctx, "users.revokeSignInSessions", graph.P{"user": s.Object}, nil, nil)
	case DisableRule:
		return "", s.gc.Act(ctx, "messageRules.update", p, map[string]any{"isEnabled": false}, nil)
	case EnableRule:
		return "", s.gc.Act(ctx, "messageRules.update", p, map[string]any{"isEnabled": true}, nil)
	case DeleteRule:
		err := s.gc.Act(ctx, "messageRules.delete", p, nil, nil)
		if _, gone := errors.AsType[*graph.NotFound](err); gone {
			return "", nil // it was there a moment ago: an earlier sending, or its owner, has deleted it
		}
		return "", err
	}
	return s.restore(ctx)
}

// restore makes the deleted rule again. One that an earlier sending has made, in another place of the order, is only moved.
func (s *step) restore(ctx context.Context) (string, error) {
	body, err := again(s.Plan.Original)
	if err != nil {
		return "", err
	}
	now, err := look(ctx, s.gc, RestoreRule, s.Object, "")
	if err != nil {
		return "", err
	}
	id := s.madeIn(now)
	if id == "" {
		var made graph.MessageRule
		if err := s.gc.Act(ctx, "messageRules.create", graph.P{"user": s.Object, "folder": "inbox"}, body, &made); err != nil {
			return "", err
		}
		var is, want graph.MessageRule
		if err := json.Unmarshal(s.Plan.Original, &want); err != nil {
			return made.ID, err
		}
		err := s.gc.Get(ctx, "messageRules.get", graph.P{"user": s.Object, "folder": "inbox", "rule": made.ID}, &is)
		if err != nil || is.Sequence == want.Sequence {
			return made.ID, nil // verifying tells of what could not be read
		}
		id = made.ID
	}
	err = s.gc.Act(ctx, "messageRules.update", graph.P{"user": s.Object, "folder": "inbox", "rule": id}, map[string]any{"sequence": body["sequence"]}, nil)
	return id, err
}

// verifiedWords say what was done, for those who read the history.
func (s *step) verifiedWords() string {
	rule := "The rule “" + shown(s.Name) + "”"
	if s.Because != "" {
		return s.Because
	}
	switch s.Kind {
	case RevokeSessions:
		return "The sessions were revoked; Microsoft shows the new date."
	case DisableRule:
		return rule + " was switched off, and reads back so."
	case DeleteRule:
		return rule + " was deleted, and is no longer there."
	case EnableRule:
		return rule + " was switched on again, and reads back as it was."
	}
	return rule + " was made again, and reads back as it was in each of its parts. Its id was " + s.Rule + " and is " + s.Made + "."
}

// otherwise says what is not quite as the action leaves it, though it has taken effect; empty where all is.
func (s *step) otherwise(now seen) string {
	switch {
	case s.Kind == DisableRule && now.gone:
		s.Plan.CanUndo, s.Plan.Undo = false, "It cannot be undone: somebody has deleted the rule since."
		return "The rule “" + shown(s.Name) + "” was switched off, and is no longer there: somebody has deleted it since."
	case s.Kind == EnableRule && len(s.Plan.Original) > 0:
		if names, err := differ(now.raw, s.Plan.Original); err == nil && len(names) > 0 {
			return "The rule “" + shown(s.Name) + "” was switched on again. It differs from what it was before in " + strings.Join(names, ", ") + "."
		}
	}
	return ""
}

// different says in what a rule that reads back otherwise differs.
func (s *step) different(now seen) string {
	var is json.RawMessage
	switch s.Kind {
	case RestoreRule:
		id := s.Made
		for _, r := range now.rules {
			if r.ID == id {
				is = r.Raw
			}
		}
		if is == nil {
			return ": the rule is not there"
		}
		if names, err := differ(is, s.Plan.Original); err == nil && len(names) > 0 {
			return ": it differs in " + strings.Join(names, ", ")
		}
	case EnableRule:
		if now.gone {
			return ": the rule is not there"
		}
	}
	return ""
}
