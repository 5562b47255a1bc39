-- Everything Tocsin keeps. Written by go test ./store -run TestSchema -update from store/migrations; do not edit.

-- One text for SQLite and PostgreSQL. Times are Unix milliseconds (0: never), JSON is text. Every table that holds a
-- tenant's data begins with the column tenant, and its key begins with it.

-- What belongs to the installation, whoever its tenants are.
create table installation (
	key text primary key,
	value text not null
);

create table lease (
	name text primary key,
	owner text not null,
	epoch bigint not null,
	expires bigint not null
);

create table checkpoint (
	name text not null,
	lane bigint not null,
	stream text not null,
	seq bigint not null,
	idx bigint not null,
	epoch bigint not null,
	primary key (name, lane)
);

create table fact_counter (
	lane bigint primary key,
	n bigint not null
);

create table cursor (
	name text not null,
	lane bigint not null,
	n bigint not null,
	primary key (name, lane)
);

create table account (
	id text primary key,
	email text not null unique,
	name text not null,
	password text not null,
	totp text not null default '',
	disabled boolean not null default false,
	created bigint not null,
	seen bigint not null default 0,
	subject text not null default ''
);
create index account_subject on account (subject);

-- tenant is a tenant's id, or * for all of them; role is owner, admin, analyst, agent or viewer.
create table role_grant (
	account text not null,
	tenant text not null,
	role text not null,
	primary key (account, tenant)
);

create table api_token (
	id text primary key,
	account text not null,
	name text not null,
	hash text not null unique,
	role text not null,
	tenant text not null,
	created bigint not null,
	expires bigint not null,
	used bigint not null default 0
);

create table session (
	token text primary key,
	data bytea not null,
	expiry bigint not null
);

create table setup_link (
	hash text primary key,
	expires bigint not null
);

create table login_attempt (
	key text primary key,
	count bigint not null,
	since bigint not null
);

-- A tenant, and the way to it.
create table tenant (
	tenant text primary key,
	name text not null,
	initial_domain text not null default '',
	created bigint not null
);

create table connection (
	tenant text not null,
	id text not null,
	name text not null,
	cloud text not null,
	client_id text not null,
	method text not null,
	sealed bytea not null,
	state text not null,
	because text not null default '',
	mend text not null default '',
	settings text not null default '{}',
	created bigint not null,
	proven bigint not null default 0,
	version bigint not null default 1,
	tier text not null default 'read',
	products text not null default '["outlook","entra","intune","sharepoint","teams"]',
	expires bigint not null default 0,
	expires_by text not null default '',
	expires_told text not null default '',
	rotated bigint not null default 0,
	looked bigint not null default 0,
	looked_because text not null default '',
	excess text not null default '[]',
	metadata_only boolean not null default true,
	closing text not null default '',
	primary key (tenant, id)
);

create table capability (
	tenant text not null,
	connection text not null,
	name text not null,
	state text not null,
	because text not null,
	mend text not null,
	checked bigint not null,
	primary key (tenant, connection, name)
);

-- How fresh each source is, and what it answered last; a sync is a source.
create table source (
	tenant text not null,
	name text not null,
	token text not null default '',
	started bigint not null default 0,
	succeeded bigint not null default 0,
	failed bigint not null default 0,
	because text not null default '',
	mend text not null default '',
	due bigint not null default 0,
	done bigint not null default 0,
	total bigint not null default 0,
	primary key (tenant, name)
);

create table domain (
	tenant text not null,
	name text not null,
	is_default boolean not null default false,
	is_verified boolean not null default true,
	authentication text not null default '',
	seen bigint not null,
	primary key (tenant, name)
);

create table partner (
	tenant text not null,
	domain text not null,
	owner text not null,
	reason text not null,
	expires bigint not null,
	created bigint not null,
	primary key (tenant, domain)
);

-- The directory. object_id is the source's own id of the person.
create table person (
	tenant text not null,
	person text not null,
	object_id text not null,
	name text not null,
	upn text not null,
	mail text not null,
	kind text not null,
	enabled boolean,
	synced boolean,
	licensed boolean,
	department text not null default '',
	title text not null default '',
	addresses text not null default '[]',
	created bigint not null default 0,
	deleted bigint not null default 0,
	mailbox text not null default 'unknown',
	mailbox_because text not null default '',
	mailbox_asked bigint not null default 0,
	hash text not null default '',
	seen bigint not null,
	changed bigint not null,
	primary key (tenant, person)
);
create index person_mailbox on person (tenant, mailbox, deleted, mailbox_because);
create index person_name on person (tenant, lower(name));
create index person_object on person (tenant, object_id);
create index person_upn on person (tenant, upn);

create table person_address (
	tenant text not null,
	address text not null,
	person text not null,
	primary key (tenant, address, person)
);
create index person_address_person on person_address (tenant, person);

create table directory_role (
	tenant text not null,
	id text not null,
	name text not null,
	template text not null,
	seen bigint not null,
	primary key (tenant, id)
);

create table role_member (
	tenant text not null,
	role text not null,
	object_id text not null,
	person text not null,
	name text not null,
	seen bigint not null,
	primary key (tenant, role, object_id)
);
create index role_member_person on role_member (tenant, person);

-- outside is the addresses of members outside the organisation; null-like '' where it was not asked yet.
create table mail_group (
	tenant text not null,
	id text not null,
	name text not null,
	mail text not null,
	kind text not null,
	addresses text not null default '[]',
	outside text not null default '',
	members_seen bigint not null default 0,
	hash text not null default '',
	seen bigint not null,
	deleted bigint not null default 0,
	primary key (tenant, id)
);
create index mail_group_name on mail_group (tenant, lower(name));

create table group_address (
	tenant text not null,
	address text not null,
	group_id text not null,
	primary key (tenant, address, group_id)
);

-- Mailboxes and their rules: the last state seen. body is our form of a rule, raw what Graph gave.
create table mailbox (
	tenant text not null,
	person text not null,
	purpose text not null default '',
	timezone text not null default '',
	language text not null default '',
	auto_reply text not null default '',
	folders text not null default '{}',
	rules_hash text not null default '',
	rules_seen bigint not null default 0,
	rules_count bigint not null default 0,
	settings_hash text not null default '',
	settings_seen bigint not null default 0,
	primary key (tenant, person)
);
create index mailbox_rules_seen on mailbox (tenant, rules_seen);

create table mail_rule (
	tenant text not null,
	person text not null,
	id text not null,
	name text not null,
	enabled boolean not null,
	body text not null,
	raw text not null,
	targets bigint not null default 0,
	outside boolean not null default false,
	risk bigint not null default 0,
	first_seen bigint not null,
	changed bigint not null,
	seen bigint not null,
	deleted bigint not null default 0,
	primary key (tenant, person, id)
);
create index mail_rule_risk on mail_rule (tenant, deleted, risk);
create index mail_rule_targets on mail_rule (tenant, deleted, targets);

create table rule_target (
	tenant text not null,
	address text not null,
	person text not null,
	rule text not null,
	verb text not null,
	outside boolean not null,
	primary key (tenant, address, person, rule, verb)
);
create index rule_target_person on rule_target (tenant, person, rule);

create table rule_change (
	tenant text not null,
	person text not null,
	rule text not null,
	at bigint not null,
	id text not null,
	change text not null,
	before text not null,
	after text not null,
	action text not null default '',
	primary key (tenant, person, rule, at, id)
);

-- What happened, and (in known) how that came to be known. body is JSON in the form that subscribers receive; of mail since this
-- version a line for each of its values that no other column has: see tocsin.EventRow.
create table event (
	tenant text not null,
	id text not null,
	at bigint not null,
	type text not null,
	action text not null,
	person text not null,
	body text not null,
	known text not null default '',
	run bigint not null default 0,
	primary key (tenant, id)
);
create index event_at on event (tenant, at);
create index event_person on event (tenant, person, at);
create index event_person_rare on event (tenant, person, at) where type <> 'EMAIL';
create index event_run on event (tenant, run) where run > 0;
create index event_type on event (tenant, type, at);

-- Judgement.
create table finding (
	tenant text not null,
	id text not null,
	rule text not null,
	title text not null,
	severity text not null,
	severity_rank bigint not null,
	risk bigint not null,
	person text not null,
	who text not null,
	subject text not null,
	cause text not null,
	why text not null,
	stage text not null,
	body text not null,
	status text not null,
	owner text not null default '',
	reason text not null default '',
	accepted_until bigint not null default 0,
	first_seen bigint not null,
	last_seen bigint not null,
	count bigint not null default 1,
	version bigint not null default 1,
	primary key (tenant, id)
);
create index finding_first on finding (tenant, first_seen, status, severity_rank);
create index finding_list on finding (tenant, status, severity_rank, last_seen);
create index finding_person on finding (tenant, person, status, risk);
create index finding_risk on finding (tenant, status, risk, last_seen);
create index finding_rule on finding (tenant, rule, status, severity_rank, last_seen);
create index finding_subject on finding (tenant, subject);
create index finding_worst on finding (tenant, status, severity_rank, risk, last_seen);

create table finding_change (
	tenant text not null,
	finding text not null,
	id text not null,
	at bigint not null,
	who text not null,
	change text not null,
	note text not null default '',
	primary key (tenant, finding, id)
);

-- An exception silences rule (or *) for a person, an address or a domain (or *), until expires.
create table exception (
	tenant text not null,
	id text not null,
	rule text not null,
	scope text not null,
	value text not null,
	owner text not null,
	reason text not null,
	expires bigint not null,
	created bigint not null,
	created_by text not null,
	primary key (tenant, id)
);

-- What could not be folded: parked (waits for something) and dead (poison, kept for replay).
create table parked (
	tenant text not null,
	id text not null,
	kind text not null,
	subject text not null,
	body bytea not null,
	because text not null,
	at bigint not null,
	retry bigint not null,
	person text not null default '',
	tries bigint not null default 0,
	primary key (tenant, id)
);
create index parked_retry on parked (tenant, retry);
create index parked_until on parked (tenant, person, retry);

