-- +goose Up

-- Detections that the customer wrote: Sigma rules. name is what findings are filed under and never changes; state is draft, testing
-- (hits are counted, nothing is filed), live or off; origin is the file of the folder it came from, else ''. level is the author's
-- word for the severity, sources the logs it reads (JSON). noisy is when it last filed as many findings in a day as one may. samples
-- is JSON: the last records that it met.
create table own_rule (
	tenant text not null,
	id text not null,
	name text not null,
	title text not null,
	level text not null,
	state text not null,
	origin text not null default '',
	sources text not null,
	version bigint not null,
	hits bigint not null default 0,
	last_hit bigint not null default 0,
	noisy bigint not null default 0,
	created bigint not null,
	created_by text not null,
	changed bigint not null,
	changed_by text not null,
	samples text not null default '[]',
	text text not null,
	primary key (tenant, id)
);
create unique index own_rule_name on own_rule (tenant, name);

-- Each text that it had, and each change of its state.
create table own_rule_version (
	tenant text not null,
	rule text not null,
	version bigint not null,
	at bigint not null,
	who text not null,
	state text not null,
	text text not null,
	primary key (tenant, rule, version)
);

-- How often it spoke on a day (the day's first millisecond, UTC).
create table own_rule_day (
	tenant text not null,
	rule text not null,
	day bigint not null,
	hits bigint not null,
	primary key (tenant, rule, day)
);

-- Another text at every change of any of them, so that whoever compiled them knows when to do so again.
create table own_rule_set (
	tenant text not null,
	edition text not null,
	primary key (tenant)
);

-- +goose Down
