-- +goose Up

-- What lists of the directory are filtered and sorted by: a row for each group, guest, device, site and application. What a list
-- shows is read from the object itself, for a page of them; body is what is shown of an application, which is made of many objects.
-- id is folded, object as the directory has it; name and text (in which is looked) are folded. marks are words between spaces.
-- rank, at and seen are what it is sorted by before the name: at and seen are times in Unix ms, 0 where there is none.
create table listed (
	tenant text not null,
	kind text not null,
	id text not null,
	object text not null,
	name text not null,
	rank bigint not null,
	at bigint not null,
	seen bigint not null,
	marks text not null,
	text text not null,
	body text not null,
	primary key (tenant, kind, id)
);
create index listed_name on listed (tenant, kind, rank, name, id, marks, text);
create index listed_at on listed (tenant, kind, at, name, id, marks);
create index listed_seen on listed (tenant, kind, seen, name, id, marks);

-- Members, grants and objects name people by Entra's own id.
create index person_object on person (tenant, object_id);

-- Which edition of the rows of listed is made of a path, 0 where none is.
alter table state_path add column listed bigint not null default 0;

-- Playbooks of the customer's own, and every version there was of each: body is the steps and where it is offered, as JSON. One that is
-- deleted is no longer offered; its versions stay, since runs name them.
create table playbook (
	tenant text not null,
	name text not null,
	version bigint not null,
	title text not null,
	body text not null,
	created bigint not null,
	changed bigint not null,
	deleted bigint not null,
	primary key (tenant, name)
);
create table playbook_version (
	tenant text not null,
	name text not null,
	version bigint not null,
	at bigint not null,
	who text not null,
	change text not null,
	note text not null,
	title text not null,
	body text not null,
	primary key (tenant, name, version)
);

-- The version of a playbook that was run, 0 for one that comes with Tocsin; and the run that this one undoes, else ''.
alter table playbook_run add column version bigint not null default 0;
alter table playbook_run add column undoes text not null default '';

-- +goose Down
