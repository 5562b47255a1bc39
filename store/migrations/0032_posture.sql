-- +goose Up

-- What the tenant is set to, as Graph has it: every object of a path, such as /identity/conditionalAccess/policies. A change is
-- told by another hash of the body; changed is when that was seen, deleted when it was no longer there (0 while it is).
create table state_object (
	tenant text not null,
	path text not null,
	id text not null,
	name text not null,
	body text not null,
	hash text not null,
	seen bigint not null,
	changed bigint not null,
	deleted bigint not null,
	primary key (tenant, path, id)
);

-- The paths that are read: when last whole, when something in it last changed, and why it could not be read.
create table state_path (
	tenant text not null,
	path text not null,
	read_at bigint not null,
	changed bigint not null,
	reason text not null,
	because text not null,
	primary key (tenant, path)
);

-- What each check came to; found is a list of objects as JSON, since when it is so.
create table posture_result (
	tenant text not null,
	id text not null,
	status text not null,
	reason text not null,
	why text not null,
	found text not null,
	owner text not null,
	expires bigint not null,
	since bigint not null,
	judged bigint not null,
	primary key (tenant, id)
);

-- How many checks of an area came to what, as it was last on a day (in days since 1970, UTC).
create table posture_day (
	tenant text not null,
	day bigint not null,
	area text not null,
	status text not null,
	n bigint not null,
	primary key (tenant, day, area, status)
);
