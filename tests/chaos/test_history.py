"""The losses and errors that are read from the logs of replicas."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.chaos.history import Clocks, Loss, given_back, losses


@pytest.mark.parametrize("moved", [0, 3, -26], ids="{:+} h".format)
def test_a_loss_is_read_with_its_true_time_however_the_wall_clock_was_moved(moved: int, tmp_path: Path) -> None:
    now = datetime.fromtimestamp(round(time.time(), 3), UTC)
    said = {"message": "lease lost", "timestamp": (now + timedelta(hours=moved)).isoformat().replace("+00:00", "Z")}
    log = tmp_path / "north-1.log"
    log.write_text(f"ready\n{json.dumps({**said, 'lease': 'a', 'token': 7, 'cause': 'cut off'})}\n")

    assert list(losses([("north", log)], Clocks.now())) == [Loss("north", "a", 7, "cut off", now)]


def test_what_a_replica_gave_back_as_a_grant_without_work_is_read_from_its_log(tmp_path: Path) -> None:
    said = {"lease": "run/chaos/steps", "token": 36, "message": "a grant whose reply was lost was released"}
    log = tmp_path / "north-1.log"
    log.write_text(f"ready\n{json.dumps(said)}\n{json.dumps({**said, 'message': 'lease granted'})}\n")
    assert list(given_back([("north", log)])) == [("run/chaos/steps", 36)]
