"""Progress, for who waits for the figures."""

import sys


def tell(progress: str) -> None:
    """Print how far it has come."""
    print(progress, file=sys.stderr, flush=True)
