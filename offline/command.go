package offline

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"tocsin.dev"
	"tocsin.dev/detect"
)

const help = `Analyze reads exported logs of Microsoft 365 and prints what is dangerous in them; it needs no server and sends nothing.

It takes the unified audit log (JSON, JSON lines, CSV with AuditData, OfficeActivity), Entra's sign-ins and directory audits (Graph,
Log Analytics, diagnostic settings), risk detections and alerts, plain or gzipped, in any mixture; "-" is standard input.

What joins of one person's findings is told as a story; a takeover of an account is a finding of its own. With --json a story is a
line after the findings', like theirs, with a member "story" besides (leave them out: jq 'select(.story|not)'). With --rules, Sigma rules of
your own judge beside (docs/rules.md).

The exit status is 0 when all was read, whatever was found, and 1 when a piece could not be read, nothing in a file was understood, or the command could not run.`

// Command is "tocsin analyze". An error that it returns has been told nowhere yet; the exit status is 1 then.
func Command() *cobra.Command {
	c := &cobra.Command{
		Use: "analyze [--json] FILE…", Short: "Find what is dangerous in exported logs, with no server", Long: help,
		Example: "  tocsin analyze AuditLog.csv\n  tocsin analyze --json --domain contoso.com *.json.gz\n  tocsin analyze --rules ./rules AuditLog.csv",
		Args:    cobra.MinimumNArgs(1), SilenceUsage: true,
	}
	var f flags
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object a line")
	c.Flags().StringSliceVar(&f.domains, "domain", nil, "an accepted domain of the organisation (repeat, or join with commas); otherwise found in the records")
	c.Flags().StringSliceVar(&f.partners, "partner", nil, "a trusted partner's domain or address")
	c.Flags().StringVar(&f.networks, "networks", "", "a file of networks that are known, a line each: AS9009 vpn M247, or 203.0.113.0/24 office Leeds")
	c.Flags().StringVar(&f.rules, "rules", "", "a folder (or file) of Sigma rules of your own, which judge beside the detections of Tocsin")
	c.Flags().StringVar(&f.least, "min-severity", "info", "leave out findings and stories below: info, low, medium, high, critical")
	c.RunE = func(c *cobra.Command, args []string) error { return f.run(c, args) }
	return c
}

type flags struct {
	json              bool
	domains, partners []string
	least, networks   string
	rules             string
}

func (f *flags) run(c *cobra.Command, files []string) error {
	least := tocsin.Severity(f.least)
	if least.Rank() == 0 && least != tocsin.Info {
		return tocsin.Problemf(tocsin.Invalid, "Use info, low, medium, high or critical.", "There is no severity %q.", f.least)
	}
	if err := checkDomains(f.domains); err != nil {
		return err
	}
	out, notes := c.OutOrStdout(), c.ErrOrStderr()
	var err error
	var findings []tocsin.Finding
	var writing error
	hidden := 0
	emit := func(x tocsin.Finding) {
		switch {
		case x.Severity.Rank() < least.Rank():
			hidden++
		case f.json && writing == nil:
			writing = WriteJSON(out, x)
		case !f.json:
			findings = append(findings, x)
		}
	}
	opt := Options{Files: files, Stdin: c.InOrStdin(), Domains: f.domains, Partners: f.partners}
	if f.networks != "" {
		file, err := os.Open(f.networks)
		if err != nil {
			return tocsin.Problemf(tocsin.Invalid, "Name a file that can be read.", "The file of networks cannot be opened: %v.", err)
		}
		defer file.Close()
		if opt.Networks, err = detect.ParseNetworks(file); err != nil {
			return tocsin.Problemf(tocsin.Invalid, "Write a line for each network: AS9009 vpn M247, or 203.0.113.0/24 office Leeds.", "%s cannot be read: %v.", f.networks, err)
		}
	}
	if f.rules != "" {
		if opt.Rules, err = readRules(f.rules, notes); err != nil {
			return err
		}
	}
	shown := 0
	opt.Broken = func(b Broken) {
		if shown++; shown <= maxShown {
			fmt.Fprintln(notes, clean(b.String()))
		}
	}
	if terminal(notes) {
		opt.Progress = notes
	}
	sum, err := Analyze(c.Context(), opt, emit)
	if err != nil {
		return err
	}
	stories := slices.DeleteFunc(slices.Clone(sum.Stories), func(t Told) bool { return t.Severity.Rank() < least.Rank() })
	switch {
	case writing != nil:
	case f.json:
		writing = WriteStoriesJSON(out, stories)
	default:
		coloured := terminal(out) && os.Getenv("NO_COLOR") == ""
		writing = errors.Join(WriteStories(out, stories, coloured), WriteText(out, findings, coloured))
	}
	if writing != nil {
		return writing
	}
	if err := WriteSummary(notes, sum); err != nil {
		return err
	}
	if hidden > 0 {
		fmt.Fprintf(notes, "           %s below %s left out.\n", number(hidden, "finding"), least)
	}
	return errors.Join(unjudgedProblem(sum), brokenProblem(sum))
}

// maxShown is how many broken pieces are told one by one.
const maxShown = 100

// unjudgedProblem names the files that a clean result says nothing of: those with a fault that was told as it was met, and
// those in which all could be read and nothing was known.
func unjudgedProblem(s Summary) error {
	var faulty, foreign []string
	for _, file := range s.Unjudged {
		if slices.ContainsFunc(s.First, func(b Broken) bool { return b.File == file }) {
			faulty = append(faulty, clean(fileName(file)))
		} else {
			foreign = append(foreign, clean(fileName(file)))
		}
	}
	var all []*tocsin.Problem
	if len(faulty) > 0 {
		all = append(all, tocsin.Problemf(tocsin.Invalid, "What is wrong with it stands above; tocsin analyze --help names the logs that are read.", "Nothing in %s was judged.", strings.Join(faulty, ", ")))
	}
	if len(foreign) > 0 {
		all = append(all, tocsin.Problemf(tocsin.Invalid, "See that it is an export of the logs that tocsin analyze --help names.",
			"Nothing in %s was judged: there is no record of a known form in it.", strings.Join(foreign, ", ")))
	}
	return tocsin.Together(all...)
}

// domainName is a domain with a dot, in any script.
var domainName = regexp.MustCompile(`^[\p{L}\p{N}](-*[\p{L}\p{N}_])*(\.[\p{L}\p{N}](-*[\p{L}\p{N}])*)+$`)

// checkDomains refuses what cannot be a domain: with it everything would be called outside.
func checkDomains(told []string) error {
	for _, t := range told {
		names := domainList(t)
		for _, name := range names {
			if !domainName.MatchString(name) {
				return tocsin.Problemf(tocsin.Invalid, "Name domains as in contoso.com.", "%q is no domain.", t)
			}
		}
		if len(names) == 0 {
			return tocsin.Problemf(tocsin.Invalid, "Name domains as in contoso.com.", "%q is no domain.", t)
		}
	}
	return nil
}

func brokenProblem(s Summary) error {
	if s.Broken == 0 {
		return nil
	}
	return tocsin.Problemf(tocsin.Invalid, "Each is named above with file and line; the rest was read and judged.", "%s could not be read.", number(s.Broken, "piece"))
}

// terminal says whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
