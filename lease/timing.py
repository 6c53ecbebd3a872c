"""How long a grant lasts, how often it is renewed, and when its holder stops trusting it (rule 3)."""

import math
from dataclasses import dataclass, fields
from typing import Self

from .durations import Duration, format_duration, parse_duration
from .errors import InvalidTiming

_DEFAULT_TTL = 15.0


@dataclass(frozen=True, slots=True)
class LeaseTiming:
    """The six durations of a lease, in seconds; checked when made, `InvalidTiming` says what does not fit.

    Use `LeaseTiming.of` to give durations as text, or the ttl alone.
    """

    ttl: float = _DEFAULT_TTL
    """How long a grant lasts after its last renewal, by the database's clock."""
    renew_every: float = 2.5
    """How often the heartbeat renews."""
    give_up: float = 10.0
    """How long after the last confirmed renewal was *sent* its holder stops trusting it."""
    attempt_timeout: float = 2.0
    """How long one attempt to reach the database may take, connecting included."""
    retry_wait: float = 0.25
    """How long to wait after a failed attempt before the next."""
    kill_time: float = 3.0
    """How long it may take until the work is dead once trust has ended."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value) or value < 0:
                raise InvalidTiming(f"{field.name} is {value}, but must be a number of seconds, not negative")
        if not self.attempt_timeout > 0:
            raise InvalidTiming("attempt_timeout is 0, but each attempt needs some time: set it above 0")
        if not self.renew_every > 0:
            raise InvalidTiming("renew_every is 0, but a renewal is due now and then: set it above 0")
        needed = self.renew_every + 2 * self.attempt_timeout + self.retry_wait
        if needed > self.give_up:
            raise InvalidTiming(
                f"renew_every + 2 x attempt_timeout + retry_wait is {_text(needed)}, more than give_up ({_text(self.give_up)}): "
                "one failed renewal would lose the lease; raise give_up or lower the others"
            )
        if not self.give_up + self.kill_time < self.ttl:
            raise InvalidTiming(
                f"give_up + kill_time is {_text(self.give_up + self.kill_time)}, not less than ttl ({_text(self.ttl)}): "
                "the work could outlive the lease; raise ttl or lower the others"
            )

    @classmethod
    def of(
        cls,
        ttl: Duration | None = None,
        *,
        renew_every: Duration | None = None,
        give_up: Duration | None = None,
        attempt_timeout: Duration | None = None,
        retry_wait: Duration | None = None,
        kill_time: Duration | None = None,
    ) -> Self:
        """Return a timing in which whatever is not given follows the ttl in proportion (a ttl of 30s renews each 5s)."""
        seconds = _DEFAULT_TTL if ttl is None else parse_duration(ttl)
        scale = seconds / _DEFAULT_TTL

        def part(given: Duration | None, default: float) -> float:
            return default * scale if given is None else parse_duration(given)

        return cls(
            ttl=seconds,
            renew_every=part(renew_every, 2.5),
            give_up=part(give_up, 10.0),
            attempt_timeout=part(attempt_timeout, 2.0),
            retry_wait=part(retry_wait, 0.25),
            kill_time=part(kill_time, 3.0),
        )

    @property
    def tolerated_outage(self) -> float:
        """How long the database may be away, in seconds, without any lease being lost."""
        return self.give_up - self.renew_every - self.attempt_timeout - self.retry_wait


def _text(seconds: float) -> str:
    return format_duration(seconds)
