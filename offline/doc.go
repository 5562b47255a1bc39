// Package offline gives the same judgement on exported files, with no server.
//
// [Analyze] reads exported logs of Microsoft 365 in whatever form they come and judges them with the rules of package
// detect/rule: the unified audit log (JSON, JSON lines, CSV with AuditData, OfficeActivity of Log Analytics), Entra's
// sign-ins and directory records (Graph, Log Analytics, Azure's diagnostic settings), risk detections and alerts. The form
// is found by looking at the content, not at the name.
//
// It reads each file once. A record is brought into one form (detect.Record); what no rule looks at is only counted; the
// rest is sorted by event time, in memory while it is small and by merging sorted runs of a temporary file when it is not,
// because records come out of order and correlations go by the time of the event. Then the rules see them once each, in
// order. Memory is bounded: two generations of hashes of record ids (64 MB at most) tell repeated records, a run of the sort
// is held (64 MB), and findings of the same cause grow together.
//
// What cannot be read is said with file and line, and the rest is read.
package offline
