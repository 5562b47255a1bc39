-- +goose Up

-- Which mails of an inbox hold which words: mails are gathered into segments of some hundreds. mails are their ids, times when each came; both sealed with
-- the inbox's key, as the lists of words are.
create table inbox_segment (
	tenant text not null,
	inbox text not null,
	n bigint not null,
	times bytea not null,
	mails bytea not null,
	made bigint not null,
	primary key (tenant, inbox, n)
);

-- The words of a segment whose hash falls into a shard, each with the mails that hold it.
create table inbox_segment_part (
	tenant text not null,
	inbox text not null,
	shard bigint not null,
	n bigint not null,
	words bytea not null,
	primary key (tenant, inbox, shard, n)
);

-- 0 while a mail is in no segment.
alter table inbox_message add column segment bigint not null default 0;
create index inbox_message_segment on inbox_message (tenant, inbox, segment, at);
create index inbox_outgoing_id on inbox_outgoing (tenant, id);

-- +goose Down
