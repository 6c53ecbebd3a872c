"""All mutants, by what they break."""

from tests.mutants.definitions.of_calendars import CALENDARS
from tests.mutants.definitions.of_deadlines import DEADLINES
from tests.mutants.definitions.of_imports import IMPORTS
from tests.mutants.definitions.of_pruning import PRUNING
from tests.mutants.definitions.of_queues import IN_QUEUES
from tests.mutants.definitions.of_requests import ON_REQUEST
from tests.mutants.mutant import Mutant
from tests.mutants.of_answers import ANSWERS
from tests.mutants.of_callers import CALLERS
from tests.mutants.of_calls import CALLS
from tests.mutants.of_cancels import CANCELS, PAUSES, RETRIES
from tests.mutants.of_delivery import DELIVERY
from tests.mutants.of_deploys import DEPLOYS
from tests.mutants.of_endings import EMBEDDING, ENDINGS
from tests.mutants.of_fences import FENCES
from tests.mutants.of_grants import GRANTS
from tests.mutants.of_heartbeats import HEARTBEATS
from tests.mutants.of_long_runs import LONG_RUNS
from tests.mutants.of_looks import LOOKS
from tests.mutants.of_neighbours import NEIGHBOURS
from tests.mutants.of_operators import OPERATORS
from tests.mutants.of_output import OUTPUT
from tests.mutants.of_pages import PAGES
from tests.mutants.of_reloads import RELOADS
from tests.mutants.of_renames import OF_RENAMES
from tests.mutants.of_revisions import OF_REVISIONS
from tests.mutants.of_runs import BACKFILLS, REQUESTS, RUNS
from tests.mutants.of_shortages import SHORTAGES
from tests.mutants.of_sqlite import ON_SQLITE
from tests.mutants.of_templates import FORKS
from tests.mutants.of_trust import TRUST
from tests.mutants.of_upgrades import UPGRADES
from tests.mutants.of_waiting import WAITING

MUTANTS: tuple[Mutant, ...] = (
    *GRANTS,
    *WAITING,
    *ENDINGS,
    *HEARTBEATS,
    *CALLS,
    *CALLERS,
    *FENCES,
    *RUNS,
    *OUTPUT,
    *DEPLOYS,
    *CANCELS,
    *PAUSES,
    *RETRIES,
    *UPGRADES,
    *OF_REVISIONS,
    *OF_RENAMES,
    *RELOADS,
    *FORKS,
    *TRUST,
    *SHORTAGES,
    *NEIGHBOURS,
    *OPERATORS,
    *ANSWERS,
    *LOOKS,
    *DELIVERY,
    *PAGES,
    *IMPORTS,
    *REQUESTS,
    *EMBEDDING,
    *PRUNING,
    *CALENDARS,
    *DEADLINES,
    *LONG_RUNS,
    *BACKFILLS,
    *ON_REQUEST,
    *IN_QUEUES,
    *ON_SQLITE,
)
