"""The mutants that a campaign of half a minute has caught, by kind of database: one of three, by its seed.

Others do what no fault of a campaign shows, or too seldom: a wrong answer to a person, a delay, a row that is locked
for too long, a moment that has to be met.
"""

from collections.abc import Mapping

from tests.mutants.mutant import Kind

MINUTES = 0.5
SEEDS = (1, 2, 3)

CAUGHT: Mapping[Kind, tuple[str, ...]] = {
    "postgres": (
        "row-deleted-on-release",
        "release-by-name",
        "claim-without-a-second-look",
        "break-frees-at-once",
        "fixed-lock-timeout",
        "fence-by-a-plain-predicate",
        "no-holder-in-the-key",
        "completion-by-id",
        "schedule-moved-on-first",
        "hand-back-ignores-the-mark",
    ),
    "sqlite": ("fixed-lock-timeout",),
}
