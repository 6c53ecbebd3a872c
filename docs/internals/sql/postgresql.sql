-- What leased sends to PostgreSQL, by the function that sends it. See README.md.
-- Where the tables are in a schema, its name stands before theirs.

-- daemon/store/statements/acting/acts.py: record
INSERT INTO act (acted_at, acted_by, act, application, schedule, run_id, why, effect) VALUES (clock_timestamp(), %(acted_by)s::VARCHAR, %(act)s::VARCHAR, %(application)s::VARCHAR COLLATE "C", %(schedule)s::VARCHAR COLLATE "C", %(run_id)s::BIGINT, %(why)s::VARCHAR, %(effect)s::VARCHAR);


-- daemon/store/statements/acting/acts.py: record_of_each
INSERT INTO act (acted_at, acted_by, act, application, schedule, why, until, effect) VALUES (%(acted_at)s::TIMESTAMP WITH TIME ZONE, %(acted_by)s::VARCHAR, %(act)s::VARCHAR, %(application)s::VARCHAR COLLATE "C", %(schedule)s::VARCHAR COLLATE "C", %(why)s::VARCHAR, %(until)s::TIMESTAMP WITH TIME ZONE, %(effect)s::VARCHAR);

INSERT INTO act (acted_at, acted_by, act, application, schedule, why, until, effect) VALUES (%(acted_at)s::TIMESTAMP WITH TIME ZONE, %(acted_by)s::VARCHAR, %(act)s::VARCHAR, %(application)s::VARCHAR COLLATE "C", %(schedule)s::VARCHAR COLLATE "C", %(why)s::VARCHAR, %(until)s::TIMESTAMP WITH TIME ZONE, %(effect)s::VARCHAR) RETURNING act.id;


-- daemon/store/statements/acting/backfills.py: add
INSERT INTO backfill (application, schedule, first, last, at_most, instants, requested_by, requested_why, created_at) VALUES (%(application)s::VARCHAR COLLATE "C", %(schedule)s::VARCHAR COLLATE "C", %(first)s::TIMESTAMP WITH TIME ZONE, %(last)s::TIMESTAMP WITH TIME ZONE, %(at_most)s::INTEGER, %(instants)s::BIGINT, %(requested_by)s::VARCHAR, %(requested_why)s::VARCHAR, %(created_at)s::TIMESTAMP WITH TIME ZONE) RETURNING backfill.id;


-- daemon/store/statements/acting/backfills.py: add_counted
INSERT INTO run (application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, queue, available_at, start_by, token, holder, attempt, claimed_attempt, abandoned, params, requested_by, requested_why, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, overlapped, overlapped_by, away_from, place_at, finish_by, late_at, told_long, retry_of, origin, backfill, forgotten_at, forgotten_by, created_at, started_at, finished_at, look_asked_at, look_asked_by, look, looked_at, traceparent) SELECT run.application, run.schedule, %(param_1)s::TIMESTAMP WITH TIME ZONE AS anon_1, %(param_2)s::TIMESTAMP WITH TIME ZONE AS anon_2, %(param_3)s::BIGINT AS anon_3, run.trigger, run.state, run.reason, run.lease_name, run.queue, run.available_at, run.start_by, run.token, run.holder, run.attempt, run.claimed_attempt, run.abandoned, run.params, run.requested_by, run.requested_why, run.digest, run.adopted_from, run.cancelled_at, run.cancelled_by, run.cancelled_why, run.overlapped, run.overlapped_by, run.away_from, run.place_at, run.finish_by, run.late_at, run.told_long, run.retry_of, run.origin, run.backfill, run.forgotten_at, run.forgotten_by, run.created_at, run.started_at, run.finished_at, run.look_asked_at, run.look_asked_by, run.look, run.looked_at, run.traceparent
FROM run
WHERE run.id = %(id_1)s::BIGINT;


-- daemon/store/statements/acting/backfills.py: add_runs
INSERT INTO run (scheduled_for, trigger, state, place_at, created_at, application, schedule, lease_name, queue, params, digest, requested_by, requested_why, backfill) SELECT instants.instant, 'schedule', 'pending', %(param_1)s::TIMESTAMP WITH TIME ZONE AS anon_1, clock_timestamp() AS anon_2, %(application)s::VARCHAR COLLATE "C" AS anon_3, %(schedule)s::VARCHAR COLLATE "C" AS anon_4, %(lease_name)s::VARCHAR AS anon_5, %(queue)s::VARCHAR AS anon_6, %(params)s::VARCHAR AS anon_7, %(digest)s::VARCHAR AS anon_8, %(requested_by)s::VARCHAR AS anon_9, %(requested_why)s::VARCHAR AS anon_10, %(backfill)s::BIGINT AS anon_11
FROM (SELECT to_timestamp(CAST((instants_json.value ->> 0) AS double precision) / 1000000.0) AS instant
FROM json_array_elements(CAST(%(instants)s::VARCHAR AS json)) AS instants_json) AS instants
WHERE true ON CONFLICT DO NOTHING RETURNING run.id;


-- daemon/store/statements/acting/backfills.py: change
UPDATE backfill SET cancelled_at=%(cancelled_at)s::TIMESTAMP WITH TIME ZONE WHERE backfill.id = %(id_1)s::BIGINT;

UPDATE backfill SET paused_at=%(paused_at)s::TIMESTAMP WITH TIME ZONE WHERE backfill.id = %(id_1)s::BIGINT;


-- daemon/store/statements/acting/backfills.py: due_between
SELECT run.id, CAST(EXTRACT(epoch FROM run.scheduled_for) AS double precision) AS scheduled_for, CAST(EXTRACT(epoch FROM run.last_scheduled_for) AS double precision) AS last_scheduled_for, run.count, run.state, run.reason, run.backfill
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.schedule = %(schedule_1)s::VARCHAR COLLATE "C" AND run.trigger = 'schedule' AND run.scheduled_for < %(scheduled_for_1)s::TIMESTAMP WITH TIME ZONE ORDER BY run.scheduled_for DESC
 LIMIT %(param_1)s::INTEGER;

SELECT run.id, CAST(EXTRACT(epoch FROM run.scheduled_for) AS double precision) AS scheduled_for, CAST(EXTRACT(epoch FROM run.last_scheduled_for) AS double precision) AS last_scheduled_for, run.count, run.state, run.reason, run.backfill
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.schedule = %(schedule_1)s::VARCHAR COLLATE "C" AND run.trigger = 'schedule' AND run.scheduled_for >= %(scheduled_for_1)s::TIMESTAMP WITH TIME ZONE AND run.scheduled_for <= %(scheduled_for_2)s::TIMESTAMP WITH TIME ZONE ORDER BY run.scheduled_for;


-- daemon/store/statements/acting/backfills.py: oldest
SELECT CAST(EXTRACT(epoch FROM run.scheduled_for) AS double precision) AS scheduled_for
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.schedule = %(schedule_1)s::VARCHAR COLLATE "C" AND run.trigger = 'schedule' ORDER BY run.scheduled_for
 LIMIT %(param_1)s::INTEGER;


-- daemon/store/statements/acting/backfills.py: read
SELECT backfill.id, backfill.application, backfill.schedule, CAST(EXTRACT(epoch FROM backfill.first) AS double precision) AS first, CAST(EXTRACT(epoch FROM backfill.last) AS double precision) AS last, backfill.at_most, backfill.instants, backfill.requested_by, backfill.requested_why, CAST(EXTRACT(epoch FROM backfill.created_at) AS double precision) AS created_at, CAST(EXTRACT(epoch FROM backfill.paused_at) AS double precision) AS paused_at, CAST(EXTRACT(epoch FROM backfill.cancelled_at) AS double precision) AS cancelled_at, CAST(EXTRACT(epoch FROM backfill.placed_at) AS double precision) AS placed_at
FROM backfill
WHERE backfill.id = %(id_1)s::BIGINT;


-- daemon/store/statements/acting/backfills.py: retries
SELECT run.id, run.retry_of, run.state, run.backfill
FROM run
WHERE (run.retry_of = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key)));


-- daemon/store/statements/acting/backfills.py: revive
UPDATE run SET last_scheduled_for=NULL, count=%(count)s::BIGINT, state=%(state)s::VARCHAR, reason=NULL, lease_name=%(lease_name)s::VARCHAR, queue=%(queue)s::VARCHAR, available_at=NULL, start_by=NULL, params=%(params)s::VARCHAR, requested_by=%(requested_by)s::VARCHAR, requested_why=%(requested_why)s::VARCHAR, digest=%(digest)s::VARCHAR, adopted_from=CASE WHEN (run.digest IS DISTINCT FROM %(digest_1)s::VARCHAR) THEN run.digest ELSE run.adopted_from END, overlapped=NULL, overlapped_by=NULL, away_from=NULL, place_at=%(place_at)s::TIMESTAMP WITH TIME ZONE, finish_by=NULL, late_at=NULL, backfill=%(backfill)s::BIGINT, finished_at=NULL WHERE (run.id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key))) AND run.state IS NOT DISTINCT FROM 'skipped' AND run.backfill IS NULL;


-- daemon/store/statements/acting/backfills.py: shrink
UPDATE run SET scheduled_for=%(scheduled_for)s::TIMESTAMP WITH TIME ZONE, last_scheduled_for=%(last_scheduled_for)s::TIMESTAMP WITH TIME ZONE, count=%(count)s::BIGINT WHERE run.id = %(id_1)s::BIGINT;


-- daemon/store/statements/acting/backfills.py: unfinished_runs
SELECT run.id, run.application, coalesce((SELECT schedule.called
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), run.schedule) AS schedule, CAST(EXTRACT(epoch FROM run.scheduled_for) AS double precision) AS scheduled_for, run.state
FROM run
WHERE run.backfill = %(backfill_1)s::BIGINT AND run.state IN ('pending', 'running') ORDER BY run.scheduled_for DESC, run.id DESC;


-- daemon/store/statements/acting/renames.py: adopt
UPDATE run SET digest=%(digest)s::VARCHAR, adopted_from=run.digest WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.schedule = %(schedule_1)s::VARCHAR COLLATE "C" AND run.state = 'pending' AND (run.digest = ANY (%(param_1)s::TEXT[]));


-- daemon/store/statements/acting/renames.py: cancel_retired
UPDATE run SET state=%(state)s::VARCHAR, reason=%(reason)s::VARCHAR, available_at=NULL, place_at=NULL, finished_at=clock_timestamp() WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.state IN ('pending', 'running') AND run.state = 'pending' AND (EXISTS (SELECT *
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule AND schedule.retired_at IS NOT NULL)) AND (run.digest = ANY (%(param_1)s::TEXT[])) RETURNING run.schedule;


-- daemon/store/statements/acting/renames.py: of_names
SELECT schedule.application, schedule.name, schedule.called, schedule.former, CAST(EXTRACT(epoch FROM schedule.retired_at) AS double precision) AS retired_at
FROM schedule
WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" AND (schedule.name = ANY (%(param_1)s::TEXT[]));


-- daemon/store/statements/acting/renames.py: pending_definitions
SELECT DISTINCT run.schedule, run.digest, schedule.retired_at IS NOT NULL AS is_retired
FROM run JOIN schedule ON schedule.application = run.application AND schedule.name = run.schedule
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.state IN ('pending', 'running') AND run.state = 'pending';


-- daemon/store/statements/acting/renames.py: remove
DELETE FROM schedule WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" AND (schedule.name = ANY (%(param_1)s::TEXT[]));


-- daemon/store/statements/acting/renames.py: rename
UPDATE schedule SET changed_at=%(changed_at)s::TIMESTAMP WITH TIME ZONE, synced_at=%(synced_at)s::TIMESTAMP WITH TIME ZONE, called=%(called)s::VARCHAR, former=%(former)s::VARCHAR WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" AND schedule.name = %(name_1)s::VARCHAR COLLATE "C";


-- daemon/store/statements/acting/renames.py: renamed
SELECT schedule.application, schedule.name, schedule.called, schedule.former, CAST(EXTRACT(epoch FROM schedule.retired_at) AS double precision) AS retired_at
FROM schedule
WHERE schedule.called IS NOT NULL AND schedule.application = %(application_1)s::VARCHAR COLLATE "C" ORDER BY schedule.application, schedule.name;

SELECT schedule.application, schedule.name, schedule.called, schedule.former, CAST(EXTRACT(epoch FROM schedule.retired_at) AS double precision) AS retired_at
FROM schedule
WHERE schedule.called IS NOT NULL ORDER BY schedule.application, schedule.name;


-- daemon/store/statements/acting/renames.py: unfinished
SELECT run.schedule, run.state, count(*) AS count_1
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND (run.schedule = ANY (%(param_1)s::TEXT[])) AND run.state IN ('pending', 'running') GROUP BY run.schedule, run.state;


-- daemon/store/statements/acting/renames.py: with_history
SELECT schedule.name
FROM schedule
WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" AND (schedule.name = ANY (%(param_1)s::TEXT[])) AND ((EXISTS (SELECT *
FROM run
WHERE run.application = schedule.application AND run.schedule = schedule.name)) OR (EXISTS (SELECT *
FROM backfill
WHERE backfill.application = schedule.application AND backfill.schedule = schedule.name)) OR (EXISTS (SELECT *
FROM pruned
WHERE pruned.application = schedule.application AND pruned.schedule = schedule.name)) OR (EXISTS (SELECT *
FROM trigger_key
WHERE trigger_key.application = schedule.application AND trigger_key.schedule = schedule.name)) OR schedule.paused_at IS NOT NULL OR schedule.next_due <= clock_timestamp());


-- daemon/store/statements/acting/retries.py: add
INSERT INTO run (application, schedule, scheduled_for, trigger, state, lease_name, queue, available_at, place_at, backfill, params, digest, retry_of, origin, requested_by, requested_why, created_at) SELECT run.application, run.schedule, run.scheduled_for, %(param_1)s::VARCHAR AS anon_1, %(param_2)s::VARCHAR AS anon_2, retries.lease_name, retries.queue, CASE WHEN retries.waits THEN NULL ELSE clock_timestamp() END AS anon_3, NULL AS anon_4, %(param_3)s::BIGINT AS anon_5, run.params, retries.digest, run.id, CASE WHEN (run.retry_of IS NULL AND run.trigger = %(trigger_1)s::VARCHAR) THEN run.id ELSE run.origin END AS anon_6, %(param_4)s::VARCHAR AS anon_7, %(param_5)s::VARCHAR AS anon_8, clock_timestamp() AS anon_9
FROM (SELECT CAST((retries_json.value ->> 0) AS BIGINT) AS number, (retries_json.value ->> 1) AS lease_name, (retries_json.value ->> 2) AS queue, CAST((retries_json.value ->> 3) AS BOOLEAN) AS waits, (retries_json.value ->> 4) AS digest
FROM json_array_elements(CAST(%(retries)s::VARCHAR AS json)) AS retries_json) AS retries JOIN run ON run.id = retries.number
WHERE true ORDER BY run.id ON CONFLICT DO NOTHING RETURNING run.retry_of, run.id;

INSERT INTO run (application, schedule, scheduled_for, trigger, state, lease_name, queue, available_at, place_at, backfill, params, digest, retry_of, origin, requested_by, requested_why, created_at) SELECT run.application, run.schedule, run.scheduled_for, %(param_1)s::VARCHAR AS anon_1, %(param_2)s::VARCHAR AS anon_2, retries.lease_name, retries.queue, NULL AS anon_3, %(param_3)s::TIMESTAMP WITH TIME ZONE AS anon_4, %(param_4)s::BIGINT AS anon_5, run.params, retries.digest, run.id, CASE WHEN (run.retry_of IS NULL AND run.trigger = %(trigger_1)s::VARCHAR) THEN run.id ELSE run.origin END AS anon_6, %(param_5)s::VARCHAR AS anon_7, %(param_6)s::VARCHAR AS anon_8, clock_timestamp() AS anon_9
FROM (SELECT CAST((retries_json.value ->> 0) AS BIGINT) AS number, (retries_json.value ->> 1) AS lease_name, (retries_json.value ->> 2) AS queue, CAST((retries_json.value ->> 3) AS BOOLEAN) AS waits, (retries_json.value ->> 4) AS digest
FROM json_array_elements(CAST(%(retries)s::VARCHAR AS json)) AS retries_json) AS retries JOIN run ON run.id = retries.number
WHERE true ORDER BY run.id ON CONFLICT DO NOTHING RETURNING run.retry_of, run.id;


-- daemon/store/statements/acting/retries.py: among_runs
SELECT run.id
FROM run
WHERE (run.id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key))) AND (run.retry_of IS NOT NULL OR run.backfill IS NOT NULL);


-- daemon/store/statements/acting/retries.py: carry
INSERT INTO job_run (run_id, job, position, attempt, state, token, holder, started_at, finished_at, carried_from) SELECT carried.run_id, job_run.job, carried.position, %(param_1)s::INTEGER AS anon_1, %(param_2)s::VARCHAR AS anon_2, job_run.token, job_run.holder, job_run.started_at, job_run.finished_at, coalesce(job_run.carried_from, job_run.id) AS coalesce_1
FROM (SELECT CAST((carried_json.value ->> 0) AS BIGINT) AS run_id, CAST((carried_json.value ->> 1) AS BIGINT) AS number, CAST((carried_json.value ->> 2) AS INTEGER) AS position
FROM json_array_elements(CAST(%(carried)s::VARCHAR AS json)) AS carried_json) AS carried JOIN job_run ON job_run.id = carried.number
WHERE true ORDER BY carried.run_id, carried.position ON CONFLICT DO NOTHING;


-- daemon/store/statements/acting/retries.py: find_failed
SELECT run.id, run.application, run.schedule, CAST(EXTRACT(epoch FROM run.scheduled_for) AS double precision) AS scheduled_for, run.state
FROM (SELECT (schedules_json.value ->> 0) AS application, (schedules_json.value ->> 1) AS name
FROM json_array_elements(CAST(%(schedules)s::VARCHAR AS json)) AS schedules_json) AS schedules JOIN run ON run.application = schedules.application AND run.schedule = schedules.name
WHERE run.state = 'failed' AND run.finished_at >= (SELECT (clock_timestamp() + make_interval(secs => %(param_1)s)) AS anon_1) AND NOT (EXISTS (SELECT *
FROM run AS next
WHERE next.retry_of = run.id)) ORDER BY run.application, run.schedule, run.id;


-- daemon/store/statements/acting/retries.py: read_attempts
SELECT job_run.id, job_run.run_id, job_run.job, job_run.state
FROM job_run
WHERE (job_run.run_id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key))) ORDER BY job_run.id;


-- daemon/store/statements/acting/retries.py: read_carried
SELECT job_run.job
FROM job_run
WHERE job_run.run_id = %(run_id_1)s::BIGINT AND job_run.carried_from IS NOT NULL ORDER BY job_run.position;


-- daemon/store/statements/acting/retries.py: read_tried
SELECT run.id, run.application, run.schedule, CAST(EXTRACT(epoch FROM run.scheduled_for) AS double precision) AS scheduled_for, run.state, run.reason, run.digest, CAST(EXTRACT(epoch FROM run.forgotten_at) AS double precision) AS forgotten_at, next.id AS retried_as, next.state AS retried_state, next.requested_by AS retried_by, next.requested_why AS retried_why
FROM run LEFT OUTER JOIN run AS next ON next.retry_of = run.id
WHERE (run.id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key))) ORDER BY run.id;

SELECT run.id, run.application, run.schedule, CAST(EXTRACT(epoch FROM run.scheduled_for) AS double precision) AS scheduled_for, run.state, run.reason, run.digest, CAST(EXTRACT(epoch FROM run.forgotten_at) AS double precision) AS forgotten_at, next.id AS retried_as, next.state AS retried_state, next.requested_by AS retried_by, next.requested_why AS retried_why
FROM run LEFT OUTER JOIN run AS next ON next.retry_of = run.id
WHERE (run.id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key))) ORDER BY run.id FOR KEY SHARE OF run;


-- daemon/store/statements/agenda.py: applications_waiting
SELECT DISTINCT replica.application
FROM replica
WHERE (EXISTS (SELECT *
FROM run
WHERE run.application = replica.application AND run.state = 'pending' AND run.available_at IS NOT NULL AND (run.lease_name = ANY (%(param_1)s::TEXT[])) AND run.queue IS NULL)) OR (EXISTS (SELECT *
FROM run
WHERE run.application = replica.application AND run.state = 'pending' AND run.available_at IS NOT NULL AND (run.lease_name = ANY (%(param_1)s::TEXT[])) AND run.queue IN (__[POSTCOMPILE_queue_1]))) OR (EXISTS (SELECT *
FROM run
WHERE run.application = replica.application AND run.state = 'pending' AND run.available_at IS NOT NULL AND run.queue IS NOT NULL AND (run.queue = ANY (%(param_2)s::TEXT[]))));


-- daemon/store/statements/agenda.py: digests
SELECT DISTINCT run.digest
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.state IN ('pending', 'running');


-- daemon/store/statements/agenda.py: read
WITH due AS
(SELECT schedule.next_due AS moment, schedule.name AS "of"
FROM schedule
WHERE schedule.application = %(application)s::VARCHAR AND schedule.next_due IS NOT NULL AND NOT (schedule.name = ANY (%(other_schedules)s::TEXT[])) ORDER BY schedule.next_due
 LIMIT %(param_1)s::INTEGER),
late AS
(SELECT run.start_by AS moment, run.schedule AS "of"
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.state = 'pending' AND run.start_by IS NOT NULL AND run.started_at IS NULL AND NOT (run.schedule = ANY (%(other_schedules)s::TEXT[])) ORDER BY run.start_by
 LIMIT %(param_2)s::INTEGER),
lacking AS
(SELECT run.place_at AS moment, run.schedule AS "of"
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.state = 'pending' AND run.place_at IS NOT NULL AND run.available_at IS NULL AND NOT (run.schedule = ANY (%(other_schedules)s::TEXT[])) ORDER BY run.place_at
 LIMIT %(param_3)s::INTEGER),
