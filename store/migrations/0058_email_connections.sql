-- +goose Up

-- By what a tenant's shared mailboxes are read and written: a service account that signed in (method is delegated; sealed is its refresh token), or an
-- app registration of the tenant's own (secret or certificate; sealed is that). account is the account's address, consented when an administrator last
-- consented here, signed_in when the account last signed in. state is on or broken, because; mend says what to do.
create table email_connection (
	tenant text not null,
	id text not null,
	name text not null,
	method text not null,
	cloud text not null,
	client_id text not null,
	settings text not null default '{}',
	sealed bytea not null,
	account text not null default '',
	account_id text not null default '',
	account_name text not null default '',
	consented bigint not null default 0,
	consented_by text not null default '',
	signed_in bigint not null default 0,
	signed_in_by text not null default '',
	proven bigint not null,
	state text not null default 'on',
	because text not null default '',
	mend text not null default '',
	created bigint not null,
	created_by text not null default '',
	changed bigint not null,
	version bigint not null default 1,
	primary key (tenant, id)
);

-- +goose Down
