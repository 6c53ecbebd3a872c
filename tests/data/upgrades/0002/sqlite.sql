BEGIN TRANSACTION;
CREATE TABLE job_run (
	id INTEGER NOT NULL, 
	run_id INTEGER NOT NULL, 
	job TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	token BIGINT NOT NULL, 
	holder TEXT NOT NULL, 
	started_at DOUBLE NOT NULL, 
	finished_at DOUBLE, 
	error TEXT, 
	log_tail TEXT, 
	done DOUBLE, 
	total DOUBLE, 
	message TEXT, 
	keeper_pid BIGINT, 
	keeper_start BIGINT, 
	exit_status BIGINT, 
	exit_signal INTEGER, 
	PRIMARY KEY (id), 
	CONSTRAINT job_run_attempt_key UNIQUE (run_id, job, attempt), 
	CONSTRAINT job_run_state CHECK (state IN ('running', 'succeeded', 'failed', 'abandoned', 'stopped', 'not started')), 
	CONSTRAINT job_run_over CHECK ((finished_at IS NULL) = (state = 'running')), 
	CONSTRAINT job_run_keeper CHECK ((keeper_pid IS NULL) = (keeper_start IS NULL)), 
	CONSTRAINT job_run_run_fkey FOREIGN KEY(run_id) REFERENCES run (id)
);
INSERT INTO "job_run" VALUES(1,2,'first',0,1,'succeeded',1,'old-replica',1.79567984932800817e+09,1.79567984955399775e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "job_run" VALUES(2,5,'first',0,1,'succeeded',1,'old-replica',1.79567984978099322e+09,1795679849.88399,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "job_run" VALUES(3,2,'second',1,1,'running',1,'old-replica',1.79567984995298981e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "job_run" VALUES(4,3,'work',0,1,'running',1,'old-replica',1.79567985004898595e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "job_run" VALUES(5,4,'first',0,1,'running',1,'old-replica',1.795679850160995e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "job_run" VALUES(6,5,'second',1,1,'failed',1,'old-replica',1.7956798502719984e+09,1.7956798506670072e+09,'exit status 1','half of it
',NULL,NULL,NULL,NULL,NULL,1,NULL);
INSERT INTO "job_run" VALUES(7,7,'work',0,1,'running',1,'old-replica',1.79567985038300156e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "job_run" VALUES(8,12,'work',0,1,'succeeded',1,'old-replica',1.79567985080001807e+09,1.79567985096501398e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE lease (
	name TEXT NOT NULL, 
	token BIGINT DEFAULT '0' NOT NULL, 
	holder TEXT, 
	label TEXT, 
	boot TEXT, 
	expires_at DOUBLE, 
	granted_at DOUBLE, 
	renewed_at DOUBLE, 
	awaited_until DOUBLE, 
	released_at DOUBLE, 
	waiters TEXT, 
	broken TEXT, 
	uptime DOUBLE, 
	PRIMARY KEY (name), 
	CONSTRAINT lease_grant_key UNIQUE (name, token, holder), 
	CONSTRAINT lease_token_counts_up CHECK (token >= 0), 
	CONSTRAINT lease_held_until CHECK ((holder IS NULL) = (expires_at IS NULL))
);
INSERT INTO "lease" VALUES('api',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "lease" VALUES('run/shop/at-work',1,'old-replica','old-host:4711','an earlier boot',2784.530538958,1.79567984905398035e+09,1.79567984905398035e+09,NULL,NULL,NULL,NULL,2769.530541463);
INSERT INTO "lease" VALUES('run/shop/done',1,NULL,NULL,NULL,NULL,1.79567984905398035e+09,1.79567984905398035e+09,NULL,2771.37171484,NULL,NULL,2769.530541463);
INSERT INTO "lease" VALUES('run/shop/once',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "lease" VALUES('run/shop/queued',1,'old-replica','old-host:4711','an earlier boot',2784.530538958,1.79567984905398035e+09,1.79567984905398035e+09,NULL,NULL,NULL,NULL,2769.530541463);
INSERT INTO "lease" VALUES('run/shop/retrying',1,NULL,NULL,NULL,NULL,1.79567984905398035e+09,1.79567984905398035e+09,NULL,2771.019091054,NULL,NULL,2769.530541463);
INSERT INTO "lease" VALUES('run/shop/stays-at-work',1,'old-replica','old-host:4711','an earlier boot',2784.530538958,1.79567984905398035e+09,1.79567984905398035e+09,NULL,NULL,NULL,NULL,2769.530541463);
INSERT INTO "lease" VALUES('run/shop/to-be-retried',1,'old-replica','old-host:4711','an earlier boot',2784.530538958,1.79567984905398035e+09,1.79567984905398035e+09,NULL,NULL,NULL,NULL,2769.530541463);
INSERT INTO "lease" VALUES('run/shop/waiting',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE leased_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT leased_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "leased_version" VALUES('0002');
CREATE TABLE replica (
	holder TEXT NOT NULL, 
	application TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid BIGINT NOT NULL, 
	start_time BIGINT NOT NULL, 
	boot_id TEXT, 
	pid_namespace TEXT, 
	version TEXT NOT NULL, 
	state TEXT NOT NULL, 
	started_at DOUBLE NOT NULL, 
	seen_at DOUBLE NOT NULL, 
	stopped_at DOUBLE, 
	PRIMARY KEY (holder), 
	CONSTRAINT replica_state CHECK (state IN ('running', 'draining', 'stopped', 'dead'))
);
INSERT INTO "replica" VALUES('old-replica','shop','old-host',4711,1,NULL,NULL,'0.1.0','running',1.79567984690400218e+09,1.79567984690400218e+09,NULL);
CREATE TABLE run (
	id INTEGER NOT NULL, 
	application TEXT NOT NULL, 
	schedule TEXT NOT NULL, 
	scheduled_for DOUBLE NOT NULL, 
	last_scheduled_for DOUBLE, 
	count BIGINT DEFAULT '1' NOT NULL, 
	"trigger" TEXT NOT NULL, 
	state TEXT NOT NULL, 
	reason TEXT, 
	lease_name TEXT NOT NULL, 
	available_at DOUBLE, 
	start_by DOUBLE, 
	token BIGINT, 
	holder TEXT, 
	attempt INTEGER DEFAULT '0' NOT NULL, 
	abandoned INTEGER DEFAULT '0' NOT NULL, 
	params TEXT DEFAULT '{}' NOT NULL, 
	requested_by TEXT, 
	requested_why TEXT, 
	created_at DOUBLE NOT NULL, 
	started_at DOUBLE, 
	finished_at DOUBLE, 
	PRIMARY KEY (id), 
	CONSTRAINT run_schedule_fkey FOREIGN KEY(application, schedule) REFERENCES schedule (application, name), 
	CONSTRAINT run_state CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'cancelled', 'skipped')), 
	CONSTRAINT run_trigger CHECK ("trigger" IN ('schedule', 'manual')), 
	CONSTRAINT run_count CHECK (count >= 1), 
	CONSTRAINT run_grant CHECK ((token IS NULL) = (holder IS NULL)), 
	CONSTRAINT run_running CHECK (state <> 'running' OR (token IS NOT NULL AND started_at IS NOT NULL)), 
	CONSTRAINT run_over CHECK ((finished_at IS NULL) = (state IN ('pending', 'running'))), 
	CONSTRAINT run_reason CHECK (state NOT IN ('failed', 'cancelled', 'skipped') OR reason IS NOT NULL)
);
INSERT INTO "run" VALUES(1,'shop','once',1767225600.0,NULL,1,'schedule','pending',NULL,'run/shop/once',1767225600.0,NULL,NULL,NULL,0,0,'{}',NULL,NULL,1.7956798471569879e+09,NULL,NULL);
INSERT INTO "run" VALUES(2,'shop','at-work',1.79567984746501302e+09,NULL,1,'manual','running',NULL,'run/shop/at-work',1.79567984746501302e+09,NULL,1,'old-replica',1,0,'{}','ada@old-host',NULL,1.79567984746501302e+09,1.79567984912499189e+09,NULL);
INSERT INTO "run" VALUES(3,'shop','stays-at-work',1.79567984757601594e+09,NULL,1,'manual','running',NULL,'run/shop/stays-at-work',1.79567984757601594e+09,NULL,1,'old-replica',1,0,'{}','ada@old-host',NULL,1.79567984757601594e+09,1.79567984912499189e+09,NULL);
INSERT INTO "run" VALUES(4,'shop','to-be-retried',1.79567984767201209e+09,NULL,1,'manual','running',NULL,'run/shop/to-be-retried',1.79567984767201209e+09,NULL,1,'old-replica',1,0,'{}','ada@old-host',NULL,1.79567984767201209e+09,1.79567984912499189e+09,NULL);
INSERT INTO "run" VALUES(5,'shop','retrying',1.79567984781399488e+09,NULL,1,'manual','pending',NULL,'run/shop/retrying',1.79567985058501219e+09,NULL,1,'old-replica',1,0,'{}','ada@old-host',NULL,1.79567984781399488e+09,1.79567984912499189e+09,NULL);
INSERT INTO "run" VALUES(6,'shop','waiting',1.79567984804698491e+09,NULL,1,'manual','pending',NULL,'run/shop/waiting',1.79567984804698491e+09,NULL,NULL,NULL,0,0,'{}','ada@old-host',NULL,1.79567984804698491e+09,NULL,NULL);
INSERT INTO "run" VALUES(7,'shop','queued',1.79567984826299691e+09,NULL,1,'manual','running',NULL,'run/shop/queued',1.79567984826299691e+09,NULL,1,'old-replica',1,0,'{}','ada@old-host',NULL,1.79567984826299691e+09,1.79567984912499189e+09,NULL);
INSERT INTO "run" VALUES(8,'shop','queued',1.7956798483799951e+09,NULL,1,'manual','pending',NULL,'run/shop/queued',NULL,NULL,NULL,NULL,0,0,'{}','ada@old-host',NULL,1.7956798483799951e+09,NULL,NULL);
INSERT INTO "run" VALUES(9,'shop','each-alone',1.79567984850600504e+09,NULL,1,'manual','pending',NULL,'run/shop/each-alone/9',1.79567984850600504e+09,NULL,NULL,NULL,0,0,'{}','ada@old-host',NULL,1.79567984850600504e+09,NULL,NULL);
INSERT INTO "run" VALUES(10,'shop','each-alone',1.79567984865100502e+09,NULL,1,'manual','pending',NULL,'run/shop/each-alone/10',1.79567984865100502e+09,NULL,NULL,NULL,0,0,'{}','ada@old-host',NULL,1.79567984865100502e+09,NULL,NULL);
INSERT INTO "run" VALUES(11,'shop','locked',1.79567984871199893e+09,NULL,1,'manual','pending',NULL,'api',1.79567984871199893e+09,NULL,NULL,NULL,0,0,'{}','ada@old-host',NULL,1.79567984871199893e+09,NULL,NULL);
INSERT INTO "run" VALUES(12,'shop','done',1.7956798488549869e+09,NULL,1,'manual','succeeded',NULL,'run/shop/done',1.7956798488549869e+09,NULL,1,'old-replica',1,0,'{}','ada@old-host',NULL,1.7956798488549869e+09,1.79567984912499189e+09,1.79567985096400833e+09);
CREATE TABLE schedule (
	application TEXT NOT NULL, 
	name TEXT NOT NULL, 
	definition TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	"trigger" TEXT NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	next_due DOUBLE, 
	planned_until DOUBLE NOT NULL, 
	anchor DOUBLE NOT NULL, 
	stretch_reason TEXT, 
	stretch_count BIGINT, 
	stretch_from DOUBLE, 
	paused_at DOUBLE, 
	paused_by TEXT, 
	retired_at DOUBLE, 
	changed_at DOUBLE NOT NULL, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT schedule_pkey PRIMARY KEY (application, name), 
	CONSTRAINT schedule_retired_has_no_instants CHECK (retired_at IS NULL OR next_due IS NULL), 
	CONSTRAINT schedule_stretch CHECK ((stretch_reason IS NULL) = (stretch_count IS NULL))
);
INSERT INTO "schedule" VALUES('shop','at-work','{"name": "at-work", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "first", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}, {"name": "second", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}, {"name": "third", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','fcefa3626bfb1631ea3ca77175d7c3f3049a38f518c0df47e802d538cbd2a6dc','every 1h',1,1795683446.0,1.79567984643701601e+09,1.79567984643701601e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79567984643701601e+09,1.79567984643701601e+09);
INSERT INTO "schedule" VALUES('shop','stays-at-work','{"name": "stays-at-work", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','1c629798aaa759b4035c749d0c43b42c56976c1e91db22ca5ea94170e488e34e','every 1h',1,1795683446.0,1.79567984643701601e+09,1.79567984643701601e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79567984643701601e+09,1.79567984643701601e+09);
INSERT INTO "schedule" VALUES('shop','to-be-retried','{"name": "to-be-retried", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "first", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}, {"name": "second", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','0f406c6b1dccd67f561ec52971919ea31497e68626fd743a693bacde48c7e969','every 1h',1,1795683446.0,1.79567984643701601e+09,1.79567984643701601e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79567984643701601e+09,1.79567984643701601e+09);
INSERT INTO "schedule" VALUES('shop','retrying','{"name": "retrying", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "first", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}, {"name": "second", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','43d960d2a012df8c721b93c7bfbed829869610f0fd9746e3a432068b1a784b51','every 1h',1,1795683446.0,1.79567984643701601e+09,1.79567984643701601e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79567984643701601e+09,1.79567984643701601e+09);
INSERT INTO "schedule" VALUES('shop','waiting','{"name": "waiting", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','aede59f6f34f59dbc838fa51ef59f63030a6f719a79ec8174b6e55db8e8ecebc','every 1h',1,1795683446.0,1.79567984643701601e+09,1.79567984643701601e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79567984643701601e+09,1.79567984643701601e+09);
INSERT INTO "schedule" VALUES('shop','queued','{"name": "queued", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "queue", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','813e53528c9772c5e9f4d336d81b9079c09c320f7c4a1dc8068c88a027ee6199','every 1h',1,1795683446.0,1.79567984643701601e+09,1.79567984643701601e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79567984643701601e+09,1.79567984643701601e+09);
INSERT INTO "schedule" VALUES('shop','each-alone','{"name": "each-alone", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "allow", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','ccd75a9df57f4a9dc018263908a6cd679adeba6ef2bad472526d559cfc8be92d','every 1h',1,1795683446.0,1.79567984643701601e+09,1.79567984643701601e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79567984643701601e+09,1.79567984643701601e+09);
INSERT INTO "schedule" VALUES('shop','locked','{"name": "locked", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": "api", "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','23ddf7e00511a365fd41eb7ff9db0bf71555454c794dba34fcd6432d85d7d411','every 1h',1,1795683446.0,1.79567984643701601e+09,1.79567984643701601e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79567984643701601e+09,1.79567984643701601e+09);
INSERT INTO "schedule" VALUES('shop','once','{"name": "once", "at": "2026-01-01T00:00:00Z", "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "latest", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','669bcb7a36aedb2f232e1bd752cba6f6461f3df392deb5f2586abdefe4f957ee','at 2026-01-01T00:00:00Z',1,NULL,1.7956798471569879e+09,1.79567984643701601e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79567984643701601e+09,1.79567984643701601e+09);
INSERT INTO "schedule" VALUES('shop','done','{"name": "done", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','e827df13ce76d53d589000a6a2e5daed963f88644e3fd0ba71c7afe8e6f01f4c','every 1h',1,1795683446.0,1.79567984643701601e+09,1.79567984643701601e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79567984643701601e+09,1.79567984643701601e+09);
CREATE INDEX lease_holder_idx ON lease (holder);
CREATE INDEX schedule_due_idx ON schedule (application, next_due) WHERE next_due IS NOT NULL;
CREATE INDEX run_claim_idx ON run (application, available_at, id) WHERE state = 'pending' AND available_at IS NOT NULL;
CREATE INDEX run_start_by_idx ON run (application, start_by) WHERE state = 'pending' AND start_by IS NOT NULL;
CREATE INDEX run_unfinished_idx ON run (application, schedule, scheduled_for, id) WHERE state IN ('pending', 'running');
CREATE INDEX run_running_idx ON run (application) WHERE state = 'running';
CREATE UNIQUE INDEX run_instant_key ON run (application, schedule, scheduled_for) WHERE "trigger" = 'schedule';
CREATE INDEX run_history_idx ON run (application, schedule, id);
COMMIT;
