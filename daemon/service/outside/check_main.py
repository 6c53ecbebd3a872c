"""The entry point of a check: `python -P -m daemon.service.outside.check_main`.

It reads what to load from stdin and answers on stdout, both as JSON. What FILE prints as it is
loaded goes to stderr.
"""

import json
import os
import sys

from lease.errors import LeaseError

from ...definitions.sources.load import load
from ...errors import DaemonError
from ..settings import read_settings


def main() -> int:
    """Load FILE and its settings, and answer with the digest of its definitions, or the problem."""
    order = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        try:
            application = load(order["file"])
            read_settings(order["flags"], application.settings)
            answer = {"digest": application.digest}
        except (DaemonError, LeaseError) as error:
            answer = {"problem": " ".join(str(error).split())}
        json.dump(answer, answers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
