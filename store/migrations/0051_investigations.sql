-- +goose Up

-- Investigations: a query that is asked of mailboxes, once, by day and night (standing) or every so many minutes. query is KQL, scope
-- and act JSON: who is searched, and what is done with each match by itself,
-- as whoever (act_by, an account) set it. due is when the next search begins, ends when it expires
-- (0: never). run is the last search. depth is whole, or index: what Exchange's index gives, and no more.
create table investigation (
	tenant text not null,
	id text not null,
	name text not null,
	query text not null,
	scope text not null default '{}',
	mode text not null default 'once',
	depth text not null default 'whole',
	every bigint not null default 0,
	act text not null default '{}',
	act_by text not null default '',
	status text not null default 'draft',
	because text not null default '',
	mend text not null default '',
	reason text not null default '',
	connection text not null default '',
	made_from text not null default '',
	run text not null default '',
	due bigint not null default 0,
	ends bigint not null default 0,
	created bigint not null,
	created_by text not null,
	changed bigint not null,
	version bigint not null default 1,
	primary key (tenant, id)
);
create index investigation_status on investigation (tenant, status, due);

-- Every version there was of an investigation, and who made it.
create table investigation_version (
	tenant text not null,
	investigation text not null,
	version bigint not null,
	at bigint not null,
	who text not null,
	note text not null,
	body text not null,
	primary key (tenant, investigation, version)
);

-- A search: an investigation's query asked of every mailbox in its scope once. cause is who or what began it: an account, the schedule,
-- the standing query. The counts are of search_mailbox, brought up to date as mailboxes end; glanced are mailboxes that had a first, quick
-- look; looked are messages whose metadata was read, fetched those of which content was, calls are the requests. trace says what became of the message trace, plan what was foreseen.
create table search_run (
	tenant text not null,
	id text not null,
	investigation text not null,
	n bigint not null,
	version bigint not null,
	query text not null,
	cause text not null,
	state text not null,
	because text not null default '',
	mend text not null default '',
	prepared boolean not null default false,
	mailboxes bigint not null default 0,
	glanced bigint not null default 0,
	searched bigint not null default 0,
	incomplete bigint not null default 0,
	out_of_scope bigint not null default 0,
	matches bigint not null default 0,
	looked bigint not null default 0,
	fetched bigint not null default 0,
	calls bigint not null default 0,
	trace text not null default '{}',
	plan text not null default '{}',
	started bigint not null,
	first_match bigint not null default 0,
	resumed bigint not null default 0,
	worked bigint not null default 0,
	ended bigint not null default 0,
	since bigint not null default 0,
	primary key (tenant, id)
);
create index search_run_of on search_run (tenant, investigation, n);
create index search_run_state on search_run (tenant, state);

-- What becomes of one mailbox in a search: waiting, searched, incomplete or out_of_scope, and why. rank is the order: a first look at those that
-- the message trace names (0) and at the others (1), then the whole of these (2) and of those (3). place is how far a search of it has come, as JSON; due is when it is tried again.
create table search_mailbox (
	tenant text not null,
	run text not null,
	person text not null,
	address text not null,
	object_id text not null,
	state text not null,
	because text not null default '',
	mend text not null default '',
	rank bigint not null default 3,
	place text not null default '',
	looked bigint not null default 0,
	fetched bigint not null default 0,
	matches bigint not null default 0,
	tries bigint not null default 0,
	due bigint not null default 0,
	changed bigint not null,
	primary key (tenant, run, person)
);
create index search_mailbox_state on search_mailbox (tenant, run, state, rank, person);

-- A message that an investigation found: once, however often it is met again. message is Graph's immutable id. truth is yes, or unknown where
-- what would decide it could not be read. state: found, dealt (an act was asked for), acted, restored, gone. cluster is the group of
-- near copies it is of.
create table mail_match (
	tenant text not null,
	investigation text not null,
	person text not null,
	message text not null,
	id text not null,
	address text not null,
	internet_message_id text not null,
	conversation text not null,
	sender text not null,
	sender_name text not null,
	sender_domain text not null,
	recipients text not null default '[]',
	subject text not null,
	received bigint not null,
	day text not null,
	folder text not null,
	folder_name text not null,
	is_read boolean not null default false,
	has_attachments boolean not null default false,
	direction text not null default 'received',
	importance text not null default '',
	flag text not null default '',
	categories text not null default '[]',
	department text not null default '',
	truth text not null default 'yes',
	why text not null default '[]',
	links text not null default '[]',
	attachments text not null default '[]',
	cluster text not null default '',
	run text not null default '',
	way text not null default 'search',
	state text not null default 'found',
	found bigint not null,
	seen bigint not null,
	changed bigint not null,
	primary key (tenant, investigation, person, message)
);
create unique index mail_match_id on mail_match (tenant, id);
create index mail_match_received on mail_match (tenant, investigation, received, id);
create index mail_match_cluster on mail_match (tenant, investigation, cluster);
create index mail_match_mail on mail_match (tenant, internet_message_id);

-- A group of near copies among an investigation's matches: a campaign's variants. body is what new matches are held against, as JSON.
create table mail_cluster (
	tenant text not null,
	investigation text not null,
	id text not null,
	subject text not null,
	sender text not null,
	body text not null,
	created bigint not null,
	primary key (tenant, investigation, id)
);

-- What message traces told of an investigation: who was sent a mail of its kind, and what became of it on its way.
create table mail_trace (
	tenant text not null,
	investigation text not null,
	id text not null,
	recipient text not null,
	person text not null default '',
	sender text not null,
	subject text not null,
	internet_message_id text not null,
	status text not null,
	received bigint not null,
	size bigint not null default 0,
	from_ip text not null default '',
	run text not null,
	primary key (tenant, investigation, id, recipient)
);
create index mail_trace_mail on mail_trace (tenant, investigation, internet_message_id);

-- Mail that came while an investigation stands, and is still to be matched: what was told of it. tries and due are of the next try.
create table standing_mail (
	tenant text not null,
	investigation text not null,
	person text not null,
	message text not null,
	at bigint not null,
	tries bigint not null default 0,
	due bigint not null default 0,
	because text not null default '',
	primary key (tenant, investigation, person, message)
);
create index standing_mail_due on standing_mail (tenant, due);

-- +goose Down