starting AS
(SELECT run.available_at AS moment, run.digest AS "of"
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.queue IS NULL AND run.state = 'pending' AND run.available_at > (SELECT clock_timestamp() AS anon_5) AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[])) AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = %(of_holder)s::VARCHAR AND (at_work.abandoned >= %(abandoned_1)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), %(coalesce_1)s::INTEGER) >= %(coalesce_2)s::INTEGER))) AND (run.abandoned >= %(abandoned_2)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_3)s::INTEGER) >= %(coalesce_4)s::INTEGER)) ORDER BY run.available_at
 LIMIT %(param_4)s::INTEGER)
 SELECT CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS database_time, (SELECT CAST(EXTRACT(epoch FROM due.moment - clock_timestamp()) AS double precision) AS anon_1
FROM due) AS until_due, (SELECT CAST(EXTRACT(epoch FROM late.moment - clock_timestamp()) AS double precision) AS anon_2
FROM late) AS until_late, (SELECT CAST(EXTRACT(epoch FROM lacking.moment - clock_timestamp()) AS double precision) AS anon_3
FROM lacking) AS until_place, (SELECT CAST(EXTRACT(epoch FROM starting.moment - clock_timestamp()) AS double precision) AS anon_4
FROM starting) AS until_start, CASE WHEN ((SELECT run.digest
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.queue IS NULL AND run.state = 'pending' AND run.available_at <= (SELECT clock_timestamp() AS anon_5) AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[])) AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = %(of_holder)s::VARCHAR AND (at_work.abandoned >= %(abandoned_3)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), %(coalesce_5)s::INTEGER) >= %(coalesce_6)s::INTEGER))) AND (run.abandoned >= %(abandoned_4)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_7)s::INTEGER) >= %(coalesce_8)s::INTEGER)) AND NOT (EXISTS (SELECT *
FROM lease
WHERE lease.name = run.lease_name AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false))) ORDER BY run.available_at, run.id
 LIMIT %(param_5)s::INTEGER) IS NULL) THEN (SELECT min(anon_6.until_free) AS min_1
FROM (SELECT CAST(EXTRACT(epoch FROM lease.expires_at - clock_timestamp()) AS double precision) AS until_free
FROM run JOIN lease ON lease.name = run.lease_name
WHERE run.application = %(application)s::VARCHAR AND run.queue IS NULL AND run.state = 'pending' AND run.available_at <= (SELECT clock_timestamp() AS anon_5) AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[])) AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = %(of_holder)s::VARCHAR AND (at_work.abandoned >= %(abandoned_5)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), %(coalesce_9)s::INTEGER) >= %(coalesce_10)s::INTEGER))) AND (run.abandoned >= %(abandoned_6)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_11)s::INTEGER) >= %(coalesce_12)s::INTEGER)) AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) ORDER BY run.available_at, run.id
 LIMIT %(param_6)s::INTEGER) AS anon_6) END AS until_free, (SELECT min(CASE WHEN (lease.holder = run.holder AND lease.token = run.token AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) OR lease.holder = (%(holder_1)s::VARCHAR || run.holder) AND lease.token = run.token AND NOT (lease.expires_at <= clock_timestamp() OR false)) THEN CAST(EXTRACT(epoch FROM lease.expires_at - clock_timestamp()) AS double precision) ELSE %(param_7)s END) AS min_2
FROM run LEFT OUTER JOIN lease ON lease.name = run.lease_name
WHERE (run.application || '') = %(application)s::VARCHAR AND run.state = 'running') AS until_stale, CASE WHEN (EXISTS (SELECT *
FROM replica
WHERE replica.application = %(application)s::VARCHAR AND replica.digest IS NULL)) THEN (SELECT run.digest
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.state IN ('pending', 'running') AND run.state = 'pending' AND run.cancelled_at IS NOT NULL ORDER BY run.schedule, run.scheduled_for, run.id
 LIMIT %(param_8)s::INTEGER) IS NOT NULL END AS put_back, EXISTS (SELECT *
FROM run
WHERE (run.application || '') = %(application)s::VARCHAR AND run.state = 'running' AND run.holder != %(of_holder)s::VARCHAR) AS others_running, (SELECT due."of"
FROM due) AS due_schedule, (SELECT late."of"
FROM late) AS late_schedule, (SELECT lacking."of"
FROM lacking) AS place_schedule, (SELECT backfill.schedule
FROM backfill
WHERE backfill.application = %(application)s::VARCHAR AND backfill.placed_at IS NULL AND backfill.cancelled_at IS NULL AND backfill.paused_at IS NULL AND (NOT (EXISTS (SELECT *
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NOT NULL AND own.available_at IS NULL)) OR (SELECT count(*) AS count_1
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'running') + (SELECT count(*) AS count_2
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NULL) < backfill.at_most AND NOT (EXISTS (SELECT *
FROM run AS other
WHERE other.application = backfill.application AND other.schedule = backfill.schedule AND other.state IN ('pending', 'running') AND (other.place_at IS NULL OR other.available_at IS NOT NULL) AND other.backfill IS DISTINCT FROM backfill.id))) AND NOT (backfill.schedule = ANY (%(other_schedules)s::TEXT[])) ORDER BY backfill.id
 LIMIT %(param_9)s::INTEGER) AS fed_schedule, (SELECT run.digest
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.queue IS NULL AND run.state = 'pending' AND run.available_at <= (SELECT clock_timestamp() AS anon_5) AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[])) AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = %(of_holder)s::VARCHAR AND (at_work.abandoned >= %(abandoned_3)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), %(coalesce_5)s::INTEGER) >= %(coalesce_6)s::INTEGER))) AND (run.abandoned >= %(abandoned_4)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_7)s::INTEGER) >= %(coalesce_8)s::INTEGER)) AND NOT (EXISTS (SELECT *
FROM lease
WHERE lease.name = run.lease_name AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false))) ORDER BY run.available_at, run.id
 LIMIT %(param_5)s::INTEGER) AS available, (SELECT starting."of"
FROM starting) AS starting, (SELECT run.digest
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.state IN ('pending', 'running') AND run.state = 'pending' AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[])) AND (run.place_at IS NULL OR run.available_at IS NOT NULL) ORDER BY run.schedule, run.scheduled_for, run.id
 LIMIT %(param_10)s::INTEGER) AS pending, (SELECT run.digest
FROM run
WHERE (run.application || '') = %(application)s::VARCHAR AND run.state = 'running' AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[]))
 LIMIT %(param_11)s::INTEGER) AS running;


-- daemon/store/statements/agenda.py: read_queues
SELECT (SELECT CAST(EXTRACT(epoch FROM run.available_at - clock_timestamp()) AS double precision) AS anon_1
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.queue = queues.name AND run.state = 'pending' AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[])) AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = %(of_holder)s::VARCHAR AND (at_work.abandoned >= %(abandoned_1)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), %(coalesce_1)s::INTEGER) >= %(coalesce_2)s::INTEGER))) AND (run.abandoned >= %(abandoned_2)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_3)s::INTEGER) >= %(coalesce_4)s::INTEGER)) AND run.available_at > (SELECT clock_timestamp() AS anon_2) ORDER BY run.available_at, run.id
 LIMIT %(param_1)s::INTEGER) AS until_start, CASE WHEN (queues.slots > %(slots_1)s::INTEGER AND (SELECT count(*) AS count_1
FROM (SELECT (slots_json.value ->> 0) AS queue, (slots_json.value ->> 1) AS lease
FROM json_array_elements(CAST(%(slots)s::VARCHAR AS json)) AS slots_json) AS slots JOIN lease ON lease.name = slots.lease AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false)
WHERE slots.queue = queues.name) >= queues.slots AND (SELECT run.digest
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.queue = queues.name AND run.state = 'pending' AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[])) AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = %(of_holder)s::VARCHAR AND (at_work.abandoned >= %(abandoned_1)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), %(coalesce_1)s::INTEGER) >= %(coalesce_2)s::INTEGER))) AND (run.abandoned >= %(abandoned_2)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_3)s::INTEGER) >= %(coalesce_4)s::INTEGER)) AND run.available_at <= (SELECT clock_timestamp() AS anon_2) ORDER BY run.available_at, run.id
 LIMIT %(param_2)s::INTEGER) IS NOT NULL) THEN (SELECT min(CAST(EXTRACT(epoch FROM lease.expires_at - clock_timestamp()) AS double precision)) AS min_1
FROM (SELECT (slots_json.value ->> 0) AS queue, (slots_json.value ->> 1) AS lease
FROM json_array_elements(CAST(%(slots)s::VARCHAR AS json)) AS slots_json) AS slots JOIN lease ON lease.name = slots.lease AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false)
WHERE slots.queue = queues.name) WHEN (queues.slots <= %(slots_1)s::INTEGER AND (SELECT run.digest
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.queue = queues.name AND run.state = 'pending' AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[])) AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = %(of_holder)s::VARCHAR AND (at_work.abandoned >= %(abandoned_1)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), %(coalesce_1)s::INTEGER) >= %(coalesce_2)s::INTEGER))) AND (run.abandoned >= %(abandoned_2)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_3)s::INTEGER) >= %(coalesce_4)s::INTEGER)) AND run.available_at <= (SELECT clock_timestamp() AS anon_2) AND NOT (EXISTS (SELECT *
FROM lease
WHERE lease.name = run.lease_name AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false))) ORDER BY run.available_at, run.id
 LIMIT %(param_3)s::INTEGER) IS NULL) THEN (SELECT min(anon_3.until_free) AS min_2
FROM (SELECT CAST(EXTRACT(epoch FROM lease.expires_at - clock_timestamp()) AS double precision) AS until_free
FROM run JOIN lease ON lease.name = run.lease_name
WHERE run.application = %(application)s::VARCHAR AND run.queue = queues.name AND run.state = 'pending' AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[])) AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = %(of_holder)s::VARCHAR AND (at_work.abandoned >= %(abandoned_1)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), %(coalesce_1)s::INTEGER) >= %(coalesce_2)s::INTEGER))) AND (run.abandoned >= %(abandoned_2)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_3)s::INTEGER) >= %(coalesce_4)s::INTEGER)) AND run.available_at <= (SELECT clock_timestamp() AS anon_2) AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) ORDER BY run.available_at, run.id
 LIMIT %(param_4)s::INTEGER) AS anon_3) END AS until_free, CASE WHEN (queues.slots > %(slots_1)s::INTEGER AND (SELECT count(*) AS count_1
FROM (SELECT (slots_json.value ->> 0) AS queue, (slots_json.value ->> 1) AS lease
FROM json_array_elements(CAST(%(slots)s::VARCHAR AS json)) AS slots_json) AS slots JOIN lease ON lease.name = slots.lease AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false)
WHERE slots.queue = queues.name) < queues.slots) THEN (SELECT run.digest
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.queue = queues.name AND run.state = 'pending' AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[])) AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = %(of_holder)s::VARCHAR AND (at_work.abandoned >= %(abandoned_1)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), %(coalesce_1)s::INTEGER) >= %(coalesce_2)s::INTEGER))) AND (run.abandoned >= %(abandoned_2)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_3)s::INTEGER) >= %(coalesce_4)s::INTEGER)) AND run.available_at <= (SELECT clock_timestamp() AS anon_2) ORDER BY run.available_at, run.id
 LIMIT %(param_2)s::INTEGER) WHEN (queues.slots <= %(slots_1)s::INTEGER) THEN (SELECT run.digest
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.queue = queues.name AND run.state = 'pending' AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[])) AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = %(of_holder)s::VARCHAR AND (at_work.abandoned >= %(abandoned_1)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), %(coalesce_1)s::INTEGER) >= %(coalesce_2)s::INTEGER))) AND (run.abandoned >= %(abandoned_2)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_3)s::INTEGER) >= %(coalesce_4)s::INTEGER)) AND run.available_at <= (SELECT clock_timestamp() AS anon_2) AND NOT (EXISTS (SELECT *
FROM lease
WHERE lease.name = run.lease_name AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false))) ORDER BY run.available_at, run.id
 LIMIT %(param_3)s::INTEGER) END AS available, (SELECT run.digest
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.queue = queues.name AND run.state = 'pending' AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[])) AND run.cancelled_at IS NULL AND NOT ((EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = %(of_holder)s::VARCHAR AND (at_work.abandoned >= %(abandoned_1)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), %(coalesce_1)s::INTEGER) >= %(coalesce_2)s::INTEGER))) AND (run.abandoned >= %(abandoned_2)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_3)s::INTEGER) >= %(coalesce_4)s::INTEGER)) AND run.available_at > (SELECT clock_timestamp() AS anon_2) ORDER BY run.available_at, run.id
 LIMIT %(param_5)s::INTEGER) AS starting
FROM (SELECT (queues_json.value ->> 0) AS name, CAST((queues_json.value ->> 1) AS INTEGER) AS slots
FROM json_array_elements(CAST(%(queues)s::VARCHAR AS json)) AS queues_json) AS queues;


-- daemon/store/statements/agenda.py: schedules
SELECT schedule.name
FROM schedule
WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C";


-- daemon/store/statements/agenda.py: taken
SELECT lease.name
FROM lease
WHERE (lease.name = ANY (%(leases)s::TEXT[])) AND lease.holder IS NOT NULL AND NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false);


-- daemon/store/statements/agenda.py: waiting_for
SELECT run.lease_name
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.state = 'pending' AND run.available_at <= (SELECT clock_timestamp() AS anon_1) AND (run.lease_name = ANY (%(param_1)s::TEXT[])) AND run.queue IS NULL UNION SELECT run.lease_name
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.state = 'pending' AND run.available_at <= (SELECT clock_timestamp() AS anon_1) AND (run.lease_name = ANY (%(param_1)s::TEXT[])) AND run.queue IN (__[POSTCOMPILE_queue_1]);


-- daemon/store/statements/audit.py: backfills
SELECT backfill.id, backfill.application, backfill.schedule, CAST(EXTRACT(epoch FROM backfill.first) AS double precision) AS first, CAST(EXTRACT(epoch FROM backfill.last) AS double precision) AS last, backfill.at_most, backfill.instants, backfill.requested_by, backfill.requested_why, CAST(EXTRACT(epoch FROM backfill.created_at) AS double precision) AS created_at, CAST(EXTRACT(epoch FROM backfill.paused_at) AS double precision) AS paused_at, CAST(EXTRACT(epoch FROM backfill.cancelled_at) AS double precision) AS cancelled_at, CAST(EXTRACT(epoch FROM backfill.placed_at) AS double precision) AS placed_at
FROM backfill
WHERE backfill.application = %(application_1)s::VARCHAR COLLATE "C" ORDER BY backfill.id;

SELECT backfill.id, backfill.application, backfill.schedule, CAST(EXTRACT(epoch FROM backfill.first) AS double precision) AS first, CAST(EXTRACT(epoch FROM backfill.last) AS double precision) AS last, backfill.at_most, backfill.instants, backfill.requested_by, backfill.requested_why, CAST(EXTRACT(epoch FROM backfill.created_at) AS double precision) AS created_at, CAST(EXTRACT(epoch FROM backfill.paused_at) AS double precision) AS paused_at, CAST(EXTRACT(epoch FROM backfill.cancelled_at) AS double precision) AS cancelled_at, CAST(EXTRACT(epoch FROM backfill.placed_at) AS double precision) AS placed_at
FROM backfill ORDER BY backfill.id;


-- daemon/store/statements/audit.py: job_runs
SELECT job_run.id, job_run.run_id, job_run.job, job_run.state, job_run.token, job_run.holder, CAST(EXTRACT(epoch FROM job_run.started_at) AS double precision) AS started_at, CAST(EXTRACT(epoch FROM job_run.finished_at) AS double precision) AS finished_at, job_run.carried_from
FROM job_run JOIN run ON run.id = job_run.run_id
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" ORDER BY job_run.id;

SELECT job_run.id, job_run.run_id, job_run.job, job_run.state, job_run.token, job_run.holder, CAST(EXTRACT(epoch FROM job_run.started_at) AS double precision) AS started_at, CAST(EXTRACT(epoch FROM job_run.finished_at) AS double precision) AS finished_at, job_run.carried_from
FROM job_run ORDER BY job_run.id;


-- daemon/store/statements/audit.py: leases
SELECT lease.name, lease.token, lease.holder, CAST(EXTRACT(epoch FROM lease.granted_at) AS double precision) AS granted_at
FROM lease;


-- daemon/store/statements/audit.py: runs
SELECT run.id, run.application, run.schedule, CAST(EXTRACT(epoch FROM run.scheduled_for) AS double precision) AS scheduled_for, CAST(EXTRACT(epoch FROM run.last_scheduled_for) AS double precision) AS last_scheduled_for, run.count, run.trigger, run.state, run.lease_name, run.queue, run.token, run.holder, CAST(EXTRACT(epoch FROM run.created_at) AS double precision) AS created_at, CAST(EXTRACT(epoch FROM run.started_at) AS double precision) AS started_at, CAST(EXTRACT(epoch FROM run.finished_at) AS double precision) AS finished_at, CAST(EXTRACT(epoch FROM run.cancelled_at) AS double precision) AS cancelled_at, CASE WHEN (run.cancelled_at IS NOT NULL AND run.cancelled_by = %(cancelled_by_1)s::VARCHAR) THEN run.overlapped ELSE NULL END AS replaced_by, run.digest, run.adopted_from, run.retry_of, run.backfill
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" ORDER BY run.id;

SELECT run.id, run.application, run.schedule, CAST(EXTRACT(epoch FROM run.scheduled_for) AS double precision) AS scheduled_for, CAST(EXTRACT(epoch FROM run.last_scheduled_for) AS double precision) AS last_scheduled_for, run.count, run.trigger, run.state, run.lease_name, run.queue, run.token, run.holder, CAST(EXTRACT(epoch FROM run.created_at) AS double precision) AS created_at, CAST(EXTRACT(epoch FROM run.started_at) AS double precision) AS started_at, CAST(EXTRACT(epoch FROM run.finished_at) AS double precision) AS finished_at, CAST(EXTRACT(epoch FROM run.cancelled_at) AS double precision) AS cancelled_at, CASE WHEN (run.cancelled_at IS NOT NULL AND run.cancelled_by = %(cancelled_by_1)s::VARCHAR) THEN run.overlapped ELSE NULL END AS replaced_by, run.digest, run.adopted_from, run.retry_of, run.backfill
FROM run ORDER BY run.id;


-- daemon/store/statements/audit.py: schedules
SELECT schedule.application, schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule.trigger, schedule.enabled, CAST(EXTRACT(epoch FROM schedule.next_due) AS double precision) AS next_due, CAST(EXTRACT(epoch FROM schedule.planned_until) AS double precision) AS planned_until, CAST(EXTRACT(epoch FROM schedule.anchor) AS double precision) AS anchor, schedule.stretch_reason, schedule.stretch_count, CAST(EXTRACT(epoch FROM schedule.stretch_from) AS double precision) AS stretch_from, CAST(EXTRACT(epoch FROM schedule.paused_at) AS double precision) AS paused_at, schedule.paused_by, schedule.paused_why, CAST(EXTRACT(epoch FROM schedule.paused_until) AS double precision) AS paused_until, CAST(EXTRACT(epoch FROM schedule.retired_at) AS double precision) AS retired_at, schedule.retired_by, CAST(EXTRACT(epoch FROM schedule.changed_at) AS double precision) AS changed_at, CAST(EXTRACT(epoch FROM schedule.synced_at) AS double precision) AS synced_at, CAST(EXTRACT(epoch FROM schedule.created_at) AS double precision) AS created_at, schedule.abandoned, schedule.called, schedule.former, CAST(EXTRACT(epoch FROM pruned.until) AS double precision) AS pruned_until
FROM schedule LEFT OUTER JOIN pruned ON pruned.application = schedule.application AND pruned.schedule = schedule.name
WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" ORDER BY schedule.application, schedule.name;

SELECT schedule.application, schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule.trigger, schedule.enabled, CAST(EXTRACT(epoch FROM schedule.next_due) AS double precision) AS next_due, CAST(EXTRACT(epoch FROM schedule.planned_until) AS double precision) AS planned_until, CAST(EXTRACT(epoch FROM schedule.anchor) AS double precision) AS anchor, schedule.stretch_reason, schedule.stretch_count, CAST(EXTRACT(epoch FROM schedule.stretch_from) AS double precision) AS stretch_from, CAST(EXTRACT(epoch FROM schedule.paused_at) AS double precision) AS paused_at, schedule.paused_by, schedule.paused_why, CAST(EXTRACT(epoch FROM schedule.paused_until) AS double precision) AS paused_until, CAST(EXTRACT(epoch FROM schedule.retired_at) AS double precision) AS retired_at, schedule.retired_by, CAST(EXTRACT(epoch FROM schedule.changed_at) AS double precision) AS changed_at, CAST(EXTRACT(epoch FROM schedule.synced_at) AS double precision) AS synced_at, CAST(EXTRACT(epoch FROM schedule.created_at) AS double precision) AS created_at, schedule.abandoned, schedule.called, schedule.former, CAST(EXTRACT(epoch FROM pruned.until) AS double precision) AS pruned_until
FROM schedule LEFT OUTER JOIN pruned ON pruned.application = schedule.application AND pruned.schedule = schedule.name ORDER BY schedule.application, schedule.name;


-- daemon/store/statements/audit.py: snapshot
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

COMMIT;


-- daemon/store/statements/audit.py: stranded
SELECT run.id, run.lease_name, run.token, run.holder, CASE WHEN (lease.token != run.token OR coalesce(lease.holder != run.holder, false)) THEN CAST(EXTRACT(epoch FROM clock_timestamp() - lease.granted_at) AS double precision) WHEN (lease.holder IS NULL OR false) THEN CAST(EXTRACT(epoch FROM clock_timestamp() - lease.renewed_at) AS double precision) ELSE CAST(EXTRACT(epoch FROM clock_timestamp() - lease.expires_at) AS double precision) END AS seconds
FROM run LEFT OUTER JOIN lease ON lease.name = run.lease_name
WHERE run.state = 'running' AND (lease.token != run.token OR coalesce(lease.holder != run.holder, false) OR lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) AND (EXISTS (SELECT *
FROM replica
WHERE replica.application = run.application AND replica.state = %(state_1)s::VARCHAR AND CAST(EXTRACT(epoch FROM clock_timestamp() - replica.started_at) AS double precision) > %(param_1)s AND CAST(EXTRACT(epoch FROM clock_timestamp() - replica.seen_at) AS double precision) < %(param_2)s)) AND run.application = %(application_1)s::VARCHAR COLLATE "C" ORDER BY run.id;

SELECT run.id, run.lease_name, run.token, run.holder, CASE WHEN (lease.token != run.token OR coalesce(lease.holder != run.holder, false)) THEN CAST(EXTRACT(epoch FROM clock_timestamp() - lease.granted_at) AS double precision) WHEN (lease.holder IS NULL OR false) THEN CAST(EXTRACT(epoch FROM clock_timestamp() - lease.renewed_at) AS double precision) ELSE CAST(EXTRACT(epoch FROM clock_timestamp() - lease.expires_at) AS double precision) END AS seconds
FROM run LEFT OUTER JOIN lease ON lease.name = run.lease_name
WHERE run.state = 'running' AND (lease.token != run.token OR coalesce(lease.holder != run.holder, false) OR lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) AND (EXISTS (SELECT *
FROM replica
WHERE replica.application = run.application AND replica.state = %(state_1)s::VARCHAR AND CAST(EXTRACT(epoch FROM clock_timestamp() - replica.started_at) AS double precision) > %(param_1)s AND CAST(EXTRACT(epoch FROM clock_timestamp() - replica.seen_at) AS double precision) < %(param_2)s)) ORDER BY run.id;


