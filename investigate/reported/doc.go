// Package reported takes in the mails that people report as suspicious, and answers them.
//
// A report comes in one of three ways: the mail attached to another that is sent to the reports mailbox, its text in another (forwarded),
// or the add-in's button in Outlook, which names the mail. [Read] finds in what came which mails are reported; the [Worker] looks for each in
// the reporter's mailbox, keeps it as evidence, and has it wait for a verdict.
//
//	reports mailbox ──read──▶ reported_mail (looking) ──▶ found, or lost (because) ──▶ a verdict ──▶ an answer
//	add-in ──────────────────▶        ↑ kept as evidence, sealed
//
// An answer is sent at most once: it is a draft with a Message-ID of ours, which is sent then; where it is not known whether it went the draft is
// read, and where that does not tell, the answer is unknown and stays so. Where sending is not granted it is put into the reporter's mailbox.
package reported
