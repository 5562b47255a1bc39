package tocsin

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// TenantID is the Entra tenant's GUID, in lower case.
type TenantID string

// PersonID is our stable id of a person or shared mailbox (tuid), kept through renames and aliases: UUIDv5 of the
// tenant and the Entra object id, so that every replica makes the same one. The address stands in where only that is known.
type PersonID string

// NewPersonID makes the id of the person whose Entra object id (or, where only that is known, address) is object.
func NewPersonID(tenant TenantID, object string) PersonID {
	return PersonID(derive(string(tenant), "person", strings.ToLower(object)))
}

// NewFindingID makes the id of a finding: the same cause on the same subject under the same rule is one finding that grows.
func NewFindingID(tenant TenantID, rule, subject, cause string) string {
	return derive(string(tenant), "finding", rule, subject, cause)
}

// NewEventID makes the id of an event from what identifies it, so that two ways of seeing one thing make one event.
func NewEventID(tenant TenantID, parts ...string) string {
	return derive(append([]string{string(tenant), "event"}, parts...)...)
}

// NewEventIDAt is [NewEventID] of what a time belongs to that is told alike in whatever way it is seen, Unix milliseconds, and 0 where
// there is none. Such ids sort by it (UUIDv8, https://www.rfc-editor.org/rfc/rfc9562#section-5.8): what comes together stands together in an index.
func NewEventIDAt(tenant TenantID, at int64, parts ...string) string {
	id := derived(append([]string{string(tenant), "event", strconv.FormatInt(at, 10)}, parts...))
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(min(max(at, 0), 1<<48-1)))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x80
	return id.String()
}

// NewID makes an id that sorts by the time it was made (UUIDv7).
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

var space = uuid.MustParse("6f5d8a0e-7c1b-5b5e-9a53-70c51270c51d")

// derive is UUIDv5 over the parts; their lengths are unambiguous because NUL occurs in none.
func derive(parts ...string) string { return derived(parts).String() }

func derived(parts []string) uuid.UUID {
	return uuid.NewSHA1(space, []byte(strings.Join(parts, "\x00")))
}
