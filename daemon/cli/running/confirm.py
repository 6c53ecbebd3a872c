"""The question before `leased run` supersedes what living replicas run, asked where somebody can answer."""

import structlog

from ...definitions.application import Application
from ...errors import SchemaNotReady
from ...operations.foresee import foresee
from ...operations.generations import who_runs
from ...service.settings import Settings
from ...telemetry.logs import LOGGER
from ..ask import ask_url
from ..failures import NoDatabase
from ..question import NotConfirmed, can_be_asked, says_yes


def confirm_superseding(application: Application, settings: Settings, *, take_over: bool, yes: bool) -> None:
    """Ask before definitions supersede those that living replicas run. Where nobody can be asked, say so and
    go on. Nothing is written. Raises `NotConfirmed`, and `RevisionTaken`.
    """
    superseded = _superseded(application, settings, take_over=take_over)
    if superseded is None or yes:
        return
    if not can_be_asked():
        said = f'application "{application.name}": {superseded}; these definitions supersede theirs'
        structlog.stdlib.get_logger(LOGGER).info(said)
        return
    if not says_yes(f"{superseded} of {application.name}; supersede this? Nothing of theirs is cancelled."):
        raise NotConfirmed("nothing was started, and nothing was changed; --yes answers the question")


def _superseded(application: Application, settings: Settings, *, take_over: bool) -> str | None:
    """Return who runs what would be superseded; None if nobody does, or there are no tables yet."""
    try:
        found = ask_url(
            settings.database,
            lambda connection: foresee(
                connection, application, by="replica", take_over=take_over, takeover_after=settings.takeover_after
            ),
        )
    except (NoDatabase, SchemaNotReady):
        return None
    others = [one for one in found.others if one.digest in found.forecast.supersedes]
    return who_runs(others) if others else None
