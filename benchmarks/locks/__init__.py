"""The lock library against the statements that it sends, and against other locks, in one run."""
