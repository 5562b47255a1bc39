-- +goose Up

-- The tables are as they were; what stands in two columns is not, and an older version would read it wrongly.

-- table event
-- What happened, and (in known) how that came to be known. body is JSON in the form that subscribers receive; of mail since this
-- version a line for each of its values that no other column has: see tocsin.EventRow.

-- table mail
-- Each message as it was seen last: what differs at the next look is an event. key is a hash of Graph's id. body (JSON) says what no
-- other column does.
update event set known = known where tenant = '';

-- +goose Down
