"""The statements that write for many runs at once (rule 15).

Each is given its rows as one parameter, and each row proves its own grant.
"""
