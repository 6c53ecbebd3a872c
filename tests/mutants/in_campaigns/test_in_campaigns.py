"""The fixed lock timeout, in a campaign like those that the product passes: runs overlap.

By `make mutants` alone: it takes longer than a minute.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants.copies import copy_mutated, copy_product
from tests.mutants.mutants import MUTANTS
from tests.support.binaries import NoPostgresError, binaries

MINUTES = 0.25
SECONDS = 600.0

pytestmark = [pytest.mark.mutants, pytest.mark.extended, pytest.mark.timeout(SECONDS + 60)]


@pytest.mark.skipif(os.environ.get("LEASED_MUTANTS") != "all", reason="`make mutants` puts it through a campaign")
@pytest.mark.skipif(sys.platform != "linux", reason="campaigns look into /proc")
@pytest.mark.parametrize("database", ["postgres", "sqlite"])
@pytest.mark.usefixtures("processes")
def test_a_fixed_lock_timeout_shows_its_doubled_runs_in_a_campaign(database: str, tmp_path: Path) -> None:
    if database == "postgres":
        try:
            binaries("18").remove()
        except NoPostgresError as missing:
            pytest.skip(str(missing))
    (mutant,) = (one for one in MUTANTS if one.name == "fixed-lock-timeout")
    mutated = copy_mutated(copy_product(tmp_path / "product"), tmp_path / "mutant", mutant.edits)
    numbers = tmp_path / "numbers.json"
    options = [f"--database={database}", f"--minutes={MINUTES}", "--seed=1", f"--json={numbers}"]
    campaign = subprocess.run(
        [sys.executable, "-P", "-m", "tests.chaos", *options],
        cwd=mutated, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(mutated), "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    assert campaign.returncode == 1, campaign.stdout + campaign.stderr
    told = json.loads(numbers.read_text())
    assert told["at_once"] > 0, campaign.stdout
    assert told["zombie_committed"] > 0, campaign.stdout
