-- +goose Up
-- The app registrations of the installation, one a tier (read, respond), by which tenants consent; sealed is the secret, or
-- the certificate with its key. ends is when the certificate does, 0 for a secret.
create table registration (tier text primary key, client_id text not null, cloud text not null, method text not null, sealed bytea not null, settings text not null default '{}', ends bigint not null default 0, changed bigint not null, changed_by text not null, version bigint not null default 1);
-- A sign-in or a consent that somebody has been sent to Microsoft for: hash is of its state, session of the browser's
-- session. It is taken out when they come back, and of no use after it expires.
create table consent (hash text primary key, account text not null, session text not null, sealed bytea not null, expires bigint not null);
create index consent_expires on consent (expires);

-- Who consented to a connection, each time: who signed in for it, and what the token granted then.
create table consented (tenant text not null, connection text not null, id text not null, at bigint not null, name text not null, upn text not null, object_id text not null, actor text not null, granted text not null, primary key (tenant, connection, id));
alter table connection add column tier text not null default 'read';
-- Which products are switched on.
alter table connection add column products text not null default '["outlook","entra","intune","sharepoint","teams"]';

-- +goose Down
