"""Schedules whose runs hold a lease: each due instant is one run, and no job runs twice at once."""

from .run import AsyncRun, Run
from .schedules import Schedules

__all__ = ["AsyncRun", "Run", "Schedules"]
