-- +goose Up

-- How many things of a tenant there have been to export: the place of the last. The row stands while the tenant has exports
-- (wanted); where none are wanted, nothing is noted.
create table export_place (
	tenant text not null,
	wanted boolean not null,
	last bigint not null,
	primary key (tenant)
);

-- What one transaction brought that exports may want, in its order: ids of events, and of findings and actions that changed.
-- last is the place of the last of them. The place is given out at the end of the transaction and held until its commit, so
-- who has read one place meets no lower one later.
create table export_run (
	tenant text not null,
	last bigint not null,
	at bigint not null,
	things text not null,
	primary key (tenant, last)
);
create index export_run_at on export_run (tenant, at);

-- An export: where events go, in which form, and how far it has come. sealed holds what is never shown again. done is the
-- place of the last thing that was dealt with, done_at when that had come. Lost is what was deleted before it could be sent.
create table export (
	tenant text not null,
	id text not null,
	kind text not null,
	name text not null,
	settings text not null,
	sealed bytea not null,
	state text not null,
	because text not null default '',
	mend text not null default '',
	done bigint not null,
	done_at bigint not null,
	sent bigint not null default 0,
	sent_at bigint not null default 0,
	failures bigint not null default 0,
	failed bigint not null default 0,
	next bigint not null default 0,
	buried bigint not null default 0,
	lost bigint not null default 0,
	lost_from bigint not null default 0,
	lost_to bigint not null default 0,
	created bigint not null,
	created_by text not null,
	version bigint not null default 1,
	primary key (tenant, id)
);

-- Events that a receiver refused while it took others.
create table export_refused (
	tenant text not null,
	export text not null,
	event text not null,
	at bigint not null,
	because text not null,
	body text not null,
	primary key (tenant, export, event)
);
create index export_refused_at on export_refused (tenant, at);

