"""What people do to schedules and runs, for every door: command line, Python, HTTP."""
