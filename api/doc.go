// Package api is what may be asked of Tocsin, and by whom: the operations.
//
// ops.go is one table. Each line of it is an operation with its name, its route, the least role and a line of help, and
// from it come the REST routes under /api/v1, the OpenAPI document, the role check, the Go client ([Client.Do]) and the
// commands `tocsin <noun> <verb>` ([Commands]). The pages call the same methods of [Service], with a [Caller] in the
// context; the methods check for themselves, in one place ([Service.view] and [Service.act]), so that no face can forget.
//
// How the surface reads: names are snake_case, times RFC 3339 in UTC (a time that is not known is left out), an unknown
// yes-or-no is null. Lists take limit (at most 200) and after, and answer items and next, by key and never by offset.
// Edits carry version. An error is a [tocsin.Problem]: application/problem+json (RFC 9457) with code, what and do.
// Another tenant's object is not found.
package api
