"""The statements that write for many runs at once (rule 15).

The rows are given as one parameter (`given`); of what holders write, each row proves its own grant.
"""
