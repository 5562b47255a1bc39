-- +goose Up
-- Who is told of findings, by which way, and what became of it.

-- A channel belongs to a tenant, or to the installation (tenant *), and then tells of every tenant that its filter names.
-- address is what may be shown; sealed holds what is never shown again: a webhook's address, a signing secret. since is
-- from when on it tells: what was found before is not news to it.
create table channel (tenant text not null, id text not null, kind text not null, name text not null, address text not null, sealed bytea not null, filter text not null, quiet text not null, digest_over bigint not null, digest_minutes bigint not null, enabled boolean not null, since bigint not null, created bigint not null, created_by text not null, version bigint not null default 1, delivered bigint not null default 0, failed bigint not null default 0, failures bigint not null default 0, because text not null default '', mend text not null default '', primary key (tenant, id));
-- What a channel was last told of a finding, so that it is told of each of its states once. tenant is the channel's, about
-- the finding's. round is how often the finding has been opened.
create table alert_told (tenant text not null, channel text not null, about text not null, finding text not null, round bigint not null, rank bigint not null, fixed boolean not null, primary key (tenant, channel, about, finding));
-- An alert is one change of a finding for one channel, written in the transaction that follows the fact: the outbox. It
-- waits until it goes into a message; held says why it still waits.
create table alert (tenant text not null, id text not null, channel text not null, about text not null, finding text not null, rule text not null, severity text not null, severity_rank bigint not null, change text not null, body text not null, at bigint not null, early boolean not null, state text not null, held text not null default '', held_until bigint not null default 0, message text not null default '', ended bigint not null default 0, primary key (tenant, id));
create index alert_waiting on alert (tenant, state, held_until, channel);
create index alert_about on alert (tenant, about, id);
create index alert_message_of on alert (tenant, message);
-- A message is what is sent: one alert, or several in a digest. Its id is the same at every try.
create table alert_message (tenant text not null, id text not null, channel text not null, kind text not null, alerts bigint not null, state text not null, created bigint not null, due bigint not null, tries bigint not null default 0, ended bigint not null default 0, because text not null default '', mend text not null default '', primary key (tenant, id));
create index alert_message_due on alert_message (tenant, state, due);
create index alert_message_channel on alert_message (tenant, channel, created);
-- A try is written before anything is sent; one without an outcome was cut off by the end of the process.
create table alert_try (tenant text not null, message text not null, n bigint not null, at bigint not null, outcome text not null, status bigint not null default 0, took bigint not null default 0, because text not null default '', primary key (tenant, message, n));
-- A snooze keeps alerts of a finding, of a rule or to a channel back until its end.
create table snooze (tenant text not null, id text not null, scope text not null, value text not null, until bigint not null, reason text not null, created bigint not null, created_by text not null, primary key (tenant, id));

-- +goose Down
