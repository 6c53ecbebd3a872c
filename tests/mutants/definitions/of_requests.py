"""Mutants of schedules that are due on request only (rule 13)."""

from tests.mutants.mutant import Edit, Mutant, on_each, on_either

SCHEDULE = "daemon/definitions/schedule.py"
IN_THE_DATABASE = "tests/daemon/operations/test_on_request.py::{}[{{}}]"

ON_REQUEST = (
    Mutant(
        "on-request-is-due",
        "a schedule that is due on request only has an instant, from which it was first seen",
        (
            Edit(
                "daemon/definitions/triggers/trigger.py",
                "        del after, zone, anchor\n        return iter(())\n",
                "        return iter((anchor,))\n",
            ),
        ),
        on_each(IN_THE_DATABASE.format("test_nothing_of_it_is_ever_planned")),
    ),
    Mutant(
        "on-request-in-each-definition",
        "that a schedule is not due on request only is stored with it, and changes each that there is",
        (Edit(SCHEDULE, '*("timezone", "starts",', '*("on_request", "timezone", "starts",'),),
        on_either(
            "tests/daemon/definitions/test_stored_form.py::"
            "test_what_is_stored_and_shown_of_a_schedule_is_what_it_was[everything.toml-cron-plain]"
        ),
    ),
)
