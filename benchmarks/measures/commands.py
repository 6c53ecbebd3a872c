"""Commands: how many short ones a second, and what each costs."""

from sqlalchemy import func, select

from daemon.store.tables import job_run, run

from ..benchmark import Benchmark
from ..errors import BenchmarkError
from ..figures import Figure, Floor, at_least, at_most
from ..peers.bare import cpu_of_commands
from ..replicas.process import run_until_idle
from ..replicas.reading import Reader, reading
from ..site import Site, migrated
from ..stores import Store

_FILE = """
from daemon import Schedules

schedules = Schedules("commands")

for number in range(10):
    schedules.add(f"s{number}", every="1000h", overlap="queue").command("true", "true", timeout="1m")
"""
_PLACES = 10
_FEW, _MANY = 10, 410


def measure(site: Site) -> list[Figure]:
    """Measure on each database."""
    return [figure for store in site.stores for figure in _on(site, store)]


def _on(site: Site, store: Store) -> list[Figure]:
    def one_round(_: int) -> tuple[float, float, float]:
        few, many = _FEW, site.size(_MANY, 30)
        base = _run(site, store, few)[1]
        speed, used = _run(site, store, many)
        each = (used - base) / (many - few) * 1_000
        return speed, each, cpu_of_commands(many) / many * 1_000

    speed, cpu, bare = zip(*site.in_rounds(one_round, f"commands on {store.facts.database}"), strict=True)
    floor = Floor("subprocess.run", bare)
    return [
        Figure("commands at concurrency 10", "/s", speed, store.facts.database, must=at_least(60)),
        Figure("CPU of a command", "ms", cpu, store.facts.database, floor, at_most(10)),
    ]


def _run(site: Site, store: Store, commands: int) -> tuple[float, float]:
    """Return how many commands a second were run, and the seconds of CPU of all that took part."""
    file = site.new_folder() / "commands.py"
    file.write_text(_FILE, encoding="utf-8")
    with migrated(store) as url, reading(url) as reader:
        run_until_idle(url, file)  # brings the definitions
        for number in range(commands):
            reader.trigger("commands", f"s{number % _PLACES}")
        used = run_until_idle(url, file, "--concurrency", str(_PLACES))
        return commands / _seconds(reader, commands), used


def _seconds(reader: Reader, commands: int) -> float:
    """Return the time from the first start to the last end."""
    begun = reader.rows(select(func.min(job_run.c.started_at)))[0][0]
    ended, succeeded = reader.rows(select(func.max(run.c.finished_at), func.count()).where(run.c.state == "succeeded"))[
        0
    ]
    if succeeded != commands:
        raise BenchmarkError(f"{succeeded} of {commands} commands succeeded")
    return float((ended - begun).total_seconds())


BENCHMARK = Benchmark(
    "commands",
    "Commands",
    """A replica finds 410 runs of the command `true` waiting, at concurrency 10: from the first start to the last end. CPU is
that of the replica and of all its descendants, keepers and commands included, as the kernel adds it up when they have
ended; that of the same replica with 10 runs is subtracted. The floor is `subprocess.run(["true"])` in Python.""",
    measure,
)
