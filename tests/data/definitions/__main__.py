"""`python -m tests.data.definitions golden` writes golden.json anew, `… refusals` refusals.json: on purpose only.

golden.json: what differs there counts as changed in every database that has it, from the next start of a replica on.
refusals.json: the sentences of errors, which may be improved; the difference shows each with what it answers.
"""

import sys

from .refusals import write_refusals
from .stored_forms import write_golden

WRITERS = {"golden": write_golden, "refusals": write_refusals}

if len(sys.argv) != 2 or sys.argv[1] not in WRITERS:
    sys.exit(__doc__)
WRITERS[sys.argv[1]]()
