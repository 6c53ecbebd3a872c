"""The look ahead: what would become of definitions if they were brought now, and who runs others."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ..definitions.application import Application
from ..scheduling.deploys.bring import Superseding, look, refusal, superseding
from ..scheduling.generations.order import recorded
from ..scheduling.generations.standing import Bringer, Forecast, forecast
from .generations import GenerationStanding, read_standings


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would become of definitions, and the other generations that live."""

    forecast: Forecast
    others: Sequence[GenerationStanding]
    refusal: str | None
    """Why they would be refused although they would be the newest: they retire all that living replicas run."""
    superseding: Superseding | None
    """The definitions of living replicas that these would supersede, if a replica brought them."""


def foresee(
    connection: Connection,
    application: Application,
    *,
    by: Bringer,
    take_over: bool = False,
    takeover_after: float,
    dead: Collection[str] = (),
) -> Foreseen:
    """Return what would become of definitions, brought by a ready replica or a sync; nothing is written. Replicas that
    are ``dead`` don't count, although nobody has recorded that.

    Raises `RevisionTaken`.
    """
    order, others = look(connection, application, None, dead)
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
    after = recorded(order, application.digest, application.revision)
    standings = read_standings(connection, application.name, dead=dead, takeover_after=takeover_after)
    return Foreseen(
        found,
        [one for one in standings if one.replicas and one.digest != application.digest],
        None if take_over else refusal(connection, application, after, others),
        superseding(connection, application, after, others, dead),
    )
