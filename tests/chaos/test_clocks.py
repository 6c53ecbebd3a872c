"""A wall clock that is moved by hours: monotonic clocks are not moved, and no lease is lost."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.faults.clocks import clock_file, install_clock
from tests.support.moved_clock import MISSING, library
from tests.support.starter import ROOT

PROGRAM = """
import sys, time
from lease.clock import boottime
for _ in sys.stdin:
    print(time.time(), time.monotonic(), boottime(), flush=True)
"""


@pytest.mark.skipif(library() is None, reason=MISSING)
@pytest.mark.usefixtures("processes")
def test_the_wall_clock_of_a_program_moves_by_hours_and_its_monotonic_clocks_stand(tmp_path: Path) -> None:
    environment = {"LD_PRELOAD": str(library()), "PYTHONPATH": str(ROOT), **install_clock(tmp_path, "it")}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None

        def look() -> tuple[float, ...]:
            assert program.stdin is not None
            assert program.stdout is not None
            program.stdin.write("look\n")
            program.stdin.flush()
            return tuple(map(float, program.stdout.readline().split()))

        before = look()
        clock_file(tmp_path, "it").write_text("+3h")
        after = look()
        while after[0] - before[0] < 3_000:  # it looks into the file once a second
            assert after[1] - before[1] < 20, "the wall clock did not move"
            after = look()
        program.stdin.close()
    wall, monotonic, boot = (later - earlier for earlier, later in zip(before, after, strict=True))
    assert 10_800 <= wall < 10_830
    assert 0 <= monotonic < 20
    assert abs(boot - monotonic) < 0.5
