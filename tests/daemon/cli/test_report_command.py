"""`leased report`: its exit status, its bounds, and what a hostile name does to its screen."""

from pathlib import Path

from daemon.store.tables import schedule
from tests.daemon.cli.conftest import Leased
from tests.daemon.cli.test_answers import valid
from tests.support.store import Store


def test_only_a_check_of_what_was_lost_is_status_1(leased: Leased, folder: Path) -> None:
    leased("sync", "shop.py")
    assert leased("report", "--check").status == 0
    with Store(f"sqlite:///{folder / 'leased.db'}") as store:
        store.shift(schedule, next_due=-2 * 86_400.0)
    late = leased("report", "--check", "--json")
    document = valid(late, "report")
    assert (late.status, document["ok"], document["totals"]["due"]) == (1, False, 0)
    assert document["items"][0]["not_planned_since"] is not None
    assert leased("report").status == 0


def test_a_report_ends_after_it_begins_and_not_in_the_future(leased: Leased) -> None:
    leased("sync", "shop.py")
    for arguments, said in (
        (("--since", "1h", "--until", "2h"), "--until: "),
        (("--since", "2999-01-01"), "--since: 2999"),
        (("--until", "2999-01-01"), "--until: 2999"),
        (("--since", "soon"), "--since: "),
        (("--application", "shpo"), 'there is no application "shpo"; did you mean "shop"?'),
    ):
        answer = leased("report", *arguments)
        assert answer.status in {1, 2}
        assert said in answer.err
        assert answer.out == ""
