"""The losses and errors that are read from the logs of replicas."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.chaos.history import Clocks, Loss, losses


@pytest.mark.parametrize("moved", [0, 3, -26], ids="{:+} h".format)
def test_a_loss_is_read_with_its_true_time_however_the_wall_clock_was_moved(moved: int, tmp_path: Path) -> None:
    now = datetime.fromtimestamp(round(time.time(), 3), UTC)
    said = {"message": "lease lost", "timestamp": (now + timedelta(hours=moved)).isoformat().replace("+00:00", "Z")}
    log = tmp_path / "north-1.log"
    log.write_text(f"ready\n{json.dumps({**said, 'lease': 'a', 'token': 7, 'cause': 'cut off'})}\n")

    assert list(losses([("north", log)], Clocks.now())) == [Loss("north", "a", 7, "cut off", now)]
