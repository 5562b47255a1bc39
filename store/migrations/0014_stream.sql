-- +goose Up

-- That Graph tells us of a mailbox's mail: one subscription for each mailbox, as we know of it. signal is what Graph said
-- of it that is not dealt with yet.
create table subscription (
	tenant text not null,
	person text not null,
	connection text not null,
	id text not null default '',
	address text not null default '',
	state text not null default 'wanted',
	because text not null default '',
	mend text not null default '',
	created bigint not null default 0,
	expires bigint not null default 0,
	due bigint not null default 0,
	tries bigint not null default 0,
	signal text not null default '',
	primary key (tenant, person)
);
create index subscription_due on subscription (tenant, due);
create index subscription_state on subscription (tenant, state);

-- The ledger of a mailbox: since when every change of it is told to us, what was heard last, and how many messages came
-- and went between two looks, so that nobody can say what they were. checked is when it was last seen, without being told,
-- whether anything had been left out. folders are ids by Graph's well-known names.
create table mail_ledger (
	tenant text not null,
	person text not null,
	folders text not null default '{}',
	since bigint not null default 0,
	heard bigint not null default 0,
	unseen bigint not null default 0,
	checked bigint not null default 0,
	primary key (tenant, person)
);

-- A time of which not every change was told to us. It is closed by looking at what changed since; lost says what cannot
-- be found out any more.
create table mail_gap (
	tenant text not null,
	person text not null,
	began bigint not null,
	ended bigint not null,
	because text not null,
	closed bigint not null default 0,
	found bigint not null default 0,
	lost text not null default '',
	primary key (tenant, person, began)
);
create index mail_gap_open on mail_gap (tenant, closed);

-- Each message as it was seen last: what differs at the next look is an event. key is a hash of Graph's id.
create table mail (
	tenant text not null,
	person text not null,
	key text not null,
	native text not null,
	folder text not null,
	is_read boolean not null,
	is_draft boolean not null,
	flag text not null,
	verb text not null,
	rest text not null,
	received bigint not null,
	modified bigint not null,
	body text not null,
	changed bigint not null,
	deleted bigint not null default 0,
	primary key (tenant, key, person)
);
create index mail_person on mail (tenant, person, received);
create index mail_received on mail (tenant, received);

-- Mail makes by far the most events; the others are found among them.
create index event_type on event (tenant, type, at);

-- A mailbox's items wait together.
alter table parked add column person text not null default '';
alter table parked add column tries bigint not null default 0;
create index parked_person on parked (tenant, person);
create index parked_retry on parked (tenant, retry);
