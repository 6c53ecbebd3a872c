-- What leased sends to SQLite, by the function that sends it. See README.md.
-- Where the tables are in a schema, its name stands before theirs.

-- daemon/store/statements/acting/acts.py: record
INSERT INTO act (acted_at, acted_by, act, application, schedule, run_id, why, effect) VALUES (((julianday('now') - 2440587.5) * 86400.0), ?, ?, ?, ?, ?, ?, ?);


-- daemon/store/statements/acting/acts.py: record_of_each
INSERT INTO act (acted_at, acted_by, act, application, schedule, why, until, effect) VALUES (?, ?, ?, ?, ?, ?, ?, ?);


-- daemon/store/statements/acting/backfills.py: add
INSERT INTO backfill (application, schedule, first, last, at_most, instants, requested_by, requested_why, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id;


-- daemon/store/statements/acting/backfills.py: add_counted
INSERT INTO run (application, schedule, scheduled_for, last_scheduled_for, count, "trigger", state, reason, lease_name, queue, available_at, start_by, token, holder, attempt, claimed_attempt, abandoned, params, requested_by, requested_why, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, overlapped, overlapped_by, away_from, place_at, finish_by, late_at, told_long, retry_of, origin, backfill, forgotten_at, forgotten_by, created_at, started_at, finished_at, look_asked_at, look_asked_by, look, looked_at, traceparent) SELECT run.application, run.schedule, ? AS anon_1, ? AS anon_2, ? AS anon_3, run."trigger", run.state, run.reason, run.lease_name, run.queue, run.available_at, run.start_by, run.token, run.holder, run.attempt, run.claimed_attempt, run.abandoned, run.params, run.requested_by, run.requested_why, run.digest, run.adopted_from, run.cancelled_at, run.cancelled_by, run.cancelled_why, run.overlapped, run.overlapped_by, run.away_from, run.place_at, run.finish_by, run.late_at, run.told_long, run.retry_of, run.origin, run.backfill, run.forgotten_at, run.forgotten_by, run.created_at, run.started_at, run.finished_at, run.look_asked_at, run.look_asked_by, run.look, run.looked_at, run.traceparent
FROM run
WHERE run.id = ?;


-- daemon/store/statements/acting/backfills.py: add_runs
INSERT INTO run (scheduled_for, "trigger", state, place_at, created_at, application, schedule, lease_name, queue, params, digest, requested_by, requested_why, backfill) SELECT instants.instant, 'schedule', 'pending', ? AS anon_1, ((julianday('now') - 2440587.5) * 86400.0) AS anon_2, ? AS anon_3, ? AS anon_4, ? AS anon_5, ? AS anon_6, ? AS anon_7, ? AS anon_8, ? AS anon_9, ? AS anon_10, ? AS anon_11
FROM (SELECT (CAST(json_extract(instants_json.value, '$[0]') AS REAL) / 1000000.0) AS instant
FROM json_each(?) AS instants_json) AS instants
WHERE 1 = 1 ON CONFLICT DO NOTHING RETURNING id;


-- daemon/store/statements/acting/backfills.py: change
UPDATE backfill SET cancelled_at=? WHERE backfill.id = ?;

UPDATE backfill SET paused_at=? WHERE backfill.id = ?;


-- daemon/store/statements/acting/backfills.py: due_between
SELECT run.id, run.scheduled_for AS scheduled_for, run.last_scheduled_for AS last_scheduled_for, run.count, run.state, run.reason, run.backfill
FROM run
WHERE run.application = ? AND run.schedule = ? AND run."trigger" = 'schedule' AND run.scheduled_for < ? ORDER BY run.scheduled_for DESC
 LIMIT ? OFFSET ?;

SELECT run.id, run.scheduled_for AS scheduled_for, run.last_scheduled_for AS last_scheduled_for, run.count, run.state, run.reason, run.backfill
FROM run
WHERE run.application = ? AND run.schedule = ? AND run."trigger" = 'schedule' AND run.scheduled_for >= ? AND run.scheduled_for <= ? ORDER BY run.scheduled_for;


-- daemon/store/statements/acting/backfills.py: oldest
SELECT run.scheduled_for AS scheduled_for
FROM run
WHERE run.application = ? AND run.schedule = ? AND run."trigger" = 'schedule' ORDER BY run.scheduled_for
 LIMIT ? OFFSET ?;


-- daemon/store/statements/acting/backfills.py: read
SELECT backfill.id, backfill.application, backfill.schedule, backfill.first AS first, backfill.last AS last, backfill.at_most, backfill.instants, backfill.requested_by, backfill.requested_why, backfill.created_at AS created_at, backfill.paused_at AS paused_at, backfill.cancelled_at AS cancelled_at, backfill.placed_at AS placed_at
FROM backfill
WHERE backfill.id = ?;


-- daemon/store/statements/acting/backfills.py: retries
SELECT run.id, run.retry_of, run.state, run.backfill
FROM run
WHERE ((run.retry_of) IN (SELECT json_extract(value, '$[0]') FROM json_each(?)));


-- daemon/store/statements/acting/backfills.py: revive
UPDATE run SET last_scheduled_for=NULL, count=?, state=?, reason=NULL, lease_name=?, queue=?, available_at=NULL, start_by=NULL, params=?, requested_by=?, requested_why=?, digest=?, adopted_from=CASE WHEN (run.digest IS NOT ?) THEN run.digest ELSE run.adopted_from END, overlapped=NULL, overlapped_by=NULL, away_from=NULL, place_at=?, finish_by=NULL, late_at=NULL, backfill=?, finished_at=NULL WHERE ((run.id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?))) AND run.state IS 'skipped' AND run.backfill IS NULL;


-- daemon/store/statements/acting/backfills.py: shrink
UPDATE run SET scheduled_for=?, last_scheduled_for=?, count=? WHERE run.id = ?;


-- daemon/store/statements/acting/backfills.py: unfinished_runs
SELECT run.id, run.application, coalesce((SELECT schedule.called
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), run.schedule) AS schedule, run.scheduled_for AS scheduled_for, run.state
FROM run
WHERE run.backfill = ? AND run.state IN ('pending', 'running') ORDER BY run.scheduled_for DESC, run.id DESC;


-- daemon/store/statements/acting/renames.py: adopt
UPDATE run SET digest=?, adopted_from=run.digest WHERE run.application = ? AND run.schedule = ? AND run.state = 'pending' AND ((run.digest IN (SELECT value FROM json_each(?))) OR run.digest IS NULL);

UPDATE run SET digest=?, adopted_from=run.digest WHERE run.application = ? AND run.schedule = ? AND run.state = 'pending' AND (run.digest IN (SELECT value FROM json_each(?)));


-- daemon/store/statements/acting/renames.py: cancel_retired
UPDATE run SET state=?, reason=?, available_at=NULL, place_at=NULL, finished_at=((julianday('now') - 2440587.5) * 86400.0) WHERE run.application = ? AND run.state IN ('pending', 'running') AND run.state = 'pending' AND (EXISTS (SELECT *
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule AND schedule.retired_at IS NOT NULL)) AND ((run.digest IN (SELECT value FROM json_each(?))) OR run.digest IS NULL) RETURNING schedule;

UPDATE run SET state=?, reason=?, available_at=NULL, place_at=NULL, finished_at=((julianday('now') - 2440587.5) * 86400.0) WHERE run.application = ? AND run.state IN ('pending', 'running') AND run.state = 'pending' AND (EXISTS (SELECT *
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule AND schedule.retired_at IS NOT NULL)) AND (run.digest IN (SELECT value FROM json_each(?))) RETURNING schedule;


-- daemon/store/statements/acting/renames.py: of_names
SELECT schedule.application, schedule.name, schedule.called, schedule.former, schedule.retired_at AS retired_at
FROM schedule
WHERE schedule.application = ? AND (schedule.name IN (SELECT value FROM json_each(?)));


-- daemon/store/statements/acting/renames.py: pending_definitions
SELECT DISTINCT run.schedule, run.digest, schedule.retired_at IS NOT NULL AS is_retired
FROM run JOIN schedule ON schedule.application = run.application AND schedule.name = run.schedule
WHERE run.application = ? AND run.state IN ('pending', 'running') AND run.state = 'pending';


-- daemon/store/statements/acting/renames.py: remove
DELETE FROM schedule WHERE schedule.application = ? AND (schedule.name IN (SELECT value FROM json_each(?)));


-- daemon/store/statements/acting/renames.py: rename
UPDATE schedule SET changed_at=?, synced_at=?, called=?, former=? WHERE schedule.application = ? AND schedule.name = ?;


-- daemon/store/statements/acting/renames.py: renamed
SELECT schedule.application, schedule.name, schedule.called, schedule.former, schedule.retired_at AS retired_at
FROM schedule
WHERE schedule.called IS NOT NULL AND schedule.application = ? ORDER BY schedule.application, schedule.name;

SELECT schedule.application, schedule.name, schedule.called, schedule.former, schedule.retired_at AS retired_at
FROM schedule
WHERE schedule.called IS NOT NULL ORDER BY schedule.application, schedule.name;


-- daemon/store/statements/acting/renames.py: unfinished
SELECT run.schedule, run.state, count(*) AS count_1
FROM run
WHERE run.application = ? AND (run.schedule IN (SELECT value FROM json_each(?))) AND run.state IN ('pending', 'running') GROUP BY run.schedule, run.state;


-- daemon/store/statements/acting/renames.py: with_history
SELECT schedule.name
FROM schedule
WHERE schedule.application = ? AND (schedule.name IN (SELECT value FROM json_each(?))) AND ((EXISTS (SELECT *
FROM run
WHERE run.application = schedule.application AND run.schedule = schedule.name)) OR (EXISTS (SELECT *
FROM backfill
WHERE backfill.application = schedule.application AND backfill.schedule = schedule.name)) OR (EXISTS (SELECT *
FROM pruned
WHERE pruned.application = schedule.application AND pruned.schedule = schedule.name)) OR (EXISTS (SELECT *
FROM trigger_key
WHERE trigger_key.application = schedule.application AND trigger_key.schedule = schedule.name)) OR schedule.paused_at IS NOT NULL OR schedule.next_due <= ((julianday('now') - 2440587.5) * 86400.0));


-- daemon/store/statements/acting/retries.py: add
INSERT INTO run (application, schedule, scheduled_for, "trigger", state, lease_name, queue, available_at, place_at, backfill, params, digest, retry_of, origin, requested_by, requested_why, created_at) SELECT run.application, run.schedule, run.scheduled_for, ? AS anon_1, ? AS anon_2, retries.lease_name, retries.queue, CASE WHEN retries.waits THEN NULL ELSE ((julianday('now') - 2440587.5) * 86400.0) END AS anon_3, NULL AS anon_4, ? AS anon_5, run.params, retries.digest, run.id, CASE WHEN (run.retry_of IS NULL AND run."trigger" = ?) THEN run.id ELSE run.origin END AS anon_6, ? AS anon_7, ? AS anon_8, ((julianday('now') - 2440587.5) * 86400.0) AS anon_9
FROM (SELECT CAST(json_extract(retries_json.value, '$[0]') AS BIGINT) AS number, json_extract(retries_json.value, '$[1]') AS lease_name, json_extract(retries_json.value, '$[2]') AS queue, CAST(json_extract(retries_json.value, '$[3]') AS BOOLEAN) AS waits, json_extract(retries_json.value, '$[4]') AS digest
FROM json_each(?) AS retries_json) AS retries JOIN run ON run.id = retries.number
WHERE 1 = 1 ORDER BY run.id ON CONFLICT DO NOTHING RETURNING retry_of, id;

INSERT INTO run (application, schedule, scheduled_for, "trigger", state, lease_name, queue, available_at, place_at, backfill, params, digest, retry_of, origin, requested_by, requested_why, created_at) SELECT run.application, run.schedule, run.scheduled_for, ? AS anon_1, ? AS anon_2, retries.lease_name, retries.queue, NULL AS anon_3, ? AS anon_4, ? AS anon_5, run.params, retries.digest, run.id, CASE WHEN (run.retry_of IS NULL AND run."trigger" = ?) THEN run.id ELSE run.origin END AS anon_6, ? AS anon_7, ? AS anon_8, ((julianday('now') - 2440587.5) * 86400.0) AS anon_9
FROM (SELECT CAST(json_extract(retries_json.value, '$[0]') AS BIGINT) AS number, json_extract(retries_json.value, '$[1]') AS lease_name, json_extract(retries_json.value, '$[2]') AS queue, CAST(json_extract(retries_json.value, '$[3]') AS BOOLEAN) AS waits, json_extract(retries_json.value, '$[4]') AS digest
FROM json_each(?) AS retries_json) AS retries JOIN run ON run.id = retries.number
WHERE 1 = 1 ORDER BY run.id ON CONFLICT DO NOTHING RETURNING retry_of, id;


-- daemon/store/statements/acting/retries.py: among_runs
SELECT run.id
FROM run
WHERE ((run.id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?))) AND (run.retry_of IS NOT NULL OR run.backfill IS NOT NULL);


-- daemon/store/statements/acting/retries.py: carry
INSERT INTO job_run (run_id, job, position, attempt, state, token, holder, started_at, finished_at, carried_from) SELECT carried.run_id, job_run.job, carried.position, ? AS anon_1, ? AS anon_2, job_run.token, job_run.holder, job_run.started_at, job_run.finished_at, coalesce(job_run.carried_from, job_run.id) AS coalesce_1
FROM (SELECT CAST(json_extract(carried_json.value, '$[0]') AS BIGINT) AS run_id, CAST(json_extract(carried_json.value, '$[1]') AS BIGINT) AS number, CAST(json_extract(carried_json.value, '$[2]') AS INTEGER) AS position
FROM json_each(?) AS carried_json) AS carried JOIN job_run ON job_run.id = carried.number
WHERE 1 = 1 ORDER BY carried.run_id, carried.position ON CONFLICT DO NOTHING;


-- daemon/store/statements/acting/retries.py: find_failed
SELECT run.id, run.application, run.schedule, run.scheduled_for AS scheduled_for, run.state
FROM (SELECT json_extract(schedules_json.value, '$[0]') AS application, json_extract(schedules_json.value, '$[1]') AS name
FROM json_each(?) AS schedules_json) AS schedules JOIN run ON run.application = schedules.application AND run.schedule = schedules.name
WHERE run.state = 'failed' AND run.finished_at >= (SELECT (((julianday('now') - 2440587.5) * 86400.0) + ?) AS anon_1) AND NOT (EXISTS (SELECT *
FROM run AS next
WHERE next.retry_of = run.id)) ORDER BY run.application, run.schedule, run.id;


-- daemon/store/statements/acting/retries.py: read_attempts
SELECT job_run.id, job_run.run_id, job_run.job, job_run.state
FROM job_run
WHERE ((job_run.run_id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?))) ORDER BY job_run.id;


-- daemon/store/statements/acting/retries.py: read_carried
SELECT job_run.job
FROM job_run
WHERE job_run.run_id = ? AND job_run.carried_from IS NOT NULL ORDER BY job_run.position;


-- daemon/store/statements/acting/retries.py: read_tried
SELECT run.id, run.application, run.schedule, run.scheduled_for AS scheduled_for, run.state, run.reason, run.digest, run.forgotten_at AS forgotten_at, next.id AS retried_as, next.state AS retried_state, next.requested_by AS retried_by, next.requested_why AS retried_why
FROM run LEFT OUTER JOIN run AS next ON next.retry_of = run.id
WHERE ((run.id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?))) ORDER BY run.id;


-- daemon/store/statements/agenda.py: digests
SELECT DISTINCT run.digest
FROM run
WHERE run.application = ? AND run.state IN ('pending', 'running');


-- daemon/store/statements/agenda.py: read
WITH due AS
(SELECT schedule.next_due AS moment, schedule.name AS "of"
FROM schedule
WHERE schedule.application = ? AND schedule.next_due IS NOT NULL AND (schedule.name IN (SELECT value FROM json_each(?))) = 0 ORDER BY schedule.next_due
 LIMIT ? OFFSET ?),
late AS
(SELECT run.start_by AS moment, run.schedule AS "of"
FROM run
WHERE run.application = ? AND run.state = 'pending' AND run.start_by IS NOT NULL AND run.started_at IS NULL AND (run.schedule IN (SELECT value FROM json_each(?))) = 0 ORDER BY run.start_by
 LIMIT ? OFFSET ?),
lacking AS
(SELECT run.place_at AS moment, run.schedule AS "of"
FROM run
WHERE run.application = ? AND run.state = 'pending' AND run.place_at IS NOT NULL AND run.available_at IS NULL AND (run.schedule IN (SELECT value FROM json_each(?))) = 0 ORDER BY run.place_at
 LIMIT ? OFFSET ?),
