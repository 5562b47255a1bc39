// Package query is the language in which mail is looked for: KQL as Outlook and Purview users know it. It parses a query, matches it
// against what is known of a mail, and tells what of it Microsoft Graph can filter. It is pure.
//
//	from:billing@contoso.com AND (subject:"overdue invoice" OR attachment.sha256:9f86…) NOT received<2026-01-01
//
// # Terms
//
//	from: sender: replyto: to: cc: bcc:       an address, a domain (and its subdomains), or words of the name or address
//	recipients: participants:                 to, cc and bcc; these and from, sender and replyto
//	subject: body:                            words
//	attachment: attachment.type: attachment.sha256:   of files, also inside archives and mails in the mail; attachment:*.iso is an ending
//	url: url.domain:                          a part of a link; its domain. Links of QR codes and of attached pages too, and unwrapped of mail filters
//	header.NAME:                              words of a header field; header.NAME:* is its being there
//	received: sent:                           2026-01-31, 2026-01-01..2026-01-31, >=2026-01-01, today, yesterday, "last week", 7d (ago); days are UTC's
//	size:                                     >1MB, 10KB..2MB
//	hasattachments: importance: messageid:
//
// A word without a property is looked for in subject, body, names and addresses, and names of attachments. A value is a word, a word with
// * at its end, a phrase in quotes, or an expression between slashes (RE2, in either case of letters; write \/ for a slash). Words
// are whole words in either case; letters hidden by invisible characters or by styled ones are seen through. A group takes a property:
// subject:(invoice OR overdue).
//
// AND, OR and NOT are written large; NOT (or -) binds strongest, then AND, then OR; what stands side by side is joined with AND.
//
// # What is not known
//
// A match is [Yes], [No] or [Unknown]: a mail of which only the metadata was read cannot be said not to have a word in its body, nor can one
// whose body could not be read. [Query.Needs] tells what to read next.
package query

import "time"

// The limits of a query.
const (
	MaxLength  = 20_000 // bytes
	MaxTerms   = 1_000
	MaxDepth   = 50         // brackets within brackets
	MaxPattern = 1_000      // letters of an expression
	MaxProgram = 3_000      // instructions of all expressions together
	MaxWork    = 50_000_000 // instructions times letters that expressions are matched over, for one mail: about a second at the worst; what lies beyond is not known
)

// Query is a parsed query. It is not changed by use, and may be used by several goroutines at once.
type Query struct {
	root *node
}

// Truth is what can be said of a match.
type Truth int8

// What can be said.
const (
	No Truth = iota
	Unknown
	Yes
)

func (t Truth) String() string { return [...]string{"no", "unknown", "yes"}[t] }

// Is is the truth of what is known.
func Is(b bool) Truth {
	if b {
		return Yes
	}
	return No
}

// Need is a set of what can be read of a mail. The envelope, which is what a list of messages gives, is always known.
type Need uint8

// What can be read of a mail, the cheapest first.
const (
	Headers     Need = 1 << iota // the header's fields
	Body                         // text and HTML, and the links in them
	Attachments                  // names, types, sizes of the files
	Hashes                       // the files themselves: SHA-256, what is inside, the links in them; the mail's size
	Everything  Need = 1<<iota - 1
)

// Push is what of a query Microsoft Graph can do. All of it finds more than the query, and what is found is matched here.
type Push struct {
	Filter string    // $filter of messages that loses no match; empty where all must be read. It begins with receivedDateTime, so $orderby may name that
	Narrow string    // Filter and words of the subject besides; loses mails that hide letters of their subject by invisible or styled characters. Empty where there are none
	Search string    // $search (without the quotes around it): the index of Exchange. A first look: it gives 1,000 at most, and passes over what is not indexed. Empty where it cannot help
	Exact  bool      // Filter alone decides: nothing is to be matched here
	From   time.Time // no match was received before; zero where none is named
	To     time.Time // no match was received at or after; zero where none is named
	Pushed []string  // the terms that Graph filters
	Here   []string  // the terms that are matched here
}
