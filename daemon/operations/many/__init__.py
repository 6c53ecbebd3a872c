"""What people do to many runs at once: they are shown first, and then it is done to those that were shown."""