-- daemon/store/statements/claims.py: candidates
SELECT run.id, run.lease_name, run.abandoned >= %(abandoned_1)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_1)s::INTEGER) >= %(coalesce_2)s::INTEGER AS anon_1, run.digest, CAST(EXTRACT(epoch FROM run.available_at) AS double precision) AS available_at
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.queue = %(of_queue)s::VARCHAR AND run.state = 'pending' AND run.available_at <= (SELECT clock_timestamp() AS anon_2) AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[])) AND NOT (run.state = 'pending' AND run.start_by IS NOT NULL AND run.start_by < (SELECT clock_timestamp() AS anon_2) AND run.started_at IS NULL) AND run.cancelled_at IS NULL AND (NOT (EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = %(of_holder)s::VARCHAR AND (at_work.abandoned >= %(abandoned_2)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), %(coalesce_3)s::INTEGER) >= %(coalesce_4)s::INTEGER))) OR NOT (run.abandoned >= %(abandoned_3)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_5)s::INTEGER) >= %(coalesce_6)s::INTEGER)) AND NOT (EXISTS (SELECT *
FROM lease
WHERE lease.name = run.lease_name AND NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false))) AND NOT (run.lease_name = ANY (%(tried)s::TEXT[])) ORDER BY run.available_at, run.id
 LIMIT %(limit)s FOR NO KEY UPDATE OF run SKIP LOCKED;

SELECT run.id, run.lease_name, run.abandoned >= %(abandoned_1)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_1)s::INTEGER) >= %(coalesce_2)s::INTEGER AS anon_1, run.digest, CAST(EXTRACT(epoch FROM run.available_at) AS double precision) AS available_at
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.queue = %(of_queue)s::VARCHAR AND run.state = 'pending' AND run.available_at <= (SELECT clock_timestamp() AS anon_2) AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[])) AND NOT (run.state = 'pending' AND run.start_by IS NOT NULL AND run.start_by < (SELECT clock_timestamp() AS anon_2) AND run.started_at IS NULL) AND run.cancelled_at IS NULL AND (NOT (EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = %(of_holder)s::VARCHAR AND (at_work.abandoned >= %(abandoned_2)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), %(coalesce_3)s::INTEGER) >= %(coalesce_4)s::INTEGER))) OR NOT (run.abandoned >= %(abandoned_3)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_5)s::INTEGER) >= %(coalesce_6)s::INTEGER)) ORDER BY run.available_at, run.id
 LIMIT %(limit)s;

SELECT run.id, run.lease_name, run.abandoned >= %(abandoned_1)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_1)s::INTEGER) >= %(coalesce_2)s::INTEGER AS anon_1, run.digest, CAST(EXTRACT(epoch FROM run.available_at) AS double precision) AS available_at
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.queue IS NULL AND run.state = 'pending' AND run.available_at <= (SELECT clock_timestamp() AS anon_2) AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[])) AND NOT (run.state = 'pending' AND run.start_by IS NOT NULL AND run.start_by < (SELECT clock_timestamp() AS anon_2) AND run.started_at IS NULL) AND run.cancelled_at IS NULL AND (NOT (EXISTS (SELECT *
FROM run AS at_work
WHERE at_work.state = 'running' AND at_work.holder = %(of_holder)s::VARCHAR AND (at_work.abandoned >= %(abandoned_2)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = at_work.application AND schedule.name = at_work.schedule), %(coalesce_3)s::INTEGER) >= %(coalesce_4)s::INTEGER))) OR NOT (run.abandoned >= %(abandoned_3)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_5)s::INTEGER) >= %(coalesce_6)s::INTEGER)) AND NOT (EXISTS (SELECT *
FROM lease
WHERE lease.name = run.lease_name AND NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false))) AND NOT (run.lease_name = ANY (%(tried)s::TEXT[])) ORDER BY run.available_at, run.id
 LIMIT %(limit)s FOR NO KEY UPDATE OF run SKIP LOCKED;

SELECT run.id, run.lease_name, run.abandoned >= %(abandoned_1)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_1)s::INTEGER) >= %(coalesce_2)s::INTEGER AS anon_1, run.digest, CAST(EXTRACT(epoch FROM run.available_at) AS double precision) AS available_at
FROM run
WHERE run.application = %(application)s::VARCHAR AND run.queue IS NULL AND run.state = 'pending' AND run.available_at <= (SELECT clock_timestamp() AS anon_2) AND run.digest IS NOT NULL AND NOT (run.digest = ANY (%(other_digests)s::TEXT[])) AND NOT (run.state = 'pending' AND run.start_by IS NOT NULL AND run.start_by < (SELECT clock_timestamp() AS anon_2) AND run.started_at IS NULL) AND run.cancelled_at IS NULL AND NOT (run.abandoned >= %(abandoned_2)s::INTEGER OR coalesce((SELECT schedule.abandoned
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), %(coalesce_3)s::INTEGER) >= %(coalesce_4)s::INTEGER) AND NOT (EXISTS (SELECT *
FROM lease
WHERE lease.name = run.lease_name AND NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false))) AND NOT (run.lease_name = ANY (%(tried)s::TEXT[])) ORDER BY run.available_at, run.id
 LIMIT %(limit)s FOR NO KEY UPDATE OF run SKIP LOCKED;


-- daemon/store/statements/claims.py: end_jobs
UPDATE job_run SET state=jobs.state, finished_at=clock_timestamp(), error=jobs.error, log_tail=jobs.log_tail, tail_start=jobs.tail_start, tail_line=jobs.tail_line, exit_status=jobs.exit_status, exit_signal=jobs.exit_signal, peak_memory=jobs.peak_memory FROM (SELECT CAST((jobs_json.value ->> 0) AS BIGINT) AS number, CAST((jobs_json.value ->> 1) AS BIGINT) AS token, (jobs_json.value ->> 2) AS holder, (jobs_json.value ->> 3) AS state, (jobs_json.value ->> 4) AS error, (jobs_json.value ->> 5) AS log_tail, CAST((jobs_json.value ->> 6) AS BIGINT) AS tail_start, CAST((jobs_json.value ->> 7) AS BIGINT) AS tail_line, CAST((jobs_json.value ->> 8) AS BIGINT) AS exit_status, CAST((jobs_json.value ->> 9) AS INTEGER) AS exit_signal, CAST((jobs_json.value ->> 10) AS BIGINT) AS peak_memory
FROM json_array_elements(CAST(%(jobs)s::VARCHAR AS json)) AS jobs_json) AS jobs WHERE job_run.id = jobs.number AND job_run.state IS NOT DISTINCT FROM 'running' AND job_run.token IS NOT DISTINCT FROM jobs.token AND job_run.holder IS NOT DISTINCT FROM jobs.holder RETURNING job_run.id;


-- daemon/store/statements/claims.py: end_runs
UPDATE run SET state=CASE WHEN (run.cancelled_at IS NOT NULL) THEN %(param_1)s::VARCHAR ELSE ends.state END, reason=CASE WHEN (run.cancelled_at IS NOT NULL) THEN %(param_2)s::VARCHAR || coalesce(run.cancelled_by, %(coalesce_1)s::VARCHAR) || coalesce(%(param_3)s::VARCHAR || run.cancelled_why, %(coalesce_2)s::VARCHAR) || CASE WHEN (ends.state = 'succeeded') THEN '; by then all of its jobs had succeeded' ELSE '' END ELSE ends.reason END, available_at=CASE WHEN (ends.state = 'pending') THEN (clock_timestamp() + make_interval(secs => coalesce(ends.wait, %(coalesce_3)s))) ELSE run.available_at END, finished_at=CASE WHEN (run.cancelled_at IS NOT NULL) THEN clock_timestamp() ELSE CASE WHEN (ends.state = 'pending') THEN NULL ELSE clock_timestamp() END END FROM (SELECT CAST((ends_json.value ->> 0) AS BIGINT) AS number, CAST((ends_json.value ->> 1) AS BIGINT) AS token, (ends_json.value ->> 2) AS holder, (ends_json.value ->> 3) AS state, (ends_json.value ->> 4) AS reason, CAST((ends_json.value ->> 5) AS DOUBLE PRECISION) AS wait
FROM json_array_elements(CAST(%(ends)s::VARCHAR AS json)) AS ends_json) AS ends WHERE run.id = ends.number AND run.state IS NOT DISTINCT FROM 'running' AND run.token IS NOT DISTINCT FROM ends.token AND run.holder IS NOT DISTINCT FROM ends.holder RETURNING run.id, run.state, run.reason;


-- daemon/store/statements/claims.py: lock
SELECT run.id
FROM run, (SELECT CAST((ordered_json.value ->> 0) AS BIGINT) AS number, CAST((ordered_json.value ->> 1) AS INTEGER) AS place, (ordered_json.value ->> 2) AS digest
FROM json_array_elements(CAST(%(ordered)s::VARCHAR AS json)) AS ordered_json) AS ordered
WHERE (run.id = ANY (ARRAY(SELECT ordered.number
FROM (SELECT CAST((ordered_json.value ->> 0) AS BIGINT) AS number, CAST((ordered_json.value ->> 1) AS INTEGER) AS place, (ordered_json.value ->> 2) AS digest
FROM json_array_elements(CAST(%(ordered)s::VARCHAR AS json)) AS ordered_json) AS ordered))) AND run.id = ordered.number AND run.digest IS NOT DISTINCT FROM ordered.digest AND run.state IS NOT DISTINCT FROM 'pending' AND run.available_at <= (SELECT clock_timestamp() AS anon_1) AND run.cancelled_at IS NULL ORDER BY ordered.place
 LIMIT %(limit)s FOR NO KEY UPDATE OF run SKIP LOCKED;


-- daemon/store/statements/claims.py: lock_jobs
SELECT job_run.id
FROM job_run, (SELECT CAST((jobs_json.value ->> 0) AS BIGINT) AS number, CAST((jobs_json.value ->> 1) AS BIGINT) AS token, (jobs_json.value ->> 2) AS holder
FROM json_array_elements(CAST(%(jobs)s::VARCHAR AS json)) AS jobs_json) AS jobs
WHERE job_run.id = jobs.number AND job_run.state IS NOT DISTINCT FROM 'running' AND job_run.token IS NOT DISTINCT FROM jobs.token AND job_run.holder IS NOT DISTINCT FROM jobs.holder ORDER BY job_run.id FOR NO KEY UPDATE OF job_run;

SELECT job_run.id
FROM job_run, (SELECT CAST((jobs_json.value ->> 0) AS BIGINT) AS number, CAST((jobs_json.value ->> 1) AS BIGINT) AS token, (jobs_json.value ->> 2) AS holder
FROM json_array_elements(CAST(%(jobs)s::VARCHAR AS json)) AS jobs_json) AS jobs
WHERE job_run.id = jobs.number AND job_run.state IS NOT DISTINCT FROM 'running' AND job_run.token IS NOT DISTINCT FROM jobs.token AND job_run.holder IS NOT DISTINCT FROM jobs.holder ORDER BY job_run.id FOR NO KEY UPDATE OF job_run SKIP LOCKED;


-- daemon/store/statements/claims.py: lock_runs
SELECT run.id
FROM run, (SELECT CAST((runs_json.value ->> 0) AS BIGINT) AS number, CAST((runs_json.value ->> 1) AS BIGINT) AS token, (runs_json.value ->> 2) AS holder
FROM json_array_elements(CAST(%(runs)s::VARCHAR AS json)) AS runs_json) AS runs
WHERE run.id = runs.number AND run.state IS NOT DISTINCT FROM 'running' AND run.token IS NOT DISTINCT FROM runs.token AND run.holder IS NOT DISTINCT FROM runs.holder ORDER BY run.id FOR NO KEY UPDATE OF run;

SELECT run.id
FROM run, (SELECT CAST((runs_json.value ->> 0) AS BIGINT) AS number, CAST((runs_json.value ->> 1) AS BIGINT) AS token, (runs_json.value ->> 2) AS holder
FROM json_array_elements(CAST(%(runs)s::VARCHAR AS json)) AS runs_json) AS runs
WHERE run.id = runs.number AND run.state IS NOT DISTINCT FROM 'running' AND run.token IS NOT DISTINCT FROM runs.token AND run.holder IS NOT DISTINCT FROM runs.holder ORDER BY run.id FOR NO KEY UPDATE OF run SKIP LOCKED;


-- daemon/store/statements/claims.py: lock_schedules
SELECT schedule.application, schedule.name, schedule.abandoned
FROM schedule, (SELECT (schedules_json.value ->> 0) AS application, (schedules_json.value ->> 1) AS name
FROM json_array_elements(CAST(%(schedules)s::VARCHAR AS json)) AS schedules_json) AS schedules
WHERE schedule.application = schedules.application AND schedule.name = schedules.name ORDER BY schedule.application, schedule.name FOR NO KEY UPDATE OF schedule;

SELECT schedule.application, schedule.name, schedule.abandoned
FROM schedule, (SELECT (schedules_json.value ->> 0) AS application, (schedules_json.value ->> 1) AS name
FROM json_array_elements(CAST(%(schedules)s::VARCHAR AS json)) AS schedules_json) AS schedules
WHERE schedule.application = schedules.application AND schedule.name = schedules.name ORDER BY schedule.application, schedule.name FOR NO KEY UPDATE OF schedule SKIP LOCKED;


-- daemon/store/statements/claims.py: promote
UPDATE run SET available_at=clock_timestamp() WHERE (run.id = ANY (ARRAY(SELECT (SELECT waiting.id
FROM run AS waiting
WHERE waiting.application = schedules.application AND waiting.schedule = schedules.name AND waiting.state IN ('pending', 'running') AND waiting.available_at IS NULL AND (waiting.place_at IS NULL OR waiting.available_at IS NOT NULL) ORDER BY waiting.scheduled_for, waiting.id
 LIMIT %(param_1)s::INTEGER) AS anon_1
FROM (SELECT (schedules_json.value ->> 0) AS application, (schedules_json.value ->> 1) AS name
FROM json_array_elements(CAST(%(schedules)s::VARCHAR AS json)) AS schedules_json) AS schedules
WHERE NOT (EXISTS (SELECT *
FROM run AS other
WHERE other.application = schedules.application AND other.schedule = schedules.name AND other.state IN ('pending', 'running') AND other.available_at IS NOT NULL))))) RETURNING run.application, run.schedule;


-- daemon/store/statements/claims.py: put_under
UPDATE run SET lease_name=slotted.lease FROM (SELECT CAST((slotted_json.value ->> 0) AS BIGINT) AS number, (slotted_json.value ->> 1) AS lease
FROM json_array_elements(CAST(%(slotted)s::VARCHAR AS json)) AS slotted_json) AS slotted WHERE (run.id = ANY (ARRAY(SELECT slotted.number
FROM (SELECT CAST((slotted_json.value ->> 0) AS BIGINT) AS number, (slotted_json.value ->> 1) AS lease
FROM json_array_elements(CAST(%(slotted)s::VARCHAR AS json)) AS slotted_json) AS slotted))) AND run.id = slotted.number AND run.state IS NOT DISTINCT FROM 'pending' RETURNING run.id;


-- daemon/store/statements/claims.py: reset_abandoned
UPDATE run SET abandoned=%(abandoned)s::INTEGER FROM (SELECT CAST((runs_json.value ->> 0) AS BIGINT) AS number, CAST((runs_json.value ->> 1) AS BIGINT) AS token, (runs_json.value ->> 2) AS holder
FROM json_array_elements(CAST(%(runs)s::VARCHAR AS json)) AS runs_json) AS runs WHERE run.id = runs.number AND run.state IS NOT DISTINCT FROM 'running' AND run.token IS NOT DISTINCT FROM runs.token AND run.holder IS NOT DISTINCT FROM runs.holder AND run.abandoned > %(abandoned_1)s::INTEGER RETURNING run.id;


-- daemon/store/statements/claims.py: reset_abandoned_of
UPDATE schedule SET abandoned=%(abandoned)s::INTEGER FROM (SELECT (schedules_json.value ->> 0) AS application, (schedules_json.value ->> 1) AS name
FROM json_array_elements(CAST(%(schedules)s::VARCHAR AS json)) AS schedules_json) AS schedules WHERE schedule.application = schedules.application AND schedule.name = schedules.name RETURNING schedule.name;


-- daemon/store/statements/claims.py: start
UPDATE run SET state=%(state)s::VARCHAR, reason=NULL, token=lease.token, holder=lease.holder, attempt=(run.attempt + %(attempt_1)s::INTEGER), claimed_attempt=(run.attempt + %(attempt_2)s::INTEGER), started_at=coalesce(run.started_at, clock_timestamp()) FROM lease WHERE (run.id = ANY (ARRAY(SELECT ids.number
FROM (SELECT CAST((ids_json.value ->> 0) AS BIGINT) AS number
FROM json_array_elements(CAST(%(ids)s::VARCHAR AS json)) AS ids_json) AS ids))) AND run.state IS NOT DISTINCT FROM 'pending' AND lease.name = run.lease_name AND lease.holder IS NOT DISTINCT FROM %(of_holder)s::VARCHAR RETURNING run.id, run.application, run.schedule, CAST(EXTRACT(epoch FROM run.scheduled_for) AS double precision) AS scheduled_for, run.trigger, run.lease_name, CAST(EXTRACT(epoch FROM run.available_at) AS double precision) AS available_at, run.attempt, run.params, run.retry_of, run.origin, CAST(EXTRACT(epoch FROM clock_timestamp() - run.started_at) AS double precision) AS started_ago, CAST(EXTRACT(epoch FROM clock_timestamp() - run.available_at) AS double precision) AS waited, run.traceparent, CASE WHEN (run.backfill IS NOT NULL) THEN 'backfill' WHEN (run.retry_of IS NOT NULL) THEN 'retry' ELSE run.trigger END AS cause;


-- daemon/store/statements/claims.py: stop_jobs
UPDATE job_run SET state=%(state)s::VARCHAR, finished_at=clock_timestamp() FROM (SELECT CAST((runs_json.value ->> 0) AS BIGINT) AS number, CAST((runs_json.value ->> 1) AS BIGINT) AS token, (runs_json.value ->> 2) AS holder
FROM json_array_elements(CAST(%(runs)s::VARCHAR AS json)) AS runs_json) AS runs WHERE job_run.run_id = runs.number AND job_run.state = 'running' AND job_run.token IS NOT DISTINCT FROM runs.token AND job_run.holder IS NOT DISTINCT FROM runs.holder RETURNING job_run.id;


-- daemon/store/statements/delivery.py: add
INSERT INTO delivery (application, schedule, run_id, kind, target, count, created_at, available_at, held) VALUES (%(application)s::VARCHAR COLLATE "C", %(schedule)s::VARCHAR COLLATE "C", %(run_id)s::BIGINT, %(kind)s::VARCHAR, %(target)s::VARCHAR, %(count)s::BIGINT, clock_timestamp(), clock_timestamp(), %(held)s);


-- daemon/store/statements/delivery.py: asking
SELECT schedule.name, schedule.definition
FROM schedule
WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" AND (schedule.name = ANY (%(param_1)s::TEXT[])) AND ((schedule.definition LIKE '%%' || %(definition_1)s::VARCHAR || '%%') OR (schedule.definition LIKE '%%' || %(definition_2)s::VARCHAR || '%%'));


-- daemon/store/statements/delivery.py: claim
SELECT delivery.id, delivery.application, delivery.schedule, delivery.run_id, delivery.kind, delivery.target, delivery.count, CAST(EXTRACT(epoch FROM delivery.created_at) AS double precision) AS created_at, CAST(EXTRACT(epoch FROM delivery.available_at) AS double precision) AS available_at, delivery.attempts, delivery.held, delivery.folded, delivery.error, CAST(EXTRACT(epoch FROM delivery.done_at) AS double precision) AS done_at, delivery.outcome, delivery.count AS times, coalesce((SELECT schedule.called
FROM schedule
WHERE schedule.application = delivery.application AND schedule.name = delivery.schedule), delivery.schedule) AS called, CAST(EXTRACT(epoch FROM clock_timestamp() - delivery.created_at) AS double precision) AS age
FROM delivery
WHERE (delivery.id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key))) ORDER BY delivery.id;

UPDATE delivery SET available_at=(clock_timestamp() + make_interval(secs => %(param_1)s)), attempts=(delivery.attempts + %(attempts_1)s::INTEGER) WHERE delivery.id IN (SELECT delivery.id
FROM delivery
WHERE delivery.id IN (SELECT min(waits.id) AS min_1
FROM delivery AS waits
WHERE waits.application = %(application_1)s::VARCHAR COLLATE "C" AND waits.done_at IS NULL GROUP BY waits.target) AND delivery.done_at IS NULL AND delivery.available_at <= clock_timestamp() ORDER BY delivery.id
 LIMIT %(param_2)s::INTEGER FOR UPDATE SKIP LOCKED) RETURNING delivery.id;


-- daemon/store/statements/delivery.py: delete_done
DELETE FROM delivery WHERE delivery.id IN (SELECT delivery.id
FROM delivery
WHERE delivery.application = %(application_1)s::VARCHAR COLLATE "C" AND delivery.done_at < (clock_timestamp() + make_interval(secs => %(param_1)s)) ORDER BY delivery.done_at
 LIMIT %(param_2)s::INTEGER FOR UPDATE SKIP LOCKED);


-- daemon/store/statements/delivery.py: drop_superseded
DELETE FROM delivery WHERE delivery.application = %(application_1)s::VARCHAR COLLATE "C" AND delivery.target = %(target_1)s::VARCHAR AND delivery.done_at IS NULL AND delivery.id > %(id_1)s::BIGINT AND (delivery.kind IN ('ping.success', 'ping.fail') AND (EXISTS (SELECT *
FROM run
WHERE run.id = delivery.run_id AND run.started_at > %(started_at_1)s::TIMESTAMP WITH TIME ZONE)) AND (EXISTS (SELECT *
FROM delivery AS newer
WHERE newer.application = %(application_2)s::VARCHAR COLLATE "C" AND newer.target = %(target_2)s::VARCHAR AND newer.done_at IS NULL AND newer.schedule = delivery.schedule AND newer.id > delivery.id AND newer.kind IN ('ping.success', 'ping.fail') AND (newer.kind = %(kind_1)s::VARCHAR OR delivery.kind = %(kind_2)s::VARCHAR))) OR delivery.kind = %(kind_3)s::VARCHAR AND (EXISTS (SELECT *
FROM run
WHERE run.id = delivery.run_id AND (run.state NOT IN ('pending', 'running'))))) AND (EXISTS (SELECT *
FROM delivery AS first
WHERE first.id = %(id_2)s::BIGINT AND first.done_at IS NULL));


