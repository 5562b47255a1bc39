package web

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
)

func forwardingIn(tenant tocsin.TenantID, q url.Values) api.ForwardingIn {
	return api.ForwardingIn{In: api.In{Tenant: tenant}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")},
		Kind: q.Get("kind"), Person: tocsin.PersonID(q.Get("person")), Outside: on(q, "outside"), Q: q.Get("q")}
}

func (w *web) forwarding(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v := forwardingView{Query: kept(r), In: forwardingIn(p.Tenant.ID, r.URL.Query())}
	var err error
	if v.Page, err = w.svc.ListForwarding(r.Context(), v.In); err != nil {
		return nil, err
	}
	kinds := map[string][]string{"": {"forwarding", "transport"}, "mailbox": {"forwarding"}, "transport": {"transport"}}[v.In.Kind]
	v.Covers, err = w.covers(r, p.Tenant.ID, kinds...)
	return forwardingPage(p, v), err
}

// covers are what tells of these kinds.
func (w *web) covers(r *http.Request, tenant tocsin.TenantID, kinds ...string) ([]api.RightsCover, error) {
	all, err := w.svc.ListRights(r.Context(), api.ListIn{In: api.In{Tenant: tenant}})
	return slices.DeleteFunc(all.Items, func(c api.RightsCover) bool { return !slices.Contains(kinds, c.Kind) }), err
}

func delegationsIn(tenant tocsin.TenantID, q url.Values) api.DelegationsIn {
	return api.DelegationsIn{In: api.In{Tenant: tenant}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")},
		Owner: tocsin.PersonID(q.Get("owner")), Trustee: q.Get("trustee"), Right: q.Get("right"), Risky: on(q, "risky"), Q: q.Get("q")}
}

// matrixSize is how many mailboxes a page of the matrix has, and matrixColumns how many trustees have a column of their own.
const (
	matrixSize    = 25
	matrixColumns = 12
)

func (w *web) delegations(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v := delegationsView{Query: kept(r), In: delegationsIn(p.Tenant.ID, r.URL.Query()), Matrix: r.URL.Query().Get("view") == "matrix"}
	var err error
	if v.Matrix {
		v.In.Limit = matrixSize
		v.Rows, err = w.svc.DelegationMatrix(r.Context(), v.In)
		v.Columns = columnsOf(v.Rows.Items)
	} else {
		v.Page, err = w.svc.ListDelegations(r.Context(), v.In)
	}
	if err != nil {
		return nil, err
	}
	if v.In.Owner != "" {
		v.Owner = w.personName(r, p.Tenant.ID, v.In.Owner)
	}
	if v.Trustee = everyoneWord(v.In.Trustee); v.In.Trustee != "" && v.Trustee == v.In.Trustee {
		v.Trustee = v.trusteeName()
	}
	v.Covers, err = w.covers(r, p.Tenant.ID, "full_access", "send_as", "send_on_behalf", "folder")
	return delegationsPage(p, v), err
}

// trusteeName is the name of the only trustee shown.
func (v delegationsView) trusteeName() string {
	for _, d := range v.Page.Items {
		return d.TrusteeName
	}
	for _, r := range v.Rows.Items {
		for _, c := range r.Cells {
			return c.Name
		}
	}
	return v.In.Trustee
}

// matrixColumn is a trustee with a column.
type matrixColumn struct {
	ID, Name, Title string
	rows, risk      int
}

// columnsOf are the trustees that have a column: those with the highest risk, then those in most rows.
func columnsOf(rows []api.MatrixRow) []matrixColumn {
	var out []matrixColumn
	at := map[string]int{}
	for _, r := range rows {
		for _, c := range r.Cells {
			i, ok := at[c.Trustee]
			if !ok {
				i = len(out)
				at[c.Trustee] = i
				name := c.Name
				if c.Kind == "everyone" {
					name = everyoneWord(c.Trustee)
				}
				out = append(out, matrixColumn{ID: c.Trustee, Name: name, Title: nameOr(c.Address, name)})
			}
			out[i].rows, out[i].risk = out[i].rows+1, max(out[i].risk, c.Risk)
		}
	}
	slices.SortStableFunc(out, func(a, b matrixColumn) int {
		return cmp.Or(b.risk-a.risk, b.rows-a.rows, strings.Compare(a.Name, b.Name))
	})
	return out[:min(len(out), matrixColumns)]
}

func cellOf(r api.MatrixRow, trustee string) *api.MatrixCell {
	for i := range r.Cells {
		if r.Cells[i].Trustee == trustee {
			return &r.Cells[i]
		}
	}
	return nil
}

// othersOf is how many have rights over the mailbox and no column.
func othersOf(r api.MatrixRow, columns []matrixColumn) int {
	n := 0
	for _, c := range r.Cells {
		if !slices.ContainsFunc(columns, func(k matrixColumn) bool { return k.ID == c.Trustee }) {
			n++
		}
	}
	return n
}

var matrixRights = []struct{ Right, Letter, Word string }{
	{"full_access", "F", "Full access"}, {"send_as", "S", "Send as"}, {"send_on_behalf", "B", "On behalf"}, {"folder", "D", "Folders"},
}

// letter stands for a kind of right in a cell.
type letter struct {
	Letter string
	Risky  bool
}

