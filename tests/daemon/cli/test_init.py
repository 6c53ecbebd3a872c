"""`leased init`: a first FILE that is right, and runs."""

from pathlib import Path

import pytest

from .conftest import Leased
from .test_answers import valid


@pytest.mark.parametrize(
    ("arguments", "file", "form"),
    [
        ((), "schedules.py", "python"),
        (("--python",), "schedules.py", "python"),
        (("--toml",), "schedules.toml", "toml"),
        (("mine.py",), "mine.py", "python"),
        (("mine.toml",), "mine.toml", "toml"),
        (("mine.toml", "--toml"), "mine.toml", "toml"),
    ],
)
def test_the_name_or_the_flag_says_which_form(leased: Leased, arguments: tuple[str, ...], file: str, form: str) -> None:
    document = valid(leased("init", *arguments, "--json"), "init")
    assert (document["file"], document["form"], document["application"]) == (file, form, "home")
    assert f"leased check {file}" in Path(file).read_text()


@pytest.mark.parametrize("form", ["--python", "--toml"])
@pytest.mark.sampled(1)
def test_what_it_writes_is_right_and_runs(process: Leased, leased: Leased, form: str) -> None:
    written = leased("init", form)
    assert written.status == 0
    file = "schedules.py" if form == "--python" else "schedules.toml"
    assert f"leased run {file} --now hello --until-idle" in written.out
    checked = process("check", file)
    assert (checked.status, checked.err) == (0, "")
    assert checked.out.startswith("OK: home, 2 schedules\n")
    ran = process("run", file, "--until-idle", "--now", "hello")
    assert ran.status == 0, ran.err
    assert "succeeded" in ran.out
    assert "\nJOB " in ran.out, "the summary is not lost as it ends"
    logs = leased("logs", "1")
    assert "hello, this is" in logs.out
    assert "Filesystem" in logs.out


@pytest.mark.usefixtures("one_load")
@pytest.mark.parametrize("form", ["--python", "--toml"])
def test_check_has_nothing_to_remark_on_it(leased: Leased, form: str) -> None:
    file = leased("init", form, "--json").document["file"]
    checked = leased("check", file, "--json").document
    assert [checked["remarks"], *(one["remarks"] for one in checked["items"])] == [[], [], []]


def test_nothing_is_overwritten(leased: Leased, folder: Path) -> None:
    (folder / "schedules.py").write_text("mine")
    answer = leased("init")
    assert (answer.status, answer.out) == (2, "")
    assert (
        answer.err == "leased: schedules.py already exists and was not changed; name another file, or move this one\n"
    )
    assert (folder / "schedules.py").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--python", "--toml"), "--python and --toml contradict each other; leave one out"),
        (("mine.py", "--toml"), '--toml contradicts the name "mine.py"; leave one of them out'),
        (("mine.txt",), '"mine.txt" ends with neither .py nor .toml; use one of these'),
        (('mi"ne.py',), '"mi"ne.py" has quotes, backslashes or control characters; choose a plainer name'),
        (("mine",), '"mine" ends with neither .py nor .toml; use one of these'),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    leased: Leased, folder: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    before = sorted(folder.iterdir())
    answer = leased("init", *arguments)
    assert (answer.status, answer.out, answer.err) == (2, "", f"leased: {sentence}\n")
    assert sorted(folder.iterdir()) == before


@pytest.mark.usefixtures("one_load")
@pytest.mark.extended
def test_any_folder_gives_a_name_that_is_taken(leased: Leased, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mit Leerzeichen", 'quo"te\\s', "größe", "FILE-TIMEZONE", "n" * 255):
        (folder / name).mkdir()
        monkeypatch.chdir(folder / name)
        assert leased("init", "--toml").status == 0
        assert leased("check", "schedules.toml").status == 0
        assert leased("init").status == 0
        assert leased("check", "schedules.py").status == 0
        assert leased("init", "TIMEZONE of me.toml").status == 0
        assert "leased check 'TIMEZONE of me.toml'" in Path("TIMEZONE of me.toml").read_text()
