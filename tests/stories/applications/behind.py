"""Twelve schedules that are due each minute."""

from daemon import Schedules

schedules = Schedules("behind")
for number in range(12):
    schedules.add(f"often{number}", cron="* * * * *").command("work", "true")
