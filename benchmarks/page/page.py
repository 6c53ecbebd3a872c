"""The page: what is asked for and whether it is met, then each part with how it is measured."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from ..document import Document, Part
from ..figures import Figure
from ..registry import BENCHMARKS
from .numbers import bound, shown
from .pictures import pictures
from .tables import NAMES, table

_COLUMNS = 100
_CODE, _GLUE = re.compile(r"`[^`]+`"), "\0"
_INTRODUCTION = """What leased can do and what that costs, measured beside floors (the same work without leased) and peers
(the same work by others), each in the same rounds on the same machine. A figure is the median of the rounds, with their
range behind it; a ratio is the median of the ratios within each round. "Must" is what was asked for before anything was
measured. This page is written by `make bench`: whoever runs it gets a page of their own machine."""
_HOW = """`make bench` measures everything, in about a quarter of an hour, on SQLite and on a PostgreSQL server of its own whose
commits are durable (`fsync` and `synchronous_commit` on); SQLite is in WAL mode with `synchronous` full. Without PostgreSQL's
programs only SQLite is measured. `make bench PEERS=yes` installs the peers first. A part that is not measured keeps its former
figures, which stand in [benchmarks.json](benchmarks.json), each with its rounds, its day, its machine and its versions."""
_SHELL = """```sh
make bench
make bench ONLY=claims,trigger                          # these parts
make bench PEERS=yes ONLY=runs,locks                     # beside other queues and locks
python -m benchmarks --quick --json quick.json          # a look at everything, in a few minutes
python -m benchmarks --only none --page                 # write the page again
```"""
_NOT_SAID = """- **Not how many replicas to run.** The work is empty, and replicas, database and peers share the cores of one machine.
  Real jobs take orders of magnitude longer than their bookkeeping.
- **Not how fast your machine is.** The database is on the same machine, over the loopback interface. Over a network, each
  statement takes another round trip: some 12 for a set of runs.
- **Not how the peers compare as a whole.** They do other work: none has a fenced end, and a queue has no schedules.
- **SQLite has one writer.** There, more replicas are for safety, not for speed: they wait for each other's commits.
- **Not measured**: Windows and macOS, PostgreSQL behind a pooler or a network, an asynchronous standby, jobs that work."""


def write_page(document: Document, folder: Path) -> None:
    """Write the page and its pictures into the folder of the docs."""
    drawn = pictures(document)
    for name, svg in drawn.items():
        (folder / "images" / f"{name}.svg").write_text(svg, encoding="utf-8")
    (folder / "benchmarks.md").write_text(page(document, tuple(drawn)), encoding="utf-8")


def page(document: Document, drawn: tuple[str, ...] = ()) -> str:
    """Return its text, with those of the pictures that are drawn."""
    lines = ["# Benchmarks", "", *_prose(_INTRODUCTION), "", *_picture("benchmarks-musts", drawn)]
    lines += ["## What was asked for", "", *_verdicts(document), ""]
    lines += ["## How to run them", "", *_prose(_HOW), "", _SHELL, ""]
    for benchmark in BENCHMARKS:
        lines += [f"## {benchmark.title}", "", *_prose(benchmark.how), ""]
        part = document.get(benchmark.key)
        if part is None:
            lines += [f"Not measured yet: `make bench ONLY={benchmark.key}`.", ""]
            continue
        lines += [*_picture(f"benchmarks-{benchmark.key}", drawn), *table(part.figures), ""]
        if benchmark.why_not_more and any(figure.must is not None and not figure.met for figure in part.figures):
            lines += [*_prose(f"**Why not more.** {benchmark.why_not_more}"), ""]
        lines += [*_of_part(part), ""]
    lines += ["## What they don't say", "", *_prose(_NOT_SAID), ""]
    return "\n".join(lines)


def _picture(name: str, drawn: tuple[str, ...]) -> list[str]:
    words = {
        "benchmarks-musts": "Each figure as a share of what is allowed",
        "benchmarks-runs": "Runs a second of leased and of peers",
        "benchmarks-growth": "What is asked most, by the size of the database",
    }
    return [f"![{words[name]}](images/{name}.svg)", ""] if name in drawn else []


def _verdicts(document: Document) -> Iterator[str]:
    """Yield how many bounds are kept, and a line for each that is not."""
    asked = [
        (benchmark.title, figure)
        for benchmark in BENCHMARKS
        if benchmark.key in document and not document[benchmark.key].quick
        for figure in document[benchmark.key].figures
        if figure.must is not None
    ]
    missed = [(title, figure) for title, figure in asked if not figure.met]
    if hurried := [
        benchmark.title for benchmark in BENCHMARKS if benchmark.key in document and document[benchmark.key].quick
    ]:
        yield from (*_prose(f"Measured in a hurry, and not judged here: {', '.join(hurried)}."), "")
    yield f"{len(asked) - len(missed)} of {len(asked)} bounds are met." + (" Not met:" if missed else "")
    if missed:
        yield ""
        yield from ("| part | figure | database | measured | must |", "| --- | --- | --- | ---: | --- |")
        yield from (_missed(title, figure) for title, figure in missed)


def _missed(title: str, figure: Figure) -> str:
    anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
    link = f"[{title}](#{anchor})"
    unit = f" {figure.unit}" if figure.unit not in {"", "x"} else ""
    must = bound(figure.must) if figure.must else ""
    database = NAMES[figure.database] if figure.database else ""
    return f"| {link} | {figure.label} | {database} | {shown(figure.median)}{unit} | {must} |"


def _of_part(part: Part) -> list[str]:
    """Say on what it was measured."""
    machine, versions = part.machine, dict(part.versions)
    named = ", ".join(f"{NAMES.get(name, name)} {version}" for name, version in versions.items())
    rounds = max((len(figure.rounds) for figure in part.figures), default=0)
    quick = " **Measured in a hurry (`--quick`): no figures to go by.**" if part.quick else ""
    text = (
        f"Measured on {part.day}, {rounds} {'round' if rounds == 1 else 'rounds'} in {part.seconds:.0f} s: {machine['cores']} cores, "
        f"{machine['system']}, a page is on the disk after {machine['flush'] * 1_000:.1f} ms; {named}.{quick}"
    )
    lines = _prose(text)
    for sentence in part.left_out:
        lines += ["", *_prose(f"Left out: {sentence}")]
    return lines


def _prose(text: str) -> list[str]:
    """Return paragraphs and lists in lines that are not too wide."""
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        for item in re.split(r"\n(?=- )", paragraph):
            words = _CODE.sub(lambda code: code[0].replace(" ", _GLUE), " ".join(item.split()))
            indent = "  " if words.startswith("- ") else ""
            wrapped = textwrap.wrap(
                words, _COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
            )
            lines += [line.replace(_GLUE, " ") for line in wrapped]
        lines.append("")
    return lines[:-1]