-- daemon/store/statements/delivery.py: end
UPDATE delivery SET error=coalesce(%(coalesce_1)s::VARCHAR, delivery.error), done_at=clock_timestamp(), outcome=%(outcome)s::VARCHAR WHERE delivery.id = %(id_1)s::BIGINT AND delivery.done_at IS NULL;

UPDATE delivery SET error=coalesce(NULL, delivery.error), done_at=clock_timestamp(), outcome=%(outcome)s::VARCHAR WHERE delivery.id = %(id_1)s::BIGINT AND delivery.done_at IS NULL;


-- daemon/store/statements/delivery.py: end_all
UPDATE delivery SET done_at=clock_timestamp(), outcome=%(outcome)s::VARCHAR WHERE delivery.application = %(application_1)s::VARCHAR COLLATE "C" AND delivery.target = %(target_1)s::VARCHAR AND delivery.created_at <= (clock_timestamp() + make_interval(secs => %(param_1)s)) AND delivery.done_at IS NULL;


-- daemon/store/statements/delivery.py: fold
UPDATE delivery SET done_at=clock_timestamp(), outcome=%(outcome)s::VARCHAR WHERE delivery.application = %(application_1)s::VARCHAR COLLATE "C" AND delivery.target = %(target_1)s::VARCHAR AND delivery.kind = %(kind_1)s::VARCHAR AND delivery.done_at IS NULL AND delivery.id > %(id_1)s::BIGINT;

UPDATE delivery SET held=%(held)s, folded=(delivery.folded + %(folded_1)s::INTEGER) WHERE delivery.id = %(id_1)s::BIGINT;


-- daemon/store/statements/delivery.py: gone
SELECT DISTINCT delivery.target
FROM delivery
WHERE delivery.application = %(application_1)s::VARCHAR COLLATE "C" AND delivery.outcome IN ('gone', 'given up') AND delivery.outcome = %(outcome_1)s::VARCHAR;


-- daemon/store/statements/delivery.py: lately_sent
SELECT delivery.target, delivery.kind, count(*) AS count_1, max(CAST(EXTRACT(epoch FROM clock_timestamp() - delivery.done_at) AS double precision)) AS max_1
FROM delivery
WHERE delivery.application = %(application_1)s::VARCHAR COLLATE "C" AND delivery.done_at > (clock_timestamp() + make_interval(secs => %(param_1)s)) AND delivery.outcome = %(outcome_1)s::VARCHAR GROUP BY delivery.target, delivery.kind;


-- daemon/store/statements/delivery.py: put_back
UPDATE delivery SET available_at=(clock_timestamp() + make_interval(secs => %(param_1)s)), error=%(error)s::VARCHAR WHERE delivery.id = %(id_1)s::BIGINT AND delivery.attempts = %(attempts_1)s::INTEGER AND delivery.done_at IS NULL;


-- daemon/store/statements/delivery.py: resume
UPDATE delivery SET outcome=%(outcome)s::VARCHAR WHERE delivery.application = %(application_1)s::VARCHAR COLLATE "C" AND delivery.target = %(target_1)s::VARCHAR AND delivery.outcome IN ('gone', 'given up') AND delivery.outcome = %(outcome_1)s::VARCHAR;


-- daemon/store/statements/delivery.py: until_due
SELECT min(CAST(EXTRACT(epoch FROM delivery.available_at - clock_timestamp()) AS double precision)) AS min_1
FROM delivery
WHERE delivery.id IN (SELECT min(waits.id) AS min_2
FROM delivery AS waits
WHERE waits.application = %(application_1)s::VARCHAR COLLATE "C" AND waits.done_at IS NULL GROUP BY waits.target);


-- daemon/store/statements/generation.py: add
INSERT INTO generation (application, number, digest, brought_by, came_at, rules, in_lieu, run_digests) VALUES (%(application)s::VARCHAR COLLATE "C", (SELECT coalesce(max(generation.number), %(coalesce_1)s::INTEGER) + %(coalesce_2)s::BIGINT AS anon_1
FROM generation
WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C"), %(digest)s::VARCHAR, %(brought_by)s::VARCHAR, clock_timestamp(), %(rules)s, %(in_lieu)s, %(run_digests)s::VARCHAR) RETURNING generation.number;

INSERT INTO generation (application, number, digest, revision, brought_by, came_at, rules, in_lieu, run_digests) VALUES (%(application)s::VARCHAR COLLATE "C", (SELECT coalesce(max(generation.number), %(coalesce_1)s::INTEGER) + %(coalesce_2)s::BIGINT AS anon_1
FROM generation
WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C"), %(digest)s::VARCHAR, %(revision)s::BIGINT, %(brought_by)s::VARCHAR, clock_timestamp(), %(rules)s, %(in_lieu)s, %(run_digests)s::VARCHAR) RETURNING generation.number;


-- daemon/store/statements/generation.py: change
UPDATE generation SET run_digests=%(run_digests)s::VARCHAR WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" AND generation.number = %(number_1)s::BIGINT;


-- daemon/store/statements/generation.py: discount
UPDATE generation SET discounted_at=clock_timestamp() WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" AND generation.number IN (__[POSTCOMPILE_number_1]);


-- daemon/store/statements/generation.py: latest
SELECT generation.number, generation.digest, generation.revision, CAST(EXTRACT(epoch FROM generation.ruled_at) AS double precision) AS ruled_at, generation.rules, CAST(EXTRACT(epoch FROM generation.discounted_at) AS double precision) AS discounted_at
FROM generation
WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" AND (generation.number IN (SELECT generation.number
FROM generation
WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" ORDER BY coalesce(CASE WHEN (generation.discounted_at IS NULL) THEN generation.revision ELSE NULL END, %(coalesce_1)s::INTEGER) DESC, generation.number DESC
 LIMIT %(param_1)s::INTEGER) OR generation.number IN (SELECT generation.number
FROM generation
WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" AND generation.digest = %(digest_1)s::VARCHAR ORDER BY coalesce(CASE WHEN (generation.discounted_at IS NULL) THEN generation.revision ELSE NULL END, %(coalesce_1)s::INTEGER) DESC, generation.number DESC
 LIMIT %(param_2)s::INTEGER) OR generation.number = (SELECT max(generation.number) AS max_1
FROM generation
WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C") OR generation.rules OR generation.revision = %(revision_1)s::BIGINT) ORDER BY generation.number;

SELECT generation.number, generation.digest, generation.revision, CAST(EXTRACT(epoch FROM generation.ruled_at) AS double precision) AS ruled_at, generation.rules, CAST(EXTRACT(epoch FROM generation.discounted_at) AS double precision) AS discounted_at
FROM generation
WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" AND (generation.number IN (SELECT generation.number
FROM generation
WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" ORDER BY coalesce(CASE WHEN (generation.discounted_at IS NULL) THEN generation.revision ELSE NULL END, %(coalesce_1)s::INTEGER) DESC, generation.number DESC
 LIMIT %(param_1)s::INTEGER) OR generation.number IN (SELECT generation.number
FROM generation
WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" AND generation.digest = %(digest_1)s::VARCHAR ORDER BY coalesce(CASE WHEN (generation.discounted_at IS NULL) THEN generation.revision ELSE NULL END, %(coalesce_1)s::INTEGER) DESC, generation.number DESC
 LIMIT %(param_2)s::INTEGER) OR generation.number = (SELECT max(generation.number) AS max_1
FROM generation
WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C") OR generation.rules) ORDER BY generation.number;


-- daemon/store/statements/generation.py: let_none_rule
UPDATE generation SET superseded_at=clock_timestamp(), rules=%(rules)s, in_lieu=%(in_lieu)s WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" AND generation.rules;


-- daemon/store/statements/generation.py: let_rule
UPDATE generation SET ruled_at=clock_timestamp(), superseded_at=%(superseded_at)s::TIMESTAMP WITH TIME ZONE, rules=%(rules)s, in_lieu=%(in_lieu)s, changes=%(changes)s::VARCHAR, diff=%(diff)s::VARCHAR WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" AND generation.number = %(number_1)s::BIGINT;

UPDATE generation SET ruled_at=clock_timestamp(), superseded_at=%(superseded_at)s::TIMESTAMP WITH TIME ZONE, rules=%(rules)s, in_lieu=%(in_lieu)s, changes=%(changes)s::VARCHAR, diff=%(diff)s::VARCHAR, replaced=%(replaced)s::BIGINT WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" AND generation.number = %(number_1)s::BIGINT;

UPDATE generation SET superseded_at=clock_timestamp(), rules=%(rules)s, in_lieu=%(in_lieu)s WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" AND generation.rules AND generation.number != %(number_1)s::BIGINT;


-- daemon/store/statements/generation.py: living_others
SELECT replica.digest, replica.host
FROM replica
WHERE replica.application = %(application_1)s::VARCHAR COLLATE "C" AND replica.digest != %(digest_1)s::VARCHAR AND replica.state = %(state_1)s::VARCHAR AND (replica.holder NOT IN (__[POSTCOMPILE_holder_1])) AND CAST(EXTRACT(epoch FROM clock_timestamp() - replica.seen_at) AS double precision) < %(param_1)s;


-- daemon/store/statements/generation.py: newest_number
SELECT max(generation.number) AS max_1
FROM generation
WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" AND generation.digest = %(digest_1)s::VARCHAR;


-- daemon/store/statements/generation.py: others
SELECT replica.digest, CAST(EXTRACT(epoch FROM clock_timestamp() - min(replica.ready_at)) AS double precision) AS ready_for
FROM replica
WHERE replica.application = %(application_1)s::VARCHAR COLLATE "C" AND (replica.holder NOT IN (__[POSTCOMPILE_holder_1])) AND (replica.state = %(state_1)s::VARCHAR OR replica.state = %(state_2)s::VARCHAR AND CAST(EXTRACT(epoch FROM replica.stopped_at - replica.seen_at) AS double precision) > %(param_1)s) GROUP BY replica.digest;

SELECT replica.digest, CAST(EXTRACT(epoch FROM clock_timestamp() - min(replica.ready_at)) AS double precision) AS ready_for
FROM replica
WHERE replica.application = %(application_1)s::VARCHAR COLLATE "C" AND (replica.holder NOT IN (__[POSTCOMPILE_holder_1])) AND replica.state = %(state_1)s::VARCHAR AND CAST(EXTRACT(epoch FROM clock_timestamp() - replica.seen_at) AS double precision) < %(param_1)s GROUP BY replica.digest;


-- daemon/store/statements/generation.py: run_digests_of_others
SELECT generation.run_digests
FROM generation
WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" AND (generation.digest = ANY (%(param_1)s::TEXT[]));


-- daemon/store/statements/generation.py: schedules_of
SELECT generation.run_digests
FROM generation
WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" AND (generation.digest = ANY (%(param_1)s::TEXT[]));


-- daemon/store/statements/job_run.py: add_not_started
INSERT INTO job_run (run_id, job, position, attempt, state, token, holder, started_at, finished_at) VALUES (%(run_id)s::BIGINT, %(named)s::VARCHAR, %(place)s::INTEGER, ((SELECT coalesce(max(job_run.attempt), %(coalesce_2)s::INTEGER) AS coalesce_1
FROM job_run
WHERE job_run.run_id = %(run_id_1)s::BIGINT AND job_run.job = %(named)s::VARCHAR) + %(param_1)s::INTEGER), %(state)s::VARCHAR, %(token)s::BIGINT, %(holder)s::VARCHAR, clock_timestamp(), clock_timestamp()) RETURNING job_run.id;


-- daemon/store/statements/job_run.py: find_started
SELECT job_run.id
FROM job_run
WHERE job_run.run_id = %(run_id_1)s::BIGINT AND job_run.job = %(job_1)s::VARCHAR AND job_run.attempt = %(attempt_1)s::INTEGER AND job_run.token = %(token_1)s::BIGINT AND job_run.holder = %(holder_1)s::VARCHAR AND job_run.state = %(state_1)s::VARCHAR;


-- daemon/store/statements/job_run.py: leave_word
UPDATE job_run SET error=%(error)s::VARCHAR, log_tail=%(log_tail)s::VARCHAR, tail_start=%(tail_start)s::BIGINT, tail_line=%(tail_line)s::BIGINT, exit_status=%(exit_status)s::BIGINT, exit_signal=%(exit_signal)s::INTEGER, peak_memory=%(peak_memory)s::BIGINT WHERE job_run.id = %(id_1)s::BIGINT AND job_run.state = %(state_1)s::VARCHAR AND job_run.token = %(token_1)s::BIGINT AND job_run.holder = %(holder_1)s::VARCHAR;

UPDATE job_run SET keeper_pid=%(keeper_pid)s::BIGINT, keeper_start=%(keeper_start)s::BIGINT WHERE job_run.id = %(id_1)s::BIGINT AND job_run.state = %(state_1)s::VARCHAR AND job_run.token = %(token_1)s::BIGINT AND job_run.holder = %(holder_1)s::VARCHAR;


-- daemon/store/statements/job_run.py: of_runs
SELECT job_run.run_id, job_run.job, job_run.position, job_run.attempt, job_run.state
FROM job_run
WHERE (job_run.run_id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key))) ORDER BY job_run.run_id, job_run.attempt, job_run.position;


-- daemon/store/statements/job_run.py: read
SELECT job_run.id, job_run.run_id, job_run.job, job_run.position, job_run.attempt, job_run.state, job_run.token, job_run.holder, CAST(EXTRACT(epoch FROM job_run.started_at) AS double precision) AS started_at, CAST(EXTRACT(epoch FROM job_run.finished_at) AS double precision) AS finished_at, job_run.error, job_run.log_tail, job_run.tail_start, job_run.tail_line, job_run.done, job_run.total, job_run.message, CAST(EXTRACT(epoch FROM job_run.progress_at) AS double precision) AS progress_at, job_run.keeper_pid, job_run.keeper_start, job_run.exit_status, job_run.exit_signal, job_run.peak_memory, job_run.lost_by, job_run.lost_why, job_run.carried_from, job_run.release, CAST(EXTRACT(epoch FROM job_run.work_ended_at) AS double precision) AS work_ended_at, CAST(EXTRACT(epoch FROM job_run.renewed_at) AS double precision) AS renewed_at
FROM job_run
WHERE job_run.id = %(id_1)s::BIGINT;


-- daemon/store/statements/job_run.py: save_output
INSERT INTO job_output (job_run_id, start, line, text, saved_at) SELECT job_run.id, %(begins)s::BIGINT AS anon_1, %(lines_before)s::BIGINT AS anon_2, %(printed)s::VARCHAR AS anon_3, clock_timestamp() AS anon_4
FROM job_run
WHERE job_run.id = %(number)s::BIGINT AND job_run.state = %(state_1)s::VARCHAR AND job_run.holder = %(holder_1)s::VARCHAR AND (EXISTS (SELECT *
FROM run, lease
WHERE run.id = job_run.run_id AND lease.name = run.lease_name AND lease.token = job_run.token AND lease.holder = job_run.holder)) ON CONFLICT (job_run_id, start) DO UPDATE SET text = excluded.text, saved_at = excluded.saved_at;


-- daemon/store/statements/job_run.py: set_progress
UPDATE job_run SET done=%(done)s, total=%(total)s, message=%(message)s::VARCHAR, progress_at=clock_timestamp() WHERE job_run.id = %(id_1)s::BIGINT AND job_run.state = %(state_1)s::VARCHAR AND job_run.holder = %(holder_1)s::VARCHAR AND (EXISTS (SELECT *
FROM run, lease
WHERE run.id = job_run.run_id AND lease.name = run.lease_name AND lease.token = job_run.token AND lease.holder = job_run.holder));


-- daemon/store/statements/job_run.py: start_jobs
INSERT INTO job_run (run_id, job, position, attempt, state, token, holder, started_at, release) SELECT run.id, starts.job, starts.position, starts.attempt, 'running', run.token, run.holder, clock_timestamp() AS anon_1, (SELECT replica.release
FROM replica
WHERE replica.holder = run.holder) AS anon_2
FROM run, (SELECT CAST((starts_json.value ->> 0) AS BIGINT) AS number, CAST((starts_json.value ->> 1) AS BIGINT) AS token, (starts_json.value ->> 2) AS holder, (starts_json.value ->> 3) AS job, CAST((starts_json.value ->> 4) AS INTEGER) AS position, CAST((starts_json.value ->> 5) AS INTEGER) AS attempt
FROM json_array_elements(CAST(%(starts)s::VARCHAR AS json)) AS starts_json) AS starts, lease
WHERE run.id = starts.number AND run.state IS NOT DISTINCT FROM 'running' AND run.token IS NOT DISTINCT FROM starts.token AND run.holder IS NOT DISTINCT FROM starts.holder AND run.cancelled_at IS NULL AND lease.name = run.lease_name AND lease.token IS NOT DISTINCT FROM starts.token AND lease.holder IS NOT DISTINCT FROM starts.holder FOR KEY SHARE OF lease SKIP LOCKED ON CONFLICT DO NOTHING RETURNING job_run.run_id, job_run.id;


-- daemon/store/statements/keeping.py: _digests_at_work
SELECT DISTINCT run.digest
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.state = 'running' AND (run.digest = ANY (%(param_1)s::TEXT[]));

SELECT DISTINCT run.digest
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.state IN ('pending', 'running') AND run.state = 'pending' AND (run.digest = ANY (%(param_1)s::TEXT[]));


-- daemon/store/statements/keeping.py: _that_try_one_again_that_stays
SELECT run.id, run.retry_of
FROM run JOIN run AS any_run ON any_run.id = run.retry_of
WHERE (run.id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key))) ORDER BY run.id;


-- daemon/store/statements/keeping.py: _with_a_held_lease
DELETE FROM lease WHERE (lease.name = ANY (%(param_1)s::TEXT[]));

SELECT lease.name
FROM lease
WHERE (lease.name = ANY (%(param_1)s::TEXT[]));

SELECT lease.name
FROM lease
WHERE (lease.name = ANY (%(param_1)s::TEXT[])) AND (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) FOR UPDATE SKIP LOCKED;


-- daemon/store/statements/keeping.py: delete_acts
DELETE FROM act WHERE act.id IN (SELECT act.id
FROM act
WHERE act.acted_at < (SELECT (clock_timestamp() + make_interval(secs => %(param_1)s)) AS anon_1) ORDER BY act.acted_at
 LIMIT %(param_2)s::INTEGER FOR UPDATE SKIP LOCKED);


-- daemon/store/statements/keeping.py: delete_generations
DELETE FROM generation WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" AND generation.number IN (__[POSTCOMPILE_number_1]);

SELECT generation.number, generation.run_digests
FROM generation
WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" AND NOT generation.rules AND CAST(EXTRACT(epoch FROM clock_timestamp() - coalesce(generation.superseded_at, generation.came_at)) AS double precision) > %(param_1)s AND (generation.number NOT IN (SELECT generation.number
FROM generation
WHERE generation.application = %(application_1)s::VARCHAR COLLATE "C" ORDER BY generation.number DESC
 LIMIT %(param_2)s::INTEGER)) AND NOT (EXISTS (SELECT *
FROM replica
WHERE replica.digest = generation.digest)) ORDER BY generation.number
 LIMIT %(param_3)s::INTEGER FOR UPDATE SKIP LOCKED;


-- daemon/store/statements/keeping.py: delete_runs
DELETE FROM job_output WHERE (job_output.job_run_id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key)));

DELETE FROM job_run WHERE (job_run.id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key)));

DELETE FROM run WHERE (run.id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key)));

SELECT job_run.id, job_run.run_id
FROM job_run
WHERE (job_run.run_id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key)));

SELECT job_run.id, job_run.run_id
FROM job_run
WHERE (job_run.run_id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key))) FOR UPDATE SKIP LOCKED;

SELECT run.id
FROM run
WHERE (run.id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key))) AND (run.state NOT IN ('pending', 'running')) AND run.id < (SELECT max(any_run.id) AS max_1
FROM run AS any_run) FOR UPDATE SKIP LOCKED;


-- daemon/store/statements/keeping.py: first_runs
SELECT run.id, run.trigger = 'schedule' AS scheduled, CAST(EXTRACT(epoch FROM coalesce(run.last_scheduled_for, run.scheduled_for)) AS double precision) AS last, CAST(EXTRACT(epoch FROM clock_timestamp() - run.created_at) AS double precision) AS created_for, CAST(EXTRACT(epoch FROM clock_timestamp() - run.finished_at) AS double precision) AS ended_for, coalesce(run.last_scheduled_for IS NOT NULL AND run.scheduled_for = schedule.stretch_from, false) AS goes_on
FROM run JOIN schedule ON schedule.application = run.application AND schedule.name = run.schedule
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.schedule = %(schedule_1)s::VARCHAR COLLATE "C" AND run.id > %(id_1)s::BIGINT AND run.id < %(id_2)s::BIGINT ORDER BY run.id
 LIMIT %(param_1)s::INTEGER;

SELECT run.id, run.trigger = 'schedule' AS scheduled, CAST(EXTRACT(epoch FROM coalesce(run.last_scheduled_for, run.scheduled_for)) AS double precision) AS last, CAST(EXTRACT(epoch FROM clock_timestamp() - run.created_at) AS double precision) AS created_for, CAST(EXTRACT(epoch FROM clock_timestamp() - run.finished_at) AS double precision) AS ended_for, coalesce(run.last_scheduled_for IS NOT NULL AND run.scheduled_for = schedule.stretch_from, false) AS goes_on
FROM run JOIN schedule ON schedule.application = run.application AND schedule.name = run.schedule
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.schedule = %(schedule_1)s::VARCHAR COLLATE "C" AND run.id > %(id_1)s::BIGINT ORDER BY run.id
 LIMIT %(param_1)s::INTEGER;


-- daemon/store/statements/keeping.py: forget
DELETE FROM job_output WHERE job_output.job_run_id IN (SELECT job_run.id
FROM job_run
WHERE job_run.run_id = %(run_id_1)s::BIGINT);

UPDATE job_run SET error=%(error)s::VARCHAR, log_tail=%(log_tail)s::VARCHAR, tail_start=%(tail_start)s::BIGINT, tail_line=%(tail_line)s::BIGINT, message=%(message)s::VARCHAR WHERE job_run.run_id = %(run_id_1)s::BIGINT;

UPDATE run SET reason=CASE WHEN (run.reason IS NULL OR run.state = %(state_1)s::VARCHAR OR run.reason = %(reason_1)s::VARCHAR) THEN run.reason ELSE %(param_1)s::VARCHAR END, params=%(params)s::VARCHAR, requested_why=%(requested_why)s::VARCHAR, cancelled_why=%(cancelled_why)s::VARCHAR, forgotten_at=clock_timestamp(), forgotten_by=%(forgotten_by)s::VARCHAR, look=%(look)s::VARCHAR WHERE run.id = %(id_1)s::BIGINT;


