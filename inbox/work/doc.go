// Package work is what people do with the threads of shared inboxes: who is in which team and inbox, lists and saved views, assignment,
// states, tags, private notes with mentions, who is reading and who is answering, macros, merging and splitting, service times, rules and reports.
//
// Nothing here speaks to Microsoft: what concerns the mailbox is a wish or an outgoing mail of package inbox. Whoever works in an inbox is one of
// its team; anybody else who may look (an administrator) says why, and each read of theirs is a row in table inbox_look.
package work
