-- +goose Up
-- How a file came in (running, done, cut): what of it was new, known already, of no use to any rule, and of another tenant; from
-- when to when its records are; of rights how many mailboxes, and as_of, when they were exported; heard is when it was last heard of.
alter table audit_import add column state text not null default 'done';
alter table audit_import add column fresh bigint not null default 0;
alter table audit_import add column known bigint not null default 0;
alter table audit_import add column passed bigint not null default 0;
alter table audit_import add column strange bigint not null default 0;
alter table audit_import add column since bigint not null default 0;
alter table audit_import add column until bigint not null default 0;
alter table audit_import add column as_of bigint not null default 0;
alter table audit_import add column heard bigint not null default 0;
alter table audit_import add column mailboxes bigint not null default 0;
alter table audit_import add column because text not null default '';

-- +goose Down
