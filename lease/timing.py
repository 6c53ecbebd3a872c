"""The timing of a lease: how long a grant lasts, how often it is renewed, and when its holder stops
trusting it (rule 3).
"""

import math
from dataclasses import dataclass

from .durations import Duration, format_duration, parse_duration
from .errors import InvalidDuration, InvalidTiming

_DEFAULTS = {
    "ttl": 15.0,
    "renew_every": 2.5,
    "give_up": 10.0,
    "attempt_timeout": 2.0,
    "retry_wait": 0.25,
    "kill_time": 3.0,
}

_MOST = {"attempt_timeout": 5.0, "retry_wait": 1.0, "kill_time": 10.0}
"""What follows a long ttl only so far, in seconds: nobody wants to wait for hours until an attempt has failed, or
work is killed. Whoever does says so.
"""
LONGEST_TTL = 30 * 86_400.0
"""Seconds that a name may stay locked after its holder's death; what takes longer is meant to be a row in a table."""
LEAST_ATTEMPT = 0.2
"""The shortest attempt that can work, in seconds. One that has to connect first (after a failure each
does) takes ten round trips and the hash of the password: measured, 12 ms beside the server, 170 ms
there on a busy machine, and 10 ms for each millisecond of network between.
"""
LEAST_TTL = LEAST_ATTEMPT * _DEFAULTS["ttl"] / _DEFAULTS["attempt_timeout"]
"""The shortest ttl from which the other durations can follow."""


@dataclass(frozen=True, slots=True, init=False)
class LeaseTiming:
    """The six durations of a lease, in seconds. Raises `InvalidTiming` if they do not fit together.

    By default the ttl is 15 s. Durations that you do not give scale with it: a ttl of 15 s renews every 2.5 s, a ttl of
    30 s every 5 s. But then `attempt_timeout` is at most 5 s, `retry_wait` 1 s and `kill_time` 10 s.
    """

    ttl: float
    """How long a grant lasts after its last renewal, by the database's clock."""
    renew_every: float
    """How often the heartbeat renews."""
    give_up: float
    """How long after the last confirmed renewal was *sent* its holder stops trusting it."""
    attempt_timeout: float
    """How long one attempt to reach the database can take, including connecting."""
    retry_wait: float
    """How long to wait after a failed attempt."""
    kill_time: float
    """How long the work can take to stop once trust has ended."""

    def __init__(
        self,
        ttl: Duration | None = None,
        *,
        renew_every: Duration | None = None,
        give_up: Duration | None = None,
        attempt_timeout: Duration | None = None,
        retry_wait: Duration | None = None,
        kill_time: Duration | None = None,
    ) -> None:
        given = {
            "ttl": ttl,
            "renew_every": renew_every,
            "give_up": give_up,
            "attempt_timeout": attempt_timeout,
            "retry_wait": retry_wait,
            "kill_time": kill_time,
        }
        scale = 1.0 if ttl is None else _seconds("ttl", ttl) / _DEFAULTS["ttl"]
        for name, default in _DEFAULTS.items():
            value = given[name]
            follows = min(default * scale, _MOST.get(name, math.inf))
            object.__setattr__(self, name, follows if value is None else _seconds(name, value))
        self._check()

    def _check(self) -> None:
        if self.ttl > LONGEST_TTL:
            raise InvalidTiming(
                f"ttl is {format_duration(self.ttl)}, more than {format_duration(LONGEST_TTL)}: the lease of a holder that "
                "has died stays locked for as long; lower it (work of any length is renewed while it runs)"
            )
        if self.attempt_timeout < LEAST_ATTEMPT * (1 - 1e-9):
            raise InvalidTiming(
                f"attempt_timeout is {format_duration(self.attempt_timeout)} (of a ttl of {format_duration(self.ttl)}), "
                f"but an attempt may have to connect first, which takes up to {format_duration(LEAST_ATTEMPT)} even nearby: "
                f"raise it to that, or raise ttl to {format_duration(LEAST_TTL)} if it follows the ttl"
            )
        if not self.renew_every > 0:
            raise InvalidTiming("renew_every is 0, but renewals need some time between them: set it above 0")
        needed = self.renew_every + 2 * self.attempt_timeout + self.retry_wait
        if needed > self.give_up:
            raise InvalidTiming(
                f"renew_every + 2 x attempt_timeout + retry_wait is {format_duration(needed)}, more than give_up ({format_duration(self.give_up)}): "
                "one failed renewal would lose the lease; raise give_up or lower the others"
            )
        if not self.give_up + self.kill_time < self.ttl:
            raise InvalidTiming(
                f"give_up + kill_time is {format_duration(self.give_up + self.kill_time)}, not less than ttl ({format_duration(self.ttl)}): "
                "the work could outlive the lease; raise ttl or lower the others"
            )

    @property
    def tolerated_outage(self) -> float:
        """How long the database may be away, in seconds, without any lease being lost."""
        return self.give_up - self.renew_every - self.attempt_timeout - self.retry_wait


def check_timing(timing: LeaseTiming | None) -> LeaseTiming:
    """Return ``timing``, or the default for None; anything else is refused with `InvalidTiming`."""
    if timing is None:
        return LeaseTiming()
    if not isinstance(timing, LeaseTiming):
        raise InvalidTiming(f'timing: {timing!r:.60} is not a LeaseTiming; make one, as in timing=LeaseTiming("30s")')
    return timing


def _seconds(name: str, value: Duration) -> float:
    try:
        return parse_duration(value)
    except InvalidDuration as error:
        raise InvalidTiming(f"{name}: {error}") from None
