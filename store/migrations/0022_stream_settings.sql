-- +goose Up

-- How a connection's mail is watched. A connection without a row has what stands here as defaults. mailboxes: all, only (what
-- stream_scope names) or except (all but that). folders: Graph's well-known names of those whose mail is not kept. changes: the
-- types of changes that Graph is asked to tell of. batch: looks in one request. gather: for how long a run is gathered, in
-- milliseconds.
create table stream_setting (
	tenant text not null,
	connection text not null,
	mailboxes text not null default 'all',
	folders text not null default '[]',
	changes text not null default 'created,updated,deleted',
	form text not null default 'basic',
	batch bigint not null default 20,
	gather bigint not null default 0,
	hashing boolean not null default false,
	version bigint not null default 1,
	changed bigint not null default 0,
	changed_by text not null default '',
	primary key (tenant, connection)
);

-- Whom the setting names. kind: person (an id), department (as the directory writes it), domain, group (an id).
create table stream_scope (
	tenant text not null,
	connection text not null,
	kind text not null,
	value text not null,
	primary key (tenant, connection, kind, value)
);

-- A mailbox that is told of in another form than its connection's others: basic or rich.
create table stream_form (
	tenant text not null,
	connection text not null,
	person text not null,
	form text not null,
	primary key (tenant, connection, person)
);

-- The members of the groups that settings name, at every depth, and when they were read; 0: not yet.
create table scope_group (
	tenant text not null,
	group_id text not null,
	seen bigint not null default 0,
	primary key (tenant, group_id)
);
create table scope_member (
	tenant text not null,
	group_id text not null,
	person text not null,
	primary key (tenant, person, group_id)
);

-- Keys of a tenant's own, sealed: hash is that by which names are hashed.
create table tenant_key (
	tenant text not null,
	name text not null,
	sealed bytea not null,
	created bigint not null,
	primary key (tenant, name)
);

-- What a subscription was made for.
alter table subscription add column changes text not null default 'created,updated,deleted';

-- Since when a mailbox is not watched, by choice; 0: it is not by choice. What is told of it meanwhile is dropped.
alter table mail_ledger add column unwatched bigint not null default 0;
