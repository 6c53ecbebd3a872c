"""What must hold for the users of locks, beside what `daemon.audit` promises for every grant: that
grants do not overlap, tokens increase, and no fenced write comes after the end of its grant.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator

from lease.waiters import PATIENCE, STEP

from .mishaps import BURST
from .plans import AT_ONCE, PEOPLE, SHARED
from .records import HandOver, Users, Visit

LATE = 15.0
"""Seconds by which an answer may be later than the wait that was asked for, on a busy machine."""
TOLERANCE = 0.02
"""Seconds between the clock of the witness and that of leases."""
_SETTLED = "it had gone stale"
_NO_FAILURE = ("client is closed", "client was closed", "is held by", "of this client holds it")
"""What a burst may be told at any time: that its client is closed, that another task bursts, or that an earlier client
which was killed or interrupted, holds a lease still.
"""
REPLICAS = 4
"""The replicas that take part in the shared lock."""


def broken_promises(users: Users) -> list[str]:
    """Return what must not be, in words."""
    return [
        *out_of_turn(users.hand_overs),
        *too_early_after_a_break(users),
        *released_by_others(users),
        *starved(users),
        *late(users),
        *written_too_late(users),
        *failed_bursts(users),
        *(f"a lock user has seen: {what}" for what in users.wrong),
        *(f"nobody could be granted {name!r} when all its users had ended" for name in users.stuck),
        *(_ended(one.user, one.status, one.said) for one in users.ends),
        *(f"a lock user says: {line}" for line in users.bad_lines),
    ]


def out_of_turn(hand_overs: Iterable[HandOver]) -> Iterator[str]:
    """Yield grants to one before whom others waited, who had not had their time to take it."""
    for one in hand_overs:
        if one.passed and one.free_since is not None:
            free, due = one.at - one.free_since, PATIENCE + len(one.passed) * STEP
            if free < due - TOLERANCE:
                yield (
                    f"lease {one.grant.name!r} (token {one.grant.token}) was granted {free:.2f} s after it was free, "
                    f"before {len(one.passed)} who waited and had {due:g} s to take it"
                )


def too_early_after_a_break(users: Users) -> Iterator[str]:
    """Yield grants of a broken lease before its work had ended, or its last ttl was over."""
    granted = {(one.grant.name, one.grant.token): one.at for one in users.hand_overs}
    for one in users.broken:
        at = granted.get((one.grant.name, one.grant.token + 1))
        free = one.until if one.let_go is None else min(one.until, one.let_go)
        if at is not None and at < free - TOLERANCE:
            yield f"lease {one.grant.name!r} was granted {free - at:.2f} s before the work under broken token {one.grant.token} had ended"


def released_by_others(users: Users) -> Iterator[str]:
    """Yield grants that were released while their holder worked, and trusted them."""
    broken = {one.grant for one in users.broken}
    for visit in users.visits:
        if visit.grant is None or visit.left is None or visit.grant in broken:
            continue
        at = users.released.get(visit.grant, visit.left)
        if at < visit.left - TOLERANCE and (visit.how == "released" or _SETTLED in visit.why):
            yield (
                f"lease {visit.name!r} (token {visit.grant.token}) was released {visit.left - at:.2f} s before "
                f"{visit.user} had done its work"
            )


def starved(users: Users) -> Iterator[str]:
    """Yield waits that others overtook again and again, though nothing disturbed them."""
    by_name: dict[str, list[HandOver]] = {}
    for one in sorted(users.hand_overs, key=lambda one: one.at):
        by_name.setdefault(one.grant.name, []).append(one)
    for visit in users.visits:
        if visit.grant is None or visit.answered is None or _disturbed(users, visit.user, visit.asked, visit.answered):
            continue
        all_of_it = by_name.get(visit.name, [])
        first = bisect_left(all_of_it, visit.asked, key=lambda one: one.at)
        last = bisect_right(all_of_it, visit.answered, key=lambda one: one.at)
        others = sum(one.grant.holder != visit.grant.holder for one in all_of_it[first:last])
        if others > (most := _most(visit)):
            yield f"{visit.user} waited for {visit.name!r} while others were granted it {others} times, more than {most}"


def late(users: Users) -> Iterator[str]:
    """Yield answers that came much later than the wait that was asked for."""
    for visit in users.visits:
        if visit.wait is None or visit.answered is None or _disturbed(users, visit.user, visit.asked, visit.answered):
            continue
        took = visit.answered - visit.asked
        if took > visit.wait + LATE:
            yield f"{visit.user} asked for {visit.name!r} with a wait of {visit.wait:g} s, and was answered after {took:.1f} s"


def written_too_late(users: Users) -> Iterator[str]:
    """Yield fenced writes that began after the lease was lost, released or its client closed, and
    those that were confirmed and are gone.
    """
    for attempt in users.attempts:
        written = attempt.answer == "written"
        if attempt.over and (written or attempt.job in users.effects):
            yield f"{attempt.user} wrote {attempt.job} though it had lost or released the lease, or closed its client"
        elif written and attempt.job not in users.effects:
            yield f"the write {attempt.job} of {attempt.user} is gone, which was committed"


def failed_bursts(users: Users) -> Iterator[str]:
    """Yield bursts of which some failed, though nothing disturbed them: a client's own crowd is no failure."""
    for one in users.bursts:
        excused = any(words in one.why for words in _NO_FAILURE)
        if one.why and not excused and not _disturbed(users, one.user, one.asked, one.answered):
            yield f"of a burst of {BURST} acquisitions of {one.user}, {BURST - one.held} failed: {one.why}"


def numbers(users: Users) -> dict[str, int]:
    """Return how often each thing happened."""
    ends = Counter(visit.how or "killed" for visit in users.visits)
    return {
        "visits": len(users.visits),
        "held": sum(visit.grant is not None for visit in users.visits),
        **dict(sorted(ends.items())),
        "broken": len(users.broken),
        "writes after the end": sum(one.over for one in users.attempts),
        "forks": users.forks,
        "interrupts": users.interrupts,
        "bursts": len(users.bursts),
        "waiters passed over": sum(len(one.passed) for one in users.hand_overs),
    }


def _most(visit: Visit) -> int:
    """Return how often others may have it meanwhile: each of them once for each thread before this
    one, and a few more while the wait begins and ends.
    """
    others = len(PEOPLE) - 1 + (REPLICAS if visit.name == SHARED else 0)
    return 3 * AT_ONCE * others


def _disturbed(users: Users, user: str, since: float, until: float) -> bool:
    return any(fault.slot in (user, None) and fault.began < until and fault.ended > since for fault in users.faults)


def _ended(user: str, status: int | None, said: str) -> str:
    how = "did not end when it was told to" if status is None else f"ended by itself with status {status}"
    return f"lock user {user} {how}: {said}"


def too_little(users: Users) -> Iterator[str]:
    """Yield why a long campaign proves little; in a short one a user may not have had the time."""
    held = {visit.user for visit in users.visits if visit.grant is not None}
    yield from (f"lock user {user} was never granted anything" for user in PEOPLE if user not in held)
