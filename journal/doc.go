// Package journal is the durable inbox for what comes from outside (NATS JetStream, in process or a cluster).
//
// An Item that [Journal.Append] took is on stable storage: a crash, a kill, a power cut or a full disk does not lose it.
// What cannot be stored within two seconds is refused with [ErrUnavailable], so that whoever sent it sends it again.
// The items of one person are kept in the order in which they were appended.
//
// It is an inbox and not an archive: what its reader has folded is trimmed away.
//
// What is kept, in JetStream: a stream per partition (NAME-0, NAME-1 …), the number fixed when the journal is made. Each
// stream bears a creation id, so that one made anew cannot be taken for the old one. A message is an envelope: whatever
// items waited for the partition at that moment, with a count and a checksum; its form is in envelope.go.
//
// The embedded server always runs with SyncAlways: JetStream's default acknowledges before it syncs, and a power cut
// then loses the whole stream. A cluster must be set so by its operator (sync_interval: always); see [Journal.Warn].
package journal