-- daemon/store/statements/keeping.py: forget_acts
UPDATE act SET why=%(why)s::VARCHAR, effect=%(effect)s::VARCHAR WHERE act.application = %(application_1)s::VARCHAR COLLATE "C" AND act.schedule = %(schedule_1)s::VARCHAR COLLATE "C" AND act.run_id = %(run_id_1)s::BIGINT;


-- daemon/store/statements/keeping.py: keeping
SELECT schedule.name, schedule.definition
FROM schedule
WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" AND (schedule.definition LIKE '%%' || %(definition_1)s::VARCHAR || '%%' ESCAPE '/') ORDER BY schedule.name;


-- daemon/store/statements/keeping.py: mark_pruned
INSERT INTO pruned (application, schedule, until) VALUES (%(application)s::VARCHAR COLLATE "C", %(schedule)s::VARCHAR COLLATE "C", %(until)s::TIMESTAMP WITH TIME ZONE) ON CONFLICT DO NOTHING;

UPDATE pruned SET until=%(until)s::TIMESTAMP WITH TIME ZONE WHERE pruned.application = %(application_1)s::VARCHAR COLLATE "C" AND pruned.schedule = %(schedule_1)s::VARCHAR COLLATE "C" AND pruned.until < %(until_1)s::TIMESTAMP WITH TIME ZONE;


-- daemon/store/statements/keeping.py: oldest_kept
SELECT run.id
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.schedule = %(schedule_1)s::VARCHAR COLLATE "C" ORDER BY run.id DESC
 LIMIT %(param_1)s::INTEGER OFFSET %(param_2)s::INTEGER;


-- daemon/store/statements/keeping.py: pruned_until
SELECT CAST(EXTRACT(epoch FROM pruned.until) AS double precision) AS until
FROM pruned
WHERE pruned.application = %(application_1)s::VARCHAR COLLATE "C" AND pruned.schedule = %(schedule_1)s::VARCHAR COLLATE "C";


-- daemon/store/statements/keeping.py: was_granted
SELECT lease.name
FROM lease
WHERE lease.name = %(name_1)s::VARCHAR COLLATE "C" AND CAST(EXTRACT(epoch FROM clock_timestamp() - lease.granted_at) AS double precision) < %(param_1)s;


-- daemon/store/statements/replica.py: add
INSERT INTO replica (holder, application, host, pid, start_time, boot_id, pid_namespace, version, digest, revision, requires_revision, release, concurrency, state, started_at, seen_at) VALUES (%(holder)s::VARCHAR, %(application)s::VARCHAR COLLATE "C", %(host)s::VARCHAR, %(pid)s::BIGINT, %(start_time)s::BIGINT, %(boot_id)s::VARCHAR, %(pid_namespace)s::VARCHAR, %(version)s::VARCHAR, %(digest)s::VARCHAR, %(revision)s::BIGINT, %(requires_revision)s, %(release)s::VARCHAR, %(concurrency)s::BIGINT, %(state)s::VARCHAR, (clock_timestamp() + make_interval(secs => %(param_1)s)), clock_timestamp()) ON CONFLICT DO NOTHING;

INSERT INTO replica (holder, application, host, pid, start_time, boot_id, pid_namespace, version, digest, revision, requires_revision, release, concurrency, state, started_at, seen_at) VALUES (%(holder)s::VARCHAR, %(application)s::VARCHAR COLLATE "C", %(host)s::VARCHAR, %(pid)s::BIGINT, %(start_time)s::BIGINT, %(boot_id)s::VARCHAR, %(pid_namespace)s::VARCHAR, %(version)s::VARCHAR, %(digest)s::VARCHAR, %(revision)s::BIGINT, %(requires_revision)s, %(release)s::VARCHAR, %(concurrency)s::BIGINT, %(state)s::VARCHAR, clock_timestamp(), clock_timestamp()) ON CONFLICT DO NOTHING;


-- daemon/store/statements/replica.py: holders_among
SELECT replica.holder
FROM replica
WHERE (replica.holder = ANY (%(param_1)s::TEXT[]));


-- daemon/store/statements/replica.py: last_seen
SELECT CAST(EXTRACT(epoch FROM replica.seen_at) AS double precision) AS seen_at
FROM replica
WHERE replica.application = %(application_1)s::VARCHAR COLLATE "C" AND replica.seen_at <= %(seen_at_1)s::TIMESTAMP WITH TIME ZONE ORDER BY replica.seen_at DESC
 LIMIT %(param_1)s::INTEGER;


-- daemon/store/statements/replica.py: latest_of_boot
SELECT CAST(EXTRACT(epoch FROM replica.started_at) AS double precision) AS started_at, replica.start_time
FROM replica
WHERE replica.boot_id = %(boot_id_1)s::VARCHAR AND replica.start_time > %(start_time_1)s::BIGINT ORDER BY replica.start_time DESC
 LIMIT %(param_1)s::INTEGER;


-- daemon/store/statements/replica.py: live
SELECT replica.holder, replica.host, replica.pid, CAST(EXTRACT(epoch FROM clock_timestamp() - replica.seen_at) AS double precision) AS seen_ago
FROM replica
WHERE replica.application = %(application_1)s::VARCHAR COLLATE "C" AND replica.state IN (__[POSTCOMPILE_state_1]) ORDER BY replica.host, replica.pid;


-- daemon/store/statements/replica.py: living_of
SELECT replica.holder, replica.pid, replica.start_time
FROM replica
WHERE replica.state IN (__[POSTCOMPILE_state_1]) AND replica.boot_id = %(boot_id_1)s::VARCHAR AND replica.pid_namespace = %(pid_namespace_1)s::VARCHAR;


-- daemon/store/statements/replica.py: mark_all_dead
UPDATE replica SET state=%(state)s::VARCHAR, stopped_at=clock_timestamp() WHERE replica.state IN (__[POSTCOMPILE_state_1]);


-- daemon/store/statements/replica.py: mark_dead
UPDATE replica SET state=%(state)s::VARCHAR, stopped_at=clock_timestamp() WHERE (replica.holder = ANY (%(param_1)s::TEXT[])) AND replica.state IN (__[POSTCOMPILE_state_1]);


-- daemon/store/statements/replica.py: mark_ready
UPDATE replica SET ready_at=clock_timestamp() WHERE replica.holder = %(holder_1)s::VARCHAR;


-- daemon/store/statements/replica.py: mark_unseen_dead
UPDATE replica SET state=%(state)s::VARCHAR, stopped_at=clock_timestamp() WHERE replica.state IN (__[POSTCOMPILE_state_1]) AND CAST(EXTRACT(epoch FROM clock_timestamp() - replica.seen_at) AS double precision) > %(param_1)s RETURNING replica.holder;


-- daemon/store/statements/replica.py: prune
DELETE FROM replica WHERE (replica.state NOT IN (__[POSTCOMPILE_state_1])) AND CAST(EXTRACT(epoch FROM clock_timestamp() - replica.seen_at) AS double precision) > %(param_1)s;


-- daemon/store/statements/replica.py: seen_lately
SELECT replica.host, replica.pid
FROM replica
WHERE replica.state IN (__[POSTCOMPILE_state_1]) AND CAST(EXTRACT(epoch FROM clock_timestamp() - replica.seen_at) AS double precision) < %(param_1)s ORDER BY replica.host, replica.pid;


-- daemon/store/statements/replica.py: touch
UPDATE replica SET state=CASE WHEN (replica.state = %(state_1)s::VARCHAR) THEN replica.state ELSE %(param_1)s::VARCHAR END, seen_at=clock_timestamp(), stopped_at=CASE WHEN (replica.state = %(state_1)s::VARCHAR) THEN replica.stopped_at ELSE NULL END, blocked=%(blocked)s::VARCHAR WHERE replica.holder = %(holder_1)s::VARCHAR;

UPDATE replica SET state=CASE WHEN (replica.state = %(state_1)s::VARCHAR) THEN replica.state ELSE %(param_1)s::VARCHAR END, seen_at=clock_timestamp(), stopped_at=clock_timestamp(), blocked=%(blocked)s::VARCHAR WHERE replica.holder = %(holder_1)s::VARCHAR;


-- daemon/store/statements/requests.py: close
UPDATE backfill SET placed_at=clock_timestamp() WHERE (backfill.id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key))) AND backfill.placed_at IS NULL AND backfill.cancelled_at IS NULL AND NOT (EXISTS (SELECT *
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NOT NULL AND own.available_at IS NULL));


-- daemon/store/statements/requests.py: due
SELECT anon_1.id, anon_1.schedule
FROM (SELECT run.id AS id, run.schedule AS schedule, run.place_at AS place_at
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.state = 'pending' AND run.place_at IS NOT NULL AND run.available_at IS NULL AND (run.schedule = ANY (%(param_1)s::TEXT[])) ORDER BY run.place_at, run.id
 LIMIT %(param_2)s::INTEGER) AS anon_1
WHERE anon_1.place_at <= (SELECT clock_timestamp() AS anon_2) ORDER BY anon_1.place_at, anon_1.id;

SELECT anon_1.id, anon_1.schedule
FROM (SELECT run.id AS id, run.schedule AS schedule, run.place_at AS place_at
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.state = 'pending' AND run.place_at IS NOT NULL AND run.available_at IS NULL AND NOT (run.schedule = ANY (%(param_1)s::TEXT[])) ORDER BY run.place_at, run.id
 LIMIT %(param_2)s::INTEGER) AS anon_1
WHERE anon_1.place_at <= (SELECT clock_timestamp() AS anon_2) ORDER BY anon_1.place_at, anon_1.id;


-- daemon/store/statements/requests.py: next_runs
SELECT run.id
FROM run
WHERE run.backfill = %(backfill_1)s::BIGINT AND run.state = 'pending' AND run.place_at IS NOT NULL AND run.available_at IS NULL ORDER BY run.scheduled_for, run.id
 LIMIT %(param_1)s::INTEGER;


-- daemon/store/statements/requests.py: place
UPDATE run SET available_at=CASE WHEN (runs.waits = %(waits_1)s::INTEGER) THEN run.available_at ELSE clock_timestamp() END, place_at=NULL FROM (SELECT CAST((runs_json.value ->> 0) AS BIGINT) AS number, CAST((runs_json.value ->> 1) AS INTEGER) AS waits
FROM json_array_elements(CAST(%(runs)s::VARCHAR AS json)) AS runs_json) AS runs WHERE (run.id = ANY (ARRAY(SELECT runs.number
FROM (SELECT CAST((runs_json.value ->> 0) AS BIGINT) AS number, CAST((runs_json.value ->> 1) AS INTEGER) AS waits
FROM json_array_elements(CAST(%(runs)s::VARCHAR AS json)) AS runs_json) AS runs))) AND run.id = runs.number AND run.state IS NOT DISTINCT FROM 'pending' AND run.place_at IS NOT NULL RETURNING run.id;


-- daemon/store/statements/requests.py: to_feed
SELECT backfill.id, backfill.schedule, backfill.at_most - ((SELECT count(*) AS count_1
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'running') + (SELECT count(*) AS count_2
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NULL)) AS may_start
FROM backfill
WHERE backfill.application = %(application_1)s::VARCHAR COLLATE "C" AND backfill.placed_at IS NULL AND backfill.cancelled_at IS NULL AND backfill.paused_at IS NULL AND (NOT (EXISTS (SELECT *
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NOT NULL AND own.available_at IS NULL)) OR (SELECT count(*) AS count_1
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'running') + (SELECT count(*) AS count_2
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NULL) < backfill.at_most AND NOT (EXISTS (SELECT *
FROM run AS other
WHERE other.application = backfill.application AND other.schedule = backfill.schedule AND other.state IN ('pending', 'running') AND (other.place_at IS NULL OR other.available_at IS NOT NULL) AND other.backfill IS DISTINCT FROM backfill.id))) AND (backfill.schedule = ANY (%(param_1)s::TEXT[])) ORDER BY backfill.id
 LIMIT %(param_2)s::INTEGER;

SELECT backfill.id, backfill.schedule, backfill.at_most - ((SELECT count(*) AS count_1
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'running') + (SELECT count(*) AS count_2
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NULL)) AS may_start
FROM backfill
WHERE backfill.application = %(application_1)s::VARCHAR COLLATE "C" AND backfill.placed_at IS NULL AND backfill.cancelled_at IS NULL AND backfill.paused_at IS NULL AND (NOT (EXISTS (SELECT *
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NOT NULL AND own.available_at IS NULL)) OR (SELECT count(*) AS count_1
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'running') + (SELECT count(*) AS count_2
FROM run AS own
WHERE own.backfill = backfill.id AND own.state = 'pending' AND own.place_at IS NULL) < backfill.at_most AND NOT (EXISTS (SELECT *
FROM run AS other
WHERE other.application = backfill.application AND other.schedule = backfill.schedule AND other.state IN ('pending', 'running') AND (other.place_at IS NULL OR other.available_at IS NOT NULL) AND other.backfill IS DISTINCT FROM backfill.id))) AND NOT (backfill.schedule = ANY (%(param_1)s::TEXT[])) ORDER BY backfill.id
 LIMIT %(param_2)s::INTEGER;


-- daemon/store/statements/run.py: all_running
SELECT run.id, run.application, run.schedule, CAST(EXTRACT(epoch FROM run.scheduled_for) AS double precision) AS scheduled_for, CAST(EXTRACT(epoch FROM run.last_scheduled_for) AS double precision) AS last_scheduled_for, run.count, run.trigger, run.state, run.reason, run.lease_name, run.queue, CAST(EXTRACT(epoch FROM run.available_at) AS double precision) AS available_at, CAST(EXTRACT(epoch FROM run.start_by) AS double precision) AS start_by, run.token, run.holder, run.attempt, run.claimed_attempt, run.abandoned, run.params, run.requested_by, run.requested_why, run.digest, run.adopted_from, CAST(EXTRACT(epoch FROM run.cancelled_at) AS double precision) AS cancelled_at, run.cancelled_by, run.cancelled_why, run.overlapped, run.overlapped_by, CAST(EXTRACT(epoch FROM run.away_from) AS double precision) AS away_from, CAST(EXTRACT(epoch FROM run.place_at) AS double precision) AS place_at, CAST(EXTRACT(epoch FROM run.finish_by) AS double precision) AS finish_by, CAST(EXTRACT(epoch FROM run.late_at) AS double precision) AS late_at, run.told_long, run.retry_of, run.origin, run.backfill, CAST(EXTRACT(epoch FROM run.forgotten_at) AS double precision) AS forgotten_at, run.forgotten_by, CAST(EXTRACT(epoch FROM run.created_at) AS double precision) AS created_at, CAST(EXTRACT(epoch FROM run.started_at) AS double precision) AS started_at, CAST(EXTRACT(epoch FROM run.finished_at) AS double precision) AS finished_at, CAST(EXTRACT(epoch FROM run.look_asked_at) AS double precision) AS look_asked_at, run.look_asked_by, run.look, CAST(EXTRACT(epoch FROM run.looked_at) AS double precision) AS looked_at, run.traceparent
FROM run
WHERE run.state = 'running' ORDER BY run.id;


-- daemon/store/statements/run.py: answer_look
UPDATE run SET look_asked_at=NULL, look=%(look)s::VARCHAR, looked_at=clock_timestamp() WHERE run.id = %(id_1)s::BIGINT AND run.token = %(token_1)s::BIGINT AND run.holder = %(holder_1)s::VARCHAR AND run.state IS NOT DISTINCT FROM 'running';


-- daemon/store/statements/run.py: ask_for_look
UPDATE run SET look_asked_at=clock_timestamp(), look_asked_by=%(look_asked_by)s::VARCHAR WHERE run.id = %(id_1)s::BIGINT AND run.state IS NOT DISTINCT FROM 'running' RETURNING CAST(EXTRACT(epoch FROM run.look_asked_at) AS double precision) AS look_asked_at;


-- daemon/store/statements/run.py: at_work
SELECT run.id
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.state = %(state_1)s::VARCHAR ORDER BY run.id;


-- daemon/store/statements/run.py: end_marked
UPDATE run SET state=CASE WHEN (run.cancelled_at IS NOT NULL) THEN %(param_1)s::VARCHAR ELSE run.state END, reason=CASE WHEN (run.cancelled_at IS NOT NULL) THEN %(param_2)s::VARCHAR || coalesce(run.cancelled_by, %(coalesce_1)s::VARCHAR) || coalesce(%(param_3)s::VARCHAR || run.cancelled_why, %(coalesce_2)s::VARCHAR) || %(param_4)s::VARCHAR ELSE run.reason END, available_at=NULL, token=NULL, holder=NULL, place_at=NULL, finished_at=CASE WHEN (run.cancelled_at IS NOT NULL) THEN clock_timestamp() ELSE run.finished_at END WHERE (run.id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_5)s::VARCHAR AS json)) AS key))) AND run.state IS NOT DISTINCT FROM 'pending' AND run.cancelled_at IS NOT NULL;


-- daemon/store/statements/run.py: extend
UPDATE run SET last_scheduled_for=%(last_scheduled_for)s::TIMESTAMP WITH TIME ZONE, count=%(count)s::BIGINT, finished_at=clock_timestamp() WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.schedule = %(schedule_1)s::VARCHAR COLLATE "C" AND run.scheduled_for = %(scheduled_for_1)s::TIMESTAMP WITH TIME ZONE AND run.trigger = 'schedule' AND run.last_scheduled_for IS NOT NULL;


-- daemon/store/statements/run.py: find_marked
SELECT run.id, run.application, run.schedule
FROM run
WHERE run.state IN ('pending', 'running') AND run.state = 'pending' AND run.cancelled_at IS NOT NULL;

SELECT run.id, run.application, run.schedule
FROM run
WHERE run.state IN ('pending', 'running') AND run.state = 'pending' AND run.cancelled_at IS NOT NULL AND run.application = %(application_1)s::VARCHAR COLLATE "C";


-- daemon/store/statements/run.py: find_told
SELECT run.id, CAST(EXTRACT(epoch FROM run.cancelled_at) AS double precision) AS cancelled_at, coalesce(run.cancelled_by, %(coalesce_1)s::VARCHAR) AS cancelled_by, run.cancelled_why, CASE WHEN (run.look_asked_at IS NOT NULL AND CAST(EXTRACT(epoch FROM clock_timestamp() - run.look_asked_at) AS double precision) < %(param_1)s) THEN coalesce(run.look_asked_by, %(coalesce_2)s::VARCHAR) END AS look_asked_by
FROM run
WHERE (run.id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_2)s::VARCHAR AS json)) AS key))) AND run.finished_at IS NULL AND (run.cancelled_at IS NOT NULL OR run.look_asked_at IS NOT NULL AND CAST(EXTRACT(epoch FROM clock_timestamp() - run.look_asked_at) AS double precision) < %(param_3)s);


-- daemon/store/statements/run.py: find_unfinished
SELECT run.id, run.application, coalesce((SELECT schedule.called
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), run.schedule) AS schedule, CAST(EXTRACT(epoch FROM run.scheduled_for) AS double precision) AS scheduled_for, run.state, CAST(EXTRACT(epoch FROM run.cancelled_at) AS double precision) AS cancelled_at
FROM (SELECT (schedules_json.value ->> 0) AS application, (schedules_json.value ->> 1) AS name
FROM json_array_elements(CAST(%(schedules)s::VARCHAR AS json)) AS schedules_json) AS schedules JOIN run ON run.application = schedules.application AND run.schedule = schedules.name
WHERE run.state IN ('pending', 'running') ORDER BY run.state IS NOT DISTINCT FROM 'running', run.application, run.schedule, run.scheduled_for DESC, run.id DESC;


-- daemon/store/statements/run.py: late
SELECT DISTINCT run.schedule
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.state = 'pending' AND run.start_by IS NOT NULL AND run.start_by < (SELECT clock_timestamp() AS anon_1) AND run.started_at IS NULL;


-- daemon/store/statements/run.py: leave_word
UPDATE run SET reason=%(reason)s::VARCHAR, available_at=(clock_timestamp() + make_interval(secs => %(param_1)s)) WHERE run.id = %(id_1)s::BIGINT AND run.state = 'running' AND run.token = %(token_1)s::BIGINT AND run.holder = %(holder_1)s::VARCHAR;


-- daemon/store/statements/run.py: let_wait
UPDATE run SET available_at=NULL WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.schedule = %(schedule_1)s::VARCHAR COLLATE "C" AND run.state = 'pending' AND run.available_at IS NOT NULL AND run.digest IS NOT DISTINCT FROM %(digest_1)s::VARCHAR AND run.id != (SELECT ahead.id
FROM run AS ahead
WHERE ahead.application = %(application_2)s::VARCHAR COLLATE "C" AND ahead.schedule = %(schedule_2)s::VARCHAR COLLATE "C" AND ahead.state IN ('pending', 'running') AND ahead.available_at IS NOT NULL ORDER BY ahead.state = 'pending', ahead.scheduled_for, ahead.id
 LIMIT %(param_1)s::INTEGER);


-- daemon/store/statements/run.py: lock
SELECT run.id, run.application, run.schedule, CAST(EXTRACT(epoch FROM run.scheduled_for) AS double precision) AS scheduled_for, CAST(EXTRACT(epoch FROM run.last_scheduled_for) AS double precision) AS last_scheduled_for, run.count, run.trigger, run.state, run.reason, run.lease_name, run.queue, CAST(EXTRACT(epoch FROM run.available_at) AS double precision) AS available_at, CAST(EXTRACT(epoch FROM run.start_by) AS double precision) AS start_by, run.token, run.holder, run.attempt, run.claimed_attempt, run.abandoned, run.params, run.requested_by, run.requested_why, run.digest, run.adopted_from, CAST(EXTRACT(epoch FROM run.cancelled_at) AS double precision) AS cancelled_at, run.cancelled_by, run.cancelled_why, run.overlapped, run.overlapped_by, CAST(EXTRACT(epoch FROM run.away_from) AS double precision) AS away_from, CAST(EXTRACT(epoch FROM run.place_at) AS double precision) AS place_at, CAST(EXTRACT(epoch FROM run.finish_by) AS double precision) AS finish_by, CAST(EXTRACT(epoch FROM run.late_at) AS double precision) AS late_at, run.told_long, run.retry_of, run.origin, run.backfill, CAST(EXTRACT(epoch FROM run.forgotten_at) AS double precision) AS forgotten_at, run.forgotten_by, CAST(EXTRACT(epoch FROM run.created_at) AS double precision) AS created_at, CAST(EXTRACT(epoch FROM run.started_at) AS double precision) AS started_at, CAST(EXTRACT(epoch FROM run.finished_at) AS double precision) AS finished_at, CAST(EXTRACT(epoch FROM run.look_asked_at) AS double precision) AS look_asked_at, run.look_asked_by, run.look, CAST(EXTRACT(epoch FROM run.looked_at) AS double precision) AS looked_at, run.traceparent
FROM run
WHERE run.id = %(id_1)s::BIGINT FOR NO KEY UPDATE;


