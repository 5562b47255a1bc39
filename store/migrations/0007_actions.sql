-- +goose Up

-- What was done to a tenant, or is to be: asked for, approved, sent, verified, undone. plan holds what was to be touched and
-- the state before, as evidence; sent is when the act went out last (0: never), and is written before it goes.
create table action (tenant text not null, id text not null, kind text not null, state text not null, person text not null, who text not null, object_id text not null, rule text not null default '', name text not null default '', finding text not null default '', why text not null, plan text not null, forced boolean not null default false, undoes text not null default '', undone_by text not null default '', asked_by text not null, asked_email text not null, approved_by text not null default '', approved_email text not null default '', connection text not null default '', made text not null default '', because text not null default '', mend text not null default '', tries bigint not null default 0, due bigint not null default 0, created bigint not null, changed bigint not null, sent bigint not null default 0, ended bigint not null default 0, version bigint not null default 1, primary key (tenant, id));
create index action_state on action (tenant, state, due);
create index action_person on action (tenant, person, rule);
create index action_finding on action (tenant, finding);
create index action_sent on action (tenant, sent);
create table action_change (tenant text not null, action text not null, id text not null, at bigint not null, who text not null, change text not null, note text not null default '', primary key (tenant, action, id));
-- How a tenant lets acts happen: approval, limits, people who are spared. One row a tenant, of JSON.
create table response_settings (tenant text not null, body text not null, changed bigint not null, changed_by text not null, version bigint not null default 1, primary key (tenant));
-- Which of our own actions changed the rule; '' where it was somebody else.
alter table rule_change add column action text not null default '';

-- +goose Down
