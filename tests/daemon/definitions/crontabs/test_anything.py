"""Whatever a crontab says, what is written is a right file, and each line is in it or told."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.definitions.crontab import translate
from daemon.definitions.sources.load import load

from .crontabs import HERE, document

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
