CREATE TABLE action_uses (
	job_id INTEGER NOT NULL,
	"key" TEXT NOT NULL,
	PRIMARY KEY (job_id),
	FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
)

CREATE TABLE acts (
	id INTEGER NOT NULL,
	incident_id INTEGER NOT NULL,
	incident_key TEXT NOT NULL,
	kind TEXT NOT NULL,
	acted_at DOUBLE NOT NULL,
	author TEXT NOT NULL,
	until DOUBLE,
	text TEXT DEFAULT '' NOT NULL,
	job_luid TEXT,
	PRIMARY KEY (id),
	FOREIGN KEY(incident_id) REFERENCES incidents (id) ON DELETE CASCADE
)

CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)

CREATE TABLE api_tokens (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	"key" TEXT NOT NULL,
	name TEXT NOT NULL,
	role TEXT NOT NULL,
	scope TEXT DEFAULT '{}' NOT NULL,
	author TEXT NOT NULL,
	created_at DOUBLE NOT NULL,
	expires_at DOUBLE NOT NULL,
	UNIQUE ("key")
)

CREATE TABLE attempts (
	id INTEGER NOT NULL,
	job_id INTEGER NOT NULL,
	number INTEGER NOT NULL,
	worker TEXT NOT NULL,
	started_at DOUBLE NOT NULL,
	finished_at DOUBLE NOT NULL,
	outcome TEXT NOT NULL,
	error TEXT,
	PRIMARY KEY (id),
	FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
)

CREATE TABLE audit (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	acted_at DOUBLE NOT NULL,
	author TEXT NOT NULL,
	origin TEXT NOT NULL,
	act TEXT NOT NULL,
	subject TEXT NOT NULL,
	details TEXT DEFAULT '' NOT NULL,
	digest TEXT NOT NULL
)

CREATE TABLE checkpoints (
	job_id INTEGER NOT NULL,
	namespace TEXT NOT NULL,
	"key" TEXT NOT NULL,
	value TEXT NOT NULL,
	recorded_at DOUBLE NOT NULL,
	PRIMARY KEY (job_id, namespace, "key"),
	FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
)

CREATE TABLE clock (
	boot TEXT NOT NULL,
	"offset" DOUBLE NOT NULL,
	PRIMARY KEY (boot)
)

CREATE TABLE counters (
	name TEXT NOT NULL,
	value DOUBLE NOT NULL,
	PRIMARY KEY (name)
)

CREATE TABLE downstream (
	resource_luid TEXT NOT NULL,
	workbooks TEXT NOT NULL,
	looked_up_at DOUBLE NOT NULL,
	PRIMARY KEY (resource_luid)
)

CREATE TABLE events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	fingerprint BLOB NOT NULL,
	body BLOB NOT NULL,
	event_type TEXT NOT NULL,
	resource_luid TEXT,
	resource_name TEXT,
	site_luid TEXT,
	received_at DOUBLE NOT NULL,
	state SMALLINT DEFAULT '0' NOT NULL,
	duplicates INTEGER DEFAULT '0' NOT NULL, rules_version INTEGER,
	UNIQUE (fingerprint)
)

CREATE TABLE expected_runs (
	id INTEGER NOT NULL,
	site_luid TEXT NOT NULL,
	task TEXT NOT NULL,
	resource_luid TEXT NOT NULL,
	resource_kind TEXT NOT NULL,
	resource_name TEXT DEFAULT '' NOT NULL,
	expected_at DOUBLE NOT NULL,
	state TEXT NOT NULL,
	came_at DOUBLE,
	PRIMARY KEY (id),
	UNIQUE (site_luid, task, expected_at)
)

CREATE TABLE findings (
	id INTEGER NOT NULL,
	kind TEXT NOT NULL,
	site_luid TEXT NOT NULL,
	resource_luid TEXT NOT NULL,
	resource_kind TEXT NOT NULL,
	resource_name TEXT NOT NULL,
	found_at DOUBLE NOT NULL,
	problem SMALLINT NOT NULL,
	name TEXT NOT NULL,
	reason TEXT NOT NULL,
	reason_class TEXT,
	number INTEGER NOT NULL,
	level INTEGER NOT NULL,
	since DOUBLE,
	needs_success SMALLINT DEFAULT '0' NOT NULL,
	event_id INTEGER,
	recorded_at DOUBLE NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (kind, site_luid, resource_luid, name)
)

