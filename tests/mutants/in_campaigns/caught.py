"""The mutants that a campaign of half a minute has caught, by kind of database: one of three, by its seed.

The reasons why it misses the others stand in `tests.mutants.in_campaigns.beyond`.
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
        "newcomer-overtakes",
        "heartbeat-in-the-loop-of-the-jobs",
        "heartbeat-stopped-before-the-work",
        "slot-of-its-own-for-each-run",
        "prepared-through-a-pooler",
        "runs-of-before-passed-over",
    ),
    "sqlite": ("fixed-lock-timeout",),
}
