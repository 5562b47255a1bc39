package sim

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Forgery is a POST that somebody other than Microsoft could send, or that no longer means what it says.
type Forgery struct {
	Name string
	Body []byte
	To   string // the address of the subscription that it pretends to be of
}

// Forgeries are POSTs that a receiver must not believe, each made from a true one for a mailbox's newest message: with
// another clientState, with none, of a subscription nobody made, of another tenant; with a validation token that another key
// signed, for another application, of another publisher or tenant, past its time, or with none where resource data need one;
// with resource data that were tampered with; and bodies that are cut off, empty, too large, or no JSON. They are in the
// same order every time. There must be a subscription to the mailbox.
func (s *Sim) Forgeries(mailbox string) ([]Forgery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.world.find(mailbox)
	if p == nil || !p.hasBox() {
		return nil, fmt.Errorf("sim: there is no mailbox %q", mailbox)
	}
	b := s.world.open(p)
	i := len(b.messages) - 1
	for i >= 0 && b.messages[i].gone {
		i--
	}
	s.hook.mu.Lock()
	defer s.hook.mu.Unlock()
	list := s.hook.boxes[p.i]
	if len(list) == 0 || i < 0 {
		return nil, errors.New("sim: nothing can be forged: the mailbox has no message or no subscription")
	}
	sub := list[0]
	now := s.clock.Now()
	forged := func(change func(*subscription)) []byte {
		c := *sub
		change(&c)
		body, _ := s.envelope([]*notice{s.mailNotice(&c, happening{n: 1, p: p, b: b, m: b.messages[i], folder: b.messages[i].folder}, updated, now)}) // what a true one is made by
		return body
	}
	genuine := forged(func(*subscription) {})
	out := []Forgery{
		{Name: "another clientState", Body: forged(func(c *subscription) { c.clientState = strings.Repeat("x", max(1, len(c.clientState))) })},
		{Name: "no clientState", Body: forged(func(c *subscription) { c.clientState = "" })},
		{Name: "an unknown subscription", Body: forged(func(c *subscription) { c.id = randomGUID(); c.clientState = strings.ToUpper(c.clientState) + "x" })},
		{Name: "another tenant", Body: bytes.ReplaceAll(genuine, []byte(`"tenantId":"`+s.cfg.Tenant), []byte(`"tenantId":"`+randomGUID()))},
		{Name: "cut off", Body: genuine[:len(genuine)/2]},
		{Name: "empty", Body: []byte{}},
		{Name: "not JSON", Body: []byte("<html>hello</html>")},
		{Name: "another form", Body: []byte(`{"value":{"a":[1,2,3]}}`)},
		{Name: "nothing in it", Body: []byte(`{"value":[null,{},[]]}`)},
		{Name: "deep", Body: []byte(`{"value":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`)},
		{Name: "too large", Body: slices.Concat([]byte(`{"value":["`), bytes.Repeat([]byte("x"), 16<<20), []byte(`"]}`))},
	}
	if sub.rich {
		rich, err := s.forgedTokens(genuine)
		if err != nil {
			return nil, err
		}
		out = append(out, rich...)
	}
	for i := range out {
		out[i].To = sub.url
	}
	return out, nil
}

// forgedTokens are a POST with resource data that no good token vouches for, or whose data are not what was encrypted.
func (s *Sim) forgedTokens(body []byte) ([]Forgery, error) {
	at := bytes.Index(body, []byte(`,"validationTokens":`))
	if at < 0 {
		return nil, errors.New("sim: a notification with resource data has no token")
	}
	strange, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("sim: make a key: %w", err)
	}
	own, err := s.keys.newest()
	if err != nil {
		return nil, err
	}
	out := []Forgery{
		{Name: "no token", Body: append(slices.Clone(body[:at]), '}')},
		{Name: "no token in the list", Body: append(slices.Clone(body[:at]), `,"validationTokens":[]}`...)},
		{Name: "a token that is none", Body: append(slices.Clone(body[:at]), `,"validationTokens":["a.b.c"]}`...)},
	}
	for _, f := range []struct {
		name string
		key  *rsa.PrivateKey
		v    Voucher
	}{
		{"a token of another key", strange, Voucher{}},
		{"a token for another application", own, Voucher{Audience: randomGUID()}},
		{"a token of another publisher", own, Voucher{Publisher: s.app.id}},
		{"a token of another tenant", own, Voucher{Tenant: randomGUID()}},
		{"a token of another issuer", own, Voucher{Issuer: "https://sts.evil.example/" + s.cfg.Tenant + "/"}},
		{"a token past its time", own, Voucher{Ends: time.Now().Add(-time.Hour)}},
	} {
		text, err := s.voucher(f.key, f.v)
		if err != nil {
			return nil, fmt.Errorf("sim: sign a token: %w", err)
		}
		out = append(out, Forgery{Name: f.name, Body: append(slices.Clone(body[:at]), `,"validationTokens":["`+text+`"]}`...)})
	}
	if sign := bytes.Index(body, []byte(`"data":"`)); sign >= 0 {
		bent := slices.Clone(body)
		bent[sign+len(`"data":"`)] ^= 1 // another letter of base64, as a rule
		out = append(out, Forgery{Name: "data that were changed", Body: bent})
	}
	return out, nil
}

// Stranger sends a body to an address as anybody on the network could, and gives the status of the answer; 0 for none.
func (s *Sim) Stranger(ctx context.Context, address string, body []byte) int {
	status, _ := s.send(ctx, address, body, time.Duration(s.delivery().Timeout))
	return status
}

// delivery is how notifications go out now.
func (s *Sim) delivery() Delivery {
	s.hook.mu.Lock()
	defer s.hook.mu.Unlock()
	return s.hook.how
}
