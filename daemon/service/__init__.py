"""One replica as a process: its settings and its loop; below, what reaches it from outside, and its supervisor."""
