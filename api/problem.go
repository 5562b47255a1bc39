package api

import (
	"errors"
	"net/http"

	"tocsin.dev"
)

// stranger is what who is not signed in gets; it is told from other denials by its address.
var stranger = tocsin.Problemf(tocsin.Denied, "Sign in, or send an API token as Authorization: Bearer.", "You are not signed in.")

// badToken is what a token that is unknown, ended or revoked gets.
var badToken = tocsin.Problemf(tocsin.Denied, "Make a new one under Settings, or with tocsin tokens create.", "The API token is not valid, or no longer.")

func notFound(what string) *tocsin.Problem {
	return tocsin.Problemf(tocsin.NotFound, "Look in the list for what is there now.", "There is no such %s.", what)
}

func invalid(do, what string, args ...any) *tocsin.Problem {
	return tocsin.Problemf(tocsin.Invalid, do, what, args...)
}

var errStale = tocsin.Problemf(tocsin.Conflict, "Load it again, look at what changed, and repeat what you meant to do.",
	"Somebody has changed it since you looked.")

// problemBody is a problem as REST answers it: application/problem+json (RFC 9457).
type problemBody struct {
	Type   string      `json:"type" doc:"Always about:blank: code says what it is"`
	Title  string      `json:"title" doc:"The status in words"`
	Status int         `json:"status" doc:"The HTTP status"`
	Detail string      `json:"detail" doc:"What and do in one"`
	Code   tocsin.Code `json:"code" enum:"invalid,denied,not_found,conflict,unavailable,throttled,internal" doc:"What a program may decide on"`
	What   string      `json:"what" doc:"What happened, a sentence"`
	Do     string      `json:"do" doc:"What to do about it, a sentence"`

	err error // for the log
}

// Error is the problem in a line.
func (p *problemBody) Error() string { return p.Detail }

// GetStatus is for huma.
func (p *problemBody) GetStatus() int { return p.Status }

// ContentType is for huma.
func (p *problemBody) ContentType(string) string { return "application/problem+json" }

// Unwrap gives the cause.
func (p *problemBody) Unwrap() error { return p.err }

func restError(err error) *problemBody {
	p := tocsin.AsProblem(err)
	s := StatusOf(err)
	return &problemBody{Type: "about:blank", Title: http.StatusText(s), Status: s, Detail: p.Error(), Code: p.Code, What: p.What, Do: p.Do, err: err}
}

// StatusOf is the HTTP status that goes with an error.
func StatusOf(err error) int {
	if errors.Is(err, stranger) || errors.Is(err, badToken) {
		return http.StatusUnauthorized
	}
	switch tocsin.AsProblem(err).Code {
	case tocsin.Invalid:
		return http.StatusUnprocessableEntity
	case tocsin.Denied:
		return http.StatusForbidden
	case tocsin.NotFound:
		return http.StatusNotFound
	case tocsin.Conflict:
		return http.StatusConflict
	case tocsin.Unavailable:
		return http.StatusServiceUnavailable
	case tocsin.Throttled:
		return http.StatusTooManyRequests
	}
	return http.StatusInternalServerError
}
