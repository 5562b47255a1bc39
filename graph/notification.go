package graph

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1" // Microsoft's OAEP is of SHA-1
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Notification is one of those that Graph posts to us: that something changed, or (Lifecycle) how a subscription stands.
// https://learn.microsoft.com/graph/api/resources/changenotification
type Notification struct {
	SubscriptionID string            `json:"subscriptionId"`
	TenantID       string            `json:"tenantId"`
	Organization   string            `json:"organizationId"` // stands in place of tenantId in lifecycle events: see Tenant
	ClientState    string            `json:"clientState"`
	ChangeType     string            `json:"changeType"`     // created, updated, deleted
	Lifecycle      string            `json:"lifecycleEvent"` // reauthorizationRequired, subscriptionRemoved, missed
	Resource       string            `json:"resource"`       // written in many ways: Users/{id}/Messages/{id}, users('…')/messages('…')
	ResourceData   ResourceData      `json:"resourceData"`
	Encrypted      *EncryptedContent `json:"encryptedContent"`
}

// Tenant is the tenant that a notification names; empty where it names none, or two. What is documented as tenantId comes as
// organizationId in lifecycle events. https://github.com/microsoftgraph/msgraph-sdk-dotnet/issues/3103
func (n *Notification) Tenant() string {
	switch {
	case n.TenantID == "":
		return n.Organization
	case n.Organization != "" && !strings.EqualFold(n.TenantID, n.Organization):
		return ""
	}
	return n.TenantID
}

// Message is the id of the message that a notification names; empty where it names none.
func (n *Notification) Message() string {
	if n.ResourceData.ID != "" {
		return n.ResourceData.ID
	}
	at := strings.LastIndex(strings.ToLower(n.Resource), "/messages")
	if at < 0 || at+len("/messages") > len(n.Resource) {
		return ""
	}
	rest := n.Resource[at+len("/messages"):]
	if id, ok := strings.CutPrefix(rest, "/"); ok {
		rest = id
	} else if id, ok := strings.CutPrefix(rest, "('"); ok && strings.HasSuffix(id, "')") {
		rest = strings.TrimSuffix(id, "')")
	} else {
		return ""
	}
	if strings.ContainsAny(rest, "/'()?") {
		return ""
	}
	return rest
}

// ResourceData tells which object changed.
type ResourceData struct {
	ID   string `json:"id"`
	Etag string `json:"@odata.etag"`
}

// EncryptedContent is the changed object's selected properties, for whoever has the certificate's key.
// https://learn.microsoft.com/graph/change-notifications-with-resource-data
type EncryptedContent struct {
	Data          string `json:"data"`
	DataKey       string `json:"dataKey"`
	Signature     string `json:"dataSignature"`
	CertificateID string `json:"encryptionCertificateId"`
}

// Notifications are what one POST of Graph brings: one POST may mix subscriptions, tenants and lifecycle events.
type Notifications struct {
	Value            []Notification `json:"value"`
	ValidationTokens []string       `json:"validationTokens"`
}

// mostNotifications is how many a POST may bring. Graph does not say how many it sends at most ("may send multiple items in a
// single request"); each takes some 500 bytes, so this is more than fits into what is read of a POST of its.
// https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
const mostNotifications = 5000

// ErrMany says that a POST brings more notifications than are taken at once.
var ErrMany = fmt.Errorf("no notifications: there are more than %d", mostNotifications)

// ParseNotifications reads the body of a POST. What is no list of JSON is an error, and ErrMany a list that is too long. Members
// we do not know are passed over, and so are those that are of another type than Graph's: what is good beside them stands. The
// texts it gives may lie in body's memory: who keeps one longer than body clones it.
func ParseNotifications(body []byte) (Notifications, error) {
	if n, ok := scanNotifications(body); ok {
		return n, nil
	}
	var in struct {
		Value  notificationList `json:"value"`
		Tokens tokenList        `json:"validationTokens"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		if errors.Is(err, ErrMany) {
			return Notifications{}, ErrMany
		}
		return Notifications{}, fmt.Errorf("no notifications: %s", jsonFault(err))
	}
	if len(in.Value) == 0 {
		return Notifications{}, errors.New("no notifications: the list is empty")
	}
	return Notifications{Value: in.Value, ValidationTokens: in.Tokens}, nil
}

// notificationList is read one by one. What is no notification is one that says nothing.
type notificationList []Notification

func (l *notificationList) UnmarshalJSON(raw []byte) error {
	*l = nil
	for one := range arrayElements(raw) {
		if len(*l) == mostNotifications {
			return ErrMany
		}
		var n Notification
		if json.Unmarshal(one, &n) != nil && n.Encrypted != nil && *n.Encrypted == (EncryptedContent{}) {
			n.Encrypted = nil
		}
		*l = append(*l, n)
	}
	return nil
}

// tokenList is nil where any of it is no text.
type tokenList []string

func (l *tokenList) UnmarshalJSON(raw []byte) error {
	*l = nil
	for one := range arrayElements(raw) {
		token, ok := asString(one)
		if !ok && json.Unmarshal(one, &token) != nil {
			*l = nil
			return nil
		}
		if len(*l) == mostNotifications {
			return ErrMany
		}
		*l = append(*l, token)
	}
	return nil
}

// Open gives the object in a notification. The signature is checked before anything is decrypted; whatever is wrong with
// the content is one and the same error.
func (e EncryptedContent) Open(key *rsa.PrivateKey) (json.RawMessage, error) {
	wrapped, err1 := base64.StdEncoding.DecodeString(e.DataKey)
	data, err2 := base64.StdEncoding.DecodeString(e.Data)
	sum, err3 := base64.StdEncoding.DecodeString(e.Signature)
	if err1 != nil || err2 != nil || err3 != nil || len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, ErrSealed
	}
	once, err := rsa.DecryptOAEP(sha1.New(), nil, key, wrapped, nil)
	if err != nil || len(once) != 32 {
		return nil, ErrSealed
	}
	mac := hmac.New(sha256.New, once)
	mac.Write(data)
	if subtle.ConstantTimeCompare(mac.Sum(nil), sum) != 1 {
		return nil, ErrSealed
	}
	block, err := aes.NewCipher(once)
	if err != nil {
		return nil, ErrSealed
	}
	cipher.NewCBCDecrypter(block, once[:aes.BlockSize]).CryptBlocks(data, data)
	pad := int(data[len(data)-1])
	if pad == 0 || pad > aes.BlockSize || strings.Count(string(data[len(data)-pad:]), string(rune(pad))) != pad {
		return nil, ErrSealed
	}
	data = data[:len(data)-pad]
	if !json.Valid(data) {
		return nil, ErrSealed
	}
	return data, nil
}

// ErrSealed says that a notification's content cannot be opened: it was sealed for another key, or changed on the way.
var ErrSealed = errors.New("the content of a notification cannot be opened")
