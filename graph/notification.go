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
	ClientState    string            `json:"clientState"`
	ChangeType     string            `json:"changeType"`     // created, updated, deleted
	Lifecycle      string            `json:"lifecycleEvent"` // reauthorizationRequired, subscriptionRemoved, missed
	Resource       string            `json:"resource"`       // written in many ways: Users/{id}/Messages/{id}, users('…')/messages('…')
	ResourceData   ResourceData      `json:"resourceData"`
	Expires        Time              `json:"subscriptionExpirationDateTime"`
	Encrypted      *EncryptedContent `json:"encryptedContent"`
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

// ParseNotifications reads the body of a POST. What is not of Graph's form is an error; members we do not know are passed over.
func ParseNotifications(body []byte) (n Notifications, err error) {
	if n, ok := scanNotifications(body); ok {
		return n, nil
	}
	if err := json.Unmarshal(body, &n); err != nil {
		return Notifications{}, fmt.Errorf("no notifications: %s", jsonFault(err))
	}
	if len(n.Value) == 0 {
		return Notifications{}, errors.New("no notifications: the list is empty")
	}
	return n, nil
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
