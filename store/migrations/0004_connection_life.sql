-- +goose Up
-- What is granted to a connection's app, as the tenant had it at the last look; granted is when, by Microsoft.
create table app_grant (tenant text not null, connection text not null, resource text not null, permission text not null, granted bigint not null, seen bigint not null, primary key (tenant, connection, resource, permission));
-- What differed between two looks: change is granted or removed, at the time of the look that showed it.
create table app_grant_change (tenant text not null, connection text not null, id text not null, at bigint not null, resource text not null, permission text not null, change text not null, primary key (tenant, connection, id));
-- The service plans of the licences that the tenant holds.
create table licence (tenant text not null, plan text not null, seen bigint not null, primary key (tenant, plan));
-- When the credential ends (0: not known), who says so (entered, read, certificate), and which warning of it was told.
alter table connection add column expires bigint not null default 0;
alter table connection add column expires_by text not null default '';
alter table connection add column expires_told text not null default '';
alter table connection add column rotated bigint not null default 0;
-- When what is granted was last read from the tenant, and why it was not; which permissions are more than is needed, as JSON.
alter table connection add column looked bigint not null default 0;
alter table connection add column looked_because text not null default '';
alter table connection add column excess text not null default '[]';
alter table connection add column metadata_only boolean not null default true;
-- What is done with what was read when it closes: keep or erase; empty while it is not closing.
alter table connection add column closing text not null default '';

-- +goose Down
