"""The shortcut: callers acquire and release in their own thread, where nothing stands in the way.

The way to the library's thread and back would cost more than the statement.
"""