// lettersOf are a cell's rights, a letter each.
func lettersOf(c *api.MatrixCell) []letter {
	var out []letter
	for _, k := range matrixRights {
		is, risky := false, false
		for _, d := range c.Rights {
			if d.Right == k.Right && !d.Denied {
				is, risky = true, risky || d.Risk > 0 || len(d.Marks) > 0
			}
		}
		if is {
			out = append(out, letter{k.Letter, risky})
		}
	}
	return out
}

// cellWords is a cell in words.
func cellWords(c *api.MatrixCell) string {
	var out []string
	for _, d := range c.Rights {
		s := rightWord(d.Right)
		if d.Right == "folder" {
			s = nameOr(d.Folder, "The whole mailbox") + ": " + d.Levels
		}
		if d.Denied {
			s += " (denied)"
		}
		for _, m := range d.Marks {
			s += ", " + lower(markWord(m))
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

func unknownOf(covers []api.RightsCover) []string {
	var out []string
	for _, c := range covers {
		if c.Unknown != "" {
			out = append(out, c.Unknown)
		}
	}
	return out
}

func forwardingWord(kind string) string {
	return map[string]string{"rule": "Inbox rule", "mailbox": "The mailbox itself", "transport": "Mail flow rule", "journal": "Journal rule", "auto_reply": "Automatic reply"}[kind]
}

func rightWord(kind string) string {
	if w, ok := map[string]string{"full_access": "Full access", "send_as": "Send as", "send_on_behalf": "Send on behalf", "folder": "Rights over folders", "forwarding": "Mailbox forwarding",
		"transport": "Mail flow rules", "inbox_rules": "Inbox rules", "automatic_reply": "Automatic reply"}[kind]; ok {
		return w
	}
	return sentence(kind)
}

func rightsSourceWord(source string) string {
	return map[string]string{"": "not known", "graph": "Graph", "audit": "the audit log", "admin_api": "the Exchange Admin API", "invoke_command": "Exchange (InvokeCommand)", "export": "an imported file"}[source]
}

func markWord(mark string) string {
	if w, ok := map[string]string{"everyone": "Everybody", "outside": "Outside", "guest": "Guest", "group": "Group with outsiders", "blocked": "Account is blocked", "new": "Account was just made",
		"self": "Self-granted", "alike": "Looks like another"}[mark]; ok {
		return w
	}
	return sentence(mark)
}

func everyoneWord(id string) string {
	return nameOr(map[string]string{"default": "Everybody inside", "anonymous": "Anybody, also outside", "everyone": "Everybody inside"}[id], id)
}

func verdictWord(v *api.Verdict) string {
	switch v.State {
	case "outside":
		return "Forwards outside"
	case "unplaced":
		return "Forwards, not placed"
	case "inside":
		return "Forwards inside"
	case "partner":
		return "Forwards to a partner"
	case "risky":
		return plural(v.Risky, "risky delegate", "risky delegates")
	case "delegated":
		return plural(v.Others, "delegate", "delegates")
	case "none":
		return "None"
	}
	return "Unknown"
}

func lower(s string) string { return strings.ToLower(s[:min(1, len(s))]) + s[min(1, len(s)):] }

func (w *web) forwardingCSV(tenant tocsin.TenantID, q url.Values) export {
	return export{[]string{"kind", "mailbox", "name", "title", "to", "how", "place", "copy_stays", "enabled", "since", "by", "source", "risk"},
		func(ctx context.Context, after string) (rows [][]string, next string, err error) {
			in := forwardingIn(tenant, q)
			in.Limit, in.After = 200, after
			p, err := w.svc.ListForwarding(ctx, in)
			for _, f := range p.Items {
				rows = append(rows, []string{f.Kind, f.Who, f.Name, f.Title, f.To, f.How, f.Place, maybe(f.Deliver), strconv.FormatBool(f.Enabled), stamp(f.Since), f.By, f.Source, strconv.Itoa(f.Risk)})
			}
			return rows, p.Next, err
		}}
}

func (w *web) delegationsCSV(tenant tocsin.TenantID, q url.Values) export {
	return export{[]string{"owner", "owner_name", "trustee", "trustee_name", "trustee_kind", "right", "denied", "folder", "levels", "marks", "since", "by", "source", "inherited", "risk"},
		func(ctx context.Context, after string) (rows [][]string, next string, err error) {
			in := delegationsIn(tenant, q)
			in.Limit, in.After = 200, after
			p, err := w.svc.ListDelegations(ctx, in)
			for _, d := range p.Items {
				rows = append(rows, []string{d.OwnerAddress, d.OwnerName, nameOr(d.Address, d.Trustee), d.TrusteeName, d.TrusteeKind, d.Right, strconv.FormatBool(d.Denied), d.Folder, d.Levels,
					strings.Join(d.Marks, " "), stamp(d.Since), d.By, d.Source, strconv.FormatBool(d.Inherited), strconv.Itoa(d.Risk)})
			}
			return rows, p.Next, err
		}}
}

// verdictOf is the verdict on the rights over a person's mailbox, where there is one.
func verdictOf(i api.IdentityDetail) *api.Verdict {
	if i.MailboxOf == nil {
		return nil
	}
	return i.MailboxOf.Delegation
}
