"""`leased locks`, `leased replicas` and `leased generations`: who holds which lease, who lives, and who runs which definitions."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy import Connection

from ....answers.questions import GenerationsAnswer, LocksAnswer, ReplicasAnswer
from ....errors import NotFound
from ....operations.generations import (
    Acknowledged,
    Changed,
    GenerationStanding,
    acknowledge,
    beside_each_other,
    read_changed,
    read_standings,
    setting_text,
)
from ....recovery.deaths import neighbours, proven_dead
from ....service.settings import read_settings
from ....states import LIVE
from ....store.statements.schedule import database_time
from ....store.views.generations import read_generations
from ....store.views.locks import Lock, read_locks, require_lease
from ....store.views.names import applications, require_application
from ....store.views.replicas import ReplicaLine, read_replicas
from ....text import ago, lasted, listed, when
from ...ask import ask
from ...failures import Misused
from ...options import MOST, Application, By, Database, Json, Utc, Why, Wide, author
from ...screen import Sheet, Times, for_people, print_sentences, say, screen, state_cell, write_json


def locks(
    prefix: Annotated[
        str, typer.Argument(metavar="PREFIX", help="Only names that start with this.", show_default=False)
    ] = "",
    free: Annotated[bool, typer.Option("--all", help="Include leases that nobody holds.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show who holds which lease, with its token and when it expires."""

    def read(connection: Connection) -> list[Lock]:
        require_lease(connection, prefix)
        return read_locks(connection, prefix=prefix, free=free)

    found = ask(database, read)
    if as_json:
        write_json("locks", LocksAnswer(items=found))
        return
    columns, right = ("lock", "token", "holder", "held", "expires", "run", "long"), ("token", "held", "run")
    shown = Sheet(*columns, right=right, spare=("run", "held"), if_any=("run", "long"))
    for lock in found:
        holder = lock.label or lock.holder or "nobody"
        stale = "" if lock.live or lock.holder is None else " (stale)"
        expires = ago(-lock.expires_in) if lock.expires_in is not None else ""
        shown.add(lock.name, lock.token, holder, lasted(lock.held_for), f"{expires}{stale}", lock.run_id, lock.long)
    named = f' whose name begins with "{prefix}"' if prefix else ""
    none = f"No lease{named} is held; --all lists those that nobody holds."
    if free:
        none = "There are no leases yet; schedules and programs that take locks create them."
    shown.print_or(screen(), none)


_MOST = 5
"""How many replicas of each are named."""


def releases_live(replicas: Iterable[ReplicaLine]) -> list[str]:
    """Return a line about each application whose live replicas run different code, and about each replica that
    leaves its runs to those of a higher revision.
    """
    living = [one for one in replicas if one.state in LIVE]
    by_release: dict[str, dict[str, list[str]]] = {}
    for one in living:
        of_application = by_release.setdefault(one.application, {})
        of_application.setdefault(one.release or "not known", []).append(f"{one.host}:{one.pid}")
    said = [
        f"{len(found)} releases of {application} are live: "
        + "; ".join(f"{release} on {listed(names, _MOST)}" for release, names in sorted(found.items()))
        + "."
        for application, found in by_release.items()
        if len(found) > 1
    ]
    said += [
        f"{one.host}:{one.pid} claims no runs of {one.application}: its revision is {one.revision}"
        f"{'' if one.revision is None or one.held_back_by > one.revision else ', which no longer counts'}, a replica of "
        f"revision {one.held_back_by} is ready, and with require_revision only the highest revision claims runs."
        for one in living
        if one.held_back_by is not None
    ]
    return said


def replicas(
    past: Annotated[int, typer.Option(min=0, max=10_000, help="Number of stopped replicas to include.")] = 10,
    utc: Utc = False,
    database: Database = None,
    application: Application = None,
    as_json: Json = False,
) -> None:
    """List replicas and when each was last seen."""

    def read(connection: Connection) -> tuple[datetime, list[ReplicaLine]]:
        require_application(connection, application)
        dead = proven_dead(neighbours(connection))
        return database_time(connection), read_replicas(connection, application=application, past=past, dead=dead)

    now, found = ask(database, read)
    if as_json:
        write_json("replicas", ReplicasAnswer(items=found))
        return
    times = Times.of(now, utc=utc)
    columns = ("replica", "application", "state", "generation", "revision", "release", "version", "started", "seen")
    spare = ("version", "started", "revision", "release")
    shown = Sheet(*columns, spare=spare, if_any=("revision",), right=("revision",))
    for one in found:
        generation = "-" if one.generation is None else str(one.generation)
        if one.generation is not None and one.state in LIVE and not one.rules:
            generation += ", not current"
        cells = (generation, one.revision, one.release, one.version, times(one.started_at), times(one.seen_at))
        shown.add(f"{one.host}:{one.pid}", one.application, state_cell(one.state), *cells)
    console = screen()
    shown.print_or(console, "There are no replicas; `leased run FILE` starts one.")
    print_sentences(console, releases_live(found))


DIGEST_SHOWN = 12
"""How many characters of a digest are shown in a table; --json has all of them."""


def generation_table(found: Sequence[GenerationStanding]) -> Sheet:
    """Return a table of generations, who runs each, and how it differs from the database."""
    shown = Sheet(
        *("generation", "application", "revision", "state", "run by", "differs"),
        right=("generation", "revision"),
        wraps=("run by", "differs"),
        if_any=("revision", "run by", "differs"),
    )
    for one in found:
        differs = "" if one.differs is None else str(one.differs)
        shown.add(one.number, one.application, one.revision, one.state, run_by(one), differs)
    return shown


