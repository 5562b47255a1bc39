package offline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tocsin.dev"
	"tocsin.dev/query"
)

const matchHelp = `Match looks for mails in files, with the query of an investigation; it needs no server and sends nothing.

It takes mails (.eml), mbox files and folders of them, plain or gzipped; "-" is standard input. In a folder every file that is a mail by its
content is read, whatever its name. The query is KQL as in Outlook and Purview:

  from: sender: replyto: to: cc: bcc: recipients: participants:   an address, a domain, or a name
  subject: body:                                                  words; "a phrase"; begin*; /an expression/
  attachment: attachment.type: attachment.sha256:                 files, also inside archives and mails
  url: url.domain:                                                links, also in QR codes and attached pages
  header.NAME: received: sent: size: hasattachments: importance: messageid:

joined with AND, OR, NOT and brackets. Without --json the mails that match are printed, with the reason. With it every mail is a line: path,
matched (null where it cannot be said, because the mail could not be read whole), why, and unread: what could not be read.

The exit status is 0 when every mail was read, whatever matched, and 1 when a file could not be opened or the command could not run.`

// Match is "tocsin match". clock tells what "today" is.
func Match(clock *tocsin.Clock) *cobra.Command {
	c := &cobra.Command{
		Use: "match [--json] --query QUERY PATH…", Short: "Look for mails in files, with no server", Long: matchHelp,
		Example: "  tocsin match --query 'from:contoso.com subject:\"overdue invoice\"' inbox.mbox\n  tocsin match --json --query 'url.domain:evil.com OR attachment:*.iso' mails/\n  tocsin match --query 'body:/IBAN [A-Z]{2}\\d+/' *.eml",
		Args:    cobra.MinimumNArgs(1), SilenceUsage: true,
	}
	var asJSON bool
	var text string
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line, for every mail")
	c.Flags().StringVar(&text, "query", "", "what to look for")
	c.RunE = func(c *cobra.Command, paths []string) error {
		q, err := query.Parse(text)
		if err != nil {
			return err
		}
		p := &matchPrinter{out: c.OutOrStdout(), notes: c.ErrOrStderr(), json: asJSON}
		m := &matcher{query: q, now: clock.Now(), stdin: c.InOrStdin(), notes: c.ErrOrStderr()}
		if err := m.match(c.Context(), paths, p.print); err != nil {
			return err
		}
		return p.end(m.passed)
	}
	return c
}

// matched is what became of a mail, or of a file that could not be read.
type matched struct {
	path   string
	truth  query.Truth
	why    []string
	unread []string
	err    error
}

// matchLine is a mail as --json prints it.
type matchLine struct {
	Path    string   `json:"path"`
	Matched *bool    `json:"matched"` // null where it cannot be said
	Why     []string `json:"why"`
	Unread  []string `json:"unread,omitempty"`
}

type matchPrinter struct {
	out, notes                   io.Writer
	json                         bool
	mails, yes, open, part, fail int
}

func (p *matchPrinter) print(m matched) error {
	if m.err != nil {
		p.fail++
		if p.json {
			return p.line(struct {
				Path  string `json:"path"`
				Error string `json:"error"`
			}{m.path, tocsin.AsProblem(m.err).Error()})
		}
		_, err := fmt.Fprintln(p.notes, clean(tocsin.AsProblem(m.err).Error()))
		return err
	}
	p.mails++
	if len(m.unread) > 0 {
		p.part++
	}
	switch m.truth {
	case query.Yes:
		p.yes++
	case query.Unknown:
		p.open++
	}
	if p.json {
		out := matchLine{Path: m.path, Why: m.why, Unread: m.unread}
		if out.Why == nil {
			out.Why = []string{}
		}
		if m.truth != query.Unknown {
			out.Matched = new(m.truth == query.Yes)
		}
		return p.line(out)
	}
	if m.truth == query.No {
		return nil
	}
	said := strings.Join(m.why, "; ")
	if m.truth == query.Unknown {
		said = "cannot be said: " + said
	}
	_, err := fmt.Fprintf(p.out, "%s  %s\n", clean(m.path), clean(said))
	if err == nil && len(m.unread) > 0 {
		_, err = fmt.Fprintf(p.out, "    could not be read whole: %s\n", clean(strings.Join(m.unread, "; ")))
	}
	return err
}

func (p *matchPrinter) line(v any) error {
	enc := json.NewEncoder(p.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// end says what was looked at; files that could not be read are an error.
func (p *matchPrinter) end(passed int) error {
	said := fmt.Sprintf("%s looked at: %s.", number(p.mails, "mail"), number(p.yes, "match"))
	if p.yes != 1 {
		said = fmt.Sprintf("%s looked at: %d match.", number(p.mails, "mail"), p.yes)
	}
	if p.open > 0 {
		said += fmt.Sprintf(" Of %d it cannot be said, because they could not be read whole.", p.open)
	}
	if p.part > 0 {
		said += fmt.Sprintf(" %s malformed, and read as far as it goes.", wasWere(p.part))
	}
	if passed > 0 {
		said += fmt.Sprintf(" %s passed over: no mail by its content.", number(passed, "file"))
	}
	if _, err := fmt.Fprintln(p.notes, said); err != nil {
		return err
	}
	if p.fail > 0 {
		return tocsin.Problemf(tocsin.Invalid, "Each is named above; the rest was read.", "%s could not be read.", number(p.fail, "file"))
	}
	if p.mails == 0 {
		return errors.New("there was no mail to look at: name .eml or mbox files, or a folder of them")
	}
	return nil
}

func wasWere(n int) string {
	if n == 1 {
		return "1 is"
	}
	return fmt.Sprintf("%d are", n)
}
