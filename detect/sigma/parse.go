package sigma

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"tocsin.dev"
)

// What a rule's text may have. A rule of SigmaHQ has some ten values.
const (
	MaxText      = 64 << 10
	maxDocuments = 20
	maxItems     = 500  // conditions on fields, in one rule
	maxValues    = 2000 // values, in one rule
	maxPatterns  = 50   // regular expressions, in one rule
	maxPattern   = 1000 // bytes of one
	maxCondition = 2000
	maxDepth     = 50
	maxExamples  = 50
)

// Fault is what is wrong with a rule's text, and what to do about it.
type Fault struct {
	Line int    `json:"line"` // from 1; 0 where it is of no line
	What string `json:"what"`
	Do   string `json:"do"`
}

// Faults are all that is wrong with a text.
type Faults []Fault

// Error is the problems in one text.
func (p Faults) Error() string {
	var b strings.Builder
	for i, one := range p {
		if i > 0 {
			b.WriteByte('\n')
		}
		if one.Line > 0 {
			fmt.Fprintf(&b, "line %d: ", one.Line)
		}
		b.WriteString(one.What + " " + one.Do)
	}
	return b.String()
}

// Bundle is what a text says: one rule, or several and the correlations over them. Its own title, level and so on are those
// of its first correlation, else of its first rule.
type Bundle struct {
	Rules        []*Rule
	Correlations []*Correlation
	Examples     []Example
}

// Head is what a rule or correlation says of itself.
type Head struct {
	ID             string
	Name           string // by which a correlation names it
	Title          string
	Description    string
	Status         string
	Author         string
	Level          string // informational, low, medium, high or critical
	Attack         []string
	Stage          string
	References     []string
	FalsePositives []string
	line           int
}

// Rule is one rule, compiled.
type Rule struct {
	Head
	Source     *Source
	selections []*selection
	condition  expr
	needs      *needed
	silent     bool // only a correlation makes use of it
	feeds      []feed
}

// Head is what the bundle says of itself.
func (b *Bundle) Head() *Head {
	if len(b.Correlations) > 0 {
		return &b.Correlations[0].Head
	}
	return &b.Rules[0].Head
}

// Sources are the logs that the bundle's rules read.
func (b *Bundle) Sources() []*Source {
	var out []*Source
	for _, r := range b.Rules {
		if !slices.Contains(out, r.Source) {
			out = append(out, r.Source)
		}
	}
	return out
}

// Uncollected says why the bundle can find nothing here; empty where each log it reads is collected.
func (b *Bundle) Uncollected() string {
	for _, s := range b.Sources() {
		if s.Lacks != "" {
			return s.Lacks
		}
	}
	return ""
}

// Severity is the head's level as findings have it.
func (h *Head) Severity() tocsin.Severity {
	if h.Level == "informational" {
		return tocsin.Info
	}
	return tocsin.Severity(h.Level)
}

// Risk is the points that go with the level: the middle of the severity's range.
func (h *Head) Risk() int {
	return map[string]int{"informational": 5, "low": 25, "medium": 50, "high": 70, "critical": 90}[h.Level]
}

// parser reads one text.
type parser struct {
	found    Faults
	items    int
	values   int
	patterns int
}

func (p *parser) say(n *yaml.Node, do, what string, args ...any) {
	if len(p.found) < 20 {
		p.found = append(p.found, Fault{Line: lineOf(n), What: fmt.Sprintf(what, args...), Do: do})
	}
}