create table dead_letter (
	tenant text not null,
	id text not null,
	kind text not null,
	subject text not null,
	body bytea not null,
	because text not null,
	at bigint not null,
	primary key (tenant, id)
);

-- What changed, in order: every change of the tables above that anybody follows, written in its transaction.
create table fact (
	tenant text not null,
	lane bigint not null,
	n bigint not null,
	at bigint not null,
	kind text not null,
	subject text not null,
	person text not null,
	actor text not null,
	body text not null,
	primary key (lane, n)
);
create index fact_tenant on fact (tenant, lane, n);

create table request_key (
	tenant text not null,
	key text not null,
	account text not null,
	answer text not null,
	at bigint not null,
	primary key (tenant, key, account)
);

-- The app registrations of the installation, one a tier (read, respond), by which tenants consent; sealed is the secret, or
-- the certificate with its key. ends is when the certificate does, 0 for a secret.
create table registration (
	tier text primary key,
	client_id text not null,
	cloud text not null,
	method text not null,
	sealed bytea not null,
	settings text not null default '{}',
	ends bigint not null default 0,
	changed bigint not null,
	changed_by text not null,
	version bigint not null default 1
);

-- A sign-in or a consent that somebody has been sent to Microsoft for: hash is of its state, session of the browser's
-- session. It is taken out when they come back, and of no use after it expires.
create table consent (
	hash text primary key,
	account text not null,
	session text not null,
	sealed bytea not null,
	expires bigint not null
);
create index consent_expires on consent (expires);

-- Who consented to a connection, each time: who signed in for it, and what the token granted then.
create table consented (
	tenant text not null,
	connection text not null,
	id text not null,
	at bigint not null,
	name text not null,
	upn text not null,
	object_id text not null,
	actor text not null,
	granted text not null,
	primary key (tenant, connection, id)
);

-- What is granted to a connection's app, as the tenant had it at the last look; granted is when, by Microsoft.
create table app_grant (
	tenant text not null,
	connection text not null,
	resource text not null,
	permission text not null,
	granted bigint not null,
	seen bigint not null,
	primary key (tenant, connection, resource, permission)
);

-- What differed between two looks: change is granted or removed, at the time of the look that showed it.
create table app_grant_change (
	tenant text not null,
	connection text not null,
	id text not null,
	at bigint not null,
	resource text not null,
	permission text not null,
	change text not null,
	primary key (tenant, connection, id)
);

-- The service plans of the licences that the tenant holds.
create table licence (
	tenant text not null,
	plan text not null,
	seen bigint not null,
	primary key (tenant, plan)
);

-- Records of the audit log, however they came (feed, query, file), once each. at is when it was done; person who did it and
-- about whose mailbox or account it was done to, where the directory knows them. judge says whether any rule looks at such
-- records, judged that it did. body is the record as Microsoft wrote it, without subjects.
create table audit_record (
	tenant text not null,
	id text not null,
	twin text not null default '',
	at bigint not null,
	seen bigint not null,
	source text not null,
	content text not null default '',
	operation text not null,
	workload text not null,
	person text not null default '',
	about text not null default '',
	actor text not null,
	actor_kind text not null,
	ip text not null default '',
	object text not null default '',
	result text not null default '',
	judge boolean not null,
	judged boolean not null,
	body text not null,
	sign_in boolean not null default false,
	primary key (tenant, id)
);
create index audit_record_about on audit_record (tenant, about, at);
create index audit_record_at on audit_record (tenant, at, id);
create index audit_record_change on audit_record (tenant, sign_in, at, id);
create index audit_record_ip on audit_record (tenant, ip, at);
create index audit_record_judge on audit_record (tenant, judge, at, id);
create index audit_record_judged on audit_record (tenant, judged, at);
create index audit_record_operation on audit_record (tenant, operation, at);
create index audit_record_person on audit_record (tenant, person, at);
create index audit_record_twin on audit_record (tenant, twin);

-- How far the rules have come in a tenant's records; version tells two judges apart.
create table audit_judge (
	tenant text not null,
	at bigint not null,
	id text not null,
	version bigint not null,
	primary key (tenant)
);

-- How far each part of the audit log has been read; deep is when all of the last seven days was listed again.
create table audit_feed (
	tenant text not null,
	content text not null,
	since bigint not null,
	until bigint not null,
	deep bigint not null default 0,
	started bigint not null default 0,
	primary key (tenant, content)
);

-- The ledger: what was read from when to when (read), and what Microsoft keeps no longer (lost).
create table audit_window (
	tenant text not null,
	content text not null,
	since bigint not null,
	until bigint not null,
	state text not null,
	parcels bigint not null default 0,
	records bigint not null default 0,
	because text not null default '',
	primary key (tenant, content, since)
);

-- Parcels of records that were fetched (read), or were gone when they were asked for (lost).
create table audit_parcel (
	tenant text not null,
	id text not null,
	content text not null,
	created bigint not null,
	at bigint not null,
	state text not null,
	records bigint not null default 0,
	primary key (tenant, id)
);

-- Mailboxes whose rules are to be read at once.
create table audit_look (
	tenant text not null,
	person text not null,
	at bigint not null,
	primary key (tenant, person)
);

-- Searches of the audit log that somebody asked for.
create table audit_query (
	tenant text not null,
	id text not null,
	by_whom text not null,
	person text not null default '',
	address text not null default '',
	operations text not null default '[]',
	since bigint not null,
	until bigint not null,
	remote text not null default '',
	state text not null,
	records bigint not null default 0,
	because text not null default '',
	mend text not null default '',
	created bigint not null,
	ended bigint not null default 0,
	primary key (tenant, id)
);
create index audit_query_state on audit_query (tenant, state);

-- Exported files that were taken in.
create table audit_import (
	tenant text not null,
	id text not null,
	by_whom text not null,
	kind text not null,
	name text not null,
	records bigint not null default 0,
	broken bigint not null default 0,
	first_broken text not null default '[]',
	at bigint not null,
	state text not null default 'done',
	fresh bigint not null default 0,
	known bigint not null default 0,
	passed bigint not null default 0,
	strange bigint not null default 0,
	since bigint not null default 0,
	until bigint not null default 0,
	as_of bigint not null default 0,
	heard bigint not null default 0,
	mailboxes bigint not null default 0,
	because text not null default '',
	primary key (tenant, id)
);

-- Who may open whose mailbox, and where mailboxes forward, as whichever source told it last: audit records, Exchange's own
-- interfaces, an exported file. at is the time that what is held is true of; since is since when, 0 where it was so when we
-- first looked; record, actor and actor_kind are of the audit record that made it so.

-- What is set on a mailbox (forwarding_smtp, forwarding_recipient, forwarding_deliver, audit_bypass, audit_enabled), or on the
-- organisation (person ''). An empty value is: known to be unset. place is where a forwarding leads.
create table mailbox_setting (
	tenant text not null,
	person text not null,
	name text not null,
	value text not null,
	at bigint not null,
	source text not null,
	record text not null default '',
	actor text not null default '',
	actor_kind text not null default '',
	since bigint not null default 0,
	first_seen bigint not null,
	place text not null default '',
	risk bigint not null default 0,
	primary key (tenant, person, name)
);
create index mailbox_setting_name on mailbox_setting (tenant, name, value);

-- A right over a mailbox. trustee is a person's id, g: and a group's, or the name that nobody is known by; levels is empty
-- once it is removed. marks are what speaks against it, by a blank each.
create table delegation (
	tenant text not null,
	owner text not null,
	kind text not null,
	folder text not null,
	trustee text not null,
	name text not null,
	path text not null default '',
	levels text not null,
	inherited boolean not null default false,
	at bigint not null,
	source text not null,
	record text not null default '',
	actor text not null default '',
	actor_kind text not null default '',
	since bigint not null default 0,
	first_seen bigint not null,
	removed bigint not null default 0,
	marks text not null default '',
	risk bigint not null default 0,
	primary key (tenant, owner, kind, folder, trustee)
);
create index delegation_risk on delegation (tenant, removed, risk desc, owner, kind, folder, trustee);
create index delegation_trustee on delegation (tenant, trustee, removed);

-- When a source was last asked for all of a kind that a mailbox has: times by kind.
create table rights_look (
	tenant text not null,
	person text not null,
	source text not null,
	looks text not null,
	primary key (tenant, person, source)
);

-- From when to when a source has told every change of a kind, in all mailboxes.
create table rights_cover (
	tenant text not null,
	source text not null,
	kind text not null,
	since bigint not null,
	until bigint not null,
	because text not null default '',
	mend text not null default '',
	primary key (tenant, source, kind)
);

create table rights_change (
	tenant text not null,
	owner text not null,
	kind text not null,
	folder text not null,
	trustee text not null,
	at bigint not null,
	id text not null,
	value text not null,
	source text not null,
	actor text not null default '',
	actor_kind text not null default '',
	primary key (tenant, owner, kind, folder, trustee, at, id)
);
create index rights_change_at on rights_change (tenant, owner, at);

-- What was told of a mailbox by a name that the directory does not know yet.
create table rights_waiting (
	tenant text not null,
	name text not null,
	id text not null,
	body text not null,
	at bigint not null,
	primary key (tenant, name, id)
);

-- Rules of the organisation's mail flow (transport, journal). body is what was told of it, a register a parameter; dest, how,
-- since and actor are of what it does with mail, for lists.
create table mailflow_rule (
	tenant text not null,
	kind text not null,
	id text not null,
	name text not null,
	body text not null,
	enabled boolean not null default true,
	dest text not null default '',
	how text not null default '',
	source text not null default '',
	since bigint not null default 0,
	actor text not null default '',
	place text not null default '',
	risk bigint not null default 0,
	first_seen bigint not null,
	changed bigint not null default 0,
	removed bigint not null default 0,
	primary key (tenant, kind, id)
);

-- What follows for a mailbox: where it forwards by any way, and how many others have rights over it.
create table mailbox_verdict (
	tenant text not null,
	person text not null,
	forwards text not null,
	body text not null,
	delegates bigint not null,
	risky bigint not null,
	primary key (tenant, person)
);

