"""Growth: what is asked most, in small databases and in large ones."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from ..benchmark import Benchmark
from ..figures import Figure, against, at_most
from ..growth.filling import Size, fill
from ..growth.questions import Question, asking, questions
from ..progress import tell
from ..site import Site, migrated
from ..stores import Store

_SIZES = (Size(1_000, 10_000, 10), Size(10_000, 100_000, 1_000), Size(100_000, 1_000_000, 90_000))
_LARGER = (*_SIZES, Size(5_000, 3_000_000, 1_000), Size(1_000_000, 10_000_000, 100_000))
_QUICK = (Size(200, 400, 10), Size(2_000, 4_000, 1_000))


@dataclass(frozen=True, slots=True)
class _Filled:
    """A database of one size."""

    size: Size
    questions: Mapping[str, Question]
    ask: Callable[[Question, int], float]


def measure(site: Site) -> list[Figure]:
    """Measure on each database."""
    return [figure for store in site.stores for figure in _on(site, store)]


def _on(site: Site, store: Store) -> list[Figure]:
    with ExitStack() as stack:
        filled = [_filled(store, size, stack) for size in _sizes(site)]
        rounds = site.in_rounds(lambda _: _round(filled, site.size(10, 2)), f"growth on {store.facts.database}")
    shown = []
    for name in filled[0].questions:
        times = [tuple(one[name][index] for one in rounds) for index in range(len(filled))]
        for each, of_size in zip(filled, times, strict=True):
            shown.append(Figure(f"{name}: {each.size}", "ms", of_size, store.facts.database))
        growth = against(times[-1], times[0])
        shown.append(Figure(f"{name}: largest against smallest", "x", growth, store.facts.database, must=at_most(1.5)))
    return shown


def _sizes(site: Site) -> tuple[Size, ...]:
    return _LARGER if site.large else site.size(_SIZES, _QUICK)


def _filled(store: Store, size: Size, stack: ExitStack) -> _Filled:
    tell(f"{store.facts.database}: {size}")
    url = stack.enter_context(migrated(store))
    definitions = fill(store, url, size)
    return _Filled(size, questions(definitions), stack.enter_context(asking(url)))


def _round(filled: list[_Filled], times: int) -> dict[str, list[float]]:
    """Ask each question in each database, one size after the other, and return the milliseconds by question."""
    for one in filled:
        for question in one.questions.values():
            one.ask(question, 1)
    return {name: [one.ask(one.questions[name], times) for one in filled] for name in filled[0].questions}


BENCHMARK = Benchmark(
    "growth",
    "Growth",
    """What a replica and a person ask most, in databases of several sizes: a claim of 10 runs with their leases, the look at
what there is to do, the planning of 10 instants, the renewal of 100 leases, and what `leased status`, `leased status --json`, a page of
the API's `status` as JSON, `leased why NAME` and a `leased report` on ten minutes, in which each schedule was due ten times, read. All schedules are of
one application. Each is asked 10 times a round over one connection, after once to warm up, in a transaction that is undone;
the commit, which does not grow, is left out. `--large` adds 5,000 schedules with three million runs, and a million schedules
with ten million.""",
    measure,
    why_not_more="""`leased status` lists all schedules, so it grows with them, by 12 to 20 µs each: by `cProfile` half of that is reading the row and its
four instants. Nothing that a replica does asks for it. `leased status --json` also reads the definition of each, to say by when
its next success is expected, and a report counts all that was due.""",
)