starting AS
(SELECT run.available_at AS moment, run.digest AS "of"
FROM run
WHERE run.application = ? AND run.queue IS NULL AND run.state = 'pending' AND run.available_at > (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_5) AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0 AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = ? AND (at_work.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), ?) >= ?))) AND (run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ?)) ORDER BY run.available_at
 LIMIT ? OFFSET ?)
 SELECT ((julianday('now') - 2440587.5) * 86400.0) AS database_time, (SELECT (due.moment - ((julianday('now') - 2440587.5) * 86400.0)) AS anon_1
FROM due) AS until_due, (SELECT (late.moment - ((julianday('now') - 2440587.5) * 86400.0)) AS anon_2
FROM late) AS until_late, (SELECT (lacking.moment - ((julianday('now') - 2440587.5) * 86400.0)) AS anon_3
FROM lacking) AS until_place, (SELECT (starting.moment - ((julianday('now') - 2440587.5) * 86400.0)) AS anon_4
FROM starting) AS until_start, CASE WHEN ((SELECT run.digest
FROM run
WHERE run.application = ? AND run.queue IS NULL AND run.state = 'pending' AND run.available_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_5) AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0 AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = ? AND (at_work.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), ?) >= ?))) AND (run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ?)) AND NOT (EXISTS (SELECT *
FROM lease
WHERE lease.name = run.lease_name AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1))) ORDER BY run.available_at, run.id
 LIMIT ? OFFSET ?) IS NULL) THEN (SELECT min(anon_6.until_free) AS min_1
FROM (SELECT (lease.expires_at - ?) AS until_free
FROM run JOIN lease ON lease.name = run.lease_name
WHERE run.application = ? AND run.queue IS NULL AND run.state = 'pending' AND run.available_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_5) AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0 AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = ? AND (at_work.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), ?) >= ?))) AND (run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ?)) AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) ORDER BY run.available_at, run.id
 LIMIT ? OFFSET ?) AS anon_6) END AS until_free, (SELECT min(CASE WHEN (lease.holder = run.holder AND lease.token = run.token AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) OR lease.holder = (? || run.holder) AND lease.token = run.token AND NOT (lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1)) THEN (lease.expires_at - ?) ELSE ? END) AS min_2
FROM run LEFT OUTER JOIN lease ON lease.name = run.lease_name
WHERE (run.application || '') = ? AND run.state = 'running') AS until_stale, CASE WHEN (EXISTS (SELECT *
FROM replica
WHERE replica.application = ? AND replica.digest IS NULL)) THEN (SELECT run.digest
FROM run
WHERE run.application = ? AND run.state IN ('pending', 'running') AND run.state = 'pending' AND run.cancelled_at IS NOT NULL ORDER BY run.schedule, run.scheduled_for, run.id
 LIMIT ? OFFSET ?) IS NOT NULL END AS put_back, EXISTS (SELECT *
FROM run
WHERE (run.application || '') = ? AND run.state = 'running' AND run.holder != ?) AS others_running, (SELECT due."of"
FROM due) AS due_schedule, (SELECT late."of"
FROM late) AS late_schedule, (SELECT lacking."of"
FROM lacking) AS place_schedule, (SELECT backfill.schedule
FROM backfill
WHERE backfill.application = ? AND backfill.placed_at IS NULL AND backfill.cancelled_at IS NULL AND backfill.paused_at IS NULL AND (NOT (EXISTS (SELECT *
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NOT NULL AND own.available_at IS NULL)) OR (SELECT count(*) AS count_1
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'running') + (SELECT count(*) AS count_2
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NULL) < backfill.at_most AND NOT (EXISTS (SELECT *
FROM run AS other
WHERE other.application = backfill.application AND other.schedule = backfill.schedule AND other.state IN ('pending', 'running') AND (other.place_at IS NULL OR other.available_at IS NOT NULL) AND other.backfill IS NOT backfill.id))) AND (backfill.schedule IN (SELECT value FROM json_each(?))) = 0 ORDER BY backfill.id
 LIMIT ? OFFSET ?) AS fed_schedule, (SELECT run.digest
FROM run
WHERE run.application = ? AND run.queue IS NULL AND run.state = 'pending' AND run.available_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_5) AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0 AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = ? AND (at_work.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), ?) >= ?))) AND (run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ?)) AND NOT (EXISTS (SELECT *
FROM lease
WHERE lease.name = run.lease_name AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1))) ORDER BY run.available_at, run.id
 LIMIT ? OFFSET ?) AS available, (SELECT starting."of"
FROM starting) AS starting, (SELECT run.digest
FROM run
WHERE run.application = ? AND run.state IN ('pending', 'running') AND run.state = 'pending' AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0 AND (run.place_at IS NULL OR run.available_at IS NOT NULL) ORDER BY run.schedule, run.scheduled_for, run.id
 LIMIT ? OFFSET ?) AS pending, (SELECT run.digest
FROM run
WHERE (run.application || '') = ? AND run.state = 'running' AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0
 LIMIT ? OFFSET ?) AS running;


-- daemon/store/statements/agenda.py: read_queues
SELECT (SELECT (run.available_at - ((julianday('now') - 2440587.5) * 86400.0)) AS anon_1
FROM run
WHERE run.application = ? AND run.queue = queues.name AND run.state = 'pending' AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0 AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = ? AND (at_work.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), ?) >= ?))) AND (run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ?)) AND run.available_at > (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) ORDER BY run.available_at, run.id
 LIMIT ? OFFSET ?) AS until_start, CASE WHEN (queues.slots > ? AND (SELECT count(*) AS count_1
FROM (SELECT json_extract(slots_json.value, '$[0]') AS queue, json_extract(slots_json.value, '$[1]') AS lease
FROM json_each(?) AS slots_json) AS slots JOIN lease ON lease.name = slots.lease AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1)
WHERE slots.queue = queues.name) >= queues.slots AND (SELECT run.digest
FROM run
WHERE run.application = ? AND run.queue = queues.name AND run.state = 'pending' AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0 AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = ? AND (at_work.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), ?) >= ?))) AND (run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ?)) AND run.available_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) ORDER BY run.available_at, run.id
 LIMIT ? OFFSET ?) IS NOT NULL) THEN (SELECT min((lease.expires_at - ?)) AS min_1
FROM (SELECT json_extract(slots_json.value, '$[0]') AS queue, json_extract(slots_json.value, '$[1]') AS lease
FROM json_each(?) AS slots_json) AS slots JOIN lease ON lease.name = slots.lease AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1)
WHERE slots.queue = queues.name) WHEN (queues.slots <= ? AND (SELECT run.digest
FROM run
WHERE run.application = ? AND run.queue = queues.name AND run.state = 'pending' AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0 AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = ? AND (at_work.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), ?) >= ?))) AND (run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ?)) AND run.available_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) AND NOT (EXISTS (SELECT *
FROM lease
WHERE lease.name = run.lease_name AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1))) ORDER BY run.available_at, run.id
 LIMIT ? OFFSET ?) IS NULL) THEN (SELECT min(anon_3.until_free) AS min_2
FROM (SELECT (lease.expires_at - ?) AS until_free
FROM run JOIN lease ON lease.name = run.lease_name
WHERE run.application = ? AND run.queue = queues.name AND run.state = 'pending' AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0 AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = ? AND (at_work.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), ?) >= ?))) AND (run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ?)) AND run.available_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) ORDER BY run.available_at, run.id
 LIMIT ? OFFSET ?) AS anon_3) END AS until_free, CASE WHEN (queues.slots > ? AND (SELECT count(*) AS count_1
FROM (SELECT json_extract(slots_json.value, '$[0]') AS queue, json_extract(slots_json.value, '$[1]') AS lease
FROM json_each(?) AS slots_json) AS slots JOIN lease ON lease.name = slots.lease AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1)
WHERE slots.queue = queues.name) < queues.slots) THEN (SELECT run.digest
FROM run
WHERE run.application = ? AND run.queue = queues.name AND run.state = 'pending' AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0 AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = ? AND (at_work.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), ?) >= ?))) AND (run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ?)) AND run.available_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) ORDER BY run.available_at, run.id
 LIMIT ? OFFSET ?) WHEN (queues.slots <= ?) THEN (SELECT run.digest
FROM run
WHERE run.application = ? AND run.queue = queues.name AND run.state = 'pending' AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0 AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = ? AND (at_work.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), ?) >= ?))) AND (run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ?)) AND run.available_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) AND NOT (EXISTS (SELECT *
FROM lease
WHERE lease.name = run.lease_name AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1))) ORDER BY run.available_at, run.id
 LIMIT ? OFFSET ?) END AS available, (SELECT run.digest
FROM run
WHERE run.application = ? AND run.queue = queues.name AND run.state = 'pending' AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0 AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = ? AND (at_work.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), ?) >= ?))) AND (run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ?)) AND run.available_at > (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) ORDER BY run.available_at, run.id
 LIMIT ? OFFSET ?) AS starting
FROM (SELECT json_extract(queues_json.value, '$[0]') AS name, CAST(json_extract(queues_json.value, '$[1]') AS INTEGER) AS slots
FROM json_each(?) AS queues_json) AS queues;


-- daemon/store/statements/agenda.py: schedules
SELECT schedule.name
FROM schedule
WHERE schedule.application = ?;


-- daemon/store/statements/agenda.py: taken
SELECT lease.name
FROM lease
WHERE (lease.name IN (SELECT value FROM json_each(?))) AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1);


-- daemon/store/statements/agenda.py: waiting_for
SELECT run.lease_name
FROM run
WHERE run.application = ? AND run.state = 'pending' AND run.available_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_1) AND (run.lease_name IN (SELECT value FROM json_each(?))) AND run.queue IS NULL UNION SELECT run.lease_name
FROM run
WHERE run.application = ? AND run.state = 'pending' AND run.available_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_1) AND (run.lease_name IN (SELECT value FROM json_each(?))) AND run.queue IN (__[POSTCOMPILE_queue_1]);


-- daemon/store/statements/audit.py: backfills
SELECT backfill.id, backfill.application, backfill.schedule, backfill.first AS first, backfill.last AS last, backfill.at_most, backfill.instants, backfill.requested_by, backfill.requested_why, backfill.created_at AS created_at, backfill.paused_at AS paused_at, backfill.cancelled_at AS cancelled_at, backfill.placed_at AS placed_at
FROM backfill
WHERE backfill.application = ? ORDER BY backfill.id;

SELECT backfill.id, backfill.application, backfill.schedule, backfill.first AS first, backfill.last AS last, backfill.at_most, backfill.instants, backfill.requested_by, backfill.requested_why, backfill.created_at AS created_at, backfill.paused_at AS paused_at, backfill.cancelled_at AS cancelled_at, backfill.placed_at AS placed_at
FROM backfill ORDER BY backfill.id;


-- daemon/store/statements/audit.py: job_runs
SELECT job_run.id, job_run.run_id, job_run.job, job_run.state, job_run.token, job_run.holder, job_run.started_at AS started_at, job_run.finished_at AS finished_at, job_run.carried_from
FROM job_run JOIN run ON run.id = job_run.run_id
WHERE run.application = ? ORDER BY job_run.id;

SELECT job_run.id, job_run.run_id, job_run.job, job_run.state, job_run.token, job_run.holder, job_run.started_at AS started_at, job_run.finished_at AS finished_at, job_run.carried_from
FROM job_run ORDER BY job_run.id;


-- daemon/store/statements/audit.py: leases
SELECT lease.name, lease.token, lease.holder, lease.granted_at AS granted_at
FROM lease;


-- daemon/store/statements/audit.py: runs
SELECT run.id, run.application, run.schedule, run.scheduled_for AS scheduled_for, run.last_scheduled_for AS last_scheduled_for, run.count, run."trigger", run.state, run.lease_name, run.queue, run.token, run.holder, run.created_at AS created_at, run.started_at AS started_at, run.finished_at AS finished_at, run.cancelled_at AS cancelled_at, CASE WHEN (run.cancelled_at IS NOT NULL AND run.cancelled_by = ?) THEN run.overlapped ELSE NULL END AS replaced_by, run.digest, run.adopted_from, run.retry_of, run.backfill
FROM run
WHERE run.application = ? ORDER BY run.id;

SELECT run.id, run.application, run.schedule, run.scheduled_for AS scheduled_for, run.last_scheduled_for AS last_scheduled_for, run.count, run."trigger", run.state, run.lease_name, run.queue, run.token, run.holder, run.created_at AS created_at, run.started_at AS started_at, run.finished_at AS finished_at, run.cancelled_at AS cancelled_at, CASE WHEN (run.cancelled_at IS NOT NULL AND run.cancelled_by = ?) THEN run.overlapped ELSE NULL END AS replaced_by, run.digest, run.adopted_from, run.retry_of, run.backfill
FROM run ORDER BY run.id;


-- daemon/store/statements/audit.py: schedules
SELECT schedule.application, schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule."trigger", schedule.enabled, schedule.next_due AS next_due, schedule.planned_until AS planned_until, schedule.anchor AS anchor, schedule.stretch_reason, schedule.stretch_count, schedule.stretch_from AS stretch_from, schedule.paused_at AS paused_at, schedule.paused_by, schedule.paused_why, schedule.paused_until AS paused_until, schedule.retired_at AS retired_at, schedule.retired_by, schedule.changed_at AS changed_at, schedule.synced_at AS synced_at, schedule.created_at AS created_at, schedule.abandoned, schedule.called, schedule.former, pruned.until AS pruned_until
FROM schedule LEFT OUTER JOIN pruned ON pruned.application = schedule.application AND pruned.schedule = schedule.name
WHERE schedule.application = ? ORDER BY schedule.application, schedule.name;

SELECT schedule.application, schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule."trigger", schedule.enabled, schedule.next_due AS next_due, schedule.planned_until AS planned_until, schedule.anchor AS anchor, schedule.stretch_reason, schedule.stretch_count, schedule.stretch_from AS stretch_from, schedule.paused_at AS paused_at, schedule.paused_by, schedule.paused_why, schedule.paused_until AS paused_until, schedule.retired_at AS retired_at, schedule.retired_by, schedule.changed_at AS changed_at, schedule.synced_at AS synced_at, schedule.created_at AS created_at, schedule.abandoned, schedule.called, schedule.former, pruned.until AS pruned_until
FROM schedule LEFT OUTER JOIN pruned ON pruned.application = schedule.application AND pruned.schedule = schedule.name ORDER BY schedule.application, schedule.name;


-- daemon/store/statements/audit.py: snapshot
BEGIN;

COMMIT;


-- daemon/store/statements/audit.py: stranded
SELECT run.id, run.lease_name, run.token, run.holder, CASE WHEN (lease.token != run.token OR coalesce(lease.holder != run.holder, 0) = 1) THEN (((julianday('now') - 2440587.5) * 86400.0) - lease.granted_at) WHEN (lease.holder IS NULL OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) THEN (((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at) ELSE (? - lease.expires_at) END AS seconds
FROM run LEFT OUTER JOIN lease ON lease.name = run.lease_name
WHERE run.state = 'running' AND (lease.token != run.token OR coalesce(lease.holder != run.holder, 0) = 1 OR lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) AND (EXISTS (SELECT *
FROM replica
WHERE replica.application = run.application AND replica.state = ? AND (((julianday('now') - 2440587.5) * 86400.0) - replica.started_at) > ? AND (((julianday('now') - 2440587.5) * 86400.0) - replica.seen_at) < ?)) AND run.application = ? ORDER BY run.id;

SELECT run.id, run.lease_name, run.token, run.holder, CASE WHEN (lease.token != run.token OR coalesce(lease.holder != run.holder, 0) = 1) THEN (((julianday('now') - 2440587.5) * 86400.0) - lease.granted_at) WHEN (lease.holder IS NULL OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) THEN (((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at) ELSE (? - lease.expires_at) END AS seconds
FROM run LEFT OUTER JOIN lease ON lease.name = run.lease_name
WHERE run.state = 'running' AND (lease.token != run.token OR coalesce(lease.holder != run.holder, 0) = 1 OR lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) AND (EXISTS (SELECT *
FROM replica
WHERE replica.application = run.application AND replica.state = ? AND (((julianday('now') - 2440587.5) * 86400.0) - replica.started_at) > ? AND (((julianday('now') - 2440587.5) * 86400.0) - replica.seen_at) < ?)) ORDER BY run.id;


-- daemon/store/statements/claims.py: candidates
SELECT run.id, run.lease_name, run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ? AS anon_1, run.digest, run.available_at AS available_at
FROM run
WHERE run.application = ? AND run.queue = ? AND run.state = 'pending' AND run.available_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0 AND NOT (run.state = 'pending' AND run.start_by IS NOT NULL AND run.start_by < (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) AND run.started_at IS NULL) AND run.cancelled_at IS NULL AND (NOT (EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = ? AND (at_work.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), ?) >= ?))) OR NOT (run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ?)) AND NOT (EXISTS (SELECT *
FROM lease
WHERE lease.name = run.lease_name AND NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1))) AND (run.lease_name IN (SELECT value FROM json_each(?))) = 0 ORDER BY run.available_at, run.id
 LIMIT ? OFFSET ?;

