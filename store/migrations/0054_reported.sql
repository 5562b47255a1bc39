-- +goose Up

-- What is done with mails that people report: body is JSON. sealed holds the key in the address of the add-in, key_hash is what it is held against.
create table reported_settings (
	tenant text not null,
	body text not null,
	sealed bytea not null,
	key_hash text not null,
	changed bigint not null,
	changed_by text not null,
	version bigint not null,
	primary key (tenant)
);

-- How far the mailbox is read to which people send what they report. since is when the newest of it came that was dealt with, asked when
-- it was looked into last, because and mend why it cannot be.
create table reported_inbox (
	tenant text not null,
	person text not null,
	since bigint not null,
	asked bigint not null default 0,
	because text not null default '',
	mend text not null default '',
	primary key (tenant, person)
);

-- A message of that mailbox that was dealt with, so that each is once: what became of it, and how often it was tried.
create table reported_seen (
	tenant text not null,
	message text not null,
	at bigint not null,
	outcome text not null,
	because text not null default '',
	tries bigint not null default 0,
	due bigint not null default 0,
	primary key (tenant, message)
);

-- A mail that somebody reported. way is mailbox (attached), forwarded (its text in another) or addin; source the message it was reported by,
-- part which of those attached. person and message are where it lies (message is Graph's immutable id), state whether that is known: looking,
-- found, lost (because). alike is equal for reports of the same mail. read_from is JSON: what was read of it, links and attachments.
create table reported_mail (
	tenant text not null,
	id text not null,
	at bigint not null,
	way text not null,
	source text not null,
	part bigint not null,
	reporter text not null,
	reporter_name text not null,
	reporter_person text not null,
	proven boolean not null,
	note text not null,
	person text not null default '',
	message text not null default '',
	folder text not null default '',
	state text not null,
	because text not null default '',
	mend text not null default '',
	internet_message_id text not null default '',
	sender text not null default '',
	sender_name text not null default '',
	sender_domain text not null default '',
	subject text not null default '',
	received bigint not null default 0,
	has_attachments boolean not null default false,
	read_from text not null default '{}',
	alike text not null default '',
	evidence text not null default '',
	status text not null default 'open',
	verdict text not null default '',
	judged bigint not null default 0,
	judged_by text not null default '',
	owner text not null default '',
	investigation text not null default '',
	tries bigint not null default 0,
	due bigint not null default 0,
	changed bigint not null,
	version bigint not null default 1,
	primary key (tenant, id)
);
create unique index reported_mail_source on reported_mail (tenant, source, part);
create index reported_mail_status on reported_mail (tenant, status, at, id);
create index reported_mail_at on reported_mail (tenant, at, id);
create index reported_mail_alike on reported_mail (tenant, alike);
create index reported_mail_state on reported_mail (tenant, state, due);
create index reported_mail_investigation on reported_mail (tenant, investigation) where investigation <> '';

-- What became of a report, by whom.
create table reported_change (
	tenant text not null,
	id text not null,
	reported text not null,
	at bigint not null,
	who text not null,
	change text not null,
	note text not null,
	primary key (tenant, id)
);
create index reported_change_of on reported_change (tenant, reported, id);

-- An answer to who reported. It is sent at most once: mark is its Message-ID, by which it is found again; draft the draft's immutable id.
-- way is send (a draft of the reports mailbox is sent) or place (put into the reporter's mailbox, where sending is not granted).
-- state: waiting, drafting, drafted, sending, sent, unknown, failed.
create table reported_reply (
	tenant text not null,
	id text not null,
	reported text not null,
	kind text not null,
	address text not null,
	person text not null,
	subject text not null,
	body text not null,
	way text not null default '',
	mailbox text not null default '',
	mark text not null,
	draft text not null default '',
	state text not null,
	because text not null default '',
	mend text not null default '',
	tries bigint not null default 0,
	due bigint not null default 0,
	created bigint not null,
	created_by text not null,
	changed bigint not null,
	primary key (tenant, id)
);
create index reported_reply_of on reported_reply (tenant, reported, id);
create index reported_reply_state on reported_reply (tenant, state, due);

-- A mail that is kept as evidence, as it was read. sealed holds the key of its own with which body is encrypted (AES-256-GCM), sha256 is of
-- the plain bytes. origin is report, match or act, and origin_id which.
create table evidence (
	tenant text not null,
	id text not null,
	at bigint not null,
	kept_by text not null,
	reason text not null,
	origin text not null,
	origin_id text not null,
	person text not null,
	message text not null,
	internet_message_id text not null,
	sender text not null,
	subject text not null,
	received bigint not null,
	sha256 text not null,
	size bigint not null,
	sealed bytea not null,
	body bytea not null,
	primary key (tenant, id)
);
create index evidence_of on evidence (tenant, origin, origin_id, id);
create index evidence_mail on evidence (tenant, person, message);
create index evidence_at on evidence (tenant, at);

-- Every look at a mail's content, and at what is kept: who, why, what was done. evidence is '' where a message was shown that is not kept.
create table evidence_look (
	tenant text not null,
	id text not null,
	evidence text not null,
	origin text not null,
	origin_id text not null,
	person text not null,
	message text not null,
	at bigint not null,
	who text not null,
	reason text not null,
	what text not null,
	primary key (tenant, id)
);
create index evidence_look_of on evidence_look (tenant, evidence, id);
create index evidence_look_origin on evidence_look (tenant, origin, origin_id, id);
create index evidence_look_at on evidence_look (tenant, at);

-- +goose Down
