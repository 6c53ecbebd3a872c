"""Where we differ from cronsim, which models Debian's cron, each difference has a reason that is written down.

`make proof NAME=dst` compares all; here is a sample.
"""

import random
from collections import Counter
from datetime import date, datetime

import pytest
from cronsim import CronSim, CronSimError

from daemon.definitions.triggers.cron import parse
from daemon.errors import InvalidCron
from tests.docs.pages import ROOT

from . import comparison
from .comparison import Explanation, compare
from .expressions import BOTH_TAKE, NEITHER_TAKES, ONLY_CRONSIM_TAKES, ONLY_WE_TAKE
from .transitions import Change, changes, zones

PAGE = (ROOT / "docs" / "reference" / "cron.md").read_text(encoding="utf-8")
SEED = 20
ZONES, EXPRESSIONS = 40, 200


def change(zone: str, day: str) -> Change:
    [found] = [one for one in changes([zone]) if one.transition.gap[1].date() == date.fromisoformat(day)]
    return found


def test_a_sample_differs_only_as_it_is_explained() -> None:
    draw = random.Random(SEED)
    drawn = changes(draw.sample(zones(), ZONES))
    counts: Counter[Explanation] = Counter()
    for expression, one in zip(draw.sample(BOTH_TAKE, EXPRESSIONS), draw.choices(drawn, k=EXPRESSIONS), strict=True):
        assert compare(expression, one, counts) is None


@pytest.mark.parametrize(
    ("expression", "zone", "day", "explanations"),
    [
        ("0 30 2 * * *", "Europe/Berlin", "2026-03-29", {Explanation.SIX_FIELDS}),
        ("0 30 2 * * *", "Europe/Berlin", "2026-10-25", {Explanation.SIX_FIELDS}),
        ("30 2 * * 5/2", "Europe/Berlin", "2026-03-29", {Explanation.STEP_TO_SUNDAY}),
        ("45 * * * *", "Australia/Lord_Howe", "2026-04-05", {Explanation.BROKEN_HOUR}),
        ("0 */5 * * *", "Antarctica/Casey", "2022-10-02", {Explanation.BROKEN_HOUR}),
        ("45 */3 * * *", "Pacific/Chatham", "2026-04-05", {Explanation.ENDLESS, Explanation.BROKEN_HOUR}),
        ("*/20 59 1-3 * * *", "Antarctica/Casey", "2022-10-02", {Explanation.SIX_FIELDS, Explanation.BROKEN_HOUR}),
        ("0 */2 * * 5L", "Africa/Cairo", "2026-04-24", {Explanation.NO_MIDNIGHT}),
    ],
)
def test_each_explanation_is_needed(
    expression: str, zone: str, day: str, explanations: set[Explanation], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[Explanation] = Counter()
    assert compare(expression, change(zone, day), counts) is None
    assert set(+counts) == explanations
    monkeypatch.setattr(comparison, "_explanation", lambda *given, **rest: None)
    monkeypatch.setattr(comparison, "_other_readings", lambda pattern, expression: [])
    assert compare(expression, change(zone, day), counts) is not None


def test_a_difference_without_an_explanation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    another = parse("30 1 * * *")
    monkeypatch.setattr(comparison, "parse", lambda expression: another)
    found = compare("30 2 * * *", change("Europe/Berlin", "2026-03-29"), Counter())
    assert found is not None
    assert [f"{one:%d %H:%M}" for one in found.only_cronsim] == ["28 01:30", "29 01:00", "30 00:30"]
    assert [f"{one:%d %H:%M}" for one in found.only_ours] == ["29 00:30", "29 23:30"]


@pytest.mark.parametrize("expression", [*ONLY_WE_TAKE, *ONLY_CRONSIM_TAKES, *NEITHER_TAKES])
def test_what_only_one_of_the_two_takes_is_as_the_page_says(expression: str) -> None:
    if expression in ONLY_WE_TAKE:
        parse(expression)
    else:
        with pytest.raises(InvalidCron):
            parse(expression)
    if expression in ONLY_CRONSIM_TAKES:
        CronSim(expression, datetime(2026, 1, 1))  # noqa: DTZ001 (it is only read)
    else:
        with pytest.raises(CronSimError):
            CronSim(expression, datetime(2026, 1, 1))  # noqa: DTZ001 (as above)
    assert f"`{expression}`" in PAGE


@pytest.mark.parametrize("explanation", Explanation)
def test_the_page_has_a_row_for_each_explanation(explanation: Explanation) -> None:
    assert f"| {explanation.value} |" in PAGE
