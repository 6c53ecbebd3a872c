"""One hostile record in the screens and JSON of all that reads: harmless."""

import re
from pathlib import Path

import pytest

from tests.daemon.cli.conftest import Leased
from tests.daemon.web.pages.hostile import NAME, record

SENTENCES = ("why", "report", "doctor", "replicas", "locks", "generations")
"""All lines of these are short; others print what a job wrote."""
READS = ["status", "status --all --wide", "runs", "replicas", "locks", "activity", "generations", "report --since 24h", "doctor", "backfills", "notify"]  # fmt: skip


@pytest.fixture
def named(leased: Leased, folder: Path) -> list[int]:
    """Runs in all that a job, a user or another program may have written."""
    leased("db", "upgrade")
    return record(f"sqlite:///{folder / 'leased.db'}")


@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_written_about_it_is_printable_short_and_no_markup(
    leased: Leased, named: list[int], *, as_json: bool
) -> None:
    asked = [one.split() for one in READS] + [["why", NAME], ["why", "late"], ["status", NAME], ["runs", NAME]]
    asked += [[command, str(one)] for command in ("why", "show", "logs") for one in named]
    for arguments in asked:
        answer = leased(*arguments, *(["--json"] if as_json else []))
        assert answer.out, arguments
        assert arguments[0] not in {"backfills", "notify"} or "gnp.exe" in answer.out
        harmful = re.findall(r"[^\n\x20-\U0010ffff]|[\x7f-\x9f\u2028\u202e]", answer.out + answer.err)
        assert (arguments, harmful) == (arguments, [])
        if as_json:
            assert answer.document["schema"]
        else:
            assert arguments[0] not in SENTENCES or max(map(len, answer.out.splitlines())) < 2_000, arguments
    assert "[red]x[/]" in leased("why", NAME).out
