-- +goose Up

-- A tag of threads; colour is one of a few names.
create table inbox_tag (
	tenant text not null,
	id text not null,
	name text not null,
	colour text not null default '',
	created bigint not null,
	version bigint not null default 1,
	primary key (tenant, id)
);
create table inbox_thread_tag (
	tenant text not null,
	inbox text not null,
	thread text not null,
	tag text not null,
	added bigint not null,
	primary key (tenant, inbox, thread, tag)
);
create index inbox_thread_tag_of on inbox_thread_tag (tenant, tag, inbox);

-- Who was named in a private note; seen is when they opened the thread after it.
create table inbox_mention (
	tenant text not null,
	account text not null,
	inbox text not null,
	thread text not null,
	entry text not null,
	at bigint not null,
	seen bigint not null default 0,
	primary key (tenant, account, inbox, thread, entry)
);
create index inbox_mention_thread on inbox_mention (tenant, inbox, thread);

-- Up to which mail an account has read a thread.
create table inbox_seen (
	tenant text not null,
	account text not null,
	inbox text not null,
	thread text not null,
	at bigint not null,
	primary key (tenant, account, inbox, thread)
);
create index inbox_seen_thread on inbox_seen (tenant, inbox, thread);

-- A look at mail by somebody outside the team: asked for with a reason, good until a time; what is opened (a list of threads, a thread,
-- a message, a file) and each read is a row of its own, of = the look that allowed it.
create table inbox_look (
	tenant text not null,
	inbox text not null,
	id text not null,
	of text not null default '',
	at bigint not null,
	until bigint not null default 0,
	account text not null,
	email text not null,
	reason text not null,
	what text not null,
	thread text not null default '',
	message text not null default '',
	primary key (tenant, inbox, id)
);
create index inbox_look_account on inbox_look (tenant, inbox, account, until);

create index inbox_team_member_of on inbox_team_member (tenant, account, team);
create index inbox_thread_id on inbox_thread (tenant, id);
create index inbox_thread_work on inbox_thread (tenant, inbox, assignee, state, last, id);

-- +goose Down