SELECT run.id, run.lease_name, run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ? AS anon_1, run.digest, run.available_at AS available_at
FROM run
WHERE run.application = ? AND run.queue = ? AND run.state = 'pending' AND run.available_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0 AND NOT (run.state = 'pending' AND run.start_by IS NOT NULL AND run.start_by < (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) AND run.started_at IS NULL) AND run.cancelled_at IS NULL AND (NOT (EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = ? AND (at_work.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), ?) >= ?))) OR NOT (run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ?)) ORDER BY run.available_at, run.id
 LIMIT ? OFFSET ?;

SELECT run.id, run.lease_name, run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ? AS anon_1, run.digest, run.available_at AS available_at
FROM run
WHERE run.application = ? AND run.queue IS NULL AND run.state = 'pending' AND run.available_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0 AND NOT (run.state = 'pending' AND run.start_by IS NOT NULL AND run.start_by < (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) AND run.started_at IS NULL) AND run.cancelled_at IS NULL AND (NOT (EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = ? AND (at_work.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), ?) >= ?))) OR NOT (run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ?)) AND NOT (EXISTS (SELECT *
FROM lease
WHERE lease.name = run.lease_name AND NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1))) AND (run.lease_name IN (SELECT value FROM json_each(?))) = 0 ORDER BY run.available_at, run.id
 LIMIT ? OFFSET ?;

SELECT run.id, run.lease_name, run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ? AS anon_1, run.digest, run.available_at AS available_at
FROM run
WHERE run.application = ? AND run.queue IS NULL AND run.state = 'pending' AND run.available_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) AND run.digest IS NOT NULL AND (run.digest IN (SELECT value FROM json_each(?))) = 0 AND NOT (run.state = 'pending' AND run.start_by IS NOT NULL AND run.start_by < (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) AND run.started_at IS NULL) AND run.cancelled_at IS NULL AND NOT (run.abandoned >= ? OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), ?) >= ?) AND NOT (EXISTS (SELECT *
FROM lease
WHERE lease.name = run.lease_name AND NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1))) AND (run.lease_name IN (SELECT value FROM json_each(?))) = 0 ORDER BY run.available_at, run.id
 LIMIT ? OFFSET ?;


-- daemon/store/statements/claims.py: end_jobs
UPDATE job_run SET state=jobs.state, finished_at=((julianday('now') - 2440587.5) * 86400.0), error=jobs.error, log_tail=jobs.log_tail, tail_start=jobs.tail_start, tail_line=jobs.tail_line, exit_status=jobs.exit_status, exit_signal=jobs.exit_signal, peak_memory=jobs.peak_memory FROM (SELECT CAST(json_extract(jobs_json.value, '$[0]') AS BIGINT) AS number, CAST(json_extract(jobs_json.value, '$[1]') AS BIGINT) AS token, json_extract(jobs_json.value, '$[2]') AS holder, json_extract(jobs_json.value, '$[3]') AS state, json_extract(jobs_json.value, '$[4]') AS error, json_extract(jobs_json.value, '$[5]') AS log_tail, CAST(json_extract(jobs_json.value, '$[6]') AS BIGINT) AS tail_start, CAST(json_extract(jobs_json.value, '$[7]') AS BIGINT) AS tail_line, CAST(json_extract(jobs_json.value, '$[8]') AS BIGINT) AS exit_status, CAST(json_extract(jobs_json.value, '$[9]') AS INTEGER) AS exit_signal, CAST(json_extract(jobs_json.value, '$[10]') AS BIGINT) AS peak_memory
FROM json_each(?) AS jobs_json) AS jobs WHERE job_run.id = jobs.number AND job_run.state IS 'running' AND job_run.token IS jobs.token AND job_run.holder IS jobs.holder RETURNING id;


-- daemon/store/statements/claims.py: end_runs
UPDATE run SET state=CASE WHEN (run.cancelled_at IS NOT NULL) THEN ? ELSE ends.state END, reason=CASE WHEN (run.cancelled_at IS NOT NULL) THEN ? || coalesce(run.cancelled_by, ?) || coalesce(? || run.cancelled_why, ?) || CASE WHEN (ends.state = 'succeeded') THEN '; by then all of its jobs had succeeded' ELSE '' END ELSE ends.reason END, available_at=CASE WHEN (ends.state = 'pending') THEN (((julianday('now') - 2440587.5) * 86400.0) + coalesce(ends.wait, ?)) ELSE run.available_at END, finished_at=CASE WHEN (run.cancelled_at IS NOT NULL) THEN ((julianday('now') - 2440587.5) * 86400.0) ELSE CASE WHEN (ends.state = 'pending') THEN NULL ELSE ((julianday('now') - 2440587.5) * 86400.0) END END FROM (SELECT CAST(json_extract(ends_json.value, '$[0]') AS BIGINT) AS number, CAST(json_extract(ends_json.value, '$[1]') AS BIGINT) AS token, json_extract(ends_json.value, '$[2]') AS holder, json_extract(ends_json.value, '$[3]') AS state, json_extract(ends_json.value, '$[4]') AS reason, CAST(json_extract(ends_json.value, '$[5]') AS DOUBLE) AS wait
FROM json_each(?) AS ends_json) AS ends WHERE run.id = ends.number AND run.state IS 'running' AND run.token IS ends.token AND run.holder IS ends.holder RETURNING id, state, reason;


-- daemon/store/statements/claims.py: lock
SELECT run.id
FROM run, (SELECT CAST(json_extract(ordered_json.value, '$[0]') AS BIGINT) AS number, CAST(json_extract(ordered_json.value, '$[1]') AS INTEGER) AS place, json_extract(ordered_json.value, '$[2]') AS digest
FROM json_each(?) AS ordered_json) AS ordered
WHERE (run.id IN (SELECT ordered.number
FROM (SELECT CAST(json_extract(ordered_json.value, '$[0]') AS BIGINT) AS number, CAST(json_extract(ordered_json.value, '$[1]') AS INTEGER) AS place, json_extract(ordered_json.value, '$[2]') AS digest
FROM json_each(?) AS ordered_json) AS ordered)) AND run.id = ordered.number AND run.digest IS ordered.digest AND run.state IS 'pending' AND run.available_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_1) AND run.cancelled_at IS NULL ORDER BY ordered.place
 LIMIT ? OFFSET ?;


-- daemon/store/statements/claims.py: lock_jobs
SELECT job_run.id
FROM job_run, (SELECT CAST(json_extract(jobs_json.value, '$[0]') AS BIGINT) AS number, CAST(json_extract(jobs_json.value, '$[1]') AS BIGINT) AS token, json_extract(jobs_json.value, '$[2]') AS holder
FROM json_each(?) AS jobs_json) AS jobs
WHERE job_run.id = jobs.number AND job_run.state IS 'running' AND job_run.token IS jobs.token AND job_run.holder IS jobs.holder ORDER BY job_run.id;


-- daemon/store/statements/claims.py: lock_runs
SELECT run.id
FROM run, (SELECT CAST(json_extract(runs_json.value, '$[0]') AS BIGINT) AS number, CAST(json_extract(runs_json.value, '$[1]') AS BIGINT) AS token, json_extract(runs_json.value, '$[2]') AS holder
FROM json_each(?) AS runs_json) AS runs
WHERE run.id = runs.number AND run.state IS 'running' AND run.token IS runs.token AND run.holder IS runs.holder ORDER BY run.id;


-- daemon/store/statements/claims.py: lock_schedules
SELECT schedule.application, schedule.name, schedule.abandoned
FROM schedule, (SELECT json_extract(schedules_json.value, '$[0]') AS application, json_extract(schedules_json.value, '$[1]') AS name
FROM json_each(?) AS schedules_json) AS schedules
WHERE schedule.application = schedules.application AND schedule.name = schedules.name ORDER BY schedule.application, schedule.name;


-- daemon/store/statements/claims.py: promote
UPDATE run SET available_at=((julianday('now') - 2440587.5) * 86400.0) WHERE (run.id IN (SELECT (SELECT waiting.id
FROM run AS waiting
WHERE waiting.application = schedules.application AND waiting.schedule = schedules.name AND waiting.state IN ('pending', 'running') AND waiting.available_at IS NULL AND (waiting.place_at IS NULL OR waiting.available_at IS NOT NULL) ORDER BY waiting.scheduled_for, waiting.id
 LIMIT ? OFFSET ?) AS anon_1
FROM (SELECT json_extract(schedules_json.value, '$[0]') AS application, json_extract(schedules_json.value, '$[1]') AS name
FROM json_each(?) AS schedules_json) AS schedules
WHERE NOT (EXISTS (SELECT *
FROM run AS other
WHERE other.application = schedules.application AND other.schedule = schedules.name AND other.state IN ('pending', 'running') AND other.available_at IS NOT NULL)))) RETURNING application, schedule;


-- daemon/store/statements/claims.py: put_under
UPDATE run SET lease_name=slotted.lease FROM (SELECT CAST(json_extract(slotted_json.value, '$[0]') AS BIGINT) AS number, json_extract(slotted_json.value, '$[1]') AS lease
FROM json_each(?) AS slotted_json) AS slotted WHERE (run.id IN (SELECT slotted.number
FROM (SELECT CAST(json_extract(slotted_json.value, '$[0]') AS BIGINT) AS number, json_extract(slotted_json.value, '$[1]') AS lease
FROM json_each(?) AS slotted_json) AS slotted)) AND run.id = slotted.number AND run.state IS 'pending' RETURNING id;


-- daemon/store/statements/claims.py: reset_abandoned
UPDATE run SET abandoned=? FROM (SELECT CAST(json_extract(runs_json.value, '$[0]') AS BIGINT) AS number, CAST(json_extract(runs_json.value, '$[1]') AS BIGINT) AS token, json_extract(runs_json.value, '$[2]') AS holder
FROM json_each(?) AS runs_json) AS runs WHERE run.id = runs.number AND run.state IS 'running' AND run.token IS runs.token AND run.holder IS runs.holder AND run.abandoned > ? RETURNING id;


-- daemon/store/statements/claims.py: reset_abandoned_of
UPDATE schedule SET abandoned=? FROM (SELECT json_extract(schedules_json.value, '$[0]') AS application, json_extract(schedules_json.value, '$[1]') AS name
FROM json_each(?) AS schedules_json) AS schedules WHERE schedule.application = schedules.application AND schedule.name = schedules.name RETURNING name;


-- daemon/store/statements/claims.py: start
UPDATE run SET state=?, reason=NULL, token=lease.token, holder=lease.holder, attempt=(run.attempt + ?), claimed_attempt=(run.attempt + ?), started_at=coalesce(run.started_at, ((julianday('now') - 2440587.5) * 86400.0)) FROM lease WHERE (run.id IN (SELECT ids.number
FROM (SELECT CAST(json_extract(ids_json.value, '$[0]') AS BIGINT) AS number
FROM json_each(?) AS ids_json) AS ids)) AND run.state IS 'pending' AND lease.name = run.lease_name AND lease.holder IS ? RETURNING id, application, schedule, scheduled_for AS scheduled_for, "trigger", lease_name, available_at AS available_at, attempt, params, retry_of, origin, (((julianday('now') - 2440587.5) * 86400.0) - started_at) AS started_ago, (((julianday('now') - 2440587.5) * 86400.0) - available_at) AS waited, traceparent, CASE WHEN (backfill IS NOT NULL) THEN 'backfill' WHEN (retry_of IS NOT NULL) THEN 'retry' ELSE "trigger" END AS cause;


-- daemon/store/statements/claims.py: stop_jobs
UPDATE job_run SET state=?, finished_at=((julianday('now') - 2440587.5) * 86400.0) FROM (SELECT CAST(json_extract(runs_json.value, '$[0]') AS BIGINT) AS number, CAST(json_extract(runs_json.value, '$[1]') AS BIGINT) AS token, json_extract(runs_json.value, '$[2]') AS holder
FROM json_each(?) AS runs_json) AS runs WHERE job_run.run_id = runs.number AND job_run.state = 'running' AND job_run.token IS runs.token AND job_run.holder IS runs.holder RETURNING id;


-- daemon/store/statements/delivery.py: add
INSERT INTO delivery (application, schedule, run_id, kind, target, count, created_at, available_at, held) VALUES (?, ?, ?, ?, ?, ?, ((julianday('now') - 2440587.5) * 86400.0), ((julianday('now') - 2440587.5) * 86400.0), ?);


-- daemon/store/statements/delivery.py: asking
SELECT schedule.name, schedule.definition
FROM schedule
WHERE schedule.application = ? AND (schedule.name IN (SELECT value FROM json_each(?))) AND ((schedule.definition LIKE '%' || ? || '%') OR (schedule.definition LIKE '%' || ? || '%'));


-- daemon/store/statements/delivery.py: at_work
SELECT run.id
FROM run
WHERE ((run.id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?))) AND run.state IN ('pending', 'running');


-- daemon/store/statements/delivery.py: claim
SELECT delivery.id, delivery.application, delivery.schedule, delivery.run_id, delivery.kind, delivery.target, delivery.count, delivery.created_at AS created_at, delivery.available_at AS available_at, delivery.attempts, delivery.held, delivery.folded, delivery.error, delivery.done_at AS done_at, delivery.outcome, delivery.count AS times, coalesce((SELECT schedule.called
FROM schedule
WHERE schedule.application = delivery.application AND schedule.name = delivery.schedule), delivery.schedule) AS called, (((julianday('now') - 2440587.5) * 86400.0) - delivery.created_at) AS age
FROM delivery
WHERE ((delivery.id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?))) ORDER BY delivery.id;

UPDATE delivery SET available_at=(((julianday('now') - 2440587.5) * 86400.0) + ?), attempts=(delivery.attempts + ?) WHERE delivery.id IN (SELECT delivery.id
FROM delivery
WHERE delivery.id IN (SELECT min(waits.id) AS min_1
FROM delivery AS waits
WHERE waits.application = ? AND waits.done_at IS NULL GROUP BY waits.target) AND delivery.done_at IS NULL AND delivery.available_at <= ((julianday('now') - 2440587.5) * 86400.0) ORDER BY delivery.id
 LIMIT ? OFFSET ?) RETURNING id;


-- daemon/store/statements/delivery.py: delete_done
DELETE FROM delivery WHERE delivery.id IN (SELECT delivery.id
FROM delivery
WHERE delivery.application = ? AND delivery.done_at < (((julianday('now') - 2440587.5) * 86400.0) + ?) ORDER BY delivery.done_at
 LIMIT ? OFFSET ?);


-- daemon/store/statements/delivery.py: drop_superseded
DELETE FROM delivery WHERE delivery.application = ? AND delivery.target = ? AND delivery.done_at IS NULL AND delivery.id > ? AND (delivery.kind IN ('ping.success', 'ping.fail') AND (EXISTS (SELECT *
FROM run
WHERE run.id = delivery.run_id AND run.started_at > ?)) AND (EXISTS (SELECT *
FROM delivery AS newer
WHERE newer.application = ? AND newer.target = ? AND newer.done_at IS NULL AND newer.schedule = delivery.schedule AND newer.id > delivery.id AND newer.kind IN ('ping.success', 'ping.fail') AND (newer.kind = ? OR delivery.kind = ?))) OR delivery.kind = ? AND (EXISTS (SELECT *
FROM run
WHERE run.id = delivery.run_id AND (run.state NOT IN ('pending', 'running'))))) AND (EXISTS (SELECT *
FROM delivery AS first
WHERE first.id = ? AND first.done_at IS NULL));


-- daemon/store/statements/delivery.py: end
UPDATE delivery SET error=coalesce(?, delivery.error), done_at=((julianday('now') - 2440587.5) * 86400.0), outcome=? WHERE delivery.id = ? AND delivery.done_at IS NULL;

UPDATE delivery SET error=coalesce(NULL, delivery.error), done_at=((julianday('now') - 2440587.5) * 86400.0), outcome=? WHERE delivery.id = ? AND delivery.done_at IS NULL;


-- daemon/store/statements/delivery.py: end_all
UPDATE delivery SET done_at=((julianday('now') - 2440587.5) * 86400.0), outcome=? WHERE delivery.application = ? AND delivery.target = ? AND delivery.created_at <= (((julianday('now') - 2440587.5) * 86400.0) + ?) AND delivery.done_at IS NULL;


-- daemon/store/statements/delivery.py: fold
UPDATE delivery SET done_at=((julianday('now') - 2440587.5) * 86400.0), outcome=? WHERE delivery.application = ? AND delivery.target = ? AND delivery.kind = ? AND delivery.done_at IS NULL AND delivery.id > ?;

UPDATE delivery SET held=?, folded=(delivery.folded + ?) WHERE delivery.id = ?;


-- daemon/store/statements/delivery.py: forget
DELETE FROM delivery WHERE delivery.id = ?;


-- daemon/store/statements/delivery.py: gone
SELECT DISTINCT delivery.target
FROM delivery
WHERE delivery.application = ? AND delivery.outcome IN ('gone', 'given up') AND delivery.outcome = ?;


