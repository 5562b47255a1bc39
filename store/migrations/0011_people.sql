-- +goose Up
-- What people did here: every operation that changes something, done or refused. tenant is * for the installation's own.
-- subject is what its address named, detail what of its body may be shown; secrets are in neither.
create table trail (tenant text not null, id text not null, at bigint not null, account text not null, email text not null, by_token text not null default '', address text not null default '', operation text not null, subject text not null, detail text not null, outcome text not null, because text not null default '', primary key (tenant, id));
create index trail_id on trail (id);
-- Who is signed in where. A session whose row has ended, or is not there, is worth nothing.
create table signed_in (id text primary key, account text not null, way text not null, begun bigint not null, seen bigint not null, address text not null, agent text not null, ends bigint not null, ended bigint not null default 0);
create index signed_in_account on signed_in (account, seen);
-- Who an account is to the identity provider: the first sign-in by it binds them.
alter table account add column subject text not null default '';
create index account_subject on account (subject);

-- +goose Down
