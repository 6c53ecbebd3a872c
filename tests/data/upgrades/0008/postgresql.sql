SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE FUNCTION public.lease_fence(name text, token bigint, holder text, bound interval DEFAULT '00:00:30'::interval) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    bounded text[] := ARRAY['idle_in_transaction_session_timeout', 'statement_timeout'];
    setting text;
    present interval;
    locker xid;
    transaction xid := pg_current_xact_id()::xid;
    milliseconds bigint := least(greatest(ceil(extract(epoch FROM bound) * 1000), 1), 2147483647); -- what a setting takes
BEGIN
    IF current_setting('server_version_num')::int >= 170000 THEN
        bounded := bounded || 'transaction_timeout'::text;
    END IF;
    FOREACH setting IN ARRAY bounded LOOP
        present := current_setting(setting)::interval;
        IF present = interval '0' OR present > bound THEN
            PERFORM set_config(setting, '0', true); -- else a longer transaction_timeout, already running, runs on
            PERFORM set_config(setting, milliseconds::text, true);
        END IF;
    END LOOP;
    PERFORM 1 FROM public.lease AS held
      WHERE held.name = lease_fence.name AND held.token = lease_fence.token AND held.holder = lease_fence.holder
      FOR KEY SHARE;
    IF NOT FOUND THEN
        -- Rows are never deleted and tokens only grow: without such a row this is another database (or one that was set back).
        PERFORM 1 FROM public.lease AS known WHERE known.name = lease_fence.name AND known.token >= lease_fence.token;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'lease "%" is lost: token % was never granted in this database', lease_fence.name, lease_fence.token
                USING ERRCODE = 'LEASE', DETAIL = 'never granted';
        END IF;
        RAISE EXCEPTION 'lease "%" is lost: the grant with token % has ended', lease_fence.name, lease_fence.token
            USING ERRCODE = 'LEASE';
    END IF;
    -- Rolling back to a savepoint drops the locks that it took. The row's xmax says who has locked it: this transaction, or
    -- a savepoint of it (which has an id of its own), or several, as a multixact, of which this transaction is then one.
    SELECT held.xmax INTO locker FROM public.lease AS held WHERE held.name = lease_fence.name;
    IF locker <> transaction THEN
        BEGIN
            PERFORM 1 FROM pg_get_multixact_members(locker) AS member WHERE member.xid = transaction;
        EXCEPTION WHEN internal_error THEN
            PERFORM 1 WHERE false; -- there is no such multixact: the id is a savepoint's
        END;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'a fence must come before any savepoint: rolling back to one would drop it'
                USING ERRCODE = 'savepoint_exception', HINT = 'Call lease_fence first in the transaction.';
        END IF;
    END IF;
END
$$;
CREATE FUNCTION public.leased_digest() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.digest = (SELECT run_digest FROM public.schedule WHERE application = NEW.application AND name = NEW.schedule);
    RETURN NEW;
