"""`leased import crontab`: what it writes, says and refuses."""

import json
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from daemon.cli import options
from daemon.cli.commands.defining import imports
from daemon.cli.options import NoLocalZone, local_timezone
from tests.daemon.definitions.crontabs.crontabs import DEBIAN, ODDITIES

from .conftest import Answer, Leased
from .test_answers import valid

CRONTAB = "MAILTO=ops\nHOME=/srv/app\n# Copy all\n0 3 * * * ./backup\n"
ASKED = ("--timezone", "Europe/Berlin", "--application", "web1")


@pytest.fixture
def crontab(folder: Path) -> str:
    (folder / "web1.cron").write_text(CRONTAB)
    return "web1.cron"


def test_it_writes_toml_to_stdout_and_says_on_stderr_what_is_missing(leased: Leased, crontab: str) -> None:
    answer = leased("import", "crontab", crontab, *ASKED)
    assert answer.status == 0
    written = tomllib.loads(answer.out)
    assert (written["application"], written["defaults"]["timezone"]) == ("web1", "Europe/Berlin")
    assert written["schedules"]["backup"]["description"] == "Copy all"
    assert "timezone" not in written["schedules"]["backup"]
    of_a_line, of_all, how = answer.err.splitlines()
    assert of_a_line.startswith("web1.cron, line 1: note: leased sends no mail, so MAILTO is left out; ")
    assert of_all == "web1.cron: 1 line imported, 1 note, 0 lines left out"
    assert how == "It was read as a user's crontab, in the time zone Europe/Berlin."


@pytest.mark.usefixtures("one_load")
@pytest.mark.parametrize("file", [ODDITIES, *DEBIAN], ids=lambda file: file.name)
def test_what_comes_of_each_crontab_is_taken_by_check(leased: Leased, file: Path) -> None:
    users = [] if file == ODDITIES else ["--system"]
    done = leased("import", "crontab", str(file), *users, "--output", "new.toml")
    assert done.status == (1 if file == ODDITIES or "@reboot" in file.read_text() else 0), done.err
    checked = leased("check", "new.toml", "--json")
    assert checked.status == 0, checked.err
    assert len(checked.document["items"]) == len(tomllib.loads(Path("new.toml").read_text())["schedules"])


def test_a_file_that_exists_is_never_written(leased: Leased, crontab: str, folder: Path) -> None:
    (folder / "kept.toml").write_text("kept")
    answer = leased("import", "crontab", crontab, "--output", "kept.toml")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err == "leased: kept.toml already exists and was not changed; name another file, or move this one\n"
    assert (folder / "kept.toml").read_text() == "kept"
    leased("import", "crontab", crontab, "--output", "missing/new.toml").is_refused(
        1, "missing/new.toml cannot be written: No such file or directory; name another file"
    )


def test_a_line_that_is_lost_is_status_1_and_stands_in_the_file(leased: Leased, folder: Path) -> None:
    (folder / "c").write_text("@reboot a\n0 1 * * * b\n")
    answer = leased("import", "crontab", "c", *ASKED)
    assert answer.status == 1
    assert "# line 1 is not converted: @reboot a\n" in answer.out
    assert 'c, line 1: not converted: "@reboot": it is an event, not a time' in answer.err
    assert "\nc: 1 line imported, 0 notes, 1 line left out\n" in answer.err


def test_as_json_it_is_one_object(leased: Leased, crontab: str, folder: Path) -> None:
    (folder / crontab).write_text(CRONTAB + "@reboot a\n")
    answer = leased("import", "crontab", crontab, *ASKED, "--json")
    assert (answer.status, answer.err) == (1, "")
    document = valid(answer, "import-crontab")
    assert document["items"] == [{"line": 4, "schedule": "backup", "timing": "0 3 * * *", "timezone": "Europe/Berlin"}]
    assert [(remark["lines"], remark["lost"]) for remark in document["remarks"]] == [([1], False), ([5], True)]
    assert (document["lost"], document["output"]) == ([5], None)
    assert tomllib.loads(document["toml"])["application"] == "web1"


