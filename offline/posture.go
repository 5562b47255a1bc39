package offline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/posture"
)

const postureHelp = `Posture judges how a tenant is set, from a file; it needs no server and sends nothing.

It takes what "tocsin snapshot" writes, and CISA ScubaGear's ProviderSettingsExport.json; "-" is standard input. It prints a line per
check: pass, fail, unknown with its reason, or excepted. Exceptions come from a file: a JSON list of {"rule": a check or "*",
"scope": "subject" or "*", "value": an object's id or name, "owner", "reason", "expires"}.

The exit status is 0 when the file was read, whatever was found, and 1 when it could not be.`

// Posture is "tocsin posture". clock tells the time of a snapshot that does not say when it was taken.
func Posture(clock *tocsin.Clock) *cobra.Command {
	c := &cobra.Command{
		Use: "posture [--json] SNAPSHOT", Short: "Judge how a tenant is set, from a file, with no server", Long: postureHelp,
		Example: "  tocsin posture contoso.json\n  tocsin posture --json --exceptions accepted.json ProviderSettingsExport.json",
		Args:    cobra.ExactArgs(1), SilenceUsage: true,
	}
	var asJSON bool
	var exceptions string
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	c.Flags().StringVar(&exceptions, "exceptions", "", "a file of what is excepted, by whom and until when")
	c.RunE = func(c *cobra.Command, args []string) error {
		excused, err := readExceptions(exceptions)
		if err != nil {
			return err
		}
		snap, err := readSnapshot(args[0], c.InOrStdin())
		if err != nil {
			return err
		}
		results := posture.Judge(posture.NewState(snap, clock.Now()), excused)
		write := writePosture
		if asJSON {
			write = writePostureJSON
		}
		if err := write(c.OutOrStdout(), results); err != nil {
			return err
		}
		n := map[posture.Status]int{}
		for _, r := range results {
			n[r.Status]++
		}
		_, err = fmt.Fprintf(c.ErrOrStderr(), "%d checks: %d pass, %d fail, %d unknown, %d excepted.\n", len(results), n[posture.Pass], n[posture.Fail], n[posture.Unknown], n[posture.Excepted])
		return err
	}
	return c
}

func readSnapshot(file string, stdin io.Reader) (*posture.Snapshot, error) {
	from := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, openProblem(file, err)
		}
		defer f.Close()
		from = f
	}
	snap, err := posture.Read(from)
	if err != nil {
		return nil, tocsin.Problemf(tocsin.Invalid, "Give what tocsin snapshot wrote, or ScubaGear's ProviderSettingsExport.json.", "%s is no snapshot: %s.", clean(fileName(file)), clean(err.Error()))
	}
	return snap, nil
}

func openProblem(file string, err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return tocsin.Problemf(tocsin.Invalid, "See that the path is right and that you may read it.", "%s could not be opened: %s.", clean(fileName(file)), err)
}

func readExceptions(file string) ([]detect.Exception, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, openProblem(file, err)
	}
	var out []detect.Exception
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, tocsin.Problemf(tocsin.Invalid, "It is a JSON list; tocsin posture --help has the form.", "%s holds no exceptions: %s.", clean(fileName(file)), clean(err.Error()))
	}
	for _, e := range out {
		if e.Owner == "" || e.Reason == "" {
			return nil, tocsin.Problemf(tocsin.Invalid, "Give each an owner and a reason.", "The exception from %q in %s has no owner or no reason.", clean(e.Rule), clean(fileName(file)))
		}
	}
	return out, nil
}

// checkLine is a result as --json prints it: exactly these members, in this order.
type checkLine struct {
	Check      string             `json:"check"`
	Status     posture.Status     `json:"status"`
	Why        string             `json:"why"`
	Frameworks posture.Frameworks `json:"frameworks"`
	Evidence   []checkEvidence    `json:"evidence"`
}

// checkEvidence is an object that a result rests on: its own id in its source, which is a Graph path.
type checkEvidence struct {
	ID     string `json:"id"`
	Source string `json:"source"`
	Name   string `json:"name"`
	What   string `json:"what,omitempty"`
}

func writePostureJSON(w io.Writer, results []posture.Result) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, r := range results {
		out := checkLine{Check: r.ID, Status: r.Status, Why: r.Why, Frameworks: r.Frameworks, Evidence: []checkEvidence{}}
		for _, ids := range []*[]string{&out.Frameworks.SCuBA, &out.Frameworks.CIS, &out.Frameworks.EIDSCA} {
			if *ids == nil {
				*ids = []string{}
			}
		}
		for _, o := range r.Found {
			out.Evidence = append(out.Evidence, checkEvidence{o.ID, o.Path, o.Name, o.Why})
		}
		if err := enc.Encode(out); err != nil {
			return err
		}
	}
	return nil
}

// writePosture prints a line per check; one that fails says how it is mended.
func writePosture(w io.Writer, results []posture.Result) error {
	p := &printer{w: w}
	for _, r := range results {
		mend, reason := "", ""
		if r.Status == posture.Fail {
			mend = " " + r.Mend
		}
		if r.Status == posture.Unknown {
			reason = " (" + strings.ReplaceAll(string(r.Reason), "_", " ") + ")"
		}
		p.line("%-8s  %-8s  %-38s  %s%s%s", r.Status, r.Severity, r.ID, clean(r.Why), reason, mend)
	}
	return p.err
}
