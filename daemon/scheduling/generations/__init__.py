"""Generations: the definitions of an application in their order, and which of them rule. Pure decisions (rule 21)."""

from .moves import FOR_GOOD_AFTER, TAKEOVER_AFTER, Count, is_newer_ready, next_move, recorded, sync_move
from .order import Add, Differences, Generation, Move, Order, Others, PutOnTop, Raise, Rule, differences
from .standing import (
    Forecast,
    Standing,
    State,
    forecast,
    held_back,
    held_back_by,
    on_hosts,
    stand,
    state_of,
    superseded,
    who_runs,
)

__all__ = [
    "FOR_GOOD_AFTER",
    "TAKEOVER_AFTER",
    "Add",
    "Count",
    "Differences",
    "Forecast",
    "Generation",
    "Move",
    "Order",
    "Others",
    "PutOnTop",
    "Raise",
    "Rule",
    "Standing",
    "State",
    "differences",
    "forecast",
    "held_back",
    "held_back_by",
    "is_newer_ready",
    "next_move",
    "on_hosts",
    "recorded",
    "stand",
    "state_of",
    "superseded",
    "sync_move",
    "who_runs",
]
