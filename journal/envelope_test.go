package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"tocsin.dev"
)

func sealed(items ...Item) []byte {
	var b []byte
	for i := range items {
		b = sealItem(b, &items[i])
	}
	return seal(nil, len(items), b)
}

func TestEnvelopeGivesBackWhatWasSealed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOf(rapid.Custom(func(t *rapid.T) Item {
			item := Item{
				Tenant: tocsin.TenantID(rapid.String().Draw(t, "tenant")), Person: tocsin.PersonID(rapid.String().Draw(t, "person")),
				Kind: rapid.String().Draw(t, "kind"), Key: rapid.String().Draw(t, "key"), At: rapid.Int64().Draw(t, "at"),
			}
			if body := rapid.SliceOf(rapid.Byte()).Draw(t, "body"); len(body) > 0 {
				item.Body = body
			}
			return item
		})).Draw(t, "items")
		got, err := open(sealed(items...))
		if err != nil || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", append([]Item{}, items...)) {
			t.Fatalf("got %#v, %v, want %#v", got, err, items)
		}
	})
}

func TestEveryChangedOrMissingByteIsFound(t *testing.T) {
	whole := sealed(numbered("amy", 1), numbered("ben", 2))
	for i := range whole {
		for bit := range 8 {
			b := append([]byte{}, whole...)
			b[i] ^= 1 << bit
			if _, err := open(b); !errors.Is(err, errDamaged) {
				t.Fatalf("byte %d bit %d changed: got %v, want errDamaged", i, bit, err)
			}
		}
		if _, err := open(whole[:i]); !errors.Is(err, errDamaged) {
			t.Fatalf("cut at %d: got %v, want errDamaged", i, err)
		}
	}
}

// resign makes the checksum right again, as a liar would.
func resign(b []byte) []byte {
	if len(b) >= envelopeHead {
		binary.LittleEndian.PutUint32(b[8:], checksum(b))
	}
	return b
}

func TestARightChecksumIsNotBelievedAlone(t *testing.T) {
	two := sealed(numbered("amy", 1), numbered("ben", 2))
	three := append([]byte{}, two...)
	three[4] = 3
	one := append([]byte{}, two...)
	one[4] = 1
	many := append([]byte{}, two...)
	many[7] = 0xff
	for what, b := range map[string][]byte{"too few": three, "too many": one, "absurd": many} {
		if _, err := open(resign(b)); !errors.Is(err, errDamaged) {
			t.Errorf("%s: got %v, want errDamaged", what, err)
		}
	}
	newer := append([]byte{}, two...)
	newer[2] = envelopeVersion + 1
	if _, err := open(resign(newer)); !errors.Is(err, errNewer) {
		t.Errorf("got %v, want errNewer", err)
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add(sealed(), false)
	f.Add(sealed(numbered("amy", 1), numbered("ben", -2)), false)
	f.Add([]byte("TJ\x01\x00\xff\xff\xff\x7f\x00\x00\x00\x00\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), true)
	f.Fuzz(func(t *testing.T, b []byte, lie bool) {
		if lie {
			b = resign(b)
		}
		items, err := open(b)
		if err != nil {
			if !errors.Is(err, errDamaged) && !errors.Is(err, errNewer) {
				t.Fatalf("got an error of neither kind: %v", err)
			}
			return
		}
		again, err := open(sealed(items...))
		if err != nil || fmt.Sprintf("%#v", again) != fmt.Sprintf("%#v", items) {
			t.Fatalf("%#v became %#v, %v", items, again, err)
		}
	})
}
