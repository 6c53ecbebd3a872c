"""The key of a schedule in the tables."""

ScheduleKey = tuple[str, str]
"""Its application and its name."""
