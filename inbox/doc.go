// Package inbox makes a shared mailbox a team inbox: it reads it into our tables and keeps both in step, joins its mails into threads,
// keeps what people do with them, and replies and sends as the shared address.
//
// The mailbox is the record of its mails; who is assigned, what was noted and how a thread stands is ours. What somebody does here that
// concerns the mailbox (read, moved, deleted, a category) is a wish, written down first and then made good; what somebody does in Outlook
// comes with the next look. A mail that is sent is a draft in the mailbox first: where the outcome is not known the draft is looked at,
// and nothing is sent twice.
//
// Each inbox has a key of its own, sealed with the installation's: the content of its mails is encrypted with it.
package inbox
