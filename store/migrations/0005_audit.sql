-- +goose Up
-- Records of the audit log, however they came (feed, query, file), once each. at is when it was done; person who did it and
-- about whose mailbox or account it was done to, where the directory knows them. judge says whether any rule looks at such
-- records, judged that it did. body is the record as Microsoft wrote it, without subjects.
create table audit_record (tenant text not null, id text not null, twin text not null default '', at bigint not null, seen bigint not null, source text not null, content text not null default '', operation text not null, workload text not null, person text not null default '', about text not null default '', actor text not null, actor_kind text not null, ip text not null default '', object text not null default '', result text not null default '', judge boolean not null, judged boolean not null, body text not null, primary key (tenant, id));
create index audit_record_at on audit_record (tenant, at, id);
create index audit_record_person on audit_record (tenant, person, at);
create index audit_record_about on audit_record (tenant, about, at);
create index audit_record_operation on audit_record (tenant, operation, at);
create index audit_record_ip on audit_record (tenant, ip, at);
create index audit_record_twin on audit_record (tenant, twin);
create index audit_record_judged on audit_record (tenant, judged, at);
create index audit_record_judge on audit_record (tenant, judge, at, id);
-- How far the rules have come in a tenant's records; version tells two judges apart.
create table audit_judge (tenant text not null, at bigint not null, id text not null, version bigint not null, primary key (tenant));
-- How far each part of the audit log has been read; deep is when all of the last seven days was listed again.
create table audit_feed (tenant text not null, content text not null, since bigint not null, until bigint not null, deep bigint not null default 0, started bigint not null default 0, primary key (tenant, content));
-- The ledger: what was read from when to when (read), and what Microsoft keeps no longer (lost).
create table audit_window (tenant text not null, content text not null, since bigint not null, until bigint not null, state text not null, parcels bigint not null default 0, records bigint not null default 0, because text not null default '', primary key (tenant, content, since));
-- Parcels of records that were fetched (read), or were gone when they were asked for (lost).
create table audit_parcel (tenant text not null, id text not null, content text not null, created bigint not null, at bigint not null, state text not null, records bigint not null default 0, primary key (tenant, id));
-- Mailboxes whose rules are to be read at once.
create table audit_look (tenant text not null, person text not null, at bigint not null, primary key (tenant, person));
-- Searches of the audit log that somebody asked for.
create table audit_query (tenant text not null, id text not null, by_whom text not null, person text not null default '', address text not null default '', operations text not null default '[]', since bigint not null, until bigint not null, remote text not null default '', state text not null, records bigint not null default 0, because text not null default '', mend text not null default '', created bigint not null, ended bigint not null default 0, primary key (tenant, id));
create index audit_query_state on audit_query (tenant, state);
-- Exported files that were taken in.
create table audit_import (tenant text not null, id text not null, by_whom text not null, kind text not null, name text not null, records bigint not null default 0, broken bigint not null default 0, first_broken text not null default '[]', at bigint not null, primary key (tenant, id));

-- +goose Down
