-- +goose Up
-- Sign-ins as the directory tells of them, however they came (Graph, file): record is the row of audit_record that has the whole.
-- kind is interactive, non_interactive, service_principal or managed_identity; result success, failure or interrupted; mfa how a
-- second factor was met (asked, claim, refused), single where none was wanted, '' where it is not known. latitude and longitude
-- are texts, '' where the place is not known.
create table sign_in (tenant text not null, id text not null, record text not null, at bigint not null, seen bigint not null, kind text not null, person text not null default '', actor text not null, app text not null default '', app_id text not null default '', resource text not null default '', ip text not null default '', asn text not null default '', country text not null default '', city text not null default '', latitude text not null default '', longitude text not null default '', client text not null default '', protocol text not null default '', system text not null default '', browser text not null default '', device text not null default '', compliant text not null default '', result text not null, error text not null default '', reason text not null default '', mfa text not null default '', risk text not null default '', policy text not null default '', session text not null default '', primary key (tenant, id));
create index sign_in_at on sign_in (tenant, at, id);
create index sign_in_person on sign_in (tenant, person, at);
create index sign_in_ip on sign_in (tenant, ip, at);
create index sign_in_country on sign_in (tenant, country, at);
create index sign_in_app on sign_in (tenant, app_id, at);
-- Records that are sign-ins stand in that list, and not among what was changed.
alter table audit_record add column sign_in boolean not null default false;
create index audit_record_change on audit_record (tenant, sign_in, at, id);
-- Networks that the organisation has told of: an address, a range (203.0.113.0/24) or an autonomous system (AS9009), and what it is:
-- office, relay, vpn or hosting.
create table network (tenant text not null, network text not null, kind text not null, name text not null default '', at bigint not null, primary key (tenant, network));

-- +goose Down
