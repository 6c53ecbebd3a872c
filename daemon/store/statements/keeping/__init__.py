"""The statements by which history goes: old runs with all that belongs to them, and what else is old.

None of them waits for a row lock.
"""
