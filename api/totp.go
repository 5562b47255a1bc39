package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image/png"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	"tocsin.dev"
	"tocsin.dev/store"
)

// An account's column totp is empty, or "pending:0:SEALED" until a first code confirmed it, or "on:STEP:SEALED" where
// STEP is the 30-second step of the last code used: no code is good twice (RFC 6238, 5.2).
type factor struct {
	on     bool
	step   int64
	sealed string
}

func parseFactor(s string) (f factor, ok bool) {
	parts := strings.SplitN(s, ":", 3)
	if len(parts) != 3 {
		return f, false
	}
	f.on, f.sealed = parts[0] == "on", parts[2]
	f.step, _ = strconv.ParseInt(parts[1], 10, 64)
	return f, true
}

func (f factor) String() string {
	state := "pending"
	if f.on {
		state = "on"
	}
	return state + ":" + strconv.FormatInt(f.step, 10) + ":" + f.sealed
}

var wrongCode = tocsin.Problemf(tocsin.Denied, "Wait for the next code and type that; see also that the clocks are right.", "The code is wrong, or was used already.")

// codeStep finds the step of a right code: now's, the one before or the one after, but not used yet.
func codeStep(secret, code string, last int64, now time.Time) (int64, bool) {
	right, found := int64(0), false
	for _, d := range []int64{-1, 0, 1} {
		step := now.Unix()/30 + d
		want, err := totp.GenerateCodeCustom(secret, time.Unix(step*30, 0), totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && same(want, code) && step > last {
			right, found = step, true
		}
	}
	return right, found
}

// useCode checks a code of an account and marks it used; confirm is for a factor that still waits.
func (s *Service) useCode(ctx context.Context, tx *store.Tx, id, code string, confirm bool) error {
	a, err := loadAccount(ctx, tx, `id = $1`, id)
	if err != nil {
		return err
	}
	f, ok := parseFactor(a.totp)
	if !ok || f.on == confirm {
		return tocsin.Problemf(tocsin.Conflict, "Look at your settings.", "There is no second factor to be asked for this.")
	}
	secret, err := s.openFactor(f, id)
	if err != nil {
		return err
	}
	step, ok := codeStep(secret, strings.ReplaceAll(code, " ", ""), f.step, s.now())
	if !ok {
		return wrongCode
	}
	old := a.totp
	f.on, f.step = true, step
	n, err := tx.Exec(ctx, `update account set totp = $2 where id = $1 and totp = $3`, id, f.String(), old)
	if err == nil && n == 0 {
		return wrongCode // used by another sign-in this moment
	}
	return err
}

func (s *Service) spendCode(ctx context.Context, id, code string) error {
	return s.st.Update(ctx, func(tx *store.Tx) error { return s.useCode(ctx, tx, id, code, false) })
}

func (s *Service) openFactor(f factor, id string) (string, error) {
	if s.o.Unseal == nil {
		return "", noSeal
	}
	sealed, err := base64.RawStdEncoding.DecodeString(f.sealed)
	if err != nil {
		return "", fmt.Errorf("second factor of account %s: %w", id, err)
	}
	plain, err := s.o.Unseal(sealed, aboutFactor(id))
	return string(plain), err
}

var noSeal = tocsin.Problemf(tocsin.Unavailable, "Give the server a key (see secret in its configuration).", "Second factors cannot be kept: there is no key to seal them.")

// EnrolTOTP begins a second factor: the secret is shown, and asked for from when a first code was confirmed.
func (s *Service) EnrolTOTP(ctx context.Context, _ NoInput) (_ Enrolment, err error) {
	c, err := s.allow(ctx, "me enrol", Everywhere)
	defer func() { s.noteAfter(ctx, "me enrol", Everywhere, nil, c, err) }()
	if err != nil {
		return Enrolment{}, err
	}
	if err := bySessionOnly(c); err != nil {
		return Enrolment{}, err
	}
	if s.o.Seal == nil {
		return Enrolment{}, noSeal
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "Tocsin", AccountName: c.Email, SecretSize: 20})
	if err != nil {
		return Enrolment{}, fmt.Errorf("second factor: %w", err)
	}
	sealed, err := s.o.Seal([]byte(key.Secret()), aboutFactor(c.Account))
	if err != nil {
		return Enrolment{}, err
	}
	f := factor{sealed: base64.RawStdEncoding.EncodeToString(sealed)}
	err = s.st.Update(ctx, func(tx *store.Tx) error {
		n, err := tx.Exec(ctx, `update account set totp = $2 where id = $1 and totp not like 'on:%'`, c.Account, f.String())
		if err == nil && n == 0 {
			return tocsin.Problemf(tocsin.Conflict, "Remove it first, with a code.", "There is a second factor already.")
		}
		return err
	})
	if err != nil {
		return Enrolment{}, err
	}
	qr, err := qrOf(key)
	return Enrolment{Secret: key.Secret(), URI: key.URL(), QR: qr}, err
}

func qrOf(key *otp.Key) (string, error) {
	img, err := key.Image(240, 240)
	if err != nil {
		return "", fmt.Errorf("QR code: %w", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return "", fmt.Errorf("QR code: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// ConfirmTOTP turns the second factor on, with a first code.
func (s *Service) ConfirmTOTP(ctx context.Context, in CodeIn) (None, error) {
	return s.changeFactor(ctx, "me confirm", in, true, "second factor on", "")
}

// RemoveTOTP turns the second factor off, with a last code.
func (s *Service) RemoveTOTP(ctx context.Context, in CodeIn) (None, error) {
	return s.changeFactor(ctx, "me unenrol", in, false, "second factor off", `update account set totp = '' where id = $1`)
}

func (s *Service) changeFactor(ctx context.Context, name string, in CodeIn, confirm bool, what, then string) (_ None, err error) {
	c, err := s.allow(ctx, name, Everywhere)
	defer func() { s.noteAfter(ctx, name, Everywhere, nil, c, err) }()
	if err != nil {
		return None{}, err
	}
	if err := bySessionOnly(c); err != nil {
		return None{}, err
	}
	if err := valid(in); err != nil {
		return None{}, err
	}
	if err := s.attempt(ctx, "code|"+c.Email, perSecondStep); err != nil {
		return None{}, err
	}
	return None{}, s.st.Update(ctx, func(tx *store.Tx) error {
		if err := s.useCode(ctx, tx, c.Account, in.Body.Code, confirm); err != nil {
			return err
		}
		if then != "" {
			if _, err := tx.Exec(ctx, then, c.Account); err != nil {
				return err
			}
		}
		return accountFact(ctx, tx, Everywhere, c.Account, c.Email, what)
	})
}
