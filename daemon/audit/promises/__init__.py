"""What is promised, one file for each promise, and how a history can break it."""
