"""`/metrics`: the families, where their values come from, and the text that is kept for a while."""