CREATE TABLE incidents (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	"key" TEXT NOT NULL,
	kind TEXT NOT NULL,
	state TEXT NOT NULL,
	site_luid TEXT NOT NULL,
	resource_luid TEXT NOT NULL,
	resource_kind TEXT NOT NULL,
	resource_name TEXT NOT NULL,
	project TEXT DEFAULT '' NOT NULL,
	owner TEXT DEFAULT '' NOT NULL,
	link TEXT DEFAULT '' NOT NULL,
	problem TEXT DEFAULT '' NOT NULL,
	strikes INTEGER,
	next_run_at DOUBLE,
	downstream INTEGER,
	opened_at DOUBLE NOT NULL,
	closed_at DOUBLE,
	failures INTEGER NOT NULL,
	in_a_row INTEGER NOT NULL,
	last_failure_at DOUBLE,
	reason TEXT NOT NULL,
	reason_class TEXT,
	flapping INTEGER NOT NULL,
	quiet_until DOUBLE,
	quiet_by TEXT NOT NULL,
	event_id INTEGER,
	due_at DOUBLE, tags TEXT, upstream TEXT,
	UNIQUE ("key")
)

CREATE TABLE jobs (
	id INTEGER NOT NULL,
	event_id INTEGER NOT NULL,
	"key" TEXT NOT NULL,
	rule TEXT,
	handler TEXT NOT NULL,
	params TEXT DEFAULT '{}' NOT NULL,
	conditions TEXT DEFAULT '{}' NOT NULL,
	state SMALLINT DEFAULT '0' NOT NULL,
	attempts INTEGER DEFAULT '0' NOT NULL,
	max_attempts INTEGER NOT NULL,
	due_at DOUBLE NOT NULL,
	owner TEXT,
	error TEXT,
	created_at DOUBLE NOT NULL,
	started_at DOUBLE,
	finished_at DOUBLE,
	announced_at DOUBLE, urgent SMALLINT DEFAULT '0' NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (event_id, "key"),
	FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE CASCADE
)

CREATE TABLE locks (
	"key" TEXT NOT NULL,
	owner TEXT NOT NULL,
	until DOUBLE NOT NULL,
	PRIMARY KEY ("key")
)

CREATE TABLE notice_groups (
	id INTEGER NOT NULL,
	destination TEXT NOT NULL,
	kind TEXT NOT NULL,
	joined_at DOUBLE NOT NULL,
	summary_at DOUBLE,
	wanted INTEGER NOT NULL,
	runner INTEGER,
	remind_at DOUBLE,
	posted TEXT,
	shown TEXT DEFAULT '{}' NOT NULL,
	created_at DOUBLE NOT NULL,
	posted_at DOUBLE,
	updated_at DOUBLE,
	closed_at DOUBLE,
	PRIMARY KEY (id)
)

CREATE TABLE notices (
	id INTEGER NOT NULL,
	incident_id INTEGER NOT NULL,
	destination TEXT NOT NULL,
	rule TEXT NOT NULL,
	policy TEXT NOT NULL,
	template TEXT DEFAULT '{}' NOT NULL,
	posted TEXT,
	shown TEXT DEFAULT '{}' NOT NULL,
	opened_at DOUBLE,
	summary_at DOUBLE,
	single INTEGER DEFAULT '0' NOT NULL,
	group_id INTEGER,
	created_at DOUBLE NOT NULL,
	posted_at DOUBLE,
	updated_at DOUBLE,
	PRIMARY KEY (id),
	UNIQUE (incident_id, destination),
	FOREIGN KEY(incident_id) REFERENCES incidents (id) ON DELETE CASCADE,
	FOREIGN KEY(group_id) REFERENCES notice_groups (id) ON DELETE SET NULL
)

CREATE TABLE outage_jobs (
	job_id INTEGER NOT NULL,
	service TEXT NOT NULL,
	since DOUBLE NOT NULL,
	due_at DOUBLE NOT NULL,
	wakes SMALLINT NOT NULL,
	PRIMARY KEY (job_id, service),
	FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
)

CREATE TABLE outages (
	service TEXT NOT NULL,
	since DOUBLE NOT NULL,
	trial_at DOUBLE NOT NULL,
	first_job INTEGER NOT NULL,
	confirmed SMALLINT NOT NULL,
	PRIMARY KEY (service)
)

CREATE TABLE page_sessions (
	"key" TEXT NOT NULL,
	name TEXT NOT NULL,
	role TEXT NOT NULL,
	scope TEXT DEFAULT '{}' NOT NULL,
	address TEXT NOT NULL,
	created_at DOUBLE NOT NULL,
	expires_at DOUBLE NOT NULL, subject TEXT DEFAULT '' NOT NULL, browser TEXT DEFAULT '' NOT NULL, seen_at DOUBLE, password_mark TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY ("key")
)

CREATE TABLE presses (
	"key" TEXT NOT NULL,
	received_at DOUBLE NOT NULL,
	PRIMARY KEY ("key")
)

CREATE TABLE refreshed_content (
	resource_luid TEXT NOT NULL,
	site_luid TEXT NOT NULL,
	resource_kind TEXT NOT NULL,
	resource_name TEXT NOT NULL,
	PRIMARY KEY (resource_luid)
)

