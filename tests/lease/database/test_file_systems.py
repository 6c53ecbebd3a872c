"""A file of SQLite on a network file system is reported; one on a local disk is not."""

import os
from pathlib import Path

import pytest

from lease import events
from lease.database import file_systems
from lease.database.file_systems import network_file_system
from lease.sync import LeaseClient
from tests.lease.stores import STEADY, Recorder

MOUNT = "36 35 {device} / {folder} rw,noatime shared:1 master:2 - {kind} server:/export rw,vers=4.2\n"


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The list of mounts, as Linux writes it, in which the folder of the test may be."""
    listed = tmp_path / "mountinfo"
    monkeypatch.setattr(file_systems, "MOUNTS", listed)
    return listed


def as_mounted(folder: Path, kind: str) -> str:
    device = folder.stat().st_dev
    return MOUNT.format(device=f"{os.major(device)}:{os.minor(device)}", folder=folder, kind=kind)


@pytest.mark.parametrize(
    ("kind", "found"),
    [("nfs4", "nfs4"), ("cifs", "cifs"), ("fuse.sshfs", "fuse.sshfs"), ("ext4", None), ("fuse", None)],
)
def test_the_kind_of_the_mount_decides(tmp_path: Path, mounted: Path, kind: str, found: str | None) -> None:
    elsewhere = (
        MOUNT.format(device="0:0", folder="/home", kind="nfs").encode() + b"37 35 0:1 /m\xfcll / rw - nfs m rw\n"
    )
    mounted.write_bytes(elsewhere + as_mounted(tmp_path, kind).encode())
    assert network_file_system(str(tmp_path / "not-made-yet.db")) == found
    mounted.unlink()
    assert network_file_system(str(tmp_path / "not-made-yet.db")) is None


def test_a_client_on_such_a_file_says_so_once(tmp_path: Path, mounted: Path) -> None:
    file, told = tmp_path / "leased.db", Recorder()
    mounted.write_text(as_mounted(tmp_path, "nfs4"))
    with LeaseClient(f"sqlite:///{file}", timing=STEADY, on_event=told) as client, client.hold("a"):
        assert told.wait_for(events.OnNetwork) == events.OnNetwork(str(file), "nfs4")
    assert len(told.of(events.OnNetwork)) == 1
    mounted.write_text(as_mounted(tmp_path, "ext4"))
    quiet = Recorder()
    with LeaseClient(f"sqlite:///{file}", timing=STEADY, on_event=quiet):
        pass
    assert quiet.of(events.OnNetwork) == []
