-- +goose Up
-- Who may open whose mailbox, and where mailboxes forward, as whichever source told it last: audit records, Exchange's own
-- interfaces, an exported file. at is the time that what is held is true of; since is since when, 0 where it was so when we
-- first looked; record, actor and actor_kind are of the audit record that made it so.

-- What is set on a mailbox (forwarding_smtp, forwarding_recipient, forwarding_deliver, audit_bypass, audit_enabled), or on the
-- organisation (person ''). An empty value is: known to be unset. place is where a forwarding leads.
create table mailbox_setting (tenant text not null, person text not null, name text not null, value text not null, at bigint not null, source text not null, record text not null default '', actor text not null default '', actor_kind text not null default '', since bigint not null default 0, first_seen bigint not null, place text not null default '', risk bigint not null default 0, primary key (tenant, person, name));
create index mailbox_setting_name on mailbox_setting (tenant, name, value);
-- A right over a mailbox. trustee is a person's id, g: and a group's, or the name that nobody is known by; levels is empty
-- once it is removed. marks are what speaks against it, by a blank each.
create table delegation (tenant text not null, owner text not null, kind text not null, folder text not null, trustee text not null, name text not null, path text not null default '', levels text not null, inherited boolean not null default false, at bigint not null, source text not null, record text not null default '', actor text not null default '', actor_kind text not null default '', since bigint not null default 0, first_seen bigint not null, removed bigint not null default 0, marks text not null default '', risk bigint not null default 0, primary key (tenant, owner, kind, folder, trustee));
create index delegation_trustee on delegation (tenant, trustee, removed);
create index delegation_risk on delegation (tenant, removed, risk desc, owner, kind, folder, trustee);
-- When a source was last asked for all of a kind that a mailbox has: times by kind.
create table rights_look (tenant text not null, person text not null, source text not null, looks text not null, primary key (tenant, person, source));
-- From when to when a source has told every change of a kind, in all mailboxes.
create table rights_cover (tenant text not null, source text not null, kind text not null, since bigint not null, until bigint not null, because text not null default '', mend text not null default '', primary key (tenant, source, kind));
create table rights_change (tenant text not null, owner text not null, kind text not null, folder text not null, trustee text not null, at bigint not null, id text not null, value text not null, source text not null, actor text not null default '', actor_kind text not null default '', primary key (tenant, owner, kind, folder, trustee, at, id));
create index rights_change_at on rights_change (tenant, owner, at);
-- What was told of a mailbox by a name that the directory does not know yet.
create table rights_waiting (tenant text not null, name text not null, id text not null, body text not null, at bigint not null, primary key (tenant, name, id));
-- Rules of the organisation's mail flow (transport, journal). body is what was told of it, a register a parameter; dest, how,
-- since and actor are of what it does with mail, for lists.
create table mailflow_rule (tenant text not null, kind text not null, id text not null, name text not null, body text not null, enabled boolean not null default true, dest text not null default '', how text not null default '', source text not null default '', since bigint not null default 0, actor text not null default '', place text not null default '', risk bigint not null default 0, first_seen bigint not null, changed bigint not null default 0, removed bigint not null default 0, primary key (tenant, kind, id));
-- What follows for a mailbox: where it forwards by any way, and how many others have rights over it.
create table mailbox_verdict (tenant text not null, person text not null, forwards text not null, body text not null, delegates bigint not null, risky bigint not null, primary key (tenant, person));
create index person_name on person (tenant, lower(name));
create index mail_group_name on mail_group (tenant, lower(name));

-- +goose Down
