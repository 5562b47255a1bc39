package story

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin.dev"
)

// String writes the story so that Parse reads the same of it, but for comments and the numbers of lines.
func (s *Story) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", s.Title)
	for i := range s.World {
		b.WriteString(s.World[i].String() + "\n")
	}
	for i := range s.Acts {
		b.WriteString(s.act(&s.Acts[i]) + "\n")
	}
	for i := range s.Expects {
		b.WriteString(s.Expects[i].String() + "\n")
	}
	for _, q := range s.Quiet {
		b.WriteString("silent " + bare(q) + "\n")
	}
	if s.Silent {
		b.WriteString("silent\n")
	}
	return b.String()
}

func (d *Decl) String() string {
	out := []string{string(d.Kind)}
	switch d.Kind {
	case Domain, Partner:
		out = append(out, bare(d.Name))
	case Person:
		out = append(out, d.Name)
		if d.Title != "" {
			out = append(out, strconv.Quote(d.Title))
		}
		out = append(out, d.Address)
		for _, f := range d.Flags {
			out = append(out, string(f))
		}
	case Group, Contact:
		out = append(out, addressed(d.Address))
		if d.Title != "" {
			out = append(out, strconv.Quote(d.Title))
		}
		join := "with"
		if d.Kind == Contact {
			join = "to"
		}
		out = append(out, join, list(d.Members, addressed))
	case Exception:
		out = append(out, bare(d.Name), "for", d.Scope, bare(d.Address), "by", bare(d.Owner), "because", strconv.Quote(d.Title))
		if d.Until != 0 {
			out = append(out, "until", when(d.Until))
		}
	}
	return strings.Join(out, " ")
}

// addressed writes an address: bare only where it could not be taken for a short name.
func addressed(a string) string {
	if strings.Contains(a, "@") {
		return bare(a)
	}
	return strconv.Quote(a)
}

func list(all []string, write func(string) string) string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = write(s)
	}
	return strings.Join(out, ", ")
}

func when(at time.Duration) string {
	n := int(at / (24 * time.Hour))
	d := days[n%7]
	if n >= 7 {
		d += "+" + strconv.Itoa(n/7)
	}
	m := int(at/time.Minute) % (24 * 60)
	return fmt.Sprintf("%s %02d:%02d", d, m/60, m%60)
}

func (e *Expect) String() string {
	out := fmt.Sprintf("expect %s %s", bare(e.Rule), bare(e.Who))
	if e.Risk > 0 {
		out += fmt.Sprintf(" risk %d", e.Risk)
	}
	if e.Says != "" {
		out += " says " + strconv.Quote(e.Says)
	}
	return out
}

func (s *Story) act(a *Act) string {
	who := strconv.Quote(a.Who)
	if plain(a.Who) && (strings.Contains(a.Who, "@") || s.Address(a.Who) != a.Who) {
		who = a.Who
	}
	out := when(a.At) + " " + who + " " + string(a.Verb)
	for _, more := range a.rest() {
		out += " " + more
	}
	return out
}

// rest is what follows the verb.
func (a *Act) rest() []string {
	switch a.Verb {
	case MakesRule, ChangesRule:
		return append([]string{strconv.Quote(a.Args["name"])}, ruleText(a.Rule)...)
	case DeletesRule, DisablesRule, EnablesRule:
		return []string{strconv.Quote(a.Args["name"])}
	case SetsAutoReply:
		return []string{strconv.Quote(a.Args["text"])}
	case SignsIn:
		return a.signInText()
	case Receives:
		return parts(a, "from", addressed(a.Args["from"]))
	case Sends:
		return parts(a, "to", list(strings.Split(a.Args["to"], ","), addressed))
	case Runs, Audits:
		return a.auditText()
	}
	return a.mailText()
}

