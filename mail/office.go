package mail

import (
	"bytes"
	"encoding/xml"
	"strings"
)

// relations are the outside targets that a .rels file of an Office document names.
func relations(b []byte) []string {
	var out []string
	d := xml.NewDecoder(bytes.NewReader(b))
	d.Strict = false
	for len(out) < MaxLinks {
		t, err := d.RawToken()
		if err != nil {
			break
		}
		e, ok := t.(xml.StartElement)
		if !ok || e.Name.Local != "Relationship" {
			continue
		}
		target, outside := "", false
		for _, a := range e.Attr {
			switch a.Name.Local {
			case "Target":
				target = a.Value
			case "TargetMode":
				outside = strings.EqualFold(a.Value, "External")
			}
		}
		if outside {
			out = append(out, target)
		}
	}
	return out
}
