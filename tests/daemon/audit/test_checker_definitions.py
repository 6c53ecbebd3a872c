"""An attempt executes the definition of its run, which only a recorded adoption changes (rule 22)."""

from dataclasses import replace

import pytest

from tests.checker import Promise
from tests.checker.facts import Fact, RunClaimed, RunRedefined, Worked

from .histories import a_grant, a_run, at, broken, ended, granted, said

OLD, NEW = "0ld" * 10, "fe11" * 8
ADOPTED = RunRedefined(7, at(20), NEW, OLD, adopted=True)


def claimed(token: int, seconds: float, digest: str | None) -> list[Fact]:
    """A claim of run 7, and the work under it that belongs to the same definition."""
    grant = a_grant(token)
    return [
        granted(token, seconds),
        RunClaimed(7, grant, at(seconds), digest),
        Worked(grant, at(seconds + 1), at(seconds + 2), digest=digest),
        ended(token, seconds + 3),
    ]


def test_attempts_by_the_definition_of_their_run_are_right_also_after_an_adoption() -> None:
    assert broken([*claimed(1, 0, OLD), *claimed(2, 10, OLD), ADOPTED, *claimed(3, 30, NEW)]) == []


def test_an_attempt_by_another_definition_than_that_of_its_run_is_named() -> None:
    grant = a_grant(1)
    work = Worked(grant, at(1), at(2), digest=NEW)
    assert said([granted(1, 0), RunClaimed(7, grant, at(0), OLD), work]) == (
        "definitions: run 7 uses the definition 0ld0ld0l, but its attempt under token 1 executed fe11fe11"
    )


@pytest.mark.parametrize("digest", [None, OLD])
def test_work_that_may_be_of_any_definition_or_whose_claim_is_unknown_is_right(digest: str | None) -> None:
    work = Worked(a_grant(1), at(1), at(2), digest=digest)
    assert broken([granted(1, 0), work]) == []
    assert broken([granted(1, 0), RunClaimed(7, a_grant(1), at(0), NEW), replace(work, digest=None)]) == []


def test_a_claim_by_another_definition_without_an_adoption_is_named() -> None:
    assert said([*claimed(1, 0, OLD), *claimed(2, 10, NEW)]) == (
        "definitions: run 7 was claimed by fe11fe11 after 0ld0ld0l without an adoption"
    )


def test_another_definition_that_the_run_does_not_tell_of_is_named() -> None:
    changed = replace(ADOPTED, adopted=False)
    assert said([*claimed(1, 0, OLD), changed, *claimed(3, 30, NEW)]) == (
        "definitions: run 7 uses fe11fe11 from 2026-07-01 12:00:20+00:00 on, which is not an adoption"
    )


def test_a_job_that_the_definition_of_its_run_does_not_have_is_named() -> None:
    assert said([replace(a_run(7, 0), strange=("orders",))]) == (
        'definitions: run 7 has attempted job "orders", which its definition does not have'
    )


def test_claims_of_other_runs_or_by_no_known_definition_are_no_change() -> None:
    other = RunClaimed(8, a_grant(2), at(10), NEW)
    assert broken([*claimed(1, 0, OLD), granted(2, 10), other]) == []
    assert Promise.DEFINITIONS not in broken([*claimed(1, 0, OLD), granted(2, 10), RunClaimed(7, a_grant(2), at(10))])
