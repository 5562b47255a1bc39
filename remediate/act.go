package remediate

import (
	"encoding/json"
	"strings"

	"tocsin.dev"
)

// before is the evidence of the state before: of giving something again there is none.
func (s *step) before(now seen) json.RawMessage {
	if s.Kind.brings() {
		return nil
	}
	return now.raw
}

// unfit says why the target as it is now is not the one that was planned for.
func (s *step) unfit(now seen) *tocsin.Problem {
	switch {
	case s.Kind.brings():
		return nil
	case s.Kind.OnRule():
		return s.ruleUnfit(now)
	case (s.Kind == Suspend || s.Kind == Reinstate || s.Kind == ForcePassword) && accountIn(now.raw).Synced:
		return tocsin.Problemf(tocsin.Conflict, "Do it in Active Directory.", "The account is synced from Active Directory since.")
	}
	return nil
}

// didWords say what was done, for those who read the history.
func (s *step) didWords() string {
	if s.Because != "" {
		return s.Because
	}
	return table[s.Kind].did(s)
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

// different says in what a target that reads back otherwise differs.
func (s *step) different(now seen) string {
	switch {
	case s.Kind.brings():
		is := now.item(s.Made)
		if is == nil {
			return ": it is not there"
		}
		if names, err := shapes[s.Kind.On()].differ(is, s.Plan.Original); err == nil && len(names) > 0 {
			return ": it differs in " + strings.Join(names, ", ")
		}
	case now.gone:
		return ": it is not there"
	case s.Kind == RemoveMethods:
		return ": " + strings.Join(texts(methodsIn(now.raw)), ", ") + " is there"
	}
	return ""
}
