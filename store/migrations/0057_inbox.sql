-- +goose Up

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
create unique index inbox_address on inbox (tenant, address);

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
create unique index inbox_thread_n on inbox_thread (tenant, inbox, n);
create index inbox_thread_state on inbox_thread (tenant, inbox, state, last, id);
create index inbox_thread_last on inbox_thread (tenant, inbox, last, id);
create index inbox_thread_assignee on inbox_thread (tenant, assignee, state, last, id);
create index inbox_thread_snoozed on inbox_thread (tenant, state, snoozed);
create index inbox_thread_conversation on inbox_thread (tenant, inbox, conversation);
create index inbox_thread_from on inbox_thread (tenant, inbox, from_address, last, id);
create index inbox_thread_folded on inbox_thread (tenant, inbox, folded, last);

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
	primary key (tenant, inbox, id)
);
create index inbox_message_thread on inbox_message (tenant, inbox, thread, at, id);
create index inbox_message_internet on inbox_message (tenant, inbox, internet_id);
create index inbox_message_folder on inbox_message (tenant, inbox, folder, at);
create index inbox_message_from on inbox_message (tenant, from_address, at);
create index inbox_message_at on inbox_message (tenant, inbox, at, id);

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
create index inbox_outgoing_thread on inbox_outgoing (tenant, inbox, thread, id);
create index inbox_outgoing_draft on inbox_outgoing (tenant, inbox, draft);
create index inbox_outgoing_posted on inbox_outgoing (tenant, inbox, posted);
create index inbox_outgoing_state on inbox_outgoing (tenant, inbox, state, due);

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

-- +goose Down
