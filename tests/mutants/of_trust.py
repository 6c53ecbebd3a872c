"""Mutants of trust and loss (rules 2 and 6), which the simulation catches."""

from tests.mutants.mutant import Edit, Mutant, on_either

SIMULATION = "tests/model/test_simulation.py::test_no_seed_breaks_a_promise[{}]"

TRUST = (
    Mutant(
        "lost-but-trusted",
        "a grant that was declared lost is still trusted until its time is up",
        (
            Edit(
                "lease/grant_state.py",
                "        if self.loss is not None or self.over:\n            return 0.0\n",
                "        if self.over:\n            return 0.0\n",
            ),
        ),
        on_either(SIMULATION.format(0)),
    ),
    Mutant(
        "late-reply-revives",
        "a renewal whose reply comes after the end of trust starts a new one",
        (
            Edit(
                "lease/grant_state.py",
                "if self.loss is not None or self._clock() >= self._trusted_until:",
                "if self.loss is not None:",
            ),
        ),
        on_either("tests/lease/test_heartbeat.py::test_a_reply_that_comes_after_trust_has_ended_revives_nothing"),
    ),
    Mutant(
        "acquisition-taken-for-an-orphan",
        "a grant whose reply is still on its way is taken for an orphan, and released",
        (
            Edit(
                "lease/heartbeat/heartbeat.py",
                "for stranger, flights in self._explanations.items() if not flights]",
                "for stranger in self._explanations]",
            ),
        ),
        on_either(SIMULATION.format(0)),
    ),
)
