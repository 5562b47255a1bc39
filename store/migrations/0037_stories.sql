-- +goose Up

-- What joins of what was found about a person within days: one attack, as far as can be told. takeover is the finding that says so
-- where it has the form of a takeover, else ''. stages, attack and terms are JSON; open is how many of its findings are.
create table attack_story (
	tenant text not null,
	id text not null,
	person text not null,
	who text not null,
	title text not null,
	why text not null,
	severity text not null,
	severity_rank bigint not null,
	score bigint not null,
	stage text not null,
	stages text not null,
	attack text not null,
	terms text not null,
	takeover text not null,
	began bigint not null,
	ended bigint not null,
	findings bigint not null,
	open bigint not null,
	changed bigint not null,
	primary key (tenant, id)
);
create index attack_story_person on attack_story (tenant, person, began);
create index attack_story_worst on attack_story (tenant, severity_rank, score, ended, id);

-- The findings of a story. A finding is of one story at most.
create table attack_story_part (
	tenant text not null,
	finding text not null,
	story text not null,
	primary key (tenant, finding)
);
create index attack_story_part_story on attack_story_part (tenant, story);

-- How much a person is at risk now, and why (JSON). due is when it is to be reckoned again, since it decays; 0: not before
-- something happens.
create table identity_risk (
	tenant text not null,
	person text not null,
	risk bigint not null,
	terms text not null,
	judged bigint not null,
	due bigint not null,
	primary key (tenant, person)
);
create index identity_risk_worst on identity_risk (tenant, risk, person);
create index identity_risk_due on identity_risk (tenant, due);

-- What it was at each time at which it changed.
create table identity_risk_change (
	tenant text not null,
	person text not null,
	at bigint not null,
	risk bigint not null,
	why text not null,
	primary key (tenant, person, at)
);
create index identity_risk_change_at on identity_risk_change (tenant, at);

-- What Microsoft's Identity Protection says of a person (kind user) or of an application's principal (kind application). level is
-- low, medium, high, hidden or none, state as Microsoft has it, in our words: at_risk, confirmed, remediated, dismissed, safe, none.
create table protection (
	tenant text not null,
	object_id text not null,
	kind text not null,
	person text not null,
	name text not null,
	level text not null,
	state text not null,
	detail text not null,
	at bigint not null,
	seen bigint not null,
	primary key (tenant, object_id)
);
create index protection_person on protection (tenant, person);

-- +goose Down