-- daemon/store/statements/delivery.py: has_failed_before
SELECT run.state
FROM run
WHERE run.application = ? AND run.schedule = ? AND run.id != ? AND run.state IN (__[POSTCOMPILE_state_1]) ORDER BY run.id DESC
 LIMIT ? OFFSET ?;


-- daemon/store/statements/delivery.py: hold
UPDATE delivery SET available_at=(((julianday('now') - 2440587.5) * 86400.0) + ?), attempts=(delivery.attempts - ?), held=? WHERE delivery.id = ? AND delivery.done_at IS NULL;


-- daemon/store/statements/delivery.py: keys_of
SELECT run.id, run.schedule
FROM run
WHERE ((run.id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?)));


-- daemon/store/statements/delivery.py: lately_sent
SELECT delivery.target, delivery.kind, count(*) AS count_1, max((((julianday('now') - 2440587.5) * 86400.0) - delivery.done_at)) AS max_1
FROM delivery
WHERE delivery.application = ? AND delivery.done_at > (((julianday('now') - 2440587.5) * 86400.0) + ?) AND delivery.outcome = ? GROUP BY delivery.target, delivery.kind;


-- daemon/store/statements/delivery.py: put_back
UPDATE delivery SET available_at=(((julianday('now') - 2440587.5) * 86400.0) + ?), error=? WHERE delivery.id = ? AND delivery.attempts = ? AND delivery.done_at IS NULL;


-- daemon/store/statements/delivery.py: resume
UPDATE delivery SET outcome=? WHERE delivery.application = ? AND delivery.target = ? AND delivery.outcome IN ('gone', 'given up') AND delivery.outcome = ?;


-- daemon/store/statements/delivery.py: until_due
SELECT min((delivery.available_at - ((julianday('now') - 2440587.5) * 86400.0))) AS min_1
FROM delivery
WHERE delivery.id IN (SELECT min(waits.id) AS min_2
FROM delivery AS waits
WHERE waits.application = ? AND waits.done_at IS NULL GROUP BY waits.target);


-- daemon/store/statements/generation.py: acknowledge
UPDATE generation SET acknowledged_at=((julianday('now') - 2440587.5) * 86400.0), acknowledged_by=? WHERE generation.application = ? AND generation.number = ?;


-- daemon/store/statements/generation.py: add
INSERT INTO generation (application, number, digest, revision, brought_by, came_at, rules, in_lieu, run_digests) VALUES (?, (SELECT coalesce(max(generation.number), ?) + ? AS anon_1
FROM generation
WHERE generation.application = ?), ?, ?, ?, ((julianday('now') - 2440587.5) * 86400.0), ?, ?, ?) RETURNING number;


-- daemon/store/statements/generation.py: change
UPDATE generation SET revision=? WHERE generation.application = ? AND generation.number = ?;

UPDATE generation SET run_digests=? WHERE generation.application = ? AND generation.number = ?;


-- daemon/store/statements/generation.py: discount
UPDATE generation SET discounted_at=((julianday('now') - 2440587.5) * 86400.0) WHERE generation.application = ? AND generation.number IN (__[POSTCOMPILE_number_1]);


-- daemon/store/statements/generation.py: latest
SELECT generation.number, generation.digest, generation.revision, generation.ruled_at AS ruled_at, generation.rules, generation.discounted_at AS discounted_at
FROM generation
WHERE generation.application = ? AND (generation.number IN (SELECT generation.number
FROM generation
WHERE generation.application = ? ORDER BY coalesce(CASE WHEN (generation.discounted_at IS NULL) THEN generation.revision ELSE NULL END, ?) DESC, generation.number DESC
 LIMIT ? OFFSET ?) OR generation.number IN (SELECT generation.number
FROM generation
WHERE generation.application = ? AND generation.digest = ? ORDER BY coalesce(CASE WHEN (generation.discounted_at IS NULL) THEN generation.revision ELSE NULL END, ?) DESC, generation.number DESC
 LIMIT ? OFFSET ?) OR generation.number = (SELECT max(generation.number) AS max_1
FROM generation
WHERE generation.application = ?) OR generation.rules = 1 OR generation.revision = ?) ORDER BY generation.number;

SELECT generation.number, generation.digest, generation.revision, generation.ruled_at AS ruled_at, generation.rules, generation.discounted_at AS discounted_at
FROM generation
WHERE generation.application = ? AND (generation.number IN (SELECT generation.number
FROM generation
WHERE generation.application = ? ORDER BY coalesce(CASE WHEN (generation.discounted_at IS NULL) THEN generation.revision ELSE NULL END, ?) DESC, generation.number DESC
 LIMIT ? OFFSET ?) OR generation.number IN (SELECT generation.number
FROM generation
WHERE generation.application = ? AND generation.digest = ? ORDER BY coalesce(CASE WHEN (generation.discounted_at IS NULL) THEN generation.revision ELSE NULL END, ?) DESC, generation.number DESC
 LIMIT ? OFFSET ?) OR generation.number = (SELECT max(generation.number) AS max_1
FROM generation
WHERE generation.application = ?) OR generation.rules = 1) ORDER BY generation.number;


-- daemon/store/statements/generation.py: let_none_rule
UPDATE generation SET superseded_at=((julianday('now') - 2440587.5) * 86400.0), rules=?, in_lieu=? WHERE generation.application = ? AND generation.rules = 1;


-- daemon/store/statements/generation.py: let_rule
UPDATE generation SET ruled_at=((julianday('now') - 2440587.5) * 86400.0), superseded_at=?, rules=?, in_lieu=?, changes=?, diff=? WHERE generation.application = ? AND generation.number = ?;

UPDATE generation SET ruled_at=((julianday('now') - 2440587.5) * 86400.0), superseded_at=?, rules=?, in_lieu=?, changes=?, diff=?, replaced=? WHERE generation.application = ? AND generation.number = ?;

UPDATE generation SET superseded_at=((julianday('now') - 2440587.5) * 86400.0), rules=?, in_lieu=? WHERE generation.application = ? AND generation.rules = 1 AND generation.number != ?;


-- daemon/store/statements/generation.py: living_others
SELECT replica.digest, replica.host
FROM replica
WHERE replica.application = ? AND replica.digest != ? AND replica.state = ? AND (replica.holder NOT IN (__[POSTCOMPILE_holder_1])) AND (((julianday('now') - 2440587.5) * 86400.0) - replica.seen_at) < ?;


-- daemon/store/statements/generation.py: newest_number
SELECT max(generation.number) AS max_1
FROM generation
WHERE generation.application = ?;

SELECT max(generation.number) AS max_1
FROM generation
WHERE generation.application = ? AND generation.digest = ?;


-- daemon/store/statements/generation.py: others
SELECT replica.digest, (((julianday('now') - 2440587.5) * 86400.0) - min(replica.ready_at)) AS ready_for
FROM replica
WHERE replica.application = ? AND (replica.holder NOT IN (__[POSTCOMPILE_holder_1])) AND (replica.state = ? OR replica.state = ? AND (replica.stopped_at - replica.seen_at) > ?) AND CASE WHEN (NOT (EXISTS (SELECT *
FROM generation
WHERE generation.application = replica.application AND generation.digest = replica.digest AND generation.revision >= replica.revision AND generation.discounted_at IS NOT NULL)) OR (EXISTS (SELECT *
FROM generation
WHERE generation.application = replica.application AND generation.digest = replica.digest AND generation.revision >= replica.revision AND generation.discounted_at IS NULL))) THEN replica.revision END >= ? GROUP BY replica.digest;

SELECT replica.digest, (((julianday('now') - 2440587.5) * 86400.0) - min(replica.ready_at)) AS ready_for
FROM replica
WHERE replica.application = ? AND (replica.holder NOT IN (__[POSTCOMPILE_holder_1])) AND (replica.state = ? OR replica.state = ? AND (replica.stopped_at - replica.seen_at) > ?) GROUP BY replica.digest;

SELECT replica.digest, (((julianday('now') - 2440587.5) * 86400.0) - min(replica.ready_at)) AS ready_for
FROM replica
WHERE replica.application = ? AND (replica.holder NOT IN (__[POSTCOMPILE_holder_1])) AND replica.state = ? AND (((julianday('now') - 2440587.5) * 86400.0) - replica.seen_at) < ? AND CASE WHEN (NOT (EXISTS (SELECT *
FROM generation
WHERE generation.application = replica.application AND generation.digest = replica.digest AND generation.revision >= replica.revision AND generation.discounted_at IS NOT NULL)) OR (EXISTS (SELECT *
FROM generation
WHERE generation.application = replica.application AND generation.digest = replica.digest AND generation.revision >= replica.revision AND generation.discounted_at IS NULL))) THEN replica.revision END >= ? GROUP BY replica.digest;

SELECT replica.digest, (((julianday('now') - 2440587.5) * 86400.0) - min(replica.ready_at)) AS ready_for
FROM replica
WHERE replica.application = ? AND (replica.holder NOT IN (__[POSTCOMPILE_holder_1])) AND replica.state = ? AND (((julianday('now') - 2440587.5) * 86400.0) - replica.seen_at) < ? GROUP BY replica.digest;


-- daemon/store/statements/generation.py: read
SELECT generation.application, generation.number, generation.digest, generation.revision, generation.brought_by, generation.came_at AS came_at, generation.ruled_at AS ruled_at, generation.superseded_at AS superseded_at, generation.rules, generation.in_lieu, generation.changes, generation.diff, generation.replaced, generation.acknowledged_at AS acknowledged_at, generation.acknowledged_by, generation.discounted_at AS discounted_at, generation.run_digests
FROM generation
WHERE generation.application = ? AND generation.number = ?;


-- daemon/store/statements/generation.py: run_digests_of_others
SELECT generation.run_digests
FROM generation
WHERE generation.application = ? AND (generation.digest IN (SELECT value FROM json_each(?)));


-- daemon/store/statements/generation.py: schedules_of
SELECT generation.run_digests
FROM generation
WHERE generation.application = ? AND (generation.digest IN (SELECT value FROM json_each(?)));


-- daemon/store/statements/job_run.py: add_not_started
INSERT INTO job_run (run_id, job, position, attempt, state, token, holder, started_at, finished_at) VALUES (?, ?, ?, ((SELECT coalesce(max(job_run.attempt), ?) AS coalesce_1
FROM job_run
WHERE job_run.run_id = ? AND job_run.job = ?) + ?), ?, ?, ?, ((julianday('now') - 2440587.5) * 86400.0), ((julianday('now') - 2440587.5) * 86400.0));


-- daemon/store/statements/job_run.py: delete_output
DELETE FROM job_output WHERE job_output.job_run_id = ? AND job_output.start < ?;


-- daemon/store/statements/job_run.py: find_started
SELECT job_run.id
FROM job_run
WHERE job_run.run_id = ? AND job_run.job = ? AND job_run.attempt = ? AND job_run.token = ? AND job_run.holder = ? AND job_run.state = ?;


-- daemon/store/statements/job_run.py: is_recorded
SELECT ? AS anon_1
FROM job_run
WHERE job_run.run_id = ? AND job_run.job = ? AND job_run.attempt = ?;


-- daemon/store/statements/job_run.py: leave_word
UPDATE job_run SET error=?, log_tail=?, tail_start=?, tail_line=?, exit_status=?, exit_signal=?, peak_memory=? WHERE job_run.id = ? AND job_run.state = ? AND job_run.token = ? AND job_run.holder = ?;

UPDATE job_run SET keeper_pid=?, keeper_start=? WHERE job_run.id = ? AND job_run.state = ? AND job_run.token = ? AND job_run.holder = ?;


-- daemon/store/statements/job_run.py: note_loss
UPDATE job_run SET lost_by=?, lost_why=?, work_ended_at=(((julianday('now') - 2440587.5) * 86400.0) + ?) WHERE job_run.id = ? AND job_run.token = ? AND job_run.holder = ? AND job_run.state != ?;


-- daemon/store/statements/job_run.py: of_runs
SELECT job_run.run_id, job_run.job, job_run.position, job_run.attempt, job_run.state
FROM job_run
WHERE ((job_run.run_id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?))) ORDER BY job_run.run_id, job_run.attempt, job_run.position;


-- daemon/store/statements/job_run.py: read
SELECT job_run.id, job_run.run_id, job_run.job, job_run.position, job_run.attempt, job_run.state, job_run.token, job_run.holder, job_run.started_at AS started_at, job_run.finished_at AS finished_at, job_run.error, job_run.log_tail, job_run.tail_start, job_run.tail_line, job_run.done, job_run.total, job_run.message, job_run.progress_at AS progress_at, job_run.keeper_pid, job_run.keeper_start, job_run.exit_status, job_run.exit_signal, job_run.peak_memory, job_run.lost_by, job_run.lost_why, job_run.carried_from, job_run.release, job_run.work_ended_at AS work_ended_at, job_run.renewed_at AS renewed_at
FROM job_run
WHERE job_run.id = ?;


-- daemon/store/statements/job_run.py: save_output
INSERT INTO job_output (job_run_id, start, line, text, saved_at) SELECT job_run.id, ? AS anon_1, ? AS anon_2, ? AS anon_3, ((julianday('now') - 2440587.5) * 86400.0) AS anon_4
FROM job_run
WHERE job_run.id = ? AND job_run.state = ? AND job_run.holder = ? AND (EXISTS (SELECT *
FROM run, lease
WHERE run.id = job_run.run_id AND lease.name = run.lease_name AND lease.token = job_run.token AND lease.holder = job_run.holder)) ON CONFLICT (job_run_id, start) DO UPDATE SET text = excluded.text, saved_at = excluded.saved_at;

SELECT job_run.id
FROM job_run
WHERE job_run.id IN (__[POSTCOMPILE_id_1]) AND job_run.state = ? AND job_run.holder = ? AND (EXISTS (SELECT *
FROM run, lease
WHERE run.id = job_run.run_id AND lease.name = run.lease_name AND lease.token = job_run.token AND lease.holder = job_run.holder));


-- daemon/store/statements/job_run.py: set_progress
UPDATE job_run SET done=?, total=?, message=?, progress_at=((julianday('now') - 2440587.5) * 86400.0) WHERE job_run.id = ? AND job_run.state = ? AND job_run.holder = ? AND (EXISTS (SELECT *
FROM run, lease
WHERE run.id = job_run.run_id AND lease.name = run.lease_name AND lease.token = job_run.token AND lease.holder = job_run.holder));


-- daemon/store/statements/job_run.py: start_jobs
INSERT INTO job_run (run_id, job, position, attempt, state, token, holder, started_at, release) SELECT run.id, starts.job, starts.position, starts.attempt, 'running', run.token, run.holder, ((julianday('now') - 2440587.5) * 86400.0) AS anon_1, (SELECT replica.release
FROM replica
WHERE replica.holder = run.holder) AS anon_2
FROM run, (SELECT CAST(json_extract(starts_json.value, '$[0]') AS BIGINT) AS number, CAST(json_extract(starts_json.value, '$[1]') AS BIGINT) AS token, json_extract(starts_json.value, '$[2]') AS holder, json_extract(starts_json.value, '$[3]') AS job, CAST(json_extract(starts_json.value, '$[4]') AS INTEGER) AS position, CAST(json_extract(starts_json.value, '$[5]') AS INTEGER) AS attempt
FROM json_each(?) AS starts_json) AS starts, lease
WHERE run.id = starts.number AND run.state IS 'running' AND run.token IS starts.token AND run.holder IS starts.holder AND run.cancelled_at IS NULL AND lease.name = run.lease_name AND lease.token IS starts.token AND lease.holder IS starts.holder ON CONFLICT DO NOTHING RETURNING run_id, id;


-- daemon/store/statements/keeping.py: _digests_at_work
SELECT DISTINCT run.digest
FROM run
WHERE run.application = ? AND run.state = 'running' AND (run.digest IN (SELECT value FROM json_each(?)));

SELECT DISTINCT run.digest
FROM run
WHERE run.application = ? AND run.state IN ('pending', 'running') AND run.state = 'pending' AND (run.digest IN (SELECT value FROM json_each(?)));


-- daemon/store/statements/keeping.py: _that_try_one_again_that_stays
SELECT run.id, run.retry_of
FROM run JOIN run AS any_run ON any_run.id = run.retry_of
WHERE ((run.id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?))) ORDER BY run.id;


-- daemon/store/statements/keeping.py: _with_a_held_lease
DELETE FROM lease WHERE (lease.name IN (SELECT value FROM json_each(?)));

SELECT lease.name
FROM lease
WHERE (lease.name IN (SELECT value FROM json_each(?)));

SELECT lease.name
FROM lease
WHERE (lease.name IN (SELECT value FROM json_each(?))) AND (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1);


-- daemon/store/statements/keeping.py: delete_acts
DELETE FROM act WHERE act.id IN (SELECT act.id
FROM act
WHERE act.acted_at < (SELECT (((julianday('now') - 2440587.5) * 86400.0) + ?) AS anon_1) ORDER BY act.acted_at
 LIMIT ? OFFSET ?);


