// Package tocsin is a self-hosted security and mail server for Microsoft 365; this package is its words.
//
// Packages stand in one order, the line, and import only what stands above them. The order of reading, of
// importing and of flow is the same, and line_test.go holds the code to it (tests may reach anywhere):
//
//	tocsin        the words: tenant, person, mailbox, event, finding, action, scope, problem; the clock
//	story         the text format in which people act: a rule's test, a demo's world, a bug report
//	journal       the durable inbox for what comes from outside (NATS JetStream, in process or a cluster)
//	store         the tables of record (SQLite, or PostgreSQL): open, migrate, transact per tenant; facts; leases
//	stream        reads the journal in order and folds it exactly once; follows facts
//	secret        seals credentials at rest; where the key comes from
//	secret/reseal  puts another key in the place of the one that seals, and seals all that is stored anew
//	dial          reaches addresses that people give, never the server's inside
//	graph/permission  the application permissions a tenant can grant, and their ids
//	graph         speaks to Microsoft Graph: calls, tokens, limits, pages, delta, batch
//	graph/sim     stands in for Microsoft 365: worlds, faults, ground truth
//	connect       consent, credentials, what is granted, what is missing and what that costs
//	learn         what is usual for a person, and how odd a day is
//	learn/plant   attacks of few mails hidden in real mail, to measure with
//	detect        the forms of judgement: organisation, mailbox, rule set, audit record; risk and its terms
//	detect/rule   the detections, by family
//	detect/posture  the checks of how a tenant is set, over Graph's own objects
//	detect/audit  brings audit records, whoever wrote them, into the one form that the detections read
//	detect/sigma  the detections that customers write themselves: Sigma rules, compiled, tested and counted
//	collect       brings in what is so and what happened: delta, poll and diff; folds it into state, events and findings
//	remediate     plans, waits for approval, acts, verifies, undoes
//	mail          MIME, links, attachments, safe HTML (pure)
//	query         KQL: parse, match, push down (pure)
//	investigate/evidence  keeps mails as they were read, sealed, and notes every look at a mail's content
//	investigate/reported  takes in the mails that people report as suspicious, and answers them
//	investigate   searches mailboxes, follows trails, keeps cases, and acts on what it found
//	inbox         shared mailboxes as a team inbox: backfill, live sync, threads, work, reply and send (never imports detect)
//	inbox/work    what people do with threads: teams, lists, assignment, notes, macros, rules, service times, reports
//	notify        tells people: e-mail, Slack, Teams, signed webhook, OCSF, syslog; what it told, and what became of it
//	export        sends every event on: to webhooks, syslog, files, NATS and Kafka, natively or as OCSF
//	offline       the same judgement on exported files, with no server
//	api           the operations, one table: REST, OpenAPI, CLI, roles
//	web           the pages
//	server        all wiring, for the command, the demo and the tests
//	cmd/tocsin    the command
package tocsin
