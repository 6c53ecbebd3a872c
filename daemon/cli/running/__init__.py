"""What `leased run` shows and asks at a terminal: the question before the start, the progress, the summary."""