-- daemon/store/statements/keeping.py: delete_generations
DELETE FROM generation WHERE generation.application = ? AND generation.number IN (__[POSTCOMPILE_number_1]);

SELECT generation.number, generation.run_digests
FROM generation
WHERE generation.application = ? AND generation.rules = 0 AND (((julianday('now') - 2440587.5) * 86400.0) - coalesce(generation.superseded_at, generation.came_at)) > ? AND (generation.number NOT IN (SELECT generation.number
FROM generation
WHERE generation.application = ? ORDER BY generation.number DESC
 LIMIT ? OFFSET ?)) AND NOT (EXISTS (SELECT *
FROM replica
WHERE replica.digest = generation.digest)) ORDER BY generation.number
 LIMIT ? OFFSET ?;


-- daemon/store/statements/keeping.py: delete_runs
DELETE FROM job_output WHERE ((job_output.job_run_id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?)));

DELETE FROM job_run WHERE ((job_run.id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?)));

DELETE FROM run WHERE ((run.id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?)));

SELECT job_run.id, job_run.run_id
FROM job_run
WHERE ((job_run.run_id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?)));

SELECT run.id
FROM run
WHERE ((run.id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?))) AND (run.state NOT IN ('pending', 'running')) AND run.id < (SELECT max(any_run.id) AS max_1
FROM run AS any_run);


-- daemon/store/statements/keeping.py: first_runs
SELECT run.id, run."trigger" = 'schedule' AS scheduled, coalesce(run.last_scheduled_for, run.scheduled_for) AS last, (((julianday('now') - 2440587.5) * 86400.0) - run.created_at) AS created_for, (((julianday('now') - 2440587.5) * 86400.0) - run.finished_at) AS ended_for, coalesce(run.last_scheduled_for IS NOT NULL AND run.scheduled_for = schedule.stretch_from, 0) AS goes_on
FROM run JOIN schedule ON schedule.application = run.application AND schedule.name = run.schedule
WHERE run.application = ? AND run.schedule = ? AND run.id > ? AND run.id < ? ORDER BY run.id
 LIMIT ? OFFSET ?;

SELECT run.id, run."trigger" = 'schedule' AS scheduled, coalesce(run.last_scheduled_for, run.scheduled_for) AS last, (((julianday('now') - 2440587.5) * 86400.0) - run.created_at) AS created_for, (((julianday('now') - 2440587.5) * 86400.0) - run.finished_at) AS ended_for, coalesce(run.last_scheduled_for IS NOT NULL AND run.scheduled_for = schedule.stretch_from, 0) AS goes_on
FROM run JOIN schedule ON schedule.application = run.application AND schedule.name = run.schedule
WHERE run.application = ? AND run.schedule = ? AND run.id > ? ORDER BY run.id
 LIMIT ? OFFSET ?;


-- daemon/store/statements/keeping.py: forget
DELETE FROM job_output WHERE job_output.job_run_id IN (SELECT job_run.id
FROM job_run
WHERE job_run.run_id = ?);

UPDATE job_run SET error=?, log_tail=?, tail_start=?, tail_line=?, message=? WHERE job_run.run_id = ?;

UPDATE run SET reason=CASE WHEN (run.reason IS NULL OR run.state = ? OR run.reason = ?) THEN run.reason ELSE ? END, params=?, requested_why=?, cancelled_why=?, forgotten_at=((julianday('now') - 2440587.5) * 86400.0), forgotten_by=?, look=? WHERE run.id = ?;


-- daemon/store/statements/keeping.py: forget_acts
UPDATE act SET why=?, effect=? WHERE act.application = ? AND act.schedule = ? AND act.run_id = ?;


-- daemon/store/statements/keeping.py: keeping
SELECT schedule.name, schedule.definition
FROM schedule
WHERE schedule.application = ? AND (schedule.definition LIKE '%' || ? || '%' ESCAPE '/') ORDER BY schedule.name;


-- daemon/store/statements/keeping.py: mark_pruned
INSERT INTO pruned (application, schedule, until) VALUES (?, ?, ?) ON CONFLICT DO NOTHING;

UPDATE pruned SET until=? WHERE pruned.application = ? AND pruned.schedule = ? AND pruned.until < ?;


-- daemon/store/statements/keeping.py: oldest_kept
SELECT run.id
FROM run
WHERE run.application = ? AND run.schedule = ? ORDER BY run.id DESC
 LIMIT ? OFFSET ?;


-- daemon/store/statements/keeping.py: pruned_until
SELECT pruned.until AS until
FROM pruned
WHERE pruned.application = ? AND pruned.schedule = ?;


-- daemon/store/statements/keeping.py: was_granted
SELECT lease.name
FROM lease
WHERE lease.name = ? AND (((julianday('now') - 2440587.5) * 86400.0) - lease.granted_at) < ?;


-- daemon/store/statements/replica.py: add
INSERT INTO replica (holder, application, host, pid, start_time, boot_id, pid_namespace, version, digest, revision, requires_revision, release, concurrency, state, started_at, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (((julianday('now') - 2440587.5) * 86400.0) + ?), ((julianday('now') - 2440587.5) * 86400.0)) ON CONFLICT DO NOTHING;

INSERT INTO replica (holder, application, host, pid, start_time, boot_id, pid_namespace, version, digest, revision, requires_revision, release, concurrency, state, started_at, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ((julianday('now') - 2440587.5) * 86400.0), ((julianday('now') - 2440587.5) * 86400.0)) ON CONFLICT DO NOTHING;


-- daemon/store/statements/replica.py: counts
SELECT NOT (EXISTS (SELECT *
FROM generation
WHERE generation.application = ? AND generation.digest = ? AND generation.revision >= ? AND generation.discounted_at IS NOT NULL)) OR (EXISTS (SELECT *
FROM generation
WHERE generation.application = ? AND generation.digest = ? AND generation.revision >= ? AND generation.discounted_at IS NULL)) AS anon_1;


-- daemon/store/statements/replica.py: highest_revision
SELECT max(CASE WHEN (NOT (EXISTS (SELECT *
FROM generation
WHERE generation.application = replica.application AND generation.digest = replica.digest AND generation.revision >= replica.revision AND generation.discounted_at IS NOT NULL)) OR (EXISTS (SELECT *
FROM generation
WHERE generation.application = replica.application AND generation.digest = replica.digest AND generation.revision >= replica.revision AND generation.discounted_at IS NULL))) THEN replica.revision END) AS max_1
FROM replica
WHERE replica.application = ? AND replica.state = ? AND replica.ready_at IS NOT NULL AND (((julianday('now') - 2440587.5) * 86400.0) - replica.seen_at) < ? AND (replica.digest = ? OR NOT (EXISTS (SELECT *
FROM generation AS own
WHERE own.application = replica.application AND own.digest = ? AND own.discounted_at IS NULL AND own.revision IS NOT NULL AND NOT (EXISTS (SELECT *
FROM generation AS its
WHERE its.application = replica.application AND its.digest = replica.digest AND its.discounted_at IS NULL AND (its.revision > own.revision OR its.revision = own.revision AND its.number > own.number))))));


-- daemon/store/statements/replica.py: holders_among
SELECT replica.holder
FROM replica
WHERE (replica.holder IN (SELECT value FROM json_each(?)));


-- daemon/store/statements/replica.py: last_seen
SELECT replica.seen_at AS seen_at
FROM replica
WHERE replica.application = ? AND replica.seen_at <= ? ORDER BY replica.seen_at DESC
 LIMIT ? OFFSET ?;


-- daemon/store/statements/replica.py: latest_of_boot
SELECT replica.started_at AS started_at, replica.start_time
FROM replica
WHERE replica.boot_id = ? AND replica.start_time > ? ORDER BY replica.start_time DESC
 LIMIT ? OFFSET ?;


-- daemon/store/statements/replica.py: live
SELECT replica.holder, replica.host, replica.pid, (((julianday('now') - 2440587.5) * 86400.0) - replica.seen_at) AS seen_ago
FROM replica
WHERE replica.application = ? AND replica.state IN (__[POSTCOMPILE_state_1]) ORDER BY replica.host, replica.pid;


-- daemon/store/statements/replica.py: living_of
SELECT replica.holder, replica.pid, replica.start_time
FROM replica
WHERE replica.state IN (__[POSTCOMPILE_state_1]) AND replica.boot_id = ? AND replica.pid_namespace = ?;


-- daemon/store/statements/replica.py: mark_all_dead
UPDATE replica SET state=?, stopped_at=((julianday('now') - 2440587.5) * 86400.0) WHERE replica.state IN (__[POSTCOMPILE_state_1]);


-- daemon/store/statements/replica.py: mark_dead
UPDATE replica SET state=?, stopped_at=((julianday('now') - 2440587.5) * 86400.0) WHERE (replica.holder IN (SELECT value FROM json_each(?))) AND replica.state IN (__[POSTCOMPILE_state_1]);


-- daemon/store/statements/replica.py: mark_ready
UPDATE replica SET ready_at=((julianday('now') - 2440587.5) * 86400.0) WHERE replica.holder = ?;


-- daemon/store/statements/replica.py: mark_stopped_if_alive
UPDATE replica SET state=?, seen_at=((julianday('now') - 2440587.5) * 86400.0), stopped_at=((julianday('now') - 2440587.5) * 86400.0) WHERE replica.holder = ? AND replica.state IN (__[POSTCOMPILE_state_1]);


-- daemon/store/statements/replica.py: mark_unseen_dead
UPDATE replica SET state=?, stopped_at=((julianday('now') - 2440587.5) * 86400.0) WHERE replica.state IN (__[POSTCOMPILE_state_1]) AND (((julianday('now') - 2440587.5) * 86400.0) - replica.seen_at) > ? RETURNING holder;


-- daemon/store/statements/replica.py: prune
DELETE FROM replica WHERE (replica.state NOT IN (__[POSTCOMPILE_state_1])) AND (((julianday('now') - 2440587.5) * 86400.0) - replica.seen_at) > ?;


-- daemon/store/statements/replica.py: seen_lately
SELECT replica.host, replica.pid
FROM replica
WHERE replica.state IN (__[POSTCOMPILE_state_1]) AND (((julianday('now') - 2440587.5) * 86400.0) - replica.seen_at) < ? ORDER BY replica.host, replica.pid;


-- daemon/store/statements/replica.py: touch
UPDATE replica SET state=CASE WHEN (replica.state = ?) THEN replica.state ELSE ? END, seen_at=((julianday('now') - 2440587.5) * 86400.0), stopped_at=((julianday('now') - 2440587.5) * 86400.0), blocked=? WHERE replica.holder = ?;

UPDATE replica SET state=CASE WHEN (replica.state = ?) THEN replica.state ELSE ? END, seen_at=((julianday('now') - 2440587.5) * 86400.0), stopped_at=CASE WHEN (replica.state = ?) THEN replica.stopped_at ELSE NULL END, blocked=? WHERE replica.holder = ?;


-- daemon/store/statements/requests.py: close
UPDATE backfill SET placed_at=((julianday('now') - 2440587.5) * 86400.0) WHERE ((backfill.id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?))) AND backfill.placed_at IS NULL AND backfill.cancelled_at IS NULL AND NOT (EXISTS (SELECT *
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NOT NULL AND own.available_at IS NULL));


-- daemon/store/statements/requests.py: due
SELECT anon_1.id, anon_1.schedule
FROM (SELECT run.id AS id, run.schedule AS schedule, run.place_at AS place_at
FROM run
WHERE run.application = ? AND run.state = 'pending' AND run.place_at IS NOT NULL AND run.available_at IS NULL AND (run.schedule IN (SELECT value FROM json_each(?))) = 0 ORDER BY run.place_at, run.id
 LIMIT ? OFFSET ?) AS anon_1
WHERE anon_1.place_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) ORDER BY anon_1.place_at, anon_1.id;

SELECT anon_1.id, anon_1.schedule
FROM (SELECT run.id AS id, run.schedule AS schedule, run.place_at AS place_at
FROM run
WHERE run.application = ? AND run.state = 'pending' AND run.place_at IS NOT NULL AND run.available_at IS NULL AND (run.schedule IN (SELECT value FROM json_each(?))) ORDER BY run.place_at, run.id
 LIMIT ? OFFSET ?) AS anon_1
WHERE anon_1.place_at <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_2) ORDER BY anon_1.place_at, anon_1.id;


-- daemon/store/statements/requests.py: next_runs
SELECT run.id
FROM run
WHERE run.backfill = ? AND run.state = 'pending' AND run.place_at IS NOT NULL AND run.available_at IS NULL ORDER BY run.scheduled_for, run.id
 LIMIT ? OFFSET ?;


-- daemon/store/statements/requests.py: place
UPDATE run SET available_at=CASE WHEN (runs.waits = ?) THEN run.available_at ELSE ((julianday('now') - 2440587.5) * 86400.0) END, place_at=NULL FROM (SELECT CAST(json_extract(runs_json.value, '$[0]') AS BIGINT) AS number, CAST(json_extract(runs_json.value, '$[1]') AS INTEGER) AS waits
FROM json_each(?) AS runs_json) AS runs WHERE (run.id IN (SELECT runs.number
FROM (SELECT CAST(json_extract(runs_json.value, '$[0]') AS BIGINT) AS number, CAST(json_extract(runs_json.value, '$[1]') AS INTEGER) AS waits
FROM json_each(?) AS runs_json) AS runs)) AND run.id = runs.number AND run.state IS 'pending' AND run.place_at IS NOT NULL RETURNING id;


-- daemon/store/statements/requests.py: to_feed
SELECT backfill.id, backfill.schedule, backfill.at_most - ((SELECT count(*) AS count_1
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'running') + (SELECT count(*) AS count_2
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NULL)) AS may_start
FROM backfill
WHERE backfill.application = ? AND backfill.placed_at IS NULL AND backfill.cancelled_at IS NULL AND backfill.paused_at IS NULL AND (NOT (EXISTS (SELECT *
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NOT NULL AND own.available_at IS NULL)) OR (SELECT count(*) AS count_1
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'running') + (SELECT count(*) AS count_2
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NULL) < backfill.at_most AND NOT (EXISTS (SELECT *
FROM run AS other
WHERE other.application = backfill.application AND other.schedule = backfill.schedule AND other.state IN ('pending', 'running') AND (other.place_at IS NULL OR other.available_at IS NOT NULL) AND other.backfill IS NOT backfill.id))) AND (backfill.schedule IN (SELECT value FROM json_each(?))) = 0 ORDER BY backfill.id
 LIMIT ? OFFSET ?;

SELECT backfill.id, backfill.schedule, backfill.at_most - ((SELECT count(*) AS count_1
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'running') + (SELECT count(*) AS count_2
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NULL)) AS may_start
FROM backfill
WHERE backfill.application = ? AND backfill.placed_at IS NULL AND backfill.cancelled_at IS NULL AND backfill.paused_at IS NULL AND (NOT (EXISTS (SELECT *
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NOT NULL AND own.available_at IS NULL)) OR (SELECT count(*) AS count_1
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'running') + (SELECT count(*) AS count_2
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NULL) < backfill.at_most AND NOT (EXISTS (SELECT *
FROM run AS other
WHERE other.application = backfill.application AND other.schedule = backfill.schedule AND other.state IN ('pending', 'running') AND (other.place_at IS NULL OR other.available_at IS NOT NULL) AND other.backfill IS NOT backfill.id))) AND (backfill.schedule IN (SELECT value FROM json_each(?))) ORDER BY backfill.id
 LIMIT ? OFFSET ?;


-- daemon/store/statements/run.py: all_running
SELECT run.id, run.application, run.schedule, run.scheduled_for AS scheduled_for, run.last_scheduled_for AS last_scheduled_for, run.count, run."trigger", run.state, run.reason, run.lease_name, run.queue, run.available_at AS available_at, run.start_by AS start_by, run.token, run.holder, run.attempt, run.claimed_attempt, run.abandoned, run.params, run.requested_by, run.requested_why, run.digest, run.adopted_from, run.cancelled_at AS cancelled_at, run.cancelled_by, run.cancelled_why, run.overlapped, run.overlapped_by, run.away_from AS away_from, run.place_at AS place_at, run.finish_by AS finish_by, run.late_at AS late_at, run.told_long, run.retry_of, run.origin, run.backfill, run.forgotten_at AS forgotten_at, run.forgotten_by, run.created_at AS created_at, run.started_at AS started_at, run.finished_at AS finished_at, run.look_asked_at AS look_asked_at, run.look_asked_by, run.look, run.looked_at AS looked_at, run.traceparent
FROM run
WHERE run.state = 'running' ORDER BY run.id;


-- daemon/store/statements/run.py: answer_look
UPDATE run SET look_asked_at=NULL, look=?, looked_at=((julianday('now') - 2440587.5) * 86400.0) WHERE run.id = ? AND run.token = ? AND run.holder = ? AND run.state IS 'running';


