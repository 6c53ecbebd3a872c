"""The replicas that are alive, and the latest that are gone."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, ScalarSelect, and_, case, func, select

from lease.database.dialects import now, seconds_between

from ...states import LIVE, SEEN_WITHIN, UNSEEN_IS_DEAD, ReplicaState
from ..statements.dialects import among, if_given
from ..statements.replica import counted, is_ready, not_superseded
from ..tables import Reader, generation, replica

_other = replica.alias("other")


@dataclass(frozen=True, slots=True)
class ReplicaLine:
    """One incarnation of a replica."""

    holder: str
    application: str
    host: str
    pid: int
    version: str
    state: ReplicaState
    started_at: datetime
    seen_at: datetime
    seen_ago: float
    stopped_at: datetime | None
    generation: int | None
    """That of its definitions (rule 21); None until they are known."""
    rules: bool
    """Its definitions are those in the database."""
    blocked: str | None = None
    """What blocks its async jobs, in a sentence."""
    revision: int | None = None
    """Its own, whatever its generation counts as."""
    release: str | None = None
    """Which code it runs: as it was given, or a hash."""
    held_back_by: int | None = None
    """The revision to whose replicas it leaves all runs (`require_revision`)."""
    concurrency: int | None = None
    """How many runs it runs at a time; None: an older version of leased recorded it."""

    @property
    def is_alive(self) -> bool:
        """Whether it counts as alive."""
        return self.state in LIVE and self.seen_ago <= UNSEEN_IS_DEAD


def names_of(connection: Connection, holders: Collection[str]) -> dict[str, str]:
    """Return the name of each replica for people, ``host:pid``, by its holder; those long gone are not known any more."""
    query = select(replica.c.holder, replica.c.host, replica.c.pid).where(among(replica.c.holder, holders))
    return {holder: f"{host}:{pid}" for holder, host, pid in connection.execute(query)}


def read_replicas(
    connection: Connection,
    *,
    application: str | None = None,
    past: int = 0,
    died_within: float | None = None,
    dead: Collection[str] = (),
) -> list[ReplicaLine]:
    """Return the replicas recorded as alive, then the ``past`` latest of the others.

    ``died_within`` leaves only those of the others that died in so many seconds. ``dead`` are
    holders whose death is proven, although it need not be recorded yet.
    """
    number_if_it_rules = case((generation.c.rules, generation.c.number), else_=0)
    reader = Reader(
        ReplicaLine,
        replica,
        seen_ago=seconds_between(replica.c.seen_at, now()),
        generation=_generation(generation.c.number),
        rules=func.coalesce(_generation(number_if_it_rules), 0) > 0,
        held_back_by=_held_back_by(),
    )
    query = select(*reader.columns).where(*if_given(replica.c.application, application))
    alive = connection.execute(query.where(replica.c.state.in_(LIVE)).order_by(replica.c.started_at)).all()
    over = query.where(replica.c.state.not_in(LIVE)).order_by(replica.c.started_at.desc()).limit(past)
    if died_within is not None:
        died_ago = seconds_between(replica.c.stopped_at, now())
        over = over.where(replica.c.state == "dead", died_ago < died_within)
    gone = connection.execute(over).all() if past else []
    lines = [reader.read(row) for row in (*alive, *gone)]
    return [replace(line, state="dead") if line.state in LIVE and line.holder in dead else line for line in lines]


def read_last_alive(connection: Connection, application: str | None = None) -> datetime | None:
    """Return when a replica that is recorded, of one application or of all, was last seen alive, or ended."""
    last = select(func.max(replica.c.seen_at, type_=replica.c.seen_at.type))
    found: datetime | None = connection.scalar(last.where(*if_given(replica.c.application, application)))
    return found


def seen_at(connection: Connection, holders: Collection[str]) -> dict[str, datetime]:
    """Return the last sign of life of each of these replicas that are known."""
    query = select(replica.c.holder, replica.c.seen_at).where(among(replica.c.holder, holders))
    return {row.holder: row.seen_at for row in connection.execute(query)}


def _held_back_by() -> ColumnElement[int | None]:
    ready = (_other.c.application == replica.c.application, *is_ready(_other.c, SEEN_WITHIN))
    ruling = select(func.max(counted(_other.c))).where(*ready, not_superseded(_other.c, replica.c.digest))
    highest, own = ruling.scalar_subquery(), func.coalesce(counted(replica.c), -1)
    return case((and_(replica.c.requires_revision, replica.c.state.in_(LIVE), highest > own), highest))


def _generation(number: ColumnElement[int]) -> ScalarSelect[int]:
    """Return the query for the greatest ``number`` of the generations with the definitions of a replica."""
    same = (generation.c.application == replica.c.application, generation.c.digest == replica.c.digest)
    return select(func.max(number)).where(*same).scalar_subquery()
