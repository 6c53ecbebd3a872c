"""`leased doctor`: its verdict, its exit status and its answer."""

from pathlib import Path

import pytest

from daemon.service.doctor.checks import CHECKS
from tests.daemon.cli.conftest import Leased
from tests.daemon.cli.test_answers import valid
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "how-to" / "operate" / "check-an-installation.md"


def test_the_worst_comes_first_with_its_remedy_and_a_red_check_is_status_1(leased: Leased, folder: Path) -> None:
    leased("sync", "shop.py")
    (shown,) = blocks(PAGE, "sh")
    well = leased(*shown.removeprefix("leased ").split())
    assert well.status == 0
    assert well.out.startswith("1 warning\n  yellow replicas: no replica is running\n    start one: leased run FILE\n")
    (folder / "leased.db").chmod(0o666)
    ill = leased("doctor")
    assert (ill.status, ill.out.splitlines()[0]) == (1, "1 problem, 1 warning")
    answer = leased("doctor", "--json")
    document = valid(answer, "doctor")
    assert (answer.status, document["ok"], document["items"][0]["check"]) == (1, False, "file")


def test_without_a_database_or_with_a_wrong_setting_it_still_answers(
    leased: Leased, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = leased("doctor", "--json")
    assert missing.status == 1
    assert [(one["check"], one["level"]) for one in valid(missing, "doctor")["items"]] == [
        ("database", "red"),
        ("descriptors", "green"),
        ("grace", "green"),
        ("web", "green"),
    ]
    assert not list(folder.glob("leased.db*"))
    monkeypatch.setenv("LEASED_LEASE_TTL", "1s")
    wrong = leased("doctor")
    assert wrong.status == 1
    assert "red settings: LEASED_LEASE_TTL: attempt_timeout is " in wrong.out


def test_the_page_lists_every_check() -> None:
    rows = [line.split("|")[1].strip(" `") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert rows == ["settings", *CHECKS]
