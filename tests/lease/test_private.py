"""What the library uses of other people's private parts is there, in this version of Python and of each package."""

import re
import sqlite3
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from sqlalchemy import create_engine

import lease
from lease.private import _CREATED_BY, Answer, SafeCondition, connect_arguments
from tests.lease.stores import in_thread
from tests.support.waiting import LIMIT

PRIVATE = ("_release_save", "_acquire_restore", "_condition", "_creator")
"""All of them: none is named anywhere else in the library."""


def test_an_rlock_can_be_let_go_whole_and_taken_again() -> None:
    condition = SafeCondition()
    with condition, condition:
        try:
            assert not condition.wait(0)
        except AttributeError as error:
            pytest.fail(f"this Python's RLock has no way to wait without it ({error}): SafeCondition needs another")
        with in_thread(lambda: condition.acquire(blocking=False)) as taken:
            assert not taken(), "it was not taken again"
        assert not condition._waiters, "it is waited for still"
    with in_thread(lambda: condition.acquire(blocking=False)) as taken:
        assert taken(), "it was not let go"


def test_a_future_waits_by_its_condition() -> None:
    answer = Answer[int]()
    assert isinstance(answer._condition, SafeCondition)
    answer._condition = watched = MagicMock(wraps=SafeCondition())
    answer.set_result(7)
    told = watched.__enter__.call_count
    assert answer.result() == 7
    assert 0 < told < watched.__enter__.call_count, (
        "this Python's Future does not wait by its _condition: Answer needs another way to outlive a signal"
    )


def test_an_answer_is_told_to_all_who_wait_for_it() -> None:
    answer = Answer[int]()
    with in_thread(lambda: answer.result(10 * LIMIT)) as one, in_thread(lambda: answer.result(10 * LIMIT)) as two:
        answer.set_result(7)
        assert (one(), two()) == (7, 7)


def test_the_arguments_of_an_engine_are_where_they_are_looked_for() -> None:
    engine = create_engine("sqlite:///x.db", connect_args={"timeout": 3})
    try:
        arguments = connect_arguments(engine.pool)
    except LookupError:
        arguments = None
    assert dict(arguments or {}).get("timeout") == 3, (
        "this SQLAlchemy keeps what an engine connects with elsewhere: connect_arguments needs another way"
    )


def test_an_engine_that_connects_in_a_way_of_its_own_has_no_such_arguments() -> None:
    engine = create_engine("sqlite://", creator=partial(sqlite3.connect, "x.db"))
    assert connect_arguments(engine.pool) is None


def test_arguments_that_are_not_where_they_are_looked_for_are_an_error() -> None:
    def connect() -> None: ...

    connect.__module__, connect.__qualname__ = _CREATED_BY
    with pytest.raises(LookupError):
        connect_arguments(SimpleNamespace(_creator=connect))


def test_no_other_module_of_the_library_names_a_private_part_of_others() -> None:
    words = re.compile(rf"\b({'|'.join(PRIVATE)})\b|noqa: SLF001(?! - the library's own)")
    folder = Path(lease.__file__).parent
    naming = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py") if words.search(path.read_text())}
    assert naming == {"private.py"}
