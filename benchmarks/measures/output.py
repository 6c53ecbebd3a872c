"""Output: what it costs a replica when a command prints much."""

from sqlalchemy import func, select

from daemon.store.tables import run

from ..benchmark import Benchmark
from ..errors import BenchmarkError
from ..figures import Figure, Floor, at_most
from ..peers.bare import cpu_of_reader
from ..replicas.process import run_until_idle
from ..replicas.reading import reading
from ..site import Site, migrated
from ..stores import Store

_LINE = "a line of output as short as those of programs are"
_FILE = """
from daemon import Schedules

schedules = Schedules("output")
schedules.add("short", every="1000h").command("print", "yes '{line}' | head -n 1", timeout="5m")
schedules.add("long", every="1000h").command("print", "yes '{line}' | head -n {lines}", timeout="5m")
"""
_MB = 1_000_000


def measure(site: Site) -> list[Figure]:
    """Measure on each database."""
    return [figure for store in site.stores for figure in _on(site, store)]


def _on(site: Site, store: Store) -> list[Figure]:
    lines = site.size(50, 2) * _MB // (len(_LINE) + 1)

    def one_round(_: int) -> tuple[float, float]:
        reader, command = cpu_of_reader(["sh", "-c", f"yes '{_LINE}' | head -n {lines}"])
        return _cpu(site, store, "long", lines) - _cpu(site, store, "short", lines) - command, reader

    used, floor = zip(*site.in_rounds(one_round, f"output on {store.facts.database}"), strict=True)
    label = "CPU of the replica and its helpers, for 50 MB"
    return [Figure(label, "s", used, store.facts.database, Floor("a Python reader", floor), at_most(2.0))]


def _cpu(site: Site, store: Store, name: str, lines: int) -> float:
    """Return the seconds of CPU of a replica that runs this schedule, and of all that it starts."""
    file = site.new_folder() / "output.py"
    file.write_text(_FILE.format(line=_LINE, lines=lines), encoding="utf-8")
    with migrated(store) as url, reading(url) as reader:
        run_until_idle(url, file)  # brings the definitions
        reader.trigger("output", name)
        used = run_until_idle(url, file)
        if reader.rows(select(func.count()).where(run.c.state == "succeeded")) != [(1,)]:
            raise BenchmarkError("the command that prints did not succeed")
    return used


BENCHMARK = Benchmark(
    "output",
    "Output",
    f"""A command prints 50 MB in lines of {len(_LINE) + 1} bytes. CPU is that of the replica, its keeper and its template,
without that of the command, and without that of the same replica when the command prints one line. What is stored of it is
bounded. The floor is a Python program that reads the same from a pipe, line by
line.""",
    measure,
)
