"""Hours of work without a pause, to see whether anything grows."""
