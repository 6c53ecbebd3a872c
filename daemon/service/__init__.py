"""One replica, as a process or inside another program: its settings and its loop; below, what reaches it from outside."""
