"""`leased web`: the pages and the API, without running anything."""

import signal
from functools import partial
from typing import Annotated

import structlog
import typer

from lease.errors import StoreUnavailable

from ...service.outside.outside import SIGNAL_BASE, STOP_SIGNALS
from ...service.settings import read_settings
from ...service.web_service import WebAlone, nobody_runs
from ...store.statements.schedule import database_time
from ...telemetry.logs import LOGGER, flush_logs, set_up_logs
from ..ask import ask_url
from ..failures import Misused
from ..load_file import keep_what_is_loaded, load_file
from ..options import Database


def web(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="A file whose settings are to hold, as for `leased run`.")
    ] = None,
    database: Database = None,
    address: Annotated[str | None, typer.Option("--web", metavar="HOST:PORT", help="Address to serve HTTP on.")] = None,
) -> int:
    """Serve the pages and the API without running anything: they stay when the last replica is gone."""
    flags = {"database_url": database, "web": address}
    settings = read_settings(flags, load_file(file, flags).settings if file else None, source=file or "")
    if settings.web is None:
        raise Misused("web is off, so there is nothing to serve; give --web HOST:PORT")
    set_up_logs(settings.log_format, settings.log_level, None)
    log = structlog.stdlib.get_logger(LOGGER)
    try:
        said = ask_url(settings.database, nobody_runs)
    except StoreUnavailable as error:
        said = f"{error}; trying again"
    if said is not None:
        log.warning(said)
    alone = WebAlone(settings, settings.web, partial(ask_url, settings.database, database_time, patience=5.0))
    stopped_by: list[int] = []

    def stop(number: int, _frame: object) -> None:
        stopped_by.append(number)
        alone.stop()

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    keep_what_is_loaded()
    alone.serve(log.info, log.warning)
    flush_logs()
    return SIGNAL_BASE + stopped_by[0]
