"""The life of a lease, as the docstring of `lease` tells it, and as one hold lives it."""

import re
from pathlib import Path

import lease
from lease.sync import LeaseClient
from tests.lease.calls.callers import warm
from tests.lease.stores import SELDOM
from tools.entered import profiled

ROOM = Path(lease.__file__).parent
MOST_TOLD = 6
MOST_ENTERED = 26


def told() -> list[str]:
    """Return the modules of the docstring, in their order."""
    return re.findall(r"^    ([a-z_.]+)  +\S", lease.__doc__ or "", re.MULTILINE)


def test_a_hold_passes_the_files_that_the_docstring_names_in_their_order(database_url: str) -> None:
    with LeaseClient(database_url, timing=SELDOM) as client:
        warm(client)
        with profiled() as entered:
            entered.is_following = True
            with client.hold("a"):
                pass
            entered.is_following = False
    files = (Path(code.co_filename).relative_to(ROOM) for code in entered.by_caller)
    modules = list(dict.fromkeys(".".join(file.with_suffix("").parts) for file in files))
    assert len(told()) == MOST_TOLD
    assert [module for module in modules if module in told()] == told()
    assert len(modules) <= MOST_ENTERED