END
$$;
CREATE FUNCTION public.leased_refuse() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'object_not_in_prerequisite_state';
END
$$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.generation (
    application text NOT NULL COLLATE pg_catalog."C",
    number bigint NOT NULL,
    digest text NOT NULL,
    brought_by text NOT NULL,
    came_at timestamp with time zone NOT NULL,
    ruled_at timestamp with time zone,
    rules boolean NOT NULL,
    in_lieu boolean NOT NULL,
    changes text,
    run_digests text NOT NULL,
    revision bigint,
    superseded_at timestamp with time zone,
    CONSTRAINT generation_in_lieu CHECK ((rules OR (NOT in_lieu))),
    CONSTRAINT generation_rules CHECK (((NOT rules) OR (ruled_at IS NOT NULL)))
);
CREATE TABLE public.job_output (
    job_run_id bigint NOT NULL,
    start bigint NOT NULL,
    line bigint NOT NULL,
    text text NOT NULL
);
CREATE TABLE public.job_run (
    id bigint NOT NULL,
    run_id bigint NOT NULL,
    job text NOT NULL,
    "position" integer NOT NULL,
    attempt integer NOT NULL,
    state text NOT NULL,
    token bigint NOT NULL,
    holder text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    error text,
    log_tail text,
    done double precision,
    total double precision,
    message text,
    keeper_pid bigint,
    keeper_start bigint,
    exit_status bigint,
    exit_signal integer,
    tail_start bigint,
    tail_line bigint,
    peak_memory bigint,
    lost_by text,
    lost_why text,
    work_ended_at timestamp with time zone,
    CONSTRAINT job_run_keeper CHECK (((keeper_pid IS NULL) = (keeper_start IS NULL))),
    CONSTRAINT job_run_over CHECK (((finished_at IS NULL) = (state = 'running'::text))),
    CONSTRAINT job_run_state CHECK ((state = ANY (ARRAY['running'::text, 'succeeded'::text, 'failed'::text, 'abandoned'::text, 'stopped'::text, 'not started'::text])))
)
WITH (fillfactor='70');
ALTER TABLE public.job_run ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.job_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.lease (
    name text NOT NULL COLLATE pg_catalog."C",
    token bigint DEFAULT '0'::bigint NOT NULL,
    holder text,
    label text,
    boot text,
    expires_at timestamp with time zone,
    granted_at timestamp with time zone,
    renewed_at timestamp with time zone,
    awaited_until timestamp with time zone,
    released_at timestamp with time zone,
    waiters text,
    broken text,
    uptime double precision,
    CONSTRAINT lease_held_until CHECK (((holder IS NULL) = (expires_at IS NULL))),
    CONSTRAINT lease_token_counts_up CHECK ((token >= 0))
)
WITH (fillfactor='70');
COMMENT ON COLUMN public.lease.boot IS 'SQLite: the boot by whose clock expires_at counts';
COMMENT ON COLUMN public.lease.awaited_until IS 'until when a client of 0.1.0 waits to hear of the release';
COMMENT ON COLUMN public.lease.released_at IS 'when it came to be free, by the clock of expires_at';
COMMENT ON COLUMN public.lease.waiters IS 'JSON: the clients that wait, in their order (lease.waiters)';
COMMENT ON COLUMN public.lease.broken IS 'JSON: who broke it last, when and why';
COMMENT ON COLUMN public.lease.uptime IS 'SQLite: the clock of expires_at at the last renewal';
CREATE TABLE public.leased_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.replica (
    holder text NOT NULL,
    application text NOT NULL COLLATE pg_catalog."C",
    host text NOT NULL,
    pid bigint NOT NULL,
    start_time bigint NOT NULL,
    boot_id text,
    pid_namespace text,
    version text NOT NULL,
    state text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    stopped_at timestamp with time zone,
    digest text,
    ready_at timestamp with time zone,
    blocked text,
    CONSTRAINT replica_state CHECK ((state = ANY (ARRAY['running'::text, 'draining'::text, 'stopped'::text, 'dead'::text])))
)
WITH (fillfactor='70');
CREATE TABLE public.run (
    id bigint NOT NULL,
    application text NOT NULL COLLATE pg_catalog."C",
    schedule text NOT NULL COLLATE pg_catalog."C",
    scheduled_for timestamp with time zone NOT NULL,
    last_scheduled_for timestamp with time zone,
    count bigint DEFAULT '1'::bigint NOT NULL,
    trigger text NOT NULL,
    state text NOT NULL,
    reason text,
    lease_name text NOT NULL,
    available_at timestamp with time zone,
    start_by timestamp with time zone,
    token bigint,
    holder text,
    attempt integer DEFAULT 0 NOT NULL,
    abandoned integer DEFAULT 0 NOT NULL,
    params text DEFAULT '{}'::text NOT NULL,
    requested_by text,
    requested_why text,
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    digest text,
    adopted_from text,
    cancelled_at timestamp with time zone,
    cancelled_by text,
    cancelled_why text,
    claimed_attempt integer,
    overlapped bigint,
    overlapped_by text,
    away_from timestamp with time zone,
    CONSTRAINT run_count CHECK ((count >= 1)),
    CONSTRAINT run_grant CHECK (((token IS NULL) = (holder IS NULL))),
    CONSTRAINT run_over CHECK (((finished_at IS NULL) = (state = ANY (ARRAY['pending'::text, 'running'::text])))),
    CONSTRAINT run_reason CHECK (((state <> ALL (ARRAY['failed'::text, 'cancelled'::text, 'skipped'::text])) OR (reason IS NOT NULL))),
    CONSTRAINT run_running CHECK (((state <> 'running'::text) OR ((token IS NOT NULL) AND (started_at IS NOT NULL)))),
    CONSTRAINT run_state CHECK ((state = ANY (ARRAY['pending'::text, 'running'::text, 'succeeded'::text, 'failed'::text, 'cancelled'::text, 'skipped'::text]))),
    CONSTRAINT run_trigger CHECK ((trigger = ANY (ARRAY['schedule'::text, 'manual'::text])))
)
WITH (fillfactor='80');
ALTER TABLE public.run ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.schedule (
    application text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    definition text NOT NULL,
    digest text NOT NULL,
    trigger text NOT NULL,
    enabled boolean NOT NULL,
    next_due timestamp with time zone,
    planned_until timestamp with time zone NOT NULL,
    anchor timestamp with time zone NOT NULL,
    stretch_reason text,
    stretch_count bigint,
    stretch_from timestamp with time zone,
    paused_at timestamp with time zone,
    paused_by text,
    retired_at timestamp with time zone,
    changed_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    run_digest text,
    synced_at timestamp with time zone,
    abandoned integer DEFAULT 0 NOT NULL,
    CONSTRAINT schedule_retired_has_no_instants CHECK (((retired_at IS NULL) OR (next_due IS NULL))),
    CONSTRAINT schedule_stretch CHECK (((stretch_reason IS NULL) = (stretch_count IS NULL)))
)
WITH (fillfactor='80');
INSERT INTO public.generation (application, number, digest, brought_by, came_at, ruled_at, rules, in_lieu, changes, run_digests, revision, superseded_at) VALUES ('shop', 1, 'f53ca4cc0bc186b18d82428cebf8e0d05e94882762d315f428282a724777ee34', 'old-host', '2026-11-28 09:29:50.246585+00', '2026-11-28 09:29:50.326668+00', false, false, 'schedules: 14 added', '{"at-work": ["4962f62f426e0369df23c4d714d6c3cbd2db5e6edad5a812a1f8700562d810b9", "b33705c78f3dfedcf4178853c9bc31fde4717ee637bebff2fec5216fec845f73"], "stays-at-work": ["cc4b53663c3d6d98b6f0aa5b35cb882ed95d46f385789a97870b3f5a95802a23", "1951efc730c6709892e4ed21bb0d756e89ceb3b5556e5affaf2a7f6902fbfc02"], "to-be-retried": ["28ff2d789c747fab505a29f29191048083f15f002f81fb8972228e9065425a30", "49bb1b55b0b2f2f77d6fe67b9309c57227e8b3e6e111e1a19c3f633c5d9f10a4"], "retrying": ["dd9dab8d283ea268891feb70303024f9bb49cb9d2a655ccb74671a75e5da38d4", "26a7c0a98d79b1e036f52878cee1c69785fa60ed7a41bf99c17eb73796eff2eb"], "waiting": ["8172eb20346c0fbb4a44bb8f6922e7ba71ecfb07e8b2d0cca7d9c0e7d8584ba0", "85f7166103eecbed7f752a6bb658c14e508ad84b1c00aeacbfdb8937a031bc4c"], "queued": ["dcfb53fce3b01166ac5c1ebeb54dca3e1cc8a24b075da3773d302dc3f697fca1", "5e5636f5483ed2d2d130f74f49dc72c6d67a7cec20824948ce57bf365d91b825"], "each-alone": ["8322dcdc935d78840233e8f1c4a44ed16b5796398728419c4f9e3260e39a6e1d", "2d91e791f0165116692aebf261e1b031e0c74d55f3fb810b71982defff13d130"], "locked": ["011a56a591edc06cad812b1353a7cf8611b2365806d5c59122333ab1b2bc8c2b", "6e111165a925fd440e2eedb47eec6c44eefe6b0aed804029ec48fab71e5dfa4a"], "cancelled": ["2892c6685fff22652795707449a50a38da4afe0ea311ebd316a5032e3562122f", "b444730a21f0d98cb44079b8fa30d66a0334620e89a5557cf28bd52ab4d0adcc"], "being-cancelled": ["4286068ecafdcd4df4b935a7d388466749a6487342c578f833099fd305a3efbc", "af45b782a3a13b91c57353a50030ac68068da02966b258141b07ca55f727449a"], "cancel-goes-on": ["776028b0f14fe65f5d9f598656833ba3e2f4926a56ed969b950b5bc1be47589f", "ed0ba0cf5fccb5042356e44fa12aa639eb2baf3c75dd1bb46ae8d071c17569b6"], "missed": ["42fa39a1f242c061f5bc609bfb05ca074119b895cce11e36bd70e24bcb11926b", "86ae513d22504014266b05398c82d0bada074bb1586d85b245a824580ccb928f"], "redefined": ["fb299cce49f0c5733f6ff5867e13ce9273bbcc1b19c41b7b560d76fa63c6ffea", "9fde810bd1122b7c56845667210b8c50b624da57572da571f2018a85035bbf0b"], "retired": ["6733e4e2bc7c8bb0c3e699542d251efcb16357ebefec7e258e7274982067ada6", "0f099b4de3f9592ff5a643322ad4ed3ba94d60c9b4c4ab79aa73e2d6f4f9e6e7"]}', NULL, '2026-11-28 09:29:50.6316+00');
INSERT INTO public.generation (application, number, digest, brought_by, came_at, ruled_at, rules, in_lieu, changes, run_digests, revision, superseded_at) VALUES ('shop', 2, 'db92be338a90ea464f73a1f375d00cf6ae923a2d61f10b7e4cac4670724845ed', 'old-host', '2026-11-28 09:29:50.576558+00', '2026-11-28 09:29:50.632409+00', true, false, 'schedules: 2 added (once, done), 1 changed (redefined), 1 retired (retired), 12 unchanged', '{"at-work": ["4962f62f426e0369df23c4d714d6c3cbd2db5e6edad5a812a1f8700562d810b9", "b33705c78f3dfedcf4178853c9bc31fde4717ee637bebff2fec5216fec845f73"], "stays-at-work": ["cc4b53663c3d6d98b6f0aa5b35cb882ed95d46f385789a97870b3f5a95802a23", "1951efc730c6709892e4ed21bb0d756e89ceb3b5556e5affaf2a7f6902fbfc02"], "to-be-retried": ["28ff2d789c747fab505a29f29191048083f15f002f81fb8972228e9065425a30", "49bb1b55b0b2f2f77d6fe67b9309c57227e8b3e6e111e1a19c3f633c5d9f10a4"], "retrying": ["dd9dab8d283ea268891feb70303024f9bb49cb9d2a655ccb74671a75e5da38d4", "26a7c0a98d79b1e036f52878cee1c69785fa60ed7a41bf99c17eb73796eff2eb"], "waiting": ["8172eb20346c0fbb4a44bb8f6922e7ba71ecfb07e8b2d0cca7d9c0e7d8584ba0", "85f7166103eecbed7f752a6bb658c14e508ad84b1c00aeacbfdb8937a031bc4c"], "queued": ["dcfb53fce3b01166ac5c1ebeb54dca3e1cc8a24b075da3773d302dc3f697fca1", "5e5636f5483ed2d2d130f74f49dc72c6d67a7cec20824948ce57bf365d91b825"], "each-alone": ["8322dcdc935d78840233e8f1c4a44ed16b5796398728419c4f9e3260e39a6e1d", "2d91e791f0165116692aebf261e1b031e0c74d55f3fb810b71982defff13d130"], "locked": ["011a56a591edc06cad812b1353a7cf8611b2365806d5c59122333ab1b2bc8c2b", "6e111165a925fd440e2eedb47eec6c44eefe6b0aed804029ec48fab71e5dfa4a"], "cancelled": ["2892c6685fff22652795707449a50a38da4afe0ea311ebd316a5032e3562122f", "b444730a21f0d98cb44079b8fa30d66a0334620e89a5557cf28bd52ab4d0adcc"], "being-cancelled": ["4286068ecafdcd4df4b935a7d388466749a6487342c578f833099fd305a3efbc", "af45b782a3a13b91c57353a50030ac68068da02966b258141b07ca55f727449a"], "cancel-goes-on": ["776028b0f14fe65f5d9f598656833ba3e2f4926a56ed969b950b5bc1be47589f", "ed0ba0cf5fccb5042356e44fa12aa639eb2baf3c75dd1bb46ae8d071c17569b6"], "missed": ["42fa39a1f242c061f5bc609bfb05ca074119b895cce11e36bd70e24bcb11926b", "86ae513d22504014266b05398c82d0bada074bb1586d85b245a824580ccb928f"], "redefined": ["0a7284c7647823c171bbce622c5266049b43bed64bbee22983f0c06e140cd973", "03207ef813b5676677e35f96daa86a9642d8a96bc81e77b83b0b232fda2c2ebe"], "once": ["975bb0845aa66af7212e0149841c38265229d87019fdcec1fd3562d59375ffc0", "df09ca98550f1c85fe9c7be190809fe504138bb6a01c2108dc5d5816a999b16c"], "done": ["561dde291b80d436c646a2be1279cc11bfa2eaba869563ca9d284120adfc9bff", "f7ff90a01e484114a4035b679b9369e2e369561089b12a5c52e8b5b8dd58dc42"]}', NULL, NULL);
INSERT INTO public.job_run (id, run_id, job, "position", attempt, state, token, holder, started_at, finished_at, error, log_tail, done, total, message, keeper_pid, keeper_start, exit_status, exit_signal, tail_start, tail_line, peak_memory, lost_by, lost_why, work_ended_at) VALUES (1, 8, 'first', 0, 1, 'succeeded', 1, 'old-replica', '2026-11-28 09:29:51.646666+00', '2026-11-28 09:29:51.734838+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.job_run (id, run_id, job, "position", attempt, state, token, holder, started_at, finished_at, error, log_tail, done, total, message, keeper_pid, keeper_start, exit_status, exit_signal, tail_start, tail_line, peak_memory, lost_by, lost_why, work_ended_at) VALUES (2, 11, 'first', 0, 1, 'succeeded', 1, 'old-replica', '2026-11-28 09:29:51.759381+00', '2026-11-28 09:29:51.812667+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.job_run (id, run_id, job, "position", attempt, state, token, holder, started_at, finished_at, error, log_tail, done, total, message, keeper_pid, keeper_start, exit_status, exit_signal, tail_start, tail_line, peak_memory, lost_by, lost_why, work_ended_at) VALUES (3, 8, 'second', 1, 1, 'running', 1, 'old-replica', '2026-11-28 09:29:51.83563+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.job_run (id, run_id, job, "position", attempt, state, token, holder, started_at, finished_at, error, log_tail, done, total, message, keeper_pid, keeper_start, exit_status, exit_signal, tail_start, tail_line, peak_memory, lost_by, lost_why, work_ended_at) VALUES (4, 9, 'work', 0, 1, 'running', 1, 'old-replica', '2026-11-28 09:29:51.872386+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.job_run (id, run_id, job, "position", attempt, state, token, holder, started_at, finished_at, error, log_tail, done, total, message, keeper_pid, keeper_start, exit_status, exit_signal, tail_start, tail_line, peak_memory, lost_by, lost_why, work_ended_at) VALUES (5, 10, 'first', 0, 1, 'running', 1, 'old-replica', '2026-11-28 09:29:51.910832+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.job_run (id, run_id, job, "position", attempt, state, token, holder, started_at, finished_at, error, log_tail, done, total, message, keeper_pid, keeper_start, exit_status, exit_signal, tail_start, tail_line, peak_memory, lost_by, lost_why, work_ended_at) VALUES (7, 13, 'work', 0, 1, 'running', 1, 'old-replica', '2026-11-28 09:29:51.991825+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.job_run (id, run_id, job, "position", attempt, state, token, holder, started_at, finished_at, error, log_tail, done, total, message, keeper_pid, keeper_start, exit_status, exit_signal, tail_start, tail_line, peak_memory, lost_by, lost_why, work_ended_at) VALUES (9, 19, 'work', 0, 1, 'running', 1, 'old-replica', '2026-11-28 09:29:52.078855+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.job_run (id, run_id, job, "position", attempt, state, token, holder, started_at, finished_at, error, log_tail, done, total, message, keeper_pid, keeper_start, exit_status, exit_signal, tail_start, tail_line, peak_memory, lost_by, lost_why, work_ended_at) VALUES (10, 20, 'work', 0, 1, 'running', 1, 'old-replica', '2026-11-28 09:29:52.113532+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.job_run (id, run_id, job, "position", attempt, state, token, holder, started_at, finished_at, error, log_tail, done, total, message, keeper_pid, keeper_start, exit_status, exit_signal, tail_start, tail_line, peak_memory, lost_by, lost_why, work_ended_at) VALUES (6, 11, 'second', 1, 1, 'failed', 1, 'old-replica', '2026-11-28 09:29:51.946487+00', '2026-11-28 09:29:52.198304+00', 'exit status 1', 'half of it
', NULL, NULL, NULL, NULL, NULL, 1, NULL, 0, 0, NULL, NULL, NULL, NULL);
INSERT INTO public.job_run (id, run_id, job, "position", attempt, state, token, holder, started_at, finished_at, error, log_tail, done, total, message, keeper_pid, keeper_start, exit_status, exit_signal, tail_start, tail_line, peak_memory, lost_by, lost_why, work_ended_at) VALUES (8, 22, 'work', 0, 1, 'succeeded', 1, 'old-replica', '2026-11-28 09:29:52.044848+00', '2026-11-28 09:29:52.265963+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.lease (name, token, holder, label, boot, expires_at, granted_at, renewed_at, awaited_until, released_at, waiters, broken, uptime) VALUES ('api', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.lease (name, token, holder, label, boot, expires_at, granted_at, renewed_at, awaited_until, released_at, waiters, broken, uptime) VALUES ('run/shop/cancelled', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.lease (name, token, holder, label, boot, expires_at, granted_at, renewed_at, awaited_until, released_at, waiters, broken, uptime) VALUES ('run/shop/missed', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.lease (name, token, holder, label, boot, expires_at, granted_at, renewed_at, awaited_until, released_at, waiters, broken, uptime) VALUES ('run/shop/redefined', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.lease (name, token, holder, label, boot, expires_at, granted_at, renewed_at, awaited_until, released_at, waiters, broken, uptime) VALUES ('run/shop/retired', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.lease (name, token, holder, label, boot, expires_at, granted_at, renewed_at, awaited_until, released_at, waiters, broken, uptime) VALUES ('run/shop/waiting', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.lease (name, token, holder, label, boot, expires_at, granted_at, renewed_at, awaited_until, released_at, waiters, broken, uptime) VALUES ('run/shop/once', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.lease (name, token, holder, label, boot, expires_at, granted_at, renewed_at, awaited_until, released_at, waiters, broken, uptime) VALUES ('run/shop/at-work', 1, 'old-replica', 'old-host:4711', NULL, '2026-11-28 09:30:06.600325+00', '2026-11-28 09:29:51.600326+00', '2026-11-28 09:29:51.600326+00', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.lease (name, token, holder, label, boot, expires_at, granted_at, renewed_at, awaited_until, released_at, waiters, broken, uptime) VALUES ('run/shop/being-cancelled', 1, 'old-replica', 'old-host:4711', NULL, '2026-11-28 09:30:06.600373+00', '2026-11-28 09:29:51.600373+00', '2026-11-28 09:29:51.600373+00', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.lease (name, token, holder, label, boot, expires_at, granted_at, renewed_at, awaited_until, released_at, waiters, broken, uptime) VALUES ('run/shop/cancel-goes-on', 1, 'old-replica', 'old-host:4711', NULL, '2026-11-28 09:30:06.600379+00', '2026-11-28 09:29:51.600379+00', '2026-11-28 09:29:51.600379+00', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.lease (name, token, holder, label, boot, expires_at, granted_at, renewed_at, awaited_until, released_at, waiters, broken, uptime) VALUES ('run/shop/queued', 1, 'old-replica', 'old-host:4711', NULL, '2026-11-28 09:30:06.600386+00', '2026-11-28 09:29:51.600386+00', '2026-11-28 09:29:51.600386+00', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.lease (name, token, holder, label, boot, expires_at, granted_at, renewed_at, awaited_until, released_at, waiters, broken, uptime) VALUES ('run/shop/stays-at-work', 1, 'old-replica', 'old-host:4711', NULL, '2026-11-28 09:30:06.600401+00', '2026-11-28 09:29:51.600401+00', '2026-11-28 09:29:51.600401+00', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.lease (name, token, holder, label, boot, expires_at, granted_at, renewed_at, awaited_until, released_at, waiters, broken, uptime) VALUES ('run/shop/to-be-retried', 1, 'old-replica', 'old-host:4711', NULL, '2026-11-28 09:30:06.600405+00', '2026-11-28 09:29:51.600405+00', '2026-11-28 09:29:51.600405+00', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.lease (name, token, holder, label, boot, expires_at, granted_at, renewed_at, awaited_until, released_at, waiters, broken, uptime) VALUES ('run/shop/retrying', 1, NULL, NULL, NULL, NULL, '2026-11-28 09:29:51.600397+00', '2026-11-28 09:29:51.600397+00', NULL, '2026-11-28 09:29:52.170968+00', NULL, NULL, NULL);
INSERT INTO public.lease (name, token, holder, label, boot, expires_at, granted_at, renewed_at, awaited_until, released_at, waiters, broken, uptime) VALUES ('run/shop/done', 1, NULL, NULL, NULL, NULL, '2026-11-28 09:29:51.60041+00', '2026-11-28 09:29:51.60041+00', NULL, '2026-11-28 09:29:52.258107+00', NULL, NULL, NULL);
INSERT INTO public.leased_version (version_num) VALUES ('0008');
INSERT INTO public.replica (holder, application, host, pid, start_time, boot_id, pid_namespace, version, state, started_at, seen_at, stopped_at, digest, ready_at, blocked) VALUES ('older-replica', 'shop', 'old-host', 4710, 1, NULL, NULL, '0.2.0', 'stopped', '2026-11-28 09:29:50.138176+00', '2026-11-28 09:29:50.516234+00', '2026-11-28 09:29:50.516235+00', 'f53ca4cc0bc186b18d82428cebf8e0d05e94882762d315f428282a724777ee34', NULL, NULL);
INSERT INTO public.replica (holder, application, host, pid, start_time, boot_id, pid_namespace, version, state, started_at, seen_at, stopped_at, digest, ready_at, blocked) VALUES ('old-replica', 'shop', 'old-host', 4711, 1, NULL, NULL, '0.2.0', 'running', '2026-11-28 09:29:50.529935+00', '2026-11-28 09:29:50.529935+00', NULL, 'db92be338a90ea464f73a1f375d00cf6ae923a2d61f10b7e4cac4670724845ed', '2026-11-28 09:29:50.660882+00', NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (1, 'shop', 'redefined', '2026-11-28 09:29:50.401429+00', NULL, 1, 'manual', 'pending', NULL, 'run/shop/redefined', '2026-11-28 09:29:50.401429+00', NULL, NULL, NULL, 0, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:50.401429+00', NULL, NULL, 'fb299cce49f0c5733f6ff5867e13ce9273bbcc1b19c41b7b560d76fa63c6ffea', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (2, 'shop', 'retired', '2026-11-28 09:29:50.471993+00', NULL, 1, 'manual', 'pending', NULL, 'run/shop/retired', '2026-11-28 09:29:50.471993+00', NULL, NULL, NULL, 0, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:50.471993+00', NULL, NULL, '6733e4e2bc7c8bb0c3e699542d251efcb16357ebefec7e258e7274982067ada6', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (3, 'shop', 'missed', '2026-11-28 00:59:50+00', '2026-11-28 05:59:50+00', 6, 'schedule', 'skipped', 'missed', 'run/shop/missed', NULL, NULL, NULL, NULL, 0, 0, '{}', NULL, NULL, '2026-11-28 09:29:50.722383+00', NULL, '2026-11-28 09:29:50.722383+00', '42fa39a1f242c061f5bc609bfb05ca074119b895cce11e36bd70e24bcb11926b', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-27 23:59:50.27819+00');
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (4, 'shop', 'missed', '2026-11-28 06:59:50+00', NULL, 1, 'schedule', 'skipped', 'missed', 'run/shop/missed', NULL, NULL, NULL, NULL, 0, 0, '{}', NULL, NULL, '2026-11-28 09:29:50.722383+00', NULL, '2026-11-28 09:29:50.722383+00', '42fa39a1f242c061f5bc609bfb05ca074119b895cce11e36bd70e24bcb11926b', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-27 23:59:50.27819+00');
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (5, 'shop', 'missed', '2026-11-28 07:59:50+00', NULL, 1, 'schedule', 'skipped', 'missed', 'run/shop/missed', NULL, NULL, NULL, NULL, 0, 0, '{}', NULL, NULL, '2026-11-28 09:29:50.722383+00', NULL, '2026-11-28 09:29:50.722383+00', '42fa39a1f242c061f5bc609bfb05ca074119b895cce11e36bd70e24bcb11926b', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-27 23:59:50.27819+00');
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (6, 'shop', 'missed', '2026-11-28 08:59:50+00', NULL, 1, 'schedule', 'skipped', 'missed', 'run/shop/missed', NULL, NULL, NULL, NULL, 0, 0, '{}', NULL, NULL, '2026-11-28 09:29:50.722383+00', NULL, '2026-11-28 09:29:50.722383+00', '42fa39a1f242c061f5bc609bfb05ca074119b895cce11e36bd70e24bcb11926b', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-27 23:59:50.27819+00');
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (7, 'shop', 'once', '2026-01-01 00:00:00+00', NULL, 1, 'schedule', 'pending', NULL, 'run/shop/once', '2026-01-01 00:00:00+00', NULL, NULL, NULL, 0, 0, '{}', NULL, NULL, '2026-11-28 09:29:50.722342+00', NULL, NULL, '975bb0845aa66af7212e0149841c38265229d87019fdcec1fd3562d59375ffc0', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (12, 'shop', 'waiting', '2026-11-28 09:29:50.955225+00', NULL, 1, 'manual', 'pending', NULL, 'run/shop/waiting', '2026-11-28 09:29:50.955225+00', NULL, NULL, NULL, 0, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:50.955225+00', NULL, NULL, '8172eb20346c0fbb4a44bb8f6922e7ba71ecfb07e8b2d0cca7d9c0e7d8584ba0', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (14, 'shop', 'queued', '2026-11-28 09:29:51.048917+00', NULL, 1, 'manual', 'pending', NULL, 'run/shop/queued', NULL, NULL, NULL, NULL, 0, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:51.048917+00', NULL, NULL, 'dcfb53fce3b01166ac5c1ebeb54dca3e1cc8a24b075da3773d302dc3f697fca1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (15, 'shop', 'each-alone', '2026-11-28 09:29:51.082481+00', NULL, 1, 'manual', 'pending', NULL, 'run/shop/each-alone/15', '2026-11-28 09:29:51.082481+00', NULL, NULL, NULL, 0, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:51.082481+00', NULL, NULL, '8322dcdc935d78840233e8f1c4a44ed16b5796398728419c4f9e3260e39a6e1d', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (16, 'shop', 'each-alone', '2026-11-28 09:29:51.1557+00', NULL, 1, 'manual', 'pending', NULL, 'run/shop/each-alone/16', '2026-11-28 09:29:51.1557+00', NULL, NULL, NULL, 0, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:51.1557+00', NULL, NULL, '8322dcdc935d78840233e8f1c4a44ed16b5796398728419c4f9e3260e39a6e1d', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (17, 'shop', 'locked', '2026-11-28 09:29:51.214643+00', NULL, 1, 'manual', 'pending', NULL, 'api', '2026-11-28 09:29:51.214643+00', NULL, NULL, NULL, 0, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:51.214643+00', NULL, NULL, '011a56a591edc06cad812b1353a7cf8611b2365806d5c59122333ab1b2bc8c2b', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (21, 'shop', 'cancel-goes-on', '2026-11-28 09:29:51.466769+00', NULL, 1, 'manual', 'pending', NULL, 'run/shop/cancel-goes-on', NULL, NULL, NULL, NULL, 0, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:51.466769+00', NULL, NULL, '776028b0f14fe65f5d9f598656833ba3e2f4926a56ed969b950b5bc1be47589f', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (8, 'shop', 'at-work', '2026-11-28 09:29:50.798871+00', NULL, 1, 'manual', 'running', NULL, 'run/shop/at-work', '2026-11-28 09:29:50.798871+00', NULL, 1, 'old-replica', 1, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:50.798871+00', '2026-11-28 09:29:51.614816+00', NULL, '4962f62f426e0369df23c4d714d6c3cbd2db5e6edad5a812a1f8700562d810b9', NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (13, 'shop', 'queued', '2026-11-28 09:29:50.997665+00', NULL, 1, 'manual', 'running', NULL, 'run/shop/queued', '2026-11-28 09:29:50.997665+00', NULL, 1, 'old-replica', 1, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:50.997665+00', '2026-11-28 09:29:51.615176+00', NULL, 'dcfb53fce3b01166ac5c1ebeb54dca3e1cc8a24b075da3773d302dc3f697fca1', NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (9, 'shop', 'stays-at-work', '2026-11-28 09:29:50.834278+00', NULL, 1, 'manual', 'running', NULL, 'run/shop/stays-at-work', '2026-11-28 09:29:50.834278+00', NULL, 1, 'old-replica', 1, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:50.834278+00', '2026-11-28 09:29:51.615198+00', NULL, 'cc4b53663c3d6d98b6f0aa5b35cb882ed95d46f385789a97870b3f5a95802a23', NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (10, 'shop', 'to-be-retried', '2026-11-28 09:29:50.884778+00', NULL, 1, 'manual', 'running', NULL, 'run/shop/to-be-retried', '2026-11-28 09:29:50.884778+00', NULL, 1, 'old-replica', 1, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:50.884778+00', '2026-11-28 09:29:51.615206+00', NULL, '28ff2d789c747fab505a29f29191048083f15f002f81fb8972228e9065425a30', NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (11, 'shop', 'retrying', '2026-11-28 09:29:50.917286+00', NULL, 1, 'manual', 'pending', NULL, 'run/shop/retrying', '2026-11-28 09:29:52.189928+00', NULL, 1, 'old-replica', 1, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:50.917286+00', '2026-11-28 09:29:51.615185+00', NULL, 'dd9dab8d283ea268891feb70303024f9bb49cb9d2a655ccb74671a75e5da38d4', NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (22, 'shop', 'done', '2026-11-28 09:29:51.519715+00', NULL, 1, 'manual', 'succeeded', NULL, 'run/shop/done', '2026-11-28 09:29:51.519715+00', NULL, 1, 'old-replica', 1, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:51.519715+00', '2026-11-28 09:29:51.615215+00', '2026-11-28 09:29:52.260094+00', '561dde291b80d436c646a2be1279cc11bfa2eaba869563ca9d284120adfc9bff', NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (20, 'shop', 'cancel-goes-on', '2026-11-28 09:29:51.411355+00', NULL, 1, 'manual', 'running', NULL, 'run/shop/cancel-goes-on', '2026-11-28 09:29:51.411355+00', NULL, 1, 'old-replica', 1, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:51.411355+00', '2026-11-28 09:29:51.615164+00', NULL, '776028b0f14fe65f5d9f598656833ba3e2f4926a56ed969b950b5bc1be47589f', NULL, '2026-11-28 09:29:52.435141+00', 'ada@old-host', 'it was asked for twice', 1, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (18, 'shop', 'cancelled', '2026-11-28 09:29:51.286296+00', NULL, 1, 'manual', 'cancelled', 'cancelled by ada@old-host: it was asked for twice', 'run/shop/cancelled', NULL, NULL, NULL, NULL, 0, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:51.286296+00', NULL, '2026-11-28 09:29:52.333588+00', '2892c6685fff22652795707449a50a38da4afe0ea311ebd316a5032e3562122f', NULL, '2026-11-28 09:29:52.324066+00', 'ada@old-host', 'it was asked for twice', NULL, NULL, NULL, NULL);
INSERT INTO public.run (id, application, schedule, scheduled_for, last_scheduled_for, count, trigger, state, reason, lease_name, available_at, start_by, token, holder, attempt, abandoned, params, requested_by, requested_why, created_at, started_at, finished_at, digest, adopted_from, cancelled_at, cancelled_by, cancelled_why, claimed_attempt, overlapped, overlapped_by, away_from) VALUES (19, 'shop', 'being-cancelled', '2026-11-28 09:29:51.357142+00', NULL, 1, 'manual', 'running', NULL, 'run/shop/being-cancelled', '2026-11-28 09:29:51.357142+00', NULL, 1, 'old-replica', 1, 0, '{}', 'ada@old-host', NULL, '2026-11-28 09:29:51.357142+00', '2026-11-28 09:29:51.615138+00', NULL, '4286068ecafdcd4df4b935a7d388466749a6487342c578f833099fd305a3efbc', NULL, '2026-11-28 09:29:52.373567+00', 'ada@old-host', 'it was asked for twice', 1, NULL, NULL, NULL);
INSERT INTO public.schedule (application, name, definition, digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, paused_at, paused_by, retired_at, changed_at, created_at, run_digest, synced_at, abandoned) VALUES ('shop', 'at-work', '{"name": "at-work", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "first", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}, {"name": "second", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}, {"name": "third", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}', 'fcefa3626bfb1631ea3ca77175d7c3f3049a38f518c0df47e802d538cbd2a6dc', 'every 1h', true, '2026-11-28 10:29:50+00', '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', '4962f62f426e0369df23c4d714d6c3cbd2db5e6edad5a812a1f8700562d810b9', '2026-11-28 09:29:50.27819+00', 0);
INSERT INTO public.schedule (application, name, definition, digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, paused_at, paused_by, retired_at, changed_at, created_at, run_digest, synced_at, abandoned) VALUES ('shop', 'stays-at-work', '{"name": "stays-at-work", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}', '1c629798aaa759b4035c749d0c43b42c56976c1e91db22ca5ea94170e488e34e', 'every 1h', true, '2026-11-28 10:29:50+00', '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', 'cc4b53663c3d6d98b6f0aa5b35cb882ed95d46f385789a97870b3f5a95802a23', '2026-11-28 09:29:50.27819+00', 0);
INSERT INTO public.schedule (application, name, definition, digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, paused_at, paused_by, retired_at, changed_at, created_at, run_digest, synced_at, abandoned) VALUES ('shop', 'to-be-retried', '{"name": "to-be-retried", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "first", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}, {"name": "second", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}', '0f406c6b1dccd67f561ec52971919ea31497e68626fd743a693bacde48c7e969', 'every 1h', true, '2026-11-28 10:29:50+00', '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', '28ff2d789c747fab505a29f29191048083f15f002f81fb8972228e9065425a30', '2026-11-28 09:29:50.27819+00', 0);
INSERT INTO public.schedule (application, name, definition, digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, paused_at, paused_by, retired_at, changed_at, created_at, run_digest, synced_at, abandoned) VALUES ('shop', 'retrying', '{"name": "retrying", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "first", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}, {"name": "second", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}', '43d960d2a012df8c721b93c7bfbed829869610f0fd9746e3a432068b1a784b51', 'every 1h', true, '2026-11-28 10:29:50+00', '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', 'dd9dab8d283ea268891feb70303024f9bb49cb9d2a655ccb74671a75e5da38d4', '2026-11-28 09:29:50.27819+00', 0);
INSERT INTO public.schedule (application, name, definition, digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, paused_at, paused_by, retired_at, changed_at, created_at, run_digest, synced_at, abandoned) VALUES ('shop', 'waiting', '{"name": "waiting", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}', 'aede59f6f34f59dbc838fa51ef59f63030a6f719a79ec8174b6e55db8e8ecebc', 'every 1h', true, '2026-11-28 10:29:50+00', '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', '8172eb20346c0fbb4a44bb8f6922e7ba71ecfb07e8b2d0cca7d9c0e7d8584ba0', '2026-11-28 09:29:50.27819+00', 0);
INSERT INTO public.schedule (application, name, definition, digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, paused_at, paused_by, retired_at, changed_at, created_at, run_digest, synced_at, abandoned) VALUES ('shop', 'queued', '{"name": "queued", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "queue", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}', '813e53528c9772c5e9f4d336d81b9079c09c320f7c4a1dc8068c88a027ee6199', 'every 1h', true, '2026-11-28 10:29:50+00', '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', 'dcfb53fce3b01166ac5c1ebeb54dca3e1cc8a24b075da3773d302dc3f697fca1', '2026-11-28 09:29:50.27819+00', 0);
INSERT INTO public.schedule (application, name, definition, digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, paused_at, paused_by, retired_at, changed_at, created_at, run_digest, synced_at, abandoned) VALUES ('shop', 'each-alone', '{"name": "each-alone", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "allow", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}', 'ccd75a9df57f4a9dc018263908a6cd679adeba6ef2bad472526d559cfc8be92d', 'every 1h', true, '2026-11-28 10:29:50+00', '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', '8322dcdc935d78840233e8f1c4a44ed16b5796398728419c4f9e3260e39a6e1d', '2026-11-28 09:29:50.27819+00', 0);
INSERT INTO public.schedule (application, name, definition, digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, paused_at, paused_by, retired_at, changed_at, created_at, run_digest, synced_at, abandoned) VALUES ('shop', 'locked', '{"name": "locked", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": "api", "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}', '23ddf7e00511a365fd41eb7ff9db0bf71555454c794dba34fcd6432d85d7d411', 'every 1h', true, '2026-11-28 10:29:50+00', '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', '011a56a591edc06cad812b1353a7cf8611b2365806d5c59122333ab1b2bc8c2b', '2026-11-28 09:29:50.27819+00', 0);
INSERT INTO public.schedule (application, name, definition, digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, paused_at, paused_by, retired_at, changed_at, created_at, run_digest, synced_at, abandoned) VALUES ('shop', 'cancelled', '{"name": "cancelled", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}', 'a44d2c910b95a76f9862ef97d7d4641645b5fb1f5ca4c4d04e5a214ef356e691', 'every 1h', true, '2026-11-28 10:29:50+00', '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', '2892c6685fff22652795707449a50a38da4afe0ea311ebd316a5032e3562122f', '2026-11-28 09:29:50.27819+00', 0);
INSERT INTO public.schedule (application, name, definition, digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, paused_at, paused_by, retired_at, changed_at, created_at, run_digest, synced_at, abandoned) VALUES ('shop', 'being-cancelled', '{"name": "being-cancelled", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}', '21efe69b0cd524cd8ef4b86105ee5f5ff4f7ac4732bbf9959490588047fcbba3', 'every 1h', true, '2026-11-28 10:29:50+00', '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', '4286068ecafdcd4df4b935a7d388466749a6487342c578f833099fd305a3efbc', '2026-11-28 09:29:50.27819+00', 0);
INSERT INTO public.schedule (application, name, definition, digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, paused_at, paused_by, retired_at, changed_at, created_at, run_digest, synced_at, abandoned) VALUES ('shop', 'cancel-goes-on', '{"name": "cancel-goes-on", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "queue", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}', '87356d5c2620b02b84a2b148d9da88a187940b11eba41764db64d302de5271f9', 'every 1h', true, '2026-11-28 10:29:50+00', '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', '776028b0f14fe65f5d9f598656833ba3e2f4926a56ed969b950b5bc1be47589f', '2026-11-28 09:29:50.27819+00', 0);
INSERT INTO public.schedule (application, name, definition, digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, paused_at, paused_by, retired_at, changed_at, created_at, run_digest, synced_at, abandoned) VALUES ('shop', 'done', '{"name": "done", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}', 'e827df13ce76d53d589000a6a2e5daed963f88644e3fd0ba71c7afe8e6f01f4c', 'every 1h', true, '2026-11-28 10:29:50+00', '2026-11-28 09:29:50.603624+00', '2026-11-28 09:29:50.603624+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 09:29:50.603624+00', '2026-11-28 09:29:50.603624+00', '561dde291b80d436c646a2be1279cc11bfa2eaba869563ca9d284120adfc9bff', '2026-11-28 09:29:50.603624+00', 0);
INSERT INTO public.schedule (application, name, definition, digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, paused_at, paused_by, retired_at, changed_at, created_at, run_digest, synced_at, abandoned) VALUES ('shop', 'redefined', '{"name": "redefined", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "first", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}, {"name": "second", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}', 'f40f30bdd36294fe87accfc1f94d36d9c4cef97063ae2a8429523d6818661dc1', 'every 1h', true, '2026-11-28 10:29:50+00', '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 09:29:50.603624+00', '2026-11-28 09:29:50.27819+00', '0a7284c7647823c171bbce622c5266049b43bed64bbee22983f0c06e140cd973', '2026-11-28 09:29:50.603624+00', 0);
INSERT INTO public.schedule (application, name, definition, digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, paused_at, paused_by, retired_at, changed_at, created_at, run_digest, synced_at, abandoned) VALUES ('shop', 'retired', '{"name": "retired", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}', 'e3b4db451dde8e7951b468b16199219da23d84dd95ba5c9e69ad7a3f110d5798', 'every 1h', true, NULL, '2026-11-28 09:29:50.27819+00', '2026-11-28 09:29:50.27819+00', NULL, NULL, NULL, NULL, NULL, '2026-11-28 09:29:50.603624+00', '2026-11-28 09:29:50.603624+00', '2026-11-28 09:29:50.27819+00', '6733e4e2bc7c8bb0c3e699542d251efcb16357ebefec7e258e7274982067ada6', '2026-11-28 09:29:50.603624+00', 0);
INSERT INTO public.schedule (application, name, definition, digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, paused_at, paused_by, retired_at, changed_at, created_at, run_digest, synced_at, abandoned) VALUES ('shop', 'once', '{"name": "once", "at": "2026-01-01T00:00:00Z", "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "latest", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}', '669bcb7a36aedb2f232e1bd752cba6f6461f3df392deb5f2586abdefe4f957ee', 'at 2026-01-01T00:00:00Z', true, NULL, '2026-11-28 09:29:50.722342+00', '2026-11-28 09:29:50.603624+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 09:29:50.603624+00', '2026-11-28 09:29:50.603624+00', '975bb0845aa66af7212e0149841c38265229d87019fdcec1fd3562d59375ffc0', '2026-11-28 09:29:50.603624+00', 0);
INSERT INTO public.schedule (application, name, definition, digest, trigger, enabled, next_due, planned_until, anchor, stretch_reason, stretch_count, stretch_from, paused_at, paused_by, retired_at, changed_at, created_at, run_digest, synced_at, abandoned) VALUES ('shop', 'missed', '{"name": "missed", "every": 3600.0, "timezone": "UTC", "starts": null, "ends": null, "enabled": true, "catch_up": "skip", "start_within": null, "overlap": "skip", "lock": null, "on_failure": "stop", "jitter": 0.0, "params": {}, "description": "", "tags": [], "jobs": [{"name": "work", "isolation": "command", "function": null, "command": "true", "timeout": null, "retries": 2, "backoff": 10.0, "cwd": null, "env": []}]}', 'f7ad126697e3a07e5d71b5f0191a225f91b914c65e1f5bcd534ada157c37d9f2', 'every 1h', true, '2026-11-28 09:59:50+00', '2026-11-28 09:29:50.722383+00', '2026-11-27 23:59:50.27819+00', 'missed', 3, NULL, NULL, NULL, NULL, '2026-11-27 23:59:50.27819+00', '2026-11-27 23:59:50.27819+00', '42fa39a1f242c061f5bc609bfb05ca074119b895cce11e36bd70e24bcb11926b', '2026-11-27 23:59:50.27819+00', 0);
SELECT pg_catalog.setval('public.job_run_id_seq', 10, true);
SELECT pg_catalog.setval('public.run_id_seq', 22, true);
ALTER TABLE ONLY public.generation
    ADD CONSTRAINT generation_pkey PRIMARY KEY (application, number);
ALTER TABLE ONLY public.job_output
    ADD CONSTRAINT job_output_pkey PRIMARY KEY (job_run_id, start);
ALTER TABLE ONLY public.job_run
    ADD CONSTRAINT job_run_attempt_key UNIQUE (run_id, job, attempt);
ALTER TABLE ONLY public.job_run
    ADD CONSTRAINT job_run_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.lease
    ADD CONSTRAINT lease_grant_key UNIQUE (name, token, holder);
ALTER TABLE ONLY public.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.leased_version
    ADD CONSTRAINT leased_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.replica
    ADD CONSTRAINT replica_pkey PRIMARY KEY (holder);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.schedule
    ADD CONSTRAINT schedule_pkey PRIMARY KEY (application, name);
CREATE UNIQUE INDEX generation_ruler_key ON public.generation USING btree (application) WHERE rules;
CREATE INDEX lease_holder_idx ON public.lease USING btree (holder);
CREATE INDEX run_claim_idx ON public.run USING btree (application, available_at, id) WHERE ((state = 'pending'::text) AND (available_at IS NOT NULL));
CREATE INDEX run_history_idx ON public.run USING btree (application, schedule, id);
CREATE UNIQUE INDEX run_instant_key ON public.run USING btree (application, schedule, scheduled_for) WHERE (trigger = 'schedule'::text);
CREATE INDEX run_running_idx ON public.run USING btree (application) WHERE (state = 'running'::text);
CREATE INDEX run_start_by_idx ON public.run USING btree (application, start_by) WHERE ((state = 'pending'::text) AND (start_by IS NOT NULL));
CREATE INDEX run_unfinished_idx ON public.run USING btree (application, schedule, scheduled_for, id) WHERE (state = ANY (ARRAY['pending'::text, 'running'::text]));
CREATE INDEX schedule_due_idx ON public.schedule USING btree (application, next_due) WHERE (next_due IS NOT NULL);
CREATE TRIGGER run_of_older_takes_digest BEFORE INSERT ON public.run FOR EACH ROW WHEN ((new.digest IS NULL)) EXECUTE FUNCTION public.leased_digest();
CREATE TRIGGER run_refuses_older_claim BEFORE UPDATE OF state ON public.run FOR EACH ROW WHEN (((new.state = 'running'::text) AND (old.state = 'pending'::text) AND (new.claimed_attempt IS DISTINCT FROM new.attempt))) EXECUTE FUNCTION public.leased_refuse('this replica is of an older version of leased than the tables of the database, so it starts no more runs (those at work go on and end as they began); restart it with the newer version');
CREATE TRIGGER schedule_refuses_older_addition BEFORE INSERT ON public.schedule FOR EACH ROW WHEN ((new.synced_at IS DISTINCT FROM new.changed_at)) EXECUTE FUNCTION public.leased_refuse('this replica is of an older version of leased than the tables of the database, so it may not change the definitions there; restart it with the newer version');
CREATE TRIGGER schedule_refuses_older_sync BEFORE UPDATE OF changed_at ON public.schedule FOR EACH ROW WHEN ((new.synced_at IS DISTINCT FROM new.changed_at)) EXECUTE FUNCTION public.leased_refuse('this replica is of an older version of leased than the tables of the database, so it may not change the definitions there; restart it with the newer version');
ALTER TABLE ONLY public.job_output
    ADD CONSTRAINT job_output_job_run_fkey FOREIGN KEY (job_run_id) REFERENCES public.job_run(id);
ALTER TABLE ONLY public.job_run
    ADD CONSTRAINT job_run_run_fkey FOREIGN KEY (run_id) REFERENCES public.run(id);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT run_schedule_fkey FOREIGN KEY (application, schedule) REFERENCES public.schedule(application, name);
