package graph

import (
	"context"
	"encoding/json"
	"errors"
	"hash/maphash"
	"iter"
	"slices"
)

// page is one answer of a list. Value is nil when the answer has none.
type page struct {
	Value *[]json.RawMessage
	Next  string
	Delta string
}

// parsePage reads a page from a body that is valid JSON.
func parsePage(body []byte) page {
	var pg page
	for k, v := range objectMembers(body) {
		switch k {
		case "value":
			if v[0] == '[' {
				list := slices.Collect(arrayElements(v))
				pg.Value = &list
			}
		case "@odata.nextLink":
			pg.Next, _ = asString(v) // what is no string is no link
		case "@odata.deltaLink":
			pg.Delta, _ = asString(v)
		}
	}
	return pg
}

// Pages gives a list's elements, page by page as they are taken. An error is the last thing it gives.
// Elements that are null are left out; a page may be empty. Links are followed as they are, to the same server only.
// For the elements as they came, T is json.RawMessage.
func Pages[T any](ctx context.Context, c *Client, call string, p P) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		for raw, err := range c.elements(ctx, call, p) {
			if err != nil {
				yield(zero, err)
				return
			}
			v, err := element[T](Find(call), raw)
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// element decodes one element of a list.
func element[T any](call Call, raw json.RawMessage) (T, error) {
	var v T
	var err error
	if own, ok := any(&v).(json.Unmarshaler); ok { // raw is known to be JSON
		err = own.UnmarshalJSON(raw)
	} else {
		err = json.Unmarshal(raw, &v)
	}
	if err != nil {
		return v, &Unavailable{Where: Where{Call: call.Name}, What: "an element does not read as expected: " + jsonFault(err)}
	}
	return v, nil
}

// elements are the elements of a list as they came.
func (c *Client) elements(ctx context.Context, call string, p P) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		r, err := c.request(call, p)
		if err != nil {
			yield(nil, err)
			return
		}
		for pg, err := range c.pages(ctx, r) {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, raw := range *pg.Value {
				if !isNull(raw) && !yield(raw, nil) {
					return
				}
			}
		}
	}
}

// pages gives the pages from r on, each with a Value, until one has no next.
func (c *Client) pages(ctx context.Context, r request) iter.Seq2[page, error] {
	return func(yield func(page, error) bool) {
		seen := map[uint64]bool{maphash.String(seed, r.url): true}
		for {
			pg, err := c.page(ctx, r)
			if err == nil && pg.Next != "" {
				err = c.unseen(r.call, pg.Next, seen)
			}
			if err != nil {
				yield(page{}, err)
				return
			}
			if !yield(pg, nil) || pg.Next == "" {
				return
			}
			r.url = pg.Next // verbatim: its parameters are baked in
		}
	}
}

// unseen checks a link, and that it leads on.
func (c *Client) unseen(call Call, link string, seen map[uint64]bool) error {
	if _, err := c.link(call, link); err != nil {
		return err
	}
	h := maphash.String(seed, link)
	if seen[h] {
		return &ForeignLink{Call: call.Name, Loop: true}
	}
	seen[h] = true
	return nil
}

func (c *Client) page(ctx context.Context, r request) (page, error) {
	rep, err := c.do(ctx, r)
	if err != nil {
		return page{}, err
	}
	pg := parsePage(rep.body)
	if pg.Value == nil {
		return page{}, &Unavailable{Where: rep.where(r.call), What: "the answer is not a list: it has no value"}
	}
	return pg, nil
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

// onlyOne is how many times MaxBody a page may have that was asked for with one element: there is no smaller one.
const onlyOne = 4

type pageKey struct{}

// WithPage has pages asked for with at most n elements, where the call says how many it wants: for answers that were too long, which Unavailable
// says by Long. With 1 the answer may have four times MaxBody.
func WithPage(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, pageKey{}, n)
}

// pageOf is what WithPage set; 0 for nothing.
func pageOf(ctx context.Context) int {
	n, _ := ctx.Value(pageKey{}).(int)
	return n
}

// TooLong says whether an answer was longer than MaxBody.
func TooLong(err error) bool {
	e, ok := errors.AsType[*Unavailable](err)
	return ok && e.Long
}