-- What was done to a tenant, or is to be: asked for, approved, sent, verified, undone. plan holds what was to be touched and
-- the state before, as evidence; sent is when the act went out last (0: never), and is written before it goes.
create table action (
	tenant text not null,
	id text not null,
	kind text not null,
	state text not null,
	person text not null,
	who text not null,
	object_id text not null,
	target text not null default '',
	name text not null default '',
	finding text not null default '',
	why text not null,
	plan text not null,
	forced boolean not null default false,
	undoes text not null default '',
	undone_by text not null default '',
	asked_by text not null,
	asked_email text not null,
	approved_by text not null default '',
	approved_email text not null default '',
	connection text not null default '',
	made text not null default '',
	because text not null default '',
	mend text not null default '',
	tries bigint not null default 0,
	due bigint not null default 0,
	created bigint not null,
	changed bigint not null,
	sent bigint not null default 0,
	ended bigint not null default 0,
	version bigint not null default 1,
	run text not null default '',
	step bigint not null default 0,
	primary key (tenant, id)
);
create index action_finding on action (tenant, finding);
create index action_object on action (tenant, object_id, target);
create index action_person on action (tenant, person, target);
create index action_run on action (tenant, run, step);
create index action_sent on action (tenant, sent);
create index action_state on action (tenant, state, due);

create table action_change (
	tenant text not null,
	action text not null,
	id text not null,
	at bigint not null,
	who text not null,
	change text not null,
	note text not null default '',
	primary key (tenant, action, id)
);

-- How a tenant lets acts happen: approval, limits, people who are spared. One row a tenant, of JSON.
create table response_settings (
	tenant text not null,
	body text not null,
	changed bigint not null,
	changed_by text not null,
	version bigint not null default 1,
	primary key (tenant)
);

-- Who is told of findings, by which way, and what became of it.

-- A channel belongs to a tenant, or to the installation (tenant *), and then tells of every tenant that its filter names.
-- address is what may be shown; sealed holds what is never shown again: a webhook's address, a signing secret. since is
-- from when on it tells: what was found before is not news to it.
create table channel (
	tenant text not null,
	id text not null,
	kind text not null,
	name text not null,
	address text not null,
	sealed bytea not null,
	filter text not null,
	quiet text not null,
	digest_over bigint not null,
	digest_minutes bigint not null,
	enabled boolean not null,
	since bigint not null,
	created bigint not null,
	created_by text not null,
	version bigint not null default 1,
	delivered bigint not null default 0,
	failed bigint not null default 0,
	failures bigint not null default 0,
	because text not null default '',
	mend text not null default '',
	primary key (tenant, id)
);

-- What a channel was last told of a finding, so that it is told of each of its states once. tenant is the channel's, about
-- the finding's. round is how often the finding has been opened.
create table alert_told (
	tenant text not null,
	channel text not null,
	about text not null,
	finding text not null,
	round bigint not null,
	rank bigint not null,
	fixed boolean not null,
	primary key (tenant, channel, about, finding)
);

-- An alert is one change of a finding for one channel, written in the transaction that follows the fact: the outbox. It
-- waits until it goes into a message; held says why it still waits.
create table alert (
	tenant text not null,
	id text not null,
	channel text not null,
	about text not null,
	finding text not null,
	rule text not null,
	severity text not null,
	severity_rank bigint not null,
	change text not null,
	body text not null,
	at bigint not null,
	early boolean not null,
	state text not null,
	held text not null default '',
	held_until bigint not null default 0,
	message text not null default '',
	ended bigint not null default 0,
	primary key (tenant, id)
);
create index alert_about on alert (tenant, about, id);
create index alert_message_of on alert (tenant, message);
create index alert_waiting on alert (tenant, state, held_until, channel);

-- A message is what is sent: one alert, or several in a digest. Its id is the same at every try.
create table alert_message (
	tenant text not null,
	id text not null,
	channel text not null,
	kind text not null,
	alerts bigint not null,
	state text not null,
	created bigint not null,
	due bigint not null,
	tries bigint not null default 0,
	ended bigint not null default 0,
	because text not null default '',
	mend text not null default '',
	primary key (tenant, id)
);
create index alert_message_channel on alert_message (tenant, channel, created);
create index alert_message_due on alert_message (tenant, state, due);

-- A try is written before anything is sent; one without an outcome was cut off by the end of the process.
create table alert_try (
	tenant text not null,
	message text not null,
	n bigint not null,
	at bigint not null,
	outcome text not null,
	status bigint not null default 0,
	took bigint not null default 0,
	because text not null default '',
	primary key (tenant, message, n)
);

-- A snooze keeps alerts of a finding, of a rule or to a channel back until its end.
create table snooze (
	tenant text not null,
	id text not null,
	scope text not null,
	value text not null,
	until bigint not null,
	reason text not null,
	created bigint not null,
	created_by text not null,
	primary key (tenant, id)
);

-- Whom a finding names beside the one it is about, by a rule of theirs that has a part in it.
create table finding_part (
	tenant text not null,
	finding text not null,
	person text not null,
	rule text not null,
	primary key (tenant, finding, person, rule)
);
create index finding_part_person on finding_part (tenant, person, rule);

-- What people did here: every operation that changes something, done or refused. tenant is * for the installation's own.
-- subject is what its address named, detail what of its body may be shown; secrets are in neither.
create table trail (
	tenant text not null,
	id text not null,
	at bigint not null,
	account text not null,
	email text not null,
	by_token text not null default '',
	address text not null default '',
	operation text not null,
	subject text not null,
	detail text not null,
	outcome text not null,
	because text not null default '',
	primary key (tenant, id)
);
create index trail_id on trail (id);

-- Who is signed in where. A session whose row has ended, or is not there, is worth nothing.
create table signed_in (
	id text primary key,
	account text not null,
	way text not null,
	begun bigint not null,
	seen bigint not null,
	address text not null,
	agent text not null,
	ends bigint not null,
	ended bigint not null default 0
);
create index signed_in_account on signed_in (account, seen);

-- What a connection was refused, or did not get, when it was asked last: by whom it was asked (a source, the look at what is
-- granted, an act, a search) and by the call. What lasts outweighs what is granted; what passes does not.
create table refusal (
	tenant text not null,
	connection text not null,
	source text not null,
	call text not null,
	because text not null,
	mend text not null,
	lasting boolean not null,
	at bigint not null,
	primary key (tenant, connection, source, call)
);

-- That Graph tells us of a mailbox's mail: one subscription for each mailbox, as we know of it. signal is what Graph said
-- of it that is not dealt with yet.
create table subscription (
	tenant text not null,
	person text not null,
	connection text not null,
	id text not null default '',
	address text not null default '',
	state text not null default 'wanted',
	because text not null default '',
	mend text not null default '',
	created bigint not null default 0,
	expires bigint not null default 0,
	due bigint not null default 0,
	tries bigint not null default 0,
	signal text not null default '',
	form text not null default 'basic',
	made text not null default 'basic',
	certificate text not null default '',
	former text not null default '',
	changes text not null default 'created,updated,deleted',
	primary key (tenant, person)
);
create index subscription_due on subscription (tenant, due);
create index subscription_state on subscription (tenant, state);

-- The ledger of a mailbox: since when every change of it is told to us, what was heard last, and how many messages came
-- and went between two looks, so that nobody can say what they were. checked is when it was last seen, without being told,
-- whether anything had been left out. folders are ids by Graph's well-known names.
create table mail_ledger (
	tenant text not null,
	person text not null,
	folders text not null default '{}',
	since bigint not null default 0,
	heard bigint not null default 0,
	unseen bigint not null default 0,
	checked bigint not null default 0,
	unwatched bigint not null default 0,
	primary key (tenant, person)
);

-- A time of which not every change was told to us. It is closed by looking at what changed since; lost says what cannot
-- be found out any more.
create table mail_gap (
	tenant text not null,
	person text not null,
	began bigint not null,
	ended bigint not null,
	because text not null,
	closed bigint not null default 0,
	found bigint not null default 0,
	lost text not null default '',
	tries bigint not null default 0,
	due bigint not null default 0,
	trouble text not null default '',
	primary key (tenant, person, began)
);
create index mail_gap_due on mail_gap (tenant, due, began) where closed = 0;
create index mail_gap_open on mail_gap (tenant, closed);
create index mail_gap_order on mail_gap (tenant, (case when closed = 0 then 1 else 0 end), began, person);

-- The certificates for which Microsoft Graph encrypts what changed, of the whole installation. Graph has what is public
-- (base64 of the DER); sealed is the private key. replaced is when a newer one took its place, 0 while it is the newest: it
-- is kept until nothing can come any more that was encrypted for it.
create table certificate (
	id text primary key,
	public text not null,
	sealed bytea not null,
	made bigint not null,
	expires bigint not null,
	replaced bigint not null default 0
);

-- How a connection's mail is watched. A connection without a row has what stands here as defaults. mailboxes: all, only (what
-- stream_scope names) or except (all but that). folders: Graph's well-known names of those whose mail is not kept. changes: the
-- types of changes that Graph is asked to tell of. batch: looks in one request. gather: for how long a run is gathered, in
-- milliseconds.
create table stream_setting (
	tenant text not null,
	connection text not null,
	mailboxes text not null default 'all',
	folders text not null default '[]',
	changes text not null default 'created,updated,deleted',
	form text not null default 'basic',
	batch bigint not null default 20,
	gather bigint not null default 0,
	hashing boolean not null default false,
	version bigint not null default 1,
	changed bigint not null default 0,
	changed_by text not null default '',
	primary key (tenant, connection)
);

-- Whom the setting names. kind: person (an id), department (as the directory writes it), domain, group (an id).
create table stream_scope (
	tenant text not null,
	connection text not null,
	kind text not null,
	value text not null,
	primary key (tenant, connection, kind, value)
);

-- A mailbox that is told of in another form than its connection's others: basic or rich.
create table stream_form (
	tenant text not null,
	connection text not null,
	person text not null,
	form text not null,
	primary key (tenant, connection, person)
);

-- The members of the groups that settings name, at every depth, and when they were read; 0: not yet.
create table scope_group (
	tenant text not null,
	group_id text not null,
	seen bigint not null default 0,
	primary key (tenant, group_id)
);

