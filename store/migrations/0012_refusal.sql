-- +goose Up
-- What a connection was refused, or did not get, when it was asked last: by whom it was asked (a source, the look at what is
-- granted, an act, a search) and by the call. What lasts outweighs what is granted; what passes does not.
create table refusal (tenant text not null, connection text not null, source text not null, call text not null, because text not null, mend text not null, lasting boolean not null, at bigint not null, primary key (tenant, connection, source, call));

-- +goose Down
