-- +goose Up

-- What will be seen in a mailbox because of something that we do there: a change that is noticed from since until until is
-- the act's, once.
create table echo (
	tenant text not null,
	person text not null,
	object text not null,
	change text not null,
	act text not null,
	since bigint not null,
	until bigint not null,
	primary key (tenant, person, object, change, act)
);

-- The folders of mailboxes, as they were seen last. known is Graph's name in every language, where it is such a folder.
create table mail_folder (
	tenant text not null,
	id text not null,
	person text not null,
	name text not null,
	parent text not null default '',
	known text not null default '',
	hidden boolean not null default false,
	seen bigint not null,
	changed bigint not null default 0,
	deleted bigint not null default 0,
	primary key (tenant, id, person)
);
create index mail_folder_person on mail_folder (tenant, person);

-- Where the look at a mailbox's folders stands: the delta token, when all of them were known first, when the hidden ones
-- were looked at, and when the next look is due.
create table folder_look (
	tenant text not null,
	person text not null,
	token text not null default '',
	whole bigint not null default 0,
	hidden bigint not null default 0,
	due bigint not null default 0,
	tries bigint not null default 0,
	because text not null default '',
	primary key (tenant, person)
);
create index folder_look_due on folder_look (tenant, due);

-- How many messages came to a mailbox in an hour, until that is learned; and what is usual for each hour of the week. The
-- tenant as a whole has no person. learned is the hour up to which was learned, heard when the last message came.
create table mail_hour (
	tenant text not null,
	hour bigint not null,
	person text not null,
	n bigint not null,
	primary key (tenant, person, hour)
);
create index mail_hour_hour on mail_hour (tenant, hour);
create table mail_usual (
	tenant text not null,
	person text not null,
	weeks text not null default '{}',
	learned bigint not null default 0,
	heard bigint not null default 0,
	primary key (tenant, person)
);

-- A mailbox, or the whole tenant, to which nothing came though it should have. lost says that something had come, and
-- nobody told us. expected is in thousandths of a message.
create table silence (
	tenant text not null,
	person text not null,
	began bigint not null,
	found bigint not null,
	expected bigint not null,
	lost boolean not null,
	ended bigint not null default 0,
	primary key (tenant, person, began)
);
create index silence_open on silence (tenant, ended);

-- The canary: which mailbox a draft is made in, and what came of each try. way is active (a draft of ours) or passive (the
-- newest message of a busy mailbox).
create table canary (
	tenant text not null,
	mailbox text not null default '',
	person text not null default '',
	version bigint not null default 1,
	primary key (tenant)
);
create table canary_try (
	tenant text not null,
	id text not null,
	way text not null,
	person text not null,
	object text not null default '',
	at bigint not null,
	heard bigint not null default 0,
	lag bigint not null default 0,
	because text not null default '',
	mend text not null default '',
	cleared boolean not null default true,
	primary key (tenant, id)
);
create index canary_try_at on canary_try (tenant, at);
