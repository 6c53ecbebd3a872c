-- The effects of jobs, and what happens to leases and runs, written down in the very transaction that does it. SQLite has one writer at a
-- time: the order of the rows is that of the transactions. The times are the wall clock's of whoever writes.
CREATE TABLE witness (
    at real NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0),
    what text NOT NULL,
    name text NOT NULL,
    token integer NOT NULL,
    holder text NOT NULL,
    until real,
    run integer,
    state text,
    -- Of a grant: who waited just before it, and since when the lease was free or stale.
    queue text,
    free_since real,
    -- Of a claim: the definition that the run goes by; of a change of that: the one before, too.
    digest text,
    earlier text
);
-- Which definition of each schedule is in the database, and from when on it counts.
CREATE TABLE ruling (
    at real NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0),
    schedule text NOT NULL,
    definition text NOT NULL,
    since real NOT NULL,
    retired integer NOT NULL
);
CREATE TABLE effect (
    id integer PRIMARY KEY,
    run integer,
    job text NOT NULL,
    name text NOT NULL,
    token integer NOT NULL,
    holder text NOT NULL
);
CREATE TABLE account (balance integer NOT NULL);
INSERT INTO account VALUES (0);
-- What the fault "disk full" uses the rest of the log up with.
CREATE TABLE ballast (writes integer NOT NULL);
INSERT INTO ballast VALUES (0);

CREATE TRIGGER witness_deleted AFTER DELETE ON lease BEGIN
    INSERT INTO witness (what, name, token, holder) VALUES ('deleted', OLD.name, OLD.token, coalesce(OLD.holder, ''));
END;
CREATE TRIGGER witness_inserted AFTER INSERT ON lease WHEN NEW.holder IS NOT NULL BEGIN
    INSERT INTO witness (what, name, token, holder, until)
        VALUES ('granted', NEW.name, NEW.token, NEW.holder, NEW.expires_at);
END;
CREATE TRIGGER witness_ended AFTER UPDATE ON lease WHEN OLD.holder IS NOT NULL AND NEW.holder IS NULL BEGIN
    INSERT INTO witness (what, name, token, holder) VALUES ('ended', OLD.name, OLD.token, OLD.holder);
END;
CREATE TRIGGER witness_granted AFTER UPDATE ON lease
WHEN NEW.holder IS NOT NULL AND (OLD.holder IS NOT NEW.holder OR OLD.token <> NEW.token)
    AND NOT (NEW.token = OLD.token AND NEW.holder IS 'broken:' || OLD.holder) BEGIN
    INSERT INTO witness (what, name, token, holder, until, queue, free_since)
        VALUES ('granted', NEW.name, NEW.token, NEW.holder, NEW.expires_at, OLD.waiters,
            CASE WHEN OLD.holder IS NULL THEN OLD.released_at ELSE OLD.expires_at END);
END;
CREATE TRIGGER witness_broken AFTER UPDATE ON lease
WHEN NEW.token = OLD.token AND NEW.holder = 'broken:' || OLD.holder BEGIN
    INSERT INTO witness (what, name, token, holder, until)
        VALUES ('broken', OLD.name, OLD.token, OLD.holder, OLD.expires_at);
END;
CREATE TRIGGER witness_renewed AFTER UPDATE ON lease
WHEN NEW.holder = OLD.holder AND OLD.token = NEW.token AND OLD.expires_at <> NEW.expires_at BEGIN
    INSERT INTO witness (what, name, token, holder, until)
        VALUES ('renewed', NEW.name, NEW.token, NEW.holder, NEW.expires_at);
END;
CREATE TRIGGER witness_written AFTER INSERT ON effect BEGIN
    INSERT INTO witness (what, name, token, holder, run, state)
        VALUES ('written', NEW.name, NEW.token, NEW.holder, NEW.run, NEW.job);
END;
CREATE TRIGGER witness_claimed AFTER UPDATE ON run
WHEN NEW.state = 'running' AND (OLD.state <> 'running' OR OLD.token <> NEW.token OR OLD.holder <> NEW.holder) BEGIN
    INSERT INTO witness (what, name, token, holder, run, digest)
        VALUES ('claimed', NEW.lease_name, NEW.token, NEW.holder, NEW.id, NEW.digest);
END;
CREATE TRIGGER witness_left AFTER UPDATE ON run
WHEN OLD.state = 'running' AND (NEW.state <> 'running' OR OLD.token <> NEW.token OR OLD.holder <> NEW.holder) BEGIN
    INSERT INTO witness (what, name, token, holder, run, state)
        VALUES ('left', OLD.lease_name, OLD.token, OLD.holder, NEW.id, NEW.state);
END;
CREATE TRIGGER witness_settled AFTER UPDATE ON run
WHEN OLD.state = 'running' AND NEW.state <> 'running' AND NEW.token IS NULL BEGIN
    INSERT INTO witness (what, name, token, holder, run, digest)
        VALUES (CASE NEW.state WHEN 'pending' THEN 'settled' ELSE 'given up' END, OLD.lease_name, OLD.token, OLD.holder, NEW.id,
            NEW.digest);
END;
CREATE TRIGGER witness_adopted AFTER UPDATE ON run WHEN OLD.digest IS NOT NEW.digest BEGIN
    INSERT INTO witness (what, name, token, holder, run, digest, earlier)
        VALUES (CASE WHEN OLD.state = 'pending' AND NEW.adopted_from IS OLD.digest THEN 'adopted' ELSE 'redefined' END,
            NEW.lease_name, 0, '', NEW.id, NEW.digest, OLD.digest);
END;
CREATE TRIGGER witness_defined AFTER INSERT ON schedule BEGIN
    INSERT INTO ruling (schedule, definition, since, retired)
        VALUES (NEW.name, NEW.definition, NEW.changed_at, NEW.retired_at IS NOT NULL);
END;
CREATE TRIGGER witness_changed AFTER UPDATE ON schedule
WHEN OLD.definition <> NEW.definition OR (OLD.retired_at IS NULL) <> (NEW.retired_at IS NULL) BEGIN
    INSERT INTO ruling (schedule, definition, since, retired)
        VALUES (NEW.name, NEW.definition, NEW.changed_at, NEW.retired_at IS NOT NULL);
END;
