"""Debian's crontabs, and one of oddities, are due here when cronsim, which models Debian's cron, says so; and whatever a
crontab says, what is written is a right file, and each line is in it or told.
"""

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from daemon.definitions.application import Application
from daemon.definitions.crontab import ImportedCrontab, translate
from daemon.definitions.sources.load import load

from .crontabs import DEBIAN, HERE, ODDITIES, document

COUNT = 20
STARTS = [datetime(2026, month, day, 12, tzinfo=UTC) for month, day in ((3, 27), (7, 1), (10, 23))]
"""Two of them before a change of the clock in Berlin and, one week apart at most, in New York."""
FOR_CRONSIM = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 1,4,7,10 *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "0 9 * * Fri-Sun": "0 9 * * 5-7",
    "0~30 3 * * *": "0 3 * * *",
    "~ 1~4 * * *": "0 1 * * *",
    "0 0 ? * 1": "0 0 * * 1",
}
"""What cronsim does not take, as it takes it."""
LOST = {
    "@reboot /srv/app/warm-up",
    "*/90 * * * * /srv/app/never-meant",
    "0 22-6 * * * /srv/app/night",
    "0 0 31 2 * /srv/app/never",
    "0 3 1~28 * * /srv/app/some-day",
    "'QUOTED' = 'it''s'",
    "LEASED_CONCURRENCY=3",
    "0 3 * * *",
    "0 0 3 * * * /srv/app/six-fields",
    "61 * * * * /srv/app/too-late",
    "0 12 * * monday /srv/app/long-name",
    "this is not a line",
}
"""The lines of the oddities that become nothing; all others do."""


def written_timing(line: str) -> str:
    """Return when a line is due, as cronsim takes it."""
    words = line.strip().removeprefix("-").split()
    timing = words[0] if words[0].startswith("@") else " ".join(words[:5])
    return FOR_CRONSIM.get(timing if timing in FOR_CRONSIM else timing.lower(), timing)


def brought(crontab: ImportedCrontab, folder: Path) -> Application:
    """Return the definitions that an imported crontab becomes, as `leased check` loads them."""
    (folder / "schedules.toml").write_text(document(crontab))
    return load(str(folder / "schedules.toml"))


def compare(crontab: ImportedCrontab, text: str, folder: Path) -> None:
    lines, application = text.split("\n"), brought(crontab, folder)
    assert [schedule.name for schedule in application.schedules] == [one.schedule for one in crontab.schedules]
    for one in crontab.schedules:
        schedule, timing = application.schedule(one.schedule), written_timing(lines[one.line - 1])
        [job] = schedule.jobs
        assert (schedule.timezone, dict(job.env), job.cwd) == (one.timezone, dict(one.env), one.cwd)
        for start in STARTS:
            theirs = CronSim(timing, start.astimezone(ZoneInfo(one.timezone)))
            expected = [instant.astimezone(UTC) for instant in islice(theirs, COUNT)]
            assert list(islice(schedule.instants(start, start), COUNT)) == expected, (one.line, timing)


@pytest.mark.parametrize("file", DEBIAN, ids=lambda file: file.name)
def test_a_crontab_of_debian_is_due_as_it_was(file: Path, tmp_path: Path) -> None:
    text = file.read_text()
    crontab = translate(text, HERE, with_users=True)
    jobs = [line for line in text.splitlines() if line[:1] in {*"0123456789*"}]
    assert len(crontab.schedules) == len(jobs), "each line but @reboot is a schedule"
    assert len(crontab.lost) == text.count("@reboot")
    compare(crontab, text, tmp_path)


def test_the_oddities_are_due_as_they_were(tmp_path: Path) -> None:
    text = ODDITIES.read_text()
    crontab = translate(text, HERE, with_users=False)
    lines = text.split("\n")
    assert {lines[number - 1].strip() for number in crontab.lost} == LOST
    written = document(crontab)
    assert all(f"# line {number} is not converted: {lines[number - 1].strip()}\n" in written for number in crontab.lost)
    assert len(crontab.schedules) >= 30
    assert len({remark.text for remark in crontab.remarks}) >= 20
    compare(crontab, text, tmp_path)


def test_there_are_ten_packages_of_debian_and_its_own_crontab() -> None:
    assert len(DEBIAN) > 10
    assert "crontab" in [file.name for file in DEBIAN]


FIELD = st.sampled_from(
    ["*", "0", "*/5", "1-5", "22-6", "7", "fri-sun", "L", "5#3", "?", "0~9", "~", "61", "x", "mon,1"]
)
TIMING = st.one_of(
    st.sampled_from(["@daily", "@reboot", "@every 5m", "-0 1 * * *", "0 1 * * *"]),
    st.tuples(FIELD, FIELD, FIELD, FIELD, FIELD).map(" ".join),
)
TEXT = st.one_of(
    st.sampled_from(
        ["root a", "a%b%c", "'", '"""', "\\%", "%", "-n a", "* a", "a # b", "[ -x a ] && a", "sudo", "'''"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)
NAME = st.sampled_from(
    ["A", "PATH", "HOME", "SHELL", "MAILTO", "CRON_TZ", "TZ", "RANDOM_DELAY", "LEASED_X", "'a b'", '"', "=", "ä.b"]
)
LINE = st.one_of(
    st.tuples(TIMING, st.sampled_from([" ", "\t", ""]), TEXT).map("".join),
    st.tuples(NAME, st.sampled_from(["=", " = ", " "]), st.one_of(TEXT, st.sampled_from(["UTC", "45", ""]))).map(
        "".join
    ),
    TEXT.map("# {}".format),
    TEXT,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("crontab") / "schedules.toml"


@given(lines=st.lists(LINE, max_size=6), with_users=st.booleans())
def test_any_crontab_becomes_a_file_that_is_taken(lines: list[str], with_users: bool, file: Path) -> None:
    first = "0 1 * * * root true"  # without any schedule there is no file
    crontab = translate("\n".join([first, *lines]), HERE, with_users=with_users)
    file.write_text(document(crontab), encoding="utf-8", newline="")
    application = load(str(file))
    assert [one.name for one in application.schedules] == [one.schedule for one in crontab.schedules]
    for one in crontab.schedules:
        [job] = application.schedule(one.schedule).jobs
        assert job.command == (one.command if isinstance(one.command, str) else tuple(one.command))
        assert (dict(job.env), job.cwd) == (dict(one.env), one.cwd)
