package tocsin

import (
	"errors"
	"fmt"
)

// Code is the kind of a Problem: what a program may decide on.
type Code string

// The codes of problems.
const (
	Invalid     Code = "invalid"     // what was asked cannot be right
	Denied      Code = "denied"      // not for this caller
	NotFound    Code = "not_found"   // no such thing, or another tenant's
	Conflict    Code = "conflict"    // it has changed meanwhile, or exists
	Unavailable Code = "unavailable" // something we need does not answer
	Throttled   Code = "throttled"   // too much at once; later
	Internal    Code = "internal"    // our fault
)

// Problem is the only error a person sees: what happened and what to do about it, a sentence each.
// It is problem+json in the API, a line on the command line, a banner on a page.
type Problem struct {
	Code Code   `json:"code"`
	What string `json:"what"`
	Do   string `json:"do"`
	Err  error  `json:"-"` // the cause, for the log only
}

func (p *Problem) Error() string {
	if p.Do == "" {
		return p.What
	}
	return p.What + " " + p.Do
}

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Problemf makes a problem; do says what to do, what is formatted with args.
func Problemf(code Code, do, what string, args ...any) *Problem {
	return &Problem{Code: code, Do: do, What: fmt.Sprintf(what, args...)}
}

// Together is one problem that says all that several say: what and what to do of the first, of the second and so on. It is nil
// where there is none, and has the code of the first.
func Together(all ...*Problem) error {
	if len(all) == 0 {
		return nil
	}
	last := all[len(all)-1]
	said := &Problem{Code: all[0].Code, Do: last.Do, Err: all[0].Err}
	for _, p := range all[:len(all)-1] {
		said.What += p.Error() + " "
	}
	said.What += last.What
	return said
}

// AsProblem is err as a person may see it: the Problem in its chain, else one that says nothing of our insides.
func AsProblem(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	return &Problem{Code: Internal, What: "Something went wrong inside Tocsin.",
		Do: "Try again; if it stays, look in the server's log and report it.", Err: err}
}
