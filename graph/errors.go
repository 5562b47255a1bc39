package graph

import (
	"fmt"
	"strings"
	"time"
)

// Where says at which call something went wrong, and the ids that Microsoft's support asks for.
type Where struct {
	Call            string // its name in Calls
	Status          int    // of HTTP; 0 when there was no answer
	RequestID       string
	ClientRequestID string
}

func (w Where) at() string {
	if w.Call == "" {
		return ""
	}
	return w.Call + ": "
}

// Throttled says that Graph, or our own keeping of its limits, wants a call to come later than the caller can wait.
type Throttled struct {
	Where
	After time.Duration // from now
	Limit string        // which, as Use.Limit; empty when only Graph knows
	Ours  bool          // we held it back; Graph was not asked
	Asked bool          // Ours, because Graph had refused others before and asked to wait so long

	guess bool // Graph did not say how long: each further try waits longer
}

func (e *Throttled) Error() string {
	if e.Ours {
		return fmt.Sprintf("%sheld back for %s to keep Microsoft's limit (%s)", e.at(), e.After.Round(100*time.Millisecond), e.Limit)
	}
	return fmt.Sprintf("%sMicrosoft Graph asks to wait %s", e.at(), e.After.Round(100*time.Millisecond))
}

// Gone says that a delta token is no longer known: drop it and start over.
type Gone struct {
	Where
	Code string
}

func (e *Gone) Error() string {
	return e.at() + "the delta token has expired (" + or(e.Code, "410") + "), so the round must start over"
}

// Denied says that the app may not make a call.
type Denied struct {
	Where
	Permissions []string // any one of these is needed, the least first
	Code        string   // Graph's
	Message     string   // Graph's
	OutOfScope  bool     // the permission is there, but the tenant keeps this mailbox from the app
}

func (e *Denied) Error() string {
	if e.OutOfScope {
		return e.at() + "the tenant keeps this mailbox from the app (" + or(e.Code, "403") + ")"
	}
	if len(e.Permissions) == 0 {
		return e.at() + "not allowed (" + or(e.Code, "403") + ")"
	}
	return e.at() + "not allowed without " + strings.Join(e.Permissions, " or ") + " (" + or(e.Code, "403") + ")"
}

// NoMailbox says that a user has no mailbox that Graph can open: none, one on premises, or a soft-deleted one.
type NoMailbox struct {
	Where
	Code string
}

func (e *NoMailbox) Error() string {
	return e.at() + "the user has no mailbox in Exchange Online (" + e.Code + ")"
}

// NotFound says that what was asked for is not there.
type NotFound struct {
	Where
	Code string
}

func (e *NotFound) Error() string { return e.at() + "not found (" + or(e.Code, "404") + ")" }

// Revoked says that the app cannot sign in: what is wrong and what mends it, a sentence each.
type Revoked struct {
	Code string // AADSTS…, or certificate_expired, certificate_not_yet_valid, certificate_mismatch, certificate_unreadable
	What string
	Do   string
}

func (e *Revoked) Error() string {
	s := e.What
	if e.Do != "" {
		s += " " + e.Do
	}
	if strings.HasPrefix(e.Code, "AADSTS") {
		s += " (" + e.Code + ")"
	}
	return s
}

// Challenge says that Conditional Access wants a token with certain claims, which an app without a person cannot get.
type Challenge struct {
	Where
	Claims string // JSON
}

func (e *Challenge) Error() string {
	return e.at() + "Conditional Access or a revocation asks for a new sign-in with further claims"
}

// Unauthorized says that a new token was refused too.
type Unauthorized struct {
	Where
	Code    string
	Message string
}

func (e *Unauthorized) Error() string {
	return e.at() + "Microsoft Graph does not accept the app's token (" + or(e.Code, "401") + ")" + tail(e.Message)
}

// Unavailable says that Graph, or the sign-in before it, gave no answer that can be used, however often it was tried.
type Unavailable struct {
	Where
	What string
	Code string
	Err  error // the fault of the server's certificate, where that is it; its text stands in What
	Long bool  // the answer is longer than MaxBody: a smaller page may not be, see [WithPage]
}

func (e *Unavailable) Error() string { return e.at() + e.What }

// Unwrap gives the cause.
func (e *Unavailable) Unwrap() error { return e.Err }

// Failed says that Graph refused a call as it was made.
type Failed struct {
	Where
	Code    string
	Message string
}

func (e *Failed) Error() string {
	return fmt.Sprintf("%sMicrosoft Graph answered %d (%s)%s", e.at(), e.Status, or(e.Code, "no code"), tail(e.Message))
}

// ForeignLink says that an answer pointed to another server than the one asked; it was not followed.
type ForeignLink struct {
	Call string
	Host string // scheme and host of it, or what else is wrong
	Loop bool   // it leads to a page already read
}

func (e *ForeignLink) Error() string {
	if e.Loop {
		return e.Call + ": the next page is one that was already read"
	}
	return e.Call + ": the next page lies on another server (" + e.Host + "), which is not followed"
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func tail(message string) string {
	if message == "" {
		return ""
	}
	return ": " + message
}

// ContentRefused says that a call was not made because it reads content, and the connection is for metadata only.
type ContentRefused struct{ Call string }

func (e *ContentRefused) Error() string {
	return e.Call + ": it reads content, and the connection is for metadata only"
}
