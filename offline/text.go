package offline

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"

	"tocsin.dev"
)

// The text form: the findings of one person under his name, the worst first; then what was read. Everything that comes from
// a record is printed without characters that steer a terminal.

// colours are those of the severities; they never stand without the word.
var colours = map[tocsin.Severity]string{
	tocsin.Critical: "\x1b[1;31m", tocsin.High: "\x1b[31m", tocsin.Medium: "\x1b[33m", tocsin.Low: "\x1b[36m", tocsin.Info: "\x1b[2m",
}

// WriteText writes findings for people, grouped by person with the worst first. coloured is for terminals.
func WriteText(w io.Writer, findings []tocsin.Finding, coloured bool) error {
	p := &printer{w: w, coloured: coloured}
	for _, group := range byPerson(findings) {
		p.line("%s", p.bold(clean(name(group[0]))))
		for _, f := range group {
			p.finding(f)
		}
		p.line("")
	}
	return p.err
}

type printer struct {
	w        io.Writer
	coloured bool
	err      error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *printer) bold(s string) string {
	if !p.coloured {
		return s
	}
	return "\x1b[1m" + s + "\x1b[0m"
}

func (p *printer) finding(f tocsin.Finding) {
	word := fmt.Sprintf("%-8s", strings.ToUpper(string(f.Severity)))
	if p.coloured {
		word = colours[f.Severity] + word + "\x1b[0m"
	}
	at := "time not told   "
	if !f.Time.IsZero() {
		at = f.Time.UTC().Format("2006-01-02 15:04")
	}
	p.line("  %s %3d  %s  %s", word, f.Risk, at, f.Rule)
	for _, part := range wrap(clean(f.Why), 96) {
		p.line("                 %s", part)
	}
	p.line("                 %s", clean(evidenceLine(f.Evidence)))
}

// WriteStories writes what joins of each person's findings, the worst first.
func WriteStories(w io.Writer, stories []Told, coloured bool) error {
	p := &printer{w: w, coloured: coloured}
	for _, s := range worstFirst(stories) {
		word := fmt.Sprintf("%-8s", strings.ToUpper(string(s.Severity)))
		if p.coloured {
			word = colours[s.Severity] + word + "\x1b[0m"
		}
		p.line("%s", p.bold("Story: "+clean(s.Who)))
		p.line("  %s %3d  %s  %s", word, s.Score, s.Began().UTC().Format("2006-01-02 15:04"), clean(s.Title))
		for _, part := range wrap(clean(s.Why), 96) {
			p.line("                 %s", part)
		}
		p.line("")
	}
	return p.err
}

// evidenceLine names the records a finding rests on; of many, the last ones.
func evidenceLine(es []tocsin.Evidence) string {
	const shown = 3
	ids := make([]string, 0, shown)
	for _, e := range es[max(0, len(es)-shown):] {
		ids = append(ids, e.ID)
	}
	more := ""
	if n := len(es) - shown; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return "record " + strings.Join(ids, ", ") + more
}

// byPerson groups findings; the group with the worst comes first, and in it the worst.
func byPerson(findings []tocsin.Finding) [][]tocsin.Finding {
	groups := map[string][]tocsin.Finding{}
	for _, f := range findings {
		key := strings.ToLower(name(f))
		groups[key] = append(groups[key], f)
	}
	for _, g := range groups {
		slices.SortStableFunc(g, func(a, b tocsin.Finding) int {
			return cmp.Or(cmp.Compare(b.Risk, a.Risk), a.Time.Compare(b.Time), strings.Compare(a.Rule, b.Rule))
		})
	}
	return slices.SortedFunc(maps.Values(groups), func(a, b []tocsin.Finding) int {
		return cmp.Or(cmp.Compare(b[0].Risk, a[0].Risk), cmp.Compare(len(b), len(a)), strings.Compare(strings.ToLower(name(a[0])), strings.ToLower(name(b[0]))))
	})
}

func name(f tocsin.Finding) string {
	switch {
	case f.Who != "":
		return f.Who
	case f.Person != "":
		return string(f.Person)
	}
	return "the organisation"
}

// clean takes away what steers a terminal or hides: control characters and those of no width.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
}

// wrap breaks s into lines of at most width characters, at blanks.
func wrap(s string, width int) []string {
	var out []string
	line := ""
	for _, word := range strings.Fields(s) {
		switch {
		case line == "":
			line = word
		case len([]rune(line))+1+len([]rune(word)) > width:
			out = append(out, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(out, line)
}

// WriteSummary writes what was read and what came of it.
func WriteSummary(w io.Writer, s Summary) error {
	p := &printer{w: w}
	p.line("Read       %s in %s, %s.", number(s.Records, "record"), number(s.Files, "file"), megabytes(s.Bytes))
	if s.Records == 0 {
		return p.err // there is nothing to say of them; what ends the command says why
	}
	for _, shape := range mostFirst(s.Shapes) {
		p.line("           %10d  %s", s.Shapes[shape], shape)
	}
	p.line("Judged     %d; %d repeated; %d of operations that no rule looks at.", s.Judged, s.Repeated, s.Silent)
	if s.Shared > 0 {
		p.line("Ids        %s with the id of another record and other contents (id %s): all were judged.", number(s.Shared, "record"), clean(strings.Join(s.SharedIDs, ", ")))
	}
	if !s.From.IsZero() {
		p.line("From       %s to %s, UTC.", s.From.Format("2006-01-02 15:04"), s.To.Format("2006-01-02 15:04"))
	}
	if s.Untimed > 0 {
		p.line("Time       %s without the time of the event: what is judged by order may be missed in them.", number(s.Untimed, "record"))
	}
	p.domains(s)
	if s.Strange > 0 {
		p.line("Unknown    %s of a form that is not known.", number(s.Strange, "record"))
	}
	if top := mostFirst(s.Operations); len(top) > 0 {
		list := make([]string, 0, 8)
		for _, op := range top[:min(8, len(top))] {
			list = append(list, fmt.Sprintf("%s (%d)", clean(op), s.Operations[op]))
		}
		p.line("Not judged %s%s", strings.Join(list, ", "), map[bool]string{true: " …", false: ""}[len(top) > 8])
	}
	if s.Broken > 0 {
		p.line("Broken     %s that could not be read.", number(s.Broken, "piece"))
	}
	p.line("Found      %s.", foundLine(s.Findings))
	return p.err
}

// fileName is how a file is called in a sentence.
func fileName(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

func (p *printer) domains(s Summary) {
	list := strings.Join(s.Domains[:min(6, len(s.Domains))], ", ")
	if n := len(s.Domains) - 6; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	switch {
	case len(s.Domains) == 0:
		p.line("Domains    none are known, so nothing is called outside; name yours with --domain.")
	case s.Inferred:
		p.line("Domains    %s: taken from the records; name yours with --domain if that is wrong.", clean(list))
	default:
		p.line("Domains    %s.", clean(list))
	}
}

func foundLine(by map[tocsin.Severity]int) string {
	var parts []string
	for _, s := range []tocsin.Severity{tocsin.Critical, tocsin.High, tocsin.Medium, tocsin.Low, tocsin.Info} {
		if by[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", by[s], s))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

func mostFirst(counts map[string]int) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
}

func number(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func megabytes(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d kB", (n+1023)>>10)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
}
