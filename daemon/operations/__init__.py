"""What people do to schedules and runs, and what they ask of generations: by command line, Python or HTTP."""
