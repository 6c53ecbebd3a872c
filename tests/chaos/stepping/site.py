"""A PostgreSQL pair whose clock steps, and the fault that makes it step."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psycopg

from tests.support.binaries import Binaries, readable_temporary_folder
from tests.support.guardian import Guardian
from tests.support.moved_clock import ClockedServer, MovedClock
from tests.support.pair import Pair
from tests.support.postgres import plain

from .. import lanes
from ..diary import boottime
from ..faults.fault import SiteFault
from ..judgement import TTL
from ..site import CONFIG, WITNESS, PostgresSite
from ..worker import START_WITHIN
from .steps import Kind, Planned, Step, Steps, gain, walk

# After a step forward, each end of a replication would take the other for dead.
_STEADY = ("wal_sender_timeout = 0", "wal_receiver_timeout = 0")


class SteppedSite(PostgresSite):
    """Primary and standby go by one clock, so that it does not step in a failover."""

    def __init__(self, slots: Sequence[str], folder: Path, kind: Kind, seed: int) -> None:
        super().__init__(slots, folder)
        self.steps_are = kind
        if kind == "broken":  # of what a step passes over, ten minutes count as late, and all of it would queue up
            self.environment = {START_WITHIN: "10s"}
        self.done: list[Step] = []
        self.walk = walk(kind, seed)
        self.next: Planned | None = None

    def _begin(self, stack: ExitStack) -> None:
        place = readable_temporary_folder("leased-clock-")
        place.chmod(0o755)
        stack.callback(Guardian(place).end)
        self.clock = MovedClock(place)
        super()._begin(stack)
        with psycopg.connect(plain(self.server.url())) as connection:
            connection.execute(witness(self.clock))

    def gain(self, seconds: float) -> float:
        """Return by how much its clock gets ahead in so many seconds, at most."""
        return gain(self.steps_are, seconds)

    def step(self, seconds: float) -> None:
        """Step, and keep a record of it: of one forward when it began, of one back when it was over, as the database
        may have looked at its clock meanwhile, and counts as having seen the further one.
        """
        began = boottime()
        self.clock.step(seconds)
        self.done.append(Step(began if seconds > 0 else boottime(), seconds))

    @property
    def steps(self) -> Steps:
        """The steps until now."""
        return Steps(self.done)

    def _pair(self, programs: Binaries) -> Pair:
        return Pair(programs, config=(*CONFIG, *_STEADY), server=partial(ClockedServer, clock=self.clock))


def witness(clock: MovedClock) -> bytes:
    """Return what makes a database's witness go by the true time."""
    return (WITNESS / "steps.sql").read_text().replace("{file}", str(clock.file)).encode()


class _StepClock(SiteFault):
    def start(self) -> bool:
        site = self.scene.site
        assert isinstance(site, SteppedSite)
        assert site.next is not None
        self.costs_leases = site.steps_are == "broken"  # type: ignore[misc]
        site.step(site.next.seconds)
        return True


class StepForward(_StepClock):
    """Leases end the sooner; what is felt of it is over when they have been renewed."""

    kind = "clock forward"

    def stop(self) -> None:
        assert isinstance(self.scene.site, SteppedSite)
        far = self.scene.site.steps_are == "broken"
        self.until = self.scene.site.done[-1].at + (TTL if far else 0.001)


class StepBack(_StepClock):
    """Leases last the longer; what is felt of a far step lasts until the next one forward."""

    kind = "clock back"

    def stop(self) -> None:
        assert isinstance(self.scene.site, SteppedSite)
        if self.scene.site.steps_are == "kept":
            self.until = self.scene.site.done[-1].at + 0.001


def step_faults(site: SteppedSite) -> Iterator[lanes.Planned]:
    """Yield the steps as faults, each of which lasts until the next."""
    for planned in site.walk:
        site.next = planned
        yield lanes.Planned(StepForward if planned.seconds > 0 else StepBack, None, planned.stands, 0.0)
