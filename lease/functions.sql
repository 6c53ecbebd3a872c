-- Proves, in the caller's own transaction, that this grant has not ended, and keeps it from ending until the transaction
-- does (rule 11). Raises SQLSTATE LEASE otherwise, and 3B000 in a savepoint. Call it first in a transaction.
-- FOR KEY SHARE on the unique key (name, token, holder): every end of a grant changes that key and so waits for us; the
-- holder's own renewal does not. The bounds keep a paused caller from holding off its successor for ever.
CREATE OR REPLACE FUNCTION @schema.lease_fence(name text, token bigint, holder text, bound interval DEFAULT '30 seconds')
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
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

    PERFORM 1 FROM @schema.lease AS held
      WHERE held.name = lease_fence.name AND held.token = lease_fence.token AND held.holder = lease_fence.holder
      FOR KEY SHARE;
    IF NOT FOUND THEN
        -- Rows are never deleted and tokens only grow: without such a row this is another database (or one that was set back).
        PERFORM 1 FROM @schema.lease AS known WHERE known.name = lease_fence.name AND known.token >= lease_fence.token;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'lease "%" is lost: token % was never granted in this database', lease_fence.name, lease_fence.token
                USING ERRCODE = 'LEASE', DETAIL = 'never granted';
        END IF;
        RAISE EXCEPTION 'lease "%" is lost: the grant with token % has ended', lease_fence.name, lease_fence.token
            USING ERRCODE = 'LEASE';
    END IF;

    -- Rolling back to a savepoint drops the locks that it took. The row's xmax says who has locked it: this transaction, or
    -- a savepoint of it (which has an id of its own), or several, as a multixact, of which this transaction is then one.
    SELECT held.xmax INTO locker FROM @schema.lease AS held WHERE held.name = lease_fence.name;
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
$function$;
