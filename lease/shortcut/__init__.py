"""The shortcut: where nothing stands in the way, callers acquire and release in their own thread, without
the way to the library's thread and back, which costs more than the statement.
"""
