-- For a server whose clock steps (libfaketime): what the witness of postgres.sql needs besides, so that it never goes by that clock.
-- The file that says how far the clock is ahead is the one that each reading of it goes by; what it says before and after the reading
-- must be the same.
CREATE OR REPLACE FUNCTION witness_clock() RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    ahead text := pg_read_file('{file}');
    shown timestamptz;
    after text;
BEGIN
    LOOP
        shown := clock_timestamp();
        after := pg_read_file('{file}');
        EXIT WHEN after = ahead;
        ahead := after;
    END LOOP;
    RETURN shown - make_interval(secs => ahead::double precision);
END
$$;

-- Commit timestamps are those of the clock that steps. So an effect is stamped as the last thing before its commit.
CREATE FUNCTION witness_effect() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO witness (what, name, token, holder, run, state) VALUES ('written', NEW.name, NEW.token, NEW.holder, NEW.run, NEW.job);
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER witness AFTER INSERT ON effect DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION witness_effect();

-- When a run ended, whose row says what the clock showed then.
CREATE TABLE ending (
    at timestamptz NOT NULL DEFAULT witness_clock(),
    run bigint NOT NULL
);
CREATE FUNCTION witness_ending() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ending (run) VALUES (NEW.id);
    RETURN NULL;
END
$$;
CREATE TRIGGER witness_ending AFTER UPDATE ON run FOR EACH ROW
    WHEN (OLD.state IN ('pending', 'running') AND NEW.state NOT IN ('pending', 'running')) EXECUTE FUNCTION witness_ending();