-- daemon/store/statements/run.py: ask_for_look
UPDATE run SET look_asked_at=((julianday('now') - 2440587.5) * 86400.0), look_asked_by=? WHERE run.id = ? AND run.state IS 'running' RETURNING look_asked_at AS look_asked_at;


-- daemon/store/statements/run.py: at_work
SELECT run.id
FROM run
WHERE run.application = ? AND run.state = ? ORDER BY run.id;


-- daemon/store/statements/run.py: end_marked
UPDATE run SET state=CASE WHEN (run.cancelled_at IS NOT NULL) THEN ? ELSE run.state END, reason=CASE WHEN (run.cancelled_at IS NOT NULL) THEN ? || coalesce(run.cancelled_by, ?) || coalesce(? || run.cancelled_why, ?) || ? ELSE run.reason END, available_at=NULL, token=NULL, holder=NULL, place_at=NULL, finished_at=CASE WHEN (run.cancelled_at IS NOT NULL) THEN ((julianday('now') - 2440587.5) * 86400.0) ELSE run.finished_at END WHERE ((run.id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?))) AND run.state IS 'pending' AND run.cancelled_at IS NOT NULL;


-- daemon/store/statements/run.py: extend
UPDATE run SET last_scheduled_for=?, count=?, finished_at=((julianday('now') - 2440587.5) * 86400.0) WHERE run.application = ? AND run.schedule = ? AND run.scheduled_for = ? AND run."trigger" = 'schedule' AND run.last_scheduled_for IS NOT NULL;


-- daemon/store/statements/run.py: find_late_starts
SELECT run.schedule
FROM run
WHERE run.application = ? AND run.state = 'pending' AND run.available_at > ((SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_1) + ?) AND run.queue IS NULL UNION SELECT run.schedule
FROM run
WHERE run.application = ? AND run.state = 'pending' AND run.available_at > ((SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_1) + ?) AND (run.queue IN (SELECT value FROM json_each(?)));


-- daemon/store/statements/run.py: find_marked
SELECT run.id, run.application, run.schedule
FROM run
WHERE run.state IN ('pending', 'running') AND run.state = 'pending' AND run.cancelled_at IS NOT NULL;

SELECT run.id, run.application, run.schedule
FROM run
WHERE run.state IN ('pending', 'running') AND run.state = 'pending' AND run.cancelled_at IS NOT NULL AND run.application = ?;


-- daemon/store/statements/run.py: find_told
SELECT run.id, run.cancelled_at AS cancelled_at, coalesce(run.cancelled_by, ?) AS cancelled_by, run.cancelled_why, CASE WHEN (run.look_asked_at IS NOT NULL AND (((julianday('now') - 2440587.5) * 86400.0) - run.look_asked_at) < ?) THEN coalesce(run.look_asked_by, ?) END AS look_asked_by
FROM run
WHERE ((run.id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?))) AND run.finished_at IS NULL AND (run.cancelled_at IS NOT NULL OR run.look_asked_at IS NOT NULL AND (((julianday('now') - 2440587.5) * 86400.0) - run.look_asked_at) < ?);


-- daemon/store/statements/run.py: find_unfinished
SELECT run.id, run.application, coalesce((SELECT schedule.called
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), run.schedule) AS schedule, run.scheduled_for AS scheduled_for, run.state, run.cancelled_at AS cancelled_at
FROM (SELECT json_extract(schedules_json.value, '$[0]') AS application, json_extract(schedules_json.value, '$[1]') AS name
FROM json_each(?) AS schedules_json) AS schedules JOIN run ON run.application = schedules.application AND run.schedule = schedules.name
WHERE run.state IN ('pending', 'running') ORDER BY run.state IS 'running', run.application, run.schedule, run.scheduled_for DESC, run.id DESC;


-- daemon/store/statements/run.py: late
SELECT DISTINCT run.schedule
FROM run
WHERE run.application = ? AND run.state = 'pending' AND run.start_by IS NOT NULL AND run.start_by < (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_1) AND run.started_at IS NULL;


-- daemon/store/statements/run.py: leave_word
UPDATE run SET reason=?, available_at=(((julianday('now') - 2440587.5) * 86400.0) + ?) WHERE run.id = ? AND run.state = 'running' AND run.token = ? AND run.holder = ?;


-- daemon/store/statements/run.py: let_wait
UPDATE run SET available_at=NULL WHERE run.application = ? AND run.schedule = ? AND run.state = 'pending' AND run.available_at IS NOT NULL AND run.digest IS ? AND run.id != (SELECT ahead.id
FROM run AS ahead
WHERE ahead.application = ? AND ahead.schedule = ? AND ahead.state IN ('pending', 'running') AND ahead.available_at IS NOT NULL ORDER BY ahead.state = 'pending', ahead.scheduled_for, ahead.id
 LIMIT ? OFFSET ?);


-- daemon/store/statements/run.py: lock
SELECT run.id, run.application, run.schedule, run.scheduled_for AS scheduled_for, run.last_scheduled_for AS last_scheduled_for, run.count, run."trigger", run.state, run.reason, run.lease_name, run.queue, run.available_at AS available_at, run.start_by AS start_by, run.token, run.holder, run.attempt, run.claimed_attempt, run.abandoned, run.params, run.requested_by, run.requested_why, run.digest, run.adopted_from, run.cancelled_at AS cancelled_at, run.cancelled_by, run.cancelled_why, run.overlapped, run.overlapped_by, run.away_from AS away_from, run.place_at AS place_at, run.finish_by AS finish_by, run.late_at AS late_at, run.told_long, run.retry_of, run.origin, run.backfill, run.forgotten_at AS forgotten_at, run.forgotten_by, run.created_at AS created_at, run.started_at AS started_at, run.finished_at AS finished_at, run.look_asked_at AS look_asked_at, run.look_asked_by, run.look, run.looked_at AS looked_at, run.traceparent
FROM run
WHERE run.id = ?;


-- daemon/store/statements/run.py: lock_many
SELECT run.id, run.application, coalesce((SELECT schedule.called
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), run.schedule) AS schedule, run.scheduled_for AS scheduled_for, run.state, run.cancelled_at AS cancelled_at
FROM run
WHERE ((run.id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?))) ORDER BY run.id;


-- daemon/store/statements/run.py: mark_cancelled
UPDATE run SET cancelled_at=((julianday('now') - 2440587.5) * 86400.0), cancelled_by=?, cancelled_why=? WHERE ((run.id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?))) AND run.finished_at IS NULL AND run.cancelled_at IS NULL;


-- daemon/store/statements/run.py: mark_long
UPDATE run SET told_long=CASE run.id WHEN ? THEN ? ELSE ? END WHERE run.id IN (SELECT run.id
FROM run
WHERE run.id IN (__[POSTCOMPILE_id_1]) AND run.state = 'running' AND run.holder = ?) RETURNING id;


-- daemon/store/statements/run.py: mark_missed
UPDATE run SET state=?, reason=?, available_at=NULL, finished_at=((julianday('now') - 2440587.5) * 86400.0) WHERE run.id IN (SELECT run.id
FROM run
WHERE run.application = ? AND (run.schedule IN (SELECT value FROM json_each(?))) AND run.state = 'pending' AND run.start_by IS NOT NULL AND run.start_by < (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_1) AND run.started_at IS NULL ORDER BY run.start_by
 LIMIT ? OFFSET ?) AND run.state = 'pending' AND run.start_by IS NOT NULL AND run.start_by < (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_1) AND run.started_at IS NULL RETURNING schedule;


-- daemon/store/statements/run.py: name_leases
UPDATE run SET lease_name=(? || CAST(CAST(run.id AS BIGINT) AS TEXT)), queue=? WHERE run.application = ? AND run.schedule = ? AND run.state = 'pending' AND run.digest IS ? AND (run.lease_name != (? || CAST(CAST(run.id AS BIGINT) AS TEXT)) OR run.queue IS NOT NULL);

UPDATE run SET lease_name=?, queue=? WHERE run.application = ? AND run.schedule = ? AND run.state = 'pending' AND run.digest IS ? AND (run.lease_name != ? OR run.queue IS NOT ?);

UPDATE run SET lease_name=?, queue=? WHERE run.application = ? AND run.schedule = ? AND run.state = 'pending' AND run.digest IS ? AND (run.lease_name != ? OR run.queue IS NOT NULL);


-- daemon/store/statements/run.py: name_own_leases
UPDATE run SET lease_name=(? || CAST(CAST(run.id AS BIGINT) AS TEXT)) WHERE ((run.id) IN (SELECT json_extract(value, '$[0]') FROM json_each(?))) AND run.state IS 'pending';


-- daemon/store/statements/run.py: read
SELECT run.id, run.application, run.schedule, run.scheduled_for AS scheduled_for, run.last_scheduled_for AS last_scheduled_for, run.count, run."trigger", run.state, run.reason, run.lease_name, run.queue, run.available_at AS available_at, run.start_by AS start_by, run.token, run.holder, run.attempt, run.claimed_attempt, run.abandoned, run.params, run.requested_by, run.requested_why, run.digest, run.adopted_from, run.cancelled_at AS cancelled_at, run.cancelled_by, run.cancelled_why, run.overlapped, run.overlapped_by, run.away_from AS away_from, run.place_at AS place_at, run.finish_by AS finish_by, run.late_at AS late_at, run.told_long, run.retry_of, run.origin, run.backfill, run.forgotten_at AS forgotten_at, run.forgotten_by, run.created_at AS created_at, run.started_at AS started_at, run.finished_at AS finished_at, run.look_asked_at AS look_asked_at, run.look_asked_by, run.look, run.looked_at AS looked_at, run.traceparent
FROM run
WHERE run.id = ?;


-- daemon/store/statements/run.py: read_long
SELECT run.id, run.application, coalesce(schedule.called, schedule.name) AS schedule, run.schedule AS "key", (((julianday('now') - 2440587.5) * 86400.0) - run.started_at) AS running_for, run.told_long, CASE WHEN (schedule.definition LIKE '%' || ? || '%') THEN schedule.definition END AS definition
FROM run JOIN schedule ON schedule.application = run.application AND schedule.name = run.schedule
WHERE run.id IN (__[POSTCOMPILE_id_1]) AND run.state = 'running' AND run.holder = ?;


-- daemon/store/statements/run.py: read_look
SELECT run.state, run.token, run.holder, run.look, run.looked_at AS looked_at, run.look_asked_by, replica.host, replica.pid, replica.version
FROM run LEFT OUTER JOIN replica ON replica.holder = run.holder
WHERE run.id = ?;


-- daemon/store/statements/run.py: start_put_off
UPDATE run SET available_at=((julianday('now') - 2440587.5) * 86400.0) FROM (SELECT json_extract(allowed_json.value, '$[0]') AS schedule, json_extract(allowed_json.value, '$[1]') AS run_digest, json_extract(allowed_json.value, '$[2]') AS digest, CAST(json_extract(allowed_json.value, '$[3]') AS DOUBLE) AS jitter, CAST(json_extract(allowed_json.value, '$[4]') AS DOUBLE) AS wait
FROM json_each(?) AS allowed_json) AS allowed, schedule WHERE run.application = ? AND run.schedule = allowed.schedule AND schedule.application = run.application AND schedule.name = run.schedule AND run.state IN ('pending', 'running') AND run.state = 'pending' AND run.digest = allowed.run_digest AND run.available_at > (((julianday('now') - 2440587.5) * 86400.0) + allowed.wait) AND (NOT (run."trigger" = 'schedule' AND run.attempt = ?) OR schedule.digest = allowed.digest AND run.scheduled_for > schedule.changed_at AND run.available_at > (run.scheduled_for + allowed.jitter)) RETURNING id;


-- daemon/store/statements/run.py: take_late
UPDATE run SET late_at=((julianday('now') - 2440587.5) * 86400.0) WHERE run.id IN (SELECT run.id
FROM run
WHERE run.application = ? AND run.state IN ('pending', 'running') AND run.finish_by IS NOT NULL AND run.finish_by < (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_1) AND run.late_at IS NULL AND run.cancelled_at IS NULL ORDER BY run.finish_by
 LIMIT ? OFFSET ?) RETURNING id, schedule, state, finish_by AS finish_by;


-- daemon/store/statements/schedule.py: add
INSERT INTO schedule (application, name, definition, digest, run_digest, "trigger", enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, changed_at, synced_at, created_at, called) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);


-- daemon/store/statements/schedule.py: add_runs
INSERT INTO run (application, "trigger", schedule, scheduled_for, last_scheduled_for, count, state, reason, lease_name, queue, available_at, start_by, finish_by, params, digest, created_at, finished_at, away_from, overlapped, overlapped_by) SELECT ? AS anon_1, 'schedule', runs.schedule, runs.scheduled_for, runs.last_scheduled_for, runs.count, runs.state, runs.reason, runs.lease_name, runs.queue, runs.available_at, runs.start_by, runs.finish_by, runs.params, runs.digest, runs.created_at, runs.finished_at, runs.away_from, runs.overlapped, runs.overlapped_by
FROM (SELECT json_extract(runs_json.value, '$[0]') AS schedule, (CAST(json_extract(runs_json.value, '$[1]') AS REAL) / 1000000.0) AS scheduled_for, (CAST(json_extract(runs_json.value, '$[2]') AS REAL) / 1000000.0) AS last_scheduled_for, CAST(json_extract(runs_json.value, '$[3]') AS BIGINT) AS count, json_extract(runs_json.value, '$[4]') AS state, json_extract(runs_json.value, '$[5]') AS reason, json_extract(runs_json.value, '$[6]') AS lease_name, json_extract(runs_json.value, '$[7]') AS queue, (CAST(json_extract(runs_json.value, '$[8]') AS REAL) / 1000000.0) AS available_at, (CAST(json_extract(runs_json.value, '$[9]') AS REAL) / 1000000.0) AS start_by, (CAST(json_extract(runs_json.value, '$[10]') AS REAL) / 1000000.0) AS finish_by, json_extract(runs_json.value, '$[11]') AS params, json_extract(runs_json.value, '$[12]') AS digest, (CAST(json_extract(runs_json.value, '$[13]') AS REAL) / 1000000.0) AS created_at, (CAST(json_extract(runs_json.value, '$[14]') AS REAL) / 1000000.0) AS finished_at, (CAST(json_extract(runs_json.value, '$[15]') AS REAL) / 1000000.0) AS away_from, CAST(json_extract(runs_json.value, '$[16]') AS BIGINT) AS overlapped, json_extract(runs_json.value, '$[17]') AS overlapped_by
FROM json_each(?) AS runs_json) AS runs
WHERE 1 = 1 ON CONFLICT DO NOTHING RETURNING id;


-- daemon/store/statements/schedule.py: begin_pause
UPDATE schedule SET stretch_reason=NULL, stretch_count=NULL, stretch_from=NULL, paused_at=?, paused_by=?, paused_why=?, paused_until=? WHERE ((schedule.application, schedule.name) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)));


-- daemon/store/statements/schedule.py: change
UPDATE schedule SET definition=?, digest=?, run_digest=?, "trigger"=?, enabled=?, changed_at=?, synced_at=? WHERE schedule.application = ? AND schedule.name = ?;

UPDATE schedule SET definition=?, digest=?, run_digest=?, "trigger"=?, enabled=?, next_due=?, planned_until=?, anchor=?, stretch_reason=?, stretch_count=?, stretch_from=?, paused_at=?, paused_by=?, paused_why=?, paused_until=?, changed_at=?, synced_at=? WHERE schedule.application = ? AND schedule.name = ?;

UPDATE schedule SET definition=?, digest=?, run_digest=?, "trigger"=?, enabled=?, next_due=?, planned_until=?, anchor=?, stretch_reason=?, stretch_count=?, stretch_from=?, paused_at=?, paused_by=?, paused_why=?, paused_until=?, retired_at=?, retired_by=?, changed_at=?, synced_at=? WHERE schedule.application = ? AND schedule.name = ?;

UPDATE schedule SET stretch_count=?, stretch_from=? WHERE schedule.application = ? AND schedule.name = ?;


-- daemon/store/statements/schedule.py: change_pause
UPDATE schedule SET paused_by=?, paused_until=? WHERE ((schedule.application, schedule.name) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)));

UPDATE schedule SET paused_by=?, paused_why=? WHERE ((schedule.application, schedule.name) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)));


-- daemon/store/statements/schedule.py: database_time
SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_1;


-- daemon/store/statements/schedule.py: due
SELECT schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule.anchor AS anchor, schedule.planned_until AS planned_until, schedule.paused_at AS paused_at, schedule.paused_until AS paused_until, schedule.stretch_reason, schedule.stretch_count, schedule.stretch_from AS stretch_from, ((julianday('now') - 2440587.5) * 86400.0) AS now
FROM schedule
WHERE schedule.application = ? AND schedule.next_due <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_1) AND (schedule.name IN (SELECT value FROM json_each(?))) = 0 ORDER BY schedule.next_due DESC, schedule.name DESC
 LIMIT ? OFFSET ?;

