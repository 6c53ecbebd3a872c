"""Which generation is which, who runs it, and what comes next, as the commands tell it."""

import dataclasses
import re

from daemon.store.tables import generation as generations
from daemon.store.tables import replica as replicas

from ..conftest import Leased
from .conftest import AN_HOUR, Shop


def test_the_history_says_who_brought_which_and_who_runs_it_and_what_differs(leased: Leased, shop: Shop) -> None:
    shop.start(shop.old, "web1")
    shop.start(shop.old, "web2")
    shop.start(dataclasses.replace(shop.new, revision=42), "web3")
    second, first = leased("generations", "--json").document["items"]
    assert (first["number"], first["state"], first["digest"], first["revision"]) == (
        1,
        "superseded",
        shop.old.digest,
        None,
    )
    assert first["brought_by"] == "web1:101"
    assert first["changes"] == "schedules: 2 added (stays, goes)"
    assert first["superseded_at"] is not None
    assert [(one["host"], one["pid"], one["is_ready"]) for one in first["replicas"]] == [
        ("web1", 101, True),
        ("web2", 102, True),
    ]
    assert first["differs"] == {"renamed": [], "added": ["goes"], "removed": ["comes"], "changed": [], "retimed": []}
    assert (second["number"], second["state"], second["revision"]) == (2, "current", 42)
    assert (second["differs"], second["superseded_at"], second["next"]) == (None, None, None)
    shown = leased("generations").out
    assert "web1:101, web2:102" in shown
    assert leased("generations", "--limit", "1", "--json").document["items"][-1]["number"] == 1, "it lives"
    leased("generations", "--application", "shpo").is_refused(1, 'there is no application "shpo"; did you mean "shop"?')


def test_one_screen_shows_those_that_live_beside_each_other(leased: Leased, shop: Shop) -> None:
    shop.start(shop.old, "web1")
    assert "generation" not in leased("status").out
    assert leased("status", "--json").document["generations"] == []
    holder = shop.start(shop.new, "web2")
    shown = leased("status").out
    assert "web1:101" in shown
    assert "added: goes; removed: comes" in shown
    assert "Generation" not in shown, "nothing comes next as long as both are there"
    shop.unseen_for(holder, 20.0)
    shop.store.shift(replicas, ready_at=-AN_HOUR)
    shop.store.shift(generations, ruled_at=-AN_HOUR)
    said = r"Generation 1 of shop is superseded: it becomes active in about \d+s unless a replica of generation 2 is ready\."
    assert re.search(said, leased("status").out)


def test_the_time_that_is_told_counts_from_when_the_newer_one_came_to_rule(leased: Leased, shop: Shop) -> None:
    """Its replicas may have been away before that, as when it is put on top anew."""
    holder = shop.start(shop.new, "web1")
    shop.unseen_for(holder, AN_HOUR + 40.0)
    shop.start(shop.old, "web2")
    leased("sync", "new.py", "--take-over")
    said = (
        "Generation 2 of shop is superseded: it becomes active in about 1m unless a replica of generation 3 is ready."
    )
    assert said in leased("status").out


def test_what_rules_already_keeps_what_it_changed_when_it_is_put_on_top_once_more(leased: Leased, shop: Shop) -> None:
    shop.start(shop.old, "web1")
    (before,) = leased("generations", "--json").document["items"]
    assert leased("sync", "old.py", "--take-over").out == (
        "OK: shop, generation 1 is active\n  unchanged: 2 schedules\n"
    )
    (after,) = leased("generations", "--json").document["items"]
    assert (after["changes"], after["ruled_at"]) == (before["changes"], before["ruled_at"])


def test_what_is_staged_is_shown_although_nobody_runs_it(leased: Leased, shop: Shop) -> None:
    shop.start(shop.old, "web1")
    answer = leased("sync", "new.py")
    assert "shop, generation 2 is staged\n  replicas with other definitions are running" in answer.out
    assert "1 replica on web1 runs generation 1: web1:101" in answer.out
    assert (
        "Generation 2 of shop is staged: it becomes active as soon as one of its replicas is ready"
        in leased("status").out
    )
    (staged, _) = leased("status", "--json").document["generations"]
    assert (staged["number"], staged["state"], staged["replicas"]) == (2, "staged", [])


def test_a_dry_run_names_the_generation_and_who_runs_another_and_writes_nothing(leased: Leased, shop: Shop) -> None:
    shop.start(shop.old, "web1")
    assert "OK: shop, generation 1 would be active" in leased("sync", "old.py", "--dry-run").out
    shown = leased("sync", "new.py", "--dry-run").out
    assert "shop, generation 2 would be staged\n" in shown
    assert "1 replica on web1 runs generation 1: web1:101" in shown
    document = leased("sync", "new.py", "--dry-run", "--take-over", "--json").document
    assert document["generation"] == {"number": 2, "is_new": True, "state": "current"}
    assert [(one["number"], one["replicas"][0]["host"]) for one in document["others"]] == [(1, "web1")]
    assert len(leased("generations", "--json").document["items"]) == 1


def test_a_dry_run_of_what_would_only_stand_in_would_retire_nothing(leased: Leased, shop: Shop) -> None:
    gone = shop.start(dataclasses.replace(shop.new, revision=42), "web1")
    shop.unseen_for(gone, AN_HOUR)
    document = leased("sync", "old.py", "--dry-run", "--json").document
    assert document["generation"] == {"number": 2, "is_new": True, "state": "in lieu"}
    assert "retired" not in {item["change"] for item in document["items"]}
    done = leased("sync", "old.py", "--json").document
    assert (done["items"], done["dry_run"], document["dry_run"]) == (document["items"], False, True)


def test_a_sync_says_which_revision_is_missing(leased: Leased, shop: Shop) -> None:
    shop.start(dataclasses.replace(shop.old, revision=7), "web1")
    assert "it has no revision, and generation 1 has 7" in leased("sync", "new.py").out
    assert "staged" in leased("sync", "new.py", "--revision", "8").out
    answer = leased("sync", "new.py", "--revision", "7")
    assert answer.status == 0, "a lower one than it has"
    shop.file("third", "third")
    answer = leased("sync", "third.py", "--revision", "7")
    assert answer.status == 2
    assert answer.err == (
        f'leased: revision 7 of "shop" already stands for other definitions: generation 1, digest {shop.old.digest[:12]}; '
        "give these a higher revision\n"
    )
