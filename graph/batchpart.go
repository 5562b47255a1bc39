package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// appendPart writes a call in $batch's form. https://learn.microsoft.com/graph/json-batching
func appendPart(b []byte, id int, r *request, high bool) []byte {
	b = strconv.AppendInt(append(b, `{"id":"`...), int64(id), 10)
	b = append(append(append(b, `","method":"`...), r.call.Method...), `","url":`...)
	b = appendString(b, r.rel)
	if h := byName[r.call.Name].heads(high); h != "{}" {
		b = append(append(b, `,"headers":`...), h...)
	}
	return append(b, '}')
}

// appendString writes a string as JSON.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			raw, _ := json.Marshal(s) // a string always can be
			return append(b, raw...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// batchOnce makes one request of up to twenty parts; one that must go alone is made without $batch.
func (c *Client) batchOnce(ctx context.Context, items []*item) round {
	if items[0].alone {
		return c.single(ctx, items)
	}
	body := append(make([]byte, 0, 1024*len(items)), `{"requests":[`...)
	for n, it := range items {
		if n > 0 {
			body = append(body, ',')
		}
		body = appendPart(body, n+1, &it.r, isHigh(ctx))
	}
	body = append(body, "]}"...)
	rep, err := c.do(ctx, request{call: Find("batch"), url: c.reach[""].root + "/v1.0/$batch", body: body})
	if err != nil {
		return round{items: items, err: err}
	}
	reps, err := parseBatch(rep.body)
	if err != nil {
		return round{items: items, err: &Unavailable{Where: rep.where(Find("batch")), What: "the batch's answer does not read as expected: " + err.Error()}}
	}
	for _, r := range reps {
		r.id, r.token = rep.id, rep.token
	}
	return round{items: items, reps: reps}
}

// single makes one call by itself, once, under the limits it already holds.
func (c *Client) single(ctx context.Context, items []*item) round {
	token, err := c.tokens.get(ctx, "")
	if err != nil {
		return round{items: items, err: err}
	}
	rep, err := c.send(ctx, items[0].r, token)
	if err == nil && rep.status < 300 && !isJSON(rep.body) {
		err = &Unavailable{Where: rep.where(items[0].r.call), What: notJSON(rep)}
	}
	if err != nil {
		return round{items: items, err: final(err)}
	}
	return round{items: items, reps: map[string]*reply{"1": rep}}
}

// parseBatch reads the parts' answers, which come in any order, from a body that is valid JSON. The first of an id counts.
// Header names come in any case; a status or an id may be a string or a number.
func parseBatch(body []byte) (map[string]*reply, error) {
	var list json.RawMessage
	for k, v := range objectMembers(body) {
		if k == "responses" && v[0] == '[' {
			list = v
		}
	}
	if list == nil {
		return nil, errors.New("it has no responses")
	}
	reps := make(map[string]*reply, batchSize)
	for a := range arrayElements(list) {
		id, rep := parseAnswer(a)
		if _, twice := reps[id]; !twice && rep.status >= 100 && rep.status <= 599 {
			reps[id] = rep
		}
	}
	return reps, nil
}

func parseAnswer(raw json.RawMessage) (id string, rep *reply) {
	rep = &reply{}
	var heads json.RawMessage
	for k, v := range objectMembers(raw) {
		switch k {
		case "id":
			id = scalar(v)
		case "status":
			rep.status, _ = strconv.Atoi(scalar(v)) // what is no number is no answer
		case "headers":
			heads = v
		case "body":
			if !isNull(v) {
				rep.body = v
			}
		}
	}
	for name, value := range objectMembers(heads) {
		if rep.status < 300 && !telling(name) {
			continue // nobody asks for it
		}
		if rep.header == nil {
			rep.header = http.Header{}
		}
		rep.header.Set(name, scalar(value))
	}
	return id, rep
}

// telling says whether a header may say something of a good answer: what Microsoft calls its own, and the request's id.
func telling(name string) bool {
	return len(name) > 5 && (strings.EqualFold(name[:5], "x-ms-") || strings.EqualFold(name, "request-id"))
}

// scalar is a JSON string's text, or a number as it is written.
func scalar(raw json.RawMessage) string {
	if s, ok := asString(raw); ok {
		return s
	}
	return string(raw)
}

// settle takes in a round: what is done goes into results, what is to be tried again, or has another page, back in line.
func (b *batch) settle(ctx context.Context, rd round) {
	if rd.err != nil {
		b.failedWhole(ctx, rd)
		return
	}
	var longest time.Duration // that any part asks to wait: all that are tried again wait for it
	var again []*item
	for n, it := range rd.items {
		rep := rd.reps[strconv.Itoa(n+1)]
		if rep != nil && rep.status == http.StatusUnauthorized {
			b.c.tokens.drop(rep.token)
		}
		wait, retry := b.judge(ctx, it, rep)
		if retry {
			longest = max(longest, wait)
			again = append(again, it)
		}
	}
	for _, it := range again {
		it.notBefore = time.Now().Add(longest)
		b.queue = append(b.queue, it)
	}
}

// failedWhole settles a round that failed as a whole.
func (b *batch) failedWhole(ctx context.Context, rd round) {
	if stops(rd.err) || ctx.Err() != nil {
		if b.fatal == nil {
			b.fatal = rd.err
		}
		b.queue = append(b.queue, rd.items...)
		return
	}
	f, refused := errors.AsType[*Failed](rd.err)
	for _, it := range rd.items {
		switch {
		case (refused && f.Status == http.StatusBadRequest || TooLong(rd.err)) && !it.alone: // one part spoils it, and it is not said which
			it.alone = true
			b.queue = append(b.queue, it)
		case it.alone && it.tries+1 < b.c.cfg.Tries && !TooLong(rd.err):
			it.tries++
			it.notBefore = time.Now().Add(backoff(b.c.cfg.Backoff, it.tries))
			b.queue = append(b.queue, it)
		default:
			b.results[it.i].Err = rd.err
		}
	}
}

// stops says whether an error ends the whole Batch.
func stops(err error) bool {
	if _, ok := errors.AsType[*Revoked](err); ok {
		return true
	}
	if _, ok := errors.AsType[*Unauthorized](err); ok {
		return true
	}
	_, ok := errors.AsType[*Challenge](err)
	return ok || errors.Is(err, ErrPaused)
}

// judge settles one part, or says that it is to be tried again and after what wait.
func (b *batch) judge(ctx context.Context, it *item, rep *reply) (wait time.Duration, again bool) {
	call, res := it.r.call, &b.results[it.i]
	if rep == nil {
		rep = &reply{status: 0}
	}
	if rep.status >= 200 && rep.status < 300 {
		b.good(it, rep)
		return 0, false
	}
	err := error(&passes{Unavailable: &Unavailable{Where: Where{Call: call.Name}, What: "the batch's answer leaves this part out"}})
	if rep.status != 0 {
		err = b.c.judge(call, rep)
	}
	if t, ok := err.(*Throttled); ok {
		b.c.limits.throttled(it.r.ask(ctx), t.After, told429(rep))
	}
	retry, wait := b.c.again(err, it.r, it.tries+1, it.tries == 0)
	if retry && wait <= b.c.limits.lim.MaxWait && inTime(ctx, wait) {
		it.tries++
		return wait, true
	}
	res.Status, res.Body, res.Err = rep.status, rep.body, b.c.report(call, final(err))
	return 0, false
}

// good takes in a part that succeeded. A list with a next page goes back in line for it, so that it is whole.
func (b *batch) good(it *item, rep *reply) {
	res := &b.results[it.i]
	res.Status, res.Body = rep.status, rep.body
	if !it.pages || it.list == nil && !bytes.Contains(rep.body, []byte("nextLink")) {
		return
	}
	pg := parsePage(rep.body)
	if pg.Value == nil || pg.Next == "" && it.list == nil {
		return
	}
	it.list = append(it.list, *pg.Value...)
	if pg.Next == "" {
		res.Body = whole(it.list)
		return
	}
	if it.seen == nil {
		it.seen = map[uint64]bool{}
	}
	if res.Err = b.c.unseen(it.r.call, pg.Next, it.seen); res.Err != nil {
		return
	}
	rel, err := b.c.relative(it.r.call, pg.Next)
	if err != nil {
		res.Err = err
		return
	}
	it.r.url, it.r.rel, it.tries, it.notBefore = pg.Next, rel, 0, time.Time{}
	b.queue = append(b.queue, it)
}

// whole is a list put together from its pages.
func whole(list []json.RawMessage) json.RawMessage {
	body, err := json.Marshal(map[string][]json.RawMessage{"value": list})
	if err != nil {
		panic("graph: elements that were just parsed are JSON: " + err.Error())
	}
	return body
}

// List decodes a result that is a list. Elements that are null are left out.
func List[T any](r Result) ([]T, error) {
	if r.Err != nil {
		return nil, r.Err
	}
	pg := parsePage(r.Body)
	if pg.Value == nil {
		return nil, &Unavailable{What: "the answer is not a list"}
	}
	out := make([]T, 0, len(*pg.Value))
	for _, raw := range *pg.Value {
		if isNull(raw) {
			continue
		}
		v, err := element[T](Call{}, raw)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
