-- +goose Up

-- What was done to the mails that an investigation found, or is to be: asked for, approved, run, ended, restored. plan has what
-- was said before (whom it reaches, samples, what stands against it), options how it is done; epoch is the investigation's
-- version where it acts by itself.
create table mail_act (tenant text not null, id text not null, investigation text not null, kind text not null, state text not null, restores text not null default '', restored_by text not null default '', by_itself boolean not null default false, epoch bigint not null default 0, options text not null, why text not null, plan text not null, asked_by text not null, asked_email text not null, approved_by text not null default '', approved_email text not null default '', connection text not null default '', because text not null default '', mend text not null default '', due bigint not null default 0, created bigint not null, changed bigint not null, began bigint not null default 0, ended bigint not null default 0, version bigint not null default 1, primary key (tenant, id));
create index mail_act_state on mail_act (tenant, state, due);
create index mail_act_investigation on mail_act (tenant, investigation, id);
create index mail_act_created on mail_act (tenant, created);
-- The ledger: a row for each message, or for the notice in a mailbox (part). before and after are the message as it was read
-- (JSON: id, folder, read, flag, categories); sent is when something went out for it last and is written before it goes,
-- accepted when Microsoft said yes. moved_to is its id afterwards, where that is another.
create table mail_act_item (tenant text not null, act text not null, id text not null, part text not null, person text not null, object_id text not null, who text not null, message text not null, internet_message_id text not null default '', sender text not null default '', subject text not null default '', received bigint not null default 0, original text not null default '', state text not null, because text not null default '', mend text not null default '', before text not null default '', after text not null default '', moved_to text not null default '', tries bigint not null default 0, due bigint not null default 0, sent bigint not null default 0, accepted bigint not null default 0, changed bigint not null default 0, primary key (tenant, act, id));
create index mail_act_item_due on mail_act_item (tenant, act, state, due);
create index mail_act_item_message on mail_act_item (tenant, person, message);
create index mail_act_item_person on mail_act_item (tenant, act, person);
-- How many items of an act are in each state, so that progress costs nothing to show.
create table mail_act_count (tenant text not null, act text not null, part text not null, state text not null, n bigint not null, primary key (tenant, act, part, state));
create table mail_act_change (tenant text not null, act text not null, id text not null, at bigint not null, who text not null, change text not null, note text not null default '', primary key (tenant, act, id));
-- How a tenant lets mails be acted on: limits, and whether they may be deleted for good. One row a tenant, of JSON.
create table mail_act_settings (tenant text not null, body text not null, changed bigint not null, changed_by text not null, version bigint not null default 1, primary key (tenant));

-- +goose Down
