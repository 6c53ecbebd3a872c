"""The set-up of logging: all lines, also those of libraries, go to stderr as text or JSON."""

import logging
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from ..errors import escaped
from .courier import Courier

LOGGER = "leased"
_QUIET = ("alembic", "asyncio", "sqlalchemy", "uvicorn")
"""Libraries of which only warnings and errors are logged."""
MOST_CHARACTERS = 8 * 1024 * 1024
"""The queued characters above which further lines are dropped."""
_PATIENCE = 2.0
"""Seconds without a line written after which stderr is taken for not being read."""


_is_set_up = False


def log(level: int, text: str, **values: Any) -> None:
    """Write one line: as `set_up_logs` has it or, in a program that sees to its logging itself, through the
    standard library alone, the values after the text, and in `extra` as ``leased``.
    """
    logger = logging.getLogger(LOGGER)
    if not logger.isEnabledFor(level):  # asked here, as structlog makes a logger first
        return
    if _is_set_up:
        structlog.stdlib.get_logger(LOGGER).log(level, text, **values)
    else:
        shown = (f"{name}={_word(value)}" for name, value in values.items())
        logger.log(level, " ".join([text, *shown]), extra={LOGGER: values})


def _word(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and text and not set(text) & set(" =\"'") else repr(text)


def set_up_logs(
    format_: Literal["text", "json"],
    level: Literal["debug", "info", "warning", "error"],
    replica: str | None = None,
) -> None:
    """Send the lines of all loggers through one formatter to stderr; each names ``replica``, if it is given."""
    global _is_set_up  # noqa: PLW0603 - as what is set up, it is one for the process
    _is_set_up = True
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        _time_stamper(format_),
        *([] if replica is None else [_naming(replica)]),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(format_)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _naming(replica: str) -> structlog.typing.Processor:
    def name(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("replica", replica)
        return event

    return name


def _time_stamper(format_: Literal["text", "json"]) -> structlog.processors.TimeStamper:
    """Return what gives lines their time: the local time of day at a terminal, and the full instant elsewhere."""
    if format_ == "text" and sys.stderr.isatty():
        return structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
    return structlog.processors.TimeStamper(fmt="iso", utc=True)


def _renderers(format_: Literal["text", "json"]) -> list[structlog.typing.Processor]:
    if format_ == "json":
        return [
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),  # they may be secrets
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(),
        ]
    colors = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    return [
        _printable,
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0),
    ]


def _printable(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Escape what a terminal would obey: values hold what jobs say."""
    return {name: escaped(value) if isinstance(value, str) else value for name, value in event.items()}


class _Stderr(logging.Handler):
    """Formats a line where it is logged, and has it written on another thread."""

    def __init__(self) -> None:
        super().__init__()
        self._writer = line_writer(self._about_dropped)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._writer.put(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001 - as every handler of the standard library does
            self.handleError(record)

    def flush(self) -> None:
        """Wait until the lines so far are written, unless stderr is not being read."""
        self._writer.flush(_PATIENCE)

    def _about_dropped(self, number: int) -> str:
        text = f"log lines dropped, because stderr was not being read: {number}"
        known = {"name": LOGGER, "levelno": logging.WARNING, "levelname": "WARNING", "msg": text}
        return f"{self.format(logging.makeLogRecord(known))}\n"


def flush_logs() -> None:
    """Wait until the lines logged so far are written, unless stderr is not being read."""
    for handler in logging.getLogger().handlers:
        handler.flush()


# Standard error


def line_writer(about_dropped: Callable[[int], str]) -> Courier[str]:
    """Return what writes lines in order, to the current sys.stderr or `written_to`; a pipe that is not read delays no
    caller.
    """
    return Courier("log", _write_out, about_dropped, cost=len, most_cost=MOST_CHARACTERS)


_streams: list[TextIO | None] = []


@contextmanager
def written_to(stream: TextIO | None) -> Iterator[None]:
    """Write lines to ``stream`` during the block, even if a job in this process redirects sys.stderr."""
    _streams.append(stream)
    try:
        yield
    finally:
        _streams.pop()


def _write_out(line: str) -> None:
    """Write to stderr without its lock, which a stuck thread would still hold when Python exits."""
    stream = _streams[-1] if _streams else sys.stderr  # None where it was closed before Python started
    if stream is None:
        return
    try:
        real = sys.__stderr__
        if real is None or stream is not real:  # a live display, or a test
            stream.write(line)
            stream.flush()
            return
        descriptor, data = real.fileno(), line.encode(errors="backslashreplace")
        while data:
            try:
                data = data[os.write(descriptor, data) :]
            except BlockingIOError:
                select.select([], [descriptor], [])
    except (OSError, ValueError):  # closed: there is no reader left
        return
