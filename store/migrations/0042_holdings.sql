-- +goose Up

-- The roles of the directory that somebody has or may take: given directly, or by the group via. how is permanent, active (for a
-- time) or eligible, role the template's id, highest 1 where it can give itself any other; ends is 0 where it does not. person is as
-- in table person; what an application has is nobody's there. since is when it was first seen.
create table role_holding (
	tenant text not null,
	id text not null,
	object_id text not null,
	person text not null,
	role text not null,
	name text not null,
	how text not null,
	via text not null,
	via_name text not null,
	scope text not null,
	highest bigint not null,
	ends bigint not null,
	since bigint not null,
	primary key (tenant, id)
);
create index role_holding_person on role_holding (tenant, person);

-- Whom an object is about, by Entra's id, where that is asked for: a device's user. Else ''.
alter table state_object add column about text not null default '';
create index state_object_about on state_object (tenant, path, about) where about <> '';

-- +goose Down
