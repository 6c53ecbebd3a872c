"""When a schedule is due: by cron, at an interval, or once, in the wall time of its zone."""
