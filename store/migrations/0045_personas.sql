-- +goose Up

-- What was learned of a tenant's mail: all days up to shut (days since 1970) are closed, and the mail that the facts up to fact
-- tell of was taken. began is the first day that was learned. Whoever writes counts version up, so that two who learn at once do
-- not mix.
create table learned (
	tenant text not null,
	shut bigint not null,
	fact bigint not null,
	began bigint not null,
	version bigint not null,
	primary key (tenant)
);

-- The parts of it as of the end of a day: what the tenant has in common (kind tenant, in pieces), and each persona (kind person).
-- The newest of a key up to learned.shut counts; what is of a later day was written by one who did not come to its end.
create table learned_part (
	tenant text not null,
	kind text not null,
	key text not null,
	day bigint not null,
	body bytea not null,
	primary key (tenant, kind, key, day)
);

-- The mail of days that are not closed, as it came: what came with the facts up to fact, when all days up to shut were closed.
-- last is the last day that it is learned with.
create table learned_open (
	tenant text not null,
	fact bigint not null,
	part bigint not null,
	shut bigint not null,
	last bigint not null,
	body bytea not null,
	primary key (tenant, fact, part)
);

-- What a person did on a day, and what was usual for it. usual, low and high are mailings, in thousandths. outside are mailings
-- with somebody outside, files those of them with attachments.
create table persona_day (
	tenant text not null,
	person text not null,
	day bigint not null,
	sent bigint not null,
	received bigint not null,
	outside bigint not null,
	files bigint not null,
	usual bigint not null,
	low bigint not null,
	high bigint not null,
	primary key (tenant, person, day)
);

-- Whom a person has written to and heard from, ever. who is the other's person, '' where it is nobody of the directory. Times are
-- 0 where it never happened.
create table contact (
	tenant text not null,
	person text not null,
	address text not null,
	who text not null,
	outside boolean not null,
	first_sent bigint not null,
	last_sent bigint not null,
	sent bigint not null,
	first_received bigint not null,
	last_received bigint not null,
	received bigint not null,
	primary key (tenant, person, address)
);
create index contact_address on contact (tenant, address);

-- The same by the week, the first day of which (a Monday, days since 1970) is week.
create table contact_week (
	tenant text not null,
	week bigint not null,
	person text not null,
	address text not null,
	who text not null,
	outside boolean not null,
	sent bigint not null,
	received bigint not null,
	primary key (tenant, week, person, address)
);

-- How many mails all sent in a week, to an address each.
create table contact_total (
	tenant text not null,
	week bigint not null,
	sent bigint not null,
	primary key (tenant, week)
);

-- A person's day that is not as usual. one_in says how rarely a usual day is as odd. early is a day that was not over when it was
-- judged. odd are the addresses that it is about (JSON), finding the finding that was made of it. verdict is what somebody said of
-- it: '', false_alarm or confirmed.
create table anomaly (
	tenant text not null,
	id text not null,
	person text not null,
	day bigint not null,
	at bigint not null,
	class text not null,
	one_in bigint not null,
	why text not null,
	terms text not null,
	odd text not null,
	early boolean not null,
	finding text not null,
	found bigint not null,
	verdict text not null default '',
	said_by text not null default '',
	said bigint not null default 0,
	note text not null default '',
	primary key (tenant, id)
);
create index anomaly_person on anomaly (tenant, person, at);
create index anomaly_at on anomaly (tenant, at, id);
create index anomaly_finding on anomaly (tenant, finding);
create index anomaly_day on anomaly (tenant, day);

-- How a tenant has its people learned: budget is how many false alarms are allowed in 1,000 months of a person.
create table learn_settings (
	tenant text not null,
	is_off boolean not null,
	budget bigint not null,
	version bigint not null,
	changed bigint not null,
	changed_by text not null,
	primary key (tenant)
);

-- +goose Down
