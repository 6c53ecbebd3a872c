"""What the tables share: their metadata, the type of an id, and the options that both databases take."""

from typing import Any, get_args

from sqlalchemy import BigInteger, Integer, MetaData, text

metadata = MetaData()

Id = BigInteger().with_variant(Integer, "sqlite")


def one_of(column: str, states: Any) -> str:
    """Return the condition that a column has one of these states, a Literal of them."""
    return f"{column} IN ({', '.join(repr(state) for state in get_args(states))})"


def where(condition: str) -> dict[str, Any]:
    """Return the options that make an index partial on both databases."""
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}
