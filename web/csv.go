package web

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
)

// exportMost is how many rows an export has at most; what goes beyond is said in its last row.
const exportMost = 50_000

// export writes rows of a list as CSV; each answers one piece and where the next begins.
type export struct {
	Header []string
	Piece  func(ctx context.Context, after string) (rows [][]string, next string, err error)
}

// csv is the list behind a page as a file: as filtered, all pieces.
func (w *web) csv(of func(tenant tocsin.TenantID, q url.Values) export) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		if _, ok := api.CallerOf(r.Context()); !ok {
			w.toDoor(rw, r)
			return
		}
		e := of(tocsin.TenantID(r.PathValue("tenant")), r.URL.Query())
		rows, next, err := e.Piece(r.Context(), "")
		if err != nil {
			w.sorry(rw, r, err)
			return
		}
		rw.Header().Set("Content-Type", "text/csv; charset=utf-8")
		rw.Header().Set("Content-Disposition", `attachment; filename="`+strings.TrimPrefix(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/'):], "/")+`"`)
		rw.Header().Set("Cache-Control", "no-store")
		out := csv.NewWriter(rw)
		_ = out.Write(e.Header) // an error stays in out and ends the loop below
		for n := 0; ; {
			for _, row := range rows {
				_ = out.Write(harmless(row))
			}
			out.Flush()
			n += len(rows)
			if next == "" || out.Error() != nil {
				return
			}
			if n >= exportMost {
				_ = out.Write([]string{fmt.Sprintf("Cut off after %d rows. Filter to get the rest.", n)})
				out.Flush()
				return
			}
			if rows, next, err = e.Piece(r.Context(), next); err != nil {
				w.note(r, err)
				_ = out.Write([]string{"Cut off: " + tocsin.AsProblem(err).What})
				out.Flush()
				return
			}
		}
	}
}

// harmless keeps spreadsheets from running a cell that a stranger wrote as a formula: such a cell begins with an
// apostrophe (https://owasp.org/www-community/attacks/CSV_Injection).
func harmless(row []string) []string {
	for i, c := range row {
		if c != "" && strings.ContainsRune("=+-@\t\r\n", rune(c[0])) {
			row[i] = "'" + c
		}
	}
	return row
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// maybe is a yes or no that may be unknown.
func maybe(b *bool) string {
	if b == nil {
		return "unknown"
	}
	return strconv.FormatBool(*b)
}

func (w *web) findingsCSV(tenant tocsin.TenantID, q url.Values) export {
	return export{[]string{"severity", "risk", "title", "who", "why", "status", "owner", "reason", "stage", "rule", "first_seen", "last_seen", "times", "id"},
		func(ctx context.Context, after string) (rows [][]string, next string, err error) {
			in := findingsIn(tenant, q)
			in.Limit, in.After = 200, after
			p, err := w.svc.ListFindings(ctx, in)
			for _, f := range p.Items {
				rows = append(rows, []string{string(f.Severity), strconv.Itoa(f.Risk), f.Title, f.Who, f.Why, string(f.Status), f.Owner, f.Reason, f.Stage, f.Rule, stamp(f.FirstSeen), stamp(f.LastSeen), strconv.Itoa(f.Count), f.ID})
			}
			return rows, p.Next, err
		}}
}

func (w *web) rulesCSV(tenant tocsin.TenantID, q url.Values) export {
	return export{[]string{"mailbox", "name", "enabled", "does", "destinations", "outside", "risk", "first_seen", "changed", "deleted", "id"},
		func(ctx context.Context, after string) (rows [][]string, next string, err error) {
			in := rulesIn(tenant, q)
			in.Limit, in.After = 200, after
			p, err := w.svc.ListRules(ctx, in)
			for _, r := range p.Items {
				var to []string
				for _, t := range r.Targets {
					to = append(to, t.Address)
				}
				rows = append(rows, []string{r.Who, r.Rule.Name, strconv.FormatBool(r.Rule.Enabled), r.Summary, strings.Join(to, " "), strconv.FormatBool(r.Outside), strconv.Itoa(r.Risk), stamp(r.FirstSeen), stamp(r.Changed), stamp(r.Deleted), r.ID})
			}
			return rows, p.Next, err
		}}
}

func (w *web) mailboxesCSV(tenant tocsin.TenantID, q url.Values) export {
	return export{[]string{"address", "name", "purpose", "read", "state", "because", "rules", "rules_read", "risk"},
		func(ctx context.Context, after string) (rows [][]string, next string, err error) {
			in := mailboxesIn(tenant, q)
			in.Limit, in.After = 200, after
			p, err := w.svc.ListMailboxes(ctx, in)
			for _, m := range p.Items {
				rules := "unknown"
				if m.Read {
					rules = strconv.Itoa(m.RulesCount)
				}
				rows = append(rows, []string{m.Address, m.Name, m.Purpose, strconv.FormatBool(m.Read), m.State, m.Because, rules, stamp(m.RulesSeen), strconv.Itoa(m.Risk)})
			}
			return rows, p.Next, err
		}}
}

func (w *web) identitiesCSV(tenant tocsin.TenantID, q url.Values) export {
	return export{[]string{"name", "upn", "mail", "kind", "enabled", "synced", "licensed", "title", "department", "roles", "eligible_roles", "second_factor", "last_sign_in", "mailbox", "rules", "open_findings", "risk"},
		func(ctx context.Context, after string) (rows [][]string, next string, err error) {
			in := identitiesIn(tenant, q)
			in.Limit, in.After = 200, after
			p, err := w.svc.ListIdentities(ctx, in)
			for _, i := range p.Items {
				rows = append(rows, []string{i.Name, i.UPN, i.Mail, i.Kind, maybe(i.Enabled), maybe(i.Synced), maybe(i.Licensed), i.Title, i.Department, strings.Join(i.Roles, "; "), strings.Join(i.Eligible, "; "), maybe(i.MFA), stamp(i.LastSignIn), i.Mailbox, strconv.Itoa(i.Rules), strconv.Itoa(i.Open.All()), strconv.Itoa(i.Risk)})
			}
			return rows, p.Next, err
		}}
}