func lineOf(n *yaml.Node) int {
	if n == nil {
		return 0
	}
	return n.Line
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// Parse compiles a rule's text. An error is of type [Faults].
func Parse(text []byte) (*Bundle, error) {
	p := &parser{}
	if len(text) > MaxText {
		return nil, Faults{{What: fmt.Sprintf("The text is longer than %d KB.", MaxText>>10), Do: "Make it several rules."}}
	}
	docs, err := documents(text)
	if err != nil {
		return nil, err
	}
	b := &Bundle{}
	for _, doc := range docs {
		p.items, p.values, p.patterns = 0, 0, 0
		p.document(b, doc)
	}
	if len(p.found) == 0 {
		p.join(b)
	}
	if len(p.found) > 0 {
		return nil, p.found
	}
	return b, nil
}

// documents are a text's YAML documents, each one mapping.
func documents(text []byte) (docs []*yaml.Node, err error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var n yaml.Node
		err := d.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			one := Fault{What: "This is no YAML: " + strings.TrimPrefix(err.Error(), "yaml: ") + ".", Do: "Mind blanks (no tabs) and quotes: a value that begins with * or % or holds “: ” is written in quotes."}
			if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
				one.Line, _ = strconv.Atoi(m[1])
				one.What = "This is no YAML: " + err.Error()[len(m[0]):] + "."
			}
			return nil, Faults{one}
		}
		if len(n.Content) == 0 || n.Content[0].Tag == "!!null" {
			continue
		}
		root := n.Content[0]
		if root.Kind != yaml.MappingNode {
			return nil, Faults{{Line: root.Line, What: "A rule is a mapping of title, logsource and detection.", Do: "See docs/rules.md for one to begin with."}}
		}
		if alias := aliased(root, 0); alias != nil {
			return nil, Faults{{Line: alias.Line, What: "YAML's anchors, aliases and merge keys are not read.", Do: "Write the values out."}}
		}
		docs = append(docs, root)
	}
	switch {
	case len(docs) == 0:
		return nil, Faults{{What: "The text is empty.", Do: "Write or paste a Sigma rule: title, logsource, detection."}}
	case len(docs) > maxDocuments:
		return nil, Faults{{Line: docs[maxDocuments].Line, What: fmt.Sprintf("There are more than %d documents.", maxDocuments), Do: "Put them into several files."}}
	}
	return docs, nil
}

// aliased is the first node that YAML would copy from elsewhere, or that nests too deep.
func aliased(n *yaml.Node, depth int) *yaml.Node {
	if n.Kind == yaml.AliasNode || n.Tag == "!!merge" || depth > 100 {
		return n
	}
	for _, c := range n.Content {
		if a := aliased(c, depth+1); a != nil {
			return a
		}
	}
	return nil
}

// member is the value of a mapping's key.
func member(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// text is a scalar's text; "" for none.
func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return strings.TrimSpace(n.Value)
}

// texts are the texts of a list, or of a scalar as a list of one.
func texts(n *yaml.Node) (out []string) {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.SequenceNode {
		for _, c := range n.Content {
			if s := text(c); s != "" {
				out = append(out, s)
			}
		}
		return out
	}
	if s := text(n); s != "" {
		return []string{s}
	}
	return nil
}

var levels = []string{"informational", "low", "medium", "high", "critical"}

func (p *parser) document(b *Bundle, doc *yaml.Node) {
	h := p.head(doc)
	if action := member(doc, "action"); action != nil {
		p.say(action, "Write the rules out, parted by a line ---.", "Collections of Sigma's first version (action: %s) are not read.", text(action))
		return
	}
	if c := member(doc, "correlation"); c != nil {
		if member(doc, "detection") != nil {
			p.say(c, "Part them by a line ---: rule and correlation are two documents.", "A document has a detection or a correlation, not both.")
			return
		}
		if found := p.correlation(h, c); found != nil {
			b.Correlations = append(b.Correlations, found)
		}
	} else if r := p.rule(h, doc); r != nil {
		b.Rules = append(b.Rules, r)
	}
	p.examples(b, member(doc, "tests"))
}

// head reads what a document says of itself.
func (p *parser) head(doc *yaml.Node) Head {
	h := Head{ID: text(member(doc, "id")), Name: text(member(doc, "name")), Title: text(member(doc, "title")), Description: text(member(doc, "description")),
		Status: text(member(doc, "status")), Author: text(member(doc, "author")), Level: strings.ToLower(text(member(doc, "level"))),
		References: texts(member(doc, "references")), FalsePositives: texts(member(doc, "falsepositives")), line: doc.Line}
	switch {
	case h.Title == "":
		p.say(doc, "Give it a line “title: …” that says what was found.", "The rule has no title.")
	case len(h.Title) > 256:
		p.say(member(doc, "title"), "Shorten it; the rest belongs into the description.", "The title is longer than 256 characters.")
	}
	if h.Level == "" {
		h.Level = "medium"
	} else if !slices.Contains(levels, h.Level) {
		p.say(member(doc, "level"), "Use informational, low, medium, high or critical.", "There is no level %q.", h.Level)
		h.Level = "medium"
	}
	for _, t := range texts(member(doc, "tags")) {
		t = strings.ToLower(t)
		what, ok := strings.CutPrefix(t, "attack.")
		if !ok {
			continue
		}
		if technique.MatchString(what) {
			h.Attack = append(h.Attack, strings.ToUpper(what))
		} else if s := stages[strings.ReplaceAll(what, "_", "-")]; s != "" {
			h.Stage = cmp.Or(h.Stage, s)
		}
	}
	return h
}

var technique = regexp.MustCompile(`^t\d{4}(\.\d{3})?$`)

