-- +goose Up

-- How many checks came to what, as it was last on a day (in days since 1970, UTC): by area, of all checks (framework is '') and of
-- those that a benchmark asks as well. What was counted before benchmarks were told apart stays, of all.
create table posture_count (
	tenant text not null,
	day bigint not null,
	framework text not null,
	area text not null,
	status text not null,
	n bigint not null,
	primary key (tenant, day, framework, area, status)
);
insert into posture_count (tenant, day, framework, area, status, n) select tenant, day, '', area, status, n from posture_day;
drop table posture_day;
