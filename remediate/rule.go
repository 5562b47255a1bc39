package remediate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/graph"
)

// part is a member of an object that can be set, and how people call it.
type part struct{ name, word string }

// shape is what can be set of a sort of object: two are the same when this is.
type shape []part

// shapes are those of what goes and can be brought back.
// https://learn.microsoft.com/graph/api/resources/messagerule, unifiedroleassignment, unifiedroleeligibilityscheduleinstance,
// oauth2permissiongrant, approleassignment
var shapes = map[On]shape{
	OnRule: {{"displayName", "its name"}, {"sequence", "its place in the order"}, {"isEnabled", "whether it is on"}, {"conditions", "its conditions"},
		{"exceptions", "its exceptions"}, {"actions", "what it does"}},
	OnRole:        {{"principalId", "whose it is"}, {"roleDefinitionId", "the role"}, {"directoryScopeId", "its scope"}},
	OnEligibility: {{"principalId", "whose it is"}, {"roleDefinitionId", "the role"}, {"directoryScopeId", "its scope"}, {"endDateTime", "until when it is"}},
	OnGrant:       {{"clientId", "the application"}, {"consentType", "for whom it is"}, {"principalId", "whose it is"}, {"resourceId", "the service"}, {"scope", "what it is to"}},
	OnPermission:  {{"principalId", "the application"}, {"resourceId", "the service"}, {"appRoleId", "the permission"}},
}

// whole is what can be set of an object, without what says nothing: null, false and empty lists within the conditions and
// actions of a rule, and OData's own members.
func (s shape) whole(raw json.RawMessage) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var all map[string]any
	if err := d.Decode(&all); err != nil || all == nil {
		return nil, fmt.Errorf("not an object: %w", errOr(err))
	}
	out := map[string]any{}
	for _, p := range s {
		v, ok := all[p.name]
		if !ok || v == nil {
			if p.name == "isEnabled" {
				out[p.name] = true
			}
			continue
		}
		if parts, ok := v.(map[string]any); ok {
			parts = telling(parts)
			if len(parts) == 0 {
				continue
			}
			v = parts
		}
		out[p.name] = v
	}
	return out, nil
}

func errOr(err error) error {
	if err == nil {
		return fmt.Errorf("null")
	}
	return err
}

// telling is what of conditions or actions says something.
func telling(parts map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range parts {
		if strings.Contains(k, "@odata.") {
			continue
		}
		switch v := v.(type) {
		case nil:
		case bool:
			if v {
				out[k] = v
			}
		case []any:
			if len(v) > 0 {
				out[k] = plain(v)
			}
		default:
			out[k] = plain(v)
		}
	}
	return out
}

// plain is a value without OData's own members and nulls.
func plain(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if e != nil && !strings.Contains(k, "@odata.") {
				out[k] = plain(e)
			}
		}
		return out
	}
	return v
}

// fingerprint stands for what can be set of an object, but for the members left out.
func (s shape) fingerprint(raw json.RawMessage, but ...string) (string, error) {
	m, err := s.whole(raw)
	if err != nil {
		return "", err
	}
	for _, name := range but {
		delete(m, name)
	}
	b, err := json.Marshal(m) // members in order
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16]), nil
}

// differ names the members in which two objects differ, but for those left out.
func (s shape) differ(a, b json.RawMessage, but ...string) ([]string, error) {
	x, err := s.whole(a)
	if err != nil {
		return nil, err
	}
	y, err := s.whole(b)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, part := range s {
		if slices.Contains(but, part.name) {
			continue
		}
		p, perr := json.Marshal(x[part.name])
		q, qerr := json.Marshal(y[part.name])
		if perr != nil || qerr != nil || !bytes.Equal(p, q) {
			out = append(out, part.word)
		}
	}
	return out, nil
}

// differ names the members in which two rules differ.
func differ(a, b json.RawMessage, but ...string) ([]string, error) {
	return shapes[OnRule].differ(a, b, but...)
}

// again is the body that makes a rule once more. Its actions must be there, even where they are none.
func again(raw json.RawMessage) (map[string]any, error) {
	m, err := shapes[OnRule].whole(raw)
	if err == nil && m["actions"] == nil {
		m["actions"] = map[string]any{}
	}
	return m, err
}

// bare is an object without OData's own members, which tell of the answer and not of the rule.
func bare(raw json.RawMessage) json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return raw
	}
	for k := range m {
		if strings.Contains(k, "@odata.") {
			delete(m, k)
		}
	}
	out, err := json.Marshal(m)
	if err != nil {
		return raw
	}
	return out
}

// lost are what an undo of the rule's deletion does not bring back, a sentence each.
func lost(raw json.RawMessage) []string {
	var r graph.MessageRule
	if err := json.Unmarshal(raw, &r); err != nil {
		return []string{"The rule cannot be read whole, so it may not be made again as it was."}
	}
	out := []string{"The rule gets another id: Microsoft gives each rule that is made a new one. The history here names both."}
	if r.HasError {
		out = append(out, "The rule is in error now. Microsoft may refuse to make it again as it is.")
	}
	for _, name := range slices.Sorted(maps.Keys(unknown(&r))) {
		out = append(out, "It has a part that Tocsin does not know ("+name+"). It is sent as it was, and Microsoft may refuse it.")
	}
	return out
}

func unknown(r *graph.MessageRule) map[string]bool {
	out := map[string]bool{}
	for _, name := range r.Unknown {
		if strings.Contains(name, ".") && !strings.Contains(name, "@odata.") {
			out[name] = true
		}
	}
	return out
}

