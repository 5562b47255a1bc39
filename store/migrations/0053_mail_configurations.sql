-- +goose Up

-- What a connection that investigates mail is configured for: in whose mailbox it is tried, and where it may search and act at all.
-- all_domains: in every mailbox of the tenant, else in those of its rows of mail_domain. What the last test found is tests (JSON, a
-- row for each thing that was tried); tested is when, 0 before the first, and passed says whether all went well. testing is since
-- when a test is under way, 0 while none is. draft is the draft that a test is about to make in that mailbox, or made and did not
-- take away yet: its mark, and its id (draft_id) once it is known.
create table mail_configuration (
	tenant text not null,
	connection text not null,
	test_address text not null,
	all_domains boolean not null,
	tested bigint not null default 0,
	passed boolean not null default false,
	tests text not null default '[]',
	testing bigint not null default 0,
	draft text not null default '',
	draft_id text not null default '',
	created bigint not null,
	changed bigint not null,
	version bigint not null,
	primary key (tenant, connection)
);

-- The domains of whose mailboxes a mail configuration may search and act.
create table mail_domain (
	tenant text not null,
	connection text not null,
	domain text not null,
	primary key (tenant, connection, domain)
);

-- +goose Down
