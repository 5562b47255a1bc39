-- +goose Up

-- An action is on a rule, a role, a sign-in method, a consent, a permission, or on an account or an application as a whole, for
-- which target is ''. object_id is the account's or the application's; person is '' where it is an application.
alter table action rename column rule to target;
create index action_object on action (tenant, object_id, target);
-- An action may be a step of a playbook that was run: those of a lower step come before.
alter table action add column run text not null default '';
alter table action add column step bigint not null default 0;
create index action_run on action (tenant, run, step);
create table playbook_run (tenant text not null, id text not null, playbook text not null, person text not null, who text not null, finding text not null default '', why text not null, asked_by text not null, asked_email text not null, created bigint not null, primary key (tenant, id));

-- +goose Down
