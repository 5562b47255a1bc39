package investigate

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/query"
	"tocsin.dev/store"
)

// How far message traces reach: https://learn.microsoft.com/graph/api/messagetracingroot-list-messagetraces
const (
	traceBack   = 90 * 24 * time.Hour
	traceWindow = 10 * 24 * time.Hour
	mostTraces  = 50_000 // kept of a run
	mostAsks    = 12     // requests of a run: a hundred are granted in five minutes
)

// traceable are the filters by which traces of what a query looks for can be asked for. They only say where to look first, so each may find
// more, or less.
func traceable(q *query.Query) (out []string) {
	p := q.Push(time.Time{})
	var subjects []string
	for _, said := range append(slices.Clone(p.Pushed), p.Here...) {
		name, value, ok := strings.Cut(said, ":")
		value = strings.Trim(value, `"`)
		if !ok || value == "" || strings.ContainsAny(value, `*/"`) {
			continue
		}
		quoted := "'" + strings.ReplaceAll(value, "'", "''") + "'"
		switch {
		case name == "from" && strings.Contains(value, "@") && !strings.HasPrefix(value, "@"):
			out = append(out, "senderAddress eq "+quoted)
		case name == "messageid":
			out = append(out, "messageId eq '<"+quoted[1:len(quoted)-1]+">'")
		case name == "subject":
			subjects = append(subjects, "contains(subject,"+quoted+")")
		}
	}
	if len(out) == 0 {
		out = subjects
	}
	return out[:min(len(out), 4)]
}

// traced is a message trace. https://learn.microsoft.com/graph/api/resources/exchangemessagetrace
type traced struct {
	ID               string     `json:"id"`
	SenderAddress    string     `json:"senderAddress"`
	RecipientAddress string     `json:"recipientAddress"`
	MessageID        string     `json:"messageId"`
	Received         graph.Time `json:"receivedDateTime"`
	Subject          string     `json:"subject"`
	Size             int64      `json:"size"`
	FromIP           string     `json:"fromIP"`
	Status           string     `json:"status"`
}

// askTrace asks to whom mail of the query's kind went, keeps that, and puts the mailboxes that it names before the others. Its failure holds
// nothing up: the run says why.
func (h *hunt) askTrace(ctx context.Context) error {
	way, err := h.Ways(ctx, h.tenant, "", CanTrace)
	var all []traced
	if err == nil {
		all, err = h.traces(ctx, way.Graph)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	told := Trace{State: "asked", Mails: int64(len(all))}
	if err != nil {
		told.State, told.Because = "failed", tocsin.AsProblem(asProblem(err)).What
	}
	defer h.anew()
	return h.update(ctx, h.tenant, func(t *store.Tenant) error {
		boxes, err := keepTraces(ctx, t, h.run, all)
		if err != nil {
			return err
		}
		told.Boxes = boxes
		raw, err := json.Marshal(told)
		if err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `update search_run set trace = $3 where tenant = $1 and id = $2`, h.run.ID, string(raw)); err != nil {
			return err
		}
		return t.Append(ctx, store.Fact{Kind: "investigation.progress", Subject: h.run.Investigation})
	})
}

// asProblem is an error of Graph as a person may read it.
func asProblem(err error) error {
	if p := lasts(err); p != nil {
		return p
	}
	return tocsin.Problemf(tocsin.Unavailable, "It is asked again by the next search.", "The message trace was not answered: %s.", strings.TrimSuffix(err.Error(), "."))
}

// traces asks for them, ten days at a time, the newest first.
func (h *hunt) traces(ctx context.Context, gc *graph.Client) (all []traced, err error) {
	now := h.Store.Clock().Now()
	from, to := h.run.Plan.From, h.run.Plan.To
	if to.IsZero() || to.After(now) {
		to = now
	}
	if earliest := now.Add(-traceBack); from.IsZero() {
		from = to.Add(-traceWindow)
	} else if from.Before(earliest) {
		from = earliest
	}
	asks := 0
	for _, filter := range traceable(h.query) {
		for end := to; end.After(from) && asks < mostAsks && len(all) < mostTraces; end = end.Add(-traceWindow) {
			begin := end.Add(-traceWindow)
			if begin.Before(from) {
				begin = from
			}
			asks++
			within := "receivedDateTime ge " + begin.UTC().Format(time.RFC3339) + " and receivedDateTime le " + end.UTC().Format(time.RFC3339)
			for v, err := range graph.Pages[traced](ctx, gc, "messageTraces.list", graph.P{"$filter": within + " and " + filter}) {
				if err != nil {
					return all, err
				}
				if all = append(all, v); len(all) >= mostTraces {
					break
				}
			}
		}
	}
	return all, nil
}

// keepTraces writes traces, and moves the mailboxes that they name to the front; it says how many mailboxes of the run these are.
func keepTraces(ctx context.Context, t *store.Tenant, r *Run, all []traced) (int64, error) {
	of := map[string]string{} // addresses of the recipients
	var args []any
	for _, v := range all {
		a := tocsin.CanonicalAddress(v.RecipientAddress)
		if _, ok := of[a]; !ok {
			of[a] = ""
			args = append(args, a)
		}
	}
	for some := range slices.Chunk(args, 400) {
		rows, err := t.Query(ctx, `select address, min(person) from person_address where tenant = $1 and address in (`+store.In(len(some), 2)+`) group by address`, some...)
		if err != nil {
			return 0, err
		}
		for rows.Next() {
			var address, person string
			if err := rows.Scan(&address, &person); err != nil {
				return 0, errors.Join(err, rows.Close())
			}
			of[address] = person
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return 0, err
		}
	}
	var values [][]any
	people := map[string]bool{}
	for _, v := range all {
		a := tocsin.CanonicalAddress(v.RecipientAddress)
		if of[a] != "" {
			people[of[a]] = true
		}
		values = append(values, []any{r.Investigation, v.ID, a, of[a], tocsin.CanonicalAddress(v.SenderAddress), v.Subject, v.MessageID, strings.ToLower(v.Status), v.Received.Time, v.Size, v.FromIP, r.ID})
	}
	err := t.Insert(ctx, store.Into{Table: "mail_trace", Key: []string{"investigation", "id", "recipient"},
		Columns: []string{"investigation", "id", "recipient", "person", "sender", "subject", "internet_message_id", "status", "received", "size", "from_ip", "run"}}, values)
	if err != nil {
		return 0, err
	}
	var first []any
	for p := range people {
		first = append(first, p)
	}
	var n int64
	for some := range slices.Chunk(first, 400) {
		moved, err := t.Exec(ctx, `update search_mailbox set rank = case when rank = 1 then 0 when rank = 3 then 2 else rank end where tenant = $1 and run = $2 and person in (`+store.In(len(some), 3)+`)`, append([]any{r.ID}, some...)...)
		if err != nil {
			return 0, err
		}
		n += moved
	}
	return n, nil
}
