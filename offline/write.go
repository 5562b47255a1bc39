package offline

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"tocsin.dev"
)

// line is a finding as --json prints it: exactly these members, in this order.
type line struct {
	Rule     string          `json:"rule"`
	Severity tocsin.Severity `json:"severity"`
	Risk     int             `json:"risk"`
	Time     *time.Time      `json:"time"`   // null where the records do not tell it
	Person   string          `json:"person"` // the address; empty where no person is meant
	Stage    string          `json:"stage"`
	Why      string          `json:"why"`
	Attack   []string        `json:"attack"`
	Evidence []pointer       `json:"evidence"`
}

// pointer is evidence as --json prints it: the record's own id in its source.
type pointer struct {
	ID     string `json:"id"`
	Source string `json:"source"`
}

// WriteJSON writes a finding as one object on one line.
func WriteJSON(w io.Writer, f tocsin.Finding) error {
	out := line{Rule: f.Rule, Severity: f.Severity, Risk: f.Risk, Person: string(f.Person), Stage: f.Stage, Why: f.Why, Attack: f.Attack, Evidence: []pointer{}}
	if out.Attack == nil {
		out.Attack = []string{}
	}
	if !f.Time.IsZero() {
		at := f.Time.UTC()
		out.Time = &at
	}
	for _, e := range f.Evidence {
		out.Evidence = append(out.Evidence, pointer{e.ID, e.Source})
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}
