package graph

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// How long Microsoft lets a subscription to messages live, and how much of it we ask for: a little less, since its clock
// and ours differ. https://learn.microsoft.com/graph/change-notifications-overview#subscription-lifetime
const (
	BasicLife = 10_080*time.Minute - 10*time.Minute
	RichLife  = 1_440*time.Minute - 10*time.Minute
)

// Subscription is that Graph tells an address of ours of changes.
// https://learn.microsoft.com/graph/api/resources/subscription
type Subscription struct {
	ID                       string `json:"id,omitempty"`
	Resource                 string `json:"resource,omitempty"`
	ChangeType               string `json:"changeType,omitempty"` // created,updated,deleted
	NotificationURL          string `json:"notificationUrl,omitempty"`
	LifecycleNotificationURL string `json:"lifecycleNotificationUrl,omitempty"`
	ExpirationDateTime       Time   `json:"expirationDateTime,omitzero"`
	ClientState              string `json:"clientState,omitempty"` // sent, and never given back
	IncludeResourceData      bool   `json:"includeResourceData,omitempty"`
	EncryptionCertificate    string `json:"encryptionCertificate,omitempty"` // base64 of the DER
	EncryptionCertificateID  string `json:"encryptionCertificateId,omitempty"`
}

// MessagesOf is the resource of a mailbox's messages, in all its folders.
func MessagesOf(user string) string { return "/users/" + user + "/messages" }

// WithFields is a resource of messages for notifications that bring what changed: the fields that the named call selects, and
// no others.
func WithFields(resource, call string) string {
	c, join := Find(call), "?"
	if strings.Contains(resource, "?") {
		join = "&"
	}
	resource += join + "$select=" + strings.Join(c.Select, ",")
	if c.Expand != "" {
		resource += "&$expand=" + c.Expand
	}
	return resource
}

// Exists says that there is a subscription for the same resource and changes already, which the app is to adopt.
type Exists struct {
	Where
	ID string // of the one that exists; empty where Graph did not name it
}

func (e *Exists) Error() string { return e.at() + "there is a subscription for this already" }

var existing = regexp.MustCompile(`(?i)Subscription Id <?([0-9a-f-]{36})>?`)

// CreateSubscription asks Graph to tell of changes. Graph calls both addresses before it answers. The error is
// an [*Exists] where there is such a subscription, and a [*Failed] where the mailbox has as many as it may have.
// https://learn.microsoft.com/graph/api/subscription-post-subscriptions
func (c *Client) CreateSubscription(ctx context.Context, s Subscription) (out Subscription, err error) {
	err = c.Act(ctx, "subscriptions.create", nil, s, &out)
	if f, ok := errors.AsType[*Failed](err); ok && f.Status == http.StatusConflict {
		e := &Exists{Where: f.Where}
		if m := existing.FindStringSubmatch(f.Message); m != nil {
			e.ID = strings.ToLower(m[1])
		}
		return out, e
	}
	// A mailbox that has as many as it may have is no lack of a permission, and speaks for no other mailbox.
	if d, ok := errors.AsType[*Denied](err); ok && quota.MatchString(d.Message) {
		return out, &Failed{Where: d.Where, Code: d.Code, Message: d.Message}
	}
	return out, err
}

var quota = regexp.MustCompile(`(?i)\b(limit|quota|maximum)\b`)

// RenewSubscription lets a subscription live until a time; its authorization is renewed with it.
// https://learn.microsoft.com/graph/api/subscription-update
func (c *Client) RenewSubscription(ctx context.Context, id string, until time.Time) (out Subscription, err error) {
	return c.RenewRichSubscription(ctx, id, until, "", "")
}

// RenewRichSubscription does the same, and from now on what changed is encrypted for the certificate.
func (c *Client) RenewRichSubscription(ctx context.Context, id string, until time.Time, certificate, certificateID string) (out Subscription, err error) {
	body := struct {
		ExpirationDateTime string `json:"expirationDateTime"`
		Certificate        string `json:"encryptionCertificate,omitempty"`
		CertificateID      string `json:"encryptionCertificateId,omitempty"`
	}{until.UTC().Format(time.RFC3339), certificate, certificateID}
	err = c.Act(ctx, "subscriptions.update", P{"subscription": id}, body, &out)
	return out, err
}

// DeleteSubscription ends one. One that is gone already is no error.
func (c *Client) DeleteSubscription(ctx context.Context, id string) error {
	err := c.Act(ctx, "subscriptions.delete", P{"subscription": id}, nil, nil)
	if _, gone := errors.AsType[*NotFound](err); gone {
		return nil
	}
	return err
}
