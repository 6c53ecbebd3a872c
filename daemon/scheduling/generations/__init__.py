"""Generations: the definitions of an application in their order, and which of them rule. Pure decisions (rule 21)."""

from .differences import Differences, differences
from .forecast import Forecast, forecast
from .moves import FOR_GOOD_AFTER, TAKEOVER_AFTER, Count, is_newer_ready, next_move, recorded, sync_move
from .order import Add, Generation, Move, Order, Others, PutOnTop, Raise, Rule
from .standing import Standing, State, held_back, held_back_by, stand, state_of

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
    "recorded",
    "stand",
    "state_of",
    "sync_move",
]
