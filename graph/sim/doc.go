// Package sim stands in for Microsoft 365: worlds, faults, ground truth.
//
// A Sim is a tenant made from a seed. It is lazy: a person is a function of seed and index, and only a mailbox that
// somebody changed holds state, so 100,000 mailboxes cost little. It speaks Graph's wire format and the sign-in
// service's, on one host:
//
//	/{tenant}/oauth2/v2.0/token …   login.go      tokens, signed with keys of its own
//	/v1.0/…, /beta/…                route.go      every path it serves, with the roles that open it
//	/v1.0/$batch                    batch.go
//
//	POST /v1.0/subscriptions        subscription.go what is to be told, and to whom
//	     … their notificationUrl     notice.go, deliver.go, rich.go, lifecycle.go
//
//	/v1.0/users/…/messages …        message.go, search.go (with kql.go), letter.go (what a message says), mailcalls.go, mailput.go
//	/v1.0/admin/exchange/tracing    trace.go
//
// A mail with whatever it holds is put into a mailbox by Put, and a bad one in thousands of variants, with innocent ones that
// look like it, by Campaign, which gives the truth of each.
//
// What makes people act is a story (package story); its acts are written to the truth, a file of JSON lines, before
// their effect can be seen, so that a test can ask: was anything lost? Faults are given by path (fault.go). A second
// listener, the control (control.go), takes stories, faults and time, and shows truth and requests.
//
// Stated deviations from Microsoft 365: tokens are checked against the wall clock while everything else follows the
// simulator's clock, which tests advance; directory reads are consistent at once (the real index lags); a
// connection that is metadata-only is refused when it asks for content, which the real service would serve;
// $search takes words as whole where Exchange may find parts of them too; and
// notifications go to this machine only, over http too. They go out in Run, or when a test calls Deliver.
package sim
