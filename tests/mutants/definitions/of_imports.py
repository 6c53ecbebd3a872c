"""Mutants of what a crontab becomes, and of files that are never written over."""

from tests.mutants.mutant import Edit, Mutant, on_either

CRONTABS = "tests/daemon/definitions/crontabs/{}"

IMPORTS = (
    Mutant(
        "line-lost-in-silence",
        "a line of a crontab that becomes nothing is neither named nor kept as a comment",
        (
            Edit(
                "daemon/definitions/crontab/translate.py",
                '                self._say(number, "; ".join(why.args), lost=True)\n',
                "                continue\n",
            ),
        ),
        on_either(
            CRONTABS.format("test_instants.py::test_the_oddities_are_due_as_they_were"),
            "tests/daemon/cli/test_import.py::test_a_line_that_is_lost_is_status_1_and_stands_in_the_file",
        ),
    ),
    Mutant(
        "later-variable-for-earlier-lines",
        "the last value of a variable of a crontab holds for all its lines",
        (Edit("daemon/definitions/crontab/translate.py", "env=dict(self._env)", "env=self._env"),),
        on_either(CRONTABS.format("test_translate.py::test_a_later_value_of_a_variable_holds_for_later_lines")),
    ),
    Mutant(
        "import-in-another-zone",
        "an imported crontab is due by UTC, whatever the machine's clock shows",
        (
            Edit(
                "daemon/definitions/crontab/translate.py",
                "self._timezone: str | None = local.timezone",
                'self._timezone: str | None = "UTC"',
            ),
        ),
        on_either("tests/daemon/cli/test_import.py::test_it_writes_toml_to_stdout_and_says_on_stderr_what_is_missing"),
    ),
    Mutant(
        "first-file-over-another",
        "`leased init` and `leased import` write over a file that is there",
        (Edit("daemon/cli/commands/defining/init.py", 'path.open("x"', 'path.open("w"'),),
        on_either(
            "tests/daemon/cli/test_init.py::test_nothing_is_overwritten",
            "tests/daemon/cli/test_import.py::test_a_file_that_exists_is_never_written",
        ),
    ),
)
