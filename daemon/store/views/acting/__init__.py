"""What people did: their acts, the pauses of schedules, and the backfills."""

from .activity import ActLine, read_activity
from .backfills import BackfillLine, read_backfills
from .pauses import in_force, pause_of, pauses_by_act

__all__ = ["ActLine", "BackfillLine", "in_force", "pause_of", "pauses_by_act", "read_activity", "read_backfills"]
