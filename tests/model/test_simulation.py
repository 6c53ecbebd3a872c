"""The real core and heartbeat of several clients, step by step, under faults that a seed decides."""

import os

import pytest

from tests.model.simulation.trial import Trial

SEEDS = int(os.environ.get("LEASED_MODEL_SEEDS", "24"))
"""How many worlds are tried; raise it for a longer search."""
GROUPS = 4


@pytest.mark.timeout(60 + SEEDS)
@pytest.mark.parametrize("group", range(GROUPS))
def test_no_seed_breaks_a_promise(group: int) -> None:
    """Nobody trusts what another may have, nothing is lost that need not be, nothing is left held, and all get their turn."""
    for seed in range(group, SEEDS, GROUPS):
        outcome = Trial(seed).run()
        assert outcome.broken is None, str(outcome)


@pytest.mark.usefixtures("passing_seconds")
def test_the_seeds_try_what_they_are_for() -> None:
    """A simulation in which nothing goes wrong proves nothing."""
    told: dict[str, int] = {}
    for seed in range(10):
        for what, number in Trial(seed).run().counts.items():
            told[what] = told.get(what, 0) + number
    assert min(told[what] for what in ("GrantBegan", "GrantRenewed", "Written", "FencedWriteRefused", "Lost")) > 10, (
        told
    )


@pytest.mark.usefixtures("passing_seconds")
def test_a_seed_gives_the_same_world_again() -> None:
    assert Trial(7, trace=100_000).run() == Trial(7, trace=100_000).run()