SELECT schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule.anchor AS anchor, schedule.planned_until AS planned_until, schedule.paused_at AS paused_at, schedule.paused_until AS paused_until, schedule.stretch_reason, schedule.stretch_count, schedule.stretch_from AS stretch_from, ((julianday('now') - 2440587.5) * 86400.0) AS now
FROM schedule
WHERE schedule.application = ? AND schedule.next_due <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_1) AND (schedule.name IN (SELECT value FROM json_each(?))) = 0 ORDER BY schedule.next_due, schedule.name
 LIMIT ? OFFSET ?;

SELECT schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule.anchor AS anchor, schedule.planned_until AS planned_until, schedule.paused_at AS paused_at, schedule.paused_until AS paused_until, schedule.stretch_reason, schedule.stretch_count, schedule.stretch_from AS stretch_from, ((julianday('now') - 2440587.5) * 86400.0) AS now
FROM schedule
WHERE schedule.application = ? AND schedule.next_due <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_1) AND (schedule.name IN (SELECT value FROM json_each(?))) ORDER BY schedule.next_due DESC, schedule.name DESC
 LIMIT ? OFFSET ?;

SELECT schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule.anchor AS anchor, schedule.planned_until AS planned_until, schedule.paused_at AS paused_at, schedule.paused_until AS paused_until, schedule.stretch_reason, schedule.stretch_count, schedule.stretch_from AS stretch_from, ((julianday('now') - 2440587.5) * 86400.0) AS now
FROM schedule
WHERE schedule.application = ? AND schedule.next_due <= (SELECT ((julianday('now') - 2440587.5) * 86400.0) AS anon_1) AND (schedule.name IN (SELECT value FROM json_each(?))) ORDER BY schedule.next_due, schedule.name
 LIMIT ? OFFSET ?;


-- daemon/store/statements/schedule.py: end_pause
UPDATE schedule SET paused_at=NULL, paused_by=NULL, paused_why=NULL, paused_until=NULL WHERE ((schedule.application, schedule.name) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)));


-- daemon/store/statements/schedule.py: lock
SELECT schedule.application, schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule."trigger", schedule.enabled, schedule.next_due AS next_due, schedule.planned_until AS planned_until, schedule.anchor AS anchor, schedule.stretch_reason, schedule.stretch_count, schedule.stretch_from AS stretch_from, schedule.paused_at AS paused_at, schedule.paused_by, schedule.paused_why, schedule.paused_until AS paused_until, schedule.retired_at AS retired_at, schedule.retired_by, schedule.changed_at AS changed_at, schedule.synced_at AS synced_at, schedule.created_at AS created_at, schedule.abandoned, schedule.called, schedule.former
FROM schedule
WHERE schedule.application = ? AND schedule.name = ?;


-- daemon/store/statements/schedule.py: lock_all
SELECT schedule.application, schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule."trigger", schedule.enabled, schedule.next_due AS next_due, schedule.planned_until AS planned_until, schedule.anchor AS anchor, schedule.stretch_reason, schedule.stretch_count, schedule.stretch_from AS stretch_from, schedule.paused_at AS paused_at, schedule.paused_by, schedule.paused_why, schedule.paused_until AS paused_until, schedule.retired_at AS retired_at, schedule.retired_by, schedule.changed_at AS changed_at, schedule.synced_at AS synced_at, schedule.created_at AS created_at, schedule.abandoned, schedule.called, schedule.former
FROM schedule
WHERE ((schedule.application, schedule.name) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))) ORDER BY schedule.application, schedule.name;


-- daemon/store/statements/schedule.py: lock_free
SELECT schedule.application, schedule.name
FROM schedule
WHERE ((schedule.application, schedule.name) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))) ORDER BY schedule.application, schedule.name;


-- daemon/store/statements/schedule.py: mark_older
UPDATE run SET cancelled_at=((julianday('now') - 2440587.5) * 86400.0), cancelled_by='leased', cancelled_why=('replaced by run ' || CAST(newer.number AS TEXT)), overlapped=newer.number FROM (SELECT json_extract(newer_json.value, '$[0]') AS application, json_extract(newer_json.value, '$[1]') AS schedule, CAST(json_extract(newer_json.value, '$[2]') AS BIGINT) AS number
FROM json_each(?) AS newer_json) AS newer WHERE run.application = newer.application AND run.schedule = newer.schedule AND run.state IN ('pending', 'running') AND run.id != newer.number AND run.cancelled_at IS NULL AND (run.place_at IS NULL OR run.available_at IS NOT NULL) AND run.backfill IS NULL RETURNING id, state;


-- daemon/store/statements/schedule.py: move_on
UPDATE schedule SET next_due=moved.next_due, planned_until=moved.planned_until, stretch_reason=moved.stretch_reason, stretch_count=moved.stretch_count, stretch_from=moved.stretch_from FROM (SELECT json_extract(moved_json.value, '$[0]') AS application, json_extract(moved_json.value, '$[1]') AS name, (CAST(json_extract(moved_json.value, '$[2]') AS REAL) / 1000000.0) AS next_due, (CAST(json_extract(moved_json.value, '$[3]') AS REAL) / 1000000.0) AS planned_until, json_extract(moved_json.value, '$[4]') AS stretch_reason, CAST(json_extract(moved_json.value, '$[5]') AS BIGINT) AS stretch_count, (CAST(json_extract(moved_json.value, '$[6]') AS REAL) / 1000000.0) AS stretch_from
FROM json_each(?) AS moved_json) AS moved WHERE schedule.application = moved.application AND schedule.name = moved.name RETURNING name;


-- daemon/store/statements/schedule.py: name_leases
UPDATE run SET lease_name=(named.base || ? || CAST(CAST(run.id AS BIGINT) AS TEXT)) FROM (SELECT json_extract(named_json.value, '$[0]') AS application, json_extract(named_json.value, '$[1]') AS schedule, json_extract(named_json.value, '$[2]') AS base, json_extract(named_json.value, '$[3]') AS digest
FROM json_each(?) AS named_json) AS named WHERE run.application = named.application AND run.schedule = named.schedule AND run.state IN ('pending', 'running') AND run.state = 'pending' AND run.digest IS named.digest AND run.lease_name != (named.base || ? || CAST(CAST(run.id AS BIGINT) AS TEXT)) RETURNING id;


-- daemon/store/statements/schedule.py: of_application
SELECT schedule.application, schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule."trigger", schedule.enabled, schedule.next_due AS next_due, schedule.planned_until AS planned_until, schedule.anchor AS anchor, schedule.stretch_reason, schedule.stretch_count, schedule.stretch_from AS stretch_from, schedule.paused_at AS paused_at, schedule.paused_by, schedule.paused_why, schedule.paused_until AS paused_until, schedule.retired_at AS retired_at, schedule.retired_by, schedule.changed_at AS changed_at, schedule.synced_at AS synced_at, schedule.created_at AS created_at, schedule.abandoned, schedule.called, schedule.former
FROM schedule
WHERE schedule.application = ? AND (schedule.name IN (SELECT value FROM json_each(?))) ORDER BY schedule.name;

SELECT schedule.application, schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule."trigger", schedule.enabled, schedule.next_due AS next_due, schedule.planned_until AS planned_until, schedule.anchor AS anchor, schedule.stretch_reason, schedule.stretch_count, schedule.stretch_from AS stretch_from, schedule.paused_at AS paused_at, schedule.paused_by, schedule.paused_why, schedule.paused_until AS paused_until, schedule.retired_at AS retired_at, schedule.retired_by, schedule.changed_at AS changed_at, schedule.synced_at AS synced_at, schedule.created_at AS created_at, schedule.abandoned, schedule.called, schedule.former
FROM schedule
WHERE schedule.application = ? ORDER BY schedule.name;


-- daemon/store/statements/schedule.py: planned
SELECT run.id, run.schedule
FROM run, (SELECT json_extract(instants_json.value, '$[0]') AS application, json_extract(instants_json.value, '$[1]') AS schedule, (CAST(json_extract(instants_json.value, '$[2]') AS REAL) / 1000000.0) AS scheduled_for
FROM json_each(?) AS instants_json) AS instants
WHERE run.application = instants.application AND run.schedule = instants.schedule AND run.scheduled_for = instants.scheduled_for AND run."trigger" = 'schedule';


-- daemon/store/statements/schedule.py: prepare_leases
INSERT INTO lease (name) VALUES (?) ON CONFLICT DO NOTHING;


-- daemon/store/statements/schedule.py: retire
UPDATE schedule SET next_due=NULL, retired_at=?, retired_by=?, changed_at=?, synced_at=? WHERE schedule.application = ? AND (schedule.name IN (SELECT value FROM json_each(?)));


-- daemon/store/statements/schedule.py: skipped_in_pause
SELECT schedule.application, schedule.name, sum(run.count) AS sum_1
FROM schedule, run
WHERE ((schedule.application, schedule.name) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))) AND run.application = schedule.application AND run.schedule = schedule.name AND run."trigger" = 'schedule' AND run.scheduled_for > schedule.paused_at AND run.reason = ? GROUP BY schedule.application, schedule.name;


-- daemon/store/statements/schedule.py: start_replacing
UPDATE run SET available_at=firsts.available_at FROM (SELECT CAST(json_extract(firsts_json.value, '$[0]') AS BIGINT) AS number, (CAST(json_extract(firsts_json.value, '$[1]') AS REAL) / 1000000.0) AS available_at
FROM json_each(?) AS firsts_json) AS firsts WHERE run.id = firsts.number AND run.state IS 'pending' AND NOT (EXISTS (SELECT *
FROM run AS other
WHERE other.application = run.application AND other.schedule = run.schedule AND other.state IN ('pending', 'running') AND other.id != run.id AND (other.place_at IS NULL OR other.available_at IS NOT NULL))) RETURNING id;


-- daemon/store/statements/schedule.py: still_running
SELECT schedule.name, (SELECT run.id
FROM run
WHERE run.application = schedule.application AND run.schedule = schedule.name AND run.state IN ('pending', 'running') AND (run.place_at IS NULL OR run.available_at IS NOT NULL) AND run.backfill IS NULL ORDER BY run.scheduled_for, run.id
 LIMIT ? OFFSET ?) AS one, (SELECT run.id
FROM run
WHERE run.application = schedule.application AND run.schedule = schedule.name AND run.state IN ('pending', 'running') AND (run.place_at IS NULL OR run.available_at IS NOT NULL) AND run.backfill IS NOT NULL ORDER BY run.scheduled_for, run.id
 LIMIT ? OFFSET ?) AS of_backfill
FROM schedule
WHERE schedule.application = ? AND (schedule.name IN (SELECT value FROM json_each(?)));


-- daemon/store/statements/schedule.py: take_turn
SELECT ? AS anon_1
WHERE 1 = 1;


-- daemon/store/statements/schedule.py: unfinished_of_each
SELECT names.name, run.id, CASE WHEN (run.state = 'running') THEN lease.label ELSE NULL END AS anon_1
FROM (SELECT json_extract(names_json.value, '$[0]') AS name
FROM json_each(?) AS names_json) AS names JOIN run ON run.id = (SELECT "each".id
FROM run AS "each"
WHERE "each".application = ? AND "each".schedule = names.name AND "each".state IN ('pending', 'running') AND ("each".place_at IS NULL OR "each".available_at IS NOT NULL) AND "each".backfill IS NULL ORDER BY CASE WHEN ("each".state = 'running') THEN ? ELSE ? END, "each".scheduled_for, "each".id
 LIMIT ? OFFSET ?) LEFT OUTER JOIN lease ON lease.name = run.lease_name AND lease.token = run.token AND lease.holder = run.holder;


-- daemon/store/statements/stranded.py: abandon_runs
UPDATE run SET state=CASE WHEN (run.cancelled_at IS NOT NULL) THEN ? ELSE CASE WHEN (run.reason IS NOT NULL OR run.abandoned + ? >= ?) THEN ? ELSE ? END END, reason=CASE WHEN (run.cancelled_at IS NOT NULL) THEN ? || coalesce(run.cancelled_by, ?) || coalesce(? || run.cancelled_why, ?) || ? ELSE CASE WHEN (run.reason IS NOT NULL) THEN run.reason WHEN (run.reason IS NOT NULL OR run.abandoned + ? >= ?) THEN ? WHEN (run.abandoned + ? >= ?) THEN ? ELSE NULL END END, token=NULL, holder=NULL, abandoned=(run.abandoned + ?), finished_at=CASE WHEN (run.cancelled_at IS NOT NULL) THEN ((julianday('now') - 2440587.5) * 86400.0) ELSE CASE WHEN (run.reason IS NOT NULL OR run.abandoned + ? >= ?) THEN ((julianday('now') - 2440587.5) * 86400.0) ELSE NULL END END WHERE ((run.id, run.token, run.holder) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?))) AND run.state = 'running' RETURNING id, state, application, schedule;

UPDATE schedule SET abandoned=(schedule.abandoned + ?) WHERE ((schedule.application, schedule.name) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)));


-- daemon/store/statements/stranded.py: end_jobs
UPDATE job_run SET state=CASE WHEN (job_run.error IS NOT NULL) THEN ? ELSE ? END, finished_at=((julianday('now') - 2440587.5) * 86400.0), renewed_at=(SELECT lease.renewed_at
FROM lease JOIN run ON run.lease_name = lease.name
WHERE run.id = job_run.run_id AND lease.token = job_run.token) WHERE job_run.id IN (SELECT job_run.id
FROM job_run
WHERE ((job_run.run_id, job_run.token, job_run.holder) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?))) AND job_run.state = ? ORDER BY job_run.id);


-- daemon/store/statements/stranded.py: find
SELECT run.id, run.application, run.schedule, run.lease_name, run.token, run.holder, lease.holder IS NULL OR lease.holder != run.holder OR lease.token != run.token AS ended, coalesce(replica.state = ?, 0) = 1 OR coalesce(CASE WHEN (lease.name IS NULL) THEN 0 WHEN (lease.holder IS NULL) THEN ? WHEN (lease.holder IS NULL OR lease.holder != run.holder OR lease.token != run.token) THEN replica.seen_at > lease.granted_at ELSE (((julianday('now') - 2440587.5) * 86400.0) - replica.seen_at) < (? - lease.expires_at) END, 0) = 1 AS lived, EXISTS (SELECT *
FROM job_run
WHERE job_run.run_id = run.id AND job_run.token = run.token AND job_run.holder = run.holder AND job_run.state = ?) AS begun
FROM run LEFT OUTER JOIN lease ON lease.name = run.lease_name LEFT OUTER JOIN replica ON replica.holder = run.holder
WHERE run.state = 'running' AND ((lease.holder IS NULL OR lease.holder != run.holder OR lease.token != run.token) AND coalesce(lease.holder = (? || run.holder) AND lease.token = run.token AND NOT (lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1), 0) = 0 OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1);

SELECT run.id, run.application, run.schedule, run.lease_name, run.token, run.holder, lease.holder IS NULL OR lease.holder != run.holder OR lease.token != run.token AS ended, coalesce(replica.state = ?, 0) = 1 OR coalesce(CASE WHEN (lease.name IS NULL) THEN 0 WHEN (lease.holder IS NULL) THEN ? WHEN (lease.holder IS NULL OR lease.holder != run.holder OR lease.token != run.token) THEN replica.seen_at > lease.granted_at ELSE (((julianday('now') - 2440587.5) * 86400.0) - replica.seen_at) < (? - lease.expires_at) END, 0) = 1 AS lived, EXISTS (SELECT *
FROM job_run
WHERE job_run.run_id = run.id AND job_run.token = run.token AND job_run.holder = run.holder AND job_run.state = ?) AS begun
FROM run LEFT OUTER JOIN lease ON lease.name = run.lease_name LEFT OUTER JOIN replica ON replica.holder = run.holder
WHERE run.state = 'running' AND ((lease.holder IS NULL OR lease.holder != run.holder OR lease.token != run.token) AND coalesce(lease.holder = (? || run.holder) AND lease.token = run.token AND NOT (lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1), 0) = 0 OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) AND run.application = ?;


-- daemon/store/statements/stranded.py: stop_runs
UPDATE run SET state=CASE WHEN (run.cancelled_at IS NOT NULL) THEN ? ELSE CASE WHEN (run.reason IS NOT NULL) THEN ? ELSE ? END END, reason=CASE WHEN (run.cancelled_at IS NOT NULL) THEN ? || coalesce(run.cancelled_by, ?) || coalesce(? || run.cancelled_why, ?) || ? ELSE run.reason END, token=NULL, holder=NULL, finished_at=CASE WHEN (run.cancelled_at IS NOT NULL) THEN ((julianday('now') - 2440587.5) * 86400.0) ELSE CASE WHEN (run.reason IS NOT NULL) THEN ((julianday('now') - 2440587.5) * 86400.0) ELSE NULL END END WHERE ((run.id, run.token, run.holder) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?))) AND run.state = 'running' RETURNING id, state;


