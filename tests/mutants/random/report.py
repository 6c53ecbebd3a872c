"""What is told of a campaign of random mutants."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tests.mutants.random.again import Earlier, Name, Named
from tests.mutants.random.drawing import Drawn
from tests.mutants.random.trial import Trial

Fate = Literal["caught", "survived", "equivalent", "gone"]
FATES: tuple[Fate, ...] = ("caught", "survived", "equivalent", "gone")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant, and of the same one in an earlier campaign."""

    drawn: Drawn | None
    """None: what it changed is gone."""
    trial: Trial | None = None
    equivalent: str | None = None
    earlier: Earlier | None = None

    @property
    def fate(self) -> Fate:
        if self.drawn is None:
            return "gone"
        if self.equivalent:
            return "equivalent"
        return "survived" if self.caught_by is None else "caught"

    @property
    def caught_by(self) -> str | None:
        return None if self.trial is None else self.trial.by

    @property
    def to_try(self) -> bool:
        return self.drawn is not None and not self.equivalent

    @property
    def caught_before(self) -> str | None:
        return None if self.earlier is None else self.earlier.caught_by

    @property
    def caught_no_more(self) -> bool:
        return self.fate != "caught" and self.caught_before is not None

    @property
    def name(self) -> Name:
        if self.drawn is not None:
            return Name.of(self.drawn)
        if self.earlier is None:
            raise ValueError("a mutant is drawn now, or was earlier")
        return self.earlier.name

    @property
    def place(self) -> str:
        return self.drawn.place if self.drawn is not None else f"{self.name.file}: {self.name.scope}"


def table(results: Sequence[Result]) -> str:
    """Return a line for each mutant, those that survived last, and the sums."""
    lines = [f"{one.place}  {one.name.what}: {one.caught_by}" for one in results if one.fate == "caught"]
    for one in results:
        if one.fate != "caught":
            lines += [f"{one.place}  {one.name.what}: {_said(one)}", f"    - {one.name.was}", f"    + {one.name.now}"]
    rooms = sorted({_room(one) for one in results})
    if len(rooms) > 1:
        lines += [f"{room}: {_sum([one for one in results if _room(one) == room])}" for room in rooms]
    seconds = sum(one.trial.seconds for one in results if one.trial is not None)
    lines.append(f"{len(results)} mutants: {_sum(results)} ({seconds:.0f} s)")
    lines.extend(_compared(results))
    return "\n".join(lines)


def as_json(results: Sequence[Result], named: Named) -> list[dict[str, Any]]:
    """Return the same for programs, with what finds each mutant again in another tree."""
    return [_one(result, named) for result in results]


def _one(result: Result, named: Named) -> dict[str, Any]:
    name, trial, earlier = result.name, result.trial or Trial(None, 0, 0.0), result.earlier
    return {
        "place": result.place,
        "file": name.file,
        "scope": name.scope,
        "what": name.what,
        "was": name.was,
        "now": name.now,
        "nth": named.nth(result.drawn) if result.drawn is not None else earlier.nth if earlier is not None else 0,
        "fate": result.fate,
        "caught_by": result.caught_by,
        "equivalent": result.equivalent,
        "tests": trial.tests,
        "left_out": trial.left_out,
        "uncertain": trial.uncertain,
        "seconds": round(trial.seconds, 1),
        **({} if earlier is None else {"caught_before_by": earlier.caught_by}),
    }


def _said(result: Result) -> str:
    before = f", caught before by {result.caught_before}" if result.caught_no_more else ""
    match result.fate:
        case "gone":
            return f"GONE{before}"
        case "equivalent":
            return f"equivalent: {result.equivalent}"
        case _:
            trial = result.trial or Trial(None, 0, 0.0)
            more = f" ({trial.left_out} more were left out for time)" if trial.left_out else ""
            failed = f" (failures that do not count: {', '.join(trial.uncertain)})" if trial.uncertain else ""
            return f"SURVIVED {trial.tests} tests{more}{failed}{before}"


def _room(result: Result) -> str:
    return "/".join(result.name.file.split("/")[:-1][:2])


def _sum(results: Sequence[Result]) -> str:
    counted = Counter(one.fate for one in results)
    return ", ".join(f"{counted[fate]} {fate}" for fate in FATES if counted[fate] or fate in FATES[:2])


def _compared(results: Sequence[Result]) -> Iterator[str]:
    if any(one.earlier is not None for one in results):
        before = sum(1 for one in results if one.caught_before)
        no_more = sum(1 for one in results if one.caught_no_more)
        others = sum(1 for one in results if one.fate == "caught" and not one.caught_before)
        yield f"before: {before} caught; of these {no_more} are not now, and {others} others are"
