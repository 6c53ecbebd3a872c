"""The look ahead: what would become of definitions if they were brought now, and who runs others."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ..definitions.application import Application
from ..scheduling.deploys.bring import look
from ..scheduling.generations import Forecast, forecast
from ..scheduling.generations.forecast import Bringer
from .generations import GenerationStanding, read_standings


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would become of definitions, and the other generations that live."""

    forecast: Forecast
    others: Sequence[GenerationStanding]


def foresee(
    connection: Connection, application: Application, *, by: Bringer, take_over: bool = False, takeover_after: float
) -> Foreseen:
    """Return what would become of definitions, brought by a ready replica or a sync; nothing is written.

    Raises `RevisionTaken`.
    """
    order, others = look(connection, application, None)
    if not take_over:
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
    standings = read_standings(connection, application.name, takeover_after=takeover_after)
    return Foreseen(found, [one for one in standings if one.replicas and one.digest != application.digest])
