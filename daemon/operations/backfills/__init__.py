"""The backfills: the runs of past instants, each once, a few at a time and behind all others (rule 23)."""
