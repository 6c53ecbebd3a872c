-- The effects of jobs, and what happens to leases and runs, written down in the very transaction that does it. Whoever ends a grant has its row locked
-- when this reads the clock, and has waited for all transactions that are fenced with it.
CREATE FUNCTION witness_clock() RETURNS timestamptz LANGUAGE sql AS 'SELECT clock_timestamp()';
CREATE TABLE witness (
    at timestamptz NOT NULL DEFAULT witness_clock(),
    what text NOT NULL,
    name text NOT NULL,
    token bigint NOT NULL,
    holder text NOT NULL,
    until timestamptz,
    run bigint,
    state text,
    -- Of a grant: who waited just before it, and since when the lease was free or stale.
    queue text,
    free_since timestamptz,
    -- Of a claim: the definition that the run goes by; of a change of that: the one before, too.
    digest text,
    earlier text
);
-- Which definition of each schedule is in the database, and from when on it counts.
CREATE TABLE ruling (
    at timestamptz NOT NULL DEFAULT witness_clock(),
    schedule text NOT NULL,
    definition text NOT NULL,
    since timestamptz NOT NULL,
    retired boolean NOT NULL
);
CREATE TABLE effect (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run bigint,
    job text NOT NULL,
    name text NOT NULL,
    token bigint NOT NULL,
    holder text NOT NULL
);
CREATE TABLE account (balance bigint NOT NULL);
INSERT INTO account VALUES (0);

CREATE FUNCTION witness_lease() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO witness (what, name, token, holder) VALUES ('deleted', OLD.name, OLD.token, coalesce(OLD.holder, ''));
    ELSIF NEW.holder IS NULL THEN
        IF TG_OP = 'UPDATE' AND OLD.holder IS NOT NULL THEN
            INSERT INTO witness (what, name, token, holder) VALUES ('ended', OLD.name, OLD.token, OLD.holder);
        END IF;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO witness (what, name, token, holder, until)
            VALUES ('granted', NEW.name, NEW.token, NEW.holder, NEW.expires_at);
    ELSIF NEW.token = OLD.token AND NEW.holder = 'broken:' || OLD.holder THEN
        INSERT INTO witness (what, name, token, holder, until)
            VALUES ('broken', OLD.name, OLD.token, OLD.holder, OLD.expires_at);
    ELSIF OLD.holder IS DISTINCT FROM NEW.holder OR OLD.token <> NEW.token THEN
        INSERT INTO witness (what, name, token, holder, until, queue, free_since)
            VALUES ('granted', NEW.name, NEW.token, NEW.holder, NEW.expires_at, OLD.waiters,
                CASE WHEN OLD.holder IS NULL THEN OLD.released_at ELSE OLD.expires_at END);
    ELSIF OLD.expires_at <> NEW.expires_at THEN
        INSERT INTO witness (what, name, token, holder, until)
            VALUES ('renewed', NEW.name, NEW.token, NEW.holder, NEW.expires_at);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER witness AFTER INSERT OR UPDATE OR DELETE ON lease FOR EACH ROW EXECUTE FUNCTION witness_lease();

CREATE FUNCTION witness_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'running' AND (NEW.state <> 'running' OR OLD.token <> NEW.token OR OLD.holder <> NEW.holder) THEN
        INSERT INTO witness (what, name, token, holder, run, state)
            VALUES ('left', OLD.lease_name, OLD.token, OLD.holder, NEW.id, NEW.state);
    END IF;
    IF NEW.state = 'running' AND (OLD.state <> 'running' OR OLD.token <> NEW.token OR OLD.holder <> NEW.holder) THEN
        INSERT INTO witness (what, name, token, holder, run, digest)
            VALUES ('claimed', NEW.lease_name, NEW.token, NEW.holder, NEW.id, NEW.digest);
    ELSIF OLD.state = 'running' AND NEW.state <> 'running' AND NEW.token IS NULL THEN
        INSERT INTO witness (what, name, token, holder, run, digest)
            VALUES (CASE NEW.state WHEN 'pending' THEN 'settled' ELSE 'given up' END, OLD.lease_name, OLD.token, OLD.holder, NEW.id,
                NEW.digest);
    END IF;
    IF OLD.digest IS DISTINCT FROM NEW.digest THEN
        INSERT INTO witness (what, name, token, holder, run, digest, earlier)
            VALUES (CASE WHEN OLD.state = 'pending' AND NEW.adopted_from IS NOT DISTINCT FROM OLD.digest
                THEN 'adopted' ELSE 'redefined' END, NEW.lease_name, 0, '', NEW.id, NEW.digest, OLD.digest);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER witness AFTER UPDATE ON run FOR EACH ROW EXECUTE FUNCTION witness_run();

CREATE FUNCTION witness_schedule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR OLD.definition <> NEW.definition OR (OLD.retired_at IS NULL) <> (NEW.retired_at IS NULL) THEN
        INSERT INTO ruling (schedule, definition, since, retired)
            VALUES (NEW.name, NEW.definition, NEW.changed_at, NEW.retired_at IS NOT NULL);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER witness AFTER INSERT OR UPDATE ON schedule FOR EACH ROW EXECUTE FUNCTION witness_schedule();