-- daemon/store/statements/run.py: lock_many
SELECT run.id, run.application, coalesce((SELECT schedule.called
FROM schedule
WHERE schedule.application = run.application AND schedule.name = run.schedule), run.schedule) AS schedule, CAST(EXTRACT(epoch FROM run.scheduled_for) AS double precision) AS scheduled_for, run.state, CAST(EXTRACT(epoch FROM run.cancelled_at) AS double precision) AS cancelled_at
FROM run
WHERE (run.id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key))) ORDER BY run.id FOR NO KEY UPDATE;


-- daemon/store/statements/run.py: mark_cancelled
UPDATE run SET cancelled_at=clock_timestamp(), cancelled_by=%(cancelled_by)s::VARCHAR, cancelled_why=%(cancelled_why)s::VARCHAR WHERE (run.id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key))) AND run.finished_at IS NULL AND run.cancelled_at IS NULL;


-- daemon/store/statements/run.py: mark_missed
UPDATE run SET state=%(state)s::VARCHAR, reason=%(reason)s::VARCHAR, available_at=NULL, finished_at=clock_timestamp() WHERE run.id IN (SELECT run.id
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND (run.schedule = ANY (%(param_1)s::TEXT[])) AND run.state = 'pending' AND run.start_by IS NOT NULL AND run.start_by < (SELECT clock_timestamp() AS anon_1) AND run.started_at IS NULL ORDER BY run.start_by
 LIMIT %(param_2)s::INTEGER) AND run.state = 'pending' AND run.start_by IS NOT NULL AND run.start_by < (SELECT clock_timestamp() AS anon_1) AND run.started_at IS NULL RETURNING run.schedule;


-- daemon/store/statements/run.py: name_leases
UPDATE run SET lease_name=%(lease_name)s::VARCHAR, queue=%(queue)s::VARCHAR WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.schedule = %(schedule_1)s::VARCHAR COLLATE "C" AND run.state = 'pending' AND run.digest IS NOT DISTINCT FROM %(digest_1)s::VARCHAR AND (run.lease_name != %(lease_name_1)s::VARCHAR OR run.queue IS DISTINCT FROM %(queue_1)s::VARCHAR);

UPDATE run SET lease_name=%(lease_name)s::VARCHAR, queue=%(queue)s::VARCHAR WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.schedule = %(schedule_1)s::VARCHAR COLLATE "C" AND run.state = 'pending' AND run.digest IS NOT DISTINCT FROM %(digest_1)s::VARCHAR AND (run.lease_name != %(lease_name_1)s::VARCHAR OR run.queue IS DISTINCT FROM NULL);

UPDATE run SET lease_name=(%(param_1)s::VARCHAR || CAST(CAST(run.id AS BIGINT) AS TEXT)), queue=%(queue)s::VARCHAR WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.schedule = %(schedule_1)s::VARCHAR COLLATE "C" AND run.state = 'pending' AND run.digest IS NOT DISTINCT FROM %(digest_1)s::VARCHAR AND (run.lease_name != (%(param_1)s::VARCHAR || CAST(CAST(run.id AS BIGINT) AS TEXT)) OR run.queue IS DISTINCT FROM NULL);


-- daemon/store/statements/run.py: name_own_leases
UPDATE run SET lease_name=(%(param_1)s::VARCHAR || CAST(CAST(run.id AS BIGINT) AS TEXT)) WHERE (run.id = ANY (ARRAY(SELECT CAST(key ->> 0 AS bigint) FROM json_array_elements(CAST(%(param_2)s::VARCHAR AS json)) AS key))) AND run.state IS NOT DISTINCT FROM 'pending';


-- daemon/store/statements/run.py: read
SELECT run.id, run.application, run.schedule, CAST(EXTRACT(epoch FROM run.scheduled_for) AS double precision) AS scheduled_for, CAST(EXTRACT(epoch FROM run.last_scheduled_for) AS double precision) AS last_scheduled_for, run.count, run.trigger, run.state, run.reason, run.lease_name, run.queue, CAST(EXTRACT(epoch FROM run.available_at) AS double precision) AS available_at, CAST(EXTRACT(epoch FROM run.start_by) AS double precision) AS start_by, run.token, run.holder, run.attempt, run.claimed_attempt, run.abandoned, run.params, run.requested_by, run.requested_why, run.digest, run.adopted_from, CAST(EXTRACT(epoch FROM run.cancelled_at) AS double precision) AS cancelled_at, run.cancelled_by, run.cancelled_why, run.overlapped, run.overlapped_by, CAST(EXTRACT(epoch FROM run.away_from) AS double precision) AS away_from, CAST(EXTRACT(epoch FROM run.place_at) AS double precision) AS place_at, CAST(EXTRACT(epoch FROM run.finish_by) AS double precision) AS finish_by, CAST(EXTRACT(epoch FROM run.late_at) AS double precision) AS late_at, run.told_long, run.retry_of, run.origin, run.backfill, CAST(EXTRACT(epoch FROM run.forgotten_at) AS double precision) AS forgotten_at, run.forgotten_by, CAST(EXTRACT(epoch FROM run.created_at) AS double precision) AS created_at, CAST(EXTRACT(epoch FROM run.started_at) AS double precision) AS started_at, CAST(EXTRACT(epoch FROM run.finished_at) AS double precision) AS finished_at, CAST(EXTRACT(epoch FROM run.look_asked_at) AS double precision) AS look_asked_at, run.look_asked_by, run.look, CAST(EXTRACT(epoch FROM run.looked_at) AS double precision) AS looked_at, run.traceparent
FROM run
WHERE run.id = %(id_1)s::BIGINT;


-- daemon/store/statements/run.py: read_long
SELECT run.id, run.application, coalesce(schedule.called, schedule.name) AS schedule, run.schedule AS key, CAST(EXTRACT(epoch FROM clock_timestamp() - run.started_at) AS double precision) AS running_for, run.told_long, CASE WHEN (schedule.definition LIKE '%%' || %(definition_1)s::VARCHAR || '%%') THEN schedule.definition END AS definition
FROM run JOIN schedule ON schedule.application = run.application AND schedule.name = run.schedule
WHERE run.id IN (__[POSTCOMPILE_id_1]) AND run.state = 'running' AND run.holder = %(holder_1)s::VARCHAR;


-- daemon/store/statements/run.py: read_look
SELECT run.state, run.token, run.holder, run.look, CAST(EXTRACT(epoch FROM run.looked_at) AS double precision) AS looked_at, run.look_asked_by, replica.host, replica.pid, replica.version
FROM run LEFT OUTER JOIN replica ON replica.holder = run.holder
WHERE run.id = %(id_1)s::BIGINT;


-- daemon/store/statements/run.py: take_late
UPDATE run SET late_at=clock_timestamp() WHERE run.id IN (SELECT run.id
FROM run
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.state IN ('pending', 'running') AND run.finish_by IS NOT NULL AND run.finish_by < (SELECT clock_timestamp() AS anon_1) AND run.late_at IS NULL AND run.cancelled_at IS NULL ORDER BY run.finish_by
 LIMIT %(param_1)s::INTEGER FOR NO KEY UPDATE SKIP LOCKED) RETURNING run.id, run.schedule, run.state, CAST(EXTRACT(epoch FROM run.finish_by) AS double precision) AS finish_by;


-- daemon/store/statements/schedule.py: add
INSERT INTO schedule (application, name, definition, digest, run_digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, changed_at, synced_at, created_at, called) VALUES (%(application)s::VARCHAR COLLATE "C", %(name)s::VARCHAR COLLATE "C", %(definition)s::VARCHAR, %(digest)s::VARCHAR, %(run_digest)s::VARCHAR, %(trigger)s::VARCHAR, %(enabled)s, %(next_due)s::TIMESTAMP WITH TIME ZONE, %(planned_until)s::TIMESTAMP WITH TIME ZONE, %(anchor)s::TIMESTAMP WITH TIME ZONE, %(stretch_reason)s::VARCHAR, %(stretch_count)s::BIGINT, %(stretch_from)s::TIMESTAMP WITH TIME ZONE, %(changed_at)s::TIMESTAMP WITH TIME ZONE, %(synced_at)s::TIMESTAMP WITH TIME ZONE, %(created_at)s::TIMESTAMP WITH TIME ZONE, %(called)s::VARCHAR);


-- daemon/store/statements/schedule.py: add_runs
INSERT INTO run (application, trigger, schedule, scheduled_for, last_scheduled_for, count, state, reason, lease_name, queue, available_at, start_by, finish_by, params, digest, created_at, finished_at, away_from, overlapped, overlapped_by) SELECT %(of_application)s::VARCHAR AS anon_1, 'schedule', runs.schedule, runs.scheduled_for, runs.last_scheduled_for, runs.count, runs.state, runs.reason, runs.lease_name, runs.queue, runs.available_at, runs.start_by, runs.finish_by, runs.params, runs.digest, runs.created_at, runs.finished_at, runs.away_from, runs.overlapped, runs.overlapped_by
FROM (SELECT (runs_json.value ->> 0) AS schedule, to_timestamp(CAST((runs_json.value ->> 1) AS double precision) / 1000000.0) AS scheduled_for, to_timestamp(CAST((runs_json.value ->> 2) AS double precision) / 1000000.0) AS last_scheduled_for, CAST((runs_json.value ->> 3) AS BIGINT) AS count, (runs_json.value ->> 4) AS state, (runs_json.value ->> 5) AS reason, (runs_json.value ->> 6) AS lease_name, (runs_json.value ->> 7) AS queue, to_timestamp(CAST((runs_json.value ->> 8) AS double precision) / 1000000.0) AS available_at, to_timestamp(CAST((runs_json.value ->> 9) AS double precision) / 1000000.0) AS start_by, to_timestamp(CAST((runs_json.value ->> 10) AS double precision) / 1000000.0) AS finish_by, (runs_json.value ->> 11) AS params, (runs_json.value ->> 12) AS digest, to_timestamp(CAST((runs_json.value ->> 13) AS double precision) / 1000000.0) AS created_at, to_timestamp(CAST((runs_json.value ->> 14) AS double precision) / 1000000.0) AS finished_at, to_timestamp(CAST((runs_json.value ->> 15) AS double precision) / 1000000.0) AS away_from, CAST((runs_json.value ->> 16) AS BIGINT) AS overlapped, (runs_json.value ->> 17) AS overlapped_by
FROM json_array_elements(CAST(%(runs)s::VARCHAR AS json)) AS runs_json) AS runs
WHERE true ON CONFLICT DO NOTHING RETURNING run.id;


-- daemon/store/statements/schedule.py: begin_pause
UPDATE schedule SET stretch_reason=NULL, stretch_count=NULL, stretch_from=NULL, paused_at=%(paused_at)s::TIMESTAMP WITH TIME ZONE, paused_by=%(paused_by)s::VARCHAR, paused_why=%(paused_why)s::VARCHAR, paused_until=%(paused_until)s::TIMESTAMP WITH TIME ZONE WHERE ((schedule.application, schedule.name) IN (SELECT CAST(key ->> 0 AS text), CAST(key ->> 1 AS text) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key));


-- daemon/store/statements/schedule.py: change
UPDATE schedule SET definition=%(definition)s::VARCHAR, digest=%(digest)s::VARCHAR, run_digest=%(run_digest)s::VARCHAR, trigger=%(trigger)s::VARCHAR, enabled=%(enabled)s, changed_at=%(changed_at)s::TIMESTAMP WITH TIME ZONE, synced_at=%(synced_at)s::TIMESTAMP WITH TIME ZONE WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" AND schedule.name = %(of_name)s::VARCHAR COLLATE "C";

UPDATE schedule SET definition=%(definition)s::VARCHAR, digest=%(digest)s::VARCHAR, run_digest=%(run_digest)s::VARCHAR, trigger=%(trigger)s::VARCHAR, enabled=%(enabled)s, next_due=%(next_due)s::TIMESTAMP WITH TIME ZONE, planned_until=%(planned_until)s::TIMESTAMP WITH TIME ZONE, anchor=%(anchor)s::TIMESTAMP WITH TIME ZONE, stretch_reason=%(stretch_reason)s::VARCHAR, stretch_count=%(stretch_count)s::BIGINT, stretch_from=%(stretch_from)s::TIMESTAMP WITH TIME ZONE, paused_at=%(paused_at)s::TIMESTAMP WITH TIME ZONE, paused_by=%(paused_by)s::VARCHAR, paused_why=%(paused_why)s::VARCHAR, paused_until=%(paused_until)s::TIMESTAMP WITH TIME ZONE, changed_at=%(changed_at)s::TIMESTAMP WITH TIME ZONE, synced_at=%(synced_at)s::TIMESTAMP WITH TIME ZONE WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" AND schedule.name = %(of_name)s::VARCHAR COLLATE "C";

UPDATE schedule SET definition=%(definition)s::VARCHAR, digest=%(digest)s::VARCHAR, run_digest=%(run_digest)s::VARCHAR, trigger=%(trigger)s::VARCHAR, enabled=%(enabled)s, next_due=%(next_due)s::TIMESTAMP WITH TIME ZONE, planned_until=%(planned_until)s::TIMESTAMP WITH TIME ZONE, anchor=%(anchor)s::TIMESTAMP WITH TIME ZONE, stretch_reason=%(stretch_reason)s::VARCHAR, stretch_count=%(stretch_count)s::BIGINT, stretch_from=%(stretch_from)s::TIMESTAMP WITH TIME ZONE, paused_at=%(paused_at)s::TIMESTAMP WITH TIME ZONE, paused_by=%(paused_by)s::VARCHAR, paused_why=%(paused_why)s::VARCHAR, paused_until=%(paused_until)s::TIMESTAMP WITH TIME ZONE, retired_at=%(retired_at)s::TIMESTAMP WITH TIME ZONE, retired_by=%(retired_by)s::VARCHAR, changed_at=%(changed_at)s::TIMESTAMP WITH TIME ZONE, synced_at=%(synced_at)s::TIMESTAMP WITH TIME ZONE WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" AND schedule.name = %(of_name)s::VARCHAR COLLATE "C";

UPDATE schedule SET stretch_count=%(stretch_count)s::BIGINT, stretch_from=%(stretch_from)s::TIMESTAMP WITH TIME ZONE WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" AND schedule.name = %(of_name)s::VARCHAR COLLATE "C";


-- daemon/store/statements/schedule.py: change_pause
UPDATE schedule SET paused_by=%(paused_by)s::VARCHAR, paused_until=%(paused_until)s::TIMESTAMP WITH TIME ZONE WHERE ((schedule.application, schedule.name) IN (SELECT CAST(key ->> 0 AS text), CAST(key ->> 1 AS text) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key));

UPDATE schedule SET paused_by=%(paused_by)s::VARCHAR, paused_why=%(paused_why)s::VARCHAR WHERE ((schedule.application, schedule.name) IN (SELECT CAST(key ->> 0 AS text), CAST(key ->> 1 AS text) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key));


-- daemon/store/statements/schedule.py: database_time
SELECT CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS anon_1;


-- daemon/store/statements/schedule.py: due
SELECT schedule.name, schedule.definition, schedule.digest, schedule.run_digest, CAST(EXTRACT(epoch FROM schedule.anchor) AS double precision) AS anchor, CAST(EXTRACT(epoch FROM schedule.planned_until) AS double precision) AS planned_until, CAST(EXTRACT(epoch FROM schedule.paused_at) AS double precision) AS paused_at, CAST(EXTRACT(epoch FROM schedule.paused_until) AS double precision) AS paused_until, schedule.stretch_reason, schedule.stretch_count, CAST(EXTRACT(epoch FROM schedule.stretch_from) AS double precision) AS stretch_from, CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS now
FROM schedule
WHERE schedule.application = %(of_application)s::VARCHAR AND schedule.next_due <= (SELECT clock_timestamp() AS anon_1) AND schedule.next_due <= statement_timestamp() + interval '0 s' AND NOT (schedule.name = ANY (%(names)s::TEXT[])) ORDER BY schedule.next_due, schedule.name
 LIMIT %(limit)s::INTEGER FOR NO KEY UPDATE SKIP LOCKED;

SELECT schedule.name, schedule.definition, schedule.digest, schedule.run_digest, CAST(EXTRACT(epoch FROM schedule.anchor) AS double precision) AS anchor, CAST(EXTRACT(epoch FROM schedule.planned_until) AS double precision) AS planned_until, CAST(EXTRACT(epoch FROM schedule.paused_at) AS double precision) AS paused_at, CAST(EXTRACT(epoch FROM schedule.paused_until) AS double precision) AS paused_until, schedule.stretch_reason, schedule.stretch_count, CAST(EXTRACT(epoch FROM schedule.stretch_from) AS double precision) AS stretch_from, CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS now
FROM schedule
WHERE schedule.application = %(of_application)s::VARCHAR AND schedule.next_due <= (SELECT clock_timestamp() AS anon_1) AND schedule.next_due <= statement_timestamp() + interval '1 minute' AND (schedule.name = ANY (%(names)s::TEXT[])) ORDER BY schedule.next_due DESC, schedule.name DESC
 LIMIT %(limit)s::INTEGER FOR NO KEY UPDATE SKIP LOCKED;

SELECT schedule.name, schedule.definition, schedule.digest, schedule.run_digest, CAST(EXTRACT(epoch FROM schedule.anchor) AS double precision) AS anchor, CAST(EXTRACT(epoch FROM schedule.planned_until) AS double precision) AS planned_until, CAST(EXTRACT(epoch FROM schedule.paused_at) AS double precision) AS paused_at, CAST(EXTRACT(epoch FROM schedule.paused_until) AS double precision) AS paused_until, schedule.stretch_reason, schedule.stretch_count, CAST(EXTRACT(epoch FROM schedule.stretch_from) AS double precision) AS stretch_from, CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS now
FROM schedule
WHERE schedule.application = %(of_application)s::VARCHAR AND schedule.next_due <= (SELECT clock_timestamp() AS anon_1) AND schedule.next_due <= statement_timestamp() + interval '1 minute' AND (schedule.name = ANY (%(names)s::TEXT[])) ORDER BY schedule.next_due, schedule.name
 LIMIT %(limit)s::INTEGER FOR NO KEY UPDATE SKIP LOCKED;

SELECT schedule.name, schedule.definition, schedule.digest, schedule.run_digest, CAST(EXTRACT(epoch FROM schedule.anchor) AS double precision) AS anchor, CAST(EXTRACT(epoch FROM schedule.planned_until) AS double precision) AS planned_until, CAST(EXTRACT(epoch FROM schedule.paused_at) AS double precision) AS paused_at, CAST(EXTRACT(epoch FROM schedule.paused_until) AS double precision) AS paused_until, schedule.stretch_reason, schedule.stretch_count, CAST(EXTRACT(epoch FROM schedule.stretch_from) AS double precision) AS stretch_from, CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS now
FROM schedule
WHERE schedule.application = %(of_application)s::VARCHAR AND schedule.next_due <= (SELECT clock_timestamp() AS anon_1) AND schedule.next_due <= statement_timestamp() + interval '1 minute' AND NOT (schedule.name = ANY (%(names)s::TEXT[])) ORDER BY schedule.next_due, schedule.name
 LIMIT %(limit)s::INTEGER FOR NO KEY UPDATE SKIP LOCKED;


-- daemon/store/statements/schedule.py: end_pause
UPDATE schedule SET paused_at=NULL, paused_by=NULL, paused_why=NULL, paused_until=NULL WHERE ((schedule.application, schedule.name) IN (SELECT CAST(key ->> 0 AS text), CAST(key ->> 1 AS text) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key));


-- daemon/store/statements/schedule.py: lock
SELECT schedule.application, schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule.trigger, schedule.enabled, CAST(EXTRACT(epoch FROM schedule.next_due) AS double precision) AS next_due, CAST(EXTRACT(epoch FROM schedule.planned_until) AS double precision) AS planned_until, CAST(EXTRACT(epoch FROM schedule.anchor) AS double precision) AS anchor, schedule.stretch_reason, schedule.stretch_count, CAST(EXTRACT(epoch FROM schedule.stretch_from) AS double precision) AS stretch_from, CAST(EXTRACT(epoch FROM schedule.paused_at) AS double precision) AS paused_at, schedule.paused_by, schedule.paused_why, CAST(EXTRACT(epoch FROM schedule.paused_until) AS double precision) AS paused_until, CAST(EXTRACT(epoch FROM schedule.retired_at) AS double precision) AS retired_at, schedule.retired_by, CAST(EXTRACT(epoch FROM schedule.changed_at) AS double precision) AS changed_at, CAST(EXTRACT(epoch FROM schedule.synced_at) AS double precision) AS synced_at, CAST(EXTRACT(epoch FROM schedule.created_at) AS double precision) AS created_at, schedule.abandoned, schedule.called, schedule.former
FROM schedule
WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" AND schedule.name = %(name_1)s::VARCHAR COLLATE "C" FOR NO KEY UPDATE;


-- daemon/store/statements/schedule.py: lock_all
SELECT schedule.application, schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule.trigger, schedule.enabled, CAST(EXTRACT(epoch FROM schedule.next_due) AS double precision) AS next_due, CAST(EXTRACT(epoch FROM schedule.planned_until) AS double precision) AS planned_until, CAST(EXTRACT(epoch FROM schedule.anchor) AS double precision) AS anchor, schedule.stretch_reason, schedule.stretch_count, CAST(EXTRACT(epoch FROM schedule.stretch_from) AS double precision) AS stretch_from, CAST(EXTRACT(epoch FROM schedule.paused_at) AS double precision) AS paused_at, schedule.paused_by, schedule.paused_why, CAST(EXTRACT(epoch FROM schedule.paused_until) AS double precision) AS paused_until, CAST(EXTRACT(epoch FROM schedule.retired_at) AS double precision) AS retired_at, schedule.retired_by, CAST(EXTRACT(epoch FROM schedule.changed_at) AS double precision) AS changed_at, CAST(EXTRACT(epoch FROM schedule.synced_at) AS double precision) AS synced_at, CAST(EXTRACT(epoch FROM schedule.created_at) AS double precision) AS created_at, schedule.abandoned, schedule.called, schedule.former
FROM schedule
WHERE ((schedule.application, schedule.name) IN (SELECT CAST(key ->> 0 AS text), CAST(key ->> 1 AS text) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key)) ORDER BY schedule.application, schedule.name FOR NO KEY UPDATE;


