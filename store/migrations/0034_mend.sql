-- +goose Up

-- A gap that could not be closed is tried again when it is due, and not before the others; trouble is why not.
alter table mail_gap add column tries bigint not null default 0;
alter table mail_gap add column due bigint not null default 0;
alter table mail_gap add column trouble text not null default '';
create index mail_gap_due on mail_gap (tenant, due, began) where closed = 0;

-- Until when a mailbox waits is the last of what is parked of it.
drop index parked_person;
create index parked_until on parked (tenant, person, retry);

-- +goose Down
