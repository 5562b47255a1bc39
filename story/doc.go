// Package story is the text format in which people act. One story is a rule's test, a part of the simulator's world, an
// example in the documentation or the attachment of a bug report. It is read line by line; an unknown word is refused
// with the file, the line and what is allowed there.
//
//	# The first line that begins with # is the title; others are comments.
//	# Words stand bare or in quotes. In quotes Go's escapes hold: "\u200b" writes a character nobody sees.
//
// Declarations say who is there. A name without an address is NAME@ the first domain.
//
//	domain    fabrikam.com
//	partner   trusted.example
//	person    amy ["Amy Adams"] [amy@fabrikam.com] [shared] [guest] [admin] [blocked] [newcomer]
//	group     finance@fabrikam.com ["Finance"] with bob, eve@evil.example
//	contact   vendor@fabrikam.com ["Vendor"] to sales@vendor.example
//	exception RULE for domain|address|person|subject VALUE by OWNER because "REASON" [until DAY HH:MM]
//
// Acts stand in the order of time: a day of the story's first week (mon … sun; wed+1 is Wednesday of the next week), the
// hour, who, and what.
//
//	mon 09:00 amy makes rule "NAME" [disabled] [readonly] [broken] [when TERMS] [except TERMS] ACTIONS
//	mon 09:00 amy changes rule "NAME" …          (it is then wholly as written here)
//	mon 09:00 amy deletes rule "NAME"
//	mon 09:00 amy disables rule "NAME"           (and: enables rule "NAME")
//	mon 09:00 amy sets automatic reply "TEXT"    (and: stops automatic reply)
//	mon 09:00 amy signs in from 203.0.113.7/NL   (or: from NL, from Lagos) [app "Outlook"] [agent "Mozilla/5.0"] [failing] KEY=VALUE …
//	mon 09:00 amy receives from ADDRESS [subject "TEXT"] [text "TEXT"] [link URL] [attaching "FILE"]
//	mon 09:00 amy sends to A, B [subject "TEXT"] …
//	mon 09:00 amy drafts mail to A, B [subject "TEXT"] …
//	mon 09:00 amy sends draft "SUBJECT"          (here and below the newest mail with that subject is meant)
//	mon 09:00 amy reads mail "SUBJECT"           (and: unreads mail, flags mail, unflags mail, deletes mail, purges mail)
//	mon 09:00 amy categorises mail "SUBJECT" as "RED"
//	mon 09:00 amy moves mail "SUBJECT" to FOLDER
//	mon 09:00 amy replies to mail "SUBJECT" [all]
//	mon 09:00 amy forwards mail "SUBJECT" to A, B
//	mon 09:00 amy is blocked                     (and: is unblocked)
//	mon 09:00 amy becomes shared
//	mon 09:00 amy runs CMDLET [DETAILS] KEY=VALUE …        (an audit record of a cmdlet with its parameters)
//	mon 09:00 amy audits "OPERATION" [DETAILS] KEY=VALUE … (any other audit record, with its members)
//
// TERMS are conditions joined by "and": the snake_case names of Microsoft's predicates with their words, such as
//
//	subject_contains "invoice", "payment" and has_attachments and from_addresses bob, ceo@fabrikam.com
//
// ACTIONS follow each other, or are joined by "and":
//
//	forward to A, B · redirect to A · attach to A · move to FOLDER · copy to FOLDER · delete · purge · mark read ·
//	mark high|low|normal · categorise "RED", "BLUE" · stop
//
// where FOLDER is a name in quotes, or a bare well-known name such as rssfeeds. A read-only rule may have no actions: it is
// opaque then.
//
// A sign-in's KEYs are the facts that Microsoft's log has of it: error (a code; 50126 where it only says failing), reason, mfa
// (asked, claim, refused, single), requirement, protocol (deviceCode, ropc …), client (Browser, IMAP4 …), session, asn, risk,
// risk_state, risk_types, resource, app_id, device, system, compliant, token, credential, kind (interactive, non_interactive,
// service_principal, managed_identity). The towns it can come from, with their networks, are in places.go.
//
// DETAILS of an audit record: from IP · as user|admin|service|system|app · on OBJECT · target WHOM · workload NAME ·
// result TEXT · app TEXT · agent TEXT. A member that changed is written KEY="old" becoming "new".
//
// At the end stands what must come of it. Risk is the least there must be, says a part of the sentence that explains it:
//
//	expect forward-outside amy [risk 60] [says "TEXT"]
//	silent
//	silent forward-outside
package story
