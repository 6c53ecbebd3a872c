"""The look ahead: what would become of definitions if they were brought now, and who runs others."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ..definitions.application import Application
from ..scheduling.deploys.bring import look
from ..scheduling.deploys.retiring import refusal, retired_of_living
from ..scheduling.deploys.sync import sync
from ..scheduling.generations import Forecast, Order, forecast, recorded
from ..scheduling.generations.forecast import Bringer
from .generations import GenerationStanding, read_standings


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would become of definitions, and the other generations that live."""

    forecast: Forecast
    others: Sequence[GenerationStanding]
    refusal: str | None
    """Why they would be refused although they would be the newest: they retire all that living replicas run."""
    retires: Sequence[str]
    """The schedules that living replicas run and that these definitions would retire, if they were current."""


def foresee(
    connection: Connection, application: Application, *, by: Bringer, take_over: bool = False, takeover_after: float
) -> Foreseen:
    """Return what would become of definitions, brought by a ready replica or a sync; nothing is written.

    Raises `RevisionTaken`.
    """
    order, others = look(connection, application, None)
    order.refuse_taken(application.name, application.digest, application.revision)
    found = forecast(
        order,
        application.digest,
        others,
        by=by,
        takeover_after=takeover_after,
        take_over=take_over,
        revision=application.revision,
    )
    changes = sync(connection, application, dry_run=True)
    standings = read_standings(connection, application.name, takeover_after=takeover_after)
    return Foreseen(
        found,
        [one for one in standings if one.replicas and one.digest != application.digest],
        None if take_over else refusal(connection, application, _recorded(order, application), others),
        retired_of_living(connection, application, changes.retired, others) if found.supersedes else (),
    )


def _recorded(order: Order, application: Application) -> Order:
    return recorded(order, application.digest, application.revision)