def run_by(one: GenerationStanding) -> str:
    """Return the replicas that run it, as text; which are not ready, and what code each runs if they differ."""
    differ = len({it.release for it in one.replicas}) > 1
    said = []
    for it in one.replicas:
        marks = [*([it.release or "release not known"] if differ else []), *([] if it.is_ready else ["not ready"])]
        said.append(f"{it.host}:{it.pid}" + (f" ({', '.join(marks)})" if marks else ""))
    return ", ".join(said)


def sentences(found: Iterable[GenerationStanding]) -> list[str]:
    """Return what happens next to each, as sentences."""
    return [
        f"Generation {one.number} of {one.application} is {'standing in' if one.state == 'in lieu' else one.state}: {one.next}."
        for one in found
        if one.next
    ]


MOST_LISTED = 10_000


def generations(
    number: Annotated[int | None, typer.Argument(metavar="N", min=1, max=MOST, help="Only this generation.")] = None,
    confirmed: Annotated[
        bool,
        typer.Option("--acknowledge", help="Confirm what generation N retired, so that status stops reporting it."),
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what generation N changed of each schedule: before and after.")
    ] = False,
    why: Why = None,
    by: By = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="Maximum number to list per application.")] = 20,
    wide: Wide = False,
    utc: Utc = False,
    database: Database = None,
    application: Application = None,
    as_json: Json = False,
) -> None:
    """List the generations of the definitions: which is active, which replicas run which, and what happens next."""
    done = None
    if confirmed:
        who = author(by, why)
        done = ask(database, lambda c: _acknowledged(c, application, number, who, why), write=True)
    elif why is not None or by is not None:
        raise Misused("--why and --by need --acknowledge; add that, or leave them out")
    takeover_after = read_settings({"database_url": database}).takeover_after

    def read(connection: Connection) -> tuple[datetime, list[GenerationStanding], list[Changed]]:
        require_application(connection, application)
        dead = proven_dead(neighbours(connection))
        most = limit if number is None else MOST_LISTED
        found = read_standings(connection, application, limit=most, dead=dead, takeover_after=takeover_after)
        some = _numbered(found, number, diff=diff)
        return database_time(connection), some, read_changed(connection, some) if diff else []

    now, found, changed = ask(database, read)
    if as_json:
        write_json("generations", GenerationsAnswer(items=found, diff=changed if diff else None))
        return
    if done is not None:
        by_whom = f"{'was already' if done.already else 'is'} acknowledged by {done.acknowledged_by}"
        say(screen(), f"generation {done.number} of {done.application} {by_whom} at {when(done.acknowledged_at)}")
    elif found:
        _show(found, Times.of(now, utc=utc), changed if diff else None, wide=wide or not for_people())
    else:
        say(screen(), "There are no generations yet; `leased run FILE` or `leased sync FILE` creates the first.")


def _numbered(found: Sequence[GenerationStanding], number: int | None, *, diff: bool) -> list[GenerationStanding]:
    if diff and number is None:
        raise Misused("--diff needs the number of a generation, such as `leased generations 2 --diff`")
    some = [one for one in found if number in {None, one.number}]
    if found and not some:
        newest = max(one.number for one in found)
        raise NotFound(f"there is no generation {number}; the newest is {newest} (`leased generations` lists them)")
    return some


def _show(found: Sequence[GenerationStanding], times: Times, changed: Sequence[Changed] | None, *, wide: bool) -> None:
    console = screen()
    console.print(_table(found, times, wide=wide))
    if changed is not None:
        console.print()
    if changed:
        columns = ("schedule", "application", "how", "setting", "before", "after")
        shown = Sheet(*columns, wraps=("setting", "before", "after"))
        for one in changed:
            for each in one.settings:
                before, after = (setting_text(each.setting, value) for value in (each.before, each.after))
                shown.add(one.schedule, one.application, one.how, each.setting, before, after)
        console.print(shown)
    elif changed is not None:
        say(console, "It changed no schedule that was there before, or that is not recorded.")
    print_sentences(console, sentences(beside_each_other(found)), apart=True)


def _acknowledged(
    connection: Connection, application: str | None, number: int | None, who: str, why: str | None
) -> Acknowledged:
    if number is None:
        raise Misused("--acknowledge needs the number of a generation, such as `leased generations 2 --acknowledge`")
    require_application(connection, application)
    if application is None:
        lines = read_generations(connection, limit=MOST_LISTED)
        having = sorted({one.application for one in lines if one.number == number})
        meant = [one.application for one in lines if one.number == number and one.replaced is not None] or having
        if len(meant) > 1:
            raise Misused(f"several applications have a generation {number}: add --application {' or '.join(meant)}")
        application = meant[0] if meant else next(iter(applications(connection)), "")
    return acknowledge(connection, application, number, requested_by=who, why=why)


def _table(found: Sequence[GenerationStanding], times: Times, *, wide: bool) -> Sheet:
    shown = Sheet(
        *("generation", "application", "digest", "revision", "state", "brought by", "came"),
        *("ruled", "superseded", "changed", "releases", "run by"),
        right=("generation", "revision"),
        wraps=("brought by", "changed", "releases", "run by"),
        spare=() if wide else ("superseded", "ruled", "came", "changed", "releases"),
        if_any=("revision", "superseded", "changed", "releases", "run by"),
        without=() if wide else ("digest", "brought by"),
    )
    for one in found:
        shown.add(
            *(one.number, one.application, one.digest[:DIGEST_SHOWN], one.revision, one.state, one.brought_by),
            *map(times, (one.came_at, one.ruled_at, one.superseded_at)),
            (one.changes or "").removeprefix("schedules: "),
            ", ".join(sorted({it.release for it in one.replicas if it.release})),
            run_by(one),
        )
    return shown
