"""`python -m tests.mutants`, which writes the table of the mutants."""

import sys

from tests.mutants.mutants import MUTANTS
from tests.mutants.table import table

sys.stdout.write(table(MUTANTS))
