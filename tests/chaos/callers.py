"""What two callers of a backfill were told, beside what came of it."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from tests.checker.facts import BackfillRecorded, Fact

from .fleet import Told, ToldAtOnce


def told_wrongly(acts: Iterable[ToldAtOnce], facts: Iterable[Fact]) -> Iterator[str]:
    """Yield callers that were refused, told of a backfill that is not there or that has other instants, or told of the same
    one; none of those that could not reach the database.
    """
    recorded = {fact.backfill: fact for fact in facts if isinstance(fact, BackfillRecorded)}
    for act in acts:
        answers = []
        for caller in act.callers:
            if "cannot be used" in caller.said:
                continue
            answer = _answer(caller)
            if answer is None:
                yield f"{act.kind}: a caller was told: {caller.said}"
                continue
            answers.append(answer)
            yield from (f"{act.kind}: {what}" for what in _wrong(answer, recorded))
        made = [answer["backfill_id"] for answer in answers if answer["backfill_id"] is not None]
        if len(set(made)) < len(made):
            yield f"{act.kind}: both callers were told of backfill {made[0]}"


def _answer(caller: Told) -> dict[str, Any] | None:
    if caller.status != 0:
        return None
    try:
        answer: dict[str, Any] = json.loads(caller.said)
    except ValueError:
        return None
    return answer


def _wrong(answer: dict[str, Any], recorded: dict[int, BackfillRecorded]) -> Iterator[str]:
    number, will_run = answer["backfill_id"], answer["will_run"]
    if number is None:
        if will_run:
            yield f"{will_run} instants will run, a caller was told, by no backfill"
        return
    if number not in recorded:
        yield f"a caller was told of backfill {number}, which is not there"
    elif recorded[number].instants != will_run:
        yield f"a caller was told that {will_run} instants run in backfill {number}, which has {recorded[number].instants}"
