"""`leased init`: a first FILE."""

import re
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Annotated, Literal

import typer

from ....definitions.values.strings import LONGEST
from ....errors import DaemonError
from ...failures import Misused
from ...options import Json, local_zone
from ...screen import say, screen, write_json


class NotWritten(DaemonError):
    """A file could not be written; nothing of it is left."""


def write_new(path: Path, text: str) -> None:
    """Write a file that does not exist yet; raises `Misused` if it does, and `NotWritten` if that fails."""
    try:
        file = path.open("x", encoding="utf-8")
    except FileExistsError:
        raise Misused(f"{path} already exists and was not changed; name another file, or move this one") from None
    except OSError as error:
        raise NotWritten(f"{path} cannot be written: {error.strerror}; name another file") from None
    try:
        with file:
            file.write(text)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise NotWritten(f"{path} cannot be written: {error.strerror}; name another file") from None


PYTHON = '''\
"""The schedules of APPLICATION.

    leased check FILE                            validate, and show the next runs
    leased run FILE --now hello --until-idle     run hello once, then exit
    leased run FILE                              run what is due until Ctrl-C
    leased trigger hello                         from another terminal: run hello again
    leased status                                what is running and what is next
"""

from daemon import Run, Schedules

# keep: delete a run after 90 days, but never one of the last 500 of its schedule.
schedules = Schedules("APPLICATION", timezone="TIMEZONE", keep={"days": 90, "runs": 500})

# Its jobs run in this order, each only if the one before it has succeeded.
hello = schedules.add("hello", cron="*/5 * * * *", description="Every five minutes")


@hello.job(timeout="1m", retries=2)
def greet(run: Run) -> None:
    print(f"hello, this is {run.schedule}, due at {run.scheduled_for}, attempt {run.attempt}")


hello.command("disk", "df -h .", timeout="30s")

# Once a night, in the time zone TIMEZONE. If no replica was running at that time, it runs later.
nightly = schedules.add("nightly", cron="30 2 * * *", catch_up="latest", overlap="skip")
nightly.command("report", "echo \\"the report of $LEASED_SCHEDULED_FOR\\"", timeout="10m")
'''

TOML = """\
# The schedules of APPLICATION.
#
#   leased check FILE                            validate, and show the next runs
#   leased run FILE --now hello --until-idle     run hello once, then exit
#   leased run FILE                              run what is due until Ctrl-C
#   leased trigger hello                         from another terminal: run hello again
#   leased status                                what is running and what is next
application = "APPLICATION"

[defaults]  # for every schedule and job that sets nothing else
timezone = "TIMEZONE"
timeout = "10m"
keep = { days = 90, runs = 500 }  # delete a run after 90 days, but never one of the last 500

[schedules.hello]
description = "Every five minutes"
cron = "*/5 * * * *"
jobs = [  # they run in this order, each only if the one before it has succeeded
  { name = "greet", command = 'echo "hello, this is run $LEASED_RUN of $LEASED_SCHEDULE"', retries = 2 },
  { name = "disk", command = "df -h .", timeout = "30s" },
]

# Once a night, in the time zone TIMEZONE. If no replica was running at that time, it runs later.
[schedules.nightly]
cron = "30 2 * * *"
catch_up = "latest"
overlap = "skip"
jobs = [{ name = "report", command = 'echo "the report of $LEASED_SCHEDULED_FOR"' }]
"""


Form = Literal["python", "toml"]
_SUFFIXES: dict[str, Form] = {".py": "python", ".toml": "toml"}
_PLAIN = re.compile(r"[^\x00-\x1f\x7f'\"\\]+")
_COMMAND = re.compile(r"^([# ]+leased .+?) {2,}(?=\S)", re.MULTILINE)
"""A command in the text, up to what it does, which is put into one column."""


@dataclass(frozen=True, slots=True)
class InitAnswer:
    """The answer of `leased init --json`."""

    file: str
    form: Form
    application: str
    timezone: str


def init(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A name that ends with .py or .toml.", show_default="schedules.py"),
    ] = None,
    python: Annotated[bool, typer.Option("--python", help="Write Python: functions and commands.")] = False,
    toml: Annotated[bool, typer.Option("--toml", help="Write TOML: commands only.")] = False,
    as_json: Json = False,
) -> None:
    """Write a first FILE of schedules, in Python or TOML, that runs without changes."""
    path, form = _chosen(file, python=python, toml=toml)
    name, zone = application_name(Path.cwd().name) or "app", local_zone()
    file_shown = quote(str(path))
    put_in = {"FILE": file_shown, "APPLICATION": name, "TIMEZONE": zone}
    text = re.sub("|".join(put_in), lambda mark: put_in[mark[0]], PYTHON if form == "python" else TOML)
    width = max(len(command[1]) for command in _COMMAND.finditer(text))
    write_new(path, _COMMAND.sub(lambda command: f"{command[1]:{width}}    ", text))
    if as_json:
        write_json("init", InitAnswer(str(path), form, name, zone))
        return
    console = screen()
    say(console, f"{path} written: two schedules of {name}, time zone {zone}")
    for what, command in (
        ("validate it:", f"leased check {file_shown}"),
        ("run one now:", f"leased run {file_shown} --now hello --until-idle"),
        ("run until Ctrl-C:", f"leased run {file_shown}"),
        ("run it again, then:", "leased trigger hello"),
    ):
        say(console, command, lead=f"  {what:20}")


def _chosen(file: Path | None, *, python: bool, toml: bool) -> tuple[Path, Form]:
    """Return which file to write, and in which form; raises `Misused`."""
    if python and toml:
        raise Misused("--python and --toml contradict each other; leave one out")
    asked: Form | None = "toml" if toml else "python" if python else None
    if file is None:
        return Path("schedules.toml" if asked == "toml" else "schedules.py"), asked or "python"
    form = _SUFFIXES.get(file.suffix)
    if form is None:
        raise Misused(f'"{file}" ends with neither .py nor .toml; use one of these')
    if not _PLAIN.fullmatch(str(file)):
        raise Misused(f'"{file}" has quotes, backslashes or control characters; choose a plainer name')
    if asked is not None and form != asked:
        raise Misused(f'--{asked} contradicts the name "{file}"; leave one of them out')
    return file, form


def application_name(text: str) -> str:
    """Return as much of a text as can be the name of an application."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-")[: LONGEST["application"]]
