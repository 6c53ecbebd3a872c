"""Commands that act on schedules and runs; who acts, and why, is recorded."""
