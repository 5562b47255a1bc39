-- +goose Up

-- What somebody has to know of an export, and since when: paused, failing, behind; empty where nothing. It is told when it
-- changes.
alter table export add column trouble text not null default '';
alter table export add column troubled bigint not null default 0;

-- The past that an export is to send before what comes: events from back_from to back_to, in the order of time. back_to is 0
-- where there is no past to send, or none any more. back_at and back_id are the last that was dealt with, back_place the last
-- place that there was at a look into the past; 0 when what comes is behind all of them. back_sent counts what was taken.
alter table export add column back_from bigint not null default 0;
alter table export add column back_to bigint not null default 0;
alter table export add column back_at bigint not null default 0;
alter table export add column back_id text not null default '';
alter table export add column back_place bigint not null default 0;
alter table export add column back_sent bigint not null default 0;

-- Up to which event (at, id) a look into the past has come, and which place was the last when it looked: an event behind that
-- place is not among what was seen, though it may be older.
create table export_back (
	tenant text not null,
	export text not null,
	at bigint not null,
	id text not null,
	place bigint not null,
	primary key (tenant, export, at, id)
);

-- Who may have to be watched, or no longer, since what is known of them has changed.
create table watch_due (
	tenant text not null,
	person text not null,
	primary key (tenant, person)
);

-- How a large tenant's mailboxes stand, counted beside what changes them, so that no page counts them.
create table stream_count (
	tenant text not null,
	at bigint not null,
	body text not null,
	primary key (tenant)
);

-- Gaps are listed the open ones first, then the last that were closed.
create index mail_gap_order on mail_gap (tenant, (case when closed = 0 then 1 else 0 end), began, person);

-- +goose Down
