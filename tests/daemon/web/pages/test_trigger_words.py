"""When a schedule is due, in words: they are short, and never say anything else than the expression."""

from collections.abc import Hashable
from datetime import UTC, datetime
from itertools import product

import pytest

from daemon.definitions.triggers.cron import parse
from daemon.definitions.triggers.trigger import At, Cron, Every, OnRequest, Trigger
from daemon.errors import InvalidCron
from daemon.web.pages.words import cron_in_words, in_words


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("*/15 * * * *", "every 15 minutes"),
        ("0 * * * *", "every hour"),
        ("30 * * * *", "every hour at :30"),
        ("5,20,35,50 * * * *", "every hour at :05, :20, :35 and :50"),
        ("0 */6 * * *", "every 6 hours"),
        ("30 3-23/4 * * *", "every 4 hours from 03:30"),
        ("0 2 * * *", "every day at 02:00"),
        ("@daily", "every day at 00:00"),
        ("0 6,18 * * *", "every day at 06:00 and 18:00"),
        ("5 16 * * 1-5", "Mon–Fri at 16:05"),  # noqa: RUF001
        ("*/15 9-17 * * mon-fri", "Mon–Fri every 15 minutes from 09:00 to 17:45"),  # noqa: RUF001
        ("0 8-18 * * *", "every hour from 08:00 to 18:00"),
        ("15 4 * * 0", "Sundays at 04:15"),
        ("15 4 * * 7,6", "Sat and Sun at 04:15"),
        ("0 6 1 * *", "on day 1 at 06:00"),
        ("0 6 1,15 * *", "on days 1 and 15 at 06:00"),
        ("0 6 1-7 * *", "on days 1–7 at 06:00"),  # noqa: RUF001
        ("0 6 L * *", "on the last day at 06:00"),
        ("0 6 LW * *", "on the last weekday at 06:00"),
        ("0 6 15W * *", "on the weekday nearest to day 15 at 06:00"),
        ("0 6 * * mon#1", "on the first Monday at 06:00"),
        ("0 6 * * 5L", "on the last Friday at 06:00"),
        ("0 0 13 * 5", "on day 13 and Fridays at 00:00"),
        ("0 5 2 1,4,7,10 *", "Jan, Apr, Jul, Oct on day 2 at 05:00"),
        ("0 5 * 3-10 *", "every day in Mar–Oct at 05:00"),  # noqa: RUF001
        ("*/10 * * 12 *", "every 10 minutes in Dec"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("* * * * * *", "every second"),
        ("*/7 * * * *", None),
        ("0 */5 * * *", None),
        ("30 0 2 * * *", None),
        ("1,2,3,5,8 * * * *", None),
        ("0 0 */2 * 1", None),
        ("nonsense", None),
    ],
)
def test_an_expression_has_short_words_or_none(expression: str, words: str | None) -> None:
    assert cron_in_words(expression) == words


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        (Cron("0 2 * * *"), "every day at 02:00"),
        (Cron("*/7 * * * *"), "cron */7 * * * *"),
        (Every(90.0), "every 90 seconds"),
        (Every(3600.0), "every hour"),
        (Every(172_800.0), "every 2 days"),
        (Every(0.5), "every 0.5 seconds"),
        (At(datetime(2027, 1, 1, tzinfo=UTC)), "once"),
        (OnRequest(), "on request"),
    ],
)
def test_each_kind_of_trigger_has_words(trigger: Trigger, words: str) -> None:
    assert in_words(trigger) == words


def test_expressions_with_the_same_words_mean_the_same() -> None:
    minutes = ["0", "30", "*", "*/5", "*/7", "5-59/15", "0,30", "10-20", "0,1,2,3"]
    hours = ["0", "*", "*/6", "3-23/4", "9-17", "2,14", "*/5"]
    days = ["*", "1", "1-31", "L", "1,15", "2-6", "*/2", "15W,1"]
    months = ["*", "12", "1,4", "3-5"]
    weekdays = ["*", "1-5", "0", "7", "0-6", "*/2", "5L", "1#2,3"]
    meanings: dict[str, set[Hashable]] = {}
    fields = list(product(minutes, hours, days, months, weekdays))
    for chosen in fields[::67]:
        expression = " ".join(chosen)
        try:
            meaning = parse(expression).meaning()
        except InvalidCron:
            continue
        if (words := cron_in_words(expression)) is not None:
            meanings.setdefault(words, set()).add(meaning)
    assert len(meanings) > 50
    assert [words for words, found in meanings.items() if len(found) > 1] == []
