-- +goose Up

-- What a list of investigations says of each.
create index mail_match_state on mail_match (tenant, investigation, state, truth);
