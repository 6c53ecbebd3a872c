"""One replica as a process: its settings, its loop, its signals and its supervisor."""
