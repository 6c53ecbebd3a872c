"""What people do to schedules and runs, and the record of it (rule 23)."""
