"""The backfills: runs of past instants, one for each, a few at a time and behind all others (rule 23)."""
