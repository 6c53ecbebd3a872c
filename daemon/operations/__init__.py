"""What people do to schedules and runs, whether by command line, Python or HTTP."""