// mailText is what follows a verb that does something to a mail.
func (a *Act) mailText() []string {
	mail := strconv.Quote(a.Args["mail"])
	switch a.Verb {
	case DraftsMail:
		return parts(a, "to", list(strings.Split(a.Args["to"], ","), addressed))
	case SendsDraft, ReadsMail, UnreadsMail, FlagsMail, UnflagsMail, DeletesMail, PurgesMail:
		return []string{mail}
	case SortsMail:
		return []string{mail, "as", strconv.Quote(a.Args["category"])}
	case MovesMail:
		return append([]string{mail}, folderText("", a.Folder)[1:]...)
	case RepliesTo:
		if a.Args["all"] != "" {
			return []string{mail, "all"}
		}
		return []string{mail}
	case ForwardsMail:
		return []string{mail, "to", list(strings.Split(a.Args["to"], ","), addressed)}
	}
	return nil
}

// parts are the words before, and what is said of a mail.
func parts(a *Act, out ...string) []string {
	for _, part := range mailParts {
		if s, ok := a.Args[part.word]; ok {
			out = append(out, part.word, strconv.Quote(s))
		}
	}
	return out
}

func origin(args map[string]string) string {
	place := args["country"]
	if args["city"] != "" {
		place = args["city"]
	}
	if args["ip"] == "" || place == "" {
		return args["ip"] + place
	}
	return args["ip"] + "/" + place
}

func (a *Act) signInText() []string {
	out := []string{"from", origin(a.Args)}
	if app, ok := a.Args["app"]; ok {
		out = append(out, "app", strconv.Quote(app))
	}
	if agent, ok := a.Args["agent"]; ok {
		out = append(out, "agent", strconv.Quote(agent))
	}
	if a.Args["result"] == "failure" {
		out = append(out, "failing")
	}
	for _, k := range slices.Sorted(maps.Keys(a.Params)) {
		out = append(out, k+"="+strconv.Quote(a.Params[k]))
	}
	return out
}

func (a *Act) auditText() []string {
	out := []string{bare(a.Args["operation"])}
	if from := origin(a.Args); from != "" {
		out = append(out, "from", from)
	}
	for _, k := range []string{"as", "on", "target", "workload", "result", "app", "agent"} {
		if v, ok := a.Args[k]; ok {
			out = append(out, k, bare(v))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(a.Params)) {
		out = append(out, k+"="+strconv.Quote(a.Params[k]))
	}
	for _, k := range slices.Sorted(maps.Keys(a.Modified)) {
		out = append(out, k+"="+strconv.Quote(a.Modified[k][0]), "becoming", strconv.Quote(a.Modified[k][1]))
	}
	return out
}

// ruleText is what follows a rule's name.
func ruleText(r *tocsin.MailRule) []string {
	var out []string
	flag := func(on bool, word string) {
		if on {
			out = append(out, word)
		}
	}
	flag(!r.Enabled, "disabled")
	flag(r.ReadOnly, "readonly")
	flag(r.HasError, "broken")
	out = append(out, termsText("when", r.Conditions)...)
	out = append(out, termsText("except", r.Exceptions)...)
	send := func(verb string, to []tocsin.Address) {
		all := make([]string, len(to))
		for i, a := range to {
			all[i] = a.Address
		}
		flag(len(to) > 0, verb+" to "+list(all, addressed))
	}
	send("forward", r.Forward)
	send("redirect", r.Redirect)
	send("attach", r.Attach)
	out = append(out, folderText("move", r.MoveTo)...)
	out = append(out, folderText("copy", r.CopyTo)...)
	flag(r.Delete, "delete")
	flag(r.Purge, "purge")
	flag(r.MarkRead, "mark read")
	flag(r.Importance != "", "mark "+r.Importance)
	flag(len(r.Categories) > 0, "categorise "+list(r.Categories, strconv.Quote))
	flag(r.Stop, "stop")
	return out
}

func termsText(join string, ts []tocsin.Term) []string {
	var out []string
	for _, t := range ts {
		out = append(out, join, t.Name)
		join = "and"
		switch terms[t.Name] {
		case words, single:
			out = append(out, list(t.Values, strconv.Quote))
		case addresses:
			out = append(out, list(t.Values, addressed))
		}
	}
	return out
}

func folderText(verb string, f *tocsin.Folder) []string {
	switch {
	case f == nil:
		return nil
	case f.WellKnown != "":
		return []string{verb, "to", f.WellKnown}
	}
	return []string{verb, "to", strconv.Quote(f.Name)}
}