CREATE TABLE resources (
	luid TEXT NOT NULL,
	kind TEXT NOT NULL,
	site_luid TEXT NOT NULL,
	name TEXT NOT NULL,
	owner TEXT NOT NULL,
	project TEXT NOT NULL,
	updated_at DOUBLE,
	gone_at DOUBLE,
	PRIMARY KEY (luid)
)

CREATE TABLE rule_versions (
	id INTEGER NOT NULL,
	digest TEXT NOT NULL,
	text TEXT NOT NULL,
	source TEXT NOT NULL,
	activated_at DOUBLE NOT NULL, included TEXT,
	PRIMARY KEY (id)
)

CREATE TABLE runs (
	id INTEGER NOT NULL,
	site_luid TEXT NOT NULL,
	resource_luid TEXT NOT NULL,
	resource_kind TEXT NOT NULL,
	resource_name TEXT NOT NULL,
	started_at DOUBLE,
	ended_at DOUBLE,
	happened_at DOUBLE NOT NULL,
	outcome TEXT NOT NULL,
	reason TEXT NOT NULL,
	reason_class TEXT,
	job_luid TEXT,
	evidence TEXT NOT NULL,
	PRIMARY KEY (id)
)

CREATE TABLE sessions (
	"key" TEXT NOT NULL,
	value BLOB NOT NULL,
	saved_at DOUBLE NOT NULL,
	PRIMARY KEY ("key")
)

CREATE TABLE sign_in_failures (
	address TEXT NOT NULL,
	since DOUBLE NOT NULL,
	number INTEGER NOT NULL,
	PRIMARY KEY (address)
)

CREATE TABLE silences (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	matchers TEXT NOT NULL,
	starts_at DOUBLE NOT NULL,
	ends_at DOUBLE,
	weekly TEXT,
	author TEXT NOT NULL,
	reason TEXT NOT NULL,
	created_at DOUBLE NOT NULL
)

CREATE TABLE slots (
	"key" TEXT NOT NULL,
	job_id INTEGER NOT NULL,
	rank SMALLINT NOT NULL,
	due_at DOUBLE NOT NULL,
	asked_at DOUBLE NOT NULL,
	PRIMARY KEY ("key", job_id)
)

CREATE TABLE "state" (
	"key" TEXT NOT NULL,
	value TEXT NOT NULL,
	updated_at DOUBLE NOT NULL,
	PRIMARY KEY ("key")
)

CREATE TABLE "synthetic_events" (
	event_id INTEGER NOT NULL,
	origin TEXT NOT NULL,
	event_type TEXT NOT NULL,
	resource_luid TEXT,
	happened_at DOUBLE NOT NULL,
	PRIMARY KEY (event_id),
	FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE CASCADE
)

CREATE INDEX action_uses_key ON action_uses ("key", job_id)

CREATE INDEX events_unplanned ON events (id) WHERE state = 0

CREATE INDEX expected_runs_declared ON expected_runs (resource_luid, expected_at) WHERE task LIKE 'declared %'

CREATE INDEX expected_runs_resource ON expected_runs (resource_luid, expected_at)

CREATE INDEX expected_runs_state ON expected_runs (state, expected_at)

CREATE INDEX expected_runs_time ON expected_runs (expected_at)

CREATE INDEX findings_resource ON findings (resource_luid, kind, found_at)

CREATE INDEX incidents_closed ON incidents (closed_at, id)

CREATE INDEX incidents_content ON incidents (resource_luid, opened_at)

CREATE INDEX incidents_due ON incidents (due_at) WHERE due_at IS NOT NULL

CREATE UNIQUE INDEX incidents_open ON incidents (site_luid, resource_luid, kind) WHERE closed_at IS NULL

CREATE INDEX incidents_resource ON incidents (resource_luid, kind, opened_at)

CREATE INDEX ix_acts_incident_id ON acts (incident_id)

CREATE INDEX ix_attempts_job_id ON attempts (job_id)

CREATE INDEX ix_notices_group_id ON notices (group_id)

CREATE INDEX jobs_dead ON jobs (finished_at) WHERE state = 4

CREATE INDEX jobs_open ON jobs (due_at, id) WHERE state IN (0, 1)

CREATE INDEX jobs_urgent ON jobs (due_at, id) WHERE state IN (0, 1) AND urgent = 1

CREATE INDEX notice_groups_destination ON notice_groups (destination, joined_at)

CREATE INDEX notices_destination ON notices (destination, opened_at)

CREATE INDEX refreshed_content_name ON refreshed_content (resource_name, resource_luid)

CREATE INDEX runs_resource ON runs (resource_luid, happened_at)

CREATE INDEX runs_time ON runs (happened_at)

CREATE INDEX slots_due ON slots ("key", due_at)

CREATE INDEX synthetic_events_resource ON synthetic_events (resource_luid, event_type)

CREATE TRIGGER audit_no_DELETE BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END

CREATE TRIGGER audit_no_UPDATE BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END

INSERT INTO alembic_version VALUES ('0011')
