-- +goose Up

-- Where the next round of changes of a path begins, and when all of it was last read.
alter table state_path add column token text not null default '';
alter table state_path add column whole bigint not null default 0;

-- How often something in a path has changed, and up to which of these it was judged. A time would not tell: what is written at one may
-- be seen later than what is written after it.
alter table state_path add column edition bigint not null default 0;
alter table state_path add column judged bigint not null default 0;

-- The paths that a check's result rests on, as JSON, and when it was last judged for the sake of time alone.
alter table posture_result add column rests text not null default '';
alter table posture_result add column whole bigint not null default 0;

-- How many objects were found, of which found has the first thousand.
alter table posture_result add column n bigint not null default 0;

-- +goose Down
