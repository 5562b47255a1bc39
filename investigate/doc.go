// Package investigate searches mailboxes, follows trails, keeps cases.
//
// An [Investigation] is a query and whose mailboxes it is asked of: once, on a schedule, or day and night. Each time it is asked is
// a [Run]: a row for every mailbox, which ends as searched, incomplete (because) or out of scope. What is found is a [Match], once for each
// message, however often it is met. Near copies stand together in a cluster.
//
// What Graph can filter is pushed down, and never loses a match; the rest is matched here, by metadata first: content is fetched only of
// messages that metadata leaves open. Where it may not be read, the message is kept as unknown, never as no match.
//
//	investigate.Create → draft → Start → a run: prepare (mailboxes, boundary, trace) → search → done
//	                                    └─ standing: what comes is matched as the stream tells of it
//
// The [Engine] does the work under one lease; all it knows stands in tables, so whoever holds the lease next goes on where it stood.
// A mailbox that is searched twice costs calls and finds the same messages, so what is done is never more than once in its effect.
package investigate