-- daemon/store/statements/schedule.py: lock_free
SELECT schedule.application, schedule.name
FROM schedule
WHERE ((schedule.application, schedule.name) IN (SELECT CAST(key ->> 0 AS text), CAST(key ->> 1 AS text) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key)) ORDER BY schedule.application, schedule.name FOR NO KEY UPDATE SKIP LOCKED;


-- daemon/store/statements/schedule.py: mark_older
UPDATE run SET cancelled_at=clock_timestamp(), cancelled_by='leased', cancelled_why=('replaced by run ' || CAST(newer.number AS TEXT)), overlapped=newer.number FROM (SELECT (newer_json.value ->> 0) AS application, (newer_json.value ->> 1) AS schedule, CAST((newer_json.value ->> 2) AS BIGINT) AS number
FROM json_array_elements(CAST(%(newer)s::VARCHAR AS json)) AS newer_json) AS newer WHERE run.application = newer.application AND run.schedule = newer.schedule AND run.state IN ('pending', 'running') AND run.id != newer.number AND run.cancelled_at IS NULL AND (run.place_at IS NULL OR run.available_at IS NOT NULL) AND run.backfill IS NULL RETURNING run.id, run.state;


-- daemon/store/statements/schedule.py: move_on
UPDATE schedule SET next_due=moved.next_due, planned_until=moved.planned_until, stretch_reason=moved.stretch_reason, stretch_count=moved.stretch_count, stretch_from=moved.stretch_from FROM (SELECT (moved_json.value ->> 0) AS application, (moved_json.value ->> 1) AS name, to_timestamp(CAST((moved_json.value ->> 2) AS double precision) / 1000000.0) AS next_due, to_timestamp(CAST((moved_json.value ->> 3) AS double precision) / 1000000.0) AS planned_until, (moved_json.value ->> 4) AS stretch_reason, CAST((moved_json.value ->> 5) AS BIGINT) AS stretch_count, to_timestamp(CAST((moved_json.value ->> 6) AS double precision) / 1000000.0) AS stretch_from
FROM json_array_elements(CAST(%(moved)s::VARCHAR AS json)) AS moved_json) AS moved WHERE schedule.application = moved.application AND schedule.name = moved.name RETURNING schedule.name;


-- daemon/store/statements/schedule.py: name_leases
UPDATE run SET lease_name=(named.base || %(base_1)s::VARCHAR || CAST(CAST(run.id AS BIGINT) AS TEXT)) FROM (SELECT (named_json.value ->> 0) AS application, (named_json.value ->> 1) AS schedule, (named_json.value ->> 2) AS base, (named_json.value ->> 3) AS digest
FROM json_array_elements(CAST(%(named)s::VARCHAR AS json)) AS named_json) AS named WHERE run.application = named.application AND run.schedule = named.schedule AND run.state IN ('pending', 'running') AND run.state = 'pending' AND run.digest IS NOT DISTINCT FROM named.digest AND run.lease_name != (named.base || %(base_1)s::VARCHAR || CAST(CAST(run.id AS BIGINT) AS TEXT)) RETURNING run.id;


-- daemon/store/statements/schedule.py: of_application
SELECT schedule.application, schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule.trigger, schedule.enabled, CAST(EXTRACT(epoch FROM schedule.next_due) AS double precision) AS next_due, CAST(EXTRACT(epoch FROM schedule.planned_until) AS double precision) AS planned_until, CAST(EXTRACT(epoch FROM schedule.anchor) AS double precision) AS anchor, schedule.stretch_reason, schedule.stretch_count, CAST(EXTRACT(epoch FROM schedule.stretch_from) AS double precision) AS stretch_from, CAST(EXTRACT(epoch FROM schedule.paused_at) AS double precision) AS paused_at, schedule.paused_by, schedule.paused_why, CAST(EXTRACT(epoch FROM schedule.paused_until) AS double precision) AS paused_until, CAST(EXTRACT(epoch FROM schedule.retired_at) AS double precision) AS retired_at, schedule.retired_by, CAST(EXTRACT(epoch FROM schedule.changed_at) AS double precision) AS changed_at, CAST(EXTRACT(epoch FROM schedule.synced_at) AS double precision) AS synced_at, CAST(EXTRACT(epoch FROM schedule.created_at) AS double precision) AS created_at, schedule.abandoned, schedule.called, schedule.former
FROM schedule
WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" AND (schedule.name = ANY (%(param_1)s::TEXT[])) ORDER BY schedule.name;

SELECT schedule.application, schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule.trigger, schedule.enabled, CAST(EXTRACT(epoch FROM schedule.next_due) AS double precision) AS next_due, CAST(EXTRACT(epoch FROM schedule.planned_until) AS double precision) AS planned_until, CAST(EXTRACT(epoch FROM schedule.anchor) AS double precision) AS anchor, schedule.stretch_reason, schedule.stretch_count, CAST(EXTRACT(epoch FROM schedule.stretch_from) AS double precision) AS stretch_from, CAST(EXTRACT(epoch FROM schedule.paused_at) AS double precision) AS paused_at, schedule.paused_by, schedule.paused_why, CAST(EXTRACT(epoch FROM schedule.paused_until) AS double precision) AS paused_until, CAST(EXTRACT(epoch FROM schedule.retired_at) AS double precision) AS retired_at, schedule.retired_by, CAST(EXTRACT(epoch FROM schedule.changed_at) AS double precision) AS changed_at, CAST(EXTRACT(epoch FROM schedule.synced_at) AS double precision) AS synced_at, CAST(EXTRACT(epoch FROM schedule.created_at) AS double precision) AS created_at, schedule.abandoned, schedule.called, schedule.former
FROM schedule
WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" AND (schedule.name = ANY (%(param_1)s::TEXT[])) ORDER BY schedule.name FOR NO KEY UPDATE;

SELECT schedule.application, schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule.trigger, schedule.enabled, CAST(EXTRACT(epoch FROM schedule.next_due) AS double precision) AS next_due, CAST(EXTRACT(epoch FROM schedule.planned_until) AS double precision) AS planned_until, CAST(EXTRACT(epoch FROM schedule.anchor) AS double precision) AS anchor, schedule.stretch_reason, schedule.stretch_count, CAST(EXTRACT(epoch FROM schedule.stretch_from) AS double precision) AS stretch_from, CAST(EXTRACT(epoch FROM schedule.paused_at) AS double precision) AS paused_at, schedule.paused_by, schedule.paused_why, CAST(EXTRACT(epoch FROM schedule.paused_until) AS double precision) AS paused_until, CAST(EXTRACT(epoch FROM schedule.retired_at) AS double precision) AS retired_at, schedule.retired_by, CAST(EXTRACT(epoch FROM schedule.changed_at) AS double precision) AS changed_at, CAST(EXTRACT(epoch FROM schedule.synced_at) AS double precision) AS synced_at, CAST(EXTRACT(epoch FROM schedule.created_at) AS double precision) AS created_at, schedule.abandoned, schedule.called, schedule.former
FROM schedule
WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" ORDER BY schedule.name;

SELECT schedule.application, schedule.name, schedule.definition, schedule.digest, schedule.run_digest, schedule.trigger, schedule.enabled, CAST(EXTRACT(epoch FROM schedule.next_due) AS double precision) AS next_due, CAST(EXTRACT(epoch FROM schedule.planned_until) AS double precision) AS planned_until, CAST(EXTRACT(epoch FROM schedule.anchor) AS double precision) AS anchor, schedule.stretch_reason, schedule.stretch_count, CAST(EXTRACT(epoch FROM schedule.stretch_from) AS double precision) AS stretch_from, CAST(EXTRACT(epoch FROM schedule.paused_at) AS double precision) AS paused_at, schedule.paused_by, schedule.paused_why, CAST(EXTRACT(epoch FROM schedule.paused_until) AS double precision) AS paused_until, CAST(EXTRACT(epoch FROM schedule.retired_at) AS double precision) AS retired_at, schedule.retired_by, CAST(EXTRACT(epoch FROM schedule.changed_at) AS double precision) AS changed_at, CAST(EXTRACT(epoch FROM schedule.synced_at) AS double precision) AS synced_at, CAST(EXTRACT(epoch FROM schedule.created_at) AS double precision) AS created_at, schedule.abandoned, schedule.called, schedule.former
FROM schedule
WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" ORDER BY schedule.name FOR NO KEY UPDATE;


-- daemon/store/statements/schedule.py: planned
SELECT run.id, run.schedule
FROM run, (SELECT (instants_json.value ->> 0) AS application, (instants_json.value ->> 1) AS schedule, to_timestamp(CAST((instants_json.value ->> 2) AS double precision) / 1000000.0) AS scheduled_for
FROM json_array_elements(CAST(%(instants)s::VARCHAR AS json)) AS instants_json) AS instants
WHERE run.application = instants.application AND run.schedule = instants.schedule AND run.scheduled_for = instants.scheduled_for AND run.trigger = 'schedule';


-- daemon/store/statements/schedule.py: prepare_leases
INSERT INTO lease (name) VALUES (%(name)s::VARCHAR COLLATE "C") ON CONFLICT DO NOTHING;


-- daemon/store/statements/schedule.py: retire
UPDATE schedule SET next_due=NULL, retired_at=%(retired_at)s::TIMESTAMP WITH TIME ZONE, retired_by=%(retired_by)s::VARCHAR, changed_at=%(changed_at)s::TIMESTAMP WITH TIME ZONE, synced_at=%(synced_at)s::TIMESTAMP WITH TIME ZONE WHERE schedule.application = %(application_1)s::VARCHAR COLLATE "C" AND (schedule.name = ANY (%(param_1)s::TEXT[]));


-- daemon/store/statements/schedule.py: skipped_in_pause
SELECT schedule.application, schedule.name, sum(run.count) AS sum_1
FROM schedule, run
WHERE ((schedule.application, schedule.name) IN (SELECT CAST(key ->> 0 AS text), CAST(key ->> 1 AS text) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key)) AND run.application = schedule.application AND run.schedule = schedule.name AND run.trigger = 'schedule' AND run.scheduled_for > schedule.paused_at AND run.reason = %(reason_1)s::VARCHAR GROUP BY schedule.application, schedule.name;


-- daemon/store/statements/schedule.py: start_replacing
UPDATE run SET available_at=firsts.available_at FROM (SELECT CAST((firsts_json.value ->> 0) AS BIGINT) AS number, to_timestamp(CAST((firsts_json.value ->> 1) AS double precision) / 1000000.0) AS available_at
FROM json_array_elements(CAST(%(firsts)s::VARCHAR AS json)) AS firsts_json) AS firsts WHERE run.id = firsts.number AND run.state IS NOT DISTINCT FROM 'pending' AND NOT (EXISTS (SELECT *
FROM run AS other
WHERE other.application = run.application AND other.schedule = run.schedule AND other.state IN ('pending', 'running') AND other.id != run.id AND (other.place_at IS NULL OR other.available_at IS NOT NULL))) RETURNING run.id;


-- daemon/store/statements/schedule.py: still_running
SELECT schedule.name, (SELECT run.id
FROM run
WHERE run.application = schedule.application AND run.schedule = schedule.name AND run.state IN ('pending', 'running') AND (run.place_at IS NULL OR run.available_at IS NOT NULL) AND run.backfill IS NULL ORDER BY run.scheduled_for, run.id
 LIMIT %(param_1)s::INTEGER) AS one, (SELECT run.id
FROM run
WHERE run.application = schedule.application AND run.schedule = schedule.name AND run.state IN ('pending', 'running') AND (run.place_at IS NULL OR run.available_at IS NOT NULL) AND run.backfill IS NOT NULL ORDER BY run.scheduled_for, run.id
 LIMIT %(param_1)s::INTEGER) AS of_backfill
FROM schedule
WHERE schedule.application = %(of_application)s::VARCHAR AND (schedule.name = ANY (%(names)s::TEXT[]));


-- daemon/store/statements/schedule.py: take_turn
SELECT CAST(pg_advisory_xact_lock(hashtextextended(%(param_1)s::VARCHAR, 7401936208)) AS text) AS anon_1
WHERE (SELECT set_config('idle_in_transaction_session_timeout', '10000', true)) IS NOT NULL;


-- daemon/store/statements/schedule.py: unfinished_of_each
SELECT names.name, run.id, CASE WHEN (run.state = 'running') THEN lease.label ELSE NULL END AS anon_1
FROM (SELECT (names_json.value ->> 0) AS name
FROM json_array_elements(CAST(%(names)s::VARCHAR AS json)) AS names_json) AS names JOIN run ON run.id = (SELECT each.id
FROM run AS each
WHERE each.application = %(of_application)s::VARCHAR AND each.schedule = names.name AND each.state IN ('pending', 'running') AND (each.place_at IS NULL OR each.available_at IS NOT NULL) AND each.backfill IS NULL ORDER BY CASE WHEN (each.state = 'running') THEN %(param_1)s::INTEGER ELSE %(param_2)s::INTEGER END, each.scheduled_for, each.id
 LIMIT %(param_3)s::INTEGER) LEFT OUTER JOIN lease ON lease.name = run.lease_name AND lease.token = run.token AND lease.holder = run.holder;


-- daemon/store/statements/stranded.py: abandon_runs
UPDATE run SET state=CASE WHEN (run.cancelled_at IS NOT NULL) THEN %(param_1)s::VARCHAR ELSE CASE WHEN (run.reason IS NOT NULL OR run.abandoned + %(abandoned_1)s::INTEGER >= %(param_2)s::INTEGER) THEN %(param_3)s::VARCHAR ELSE %(param_4)s::VARCHAR END END, reason=CASE WHEN (run.cancelled_at IS NOT NULL) THEN %(param_5)s::VARCHAR || coalesce(run.cancelled_by, %(coalesce_1)s::VARCHAR) || coalesce(%(param_6)s::VARCHAR || run.cancelled_why, %(coalesce_2)s::VARCHAR) || %(param_7)s::VARCHAR ELSE CASE WHEN (run.reason IS NOT NULL) THEN run.reason WHEN (run.reason IS NOT NULL OR run.abandoned + %(abandoned_1)s::INTEGER >= %(param_2)s::INTEGER) THEN %(param_8)s::VARCHAR WHEN (run.abandoned + %(abandoned_2)s::INTEGER >= %(param_9)s::INTEGER) THEN %(param_10)s::VARCHAR ELSE NULL END END, token=NULL, holder=NULL, abandoned=(run.abandoned + %(abandoned_3)s::INTEGER), finished_at=CASE WHEN (run.cancelled_at IS NOT NULL) THEN clock_timestamp() ELSE CASE WHEN (run.reason IS NOT NULL OR run.abandoned + %(abandoned_1)s::INTEGER >= %(param_2)s::INTEGER) THEN clock_timestamp() ELSE NULL END END WHERE ((run.id, run.token, run.holder) IN (SELECT CAST(key ->> 0 AS bigint), CAST(key ->> 1 AS bigint), CAST(key ->> 2 AS text) FROM json_array_elements(CAST(%(param_11)s::VARCHAR AS json)) AS key)) AND run.state = 'running' RETURNING run.id, run.state, run.application, run.schedule;

UPDATE schedule SET abandoned=(schedule.abandoned + %(abandoned_1)s::INTEGER) WHERE ((schedule.application, schedule.name) IN (SELECT CAST(key ->> 0 AS text), CAST(key ->> 1 AS text) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key));


-- daemon/store/statements/stranded.py: end_jobs
UPDATE job_run SET state=CASE WHEN (job_run.error IS NOT NULL) THEN %(param_1)s::VARCHAR ELSE %(param_2)s::VARCHAR END, finished_at=clock_timestamp(), renewed_at=(SELECT lease.renewed_at
FROM lease JOIN run ON run.lease_name = lease.name
WHERE run.id = job_run.run_id AND lease.token = job_run.token) WHERE job_run.id IN (SELECT job_run.id
FROM job_run
WHERE ((job_run.run_id, job_run.token, job_run.holder) IN (SELECT CAST(key ->> 0 AS bigint), CAST(key ->> 1 AS bigint), CAST(key ->> 2 AS text) FROM json_array_elements(CAST(%(param_3)s::VARCHAR AS json)) AS key)) AND job_run.state = %(state_1)s::VARCHAR ORDER BY job_run.id FOR NO KEY UPDATE);


-- daemon/store/statements/stranded.py: find
SELECT run.id, run.application, run.schedule, run.lease_name, run.token, run.holder, lease.holder IS NULL OR lease.holder != run.holder OR lease.token != run.token AS ended, coalesce(replica.state = %(state_1)s::VARCHAR, false) OR coalesce(CASE WHEN (lease.name IS NULL) THEN false WHEN (lease.holder IS NULL) THEN %(param_1)s WHEN (lease.holder IS NULL OR lease.holder != run.holder OR lease.token != run.token) THEN replica.seen_at > lease.granted_at ELSE CAST(EXTRACT(epoch FROM clock_timestamp() - replica.seen_at) AS double precision) < CAST(EXTRACT(epoch FROM clock_timestamp() - lease.expires_at) AS double precision) END, false) AS lived, EXISTS (SELECT *
FROM job_run
WHERE job_run.run_id = run.id AND job_run.token = run.token AND job_run.holder = run.holder AND job_run.state = %(state_2)s::VARCHAR) AS begun
FROM run LEFT OUTER JOIN lease ON lease.name = run.lease_name LEFT OUTER JOIN replica ON replica.holder = run.holder
WHERE run.state = 'running' AND ((lease.holder IS NULL OR lease.holder != run.holder OR lease.token != run.token) AND NOT coalesce(lease.holder = (%(holder_1)s::VARCHAR || run.holder) AND lease.token = run.token AND NOT (lease.expires_at <= clock_timestamp() OR false), false) OR lease.expires_at <= clock_timestamp() OR false);

SELECT run.id, run.application, run.schedule, run.lease_name, run.token, run.holder, lease.holder IS NULL OR lease.holder != run.holder OR lease.token != run.token AS ended, coalesce(replica.state = %(state_1)s::VARCHAR, false) OR coalesce(CASE WHEN (lease.name IS NULL) THEN false WHEN (lease.holder IS NULL) THEN %(param_1)s WHEN (lease.holder IS NULL OR lease.holder != run.holder OR lease.token != run.token) THEN replica.seen_at > lease.granted_at ELSE CAST(EXTRACT(epoch FROM clock_timestamp() - replica.seen_at) AS double precision) < CAST(EXTRACT(epoch FROM clock_timestamp() - lease.expires_at) AS double precision) END, false) AS lived, EXISTS (SELECT *
FROM job_run
WHERE job_run.run_id = run.id AND job_run.token = run.token AND job_run.holder = run.holder AND job_run.state = %(state_2)s::VARCHAR) AS begun
FROM run LEFT OUTER JOIN lease ON lease.name = run.lease_name LEFT OUTER JOIN replica ON replica.holder = run.holder
WHERE run.state = 'running' AND ((lease.holder IS NULL OR lease.holder != run.holder OR lease.token != run.token) AND NOT coalesce(lease.holder = (%(holder_1)s::VARCHAR || run.holder) AND lease.token = run.token AND NOT (lease.expires_at <= clock_timestamp() OR false), false) OR lease.expires_at <= clock_timestamp() OR false) AND run.application = %(application_1)s::VARCHAR COLLATE "C";


-- daemon/store/statements/stranded.py: skip_numbers
SELECT setval(pg_get_serial_sequence('public.run', 'id'), greatest(last_value, (SELECT max(id) FROM public.run)) + 1000 * CAST(1 + coalesce(extract(epoch FROM clock_timestamp() - greatest((SELECT max(created_at) FROM public.run), (SELECT max(seen_at) FROM public.replica))), 0) AS bigint)) FROM public.run_id_seq;


-- daemon/store/statements/stranded.py: stop_runs
UPDATE run SET state=CASE WHEN (run.cancelled_at IS NOT NULL) THEN %(param_1)s::VARCHAR ELSE CASE WHEN (run.reason IS NOT NULL) THEN %(param_2)s::VARCHAR ELSE %(param_3)s::VARCHAR END END, reason=CASE WHEN (run.cancelled_at IS NOT NULL) THEN %(param_4)s::VARCHAR || coalesce(run.cancelled_by, %(coalesce_1)s::VARCHAR) || coalesce(%(param_5)s::VARCHAR || run.cancelled_why, %(coalesce_2)s::VARCHAR) || %(param_6)s::VARCHAR ELSE run.reason END, token=NULL, holder=NULL, finished_at=CASE WHEN (run.cancelled_at IS NOT NULL) THEN clock_timestamp() ELSE CASE WHEN (run.reason IS NOT NULL) THEN clock_timestamp() ELSE NULL END END WHERE ((run.id, run.token, run.holder) IN (SELECT CAST(key ->> 0 AS bigint), CAST(key ->> 1 AS bigint), CAST(key ->> 2 AS text) FROM json_array_elements(CAST(%(param_7)s::VARCHAR AS json)) AS key)) AND run.state = 'running' RETURNING run.id, run.state;


-- daemon/store/statements/stranded.py: suspects
SELECT run.id, run.lease_name, run.token, run.holder, replica.pid, replica.start_time, job_run.keeper_pid, job_run.keeper_start
FROM run JOIN replica ON replica.holder = run.holder LEFT OUTER JOIN job_run ON job_run.run_id = run.id AND job_run.token = run.token AND job_run.holder = run.holder AND job_run.state = %(state_1)s::VARCHAR AND job_run.keeper_pid IS NOT NULL
WHERE run.application = %(application_1)s::VARCHAR COLLATE "C" AND run.state = 'running' AND replica.boot_id = %(boot_id_1)s::VARCHAR AND replica.pid_namespace = %(pid_namespace_1)s::VARCHAR ORDER BY run.id, job_run.id;


-- daemon/store/statements/stranded.py: under
SELECT run.id, run.application, run.schedule, run.lease_name, run.token, run.holder, lease.holder IS NULL OR lease.holder != run.holder OR lease.token != run.token AS ended, coalesce(replica.state = %(state_1)s::VARCHAR, false) AS lived, EXISTS (SELECT *
FROM job_run
WHERE job_run.run_id = run.id AND job_run.token = run.token AND job_run.holder = run.holder AND job_run.state = %(state_2)s::VARCHAR) AS begun
FROM run LEFT OUTER JOIN lease ON lease.name = run.lease_name LEFT OUTER JOIN replica ON replica.holder = run.holder
WHERE run.state = 'running' AND ((run.lease_name, run.token, run.holder) IN (SELECT CAST(key ->> 0 AS text), CAST(key ->> 1 AS bigint), CAST(key ->> 2 AS text) FROM json_array_elements(CAST(%(param_1)s::VARCHAR AS json)) AS key));


