"""The question before `leased run` supersedes what living replicas run, asked where somebody can answer."""

import structlog

from ...definitions.application import Application
from ...errors import SchemaNotReady
from ...operations.foresee import Foreseen, foresee
from ...operations.generations import who_runs
from ...service.settings import Settings
from ...telemetry.logs import LOGGER
from ...text import listed
from ..ask import ask_url
from ..failures import NoDatabase
from ..question import NotConfirmed, can_be_asked, says_yes


def confirm_superseding(application: Application, settings: Settings, *, take_over: bool, yes: bool) -> None:
    """Ask before definitions supersede those that living replicas run; where some of these would be retired, that
    takes --take-over. Where nobody can be asked, say so and go on. Nothing is written. Raises `NotConfirmed`,
    and `RevisionTaken`.
    """
    found = _foreseen(application, settings, take_over=take_over)
    others = [] if found is None else [one for one in found.others if one.digest in found.forecast.supersedes]
    if found is None or not others or yes or found.refusal is not None:  # it is refused with its own sentence
        return
    superseded = who_runs(others)
    if not can_be_asked():
        said = f'application "{application.name}": {superseded}; these definitions supersede theirs'
        structlog.stdlib.get_logger(LOGGER).info(said)
        return
    if found.retires and not take_over:
        raise NotConfirmed(
            f"{superseded} of {application.name}; this would retire {listed(found.retires)}. Nothing was started, and "
            "nothing was changed; if that is meant, add --take-over"
        )
    if found.retires:
        return
    if not says_yes(f"{superseded} of {application.name}; supersede them? None of their runs is cancelled."):
        raise NotConfirmed("nothing was started or changed; --yes skips the question")


def _foreseen(application: Application, settings: Settings, *, take_over: bool) -> Foreseen | None:
    """Return what would become of the definitions; None if there are no tables yet."""
    try:
        return ask_url(
            settings.database,
            lambda connection: foresee(
                connection, application, by="replica", take_over=take_over, takeover_after=settings.takeover_after
            ),
        )
    except (NoDatabase, SchemaNotReady):
        return None
