// Package notify tells people of findings: by e-mail, Slack, Teams, signed webhook, OCSF and syslog.
//
// It has three halves that meet only in the tables. [Alerts.Fold] follows the facts and writes, once for each state of a
// finding and each channel that wants it, an alert: the outbox. [Alerts.Run] puts alerts that wait into messages (one
// each, or many in a digest) and sends those; a message is tried at least once, with the same id every time, until it is
// taken or a day has passed. The operations on channels and snoozes are called by package api.
//
// A message holds what a finding says of itself (its rule, person, reason), never a mail's subject or content. Names in it
// are strangers' words: whatever renders them escapes them (render_*.go).
package notify
