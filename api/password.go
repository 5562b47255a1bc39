package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
	"tocsin.dev"
)

// The cost of a password: argon2id with 19 MiB, 2 rounds, 1 lane
// (https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html).
const (
	argonMemory = 19 * 1024 // KiB
	argonRounds = 2
	argonLanes  = 1
	argonLength = 32
)

// goodPassword refuses what is too short. There are no rules of composition: length is what counts
// (https://pages.nist.gov/800-63-4/sp800-63b.html).
func goodPassword(password, email string) error {
	n := utf8.RuneCountInString(norm.NFKC.String(password))
	switch {
	case n < 12:
		return invalid("Use at least 12 characters; a few words in a row are easy to remember.", "The password is too short: it has %d characters.", n)
	case strings.EqualFold(password, email):
		return invalid("Use something else.", "The password is the e-mail address.")
	case strings.Count(password, password[:1]) == len(password):
		return invalid("Use something else.", "The password is one character again and again.")
	}
	return nil
}

// hashPassword makes what is kept of a password, in the usual form $argon2id$v=19$m=…,t=…,p=…$salt$hash.
func (s *Service) hashPassword(ctx context.Context, password string) (string, error) {
	salt := make([]byte, 16)
	rand.Read(salt)
	sum, err := s.argon(ctx, password, salt, argonRounds, argonMemory, argonLanes)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonRounds, argonLanes, b64(salt), b64(sum)), nil
}

// rightPassword compares a password with what is kept of it, in constant time. What is kept empty is never right, and
// takes as long.
func (s *Service) rightPassword(ctx context.Context, password, kept string) (bool, error) {
	none := kept == ""
	if none {
		kept = decoy()
	}
	var version int
	var memory, rounds uint32
	var lanes uint8
	parts := strings.Split(kept, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, fmt.Errorf("the password kept is of an unknown form")
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &rounds, &lanes); err != nil || version != argon2.Version {
		return false, fmt.Errorf("the password kept is of an unknown form")
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(want) != argonLength {
		return false, fmt.Errorf("the password kept is of an unknown form")
	}
	got, err := s.argon(ctx, password, salt, rounds, memory, lanes)
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1 && !none, err
}

// argon waits for its turn, so that many sign-ins at once do not take all memory.
func (s *Service) argon(ctx context.Context, password string, salt []byte, rounds, memory uint32, lanes uint8) ([]byte, error) {
	select {
	case s.hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.hashing }()
	return argon2.IDKey([]byte(norm.NFKC.String(password)), salt, rounds, memory, lanes, argonLength), nil
}

// decoy is compared with where there is no account, so that the time does not tell.
var decoy = sync.OnceValue(func() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonRounds, argonLanes, b64(make([]byte, 16)), b64(make([]byte, argonLength)))
})

// newSecret is 256 random bits as text, behind a prefix by which it can be recognised where it does not belong.
func newSecret(prefix string) string {
	b := make([]byte, 32)
	rand.Read(b)
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

// hashToken is what is kept of a random secret. It needs no salt and no cost: nobody guesses 256 bits.
func hashToken(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// same compares in constant time.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

var wrongPassword = tocsin.Problemf(tocsin.Denied, "Check both, and try again.", "The e-mail address or the password is wrong.")
