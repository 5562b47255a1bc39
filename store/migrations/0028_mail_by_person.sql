-- +goose Up

-- The state of messages is found by mailbox and key, and by nothing else: each further index is a page more to write for
-- every message that comes, at a place of its own.
create table mail_by_person (
	tenant text not null,
	person text not null,
	key text not null,
	native text not null,
	folder text not null,
	is_read boolean not null,
	is_draft boolean not null,
	flag text not null,
	verb text not null,
	rest text not null,
	received bigint not null,
	modified bigint not null,
	body text not null,
	changed bigint not null,
	deleted bigint not null default 0,
	primary key (tenant, person, key)
);
insert into mail_by_person (tenant, person, key, native, folder, is_read, is_draft, flag, verb, rest, received, modified, body, changed, deleted)
	select tenant, person, key, native, folder, is_read, is_draft, flag, verb, rest, received, modified, body, changed, deleted from mail;
drop table mail;
alter table mail_by_person rename to mail;