create table scope_member (
	tenant text not null,
	group_id text not null,
	person text not null,
	primary key (tenant, person, group_id)
);

-- Keys of a tenant's own, sealed: hash is that by which names are hashed.
create table tenant_key (
	tenant text not null,
	name text not null,
	sealed bytea not null,
	created bigint not null,
	primary key (tenant, name)
);

-- What will be seen in a mailbox because of something that we do there: a change that is noticed from since until until is
-- the act's, once.
create table echo (
	tenant text not null,
	person text not null,
	object text not null,
	change text not null,
	act text not null,
	since bigint not null,
	until bigint not null,
	primary key (tenant, person, object, change, act)
);

-- The folders of mailboxes, as they were seen last. known is Graph's name in every language, where it is such a folder.
create table mail_folder (
	tenant text not null,
	id text not null,
	person text not null,
	name text not null,
	parent text not null default '',
	known text not null default '',
	hidden boolean not null default false,
	seen bigint not null,
	changed bigint not null default 0,
	deleted bigint not null default 0,
	primary key (tenant, id, person)
);
create index mail_folder_person on mail_folder (tenant, person);

-- Where the look at a mailbox's folders stands: the delta token, when all of them were known first, when the hidden ones
-- were looked at, and when the next look is due.
create table folder_look (
	tenant text not null,
	person text not null,
	token text not null default '',
	whole bigint not null default 0,
	hidden bigint not null default 0,
	due bigint not null default 0,
	tries bigint not null default 0,
	because text not null default '',
	primary key (tenant, person)
);
create index folder_look_due on folder_look (tenant, due);

-- How many messages came to a mailbox in an hour, until that is learned; and what is usual for each hour of the week. The
-- tenant as a whole has no person. learned is the hour up to which was learned, heard when the last message came.
create table mail_hour (
	tenant text not null,
	hour bigint not null,
	person text not null,
	n bigint not null,
	primary key (tenant, person, hour)
);
create index mail_hour_hour on mail_hour (tenant, hour);

create table mail_usual (
	tenant text not null,
	person text not null,
	weeks text not null default '{}',
	learned bigint not null default 0,
	heard bigint not null default 0,
	primary key (tenant, person)
);

-- A mailbox, or the whole tenant, to which nothing came though it should have. lost says that something had come, and
-- nobody told us. expected is in thousandths of a message.
create table silence (
	tenant text not null,
	person text not null,
	began bigint not null,
	found bigint not null,
	expected bigint not null,
	lost boolean not null,
	ended bigint not null default 0,
	primary key (tenant, person, began)
);
create index silence_open on silence (tenant, ended);

-- The canary: which mailbox a draft is made in, and what came of each try. way is active (a draft of ours) or passive (the
-- newest message of a busy mailbox).
create table canary (
	tenant text not null,
	mailbox text not null default '',
	person text not null default '',
	version bigint not null default 1,
	primary key (tenant)
);

create table canary_try (
	tenant text not null,
	id text not null,
	way text not null,
	person text not null,
	object text not null default '',
	at bigint not null,
	heard bigint not null default 0,
	lag bigint not null default 0,
	because text not null default '',
	mend text not null default '',
	cleared boolean not null default true,
	primary key (tenant, id)
);
create index canary_try_at on canary_try (tenant, at);

-- How many things of a tenant there have been to export: the place of the last. The row stands while the tenant has exports
-- (wanted); where none are wanted, nothing is noted.
create table export_place (
	tenant text not null,
	wanted boolean not null,
	last bigint not null,
	primary key (tenant)
);

-- What one transaction brought that exports may want, in its order: ids of events, and of findings and actions that changed.
-- last is the place of the last of them. The place is given out at the end of the transaction and held until its commit, so
-- who has read one place meets no lower one later.
create table export_run (
	tenant text not null,
	last bigint not null,
	at bigint not null,
	things text not null,
	primary key (tenant, last)
);
create index export_run_at on export_run (tenant, at);

-- An export: where events go, in which form, and how far it has come. sealed holds what is never shown again. done is the
-- place of the last thing that was dealt with, done_at when that had come. Lost is what was deleted before it could be sent.
create table export (
	tenant text not null,
	id text not null,
	kind text not null,
	name text not null,
	settings text not null,
	sealed bytea not null,
	state text not null,
	because text not null default '',
	mend text not null default '',
	done bigint not null,
	done_at bigint not null,
	sent bigint not null default 0,
	sent_at bigint not null default 0,
	failures bigint not null default 0,
	failed bigint not null default 0,
	next bigint not null default 0,
	buried bigint not null default 0,
	lost bigint not null default 0,
	lost_from bigint not null default 0,
	lost_to bigint not null default 0,
	created bigint not null,
	created_by text not null,
	version bigint not null default 1,
	trouble text not null default '',
	troubled bigint not null default 0,
	back_from bigint not null default 0,
	back_to bigint not null default 0,
	back_at bigint not null default 0,
	back_id text not null default '',
	back_place bigint not null default 0,
	back_sent bigint not null default 0,
	primary key (tenant, id)
);

-- Events that a receiver refused while it took others.
create table export_refused (
	tenant text not null,
	export text not null,
	event text not null,
	at bigint not null,
	because text not null,
	body text not null,
	primary key (tenant, export, event)
);
create index export_refused_at on export_refused (tenant, at);

-- What the folds of mail told, counted by the minute and by the hour, so that no page counts events. what is an action,
-- or lag/ and the milliseconds below which a notification was queryable.
create table mail_tally (
	tenant text not null,
	grain bigint not null,
	at bigint not null,
	what text not null,
	n bigint not null,
	primary key (tenant, grain, at, what)
);
create index mail_tally_at on mail_tally (grain, at);

-- How many days a kind of data is kept, where it was set.
create table retention (
	class text primary key,
	days bigint not null
);

-- Each message as it was seen last: what differs at the next look is an event. key is a hash of Graph's id. body (JSON) says what no
-- other column does.
create table "mail" (
	tenant text not null,
	person text not null,
	key text not null,
	native text not null,
	folder text not null,
	is_read boolean not null,
	is_draft boolean not null,
	flag text not null,
	verb text not null,
	rest text not null,
	received bigint not null,
	modified bigint not null,
	body text not null,
	changed bigint not null,
	deleted bigint not null default 0,
	primary key (tenant, person, key)
);

-- Up to which event (at, id) a look into the past has come, and which place was the last when it looked: an event behind that
-- place is not among what was seen, though it may be older.
create table export_back (
	tenant text not null,
	export text not null,
	at bigint not null,
	id text not null,
	place bigint not null,
	primary key (tenant, export, at, id)
);

-- Who may have to be watched, or no longer, since what is known of them has changed.
create table watch_due (
	tenant text not null,
	person text not null,
	primary key (tenant, person)
);

-- How a large tenant's mailboxes stand, counted beside what changes them, so that no page counts them.
create table stream_count (
	tenant text not null,
	at bigint not null,
	body text not null,
	primary key (tenant)
);

-- Sign-ins as the directory tells of them, however they came (Graph, file): record is the row of audit_record that has the whole.
-- kind is interactive, non_interactive, service_principal or managed_identity; result success, failure or interrupted; mfa how a
-- second factor was met (asked, claim, refused), single where none was wanted, '' where it is not known. latitude and longitude
-- are texts, '' where the place is not known.
create table sign_in (
	tenant text not null,
	id text not null,
	record text not null,
	at bigint not null,
	seen bigint not null,
	kind text not null,
	person text not null default '',
	actor text not null,
	app text not null default '',
	app_id text not null default '',
	resource text not null default '',
	ip text not null default '',
	asn text not null default '',
	country text not null default '',
	city text not null default '',
	latitude text not null default '',
	longitude text not null default '',
	client text not null default '',
	protocol text not null default '',
	system text not null default '',
	browser text not null default '',
	device text not null default '',
	compliant text not null default '',
	result text not null,
	error text not null default '',
	reason text not null default '',
	mfa text not null default '',
	risk text not null default '',
	policy text not null default '',
	session text not null default '',
	primary key (tenant, id)
);
create index sign_in_app on sign_in (tenant, app_id, at);
create index sign_in_at on sign_in (tenant, at, id);
create index sign_in_country on sign_in (tenant, country, at);
create index sign_in_ip on sign_in (tenant, ip, at);
create index sign_in_person on sign_in (tenant, person, at);

-- Networks that the organisation has told of: an address, a range (203.0.113.0/24) or an autonomous system (AS9009), and what it is:
-- office, relay, vpn or hosting.
create table network (
	tenant text not null,
	network text not null,
	kind text not null,
	name text not null default '',
	at bigint not null,
	primary key (tenant, network)
);

-- What the tenant is set to, as Graph has it: every object of a path, such as /identity/conditionalAccess/policies. A change is
-- told by another hash of the body; changed is when that was seen, deleted when it was no longer there (0 while it is).
create table state_object (
	tenant text not null,
	path text not null,
	id text not null,
	name text not null,
	body text not null,
	hash text not null,
	seen bigint not null,
	changed bigint not null,
	deleted bigint not null,
	about text not null default '',
	primary key (tenant, path, id)
);
create index state_object_about on state_object (tenant, path, about) where about <> '';

-- The paths that are read: when last whole, when something in it last changed, and why it could not be read.
create table state_path (
	tenant text not null,
	path text not null,
	read_at bigint not null,
	changed bigint not null,
	reason text not null,
	because text not null,
	token text not null default '',
	whole bigint not null default 0,
	edition bigint not null default 0,
	judged bigint not null default 0,
	listed bigint not null default 0,
	primary key (tenant, path)
);

-- What each check came to; found is a list of objects as JSON, since when it is so.
create table posture_result (
	tenant text not null,
	id text not null,
	status text not null,
	reason text not null,
	why text not null,
	found text not null,
	owner text not null,
	expires bigint not null,
	since bigint not null,
	judged bigint not null,
	rests text not null default '',
	whole bigint not null default 0,
	n bigint not null default 0,
	primary key (tenant, id)
);

