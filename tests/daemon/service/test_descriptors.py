"""The file descriptors that a replica may open: as many as the system allows, and enough for its concurrency (rule 25)."""

import resource
import sys
from pathlib import Path

import pytest

from daemon import Schedules
from daemon.definitions.application import Application
from daemon.service.environment import SOFT_LIMIT, SettingsError
from daemon.service.outside.descriptors import OF_REPLICA, refuse_more_than_fit
from tests.support.manual import a_shop
from tests.support.programs import ran

RAISES = """
import os, resource, subprocess, sys
from daemon.jobs.processes.spawn import limit_of_children
from daemon.service.outside.descriptors import raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300))
environment = {}
for _ in range(2):
    raise_limit(environment)
    print(environment, resource.getrlimit(resource.RLIMIT_NOFILE), limit_of_children())
"""


def with_children() -> Application:
    shop = Schedules("shop")
    shop.add("nightly", cron="0 2 * * *").command("job", ["true"])
    return shop.application(Path("shop.py"))


@pytest.mark.usefixtures("processes")
def test_the_soft_limit_is_raised_to_the_hard_one_and_a_replica_started_from_here_knows_what_it_was() -> None:
    said = ran([sys.executable, "-c", RAISES])
    assert said.stdout.splitlines() == [f"{ {SOFT_LIMIT: '100'} } (300, 300) 100"] * 2


def test_a_concurrency_that_cannot_fit_is_refused_with_the_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even one fits, no number is proposed; async jobs need none."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1_024))
    with pytest.raises(SettingsError) as told:
        refuse_more_than_fit(with_children(), 500)
    assert str(told.value) == (
        f"concurrency: 500 runs at once need 3 * 500 + {OF_REPLICA} = 1,596 file descriptors, but this process may open "
        "1,024; set LEASED_CONCURRENCY to 309 at most, or raise the limit (`ulimit -Hn`, LimitNOFILE= of a service)"
    )
    refuse_more_than_fit(with_children(), 309)
    with pytest.raises(SettingsError):
        refuse_more_than_fit(with_children(), 310)
    refuse_more_than_fit(a_shop().application(Path("shop.py")), 5_000)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    with pytest.raises(SettingsError, match=r"may open 64; raise the limit"):
        refuse_more_than_fit(with_children(), 1)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    refuse_more_than_fit(with_children(), 1_000_000)
