"""What goes wrong for whom, and for how long: decided by the seed, before anything runs."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from lease import LeaseTiming


class Kind(StrEnum):
    SILENT = "silent"
    """Requests and replies are lost."""
    REFUSED = "refused"
    """Requests are answered at once: the database is away."""
    DEAF = "deaf"
    """Requests arrive, replies are lost: what was asked for has happened all the same."""
    PARKED = "parked"
    """Requests arrive late, up to three ttl, whoever waits for them still."""
    FAULTY = "faulty"
    """A renewal raises what nobody expects."""
    PAUSED = "paused"
    """The process does not run."""
    ASLEEP = "asleep"
    """The machine sleeps: its event loop's time stands still, its clock goes on."""
    CRASHED = "crashed"
    """The process is gone; a new one comes when this is over."""


STOPS = (Kind.PAUSED, Kind.ASLEEP)


@dataclass(frozen=True, slots=True)
class Fault:
    """A time in which something is wrong, in true seconds."""

    kind: Kind
    began: float
    ended: float
    severe: bool
    """It may cost a lease."""

    def at(self, moment: float) -> bool:
        return self.began <= moment < self.ended


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is decided of a trial as a whole."""

    timing: LeaseTiming
    round_trip: float
    """The longest round trip where nothing is wrong."""
    slowest_rate: float
    quickest_rate: float

    @property
    def harmless(self) -> float:
        """How long a fault may last that costs no lease, by the client's own clock: the tolerated outage, less what the next attempt takes."""
        slop = 0.1 * self.timing.attempt_timeout
        return self.timing.tolerated_outage - self.round_trip * self.quickest_rate - slop

    @property
    def recovery(self) -> float:
        """How long after a fault a renewal has been confirmed for sure."""
        timing = self.timing
        return 1.3 * (timing.attempt_timeout + timing.retry_wait + timing.renew_every + self.round_trip)


def conditions(random: Random) -> Conditions:
    """Choose a timing (the default one, or one as tight as rule 3 allows), how slow the network is, and how far clocks drift."""
    timing = LeaseTiming(ttl=random.choice([6.0, 15.0, 30.0])) if random.random() < 0.4 else _tight(random)
    least = (timing.give_up + timing.kill_time) / timing.ttl
    return Conditions(
        timing,
        round_trip=timing.attempt_timeout * random.choice([0.05, 0.2, 0.6]),
        slowest_rate=max(0.88, least + 0.4 * (1 - least)),
        quickest_rate=1.12,
    )


def _tight(random: Random) -> LeaseTiming:
    attempt = random.uniform(0.5, 3.0)
    retry, renew = random.uniform(0.05, 0.3) * attempt, random.uniform(0.5, 2.0) * attempt
    give_up = renew + 2 * attempt + retry + random.choice([1e-6, random.uniform(0, 3) * attempt])
    kill = random.uniform(0.2, 1.0) * attempt
    ttl = give_up + kill + random.uniform(0.1, 0.6) * attempt
    return LeaseTiming(
        ttl, renew_every=renew, give_up=give_up, attempt_timeout=attempt, retry_wait=retry, kill_time=kill
    )


def plan(random: Random, given: Conditions, rate: float, began: float, ended: float) -> list[Fault]:
    """Choose the faults of one client: none, only such as cost no lease, or any."""
    health = random.choice(["well", "mild", "mild", "severe", "severe"])
    if health == "well" or (health == "mild" and given.harmless <= 0):
        return []
    severe = health == "severe"
    faults: list[Fault] = []
    moment = began + random.uniform(0, given.timing.ttl)
    while moment < ended:
        longest = 2.5 * given.timing.ttl if severe else given.harmless / rate
        length = longest * random.choice([0.001, random.random(), random.random()])
        if severe and random.random() < 0.3:  # about as long as trust lasts, where most can go wrong
            timing = given.timing
            length = (timing.give_up + random.uniform(-timing.renew_every, timing.kill_time)) / rate
        kinds = [kind for kind in Kind if severe or kind is not Kind.CRASHED]
        faults.append(Fault(random.choice(kinds), moment, min(moment + length, ended), severe))
        least = 0.0 if severe and random.random() < 0.3 else given.recovery
        moment += length + least + random.expovariate(2 / given.timing.ttl)
    return faults
