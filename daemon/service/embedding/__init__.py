"""A replica inside another program: its settings, its thread, and the block that the program waits in."""
