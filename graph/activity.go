package graph

import (
	"context"
	"encoding/json"
	"errors"
	"hash/maphash"
	"iter"
	"time"
)

// Delivery is a part of the audit log as it is delivered to us.
type Delivery struct {
	ContentType string `json:"contentType"`
	Status      string `json:"status"` // enabled, disabled
}

// Blob is a parcel of audit records.
type Blob struct {
	ID          string `json:"contentId"`
	URI         string `json:"contentUri"`
	ContentType string `json:"contentType"`
	Created     Time   `json:"contentCreated"`    // when it could be fetched first; what is in it is older
	Expires     Time   `json:"contentExpiration"` // seven days later
}

// The codes of the Management Activity API that are no fault of ours or its.
const (
	NoSubscription       = "AF20022"
	SubscriptionDisabled = "AF20023"
	SubscriptionEnabled  = "AF20024" // already
	BadTimes             = "AF20030" // more than 24 hours apart, or more than seven days back
	NoSuchContent        = "AF20050"
	ContentExpired       = "AF20051"
)

// CodeOf is Microsoft's code in an error of a call; empty where there is none.
func CodeOf(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		if _, code := place(err); code != "" {
			return code
		}
	}
	return ""
}

// CallOf is the name, in Calls, of the call that an error is of; empty where it is of none, such as the sign-in before it.
func CallOf(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range many.Unwrap() {
				if name := CallOf(e); name != "" {
					return name
				}
			}
			return ""
		}
		if w, _ := place(err); w.Call != "" {
			return w.Call
		}
		if f, ok := err.(*ForeignLink); ok {
			return f.Call
		}
	}
	return ""
}

// Subscriptions lists what is delivered.
func (c *Client) Subscriptions(ctx context.Context) (out []Delivery, err error) {
	err = c.Get(ctx, "activity.subscriptions.list", P{"PublisherIdentifier": c.cfg.Tenant}, &out)
	return out, err
}

// Subscribe has a part of the audit log delivered. One that is delivered already is no error.
func (c *Client) Subscribe(ctx context.Context, contentType string) error {
	err := c.Act(ctx, "activity.subscriptions.start", P{"contentType": contentType, "PublisherIdentifier": c.cfg.Tenant}, nil, nil)
	if CodeOf(err) == SubscriptionEnabled {
		return nil
	}
	return err
}

// feedTime is how the feed wants a time: UTC, and no zone.
const feedTime = "2006-01-02T15:04:05"

// Blobs lists the parcels that came between two times, at most 24 hours apart and at most seven days back, page by page as
// they are taken. They are in no order, and one may be there again. An error is the last thing it gives.
func (c *Client) Blobs(ctx context.Context, contentType string, from, to time.Time) iter.Seq2[Blob, error] {
	return func(yield func(Blob, error) bool) {
		r, err := c.request("activity.content.list", P{"contentType": contentType, "PublisherIdentifier": c.cfg.Tenant,
			"startTime": from.UTC().Format(feedTime), "endTime": to.UTC().Format(feedTime)})
		seen := map[uint64]bool{}
		for err == nil {
			seen[maphash.String(seed, r.url)] = true
			var rep *reply
			if rep, err = c.do(ctx, r); err != nil {
				break
			}
			var list []Blob
			if err = rep.decode(r.call, &list); err != nil {
				break
			}
			for _, b := range list {
				if !yield(b, nil) {
					return
				}
			}
			next := rep.header.Get("NextPageUri")
			if next == "" {
				return
			}
			if err = c.unseen(r.call, next, seen); err == nil {
				r.url = next
			}
		}
		yield(Blob{}, err)
	}
}

// Records fetches a parcel: its records as they are. The address must be the service's own.
func (c *Client) Records(ctx context.Context, b Blob) ([]json.RawMessage, error) {
	call := Find("activity.content.get")
	if _, err := c.link(call, b.URI); err != nil {
		return nil, err
	}
	rep, err := c.do(ctx, request{call: call, url: b.URI})
	if err != nil {
		return nil, err
	}
	var list []json.RawMessage
	return list, rep.decode(call, &list)
}
