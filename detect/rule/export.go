package rule

import (
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// Exports are the rules that judge how events are sent on.
var Exports = []detect.ExportCheck{{Meta: exportLate, Judge: judgeExportLate}}

// Export judges an export by every check of one.
func Export(o *detect.Org, e *detect.Export) []tocsin.Finding {
	var out []tocsin.Finding
	for i := range Exports {
		k := &Exports[i]
		out = append(out, o.Unexcused(&k.Meta, k.Judge(o.Now, e))...)
	}
	return out
}

var exportLate = detect.Meta{
	Name: "export-late", Title: "Events do not reach their receiver", Family: "connections",
	Severity: tocsin.Medium, Attack: []string{"T1562.008"}, Stage: "hiding",
	Says:           "An export is paused because its receiver turned it away, fails again and again, or is far behind. Whoever watches by what it sends sees nothing, or sees it late.",
	FalsePositives: "A receiver that is being maintained. It ends by itself when the export has caught up, or when somebody pauses or forgets it.",
	Fix:            "See on the export's page what the receiver answers (Settings → Exports), set that right, and resume the export if it is paused. Nothing is passed over meanwhile.",
	Actions:        []string{}, Source: "export",
}

func judgeExportLate(_ time.Time, e *detect.Export) []tocsin.Finding {
	if e.Trouble == "" {
		return nil
	}
	f := exportLate.Finding("", e.Name, e.ID, e.Since)
	f.Cause = "late"
	terms := detect.Terms{{Points: 40, Why: "who watches by what it sends sees it late"}}
	waits := fmt.Sprintf("%d events wait.", e.Behind)
	switch e.Behind {
	case 0:
		waits = "Nothing waits yet."
	case 1:
		waits = "One event waits."
	}
	state := map[string]string{"paused": "is paused", "failing": "fails", "behind": "is behind"}[e.Trouble]
	if e.Behind > 0 {
		terms.Add(5, "events wait")
	}
	f.Evidence = []tocsin.Evidence{{ID: e.ID, Source: "export", What: "the export " + state + " since " + e.Since.UTC().Format("2006-01-02 15:04") + " UTC", Raw: fmt.Sprintf("%d events wait", e.Behind)}}
	name := detect.Quote(e.Name)
	because := strings.TrimSuffix(strings.TrimSuffix(e.Because, "; the export is paused"), ".")
	switch e.Trouble {
	case "paused":
		terms.Add(20, "it does not go on by itself")
		return []tocsin.Finding{*scored(&f, terms, fmt.Sprintf("The export %s is paused: %s. %s", name, because, waits))}
	case "failing":
		terms.Add(10, "nothing is taken")
		return []tocsin.Finding{*scored(&f, terms, fmt.Sprintf("The export %s fails again and again since %s UTC: %s. %s", name, e.Since.UTC().Format("2 January 15:04"), because, waits))}
	}
	return []tocsin.Finding{*scored(&f, terms, fmt.Sprintf("The export %s is behind: what came at %s UTC is not sent yet. %s", name, e.Since.UTC().Format("2 January 15:04"), waits))}
}
