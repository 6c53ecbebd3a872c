"""The statements of a grant, a release and a renewal, written out by hand: the yardstick."""

from typing import LiteralString

_FREE = "(holder IS NULL OR expires_at <= clock_timestamp()) AND waiters IS NULL"
GRANT: LiteralString = f"""
WITH free AS (SELECT name FROM lease WHERE name = %(name)s AND {_FREE} FOR UPDATE SKIP LOCKED)
UPDATE lease SET token = token + 1, holder = %(holder)s, label = %(label)s,
    expires_at = clock_timestamp() + make_interval(secs => %(ttl)s),
    granted_at = clock_timestamp(), renewed_at = clock_timestamp(), released_at = NULL
WHERE name IN (SELECT name FROM free) AND {_FREE} RETURNING token
"""
RELEASE: LiteralString = """
UPDATE lease SET holder = NULL, label = NULL, expires_at = NULL, released_at = clock_timestamp()
WHERE name = %(name)s AND token = %(token)s AND holder = %(holder)s
    AND (SELECT set_config('lock_timeout', '1800', true)) IS NOT NULL
RETURNING waiters, extract(epoch FROM clock_timestamp())::float8
"""
RENEW: LiteralString = """
UPDATE lease SET expires_at = clock_timestamp() + make_interval(secs => %(ttl)s), renewed_at = clock_timestamp()
WHERE holder = %(holder)s AND (SELECT set_config('lock_timeout', '500', true)) IS NOT NULL
RETURNING name, token, extract(epoch FROM renewed_at)::float8
"""
_NOW = "((julianday('now') - 2440587.5) * 86400.0)"
_FREE_SQLITE = "(holder IS NULL OR expires_at <= :now) AND waiters IS NULL"
GRANT_SQLITE = f"""
UPDATE lease SET token = token + 1, holder = :holder, label = :label, expires_at = :now + :ttl,
    granted_at = {_NOW}, renewed_at = {_NOW}, released_at = NULL
WHERE name IN (SELECT name FROM lease WHERE name = :name AND {_FREE_SQLITE}) AND {_FREE_SQLITE} RETURNING token
"""
RELEASE_SQLITE = """
UPDATE lease SET holder = NULL, label = NULL, expires_at = NULL, released_at = :now
WHERE name = :name AND token = :token AND holder = :holder RETURNING waiters
"""
ROWS = ("bare", "bare async", "bare sync", "async", "sync")
"""The rows that the contenders take; each has been granted before."""
