BEGIN TRANSACTION;
CREATE TABLE generation (
	application TEXT NOT NULL, 
	number BIGINT NOT NULL, 
	digest TEXT NOT NULL, 
	brought_by TEXT NOT NULL, 
	came_at DOUBLE NOT NULL, 
	ruled_at DOUBLE, 
	rules BOOLEAN NOT NULL, 
	in_lieu BOOLEAN NOT NULL, 
	changes TEXT, 
	run_digests TEXT NOT NULL, revision BIGINT, superseded_at DOUBLE, 
	CONSTRAINT generation_pkey PRIMARY KEY (application, number), 
	CONSTRAINT generation_rules CHECK (NOT rules OR ruled_at IS NOT NULL), 
	CONSTRAINT generation_in_lieu CHECK (rules OR NOT in_lieu)
);
INSERT INTO "generation" VALUES('shop',1,'f53ca4cc0bc186b18d82428cebf8e0d05e94882762d315f428282a724777ee34','old-host',1.79585817748901104e+09,1.79585817753101444e+09,0,0,'schedules: 14 added','{"at-work": ["4962f62f426e0369df23c4d714d6c3cbd2db5e6edad5a812a1f8700562d810b9", "b33705c78f3dfedcf4178853c9bc31fde4717ee637bebff2fec5216fec845f73"], "stays-at-work": ["cc4b53663c3d6d98b6f0aa5b35cb882ed95d46f385789a97870b3f5a95802a23", "1951efc730c6709892e4ed21bb0d756e89ceb3b5556e5affaf2a7f6902fbfc02"], "to-be-retried": ["28ff2d789c747fab505a29f29191048083f15f002f81fb8972228e9065425a30", "49bb1b55b0b2f2f77d6fe67b9309c57227e8b3e6e111e1a19c3f633c5d9f10a4"], "retrying": ["dd9dab8d283ea268891feb70303024f9bb49cb9d2a655ccb74671a75e5da38d4", "26a7c0a98d79b1e036f52878cee1c69785fa60ed7a41bf99c17eb73796eff2eb"], "waiting": ["8172eb20346c0fbb4a44bb8f6922e7ba71ecfb07e8b2d0cca7d9c0e7d8584ba0", "85f7166103eecbed7f752a6bb658c14e508ad84b1c00aeacbfdb8937a031bc4c"], "queued": ["dcfb53fce3b01166ac5c1ebeb54dca3e1cc8a24b075da3773d302dc3f697fca1", "5e5636f5483ed2d2d130f74f49dc72c6d67a7cec20824948ce57bf365d91b825"], "each-alone": ["8322dcdc935d78840233e8f1c4a44ed16b5796398728419c4f9e3260e39a6e1d", "2d91e791f0165116692aebf261e1b031e0c74d55f3fb810b71982defff13d130"], "locked": ["011a56a591edc06cad812b1353a7cf8611b2365806d5c59122333ab1b2bc8c2b", "6e111165a925fd440e2eedb47eec6c44eefe6b0aed804029ec48fab71e5dfa4a"], "cancelled": ["2892c6685fff22652795707449a50a38da4afe0ea311ebd316a5032e3562122f", "b444730a21f0d98cb44079b8fa30d66a0334620e89a5557cf28bd52ab4d0adcc"], "being-cancelled": ["4286068ecafdcd4df4b935a7d388466749a6487342c578f833099fd305a3efbc", "af45b782a3a13b91c57353a50030ac68068da02966b258141b07ca55f727449a"], "cancel-goes-on": ["776028b0f14fe65f5d9f598656833ba3e2f4926a56ed969b950b5bc1be47589f", "ed0ba0cf5fccb5042356e44fa12aa639eb2baf3c75dd1bb46ae8d071c17569b6"], "missed": ["42fa39a1f242c061f5bc609bfb05ca074119b895cce11e36bd70e24bcb11926b", "86ae513d22504014266b05398c82d0bada074bb1586d85b245a824580ccb928f"], "redefined": ["fb299cce49f0c5733f6ff5867e13ce9273bbcc1b19c41b7b560d76fa63c6ffea", "9fde810bd1122b7c56845667210b8c50b624da57572da571f2018a85035bbf0b"], "retired": ["6733e4e2bc7c8bb0c3e699542d251efcb16357ebefec7e258e7274982067ada6", "0f099b4de3f9592ff5a643322ad4ed3ba94d60c9b4c4ab79aa73e2d6f4f9e6e7"]}',NULL,1.79585817788900876e+09);
INSERT INTO "generation" VALUES('shop',2,'db92be338a90ea464f73a1f375d00cf6ae923a2d61f10b7e4cac4670724845ed','old-host',1.79585817785199427e+09,1.79585817789001464e+09,1,0,'schedules: 2 added (once, done), 1 changed (redefined), 1 retired (retired), 12 unchanged','{"at-work": ["4962f62f426e0369df23c4d714d6c3cbd2db5e6edad5a812a1f8700562d810b9", "b33705c78f3dfedcf4178853c9bc31fde4717ee637bebff2fec5216fec845f73"], "stays-at-work": ["cc4b53663c3d6d98b6f0aa5b35cb882ed95d46f385789a97870b3f5a95802a23", "1951efc730c6709892e4ed21bb0d756e89ceb3b5556e5affaf2a7f6902fbfc02"], "to-be-retried": ["28ff2d789c747fab505a29f29191048083f15f002f81fb8972228e9065425a30", "49bb1b55b0b2f2f77d6fe67b9309c57227e8b3e6e111e1a19c3f633c5d9f10a4"], "retrying": ["dd9dab8d283ea268891feb70303024f9bb49cb9d2a655ccb74671a75e5da38d4", "26a7c0a98d79b1e036f52878cee1c69785fa60ed7a41bf99c17eb73796eff2eb"], "waiting": ["8172eb20346c0fbb4a44bb8f6922e7ba71ecfb07e8b2d0cca7d9c0e7d8584ba0", "85f7166103eecbed7f752a6bb658c14e508ad84b1c00aeacbfdb8937a031bc4c"], "queued": ["dcfb53fce3b01166ac5c1ebeb54dca3e1cc8a24b075da3773d302dc3f697fca1", "5e5636f5483ed2d2d130f74f49dc72c6d67a7cec20824948ce57bf365d91b825"], "each-alone": ["8322dcdc935d78840233e8f1c4a44ed16b5796398728419c4f9e3260e39a6e1d", "2d91e791f0165116692aebf261e1b031e0c74d55f3fb810b71982defff13d130"], "locked": ["011a56a591edc06cad812b1353a7cf8611b2365806d5c59122333ab1b2bc8c2b", "6e111165a925fd440e2eedb47eec6c44eefe6b0aed804029ec48fab71e5dfa4a"], "cancelled": ["2892c6685fff22652795707449a50a38da4afe0ea311ebd316a5032e3562122f", "b444730a21f0d98cb44079b8fa30d66a0334620e89a5557cf28bd52ab4d0adcc"], "being-cancelled": ["4286068ecafdcd4df4b935a7d388466749a6487342c578f833099fd305a3efbc", "af45b782a3a13b91c57353a50030ac68068da02966b258141b07ca55f727449a"], "cancel-goes-on": ["776028b0f14fe65f5d9f598656833ba3e2f4926a56ed969b950b5bc1be47589f", "ed0ba0cf5fccb5042356e44fa12aa639eb2baf3c75dd1bb46ae8d071c17569b6"], "missed": ["42fa39a1f242c061f5bc609bfb05ca074119b895cce11e36bd70e24bcb11926b", "86ae513d22504014266b05398c82d0bada074bb1586d85b245a824580ccb928f"], "redefined": ["0a7284c7647823c171bbce622c5266049b43bed64bbee22983f0c06e140cd973", "03207ef813b5676677e35f96daa86a9642d8a96bc81e77b83b0b232fda2c2ebe"], "once": ["975bb0845aa66af7212e0149841c38265229d87019fdcec1fd3562d59375ffc0", "df09ca98550f1c85fe9c7be190809fe504138bb6a01c2108dc5d5816a999b16c"], "done": ["561dde291b80d436c646a2be1279cc11bfa2eaba869563ca9d284120adfc9bff", "f7ff90a01e484114a4035b679b9369e2e369561089b12a5c52e8b5b8dd58dc42"]}',NULL,NULL);
CREATE TABLE job_output (
	job_run_id INTEGER NOT NULL, 
	start BIGINT NOT NULL, 
	line BIGINT NOT NULL, 
	text TEXT NOT NULL, 
	CONSTRAINT job_output_pkey PRIMARY KEY (job_run_id, start), 
	CONSTRAINT job_output_job_run_fkey FOREIGN KEY(job_run_id) REFERENCES job_run (id)
);
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
	exit_signal INTEGER, tail_start BIGINT, tail_line BIGINT, peak_memory BIGINT, lost_by TEXT, lost_why TEXT, work_ended_at DOUBLE, 
	PRIMARY KEY (id), 
	CONSTRAINT job_run_attempt_key UNIQUE (run_id, job, attempt), 
	CONSTRAINT job_run_state CHECK (state IN ('running', 'succeeded', 'failed', 'abandoned', 'stopped', 'not started')), 
	CONSTRAINT job_run_over CHECK ((finished_at IS NULL) = (state = 'running')), 
	CONSTRAINT job_run_keeper CHECK ((keeper_pid IS NULL) = (keeper_start IS NULL)), 
	CONSTRAINT job_run_run_fkey FOREIGN KEY(run_id) REFERENCES run (id)
);
INSERT INTO "job_run" VALUES(1,8,'first',0,1,'succeeded',1,'old-replica',1.79585817906401753e+09,1.79585817913700056e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "job_run" VALUES(2,11,'first',0,1,'succeeded',1,'old-replica',1.7958581791800096e+09,1.79585817922901368e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "job_run" VALUES(3,8,'second',1,1,'running',1,'old-replica',1.79585817927600598e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "job_run" VALUES(4,9,'work',0,1,'running',1,'old-replica',1.7958581793320105e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "job_run" VALUES(5,10,'first',0,1,'running',1,'old-replica',1.79585817938298583e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "job_run" VALUES(6,11,'second',1,1,'failed',1,'old-replica',1.79585817942700099e+09,1.79585817974001455e+09,'exit status 1','half of it
',NULL,NULL,NULL,NULL,NULL,1,NULL,0,0,NULL,NULL,NULL,NULL);
INSERT INTO "job_run" VALUES(7,13,'work',0,1,'running',1,'old-replica',1.79585817945798039e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "job_run" VALUES(8,22,'work',0,1,'succeeded',1,'old-replica',1.7958581795040071e+09,1.79585817981199169e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "job_run" VALUES(9,19,'work',0,1,'running',1,'old-replica',1.79585817954001569e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "job_run" VALUES(10,20,'work',0,1,'running',1,'old-replica',1.79585817963299465e+09,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
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
INSERT INTO "lease" VALUES('run/shop/at-work',1,'old-replica','old-host:4711','an earlier boot',13394.251931608,1.79585817900801301e+09,1.79585817900801301e+09,NULL,NULL,NULL,NULL,13379.251934322);
INSERT INTO "lease" VALUES('run/shop/being-cancelled',1,'old-replica','old-host:4711','an earlier boot',13394.251931608,1.79585817900801301e+09,1.79585817900801301e+09,NULL,NULL,NULL,NULL,13379.251934322);
INSERT INTO "lease" VALUES('run/shop/cancel-goes-on',1,'old-replica','old-host:4711','an earlier boot',13394.251931608,1.79585817900801301e+09,1.79585817900801301e+09,NULL,NULL,NULL,NULL,13379.251934322);
INSERT INTO "lease" VALUES('run/shop/cancelled',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "lease" VALUES('run/shop/missed',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "lease" VALUES('run/shop/queued',1,'old-replica','old-host:4711','an earlier boot',13394.251931608,1.79585817900801301e+09,1.79585817900801301e+09,NULL,NULL,NULL,NULL,13379.251934322);
INSERT INTO "lease" VALUES('run/shop/redefined',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "lease" VALUES('run/shop/retired',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "lease" VALUES('run/shop/retrying',1,NULL,NULL,NULL,NULL,1.79585817900801301e+09,1.79585817900801301e+09,NULL,13379.977504809,NULL,NULL,13379.251934322);
INSERT INTO "lease" VALUES('run/shop/stays-at-work',1,'old-replica','old-host:4711','an earlier boot',13394.251931608,1.79585817900801301e+09,1.79585817900801301e+09,NULL,NULL,NULL,NULL,13379.251934322);
INSERT INTO "lease" VALUES('run/shop/to-be-retried',1,'old-replica','old-host:4711','an earlier boot',13394.251931608,1.79585817900801301e+09,1.79585817900801301e+09,NULL,NULL,NULL,NULL,13379.251934322);
INSERT INTO "lease" VALUES('run/shop/waiting',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "lease" VALUES('run/shop/done',1,NULL,NULL,NULL,NULL,1.79585817900801301e+09,1.79585817900801301e+09,NULL,13380.061301517,NULL,NULL,13379.251934322);
INSERT INTO "lease" VALUES('run/shop/once',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE leased_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT leased_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "leased_version" VALUES('0008');
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
	stopped_at DOUBLE, digest TEXT, ready_at DOUBLE, blocked TEXT, 
	PRIMARY KEY (holder), 
	CONSTRAINT replica_state CHECK (state IN ('running', 'draining', 'stopped', 'dead'))
);
INSERT INTO "replica" VALUES('older-replica','shop','old-host',4710,1,NULL,NULL,'0.2.0','stopped',1.79585817737301874e+09,1.79585817773901963e+09,1.79585817773901963e+09,'f53ca4cc0bc186b18d82428cebf8e0d05e94882762d315f428282a724777ee34',NULL,NULL);
INSERT INTO "replica" VALUES('old-replica','shop','old-host',4711,1,NULL,NULL,'0.2.0','running',1.79585817778999519e+09,1.79585817778999519e+09,NULL,'db92be338a90ea464f73a1f375d00cf6ae923a2d61f10b7e4cac4670724845ed',1.79585817794300174e+09,NULL);
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
	finished_at DOUBLE, digest TEXT, adopted_from TEXT, cancelled_at DOUBLE, cancelled_by TEXT, cancelled_why TEXT, claimed_attempt INTEGER, overlapped BIGINT, overlapped_by TEXT, away_from DOUBLE, 
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
INSERT INTO "run" VALUES(1,'shop','redefined',1795858177.60102,NULL,1,'manual','pending',NULL,'run/shop/redefined',1795858177.60102,NULL,NULL,NULL,0,0,'{}','ada@old-host',NULL,1795858177.60102,NULL,NULL,'fb299cce49f0c5733f6ff5867e13ce9273bbcc1b19c41b7b560d76fa63c6ffea',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(2,'shop','retired',1.79585817766800808e+09,NULL,1,'manual','pending',NULL,'run/shop/retired',1.79585817766800808e+09,NULL,NULL,NULL,0,0,'{}','ada@old-host',NULL,1.79585817766800808e+09,NULL,NULL,'6733e4e2bc7c8bb0c3e699542d251efcb16357ebefec7e258e7274982067ada6',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(3,'shop','missed',1795827577.0,1795845577.0,6,'schedule','skipped','missed','run/shop/missed',NULL,NULL,NULL,NULL,0,0,'{}',NULL,NULL,1.79585817805601596e+09,NULL,1.79585817805601596e+09,'42fa39a1f242c061f5bc609bfb05ca074119b895cce11e36bd70e24bcb11926b',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79582397750498294e+09);
INSERT INTO "run" VALUES(4,'shop','missed',1795849177.0,NULL,1,'schedule','skipped','missed','run/shop/missed',NULL,NULL,NULL,NULL,0,0,'{}',NULL,NULL,1.79585817805601596e+09,NULL,1.79585817805601596e+09,'42fa39a1f242c061f5bc609bfb05ca074119b895cce11e36bd70e24bcb11926b',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79582397750498294e+09);
INSERT INTO "run" VALUES(5,'shop','missed',1795852777.0,NULL,1,'schedule','skipped','missed','run/shop/missed',NULL,NULL,NULL,NULL,0,0,'{}',NULL,NULL,1.79585817805601596e+09,NULL,1.79585817805601596e+09,'42fa39a1f242c061f5bc609bfb05ca074119b895cce11e36bd70e24bcb11926b',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79582397750498294e+09);
INSERT INTO "run" VALUES(6,'shop','missed',1795856377.0,NULL,1,'schedule','skipped','missed','run/shop/missed',NULL,NULL,NULL,NULL,0,0,'{}',NULL,NULL,1.79585817805601596e+09,NULL,1.79585817805601596e+09,'42fa39a1f242c061f5bc609bfb05ca074119b895cce11e36bd70e24bcb11926b',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79582397750498294e+09);
INSERT INTO "run" VALUES(7,'shop','once',1767225600.0,NULL,1,'schedule','pending',NULL,'run/shop/once',1767225600.0,NULL,NULL,NULL,0,0,'{}',NULL,NULL,1.79585817805601596e+09,NULL,NULL,'975bb0845aa66af7212e0149841c38265229d87019fdcec1fd3562d59375ffc0',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(8,'shop','at-work',1.79585817814098906e+09,NULL,1,'manual','running',NULL,'run/shop/at-work',1.79585817814098906e+09,NULL,1,'old-replica',1,0,'{}','ada@old-host',NULL,1.79585817814098906e+09,1.79585817901799082e+09,NULL,'4962f62f426e0369df23c4d714d6c3cbd2db5e6edad5a812a1f8700562d810b9',NULL,NULL,NULL,NULL,1,NULL,NULL,NULL);
INSERT INTO "run" VALUES(9,'shop','stays-at-work',1795858178.212,NULL,1,'manual','running',NULL,'run/shop/stays-at-work',1795858178.212,NULL,1,'old-replica',1,0,'{}','ada@old-host',NULL,1795858178.212,1.79585817901799082e+09,NULL,'cc4b53663c3d6d98b6f0aa5b35cb882ed95d46f385789a97870b3f5a95802a23',NULL,NULL,NULL,NULL,1,NULL,NULL,NULL);
INSERT INTO "run" VALUES(10,'shop','to-be-retried',1.79585817825698089e+09,NULL,1,'manual','running',NULL,'run/shop/to-be-retried',1.79585817825698089e+09,NULL,1,'old-replica',1,0,'{}','ada@old-host',NULL,1.79585817825698089e+09,1.79585817901799082e+09,NULL,'28ff2d789c747fab505a29f29191048083f15f002f81fb8972228e9065425a30',NULL,NULL,NULL,NULL,1,NULL,NULL,NULL);
INSERT INTO "run" VALUES(11,'shop','retrying',1795858178.31202,NULL,1,'manual','pending',NULL,'run/shop/retrying',1.7958581797390089e+09,NULL,1,'old-replica',1,0,'{}','ada@old-host',NULL,1795858178.31202,1.79585817901799082e+09,NULL,'dd9dab8d283ea268891feb70303024f9bb49cb9d2a655ccb74671a75e5da38d4',NULL,NULL,NULL,NULL,1,NULL,NULL,NULL);
INSERT INTO "run" VALUES(12,'shop','waiting',1.79585817836098408e+09,NULL,1,'manual','pending',NULL,'run/shop/waiting',1.79585817836098408e+09,NULL,NULL,NULL,0,0,'{}','ada@old-host',NULL,1.79585817836098408e+09,NULL,NULL,'8172eb20346c0fbb4a44bb8f6922e7ba71ecfb07e8b2d0cca7d9c0e7d8584ba0',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(13,'shop','queued',1.79585817840499901e+09,NULL,1,'manual','running',NULL,'run/shop/queued',1.79585817840499901e+09,NULL,1,'old-replica',1,0,'{}','ada@old-host',NULL,1.79585817840499901e+09,1.79585817901799082e+09,NULL,'dcfb53fce3b01166ac5c1ebeb54dca3e1cc8a24b075da3773d302dc3f697fca1',NULL,NULL,NULL,NULL,1,NULL,NULL,NULL);
INSERT INTO "run" VALUES(14,'shop','queued',1795858178.46901,NULL,1,'manual','pending',NULL,'run/shop/queued',NULL,NULL,NULL,NULL,0,0,'{}','ada@old-host',NULL,1795858178.46901,NULL,NULL,'dcfb53fce3b01166ac5c1ebeb54dca3e1cc8a24b075da3773d302dc3f697fca1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(15,'shop','each-alone',1.79585817853100895e+09,NULL,1,'manual','pending',NULL,'run/shop/each-alone/15',1.79585817853100895e+09,NULL,NULL,NULL,0,0,'{}','ada@old-host',NULL,1.79585817853100895e+09,NULL,NULL,'8322dcdc935d78840233e8f1c4a44ed16b5796398728419c4f9e3260e39a6e1d',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(16,'shop','each-alone',1795858178.58299,NULL,1,'manual','pending',NULL,'run/shop/each-alone/16',1795858178.58299,NULL,NULL,NULL,0,0,'{}','ada@old-host',NULL,1795858178.58299,NULL,NULL,'8322dcdc935d78840233e8f1c4a44ed16b5796398728419c4f9e3260e39a6e1d',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(17,'shop','locked',1.79585817864201188e+09,NULL,1,'manual','pending',NULL,'api',1.79585817864201188e+09,NULL,NULL,NULL,0,0,'{}','ada@old-host',NULL,1.79585817864201188e+09,NULL,NULL,'011a56a591edc06cad812b1353a7cf8611b2365806d5c59122333ab1b2bc8c2b',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(18,'shop','cancelled',1.79585817868099808e+09,NULL,1,'manual','cancelled','cancelled by ada@old-host: it was asked for twice','run/shop/cancelled',NULL,NULL,NULL,NULL,0,0,'{}','ada@old-host',NULL,1.79585817868099808e+09,NULL,1.79585817990299916e+09,'2892c6685fff22652795707449a50a38da4afe0ea311ebd316a5032e3562122f',NULL,1.79585817988501501e+09,'ada@old-host','it was asked for twice',NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(19,'shop','being-cancelled',1.79585817873700308e+09,NULL,1,'manual','running',NULL,'run/shop/being-cancelled',1.79585817873700308e+09,NULL,1,'old-replica',1,0,'{}','ada@old-host',NULL,1.79585817873700308e+09,1.79585817901799082e+09,NULL,'4286068ecafdcd4df4b935a7d388466749a6487342c578f833099fd305a3efbc',NULL,1.79585818002699756e+09,'ada@old-host','it was asked for twice',1,NULL,NULL,NULL);
INSERT INTO "run" VALUES(20,'shop','cancel-goes-on',1.79585817880101299e+09,NULL,1,'manual','running',NULL,'run/shop/cancel-goes-on',1.79585817880101299e+09,NULL,1,'old-replica',1,0,'{}','ada@old-host',NULL,1.79585817880101299e+09,1.79585817901799082e+09,NULL,'776028b0f14fe65f5d9f598656833ba3e2f4926a56ed969b950b5bc1be47589f',NULL,1.79585818007298421e+09,'ada@old-host','it was asked for twice',1,NULL,NULL,NULL);
INSERT INTO "run" VALUES(21,'shop','cancel-goes-on',1.795858178858989e+09,NULL,1,'manual','pending',NULL,'run/shop/cancel-goes-on',NULL,NULL,NULL,NULL,0,0,'{}','ada@old-host',NULL,1.795858178858989e+09,NULL,NULL,'776028b0f14fe65f5d9f598656833ba3e2f4926a56ed969b950b5bc1be47589f',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "run" VALUES(22,'shop','done',1795858178.89701,NULL,1,'manual','succeeded',NULL,'run/shop/done',1795858178.89701,NULL,1,'old-replica',1,0,'{}','ada@old-host',NULL,1795858178.89701,1.79585817901799082e+09,1.79585817981199169e+09,'561dde291b80d436c646a2be1279cc11bfa2eaba869563ca9d284120adfc9bff',NULL,NULL,NULL,NULL,1,NULL,NULL,NULL);
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
	created_at DOUBLE NOT NULL, run_digest TEXT, synced_at DOUBLE, abandoned INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT schedule_pkey PRIMARY KEY (application, name), 
	CONSTRAINT schedule_retired_has_no_instants CHECK (retired_at IS NULL OR next_due IS NULL), 
	CONSTRAINT schedule_stretch CHECK ((stretch_reason IS NULL) = (stretch_count IS NULL))
);
INSERT INTO "schedule" VALUES('shop','at-work','{"name": "at-work", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "first", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}, {"name": "second", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}, {"name": "third", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','fcefa3626bfb1631ea3ca77175d7c3f3049a38f518c0df47e802d538cbd2a6dc','every 1h',1,1795861777.0,1.79585817750498294e+09,1.79585817750498294e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79585817750498294e+09,1.79585817750498294e+09,'4962f62f426e0369df23c4d714d6c3cbd2db5e6edad5a812a1f8700562d810b9',1.79585817750498294e+09,0);
INSERT INTO "schedule" VALUES('shop','stays-at-work','{"name": "stays-at-work", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','1c629798aaa759b4035c749d0c43b42c56976c1e91db22ca5ea94170e488e34e','every 1h',1,1795861777.0,1.79585817750498294e+09,1.79585817750498294e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79585817750498294e+09,1.79585817750498294e+09,'cc4b53663c3d6d98b6f0aa5b35cb882ed95d46f385789a97870b3f5a95802a23',1.79585817750498294e+09,0);
INSERT INTO "schedule" VALUES('shop','to-be-retried','{"name": "to-be-retried", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "first", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}, {"name": "second", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','0f406c6b1dccd67f561ec52971919ea31497e68626fd743a693bacde48c7e969','every 1h',1,1795861777.0,1.79585817750498294e+09,1.79585817750498294e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79585817750498294e+09,1.79585817750498294e+09,'28ff2d789c747fab505a29f29191048083f15f002f81fb8972228e9065425a30',1.79585817750498294e+09,0);
INSERT INTO "schedule" VALUES('shop','retrying','{"name": "retrying", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "first", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}, {"name": "second", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','43d960d2a012df8c721b93c7bfbed829869610f0fd9746e3a432068b1a784b51','every 1h',1,1795861777.0,1.79585817750498294e+09,1.79585817750498294e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79585817750498294e+09,1.79585817750498294e+09,'dd9dab8d283ea268891feb70303024f9bb49cb9d2a655ccb74671a75e5da38d4',1.79585817750498294e+09,0);
INSERT INTO "schedule" VALUES('shop','waiting','{"name": "waiting", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','aede59f6f34f59dbc838fa51ef59f63030a6f719a79ec8174b6e55db8e8ecebc','every 1h',1,1795861777.0,1.79585817750498294e+09,1.79585817750498294e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79585817750498294e+09,1.79585817750498294e+09,'8172eb20346c0fbb4a44bb8f6922e7ba71ecfb07e8b2d0cca7d9c0e7d8584ba0',1.79585817750498294e+09,0);
INSERT INTO "schedule" VALUES('shop','queued','{"name": "queued", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "queue", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','813e53528c9772c5e9f4d336d81b9079c09c320f7c4a1dc8068c88a027ee6199','every 1h',1,1795861777.0,1.79585817750498294e+09,1.79585817750498294e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79585817750498294e+09,1.79585817750498294e+09,'dcfb53fce3b01166ac5c1ebeb54dca3e1cc8a24b075da3773d302dc3f697fca1',1.79585817750498294e+09,0);
INSERT INTO "schedule" VALUES('shop','each-alone','{"name": "each-alone", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "allow", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','ccd75a9df57f4a9dc018263908a6cd679adeba6ef2bad472526d559cfc8be92d','every 1h',1,1795861777.0,1.79585817750498294e+09,1.79585817750498294e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79585817750498294e+09,1.79585817750498294e+09,'8322dcdc935d78840233e8f1c4a44ed16b5796398728419c4f9e3260e39a6e1d',1.79585817750498294e+09,0);
INSERT INTO "schedule" VALUES('shop','locked','{"name": "locked", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": "api", "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','23ddf7e00511a365fd41eb7ff9db0bf71555454c794dba34fcd6432d85d7d411','every 1h',1,1795861777.0,1.79585817750498294e+09,1.79585817750498294e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79585817750498294e+09,1.79585817750498294e+09,'011a56a591edc06cad812b1353a7cf8611b2365806d5c59122333ab1b2bc8c2b',1.79585817750498294e+09,0);
INSERT INTO "schedule" VALUES('shop','cancelled','{"name": "cancelled", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','a44d2c910b95a76f9862ef97d7d4641645b5fb1f5ca4c4d04e5a214ef356e691','every 1h',1,1795861777.0,1.79585817750498294e+09,1.79585817750498294e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79585817750498294e+09,1.79585817750498294e+09,'2892c6685fff22652795707449a50a38da4afe0ea311ebd316a5032e3562122f',1.79585817750498294e+09,0);
INSERT INTO "schedule" VALUES('shop','being-cancelled','{"name": "being-cancelled", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','21efe69b0cd524cd8ef4b86105ee5f5ff4f7ac4732bbf9959490588047fcbba3','every 1h',1,1795861777.0,1.79585817750498294e+09,1.79585817750498294e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79585817750498294e+09,1.79585817750498294e+09,'4286068ecafdcd4df4b935a7d388466749a6487342c578f833099fd305a3efbc',1.79585817750498294e+09,0);
INSERT INTO "schedule" VALUES('shop','cancel-goes-on','{"name": "cancel-goes-on", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "queue", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','87356d5c2620b02b84a2b148d9da88a187940b11eba41764db64d302de5271f9','every 1h',1,1795861777.0,1.79585817750498294e+09,1.79585817750498294e+09,NULL,NULL,NULL,NULL,NULL,NULL,1.79585817750498294e+09,1.79585817750498294e+09,'776028b0f14fe65f5d9f598656833ba3e2f4926a56ed969b950b5bc1be47589f',1.79585817750498294e+09,0);
INSERT INTO "schedule" VALUES('shop','missed','{"name": "missed", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','f7ad126697e3a07e5d71b5f0191a225f91b914c65e1f5bcd534ada157c37d9f2','every 1h',1,1795859977.0,1.79585817805601596e+09,1.79582397750498294e+09,'missed',3,NULL,NULL,NULL,NULL,1.79582397750498294e+09,1.79582397750498294e+09,'42fa39a1f242c061f5bc609bfb05ca074119b895cce11e36bd70e24bcb11926b',1.79582397750498294e+09,0);
INSERT INTO "schedule" VALUES('shop','redefined','{"name": "redefined", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "first", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}, {"name": "second", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','f40f30bdd36294fe87accfc1f94d36d9c4cef97063ae2a8429523d6818661dc1','every 1h',1,1795861777.0,1.79585817750498294e+09,1.79585817750498294e+09,NULL,NULL,NULL,NULL,NULL,NULL,1795858177.853,1.79585817750498294e+09,'0a7284c7647823c171bbce622c5266049b43bed64bbee22983f0c06e140cd973',1795858177.853,0);
INSERT INTO "schedule" VALUES('shop','retired','{"name": "retired", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','e3b4db451dde8e7951b468b16199219da23d84dd95ba5c9e69ad7a3f110d5798','every 1h',1,NULL,1.79585817750498294e+09,1.79585817750498294e+09,NULL,NULL,NULL,NULL,NULL,1795858177.853,1795858177.853,1.79585817750498294e+09,'6733e4e2bc7c8bb0c3e699542d251efcb16357ebefec7e258e7274982067ada6',1795858177.853,0);
INSERT INTO "schedule" VALUES('shop','once','{"name": "once", "at": "2026-01-01T00:00:00Z", "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "latest", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','669bcb7a36aedb2f232e1bd752cba6f6461f3df392deb5f2586abdefe4f957ee','at 2026-01-01T00:00:00Z',1,NULL,1.79585817805601596e+09,1795858177.853,NULL,NULL,NULL,NULL,NULL,NULL,1795858177.853,1795858177.853,'975bb0845aa66af7212e0149841c38265229d87019fdcec1fd3562d59375ffc0',1795858177.853,0);
INSERT INTO "schedule" VALUES('shop','done','{"name": "done", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}','e827df13ce76d53d589000a6a2e5daed963f88644e3fd0ba71c7afe8e6f01f4c','every 1h',1,1795861777.0,1795858177.853,1795858177.853,NULL,NULL,NULL,NULL,NULL,NULL,1795858177.853,1795858177.853,'561dde291b80d436c646a2be1279cc11bfa2eaba869563ca9d284120adfc9bff',1795858177.853,0);
CREATE INDEX lease_holder_idx ON lease (holder);
CREATE INDEX schedule_due_idx ON schedule (application, next_due) WHERE next_due IS NOT NULL;
CREATE INDEX run_claim_idx ON run (application, available_at, id) WHERE state = 'pending' AND available_at IS NOT NULL;
CREATE INDEX run_start_by_idx ON run (application, start_by) WHERE state = 'pending' AND start_by IS NOT NULL;
CREATE INDEX run_running_idx ON run (application) WHERE state = 'running';
CREATE UNIQUE INDEX run_instant_key ON run (application, schedule, scheduled_for) WHERE "trigger" = 'schedule';
CREATE INDEX run_history_idx ON run (application, schedule, id);
CREATE UNIQUE INDEX generation_ruler_key ON generation (application) WHERE rules;
CREATE TRIGGER run_of_older_takes_digest AFTER INSERT ON run WHEN NEW.digest IS NULL BEGIN UPDATE run SET digest = (SELECT run_digest FROM schedule WHERE application = NEW.application AND name = NEW.schedule) WHERE id = NEW.id; END;
CREATE TRIGGER run_refuses_older_claim BEFORE UPDATE OF state ON run WHEN NEW.state = 'running' AND OLD.state = 'pending' AND NEW.claimed_attempt IS NOT NEW.attempt BEGIN SELECT json_extract('{}', 'this replica is of an older version of leased than the tables of the database, so it starts no more runs (those at work go on and end as they began); restart it with the newer version'); END;
CREATE TRIGGER schedule_refuses_older_sync BEFORE UPDATE OF changed_at ON schedule WHEN NEW.synced_at IS NOT NEW.changed_at BEGIN SELECT json_extract('{}', 'this replica is of an older version of leased than the tables of the database, so it may not change the definitions there; restart it with the newer version'); END;
CREATE TRIGGER schedule_refuses_older_addition BEFORE INSERT ON schedule WHEN NEW.synced_at IS NOT NEW.changed_at BEGIN SELECT json_extract('{}', 'this replica is of an older version of leased than the tables of the database, so it may not change the definitions there; restart it with the newer version'); END;
CREATE INDEX run_unfinished_idx ON run (application, schedule, scheduled_for, id) WHERE state IN ('pending', 'running');
COMMIT;
