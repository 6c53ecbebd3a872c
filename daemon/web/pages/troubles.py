"""What is wrong, as the first page says it: the sentence of `status` with links, and what helps. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from urllib.parse import quote, urlencode

from ...answers.status import StatusFound
from ...store.views.causes import WaitsForLock
from ...store.views.overview import Overview, RunningRun
from ...store.views.problems import Kind, Problem
from ...text import clean, counted, listed
from .links import schedule_path
from .standing import OF_KIND
from .states import SCHEDULES, Shown, Standing

MOST = 8
"""So many problems are listed; the filters show the others."""
_MOST_NAMED = 5
_OTHERS: Mapping[Kind, Shown] = {
    "no replica": Shown("no replica", "failed", "fail"),
    "no schedules": Shown("no schedules", "new", "idle"),
    "silent replica": Shown("silent replica", "stalled", "warn"),
    "blocked": Shown("blocked", "stalled", "warn"),
    "replaced": Shown("replaced", "deploy", "warn"),
    "held back": Shown("held back", "deploy", "warn"),
    "retired": Shown("retired", "cancelled", "warn"),
    "not delivered": Shown("not delivered", "missed", "warn"),
    "lock held": Shown("lock held", "lock", "warn"),
}
_ORDER: Sequence[Kind] = (
    *("no schedules", "no replica", "silent replica", "replaced", "held back", "blocked"),
    *("failing", "failed", "late", "lock held", "late to finish", "stuck", "long", "thinned", "missed", "never ran"),
    *("retired", "not delivered"),
)
"""The most serious first; those of one kind by the name of the schedule."""
_SENTENCE = re.compile(r"(?:the|run|no|there|at|[\d,]+) ")
_RUN = re.compile(r"\brun (\d{1,19})\b", re.ASCII)
_TYPED = re.compile(r"`([^`]+)`")


class SentencePart(NamedTuple):
    """A part of a sentence."""

    text: str
    url: str | None = None
    """Where it leads."""
    is_typed: bool = False
    """It is a command."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem, ready to be shown."""

    id: str
    """The same for as long as it lasts."""
    shown: Shown
    say: Sequence[SentencePart]
    remedy: Sequence[SentencePart]
    commands: Sequence[str] = ()
    """What to type, if no button helps."""
    printed: str = ""
    """The last line that the run printed."""
    acts: Sequence[tuple[str, str]] = ()
    """Buttons: their words, and where they lead."""


@dataclass(frozen=True, slots=True)
class Troubles:
    """What is wrong: the most serious, and how many more there are of each kind."""

    listed: Sequence[Trouble]
    total: int
    more: Sequence[tuple[str, Standing | None]]
    """What is not listed, in words, and by which filter it is found."""


def troubles(status: StatusFound) -> Troubles:
    """Return the problems of a status, the most serious first."""
    found = list(_folded(status.overview, sorted(status.problems, key=_rank)))
    rest = Counter(OF_KIND.get(one.kind) for one, _ in found[MOST:])
    more = [
        (f"{number:,} {SCHEDULES[standing].word}" if standing else f"{number:,} more", standing)
        for standing, number in rest.items()
    ]
    shown = [_trouble(status, one, with_it) for one, with_it in found[:MOST]]
    return Troubles([*_apart(shown)], len(status.problems), more)


def _apart(found: Sequence[Trouble]) -> Iterator[Trouble]:
    """Yield each with an id of its own: two replicas of an application may be silent."""
    known: Counter[str] = Counter()
    for one in found:
        known[one.id] += 1
        yield one if known[one.id] == 1 else replace(one, id=f"{one.id}-{known[one.id]}")


def _rank(one: Problem) -> tuple[int, int, str, str]:
    level = {"emergency": 0, "critical": 1}.get(one.level or "", 2)
    return _ORDER.index(one.kind), level, one.application or "", one.schedule or ""


def _folded(overview: Overview, problems: Sequence[Problem]) -> Iterator[tuple[Problem, Sequence[Problem]]]:
    """Yield the problems, those that have one cause as one: the runs that wait for the same lock."""
    locks = {one.run_id: one.why.lock for one in overview.waiting if isinstance(one.why, WaitsForLock)}
    by_lock: dict[str, list[Problem]] = {}
    for one in problems:
        if one.kind == "late" and one.run_id in locks:
            by_lock.setdefault(locks[one.run_id], []).append(one)
    for one in problems:
        same = by_lock.get(locks.get(one.run_id or 0, ""), []) if one.kind == "late" else []
        if not same or one is same[0]:
            yield one, same[1:]


def _trouble(status: StatusFound, one: Problem, with_it: Sequence[Problem]) -> Trouble:
    standing = OF_KIND.get(one.kind)
    shown = _OTHERS.get(one.kind) or SCHEDULES[standing or "late"]
    acts = _acts(one, status.overview)
    of = schedule_path(one.application or "", one.schedule) if one.schedule else quote(one.application or "")
    return Trouble(
        f"problem-{one.kind.replace(' ', '-')}-{of}",
        shown,
        linked(one),
        with_runs(_remedy(status, one, with_it)),
        () if acts else one.next,
        status.printed.get(one.run_id, "") if one.kind == "failing" and one.run_id is not None else "",
        acts,
    )