create table playbook_run (
	tenant text not null,
	id text not null,
	playbook text not null,
	person text not null,
	who text not null,
	finding text not null default '',
	why text not null,
	asked_by text not null,
	asked_email text not null,
	created bigint not null,
	version bigint not null default 0,
	undoes text not null default '',
	primary key (tenant, id)
);

-- What joins of what was found about a person within days: one attack, as far as can be told. takeover is the finding that says so
-- where it has the form of a takeover, else ''. stages, attack and terms are JSON; open is how many of its findings are.
create table attack_story (
	tenant text not null,
	id text not null,
	person text not null,
	who text not null,
	title text not null,
	why text not null,
	severity text not null,
	severity_rank bigint not null,
	score bigint not null,
	stage text not null,
	stages text not null,
	attack text not null,
	terms text not null,
	takeover text not null,
	began bigint not null,
	ended bigint not null,
	findings bigint not null,
	open bigint not null,
	changed bigint not null,
	primary key (tenant, id)
);
create index attack_story_person on attack_story (tenant, person, began);
create index attack_story_worst on attack_story (tenant, severity_rank, score, ended, id);

-- The findings of a story. A finding is of one story at most.
create table attack_story_part (
	tenant text not null,
	finding text not null,
	story text not null,
	primary key (tenant, finding)
);
create index attack_story_part_story on attack_story_part (tenant, story);

-- How much a person is at risk now, and why (JSON). due is when it is to be reckoned again, since it decays; 0: not before
-- something happens.
create table identity_risk (
	tenant text not null,
	person text not null,
	risk bigint not null,
	terms text not null,
	judged bigint not null,
	due bigint not null,
	primary key (tenant, person)
);
create index identity_risk_due on identity_risk (tenant, due);
create index identity_risk_worst on identity_risk (tenant, risk, person);

-- What it was at each time at which it changed.
create table identity_risk_change (
	tenant text not null,
	person text not null,
	at bigint not null,
	risk bigint not null,
	why text not null,
	primary key (tenant, person, at)
);
create index identity_risk_change_at on identity_risk_change (tenant, at);

-- What Microsoft's Identity Protection says of a person (kind user) or of an application's principal (kind application). level is
-- low, medium, high, hidden or none, state as Microsoft has it, in our words: at_risk, confirmed, remediated, dismissed, safe, none.
create table protection (
	tenant text not null,
	object_id text not null,
	kind text not null,
	person text not null,
	name text not null,
	level text not null,
	state text not null,
	detail text not null,
	at bigint not null,
	seen bigint not null,
	primary key (tenant, object_id)
);
create index protection_person on protection (tenant, person);

-- Detections that the customer wrote: Sigma rules. name is what findings are filed under and never changes; state is draft, testing
-- (hits are counted, nothing is filed), live or off; origin is the file of the folder it came from, else ''. level is the author's
-- word for the severity, sources the logs it reads (JSON). noisy is when it last filed as many findings in a day as one may. samples
-- is JSON: the last records that it met.
create table own_rule (
	tenant text not null,
	id text not null,
	name text not null,
	title text not null,
	level text not null,
	state text not null,
	origin text not null default '',
	sources text not null,
	version bigint not null,
	hits bigint not null default 0,
	last_hit bigint not null default 0,
	noisy bigint not null default 0,
	created bigint not null,
	created_by text not null,
	changed bigint not null,
	changed_by text not null,
	samples text not null default '[]',
	text text not null,
	primary key (tenant, id)
);
CREATE UNIQUE INDEX own_rule_name on own_rule (tenant, name);

-- Each text that it had, and each change of its state.
create table own_rule_version (
	tenant text not null,
	rule text not null,
	version bigint not null,
	at bigint not null,
	who text not null,
	state text not null,
	text text not null,
	primary key (tenant, rule, version)
);

