"""The order of an old and a new generation, and who lives besides, for the tests of what follows from these."""

from daemon.scheduling.generations.order import Generation, Order, Others

NOBODY = Others(frozenset(), {})
LONG = 3600.0


def old_and_new(*, ruler: str = "new", staged: bool = False) -> Order:
    """Return two generations, of which ``ruler`` rules; the new one may be staged."""
    return Order(
        [
            Generation(1, "old", is_staged=False, rules=ruler == "old"),
            Generation(2, "new", is_staged=staged, rules=ruler == "new"),
        ]
    )


def living(*digests: str) -> Others:
    """Return others with these definitions, which have been ready for long."""
    return Others(frozenset(digests), dict.fromkeys(digests, LONG))