// stages are ATT&CK's tactics in the words that findings have for them.
var stages = map[string]string{
	"reconnaissance": "access", "resource-development": "access", "initial-access": "access", "credential-access": "access", "privilege-escalation": "persistence",
	"execution": "persistence", "persistence": "persistence", "defense-evasion": "hiding", "stealth": "hiding", "defense-impairment": "hiding", "discovery": "lateral_movement", "lateral-movement": "lateral_movement",
	"collection": "collection", "exfiltration": "exfiltration", "command-and-control": "exfiltration", "impact": "exfiltration",
}

func (p *parser) rule(h Head, doc *yaml.Node) *Rule {
	r := &Rule{Head: h}
	if r.Source = p.source(doc); r.Source == nil {
		return nil
	}
	d := member(doc, "detection")
	if d == nil || d.Kind != yaml.MappingNode {
		p.say(cmp.Or(d, doc), "Write selections and a condition under “detection:”.", "The rule has no detection.")
		return nil
	}
	var conditions []*yaml.Node
	for i := 0; i+1 < len(d.Content); i += 2 {
		name, value := d.Content[i], d.Content[i+1]
		switch name.Value {
		case "condition":
			if conditions = []*yaml.Node{value}; value.Kind == yaml.SequenceNode {
				conditions = value.Content
			}
		case "timeframe":
			p.say(name, "Write a correlation rule with a timespan (docs/rules.md).", "A timeframe belongs to Sigma's first version.")
		default:
			if s := p.selection(r.Source, name, value); s != nil {
				r.selections = append(r.selections, s)
			}
		}
	}
	if len(conditions) == 0 {
		p.say(d, "End the detection with a line such as “condition: selection”.", "The detection has no condition.")
		return nil
	}
	if len(r.selections) == 0 {
		p.say(d, "Write at least one: “selection:” with fields and values.", "The detection has no selection.")
		return nil
	}
	for _, c := range conditions {
		e := p.condition(c, r.selections)
		switch {
		case e == nil:
		case r.condition == nil:
			r.condition = e
		default:
			r.condition = or{r.condition, e}
		}
	}
	if r.condition != nil {
		r.needs = needsOf(r.condition)
	}
	return r
}

// selection reads a selection: fields and values that all hold, a list of such of which one does, or words that stand anywhere.
func (p *parser) selection(src *Source, name, n *yaml.Node) *selection {
	s, said := &selection{name: name.Value}, len(p.found)
	if !identifier.MatchString(s.name) {
		p.say(name, "Use letters, digits and _ in names of selections.", "%q can be no selection's name.", s.name)
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		s.any = []group{p.group(src, n)}
	case yaml.SequenceNode:
		var words []*yaml.Node
		for _, c := range n.Content {
			switch c.Kind {
			case yaml.MappingNode:
				s.any = append(s.any, p.group(src, c))
			case yaml.ScalarNode:
				words = append(words, c)
			default:
				p.say(c, "Make it a list of words, or of mappings of fields and values.", "A list within a list means nothing here.")
			}
		}
		if len(words) > 0 {
			if it := p.item(src, name, "", words); it != nil {
				s.any = append(s.any, group{it})
			}
		}
	case yaml.ScalarNode:
		if it := p.item(src, name, "", []*yaml.Node{n}); it != nil {
			s.any = []group{{it}}
		}
	}
	if len(p.found) > said {
		return s
	}
	if len(s.any) == 0 || slices.ContainsFunc(s.any, func(g group) bool { return len(g) == 0 }) {
		p.say(name, "Give it fields and values.", "The selection %s is empty.", s.name)
	}
	return s
}

func (p *parser) group(src *Source, n *yaml.Node) (g group) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		values := []*yaml.Node{v}
		if v.Kind == yaml.SequenceNode {
			values = v.Content
		} else if v.Kind == yaml.MappingNode {
			p.say(key, "Name the inner field with a dot: DeviceDetail.trustType.", "The values of %s are a mapping.", key.Value)
			continue
		}
		if it := p.item(src, key, key.Value, values); it != nil {
			g = append(g, it)
		}
	}
	return g
}

// timespan reads 15s, 30m, 12h, 7d, 1w or 1M.
func timespan(s string) (time.Duration, bool) {
	if len(s) < 2 || len(s) > 7 {
		return 0, false
	}
	unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour, 'M': 30 * 24 * time.Hour}[s[len(s)-1]]
	n, err := strconv.Atoi(s[:len(s)-1])
	if err != nil || n < 1 || unit == 0 {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
