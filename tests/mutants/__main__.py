"""`python -m tests.mutants`, which writes the table of the mutants into their page."""

from tests.mutants.table import PAGE, filled

PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
