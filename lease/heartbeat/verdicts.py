"""Verdicts on grants from the answer to a renewal; pure decisions (rules 6, 7 and 9)."""

from collections.abc import Collection, Container
from dataclasses import dataclass

from ..model import Grant, Loss, Renewal, ended


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Each expected grant is in exactly one of these."""

    renewed: tuple[Grant, ...]
    unknown: tuple[Grant, ...]
    """Apparently in force, but not renewed: another transaction has its row locked."""
    ended: tuple[Loss, ...]
    """Over, with the cause."""


def judge(expected: Collection[Grant], renewal: Renewal) -> Verdicts:
    """Sort ``expected`` by what the database answered."""
    renewed, unknown, over = [], [], []
    for grant in expected:
        record = renewal.missing.get(grant.name)
        if (grant.name, grant.token) in renewal.pairs:
            renewed.append(grant)
        elif record is not None and record.grant == grant:
            unknown.append(grant)
        else:
            over.append(ended(grant, record))
    return Verdicts(tuple(renewed), tuple(unknown), tuple(over))


def strangers(renewal: Renewal, holder: str, held: Container[Grant]) -> list[Grant]:
    """Return the grants that the database has under ``holder`` although this client does not hold
    them, or has declared them lost.

    They are being acquired, or the reply to their acquisition was lost (`lease.heartbeat.flights`).
    """
    grants = (Grant(name, token, holder) for name, token in sorted(renewal.pairs))
    return [grant for grant in grants if grant not in held]