-- daemon/store/statements/stranded.py: suspects
SELECT run.id, run.lease_name, run.token, run.holder, replica.pid, replica.start_time, job_run.keeper_pid, job_run.keeper_start
FROM run JOIN replica ON replica.holder = run.holder LEFT OUTER JOIN job_run ON job_run.run_id = run.id AND job_run.token = run.token AND job_run.holder = run.holder AND job_run.state = ? AND job_run.keeper_pid IS NOT NULL
WHERE run.application = ? AND run.state = 'running' AND replica.boot_id = ? AND replica.pid_namespace = ? ORDER BY run.id, job_run.id;


-- daemon/store/statements/stranded.py: under
SELECT run.id, run.application, run.schedule, run.lease_name, run.token, run.holder, lease.holder IS NULL OR lease.holder != run.holder OR lease.token != run.token AS ended, coalesce(replica.state = ?, 0) AS lived, EXISTS (SELECT *
FROM job_run
WHERE job_run.run_id = run.id AND job_run.token = run.token AND job_run.holder = run.holder AND job_run.state = ?) AS begun
FROM run LEFT OUTER JOIN lease ON lease.name = run.lease_name LEFT OUTER JOIN replica ON replica.holder = run.holder
WHERE run.state = 'running' AND ((run.lease_name, run.token, run.holder) IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?)));


-- lease/statements/endings.py: _locked
SELECT lease.name, lease.token, lease.holder
FROM lease
WHERE (lease.name IN (SELECT value FROM json_each(?))) AND (lease.name || ? || CAST(lease.token AS TEXT) || ? || lease.holder IN (SELECT value FROM json_each(?))) AND (lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) ORDER BY lease.name;

SELECT lease.name, lease.token, lease.holder
FROM lease
WHERE (lease.name IN (SELECT value FROM json_each(?))) AND (lease.name || ? || CAST(lease.token AS TEXT) || ? || lease.holder IN (SELECT value FROM json_each(?))) AND 1 = 1 ORDER BY lease.name;

SELECT lease.name, lease.token, lease.holder
FROM lease
WHERE (lease.name IN (SELECT value FROM json_each(?))) AND (lease.name || ? || CAST(lease.token AS TEXT) || ? || lease.holder IN (SELECT value FROM json_each(?))) ORDER BY lease.name;


-- lease/statements/endings.py: break_grant
SELECT lease.label, ((julianday('now') - 2440587.5) * 86400.0) AS anon_1
FROM lease
WHERE lease.name = ? AND lease.token = ? AND lease.holder = ?;

UPDATE lease SET holder=?, broken=? WHERE lease.name = ? AND lease.token = ? AND lease.holder = ? AND 1 = 1 AND 1 = 1;


-- lease/statements/endings.py: end
UPDATE lease SET holder=NULL, label=NULL, boot=NULL, expires_at=NULL, released_at=? WHERE (lease.name IN (SELECT value FROM json_each(?))) RETURNING name, waiters, ? AS anon_1;


-- lease/statements/endings.py: in_force
SELECT lease.name, lease.token, lease.holder
FROM lease
WHERE (lease.name IN (SELECT value FROM json_each(?))) AND (lease.name || ? || CAST(lease.token AS TEXT) || ? || lease.holder IN (SELECT value FROM json_each(?)));


-- lease/statements/endings.py: release
UPDATE lease SET holder=NULL, label=NULL, boot=NULL, expires_at=NULL, released_at=? WHERE lease.name = ? AND lease.token = ? AND lease.holder = ? AND 1 = 1 RETURNING ? AS moment, waiters;


-- lease/statements/endings.py: release_all
WITH unlocked AS
(SELECT lease.name AS name
FROM lease
WHERE lease.holder = ? AND NOT (lease.name IN (SELECT value FROM json_each(?))) ORDER BY lease.name
 LIMIT ? OFFSET ?)
 UPDATE lease SET holder=NULL, label=NULL, boot=NULL, expires_at=NULL, released_at=? WHERE lease.holder = ? AND lease.name IN (SELECT unlocked.name
FROM unlocked) RETURNING name, token, waiters, ? AS anon_1;


-- lease/statements/fences.py: prove
SELECT lease.name
FROM lease
WHERE lease.name = ? AND lease.token >= ?;

UPDATE lease SET token=lease.token WHERE lease.name = ? AND lease.token = ? AND lease.holder = ?;


-- lease/statements/grants.py: _grant_free
WITH free AS
(SELECT lease.name AS name
FROM lease
WHERE (lease.name IN (SELECT value FROM json_each(?))) AND (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) AND (lease.waiters IS NULL OR substr(lease.waiters, ?, length(?)) = ?) ORDER BY lease.name)
 UPDATE lease SET token=((SELECT max(slot.token) AS max_1
FROM lease AS slot
WHERE slot.name = ? OR slot.name >= ? AND slot.name < ?) + ?), holder=?, label=?, boot=?, expires_at=(? + ?), granted_at=((julianday('now') - 2440587.5) * 86400.0), renewed_at=((julianday('now') - 2440587.5) * 86400.0), released_at=NULL, waiters=NULLIF(json_remove(lease.waiters, '$[0]'), '[]'), uptime=? WHERE lease.name IN (SELECT free.name
FROM free) AND (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) AND (lease.waiters IS NULL OR substr(lease.waiters, ?, length(?)) = ?) AND 1 = 1 RETURNING name, token;

WITH free AS
(SELECT lease.name AS name
FROM lease
WHERE (lease.name IN (SELECT value FROM json_each(?))) AND (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) AND (lease.waiters IS NULL OR substr(lease.waiters, ?, length(?)) = ?) ORDER BY lease.name)
 UPDATE lease SET token=(lease.token + ?), holder=?, label=?, boot=?, expires_at=(? + ?), granted_at=((julianday('now') - 2440587.5) * 86400.0), renewed_at=((julianday('now') - 2440587.5) * 86400.0), released_at=NULL, waiters=NULLIF(json_remove(lease.waiters, '$[0]'), '[]'), uptime=? WHERE lease.name IN (SELECT free.name
FROM free) AND (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) AND (lease.waiters IS NULL OR substr(lease.waiters, ?, length(?)) = ?) AND 1 = 1 RETURNING name, token;

WITH free AS
(SELECT lease.name AS name
FROM lease
WHERE lease.name = ? AND (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) AND (lease.waiters IS NULL OR substr(lease.waiters, ?, length(?)) = ?))
 UPDATE lease SET token=(lease.token + ?), holder=?, label=?, boot=?, expires_at=(? + ?), granted_at=((julianday('now') - 2440587.5) * 86400.0), renewed_at=((julianday('now') - 2440587.5) * 86400.0), released_at=NULL, waiters=NULLIF(json_remove(lease.waiters, '$[0]'), '[]'), uptime=? WHERE lease.name = (SELECT free.name
FROM free) AND (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) AND (lease.waiters IS NULL OR substr(lease.waiters, ?, length(?)) = ?) AND 1 = 1 RETURNING name, token;


-- lease/statements/grants.py: _grant_in_turn
WITH free AS
(SELECT lease.name AS name
FROM lease
WHERE (lease.name IN (SELECT value FROM json_each(?))) AND (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) ORDER BY lease.name)
 UPDATE lease SET token=(lease.token + ?), holder=?, label=?, boot=?, expires_at=(? + ?), granted_at=((julianday('now') - 2440587.5) * 86400.0), renewed_at=((julianday('now') - 2440587.5) * 86400.0), released_at=NULL, waiters=?, uptime=? WHERE lease.name IN (SELECT free.name
FROM free) AND (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) AND 1 = 1 RETURNING name, token;


-- lease/statements/grants.py: _insert_missing
INSERT INTO lease (name) VALUES (?) ON CONFLICT DO NOTHING;


-- lease/statements/grants.py: _present
SELECT lease.name, lease.waiters IS NOT NULL AS anon_1
FROM lease
WHERE (lease.name IN (SELECT value FROM json_each(?)));


-- lease/statements/queues.py: leave_queues
UPDATE lease SET waiters=? WHERE lease.name = ? AND lease.waiters IS NOT NULL;


-- lease/statements/queues.py: lock_queues
SELECT lease.name, lease.holder, lease.waiters, ? AS moment, CASE WHEN (lease.holder IS NULL AND lease.released_at <= ?) THEN (? - lease.released_at) WHEN (lease.holder IS NULL OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) THEN NULL ELSE (? - lease.expires_at) END AS free_for
FROM lease
WHERE (lease.name IN (SELECT value FROM json_each(?))) AND 1 = 1 ORDER BY lease.name;

SELECT lease.name, lease.holder, lease.waiters, ? AS moment, CASE WHEN (lease.holder IS NULL AND lease.released_at <= ?) THEN (? - lease.released_at) WHEN (lease.holder IS NULL OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) THEN NULL ELSE (? - lease.expires_at) END AS free_for
FROM lease
WHERE (lease.name IN (SELECT value FROM json_each(?))) ORDER BY lease.name;


-- lease/statements/queues.py: read_queues
SELECT lease.name, lease.holder, lease.waiters, ? AS moment, CASE WHEN (lease.holder IS NULL AND lease.released_at <= ?) THEN (? - lease.released_at) WHEN (lease.holder IS NULL OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) THEN NULL ELSE (? - lease.expires_at) END AS free_for
FROM lease
WHERE (lease.name IN (SELECT value FROM json_each(?))) ORDER BY lease.name;


-- lease/statements/queues.py: write_queue
UPDATE lease SET waiters=? WHERE lease.name = ?;


-- lease/statements/records.py: list_prefix
SELECT lease.name, lease.token, lease.holder, lease.label, lease.granted_at AS granted_at, lease.renewed_at AS renewed_at, CASE WHEN (lease.holder IS NOT NULL) THEN (((julianday('now') - 2440587.5) * 86400.0) - lease.granted_at) END AS held_for, CASE WHEN (lease.holder IS NOT NULL) THEN (lease.expires_at - ?) END AS expires_in, NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) AS live, CASE WHEN (lease.holder IS NULL AND lease.released_at <= ?) THEN (? - lease.released_at) WHEN (lease.holder IS NULL OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) THEN NULL ELSE (? - lease.expires_at) END AS free_for, lease.waiters, lease.broken, ? AS moment
FROM lease
WHERE (lease.name LIKE ? || '%' ESCAPE '/') AND substr(lease.name, ?, length(?)) = ? AND lease.holder IS NOT NULL ORDER BY lease.name;

SELECT lease.name, lease.token, lease.holder, lease.label, lease.granted_at AS granted_at, lease.renewed_at AS renewed_at, CASE WHEN (lease.holder IS NOT NULL) THEN (((julianday('now') - 2440587.5) * 86400.0) - lease.granted_at) END AS held_for, CASE WHEN (lease.holder IS NOT NULL) THEN (lease.expires_at - ?) END AS expires_in, NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) AS live, CASE WHEN (lease.holder IS NULL AND lease.released_at <= ?) THEN (? - lease.released_at) WHEN (lease.holder IS NULL OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) THEN NULL ELSE (? - lease.expires_at) END AS free_for, lease.waiters, lease.broken, ? AS moment
FROM lease
WHERE (lease.name LIKE ? || '%' ESCAPE '/') AND substr(lease.name, ?, length(?)) = ? AND lease.holder IS NOT NULL ORDER BY lease.name
 LIMIT ? OFFSET ?;

SELECT lease.name, lease.token, lease.holder, lease.label, lease.granted_at AS granted_at, lease.renewed_at AS renewed_at, CASE WHEN (lease.holder IS NOT NULL) THEN (((julianday('now') - 2440587.5) * 86400.0) - lease.granted_at) END AS held_for, CASE WHEN (lease.holder IS NOT NULL) THEN (lease.expires_at - ?) END AS expires_in, NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) AS live, CASE WHEN (lease.holder IS NULL AND lease.released_at <= ?) THEN (? - lease.released_at) WHEN (lease.holder IS NULL OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) THEN NULL ELSE (? - lease.expires_at) END AS free_for, lease.waiters, lease.broken, ? AS moment
FROM lease
WHERE (lease.name LIKE ? || '%' ESCAPE '/') AND substr(lease.name, ?, length(?)) = ? AND lease.name > ? AND lease.holder IS NOT NULL ORDER BY lease.name
 LIMIT ? OFFSET ?;

SELECT lease.name, lease.token, lease.holder, lease.label, lease.granted_at AS granted_at, lease.renewed_at AS renewed_at, CASE WHEN (lease.holder IS NOT NULL) THEN (((julianday('now') - 2440587.5) * 86400.0) - lease.granted_at) END AS held_for, CASE WHEN (lease.holder IS NOT NULL) THEN (lease.expires_at - ?) END AS expires_in, NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) AS live, CASE WHEN (lease.holder IS NULL AND lease.released_at <= ?) THEN (? - lease.released_at) WHEN (lease.holder IS NULL OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) THEN NULL ELSE (? - lease.expires_at) END AS free_for, lease.waiters, lease.broken, ? AS moment
FROM lease
WHERE (lease.name LIKE ? || '%' ESCAPE '/') AND substr(lease.name, ?, length(?)) = ? ORDER BY lease.name;

SELECT lease.name, lease.token, lease.holder, lease.label, lease.granted_at AS granted_at, lease.renewed_at AS renewed_at, CASE WHEN (lease.holder IS NOT NULL) THEN (((julianday('now') - 2440587.5) * 86400.0) - lease.granted_at) END AS held_for, CASE WHEN (lease.holder IS NOT NULL) THEN (lease.expires_at - ?) END AS expires_in, NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) AS live, CASE WHEN (lease.holder IS NULL AND lease.released_at <= ?) THEN (? - lease.released_at) WHEN (lease.holder IS NULL OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) THEN NULL ELSE (? - lease.expires_at) END AS free_for, lease.waiters, lease.broken, ? AS moment
FROM lease
WHERE (lease.name LIKE ? || '%' ESCAPE '/') AND substr(lease.name, ?, length(?)) = ? ORDER BY lease.name
 LIMIT ? OFFSET ?;


-- lease/statements/records.py: read
SELECT lease.name, lease.token, lease.holder, lease.label, lease.granted_at AS granted_at, lease.renewed_at AS renewed_at, CASE WHEN (lease.holder IS NOT NULL) THEN (((julianday('now') - 2440587.5) * 86400.0) - lease.granted_at) END AS held_for, CASE WHEN (lease.holder IS NOT NULL) THEN (lease.expires_at - ?) END AS expires_in, NOT (lease.holder IS NULL OR lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) AS live, CASE WHEN (lease.holder IS NULL AND lease.released_at <= ?) THEN (? - lease.released_at) WHEN (lease.holder IS NULL OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) THEN NULL ELSE (? - lease.expires_at) END AS free_for, lease.waiters, lease.broken, ? AS moment
FROM lease
WHERE (lease.name IN (SELECT value FROM json_each(?)));


-- lease/statements/renewals.py: renew
UPDATE lease SET expires_at=(? + ?), renewed_at=((julianday('now') - 2440587.5) * 86400.0), uptime=? WHERE lease.holder = ? AND 1 = 1 AND 1 = 1 RETURNING name, token, renewed_at AS anon_1;


-- lease/statements/renewals.py: renewing_unlocked
WITH unlocked AS
(SELECT lease.name AS name
FROM lease
WHERE lease.holder = ? ORDER BY lease.name)
 UPDATE lease SET expires_at=(? + ?), renewed_at=((julianday('now') - 2440587.5) * 86400.0), uptime=? WHERE lease.holder = ? AND lease.name IN (SELECT unlocked.name
FROM unlocked) AND 1 = 1 RETURNING name, token, renewed_at AS anon_1;


-- lease/statements/restoring.py: _let_new_names_begin_at
CREATE TRIGGER lease_begins_higher AFTER INSERT ON lease WHEN NEW.token < N BEGIN UPDATE lease SET token = N WHERE name = NEW.name; END;

DROP TRIGGER IF EXISTS lease_begins_higher;


-- lease/statements/restoring.py: held_now
SELECT lease.name, lease.label
FROM lease
WHERE lease.holder IS NOT NULL AND NOT (lease.expires_at <= ? OR COALESCE(NULLIF(lease.boot, '') <> NULLIF(?, ''), lease.uptime > ? + 2.5 AND lease.uptime < lease.expires_at AND ((julianday('now') - 2440587.5) * 86400.0) - lease.renewed_at >= lease.expires_at - lease.uptime, 0) = 1) ORDER BY lease.name;


-- lease/statements/restoring.py: lift
SELECT coalesce(max(lease.token), ?) AS coalesce_1, CAST(((julianday('now') - 2440587.5) * 86400.0) AS BIGINT) AS anon_1, count(*) AS count_1
FROM lease;

SELECT lease.name
FROM lease
WHERE lease.holder IS NOT NULL ORDER BY lease.name;

UPDATE lease SET token=?, holder=NULL, label=NULL, boot=NULL, expires_at=NULL, released_at=?, waiters=NULL;

