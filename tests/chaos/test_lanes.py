"""The seed of a campaign is the order of its faults."""

from itertools import islice
from pathlib import Path

import pytest

from tests.chaos.faults.fault import Scene
from tests.chaos.fleet import Fleet, Slot
from tests.chaos.lanes import Planned, site_faults, slot_faults, user_faults
from tests.chaos.site import PostgresSite, Site, SqliteSite

SLOTS = [Slot("north", (), {}), Slot("east", (), {}, preload="clock"), Slot("south", ("--replicas=2",), {})]
MANY = 2_000


@pytest.fixture(params=["postgres", "sqlite"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    """A site that is never started."""
    if request.param == "postgres":
        site: Site = PostgresSite([slot.name for slot in SLOTS], tmp_path)
    else:
        site = SqliteSite(tmp_path)
    return Scene(site, Fleet.__new__(Fleet))


def described(planned: Planned) -> tuple[str, str | None, float, float]:
    return planned.fault.kind, None if planned.slot is None else planned.slot.name, planned.lasts, planned.gap


def first(scene: Scene, seed: int, lane: int, number: int = MANY) -> list[tuple[str, str | None, float, float]]:
    return [described(one) for one in islice(slot_faults(seed, lane, scene, SLOTS), number)]


def test_the_same_seed_gives_the_same_faults_to_the_same_replicas_for_as_long(scene: Scene) -> None:
    assert first(scene, 7, 1) == first(scene, 7, 1)
    assert first(scene, 7, 1, 20) != first(scene, 8, 1, 20)
    assert first(scene, 7, 1, 20) != first(scene, 7, 2, 20), "another lane"
    assert [described(one) for one in islice(site_faults(7, scene), MANY)] == [
        described(one) for one in islice(site_faults(7, scene), MANY)
    ]


def test_a_fault_is_only_done_to_what_it_fits(scene: Scene) -> None:
    told = first(scene, 7, 1)
    assert {slot for kind, slot, *_ in told if kind == "wall clock moved"} == {"east"}
    assert {slot for kind, slot, *_ in told if kind == "supervisor killed"} == {"south"}
    is_postgres = scene.site.kind == "postgres"
    in_a_set = {slot for kind, slot, *_ in told if kind == "replica killed in mid-set"}
    assert in_a_set == ({"north", "east"} if is_postgres else set())
    of_the_database = {one.fault.kind for one in islice(site_faults(7, scene), MANY)}
    assert ("PostgreSQL killed" in of_the_database) == is_postgres
    assert ("write lock held" in of_the_database) != is_postgres


def test_those_who_use_locks_have_faults_of_their_own(scene: Scene) -> None:
    told = [described(one) for one in islice(user_faults(7, scene, SLOTS), MANY)]
    assert told == [described(one) for one in islice(user_faults(7, scene, SLOTS), MANY)]
    kinds = {kind for kind, *_ in told}
    assert {"lock user killed", "lock user paused"} <= kinds
    assert ("network cut" in kinds) == (scene.site.kind == "postgres")
