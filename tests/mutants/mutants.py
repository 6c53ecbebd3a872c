"""All mutants, in the order of the rules that they break."""

from tests.mutants.mutant import Mutant
from tests.mutants.of_fences import FENCES
from tests.mutants.of_grants import GRANTS
from tests.mutants.of_heartbeats import HEARTBEATS
from tests.mutants.of_models import MODELS
from tests.mutants.of_runs import RUNS

MUTANTS: tuple[Mutant, ...] = (*GRANTS, *HEARTBEATS, *FENCES, *RUNS, *MODELS)