func lookRule(ctx context.Context, gc *graph.Client, t target) (seen, error) {
	var r graph.MessageRule
	err := gc.Get(ctx, "messageRules.get", graph.P{"user": t.object, "folder": "inbox", "rule": t.id}, &r)
	if is[*graph.NotFound](err) {
		return seen{gone: true}, nil
	}
	return seen{raw: bare(r.Raw)}, err
}

func lookRules(ctx context.Context, gc *graph.Client, t target) (seen, error) {
	return listed(ctx, gc, "messageRules.list", graph.P{"user": t.object, "folder": "inbox"}, t.id)
}

// ruleIn is a rule as it was read; nil where none was.
func ruleIn(raw json.RawMessage) *graph.MessageRule {
	var r graph.MessageRule
	if len(raw) == 0 || json.Unmarshal(raw, &r) != nil {
		return nil
	}
	return &r
}

// inOrder is a rule's place in the order; 0 of what has none.
func inOrder(raw json.RawMessage) int {
	if r := ruleIn(raw); r != nil {
		return r.Sequence
	}
	return 0
}

func ruleOff(_ *step, now seen) (bool, error) { return now.gone || !isOn(now.raw, "isEnabled"), nil }

// restoreRule makes the deleted rule again. One that an earlier sending has made, in another place of the order, is only moved.
func restoreRule(ctx context.Context, s *step) (string, error) {
	body, err := again(s.Plan.Original)
	if err != nil {
		return "", err
	}
	now, err := lookRules(ctx, s.gc, s.target())
	if err != nil {
		return "", err
	}
	id := s.madeIn(now)
	if id == "" {
		var made, is graph.MessageRule
		if err := s.gc.Act(ctx, "messageRules.create", graph.P{"user": s.Object, "folder": "inbox"}, body, &made); err != nil {
			return "", err
		}
		err := s.gc.Get(ctx, "messageRules.get", graph.P{"user": s.Object, "folder": "inbox", "rule": made.ID}, &is)
		if err != nil || is.Sequence == inOrder(s.Plan.Original) {
			return made.ID, nil // verifying tells of what could not be read
		}
		id = made.ID
	}
	err = s.gc.Act(ctx, "messageRules.update", graph.P{"user": s.Object, "folder": "inbox", "rule": id}, map[string]any{"sequence": body["sequence"]}, nil)
	return id, err
}

func remadeRule(s *step) string {
	return "The rule “" + shown(s.Name) + "” was made again, and reads back as it was in each of its parts. Its id was " + s.Target + " and is " + s.Made + "."
}

func planDisableRule(p *Plan, f *Draft, now seen) {
	p.Does = "Switches off " + f.rule() + "."
	p.Touches = f.ruleTouched()
	p.Not = []string{"The rule stays in the mailbox, so its owner, or whoever took the mailbox over, can switch it on again.", "Mail that it has moved, deleted or sent on stays where it is."}
	p.CanUndo, p.Undo = true, "It can be undone: the rule is switched on again, exactly as it was."
	p.already(now, now.raw != nil && !isOn(now.raw, "isEnabled"), "The rule is off already.")
	p.writable(now)
}

func planDeleteRule(p *Plan, f *Draft, now seen) {
	p.Does = "Deletes " + f.rule() + ". It is kept here whole."
	p.Touches = f.ruleTouched()
	p.Not = []string{"Mail that it has moved, deleted or sent on stays where it is."}
	p.CanUndo, p.Undo = true, "It can be undone: the rule is made again from what is kept here, and compared with it."
	if now.raw != nil {
		p.Lost = lost(now.raw)
	}
	p.already(now, false, "")
	p.writable(now)
}

func planEnableRule(p *Plan, f *Draft, now seen) {
	p.Does = "Switches " + f.rule() + " on again, as it was before."
	p.Touches = f.ruleTouched()
	p.Undo = "The rule can be switched off again by a new action."
	p.already(now, now.raw != nil && isOn(now.raw, "isEnabled"), "The rule is on already.")
	if now.gone {
		p.Already = ""
		p.Stops = append(p.Stops, Stop{What: "The rule is no longer there, so it cannot be switched on.", Do: "Its owner, or somebody else, has deleted it since."})
	}
	p.writable(now)
}

func planRestoreRule(p *Plan, f *Draft, _ seen) {
	p.Does = "Makes " + f.rule() + " again, as it was before it was deleted."
	p.Touches = []string{"the inbox rules of " + f.whom.who}
	p.Lost = lost(f.original.Plan.Before)
	p.Undo = "The rule can be deleted again by a new action."
}

func (f *Draft) rule() string { return "the rule “" + f.shown() + "” of " + f.whom.who }

func (f *Draft) ruleTouched() []string {
	return []string{"the rule “" + f.shown() + "” in the mailbox of " + f.whom.who}
}

// writable stops what Graph lets nobody do.
func (p *Plan) writable(now seen) {
	if r := ruleIn(now.raw); r != nil && r.IsReadOnly {
		p.Stops = append(p.Stops, readOnly)
	}
}

var readOnly = Stop{What: "The rule is read-only: Microsoft Graph lets nobody change it.", Do: "Remove it in Outlook, or with Remove-InboxRule in Exchange Online PowerShell."}

// ruleUnfit says why a rule as it is now is not the one that was planned for.
func (s *step) ruleUnfit(now seen) *tocsin.Problem {
	as := func(x Stop) *tocsin.Problem { return tocsin.Problemf(tocsin.Conflict, x.Do, "%s", x.What) }
	if now.gone {
		return tocsin.Problemf(tocsin.Conflict, "Its owner, or somebody else, has deleted it since.", "The rule is no longer there, so it cannot be switched on.")
	}
	if r := ruleIn(now.raw); r == nil {
		return tocsin.Problemf(tocsin.Conflict, "Look at the rule in Outlook.", "The rule cannot be read.")
	} else if r.IsReadOnly {
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