def linked(one: Problem) -> list[SentencePart]:
    """Return the sentence of a problem in parts: its schedule and its run lead to their pages."""
    text, name = clean(one.text), clean(one.schedule or "")
    text = text if text.endswith((".", "!", "?", "…")) else f"{text}."
    if _SENTENCE.match(text) and not text.startswith(f"{name} "):
        text = text[:1].upper() + text[1:]
    links: dict[str, str] = {}
    if one.run_id is not None:
        links |= {f"{word} {one.run_id}": f"runs/{one.run_id}" for word in ("run", "Run")}
    if one.application is not None and one.schedule:
        links[name] = schedule_path(one.application, one.schedule)
    parts: list[SentencePart] = []
    while text:
        places = [(at, -len(word), word) for word in links if (at := _place(text, word)) is not None]
        if not places:
            break
        at, _, word = min(places)
        parts += _typed(text[:at])
        parts.append(SentencePart(word, links[word]))
        text = text[at + len(word) :]
        links = {other: url for other, url in links.items() if url != links[word]}
    return [*parts, *_typed(text)]


def _typed(text: str) -> Iterator[SentencePart]:
    """Yield a text with its commands, which are between backticks, as parts of their own."""
    for number, part in enumerate(_TYPED.split(text)):
        if part:
            yield SentencePart(part, is_typed=number % 2 == 1)


def with_runs(text: str) -> list[SentencePart]:
    """Return a text in which each run leads to its page."""
    parts: list[SentencePart] = []
    for number, part in enumerate(_RUN.split(clean(text))):
        parts += [SentencePart(f"run {part}", f"runs/{part}")] if number % 2 else _typed(part)
    return parts


def _place(text: str, word: str) -> int | None:
    """Return where a word is in a text, and not a part of another one."""
    found = re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)
    return None if found is None else found.start()


def _acts(one: Problem, overview: Overview) -> list[tuple[str, str]]:
    of = None if one.application is None or one.schedule is None else schedule_path(one.application, one.schedule)
    run = None if one.run_id is None else f"runs/{one.run_id}"
    match one.kind:
        case "failing" if run and f"leased retry {one.run_id}" in one.next:
            return [("Output", f"{run}/output"), ("Retry …", f"{run}/retry")]
        case "failing" | "failed" if run:
            return [("Output", f"{run}/output"), ("Run", run)]
        case "long" if run:
            return [("Output", f"{run}/output"), ("Cancel …", f"{run}/cancel")]
        case "late to finish" if run:
            is_running = any(each.run_id == one.run_id for each in overview.running)
            return [("Output", f"{run}/output") if is_running else ("Run", run), ("Cancel …", f"{run}/cancel")]
        case "late" | "lock held" if run:
            return [("Locks", "fleet#locks")] if _waits_for_lock(overview, one) else [("Run", run)]
        case "missed" if of:
            return [("Schedule", of), ("Backfill …", f"{of}/backfill")]
        case "stuck" | "retired" if run:
            return [("Run", run)]
        case "no replica" if "`leased retire " in one.text:
            return [("Fleet", f"fleet?{urlencode({'application': one.application})}")]
        case "silent replica" | "blocked" | "replaced" | "held back":
            return [("Fleet", "fleet")]
        case _:
            return [("Schedule", of)] if of else []


def _remedy(status: StatusFound, one: Problem, with_it: Sequence[Problem]) -> str:
    """Return what is known that helps: never a guess at the cause."""
    overview = status.overview
    match one.kind:
        case "no replica":
            of = [line for line in overview.schedules if one.application in (None, line.application) and line.enabled]
            return f"{counted(len(of), 'schedule')} cannot start anything until one is running."
        case "failing" if f"leased retry {one.run_id}" in one.next:
            return f"Read its output, then retry run {one.run_id}."
        case "failing":
            return "It is tried again automatically. Read its output."
        case "late":
            why = next((each.why_text for each in overview.waiting if each.run_id == one.run_id), None)
            names = listed([each.schedule or "" for each in with_it], _MOST_NAMED)
            others = f" So {'does' if len(with_it) == 1 else 'do'} {names}." if with_it else ""
            if why is None:
                return others.strip()
            return f"{'It ' if why.startswith(('waits', 'was')) else ''}{why}.{others}"
        case "stuck":
            return "A replica with its definition takes it over."
        case "long" | "late to finish":
            run = next((each for each in overview.running if each.run_id == one.run_id), None)
            return "" if run is None else _of_running(run)
        case "missed":
            return "A backfill runs what was missed."
        case _:
            return ""


def _of_running(run: RunningRun) -> str:
    lease = f"Its lease is held (token {run.token})" if run.held else f"Its lease (token {run.token}) is not held"
    if run.job is None:
        return f"{lease}."
    done = f", which says: {run.job.message}" if run.job.message else ""
    return f"{lease}; it runs the job {run.job.job}{done}."


def _waits_for_lock(overview: Overview, one: Problem) -> bool:
    return any(each.run_id == one.run_id and isinstance(each.why, WaitsForLock) for each in overview.waiting)
