"""Commands for the definitions in a FILE: check them, describe them, bring them to the database."""
