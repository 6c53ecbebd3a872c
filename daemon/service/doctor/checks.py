"""The checks: one function for each, from what was examined to a level, a sentence and a remedy. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from lease.durations import format_duration
from lease.errors import LeaseError

from ...answers.questions import Check, DoctorAnswer, Level
from ...states import SEEN_WITHIN
from ...store.views.server import Server
from ...text import ago, counted, listed
from ...version import package_version
from ..outside.descriptors import descriptors_needed, more_descriptors
from ..settings import Settings
from .examination import Examined, examine, of_machine

_OLDEST_SERVER = 160_000
_OLD, _VERY_OLD = 15 * 60.0, 3600.0
"""Seconds. A transaction that is open for longer keeps vacuum from cleaning up."""
_OFF, _FAR_OFF = 1.0, 60.0
"""Seconds that clocks differ by."""
_TRIPS = 10
"""Round trips of an attempt that has to connect first."""
_KUBERNETES_WAITS = 30.0
"""Seconds that Kubernetes waits by default between SIGTERM and SIGKILL."""
_FULL = 0.9
_WORST_FIRST: tuple[Level, ...] = ("red", "yellow", "green")


def answer(found: Sequence[Check]) -> DoctorAnswer:
    worst_first = sorted(found, key=lambda one: _WORST_FIRST.index(one.level))
    return DoctorAnswer(all(one.level != "red" for one in found), worst_first)


def doctor(settings: Settings) -> DoctorAnswer:
    try:
        return answer(checked(examine(settings)))
    except LeaseError as error:
        said, remedy = _with_remedy(str(error), "check its URL, the network and that its server is running")
        return answer([Check("database", "red", said, remedy), *checked(of_machine(settings), reached=False)])


def wrong_settings(error: Exception) -> Check:
    """Return the result if the settings are wrong, such as a timing that cannot work."""
    return Check("settings", "red", str(error), "correct this setting in the environment")


def checked(found: Examined, *, reached: bool = True) -> list[Check]:
    """Return the results of all checks that apply; without a database those of this machine alone."""
    return [
        Check(name, level, text, remedy)
        for name, (check, needs_database) in CHECKS.items()
        if reached or not needs_database
        for level, text, remedy in check(found)
    ]


_Result = tuple[Level, str, str | None]


def _on_server(check: Callable[[Examined, Server], Iterator[_Result]]) -> Callable[[Examined], Iterator[_Result]]:
    """Return a check that has no result where the database is a file."""
    return lambda found: iter(()) if found.server is None else check(found, found.server)


def _database(found: Examined) -> Iterator[_Result]:
    kind = "SQLite" if found.server is None else f"PostgreSQL {found.server.shown}"
    if found.server is not None and found.server.version < _OLDEST_SERVER:
        yield "red", f"{found.database} is {kind}", "leased needs PostgreSQL 16 or later: upgrade the server"
    elif found.server is not None and found.server.read_only:
        yield "red", f"{found.database} is a standby, or read-only", "use the URL of the primary"
    else:
        yield "green", f"{found.database} answers: {kind}, leased {package_version()}", None


def _tables(found: Examined) -> Iterator[_Result]:
    if found.schema_problem is None:
        yield "green", "the tables are those of this version", None
    else:
        yield "red", *_with_remedy(found.schema_problem, "create them with `leased db upgrade`")


def _round_trip(found: Examined) -> Iterator[_Result]:
    """An attempt that has to connect first takes ten round trips."""
    attempt = found.settings.timing.attempt_timeout
    needed = max(found.connect, _TRIPS * found.round_trip)
    text = (
        f"a round trip takes {_ms(found.round_trip)}, and the first answer took {_ms(found.connect)}; "
        f"attempt_timeout is {format_duration(attempt)}"
    )
    level: Level = "red" if needed > attempt else "yellow" if needed > attempt / 2 else "green"
    remedy = "raise LEASED_LEASE_TTL (attempt_timeout follows it), or run replicas nearer to the database"
    yield level, text, None if level == "green" else remedy


def _clocks(found: Examined) -> Iterator[_Result]:
    """Only what people type, and log lines, go by this machine's clock: what is due goes by the database's."""
    off = abs(found.clock_offset)
    way = "ahead of" if found.clock_offset > 0 else "behind"
    level: Level = "red" if off > _FAR_OFF else "yellow" if off > _OFF else "green"
    if level == "green":
        yield level, f"the clocks of the database and of this machine agree within {format_duration(_OFF)}", None
    else:
        remedy = "synchronize both with NTP; leased plans by the database's clock"
        yield level, f"the database's clock is {format_duration(off)} {way} that of this machine", remedy


def _pooler(found: Examined, _: Server) -> Iterator[_Result]:
    if found.direct:
        yield "green", "the connection leads to the server itself, and statements are prepared", None
    else:
        remedy = "use a direct URL, or session mode, if a second matters; statement mode does not work"
        poll = format_duration(found.settings.poll)
        text = f"the connection leads through a pooler: statements are not prepared, and replicas look every {poll}"
        yield "yellow", text, remedy


def _listen(found: Examined, _: Server) -> Iterator[_Result]:
    if found.hears:
        yield "green", "LISTEN works: a notification arrived", None
    else:
        remedy = "use a URL that leads to the server itself, or a pooler in session mode"
        yield "yellow", "LISTEN does not work: no notification arrived, so replicas and waiters poll", remedy


def _rights(found: Examined, server: Server) -> Iterator[_Result]:
    if not server.may_use_schema:
        grant = f"GRANT USAGE ON SCHEMA {_name(server.schema)} TO {_name(server.role)};"
        yield "red", f'role "{server.role}" may not use schema "{server.schema}"', grant
    by_rights: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for table in sorted({table for table, _ in server.missing_rights}):
        by_rights[tuple(right for other, right in server.missing_rights if other == table)].append(table)
    for rights, tables in by_rights.items():
        names = ", ".join(f"{_name(server.schema)}.{_name(table)}" for table in tables)
        grant = f"as their owner: GRANT {', '.join(rights)} ON {names} TO {_name(server.role)};"
        yield "red", f'role "{server.role}" lacks {", ".join(rights)} on {listed(tables, 5)}', grant
    if server.may_use_schema and not by_rights and found.schema_problem is None:
        yield "green", f'role "{server.role}" has all rights that replicas need', None


def _transactions(_: Examined, server: Server) -> Iterator[_Result]:
    old = server.oldest
    level: Level = "green"
    text, remedy = "no transaction is open for long", None
    if old is not None and old.age > _OLD:
        level = "red" if old.age > _VERY_OLD else "yellow"
        if old.pid is None:
            literal = old.who.replace("'", "''")
            which, end = f"the prepared transaction {old.who}", f"ROLLBACK PREPARED '{literal}'"
        else:
            which, end = f"a transaction of {old.who} ({old.state})", f"SELECT pg_terminate_backend({old.pid})"
        text = f"{which} is open for {format_duration(old.age)}: vacuum cannot clean up, and its locks block others"
        remedy = f"end it in its program, or with `{end}`"
    if not server.sees_all:
        text += "; this role sees only its own"
        remedy = remedy or f"to see all: GRANT pg_read_all_stats TO {_name(server.role)};"
    yield level, text, remedy


def _statistics(_: Examined, server: Server) -> Iterator[_Result]:
    if not server.autovacuum:
        yield "red", "autovacuum is off: tables grow, and statements get slow", "turn on autovacuum and track_counts"
    if off := server.without_autovacuum:
        tables = [f"{_name(server.schema)}.{_name(one)}" for one in sorted(off)]
        alter = " ".join(f"ALTER TABLE {one} RESET (autovacuum_enabled);" for one in tables)
        yield "red", f"autovacuum is off for {', '.join(sorted(off))}", alter
    if bare := sorted(server.not_analyzed):
        analyze = f"ANALYZE {', '.join(f'{_name(server.schema)}.{_name(one)}' for one in bare)};"
        yield "yellow", f"no statistics of {listed(bare, 5)}: the server may choose slow plans", analyze
    if server.autovacuum and not off and not bare:
        yield "green", "autovacuum is on, and no table lacks statistics", None


def _connections(_: Examined, server: Server) -> Iterator[_Result]:
    text = f"{server.connections} of {server.most_connections} connections are in use"
    if server.connections < _FULL * server.most_connections:
        yield "green", text, None
    else:
        yield "yellow", text, "raise max_connections: a replica takes three, and up to 12"


def _server_settings(found: Examined, server: Server) -> Iterator[_Result]:
    attempt = found.settings.timing.attempt_timeout
    if server.statement_timeout is not None and server.statement_timeout <= attempt:
        text = f"statement_timeout is {format_duration(server.statement_timeout)}, not above attempt_timeout"
        yield "yellow", text, f"ALTER ROLE {_name(server.role)} SET statement_timeout = 0;"
    if not server.durable:
        text = "synchronous_commit is off: a crash of the server can undo the end of a run, which runs again"
        yield "yellow", text, f"ALTER ROLE {_name(server.role)} SET synchronous_commit = on;"


def _file(found: Examined) -> Iterator[_Result]:
    file = found.file
    if file is None:
        return
    if file.network is not None:
        text = f"the file is on a network file system ({file.network}), whose locks SQLite cannot trust"
        yield "red", text, "move it to a local disk, or use PostgreSQL"
    if not file.may_write:
        text = f"this user may not write to {file.path}, or not to its folder"
        yield "red", text, "run as its owner, or change the owner of the file and its folder"
    if file.mode & 0o002:
        yield "red", f"everybody may write to the file (mode {file.mode:04o})", f"chmod o-rwx {file.path}"
    elif file.mode & 0o004:
        text = f"everybody may read the file (mode {file.mode:04o}), with params and output"
        yield "yellow", text, f"chmod o-rwx {file.path}"
    if file.journal != "wal" and found.schema_problem is None:
        text = f"the file is not in WAL mode ({file.journal}), so readers block writers"
        yield "yellow", text, "start a replica, which turns it on"
    if file.network is None and file.may_write and not file.mode & 0o006:
        yield "green", "the file is private, and on a local file system", None


def _descriptors(found: Examined) -> Iterator[_Result]:
    limit, needed = found.descriptors, descriptors_needed(found.settings.concurrency)
    text = f"{counted(found.settings.concurrency, 'run')} at once need {needed:,} file descriptors"
    if limit is None:
        yield "green", f"{text}; there is no limit", None
    elif needed <= limit:
        yield "green", f"{text}; a process here may open {limit:,}", None
    else:
        yield "red", f"{text}, but a process here may open {limit:,}", more_descriptors(limit)


def _grace(found: Examined) -> Iterator[_Result]:
    """A supervisor that does not wait for so long kills the replica, and jobs are abandoned."""
    stop = found.settings.longest_stop
    text = f"a stop takes up to {format_duration(stop)}"
    short = [(service, seconds) for service, seconds in found.stops if seconds < stop]
    for service, seconds in short:
        remedy = f"set TimeoutStopSec={round(stop) + 5} in {service}, or lower LEASED_GRACE"
        yield "red", f"{text}, but systemd kills {service} after {format_duration(seconds)}", remedy
    if not short and found.in_kubernetes and stop >= _KUBERNETES_WAITS:
        remedy = f"set terminationGracePeriodSeconds to {round(stop) + 5}, if it is not that long"
        yield "yellow", f"{text}, and Kubernetes waits 30s by default", remedy
    elif not short:
        yield "green", f"{text}; your supervisor must wait for as long", None


def _web(found: Examined) -> Iterator[_Result]:
    """Without a token everybody who can log in to the machine may act (record 46)."""
    web, (token, _) = found.settings.web, found.settings.tokens
    if web is None:
        return
    if token is not None:
        yield "green", f"{web} answers who has the token", None
    elif found.others:
        text = f"without a token, everybody on this machine may act over {web}: {listed(found.others)} can log in too"
        yield "yellow", text, "set LEASED_WEB_TOKEN, or start replicas with --no-web"
    else:
        yield "green", f"without a token, everything on this machine may act over {web}", None


def _replicas(found: Examined) -> Iterator[_Result]:
    if found.schema_problem is not None:
        return
    silent = [one for one in found.replicas if one.seen_ago > SEEN_WITHIN]
    for one in silent:
        text = f"{one.host}:{one.pid} was last seen {ago(one.seen_ago)}"
        yield "yellow", text, "check its machine; `leased status` says who can take over its runs"
    if not found.replicas:
        yield "yellow", "no replica is running", "start one: leased run FILE"
    elif not silent:
        yield "green", f"{counted(len(found.replicas), 'replica')} running", None


def _leases(found: Examined) -> Iterator[_Result]:
    for one in found.thin:
        left = format_duration(max(0.1, round(one.expires_in or 0.0, 1)))
        text = f"the lease of run {one.run_id} is renewed late by {one.label or 'its replica'}: it expires in {left}"
        yield "yellow", text, "check the load of its machine and of the database; runbook LeasedMarginThin says more"
    if found.schema_problem is None and not found.thin:
        yield "green", "no lease of a run is renewed late", None


def _releases(found: Examined) -> Iterator[_Result]:
    """Look for replicas of one application with other code or other settings, as far as they are recorded."""
    kinds: defaultdict[tuple[str, str], defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for one in found.replicas:
        name = f"{one.host}:{one.pid}"
        kinds[one.application, "versions of leased"][one.version].append(name)
        kinds[one.application, "releases"][one.release or "not known"].append(name)
    for (application, what), of in kinds.items():
        if len(of) > 1:
            each = "; ".join(f"{value} on {listed(names, 3)}" for value, names in sorted(of.items()))
            text = f"replicas of {application} run {len(of)} {what}: {each}"
            yield "yellow", text, "finish the deploy, or roll it back"
    if found.server is not None and len(found.server.ttls) > 1:
        ttls = ", ".join(map(format_duration, found.server.ttls))
        yield "yellow", f"replicas use different lease_ttl: {ttls}", "give all replicas the same LEASED_LEASE_TTL"


def _generations(found: Examined) -> Iterator[_Result]:
    for problem in found.deploys:
        said, _, remedy = problem.text.partition("; ")
        level: Level = "red" if problem.kind == "replaced" else "yellow"
        yield level, said, remedy or "`leased generations` says what comes next"
    by_application: defaultdict[str, list[int]] = defaultdict(list)
    for one in found.generations:
        by_application[one.application].append(one.number)
    for application, numbers in by_application.items():
        text = f"generations {listed([str(number) for number in sorted(numbers)])} of {application} live side by side"
        yield "yellow", text, "finish the deploy; `leased generations` says who runs which, and what comes next"


def _with_remedy(sentence: str, otherwise: str) -> tuple[str, str]:
    """Return what an error says, and the remedy at its end."""
    said, _, remedy = sentence.rpartition("; ")
    return (said, remedy) if said else (sentence, otherwise)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _name(name: str) -> str:
    """Return a name as SQL writes it."""
    is_plain = name.isidentifier() and name.islower() and name.isascii()
    return name if is_plain else '"' + name.replace('"', '""') + '"'


CHECKS: dict[str, tuple[Callable[[Examined], Iterator[_Result]], bool]] = {
    "database": (_database, True),
    "tables": (_tables, True),
    "rights": (_on_server(_rights), True),
    "round trip": (_round_trip, True),
    "clocks": (_clocks, True),
    "pooler": (_on_server(_pooler), True),
    "LISTEN": (_on_server(_listen), True),
    "transactions": (_on_server(_transactions), True),
    "statistics": (_on_server(_statistics), True),
    "connections": (_on_server(_connections), True),
    "server settings": (_on_server(_server_settings), True),
    "file": (_file, True),
    "descriptors": (_descriptors, False),
    "grace": (_grace, False),
    "web": (_web, False),
    "replicas": (_replicas, True),
    "leases": (_leases, True),
    "releases": (_releases, True),
    "generations": (_generations, True),
}
"""Each check by its name, and whether it needs the database, in the order of the screen."""
