"""The command `leased`: its options, its subcommands and what they print."""

import sys
from collections.abc import Sequence

from ..jobs.room import shortage
from .app import app
from .failures import DONE, EXPECTED, FAILED, INTERRUPTED, report, report_defect, report_expected
from .streams import open_closed_ones, unwritten

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    if sys.platform == "win32":
        report("the daemon needs Linux or macOS; on Windows only the lock library works", "platform", as_json=as_json)
        return FAILED
    open_closed_ones()
    try:
        status = app(given, prog_name="leased", standalone_mode=False, obj=as_json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except EXPECTED as error:
        return report_expected(error, as_json=as_json)
    except Exception as error:  # noqa: BLE001 - a bug in leased, reported with its traceback
        known = unwritten(error) or shortage(error, "this command cannot continue")
        if known is None:
            report_defect(error)
        else:
            report(str(known), "failed", as_json=as_json)
        return FAILED
    if (lost := unwritten()) is not None:
        report(lost, "failed", as_json=as_json)
        return FAILED
    return status if isinstance(status, int) else DONE
