"""A row fills the fields that its columns are named for, however a query writes them."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Connection, create_engine, literal, select

from daemon.store.tables import Reader


@dataclass(frozen=True)
class Line:
    token: int
    attempt: int
    why: str = ""
    count: int = 0


class Pair(NamedTuple):
    first: int
    last: int


@pytest.fixture
def connection() -> Any:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_columns_of_the_same_type_that_are_written_in_another_order_fill_their_own_fields(
    connection: Connection,
) -> None:
    pair = Reader(Pair, last=literal(2), first=literal(1))
    assert pair.read(connection.execute(select(*pair.columns)).one()) == Pair(first=1, last=2)
    line = Reader(Line, attempt=literal(2), token=literal(7))
    assert line.read(connection.execute(select(*line.columns)).one(), why="held") == Line(7, 2, "held")
    with_gap = Reader(Line, count=literal(3), attempt=literal(2), token=literal(7))
    assert with_gap.read(connection.execute(select(*with_gap.columns)).one(), why="held") == Line(7, 2, "held", 3)


def test_a_column_that_fills_no_field_is_refused_and_a_field_that_nothing_fills_is_missed() -> None:
    with pytest.raises(TypeError, match="Line has no tokens"):
        Reader(Line, tokens=literal(7), attempt=literal(2))
    with pytest.raises(TypeError, match="attempt"):
        Reader(Line, token=literal(7)).read((7,))
    with pytest.raises(TypeError, match="token"):
        Reader(Line, token=literal(7), attempt=literal(2)).read((7, 2), token=8)
