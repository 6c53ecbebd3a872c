"""The promises: for each, the violations of it in a history.

Each function yields the violations of the promise in its docstring.
"""
