"""What people did: their acts, and the pauses of schedules."""

from .activity import ActLine, read_activity
from .pauses import in_force, pause_of, pauses_by_act

__all__ = ["ActLine", "in_force", "pause_of", "pauses_by_act", "read_activity"]
