"""Users of the lock library beside the daemon: they hold, wait, write, break and close."""
