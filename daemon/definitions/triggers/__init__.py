"""When a schedule is due, on which days it is not, and by when it should have succeeded, by the clock of its zone."""
