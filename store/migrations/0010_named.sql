-- +goose Up
-- Whom a finding names beside the one it is about, by a rule of theirs that has a part in it.
create table finding_part (tenant text not null, finding text not null, person text not null, rule text not null, primary key (tenant, finding, person, rule));
create index finding_part_person on finding_part (tenant, person, rule);

-- +goose Down
