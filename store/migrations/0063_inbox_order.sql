-- +goose Up

-- A list of threads under a name; of one account, or of everybody where account is ''. filter is what is asked for, as JSON.
create table inbox_view (
	tenant text not null,
	id text not null,
	account text not null default '',
	name text not null,
	filter text not null,
	place bigint not null default 0,
	created bigint not null,
	version bigint not null default 1,
	primary key (tenant, id)
);

-- A canned reply, with what is done to the thread besides; of one inbox, or of all where inbox is ''. text is HTML with {{names}} to fill in.
create table inbox_macro (
	tenant text not null,
	id text not null,
	inbox text not null default '',
	name text not null,
	shortcut text not null default '',
	text text not null default '',
	change text not null default '{}',
	used bigint not null default 0,
	created bigint not null,
	version bigint not null default 1,
	primary key (tenant, id)
);

-- Who has a thread before them: kind is viewing or replying. One holds the answer at a time; a row is nothing after until.
create table inbox_presence (
	tenant text not null,
	inbox text not null,
	thread text not null,
	account text not null,
	kind text not null,
	since bigint not null,
	until bigint not null,
	primary key (tenant, inbox, thread, account)
);

-- What is done by itself when a mail comes: conditions and actions as JSON, in order of place.
create table inbox_rule (
	tenant text not null,
	id text not null,
	inbox text not null default '',
	name text not null,
	place bigint not null default 0,
	enabled boolean not null default true,
	body text not null,
	ran bigint not null default 0,
	last bigint not null default 0,
	created bigint not null,
	version bigint not null default 1,
	primary key (tenant, id)
);

-- Service times of an inbox: business hours and targets as JSON.
create table inbox_service (
	tenant text not null,
	inbox text not null,
	body text not null,
	changed bigint not null,
	version bigint not null default 1,
	primary key (tenant, inbox)
);

-- A clock of a thread: first (answer), next (answer), resolve. used is what it ran before it was paused, ms of business time; since is when it
-- began to run, 0 while it is paused; due is when it is missed, 0 while it is paused; ended is when it was stopped, 0 while it was not.
create table inbox_clock (
	tenant text not null,
	inbox text not null,
	thread text not null,
	kind text not null,
	began bigint not null,
	target bigint not null,
	used bigint not null default 0,
	since bigint not null default 0,
	due bigint not null default 0,
	ended bigint not null default 0,
	missed boolean not null default false,
	primary key (tenant, inbox, thread, kind, began)
);
create index inbox_clock_due on inbox_clock (tenant, inbox, ended, due);
create index inbox_thread_first on inbox_thread (tenant, inbox, first_in);

-- +goose Down
