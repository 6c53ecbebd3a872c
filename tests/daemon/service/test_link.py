"""The link of a replica to its supervisor: what it was told, and what it answers (rule 22)."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.jobs.processes.identity import identity
from daemon.service.environment import CHECKED_DIGEST, READY_FD, REPLACED_PROCESS, REPLICA_INDEX
from daemon.service.outside.outside import OTHER_FILE, READY, NothingHandedOver, OtherFile, SupervisorLink
from tests.support.manual import a_shop

APPLICATION = a_shop().application(Path("shop.py"))


def test_a_lone_replica_was_told_nothing_and_runs_any_file() -> None:
    link = SupervisorLink.inherited({})
    assert link == SupervisorLink()
    assert not link.is_supervised
    assert not link.replaces_a_living_one()
    link.check(APPLICATION, 1)
    link.ready()


def test_what_it_was_told_is_taken_out_of_the_environment() -> None:
    reading, writing = os.pipe()
    me = identity(os.getpid())
    assert me is not None
    environment = {
        "HOME": "/root",
        REPLICA_INDEX: "2",
        READY_FD: str(writing),
        CHECKED_DIGEST: APPLICATION.checked_digest,
        REPLACED_PROCESS: f"{me.pid}.{me.start_time}",
    }
    link = SupervisorLink.inherited(environment, lambda: b'{"grace": 5.0}')
    assert link.settings == {"grace": 5.0}
    assert environment == {"HOME": "/root"}
    assert (link.index, link.is_supervised) == (2, True)
    with pytest.raises(NothingHandedOver, match="the supervisor handed over no settings"):
        SupervisorLink.inherited({CHECKED_DIGEST: "a digest"}, lambda: b"")
    assert link.replaces_a_living_one()
    assert not replace(link, replaced=replace(me, start_time=1)).replaces_a_living_one()
    link.check(APPLICATION, 1)
    link.ready()
    assert os.read(reading, 100) == READY
    os.close(reading)
    os.close(writing)


def test_it_refuses_a_file_that_the_supervisor_has_not_checked_and_says_so_at_both_ends() -> None:
    reading, writing = os.pipe()
    link = SupervisorLink(digest="another", ready_fd=writing)
    with pytest.raises(OtherFile, match=r"shop\.py has changed since .* send SIGHUP to the supervisor \(process 7\)"):
        link.check(APPLICATION, 7)
    assert os.read(reading, 100) == OTHER_FILE
    os.close(reading)
    link.ready()  # the supervisor is gone: nobody hears it
    os.close(writing)


@pytest.mark.parametrize("text", ["", "-1", "one", "9999", "²"])
def test_variables_that_somebody_else_has_set_are_passed_over(text: str) -> None:
    link = SupervisorLink.inherited({REPLICA_INDEX: text, READY_FD: text, REPLACED_PROCESS: text})
    assert (link.ready_fd, link.replaced) == (None, None)
