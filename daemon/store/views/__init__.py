"""The views of the tables for people and programs: frozen values, each read in a few statements."""