@pytest.mark.parametrize(
    ("text", "flags", "schedule"),
    [
        ("0 1 * * * root a\n", [], "a"),
        ("0 1 * * * root a\n", ["--user"], "root"),
        ("0 1 * * * other a\n", [], "other"),
        ("0 1 * * * other a\n", ["--system"], "a"),
    ],
)
def test_users_are_found_or_told(
    leased: Leased, monkeypatch: pytest.MonkeyPatch, text: str, flags: list[str], schedule: str
) -> None:
    monkeypatch.setattr("pwd.getpwall", lambda: [SimpleNamespace(pw_name="root")])
    Path("c").write_text(text)
    answer = leased("import", "crontab", "c", *ASKED, *flags)
    assert list(tomllib.loads(answer.out)["schedules"]) == [schedule]


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("missing",), 1, "missing cannot be read: No such file or directory; `crontab -l` prints your own crontab"),
        ((".",), 1, ". cannot be read: Is a directory; `crontab -l` prints your own crontab"),
        (("latin1",), 1, "latin1 is not UTF-8; save it as UTF-8"),
        (("binary",), 1, "binary is not text; name a crontab"),
        (("c", "--timezone", "Berlin"), 2, '--timezone: there is no time zone "Berlin"; did you mean "Europe/Berlin"?'),
        (("c", "--application", "a/b"), 2, '--application: the name of an application "a/b" has a "/"'),
    ],
)
def test_bad_input_is_one_sentence(
    leased: Leased, folder: Path, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    (folder / "latin1").write_bytes(b"# caf\xe9\n")
    (folder / "binary").write_bytes(b"\0\0\n")
    (folder / "c").write_text("0 1 * * * a\n")
    leased("import", "crontab", *arguments).is_one_sentence(status, f"leased: {sentence}")
    as_json = leased("import", "crontab", *arguments, "--json")
    assert json.loads(as_json.err)["error"]["message"].startswith(sentence)


def test_the_place_of_a_file_says_whose_it_is(leased: Leased, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_SPOOLS", (folder / "spool",))
    monkeypatch.setattr(imports, "_CRON_D", folder / "cron.d")
    monkeypatch.setattr(imports, "_WITH_USERS", (folder / "cron.d",))
    for file in ("spool/daemon", "cron.d/shop.dpkg-old"):
        (folder / file).parent.mkdir()
        (folder / file).write_text("0 1 * * * daemon a\n")
    own = leased("import", "crontab", "spool/daemon", *ASKED)
    assert "# cron ran this as daemon\n[schedules.daemon]" in own.out
    assert "line 1: note: cron runs it as daemon" in own.err
    of_all = leased("import", "crontab", "cron.d/shop.dpkg-old", *ASKED)
    assert "[schedules.a]" in of_all.out
    assert "cron.d/shop.dpkg-old: note: Debian's cron reads no file with such a name" in of_all.err


def test_without_a_job_nothing_is_written(leased: Leased, folder: Path) -> None:
    (folder / "c").write_text("# nothing yet\n@reboot a\n")
    answer = leased("import", "crontab", "c", *ASKED, "--output", "new.toml")
    assert (answer.status, answer.out) == (1, "")
    assert "\nc: 0 lines imported, 0 notes, 1 line left out, nothing written\n" in answer.err
    document = leased("import", "crontab", "c", *ASKED, "--output", "new.toml", "--json").document
    assert (document["items"], document["toml"], document["output"], document["lost"]) == ([], "", None, [2])
    assert not (folder / "new.toml").exists()


def test_the_time_zone_is_that_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "_LOCALTIME", tmp_path / "localtime")
    monkeypatch.setattr(options, "_TIMEZONE", tmp_path / "timezone")
    with pytest.raises(NoLocalZone, match="give it with --timezone"):
        local_timezone({"TZ": "CET-1CEST"})
    (tmp_path / "timezone").write_text("Asia/Tokyo\n")
    assert local_timezone({}) == "Asia/Tokyo"
    (tmp_path / "localtime").symlink_to("/usr/share/zoneinfo/Europe/Vienna")
    assert local_timezone({}) == "Europe/Vienna"
    assert local_timezone({"TZ": ":America/Lima"}) == "America/Lima"


def test_two_crontabs_of_a_host_are_two_applications(leased: Leased, folder: Path) -> None:
    def application(file: str) -> str:
        (folder / file).write_text("0 1 * * * a\n")
        answer: Answer = leased("import", "crontab", file, "--timezone", "UTC")
        return str(tomllib.loads(answer.out)["application"])

    assert application("first") != application("second")
