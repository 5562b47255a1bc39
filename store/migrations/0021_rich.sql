-- +goose Up

-- The certificates for which Microsoft Graph encrypts what changed, of the whole installation. Graph has what is public
-- (base64 of the DER); sealed is the private key. replaced is when a newer one took its place, 0 while it is the newest: it
-- is kept until nothing can come any more that was encrypted for it.
create table certificate (id text primary key, public text not null, sealed bytea not null, made bigint not null, expires bigint not null, replaced bigint not null default 0);

-- form is how a mailbox is to be told of: basic (Graph says that a message changed, and it is looked at) or rich (Graph sends
-- what changed, encrypted). made is what the living subscription is, certificate what it is encrypted for, and former the one
-- that it takes the place of and that is still to be ended.
alter table subscription add column form text not null default 'basic';
alter table subscription add column made text not null default 'basic';
alter table subscription add column certificate text not null default '';
alter table subscription add column former text not null default '';
