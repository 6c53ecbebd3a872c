"""The public surface, pinned: a name that comes or goes is a decision, and shows here."""

import importlib

import pytest

import lease

NAMES = [
    "Acquisition",
    "Break",
    "Duration",
    "Grant",
    "InvalidDuration",
    "InvalidName",
    "InvalidTiming",
    "Lease",
    "LeaseClient",
    "LeaseError",
    "LeaseLost",
    "LeaseNotAcquired",
    "LeaseRecord",
    "LeaseTiming",
    "Loss",
    "LossKind",
    "SchemaMissing",
    "StaleToken",
    "StoreUnavailable",
    "clock",
    "create_tables",
    "events",
    "fence",
    "format_duration",
    "parse_duration",
    "schema",
    "statements",
    "sync",
]


def test_the_public_names_are_these() -> None:
    assert lease.__all__ == NAMES


MODULES = [
    "client",
    "clock",
    "durations",
    "errors",
    "events",
    "model",
    "schema",
    "statements",
    "sync",
    "testing",
    "timing",
]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_can_be_named_without_an_import_of_its_own(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module = importlib.import_module(f"lease.{name}")
    monkeypatch.delattr(lease, name)
    assert getattr(lease, name) is module


def test_every_error_is_a_lease_error() -> None:
    kinds = [getattr(lease, name) for name in NAMES if isinstance(getattr(lease, name), type)]
    errors = [kind for kind in kinds if issubclass(kind, Exception)]
    assert len(errors) == 9
    assert all(issubclass(kind, lease.LeaseError) for kind in errors)


def test_the_sync_twin_has_the_same_methods_as_the_async_client() -> None:
    sync = importlib.import_module("lease.sync")

    def public(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    own_transactions = {"acquiring", "ending", "heartbeat_age", "label"}  # for async programs such as the daemon
    assert public(lease.LeaseClient) - own_transactions == public(sync.LeaseClient)
    assert public(lease.Lease) - own_transactions == public(sync.Lease)


def test_what_tests_of_users_need_is_in_lease_testing() -> None:
    testing = importlib.import_module("lease.testing")
    assert testing.__all__ == ["ManualClock", "ManualLeases", "MemoryStore"]
