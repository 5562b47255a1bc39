-- +goose Up

-- How an event came to be known, as JSON: by which way, when it was noticed, looked at and folded, and what Microsoft
-- said of it. run is the fold that wrote it, as the fact of that fold names it: so what came last is found without
-- looking through what came before.
alter table event add column known text not null default '';
alter table event add column run bigint not null default 0;
create index event_run on event (tenant, run) where run > 0;

-- What the folds of mail told, counted by the minute and by the hour, so that no page counts events. what is an action,
-- or lag/ and the milliseconds below which a notification was queryable.
create table mail_tally (
	tenant text not null,
	grain bigint not null,
	at bigint not null,
	what text not null,
	n bigint not null,
	primary key (tenant, grain, at, what)
);
create index mail_tally_at on mail_tally (grain, at);

-- In a mailbox's time nearly all is mail: what is not, is found without looking through it.
create index event_person_rare on event (tenant, person, at) where type <> 'EMAIL';

-- How many days a kind of data is kept, where it was set.
create table retention (
	class text primary key,
	days bigint not null
);
