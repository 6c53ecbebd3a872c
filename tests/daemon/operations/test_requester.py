"""Who acts, and why: what cannot be recorded is refused by every act, before it asks the database anything (rule 23)."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from daemon.errors import NotRecordable
from daemon.operations.backfill import backfill, change_backfill
from daemon.operations.backfill_plan import Wanted
from daemon.operations.cancel import cancel, cancel_many
from daemon.operations.forget import forget
from daemon.operations.generations import acknowledge
from daemon.operations.look import ask
from daemon.operations.pause import pause, resume
from daemon.operations.requester import LONGEST
from daemon.operations.retire import retire
from daemon.operations.retry import retry, retry_many
from daemon.operations.selection import Selection
from daemon.operations.trigger import trigger

NO_DATABASE: Any = None
NOW = datetime.now(UTC)
ACTS: dict[str, Callable[..., object]] = {
    "acknowledge": partial(acknowledge, NO_DATABASE, "shop", 1),
    "backfill": partial(backfill, NO_DATABASE, Wanted("shop", "daily", NOW, NOW)),
    "cancel": partial(cancel, NO_DATABASE, 1),
    "cancel a backfill": partial(change_backfill, NO_DATABASE, "cancel", 1),
    "cancel many": partial(cancel_many, NO_DATABASE, []),
    "forget": partial(forget, NO_DATABASE, 1),
    "pause": partial(pause, NO_DATABASE, Selection()),
    "resume": partial(resume, NO_DATABASE, Selection()),
    "retire": partial(retire, NO_DATABASE, "shop"),
    "retry": partial(retry, NO_DATABASE, 1),
    "retry many": partial(retry_many, NO_DATABASE, []),
    "trigger": partial(trigger, NO_DATABASE, "shop", "daily"),
}
TEXTS = ("", " \t", "two\nlines", "\0", "\x1b[31m", "\ud800", "x" * (LONGEST + 1))


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_a_name_or_reason_that_cannot_be_kept_is_refused(act: Callable[..., object]) -> None:
    for text in TEXTS:
        with pytest.raises(NotRecordable, match="requested_by "):
            act(requested_by=text)
        with pytest.raises(NotRecordable, match="why "):
            act(requested_by="bob", why=text)


def test_who_looks_must_be_recordable_too() -> None:
    with pytest.raises(NotRecordable, match="requested_by has line breaks"):
        ask(NO_DATABASE, 1, requested_by="bob\n")