-- lease/statements/endings.py: _locked
SELECT lease.name, lease.token, lease.holder
FROM lease
WHERE (lease.name = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(names)s::VARCHAR AS json))))) AND (lease.name || %(name_1)s::VARCHAR COLLATE "C" || CAST(lease.token AS TEXT) || %(param_1)s::VARCHAR COLLATE "C" || lease.holder = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(keys)s::VARCHAR AS json))))) AND (SELECT set_config('lock_timeout', %(lock_wait)s::VARCHAR, true)) IS NOT NULL ORDER BY lease.name FOR KEY SHARE;

SELECT lease.name, lease.token, lease.holder
FROM lease
WHERE (lease.name = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(names)s::VARCHAR AS json))))) AND (lease.name || %(name_1)s::VARCHAR COLLATE "C" || CAST(lease.token AS TEXT) || %(param_1)s::VARCHAR COLLATE "C" || lease.holder = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(keys)s::VARCHAR AS json))))) AND (SELECT set_config('lock_timeout', %(lock_wait)s::VARCHAR, true)) IS NOT NULL ORDER BY lease.name FOR UPDATE;

SELECT lease.name, lease.token, lease.holder
FROM lease
WHERE (lease.name = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(names)s::VARCHAR AS json))))) AND (lease.name || %(name_1)s::VARCHAR COLLATE "C" || CAST(lease.token AS TEXT) || %(param_1)s::VARCHAR COLLATE "C" || lease.holder = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(keys)s::VARCHAR AS json))))) AND (lease.expires_at <= clock_timestamp() OR false) ORDER BY lease.name FOR UPDATE SKIP LOCKED;

SELECT lease.name, lease.token, lease.holder
FROM lease
WHERE (lease.name = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(names)s::VARCHAR AS json))))) AND (lease.name || %(name_1)s::VARCHAR COLLATE "C" || CAST(lease.token AS TEXT) || %(param_1)s::VARCHAR COLLATE "C" || lease.holder = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(keys)s::VARCHAR AS json))))) ORDER BY lease.name FOR UPDATE SKIP LOCKED;


-- lease/statements/endings.py: break_grant
SELECT lease.label, CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS anon_1
FROM lease
WHERE lease.name = %(name_1)s::VARCHAR COLLATE "C" AND lease.token = %(token_1)s::BIGINT AND lease.holder = %(holder_1)s::VARCHAR;

UPDATE lease SET holder=%(holder)s::VARCHAR, broken=%(broken)s::VARCHAR WHERE lease.name = %(name_1)s::VARCHAR COLLATE "C" AND lease.token = %(token_1)s::BIGINT AND lease.holder = %(holder_1)s::VARCHAR AND (SELECT set_config('lock_timeout', %(param_1)s::VARCHAR, true)) IS NOT NULL AND (SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) ELSE '' END) IS NOT NULL;


-- lease/statements/endings.py: end
UPDATE lease SET holder=NULL, label=NULL, boot=NULL, expires_at=NULL, released_at=clock_timestamp() WHERE (lease.name = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(names)s::VARCHAR AS json))))) RETURNING lease.name, lease.waiters, CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS anon_1;


-- lease/statements/endings.py: in_force
SELECT lease.name, lease.token, lease.holder
FROM lease
WHERE (lease.name = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(names)s::VARCHAR AS json))))) AND (lease.name || %(name_1)s::VARCHAR COLLATE "C" || CAST(lease.token AS TEXT) || %(param_1)s::VARCHAR COLLATE "C" || lease.holder = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(keys)s::VARCHAR AS json)))));


-- lease/statements/endings.py: release
UPDATE lease SET holder=NULL, label=NULL, boot=NULL, expires_at=NULL, released_at=clock_timestamp() WHERE lease.name = %(of_name)s::VARCHAR COLLATE "C" AND lease.token = %(of_token)s::BIGINT AND lease.holder = %(of_holder)s::VARCHAR AND (SELECT set_config('lock_timeout', %(lock_wait)s::VARCHAR, true)) IS NOT NULL RETURNING CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS moment, lease.waiters;


-- lease/statements/endings.py: release_all
WITH unlocked AS
(SELECT lease.name AS name
FROM lease
WHERE lease.holder = %(holder_1)s::VARCHAR AND NOT (lease.name = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(param_1)s::VARCHAR AS json))))) ORDER BY lease.name
 LIMIT %(param_2)s::INTEGER FOR UPDATE SKIP LOCKED)
 UPDATE lease SET holder=NULL, label=NULL, boot=NULL, expires_at=NULL, released_at=clock_timestamp() WHERE lease.holder = %(holder_1)s::VARCHAR AND lease.name IN (SELECT unlocked.name
FROM unlocked) RETURNING lease.name, lease.token, lease.waiters, CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS anon_1;


-- lease/statements/fences.py: prove
SELECT public.lease_fence($1, CAST($2 AS bigint), $3, make_interval(secs => $4));

SELECT public.lease_fence($1, CAST($2 AS bigint), $3, make_interval(secs => $4)) WHERE pg_catalog.concat((pg_catalog.pg_control_system()).system_identifier, '/', pg_catalog.split_part(pg_catalog.pg_relation_filepath(1259), '/', -2)) = CAST($5 AS text);

SELECT public.lease_fence(%(name)s, CAST(%(token)s AS bigint), %(holder)s, make_interval(secs => %(bound)s));

SELECT public.lease_fence(%(name)s, CAST(%(token)s AS bigint), %(holder)s, make_interval(secs => %(bound)s)) WHERE pg_catalog.concat((pg_catalog.pg_control_system()).system_identifier, '/', pg_catalog.split_part(pg_catalog.pg_relation_filepath(1259), '/', -2)) = CAST(%(identity)s AS text);


-- lease/statements/grants.py: _grant_free
WITH free AS
(SELECT lease.name AS name
FROM lease
WHERE (lease.name = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(names)s::VARCHAR AS json))))) AND (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) AND (lease.waiters IS NULL OR substr(lease.waiters, %(substr_1)s::INTEGER, length(%(first_is_holder)s::VARCHAR)) = %(first_is_holder)s::VARCHAR) ORDER BY lease.name FOR UPDATE SKIP LOCKED)
 UPDATE lease SET token=((SELECT max(slot.token) AS max_1
FROM lease AS slot
WHERE slot.name = %(slot_of)s::VARCHAR COLLATE "C" OR slot.name >= %(from)s::VARCHAR COLLATE "C" AND slot.name < %(before)s::VARCHAR COLLATE "C") + %(param_1)s::BIGINT), holder=%(for_holder)s::VARCHAR, label=%(for_label)s::VARCHAR, boot=NULL, expires_at=(clock_timestamp() + make_interval(secs => %(ttl)s)), granted_at=clock_timestamp(), renewed_at=clock_timestamp(), released_at=NULL, waiters=CAST(NULLIF(CAST(lease.waiters AS jsonb) - 0, '[]') AS text), uptime=NULL WHERE lease.name IN (SELECT free.name
FROM free) AND (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) AND (lease.waiters IS NULL OR substr(lease.waiters, %(substr_1)s::INTEGER, length(%(first_is_holder)s::VARCHAR)) = %(first_is_holder)s::VARCHAR) AND (SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) ELSE '' END) IS NOT NULL RETURNING lease.name, lease.token;

WITH free AS
(SELECT lease.name AS name
FROM lease
WHERE (lease.name = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(names)s::VARCHAR AS json))))) AND (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) AND (lease.waiters IS NULL OR substr(lease.waiters, %(substr_1)s::INTEGER, length(%(first_is_holder)s::VARCHAR)) = %(first_is_holder)s::VARCHAR) ORDER BY lease.name FOR UPDATE SKIP LOCKED)
 UPDATE lease SET token=(lease.token + %(token_1)s::BIGINT), holder=%(for_holder)s::VARCHAR, label=%(for_label)s::VARCHAR, boot=NULL, expires_at=(clock_timestamp() + make_interval(secs => %(ttl)s)), granted_at=clock_timestamp(), renewed_at=clock_timestamp(), released_at=NULL, waiters=CAST(NULLIF(CAST(lease.waiters AS jsonb) - 0, '[]') AS text), uptime=NULL WHERE lease.name IN (SELECT free.name
FROM free) AND (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) AND (lease.waiters IS NULL OR substr(lease.waiters, %(substr_1)s::INTEGER, length(%(first_is_holder)s::VARCHAR)) = %(first_is_holder)s::VARCHAR) AND (SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) ELSE '' END) IS NOT NULL RETURNING lease.name, lease.token;

WITH free AS
(SELECT lease.name AS name
FROM lease
WHERE lease.name = %(of_name)s::VARCHAR COLLATE "C" AND (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) AND (lease.waiters IS NULL OR substr(lease.waiters, %(substr_1)s::INTEGER, length(%(first_is_holder)s::VARCHAR)) = %(first_is_holder)s::VARCHAR) FOR UPDATE SKIP LOCKED)
 UPDATE lease SET token=(lease.token + %(token_1)s::BIGINT), holder=%(for_holder)s::VARCHAR, label=%(for_label)s::VARCHAR, boot=NULL, expires_at=(clock_timestamp() + make_interval(secs => %(ttl)s)), granted_at=clock_timestamp(), renewed_at=clock_timestamp(), released_at=NULL, waiters=CAST(NULLIF(CAST(lease.waiters AS jsonb) - 0, '[]') AS text), uptime=NULL WHERE lease.name = (SELECT free.name
FROM free) AND (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) AND (lease.waiters IS NULL OR substr(lease.waiters, %(substr_1)s::INTEGER, length(%(first_is_holder)s::VARCHAR)) = %(first_is_holder)s::VARCHAR) AND (SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) ELSE '' END) IS NOT NULL RETURNING lease.name, lease.token;


-- lease/statements/grants.py: _grant_in_turn
WITH free AS
(SELECT lease.name AS name
FROM lease
WHERE (lease.name = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(names)s::VARCHAR AS json))))) AND (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) ORDER BY lease.name FOR UPDATE SKIP LOCKED)
 UPDATE lease SET token=((SELECT max(slot.token) AS max_1
FROM lease AS slot
WHERE slot.name = %(slot_of)s::VARCHAR COLLATE "C" OR slot.name >= %(from)s::VARCHAR COLLATE "C" AND slot.name < %(before)s::VARCHAR COLLATE "C") + %(param_1)s::BIGINT), holder=%(for_holder)s::VARCHAR, label=%(for_label)s::VARCHAR, boot=NULL, expires_at=(clock_timestamp() + make_interval(secs => %(ttl)s)), granted_at=clock_timestamp(), renewed_at=clock_timestamp(), released_at=NULL, waiters=%(waiters_left)s::VARCHAR, uptime=NULL WHERE lease.name IN (SELECT free.name
FROM free) AND (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) AND (SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) ELSE '' END) IS NOT NULL RETURNING lease.name, lease.token;

WITH free AS
(SELECT lease.name AS name
FROM lease
WHERE (lease.name = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(names)s::VARCHAR AS json))))) AND (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) ORDER BY lease.name FOR UPDATE SKIP LOCKED)
 UPDATE lease SET token=(lease.token + %(token_1)s::BIGINT), holder=%(for_holder)s::VARCHAR, label=%(for_label)s::VARCHAR, boot=NULL, expires_at=(clock_timestamp() + make_interval(secs => %(ttl)s)), granted_at=clock_timestamp(), renewed_at=clock_timestamp(), released_at=NULL, waiters=%(waiters_left)s::VARCHAR, uptime=NULL WHERE lease.name IN (SELECT free.name
FROM free) AND (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) AND (SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) ELSE '' END) IS NOT NULL RETURNING lease.name, lease.token;


-- lease/statements/grants.py: _insert_missing
INSERT INTO lease (name) VALUES (%(name)s::VARCHAR COLLATE "C") ON CONFLICT DO NOTHING;


-- lease/statements/grants.py: _present
SELECT lease.name, lease.waiters IS NOT NULL AS anon_1
FROM lease
WHERE (lease.name = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(names)s::VARCHAR AS json)))));


-- lease/statements/grants.py: _unclaimed
SELECT name FROM unnest(CAST(%(names)s AS text[])) AS name WHERE pg_try_advisory_xact_lock(528304792, hashtext(name));


-- lease/statements/queues.py: leave_queues
UPDATE lease SET waiters=%(left)s::VARCHAR WHERE lease.name = %(of_name)s::VARCHAR COLLATE "C" AND lease.waiters IS NOT NULL;


-- lease/statements/queues.py: lock_queues
SELECT lease.name, lease.holder, lease.waiters, CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS moment, CASE WHEN (lease.holder IS NULL AND lease.released_at <= clock_timestamp()) THEN CAST(EXTRACT(epoch FROM clock_timestamp() - lease.released_at) AS double precision) WHEN (lease.holder IS NULL OR false) THEN NULL ELSE CAST(EXTRACT(epoch FROM clock_timestamp() - lease.expires_at) AS double precision) END AS free_for
FROM lease
WHERE (lease.name = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(names)s::VARCHAR AS json))))) AND (SELECT set_config('lock_timeout', %(lock_wait)s::VARCHAR, true)) IS NOT NULL ORDER BY lease.name FOR NO KEY UPDATE;

SELECT lease.name, lease.holder, lease.waiters, CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS moment, CASE WHEN (lease.holder IS NULL AND lease.released_at <= clock_timestamp()) THEN CAST(EXTRACT(epoch FROM clock_timestamp() - lease.released_at) AS double precision) WHEN (lease.holder IS NULL OR false) THEN NULL ELSE CAST(EXTRACT(epoch FROM clock_timestamp() - lease.expires_at) AS double precision) END AS free_for
FROM lease
WHERE (lease.name = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(names)s::VARCHAR AS json))))) ORDER BY lease.name FOR NO KEY UPDATE SKIP LOCKED;


-- lease/statements/queues.py: notify
SELECT pg_notify(%(pg_notify_2)s::VARCHAR, %(payload)s::VARCHAR) AS pg_notify_1
WHERE (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL;


-- lease/statements/queues.py: read_queues
SELECT lease.name, lease.holder, lease.waiters, CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS moment, CASE WHEN (lease.holder IS NULL AND lease.released_at <= clock_timestamp()) THEN CAST(EXTRACT(epoch FROM clock_timestamp() - lease.released_at) AS double precision) WHEN (lease.holder IS NULL OR false) THEN NULL ELSE CAST(EXTRACT(epoch FROM clock_timestamp() - lease.expires_at) AS double precision) END AS free_for
FROM lease
WHERE (lease.name = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(names)s::VARCHAR AS json))))) ORDER BY lease.name;


-- lease/statements/queues.py: write_queue
UPDATE lease SET waiters=%(waiters)s::VARCHAR WHERE lease.name = %(name_1)s::VARCHAR COLLATE "C";


-- lease/statements/records.py: list_prefix
SELECT lease.name, lease.token, lease.holder, lease.label, CAST(EXTRACT(epoch FROM lease.granted_at) AS double precision) AS granted_at, CAST(EXTRACT(epoch FROM lease.renewed_at) AS double precision) AS renewed_at, CASE WHEN (lease.holder IS NOT NULL) THEN CAST(EXTRACT(epoch FROM clock_timestamp() - lease.granted_at) AS double precision) END AS held_for, CASE WHEN (lease.holder IS NOT NULL) THEN CAST(EXTRACT(epoch FROM lease.expires_at - clock_timestamp()) AS double precision) END AS expires_in, NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) AS live, CASE WHEN (lease.holder IS NULL AND lease.released_at <= clock_timestamp()) THEN CAST(EXTRACT(epoch FROM clock_timestamp() - lease.released_at) AS double precision) WHEN (lease.holder IS NULL OR false) THEN NULL ELSE CAST(EXTRACT(epoch FROM clock_timestamp() - lease.expires_at) AS double precision) END AS free_for, lease.waiters, lease.broken, CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS moment
FROM lease
WHERE (lease.name LIKE %(name_1)s::VARCHAR COLLATE "C" || '%%' ESCAPE '/') AND substr(lease.name, %(substr_1)s::INTEGER, length(%(length_1)s::VARCHAR)) = %(substr_2)s::VARCHAR AND lease.holder IS NOT NULL ORDER BY lease.name;

SELECT lease.name, lease.token, lease.holder, lease.label, CAST(EXTRACT(epoch FROM lease.granted_at) AS double precision) AS granted_at, CAST(EXTRACT(epoch FROM lease.renewed_at) AS double precision) AS renewed_at, CASE WHEN (lease.holder IS NOT NULL) THEN CAST(EXTRACT(epoch FROM clock_timestamp() - lease.granted_at) AS double precision) END AS held_for, CASE WHEN (lease.holder IS NOT NULL) THEN CAST(EXTRACT(epoch FROM lease.expires_at - clock_timestamp()) AS double precision) END AS expires_in, NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) AS live, CASE WHEN (lease.holder IS NULL AND lease.released_at <= clock_timestamp()) THEN CAST(EXTRACT(epoch FROM clock_timestamp() - lease.released_at) AS double precision) WHEN (lease.holder IS NULL OR false) THEN NULL ELSE CAST(EXTRACT(epoch FROM clock_timestamp() - lease.expires_at) AS double precision) END AS free_for, lease.waiters, lease.broken, CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS moment
FROM lease
WHERE (lease.name LIKE %(name_1)s::VARCHAR COLLATE "C" || '%%' ESCAPE '/') AND substr(lease.name, %(substr_1)s::INTEGER, length(%(length_1)s::VARCHAR)) = %(substr_2)s::VARCHAR AND lease.holder IS NOT NULL ORDER BY lease.name
 LIMIT %(param_1)s::INTEGER;

SELECT lease.name, lease.token, lease.holder, lease.label, CAST(EXTRACT(epoch FROM lease.granted_at) AS double precision) AS granted_at, CAST(EXTRACT(epoch FROM lease.renewed_at) AS double precision) AS renewed_at, CASE WHEN (lease.holder IS NOT NULL) THEN CAST(EXTRACT(epoch FROM clock_timestamp() - lease.granted_at) AS double precision) END AS held_for, CASE WHEN (lease.holder IS NOT NULL) THEN CAST(EXTRACT(epoch FROM lease.expires_at - clock_timestamp()) AS double precision) END AS expires_in, NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) AS live, CASE WHEN (lease.holder IS NULL AND lease.released_at <= clock_timestamp()) THEN CAST(EXTRACT(epoch FROM clock_timestamp() - lease.released_at) AS double precision) WHEN (lease.holder IS NULL OR false) THEN NULL ELSE CAST(EXTRACT(epoch FROM clock_timestamp() - lease.expires_at) AS double precision) END AS free_for, lease.waiters, lease.broken, CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS moment
FROM lease
WHERE (lease.name LIKE %(name_1)s::VARCHAR COLLATE "C" || '%%' ESCAPE '/') AND substr(lease.name, %(substr_1)s::INTEGER, length(%(length_1)s::VARCHAR)) = %(substr_2)s::VARCHAR ORDER BY lease.name;


-- lease/statements/records.py: read
SELECT lease.name, lease.token, lease.holder, lease.label, CAST(EXTRACT(epoch FROM lease.granted_at) AS double precision) AS granted_at, CAST(EXTRACT(epoch FROM lease.renewed_at) AS double precision) AS renewed_at, CASE WHEN (lease.holder IS NOT NULL) THEN CAST(EXTRACT(epoch FROM clock_timestamp() - lease.granted_at) AS double precision) END AS held_for, CASE WHEN (lease.holder IS NOT NULL) THEN CAST(EXTRACT(epoch FROM lease.expires_at - clock_timestamp()) AS double precision) END AS expires_in, NOT (lease.holder IS NULL OR lease.expires_at <= clock_timestamp() OR false) AS live, CASE WHEN (lease.holder IS NULL AND lease.released_at <= clock_timestamp()) THEN CAST(EXTRACT(epoch FROM clock_timestamp() - lease.released_at) AS double precision) WHEN (lease.holder IS NULL OR false) THEN NULL ELSE CAST(EXTRACT(epoch FROM clock_timestamp() - lease.expires_at) AS double precision) END AS free_for, lease.waiters, lease.broken, CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS moment
FROM lease
WHERE (lease.name = ANY(ARRAY(SELECT json_array_elements_text(CAST(%(names)s::VARCHAR AS json)))));


-- lease/statements/renewals.py: renew
UPDATE lease SET expires_at=(clock_timestamp() + make_interval(secs => %(ttl)s)), renewed_at=clock_timestamp(), uptime=NULL WHERE lease.holder = %(of_holder)s::VARCHAR AND (SELECT set_config('lock_timeout', %(lock_wait)s::VARCHAR, true)) IS NOT NULL AND (SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) ELSE '' END) IS NOT NULL RETURNING lease.name, lease.token, CAST(EXTRACT(epoch FROM lease.renewed_at) AS double precision) AS anon_1;


-- lease/statements/renewals.py: renewing_unlocked
WITH unlocked AS
(SELECT lease.name AS name
FROM lease
WHERE lease.holder = %(of_holder)s::VARCHAR ORDER BY lease.name FOR NO KEY UPDATE SKIP LOCKED)
 UPDATE lease SET expires_at=(clock_timestamp() + make_interval(secs => %(ttl)s)), renewed_at=clock_timestamp(), uptime=NULL WHERE lease.holder = %(of_holder)s::VARCHAR AND lease.name IN (SELECT unlocked.name
FROM unlocked) AND (SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) ELSE '' END) IS NOT NULL RETURNING lease.name, lease.token, CAST(EXTRACT(epoch FROM lease.renewed_at) AS double precision) AS anon_1;


-- lease/statements/restoring.py: _let_new_names_begin_at
ALTER TABLE public.lease ALTER COLUMN token SET DEFAULT N;


-- lease/statements/restoring.py: _lock
LOCK TABLE public.lease IN ACCESS EXCLUSIVE MODE;

SELECT (SELECT set_config('lock_timeout', %(param_1)s::VARCHAR, true)) IS NOT NULL AS anon_1, (SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) ELSE '' END) IS NOT NULL AS anon_2;


-- lease/statements/restoring.py: held_now
SELECT lease.name, lease.label
FROM lease
WHERE lease.holder IS NOT NULL AND NOT (lease.expires_at <= clock_timestamp() OR false) ORDER BY lease.name;


-- lease/statements/restoring.py: lift
SELECT coalesce(max(lease.token), %(coalesce_2)s::INTEGER) AS coalesce_1, CAST(CAST(EXTRACT(epoch FROM clock_timestamp()) AS double precision) AS BIGINT) AS anon_1, count(*) AS count_1
FROM lease;

SELECT lease.name
FROM lease
WHERE lease.holder IS NOT NULL ORDER BY lease.name;

UPDATE lease SET token=%(token)s::BIGINT, holder=NULL, label=NULL, boot=NULL, expires_at=NULL, released_at=clock_timestamp(), waiters=NULL;

