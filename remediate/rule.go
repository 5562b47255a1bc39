package remediate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tocsin.dev/graph"
)

// settable are the members of a rule that can be set; its id and whether it is read-only or in error cannot.
// https://learn.microsoft.com/graph/api/resources/messagerule
var settable = []string{"displayName", "sequence", "isEnabled", "conditions", "exceptions", "actions"}

// whole is what can be set of a rule, without what says nothing: null, false and empty lists within its conditions and
// actions, and OData's own members. Two rules are the same when this is.
func whole(raw json.RawMessage) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var all map[string]any
	if err := d.Decode(&all); err != nil || all == nil {
		return nil, fmt.Errorf("a rule that is not an object: %w", errOr(err))
	}
	out := map[string]any{"isEnabled": true}
	for _, name := range settable {
		v, ok := all[name]
		if !ok || v == nil {
			continue
		}
		if parts, ok := v.(map[string]any); ok {
			parts = said(parts)
			if len(parts) == 0 {
				continue
			}
			v = parts
		}
		out[name] = v
	}
	return out, nil
}

func errOr(err error) error {
	if err == nil {
		return fmt.Errorf("null")
	}
	return err
}

// said is what of conditions or actions says something.
func said(parts map[string]any) map[string]any {
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

// fingerprint stands for what can be set of a rule, but for the members left out.
func fingerprint(raw json.RawMessage, but ...string) (string, error) {
	m, err := whole(raw)
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

// differ names the members in which two rules differ, but for those left out.
func differ(a, b json.RawMessage, but ...string) ([]string, error) {
	x, err := whole(a)
	if err != nil {
		return nil, err
	}
	y, err := whole(b)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range settable {
		if slices.Contains(but, name) {
			continue
		}
		p, perr := json.Marshal(x[name])
		q, qerr := json.Marshal(y[name])
		if perr != nil || qerr != nil || !bytes.Equal(p, q) {
			out = append(out, memberWord(name))
		}
	}
	return out, nil
}

func memberWord(name string) string {
	return map[string]string{"displayName": "its name", "sequence": "its place in the order", "isEnabled": "whether it is on",
		"conditions": "its conditions", "exceptions": "its exceptions", "actions": "what it does"}[name]
}

// again is the body that makes a rule once more. Its actions must be there, even where they are none.
func again(raw json.RawMessage) (map[string]any, error) {
	m, err := whole(raw)
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