-- How often it spoke on a day (the day's first millisecond, UTC).
create table own_rule_day (
	tenant text not null,
	rule text not null,
	day bigint not null,
	hits bigint not null,
	primary key (tenant, rule, day)
);

-- Another text at every change of any of them, so that whoever compiled them knows when to do so again.
create table own_rule_set (
	tenant text not null,
	edition text not null,
	primary key (tenant)
);

-- The roles of the directory that somebody has or may take: given directly, or by the group via. how is permanent, active (for a
-- time) or eligible, role the template's id, highest 1 where it can give itself any other; ends is 0 where it does not. person is as
-- in table person; what an application has is nobody's there. since is when it was first seen.
create table role_holding (
	tenant text not null,
	id text not null,
	object_id text not null,
	person text not null,
	role text not null,
	name text not null,
	how text not null,
	via text not null,
	via_name text not null,
	scope text not null,
	highest bigint not null,
	ends bigint not null,
	since bigint not null,
	primary key (tenant, id)
);
create index role_holding_person on role_holding (tenant, person);

-- What was learned of a tenant's mail: all days up to shut (days since 1970) are closed, and the mail that the facts up to fact
-- tell of was taken. began is the first day that was learned. Whoever writes counts version up, so that two who learn at once do
-- not mix.
create table learned (
	tenant text not null,
	shut bigint not null,
	fact bigint not null,
	began bigint not null,
	version bigint not null,
	primary key (tenant)
);

-- The parts of it as of the end of a day: what the tenant has in common (kind tenant, in pieces), and each persona (kind person).
-- The newest of a key up to learned.shut counts; what is of a later day was written by one who did not come to its end.
create table learned_part (
	tenant text not null,
	kind text not null,
	key text not null,
	day bigint not null,
	body bytea not null,
	primary key (tenant, kind, key, day)
);

-- The mail of days that are not closed, as it came: what came with the facts up to fact, when all days up to shut were closed.
-- last is the last day that it is learned with.
create table learned_open (
	tenant text not null,
	fact bigint not null,
	part bigint not null,
	shut bigint not null,
	last bigint not null,
	body bytea not null,
	primary key (tenant, fact, part)
);

-- What a person did on a day, and what was usual for it. usual, low and high are mailings, in thousandths. outside are mailings
-- with somebody outside, files those of them with attachments.
create table persona_day (
	tenant text not null,
	person text not null,
	day bigint not null,
	sent bigint not null,
	received bigint not null,
	outside bigint not null,
	files bigint not null,
	usual bigint not null,
	low bigint not null,
	high bigint not null,
	primary key (tenant, person, day)
);

-- Whom a person has written to and heard from, ever. who is the other's person, '' where it is nobody of the directory. Times are
-- 0 where it never happened.
create table contact (
	tenant text not null,
	person text not null,
	address text not null,
	who text not null,
	outside boolean not null,
	first_sent bigint not null,
	last_sent bigint not null,
	sent bigint not null,
	first_received bigint not null,
	last_received bigint not null,
	received bigint not null,
	primary key (tenant, person, address)
);
create index contact_address on contact (tenant, address);

-- The same by the week, the first day of which (a Monday, days since 1970) is week.
create table contact_week (
	tenant text not null,
	week bigint not null,
	person text not null,
	address text not null,
	who text not null,
	outside boolean not null,
	sent bigint not null,
	received bigint not null,
	primary key (tenant, week, person, address)
);

-- How many mails all sent in a week, to an address each.
create table contact_total (
	tenant text not null,
	week bigint not null,
	sent bigint not null,
	primary key (tenant, week)
);

-- A person's day that is not as usual. one_in says how rarely a usual day is as odd. early is a day that was not over when it was
-- judged. odd are the addresses that it is about (JSON), finding the finding that was made of it. verdict is what somebody said of
-- it: '', false_alarm or confirmed.
create table anomaly (
	tenant text not null,
	id text not null,
	person text not null,
	day bigint not null,
	at bigint not null,
	class text not null,
	one_in bigint not null,
	why text not null,
	terms text not null,
	odd text not null,
	early boolean not null,
	finding text not null,
	found bigint not null,
	verdict text not null default '',
	said_by text not null default '',
	said bigint not null default 0,
	note text not null default '',
	primary key (tenant, id)
);
create index anomaly_at on anomaly (tenant, at, id);
create index anomaly_day on anomaly (tenant, day);
create index anomaly_finding on anomaly (tenant, finding);
create index anomaly_person on anomaly (tenant, person, at);

-- How a tenant has its people learned: budget is how many false alarms are allowed in 1,000 months of a person.
create table learn_settings (
	tenant text not null,
	is_off boolean not null,
	budget bigint not null,
	version bigint not null,
	changed bigint not null,
	changed_by text not null,
	primary key (tenant)
);

-- What lists of the directory are filtered and sorted by: a row for each group, guest, device, site and application. What a list
-- shows is read from the object itself, for a page of them; body is what is shown of an application, which is made of many objects.
-- id is folded, object as the directory has it; name and text (in which is looked) are folded. marks are words between spaces.
-- rank, at and seen are what it is sorted by before the name: at and seen are times in Unix ms, 0 where there is none.
create table listed (
	tenant text not null,
	kind text not null,
	id text not null,
	object text not null,
	name text not null,
	rank bigint not null,
	at bigint not null,
	seen bigint not null,
	marks text not null,
	text text not null,
	body text not null,
	primary key (tenant, kind, id)
);
create index listed_at on listed (tenant, kind, at, name, id, marks);
create index listed_name on listed (tenant, kind, rank, name, id, marks, text);
create index listed_seen on listed (tenant, kind, seen, name, id, marks);

-- Playbooks of the customer's own, and every version there was of each: body is the steps and where it is offered, as JSON. One that is
-- deleted is no longer offered; its versions stay, since runs name them.
create table playbook (
	tenant text not null,
	name text not null,
	version bigint not null,
	title text not null,
	body text not null,
	created bigint not null,
	changed bigint not null,
	deleted bigint not null,
	primary key (tenant, name)
);

create table playbook_version (
	tenant text not null,
	name text not null,
	version bigint not null,
	at bigint not null,
	who text not null,
	change text not null,
	note text not null,
	title text not null,
	body text not null,
	primary key (tenant, name, version)
);

-- Investigations: a query that is asked of mailboxes, once, by day and night (standing) or every so many minutes. query is KQL, scope
-- and act JSON: who is searched, and what is done with each match by itself,
-- as whoever (act_by, an account) set it. due is when the next search begins, ends when it expires
-- (0: never). run is the last search. depth is whole, or index: what Exchange's index gives, and no more.
create table investigation (
	tenant text not null,
	id text not null,
	name text not null,
	query text not null,
	scope text not null default '{}',
	mode text not null default 'once',
	depth text not null default 'whole',
	every bigint not null default 0,
	act text not null default '{}',
	act_by text not null default '',
	status text not null default 'draft',
	because text not null default '',
	mend text not null default '',
	reason text not null default '',
	connection text not null default '',
	made_from text not null default '',
	run text not null default '',
	due bigint not null default 0,
	ends bigint not null default 0,
	created bigint not null,
	created_by text not null,
	changed bigint not null,
	version bigint not null default 1,
	primary key (tenant, id)
);
create index investigation_status on investigation (tenant, status, due);

-- Every version there was of an investigation, and who made it.
create table investigation_version (
	tenant text not null,
	investigation text not null,
	version bigint not null,
	at bigint not null,
	who text not null,
	note text not null,
	body text not null,
	primary key (tenant, investigation, version)
);

-- A search: an investigation's query asked of every mailbox in its scope once. cause is who or what began it: an account, the schedule,
-- the standing query. The counts are of search_mailbox, brought up to date as mailboxes end; glanced are mailboxes that had a first, quick
-- look; looked are messages whose metadata was read, fetched those of which content was, calls are the requests. trace says what became of the message trace, plan what was foreseen.
create table search_run (
	tenant text not null,
	id text not null,
	investigation text not null,
	n bigint not null,
	version bigint not null,
	query text not null,
	cause text not null,
	state text not null,
	because text not null default '',
	mend text not null default '',
	prepared boolean not null default false,
	mailboxes bigint not null default 0,
	glanced bigint not null default 0,
	searched bigint not null default 0,
	incomplete bigint not null default 0,
	out_of_scope bigint not null default 0,
	matches bigint not null default 0,
	looked bigint not null default 0,
	fetched bigint not null default 0,
	calls bigint not null default 0,
	trace text not null default '{}',
	plan text not null default '{}',
	started bigint not null,
	first_match bigint not null default 0,
	resumed bigint not null default 0,
	worked bigint not null default 0,
	ended bigint not null default 0,
	since bigint not null default 0,
	primary key (tenant, id)
);
create index search_run_of on search_run (tenant, investigation, n);
create index search_run_state on search_run (tenant, state);

-- What becomes of one mailbox in a search: waiting, searched, incomplete or out_of_scope, and why. rank is the order: a first look at those that
-- the message trace names (0) and at the others (1), then the whole of these (2) and of those (3). place is how far a search of it has come, as JSON; due is when it is tried again.
create table search_mailbox (
	tenant text not null,
	run text not null,
	person text not null,
	address text not null,
	object_id text not null,
	state text not null,
	because text not null default '',
	mend text not null default '',
	rank bigint not null default 3,
	place text not null default '',
	looked bigint not null default 0,
	fetched bigint not null default 0,
	matches bigint not null default 0,
	tries bigint not null default 0,
	due bigint not null default 0,
	changed bigint not null,
	primary key (tenant, run, person)
);
create index search_mailbox_state on search_mailbox (tenant, run, state, rank, person);

-- A message that an investigation found: once, however often it is met again. message is Graph's immutable id. truth is yes, or unknown where
-- what would decide it could not be read. state: found, dealt (an act was asked for), acted, restored, gone. cluster is the group of
-- near copies it is of.
create table mail_match (
	tenant text not null,
	investigation text not null,
	person text not null,
	message text not null,
	id text not null,
	address text not null,
	internet_message_id text not null,
	conversation text not null,
	sender text not null,
	sender_name text not null,
	sender_domain text not null,
	recipients text not null default '[]',
	subject text not null,
	received bigint not null,
	day text not null,
	folder text not null,
	folder_name text not null,
	is_read boolean not null default false,
	has_attachments boolean not null default false,
	direction text not null default 'received',
	importance text not null default '',
	flag text not null default '',
	categories text not null default '[]',
	department text not null default '',
	truth text not null default 'yes',
	why text not null default '[]',
	links text not null default '[]',
	attachments text not null default '[]',
	cluster text not null default '',
	run text not null default '',
	way text not null default 'search',
	state text not null default 'found',
	found bigint not null,
	seen bigint not null,
	changed bigint not null,
	primary key (tenant, investigation, person, message)
);
create index mail_match_cluster on mail_match (tenant, investigation, cluster);
CREATE UNIQUE INDEX mail_match_id on mail_match (tenant, id);
create index mail_match_mail on mail_match (tenant, internet_message_id);
create index mail_match_received on mail_match (tenant, investigation, received, id);
create index mail_match_state on mail_match (tenant, investigation, state, truth);

-- A group of near copies among an investigation's matches: a campaign's variants. body is what new matches are held against, as JSON.
create table mail_cluster (
	tenant text not null,
	investigation text not null,
	id text not null,
	subject text not null,
	sender text not null,
	body text not null,
	created bigint not null,
	primary key (tenant, investigation, id)
);

-- What message traces told of an investigation: who was sent a mail of its kind, and what became of it on its way.
create table mail_trace (
	tenant text not null,
	investigation text not null,
	id text not null,
	recipient text not null,
	person text not null default '',
	sender text not null,
	subject text not null,
	internet_message_id text not null,
	status text not null,
	received bigint not null,
	size bigint not null default 0,
	from_ip text not null default '',
	run text not null,
	primary key (tenant, investigation, id, recipient)
);
create index mail_trace_mail on mail_trace (tenant, investigation, internet_message_id);

-- Mail that came while an investigation stands, and is still to be matched: what was told of it. tries and due are of the next try.
create table standing_mail (
	tenant text not null,
	investigation text not null,
	person text not null,
	message text not null,
	at bigint not null,
	tries bigint not null default 0,
	due bigint not null default 0,
	because text not null default '',
	primary key (tenant, investigation, person, message)
);
create index standing_mail_due on standing_mail (tenant, due);

-- What was done to the mails that an investigation found, or is to be: asked for, approved, run, ended, restored. plan has what
-- was said before (whom it reaches, samples, what stands against it), options how it is done; epoch is the investigation's
-- version where it acts by itself.
create table mail_act (
	tenant text not null,
	id text not null,
	investigation text not null,
	kind text not null,
	state text not null,
	restores text not null default '',
	restored_by text not null default '',
	by_itself boolean not null default false,
	epoch bigint not null default 0,
	options text not null,
	why text not null,
	plan text not null,
	asked_by text not null,
	asked_email text not null,
	approved_by text not null default '',
	approved_email text not null default '',
	connection text not null default '',
	because text not null default '',
	mend text not null default '',
	due bigint not null default 0,
	created bigint not null,
	changed bigint not null,
	began bigint not null default 0,
	ended bigint not null default 0,
	version bigint not null default 1,
	primary key (tenant, id)
);
create index mail_act_created on mail_act (tenant, created);
create index mail_act_investigation on mail_act (tenant, investigation, id);
create index mail_act_state on mail_act (tenant, state, due);

-- The ledger: a row for each message, or for the notice in a mailbox (part). before and after are the message as it was read
-- (JSON: id, folder, read, flag, categories); sent is when something went out for it last and is written before it goes,
-- accepted when Microsoft said yes. moved_to is its id afterwards, where that is another.
create table mail_act_item (
	tenant text not null,
	act text not null,
	id text not null,
	part text not null,
	person text not null,
	object_id text not null,
	who text not null,
	message text not null,
	internet_message_id text not null default '',
	sender text not null default '',
	subject text not null default '',
	received bigint not null default 0,
	original text not null default '',
	state text not null,
	because text not null default '',
	mend text not null default '',
	before text not null default '',
	after text not null default '',
	moved_to text not null default '',
	tries bigint not null default 0,
	due bigint not null default 0,
	sent bigint not null default 0,
	accepted bigint not null default 0,
	changed bigint not null default 0,
	primary key (tenant, act, id)
);
create index mail_act_item_due on mail_act_item (tenant, act, state, due);
create index mail_act_item_message on mail_act_item (tenant, person, message);
create index mail_act_item_person on mail_act_item (tenant, act, person);

-- How many items of an act are in each state, so that progress costs nothing to show.
create table mail_act_count (
	tenant text not null,
	act text not null,
	part text not null,
	state text not null,
	n bigint not null,
	primary key (tenant, act, part, state)
);

create table mail_act_change (
	tenant text not null,
	act text not null,
	id text not null,
	at bigint not null,
	who text not null,
	change text not null,
	note text not null default '',
	primary key (tenant, act, id)
);

-- How a tenant lets mails be acted on: limits, and whether they may be deleted for good. One row a tenant, of JSON.
create table mail_act_settings (
	tenant text not null,
	body text not null,
	changed bigint not null,
	changed_by text not null,
	version bigint not null default 1,
	primary key (tenant)
);

-- What a connection that investigates mail is configured for: in whose mailbox it is tried, and where it may search and act at all.
-- all_domains: in every mailbox of the tenant, else in those of its rows of mail_domain. What the last test found is tests (JSON, a
-- row for each thing that was tried); tested is when, 0 before the first, and passed says whether all went well. testing is since
-- when a test is under way, 0 while none is. draft is the draft that a test is about to make in that mailbox, or made and did not
-- take away yet: its mark, and its id (draft_id) once it is known.
create table mail_configuration (
	tenant text not null,
	connection text not null,
	test_address text not null,
	all_domains boolean not null,
	tested bigint not null default 0,
	passed boolean not null default false,
	tests text not null default '[]',
	testing bigint not null default 0,
	draft text not null default '',
	draft_id text not null default '',
	created bigint not null,
	changed bigint not null,
	version bigint not null,
	primary key (tenant, connection)
);

-- The domains of whose mailboxes a mail configuration may search and act.
create table mail_domain (
	tenant text not null,
	connection text not null,
	domain text not null,
	primary key (tenant, connection, domain)
);

-- What is done with mails that people report: body is JSON. sealed holds the key in the address of the add-in, key_hash is what it is held against.
create table reported_settings (
	tenant text not null,
	body text not null,
	sealed bytea not null,
	key_hash text not null,
	changed bigint not null,
	changed_by text not null,
	version bigint not null,
	primary key (tenant)
);

-- How far the mailbox is read to which people send what they report. since is when the newest of it came that was dealt with, asked when
-- it was looked into last, because and mend why it cannot be.
create table reported_inbox (
	tenant text not null,
	person text not null,
	since bigint not null,
	asked bigint not null default 0,
	because text not null default '',
	mend text not null default '',
	primary key (tenant, person)
);

-- A message of that mailbox that was dealt with, so that each is once: what became of it, and how often it was tried.
create table reported_seen (
	tenant text not null,
	message text not null,
	at bigint not null,
	outcome text not null,
	because text not null default '',
	tries bigint not null default 0,
	due bigint not null default 0,
	primary key (tenant, message)
);

-- A mail that somebody reported. way is mailbox (attached), forwarded (its text in another) or addin; source the message it was reported by,
-- part which of those attached. person and message are where it lies (message is Graph's immutable id), state whether that is known: looking,
-- found, lost (because). alike is equal for reports of the same mail. read_from is JSON: what was read of it, links and attachments.
create table reported_mail (
	tenant text not null,
	id text not null,
	at bigint not null,
	way text not null,
	source text not null,
	part bigint not null,
	reporter text not null,
	reporter_name text not null,
	reporter_person text not null,
	proven boolean not null,
	note text not null,
	person text not null default '',
	message text not null default '',
	folder text not null default '',
	state text not null,
	because text not null default '',
	mend text not null default '',
	internet_message_id text not null default '',
	sender text not null default '',
	sender_name text not null default '',
	sender_domain text not null default '',
	subject text not null default '',
	received bigint not null default 0,
	has_attachments boolean not null default false,
	read_from text not null default '{}',
	alike text not null default '',
	evidence text not null default '',
	status text not null default 'open',
	verdict text not null default '',
	judged bigint not null default 0,
	judged_by text not null default '',
	owner text not null default '',
	investigation text not null default '',
	tries bigint not null default 0,
	due bigint not null default 0,
	changed bigint not null,
	version bigint not null default 1,
	primary key (tenant, id)
);
create index reported_mail_alike on reported_mail (tenant, alike);
create index reported_mail_at on reported_mail (tenant, at, id);
create index reported_mail_investigation on reported_mail (tenant, investigation) where investigation <> '';
CREATE UNIQUE INDEX reported_mail_source on reported_mail (tenant, source, part);
create index reported_mail_state on reported_mail (tenant, state, due);
create index reported_mail_status on reported_mail (tenant, status, at, id);

-- What became of a report, by whom.
create table reported_change (
	tenant text not null,
	id text not null,
	reported text not null,
	at bigint not null,
	who text not null,
	change text not null,
	note text not null,
	primary key (tenant, id)
);
create index reported_change_of on reported_change (tenant, reported, id);

-- An answer to who reported. It is sent at most once: mark is its Message-ID, by which it is found again; draft the draft's immutable id.
-- way is send (a draft of the reports mailbox is sent) or place (put into the reporter's mailbox, where sending is not granted).
-- state: waiting, drafting, drafted, sending, sent, unknown, failed.
create table reported_reply (
	tenant text not null,
	id text not null,
	reported text not null,
	kind text not null,
	address text not null,
	person text not null,
	subject text not null,
	body text not null,
	way text not null default '',
	mailbox text not null default '',
	mark text not null,
	draft text not null default '',
	state text not null,
	because text not null default '',
	mend text not null default '',
	tries bigint not null default 0,
	due bigint not null default 0,
	created bigint not null,
	created_by text not null,
	changed bigint not null,
	primary key (tenant, id)
);
create index reported_reply_of on reported_reply (tenant, reported, id);
create index reported_reply_state on reported_reply (tenant, state, due);

-- A mail that is kept as evidence, as it was read. sealed holds the key of its own with which body is encrypted (AES-256-GCM), sha256 is of
-- the plain bytes. origin is report, match or act, and origin_id which.
create table evidence (
	tenant text not null,
	id text not null,
	at bigint not null,
	kept_by text not null,
	reason text not null,
	origin text not null,
	origin_id text not null,
	person text not null,
	message text not null,
	internet_message_id text not null,
	sender text not null,
	subject text not null,
	received bigint not null,
	sha256 text not null,
	size bigint not null,
	sealed bytea not null,
	body bytea not null,
	primary key (tenant, id)
);
create index evidence_at on evidence (tenant, at);
create index evidence_mail on evidence (tenant, person, message);
create index evidence_of on evidence (tenant, origin, origin_id, id);

-- Every look at a mail's content, and at what is kept: who, why, what was done. evidence is '' where a message was shown that is not kept.
create table evidence_look (
	tenant text not null,
	id text not null,
	evidence text not null,
	origin text not null,
	origin_id text not null,
	person text not null,
	message text not null,
	at bigint not null,
	who text not null,
	reason text not null,
	what text not null,
	primary key (tenant, id)
);
create index evidence_look_at on evidence_look (tenant, at);
create index evidence_look_of on evidence_look (tenant, evidence, id);
create index evidence_look_origin on evidence_look (tenant, origin, origin_id, id);

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

-- A shared mailbox as a team inbox. It outlives its address and its connection: connection is '' while it is disconnected.
-- sending is unknown, as (Send As), behalf (Send on Behalf) or refused. sealed is the inbox's own key: what is kept of its mail is encrypted with it.
-- since is when the first reading began: what came before it is history, and raises nothing. floor is how far back is read (0: everything).
-- filling is due, done or cancelled. tree is where the changes of its folders go on; looked when the mailbox was last read without trouble.
create table inbox (
	tenant text not null,
	id text not null,
	name text not null,
	address text not null,
	person text not null default '',
	connection text not null default '',
	state text not null,
	because text not null default '',
	mend text not null default '',
	sending text not null default 'unknown',
	sending_because text not null default '',
	sending_at bigint not null default 0,
	backfill_days bigint not null default 30,
	retention_days bigint not null default 0,
	since bigint not null default 0,
	floor bigint not null default 0,
	filling text not null default 'due',
	tree text not null default '',
	looked bigint not null default 0,
	settings text not null default '{}',
	sealed bytea not null,
	numbers bigint not null default 0,
	created bigint not null,
	changed bigint not null,
	version bigint not null default 1,
	primary key (tenant, id)
);
CREATE UNIQUE INDEX inbox_address on inbox (tenant, address);

-- Who works in an inbox: accounts and teams.
create table inbox_team (
	tenant text not null,
	id text not null,
	name text not null,
	created bigint not null,
	version bigint not null default 1,
	primary key (tenant, id)
);

create table inbox_team_member (
	tenant text not null,
	team text not null,
	account text not null,
	primary key (tenant, team, account)
);
create index inbox_team_member_of on inbox_team_member (tenant, account, team);

create table inbox_member (
	tenant text not null,
	inbox text not null,
	kind text not null,
	member text not null,
	added bigint not null,
	primary key (tenant, inbox, kind, member)
);
create index inbox_member_of on inbox_member (tenant, member, inbox);

-- How far a folder is read: next is where a first reading goes on, delta where changes do (Graph's own addresses, with no token in them).
-- known is its well-known name. A folder that is not followed (drafts, say) is there for its name. began is when a reading of everything in it
-- began, reached the time of the oldest mail that it has come to.
create table inbox_folder (
	tenant text not null,
	inbox text not null,
	id text not null,
	name text not null,
	parent text not null default '',
	known text not null default '',
	hidden boolean not null default false,
	next text not null default '',
	delta text not null default '',
	filled bigint not null default 0,
	total bigint not null default 0,
	followed boolean not null default true,
	began bigint not null default 0,
	reached bigint not null default 0,
	floor bigint not null default 0,
	looked bigint not null default 0,
	primary key (tenant, inbox, id)
);

-- A conversation. n is its number in the inbox. state is open, waiting, snoozed, resolved or spam. merged names the thread it was merged into.
-- bare says that it begins with an answer. first_in, last_in and last_out are when the first and last mail came from outside and the last went out; waiting since when they wait for us.
create table inbox_thread (
	tenant text not null,
	inbox text not null,
	id text not null,
	n bigint not null,
	subject text not null,
	folded text not null default '',
	bare boolean not null default false,
	conversation text not null default '',
	from_address text not null default '',
	from_name text not null default '',
	preview text not null default '',
	state text not null default 'open',
	assignee text not null default '',
	team text not null default '',
	priority bigint not null default 2,
	snoozed bigint not null default 0,
	messages bigint not null default 0,
	unread bigint not null default 0,
	attachments boolean not null default false,
	first_in bigint not null default 0,
	last_in bigint not null default 0,
	last_out bigint not null default 0,
	waiting bigint not null default 0,
	answered bigint not null default 0,
	resolved bigint not null default 0,
	last bigint not null default 0,
	silent boolean not null default false,
	merged text not null default '',
	created bigint not null,
	changed bigint not null,
	version bigint not null default 1,
	primary key (tenant, inbox, id)
);
create index inbox_thread_assignee on inbox_thread (tenant, assignee, state, last, id);
create index inbox_thread_conversation on inbox_thread (tenant, inbox, conversation);
create index inbox_thread_first on inbox_thread (tenant, inbox, first_in);
create index inbox_thread_folded on inbox_thread (tenant, inbox, folded, last);
create index inbox_thread_from on inbox_thread (tenant, inbox, from_address, last, id);
create index inbox_thread_id on inbox_thread (tenant, id);
create index inbox_thread_last on inbox_thread (tenant, inbox, last, id);
CREATE UNIQUE INDEX inbox_thread_n on inbox_thread (tenant, inbox, n);
create index inbox_thread_snoozed on inbox_thread (tenant, state, snoozed);
create index inbox_thread_state on inbox_thread (tenant, inbox, state, last, id);
create index inbox_thread_work on inbox_thread (tenant, inbox, assignee, state, last, id);

-- A mail as the mailbox has it. id is Graph's immutable id. direction is in or out (sent by the inbox's address). body is the mail's HTML and
-- text, encrypted with the inbox's key; null while it was not read. gone is when it was deleted for good in the mailbox. folder is '' while it is
-- not known where it went, told when its mailbox last told of it. erased is when what it says was erased here on request: it does not come back.
create table inbox_message (
	tenant text not null,
	inbox text not null,
	id text not null,
	thread text not null,
	folder text not null,
	direction text not null,
	internet_id text not null default '',
	in_reply_to text not null default '',
	refers text not null default '[]',
	conversation text not null default '',
	subject text not null default '',
	preview text not null default '',
	from_address text not null default '',
	from_name text not null default '',
	sender_address text not null default '',
	reply_to text not null default '[]',
	to_list text not null default '[]',
	cc_list text not null default '[]',
	bcc_list text not null default '[]',
	authentication text not null default '',
	at bigint not null,
	received bigint not null default 0,
	sent bigint not null default 0,
	is_read boolean not null default false,
	draft boolean not null default false,
	flag text not null default '',
	importance text not null default '',
	categories text not null default '[]',
	has_attachments boolean not null default false,
	attachments text not null default '[]',
	size bigint not null default 0,
	etag text not null default '',
	body bytea,
	seen bigint not null,
	told bigint not null default 0,
	gone bigint not null default 0,
	erased bigint not null default 0,
	segment bigint not null default 0,
	primary key (tenant, inbox, id)
);
create index inbox_message_at on inbox_message (tenant, inbox, at, id);
create index inbox_message_folder on inbox_message (tenant, inbox, folder, at);
create index inbox_message_from on inbox_message (tenant, from_address, at);
create index inbox_message_internet on inbox_message (tenant, inbox, internet_id);
create index inbox_message_segment on inbox_message (tenant, inbox, segment, at);
create index inbox_message_thread on inbox_message (tenant, inbox, thread, at, id);

-- A message that others refer to and that was not seen yet: so threads join when it comes.
create table inbox_reference (
	tenant text not null,
	inbox text not null,
	internet_id text not null,
	thread text not null,
	primary key (tenant, inbox, internet_id, thread)
);
create index inbox_reference_thread on inbox_reference (tenant, inbox, thread);

-- What happened in a thread beside its mails: notes (body is what was written), assignments, states, tags, sends; who is an account or '' for Tocsin.
create table inbox_entry (
	tenant text not null,
	inbox text not null,
	thread text not null,
	id text not null,
	at bigint not null,
	kind text not null,
	who text not null default '',
	what text not null default '{}',
	primary key (tenant, inbox, thread, id)
);

-- What is to be done in the mailbox: read, move, delete, categories. One row a wish, made good in order and read back.
create table inbox_wish (
	tenant text not null,
	inbox text not null,
	id text not null,
	message text not null,
	kind text not null,
	what text not null default '{}',
	state text not null default 'due',
	because text not null default '',
	tries bigint not null default 0,
	due bigint not null,
	created bigint not null,
	created_by text not null default '',
	changed bigint not null,
	primary key (tenant, inbox, id)
);
create index inbox_wish_due on inbox_wish (tenant, inbox, state, due);
create index inbox_wish_message on inbox_wish (tenant, inbox, message, state);

-- A mail being written, or on its way: state is draft, held (undo is possible until due), sending, sent, failed, unknown or
-- discarded (its draft in the mailbox is to be taken away). draft is the id of the
-- draft in the mailbox, made before it is sent; posted is when it was first handed over to be sent; a send whose outcome is unknown is looked up
-- there, never repeated.
create table inbox_outgoing (
	tenant text not null,
	inbox text not null,
	id text not null,
	thread text not null default '',
	message text not null default '',
	kind text not null,
	state text not null,
	because text not null default '',
	mend text not null default '',
	subject text not null default '',
	to_list text not null default '[]',
	cc_list text not null default '[]',
	bcc_list text not null default '[]',
	body bytea,
	quote boolean not null default true,
	then_state text not null default '',
	draft text not null default '',
	internet_id text not null default '',
	tries bigint not null default 0,
	due bigint not null default 0,
	posted bigint not null default 0,
	created bigint not null,
	created_by text not null,
	changed bigint not null,
	sent bigint not null default 0,
	version bigint not null default 1,
	primary key (tenant, inbox, id)
);
create index inbox_outgoing_draft on inbox_outgoing (tenant, inbox, draft);
create index inbox_outgoing_id on inbox_outgoing (tenant, id);
create index inbox_outgoing_posted on inbox_outgoing (tenant, inbox, posted);
create index inbox_outgoing_state on inbox_outgoing (tenant, inbox, state, due);
create index inbox_outgoing_thread on inbox_outgoing (tenant, inbox, thread, id);

-- A file of a mail being written, encrypted with the inbox's key.
create table inbox_upload (
	tenant text not null,
	inbox text not null,
	outgoing text not null,
	id text not null,
	name text not null,
	content_type text not null,
	content_id text not null default '',
	inline boolean not null default false,
	size bigint not null,
	uploaded boolean not null default false,
	body bytea not null,
	primary key (tenant, inbox, outgoing, id)
);

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

-- A tag of threads; colour is one of a few names.
create table inbox_tag (
	tenant text not null,
	id text not null,
	name text not null,
	colour text not null default '',
	created bigint not null,
	version bigint not null default 1,
	primary key (tenant, id)
);

create table inbox_thread_tag (
	tenant text not null,
	inbox text not null,
	thread text not null,
	tag text not null,
	added bigint not null,
	primary key (tenant, inbox, thread, tag)
);
create index inbox_thread_tag_of on inbox_thread_tag (tenant, tag, inbox);

-- Who was named in a private note; seen is when they opened the thread after it.
create table inbox_mention (
	tenant text not null,
	account text not null,
	inbox text not null,
	thread text not null,
	entry text not null,
	at bigint not null,
	seen bigint not null default 0,
	primary key (tenant, account, inbox, thread, entry)
);
create index inbox_mention_thread on inbox_mention (tenant, inbox, thread);

-- Up to which mail an account has read a thread.
create table inbox_seen (
	tenant text not null,
	account text not null,
	inbox text not null,
	thread text not null,
	at bigint not null,
	primary key (tenant, account, inbox, thread)
);
create index inbox_seen_thread on inbox_seen (tenant, inbox, thread);

-- A look at mail by somebody outside the team: asked for with a reason, good until a time; what is opened (a list of threads, a thread,
-- a message, a file) and each read is a row of its own, of = the look that allowed it.
create table inbox_look (
	tenant text not null,
	inbox text not null,
	id text not null,
	of text not null default '',
	at bigint not null,
	until bigint not null default 0,
	account text not null,
	email text not null,
	reason text not null,
	what text not null,
	thread text not null default '',
	message text not null default '',
	primary key (tenant, inbox, id)
);
create index inbox_look_account on inbox_look (tenant, inbox, account, until);

-- A list of threads under a name; of one account, or of everybody where account is ''. filter is what is asked for, as JSON.
create table inbox_view (
	tenant text not null,
	id text not null,
	account text not null default '',
	name text not null,
	filter text not null,
	place bigint not null default 0,
	created bigint not null,
	version bigint not null default 1,
	primary key (tenant, id)
);

-- A canned reply, with what is done to the thread besides; of one inbox, or of all where inbox is ''. text is HTML with {{names}} to fill in.
create table inbox_macro (
	tenant text not null,
	id text not null,
	inbox text not null default '',
	name text not null,
	shortcut text not null default '',
	text text not null default '',
	change text not null default '{}',
	used bigint not null default 0,
	created bigint not null,
	version bigint not null default 1,
	primary key (tenant, id)
);

-- Who has a thread before them: kind is viewing or replying. One holds the answer at a time; a row is nothing after until.
create table inbox_presence (
	tenant text not null,
	inbox text not null,
	thread text not null,
	account text not null,
	kind text not null,
	since bigint not null,
	until bigint not null,
	primary key (tenant, inbox, thread, account)
);

-- What is done by itself when a mail comes: conditions and actions as JSON, in order of place.
create table inbox_rule (
	tenant text not null,
	id text not null,
	inbox text not null default '',
	name text not null,
	place bigint not null default 0,
	enabled boolean not null default true,
	body text not null,
	ran bigint not null default 0,
	last bigint not null default 0,
	created bigint not null,
	version bigint not null default 1,
	primary key (tenant, id)
);

-- Service times of an inbox: business hours and targets as JSON.
create table inbox_service (
	tenant text not null,
	inbox text not null,
	body text not null,
	changed bigint not null,
	version bigint not null default 1,
	primary key (tenant, inbox)
);

-- A clock of a thread: first (answer), next (answer), resolve. used is what it ran before it was paused, ms of business time; since is when it
-- began to run, 0 while it is paused; due is when it is missed, 0 while it is paused; ended is when it was stopped, 0 while it was not.
create table inbox_clock (
	tenant text not null,
	inbox text not null,
	thread text not null,
	kind text not null,
	began bigint not null,
	target bigint not null,
	used bigint not null default 0,
	since bigint not null default 0,
	due bigint not null default 0,
	ended bigint not null default 0,
	missed boolean not null default false,
	primary key (tenant, inbox, thread, kind, began)
);
create index inbox_clock_due on inbox_clock (tenant, inbox, ended, due);

-- Which mails of an inbox hold which words: mails are gathered into segments of some hundreds. mails are their ids, times when each came; both sealed with
-- the inbox's key, as the lists of words are.
create table inbox_segment (
	tenant text not null,
	inbox text not null,
	n bigint not null,
	times bytea not null,
	mails bytea not null,
	made bigint not null,
	primary key (tenant, inbox, n)
);

-- The words of a segment whose hash falls into a shard, each with the mails that hold it.
create table inbox_segment_part (
	tenant text not null,
	inbox text not null,
	shard bigint not null,
	n bigint not null,
	words bytea not null,
	primary key (tenant, inbox, shard, n)
);
