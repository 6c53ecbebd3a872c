"""The check of FILE in a fresh interpreter, before any replica is replaced (rule 22)."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from daemon.definitions.sources.load import load
from daemon.errors import DefinitionError
from daemon.scheduling.deploys.bring import stage
from daemon.service.outside import file_check
from daemon.service.outside.file_check import CHECK, CheckedFile, CommandLine, WrongFile, check_file, load_with_settings
from daemon.store import migrations
from tests.support.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("processes")]


def write(file: str, text: str) -> None:
    Path(file).write_text(text)


FILE = """
import os, sys
from daemon import Schedules
import helper

print("printed as it is loaded")
schedules = Schedules("shop")
schedules.add("nightly", cron=helper.WHEN).command("true", "true")
"""


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    (tmp_path / "shop.py").write_text(FILE)
    (tmp_path / "helper.py").write_text('WHEN = "0 2 * * *"')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    return CommandLine.called("shop.py", {"grace": "5s"})


async def test_it_returns_the_digest_of_what_is_there_now_modules_included(line: CommandLine) -> None:
    before = await check_file(line)
    assert isinstance(before, CheckedFile)
    assert before.digest == load("shop.py").checked_digest
    write("helper.py", 'WHEN = "0 3 * * *"  # of another size: Python tells compiled files by second and size')
    after = await check_file(line)
    assert isinstance(after, CheckedFile)
    assert after.digest != before.digest


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import nothing_like_it", "shop.py, line 1: importing it failed with ModuleNotFoundError: No module named"),
        ("def half(", "shop.py, line 1: SyntaxError"),
        (FILE.replace("shop", "s" * 300), "300 characters; at most 200 are allowed"),
        ("import os; os._exit(7)", "loading shop.py ended the process that checked it (status 7)"),
        ("import os; os.kill(os.getpid(), 9)", "loading shop.py ended the process that checked it (status -9)"),
        (None, "there is no such file"),
    ],
)
@pytest.mark.sampled(2)
async def test_what_is_wrong_is_one_sentence(line: CommandLine, text: str | None, problem: str) -> None:
    if text is not None:
        write("shop.py", text)
    found = await check_file(line if text is not None else replace(line, file="gone.py"))
    assert isinstance(found, WrongFile)
    assert problem in found.problem
    assert "\n" not in found.problem


async def test_all_mistakes_are_found_as_leased_check_finds_them(line: CommandLine) -> None:
    toml = (
        'application = "shop"\n[settings]\ngrace = "long"\n[schedules.x]\ncron = "no"\njobs = [{ comand = "true" }]\n'
    )
    write("shop.toml", toml)
    found = await check_file(replace(line, file="shop.toml", flags={}))
    assert isinstance(found, WrongFile)
    with pytest.raises(DefinitionError) as refused:
        load_with_settings("shop.toml", {})
    assert [found.problem, *found.more] == [str(refused.value), *map(str, refused.value.more)]
    assert len(found.more) == 2


async def test_a_file_that_is_never_loaded_is_given_up(line: CommandLine) -> None:
    write("shop.py", "import time\nwhile True: time.sleep(1)\n")
    found = await check_file(line, longest=1.0)
    assert found == WrongFile("shop.py could not be loaded within 1s")


async def test_an_interpreter_that_is_gone_is_told(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_check, "CHECK", ("/nowhere/python",))
    found = await check_file(line)
    assert found == WrongFile("shop.py cannot be checked: No such file or directory")


@pytest.mark.parametrize("order", [b"", b'{"file": "shop.py", "flags": {}}'])
@pytest.mark.sampled(1)
def test_a_check_whose_replica_has_died_says_nothing(line: CommandLine, order: bytes) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        check = subprocess.run(
            CHECK, input=order, stdout=writing, stderr=subprocess.PIPE, env=dict(line.environment), check=False
        )
    finally:
        os.close(writing)
    assert check.stderr.decode() == "printed as it is loaded\n" * bool(order)


@pytest.mark.extended
async def test_what_no_replica_could_start_with_is_wrong_too(line: CommandLine, tmp_path: Path) -> None:
    """A lone replica would have ended itself for it."""
    database = f"sqlite:///{tmp_path}/leased.db"
    revised = replace(line, environment={**line.environment, "LEASED_DATABASE_URL": database, "LEASED_REVISION": "5"})
    assert isinstance(await check_file(revised), CheckedFile), "the start makes the file"
    migrations.upgrade(database)
    with Store(database) as store:
        store.do(stage, load("shop.py").revised(5), by="a test")
        assert isinstance(await check_file(revised), CheckedFile)
        write("helper.py", 'WHEN = "0 3 * * *"')
        found = await check_file(revised)
        assert isinstance(found, WrongFile)
        assert 'revision 5 of "shop" already stands for other definitions' in found.problem
        assert isinstance(await check_file(replace(revised, flags={"revision": "6"})), CheckedFile)
        store.do(lambda connection: connection.execute(text("UPDATE leased_version SET version_num = '0002'")))
        assert isinstance(await check_file(revised), CheckedFile), "the start migrates it"
        store.do(lambda connection: connection.execute(text("UPDATE leased_version SET version_num = '9999'")))
        found = await check_file(revised)
        assert isinstance(found, WrongFile)
        assert "of a newer version of leased" in found.problem


@pytest.mark.parametrize(
    ("setting", "value", "problem"),
    [
        ("LEASED_CONCURRENCY", "many", "LEASED_CONCURRENCY: "),
        ("LEASED_CONCURRENCY", "1000000000", "1,000,000,000 runs at once need 3 * 1,000,000,000 + "),
        ("LEASED_DATABASE_URL", "postgresql://127.0.0.1:1/shop", "127.0.0.1:1"),
    ],
    ids=["no number", "more than fit", "a database that is away"],
)
@pytest.mark.sampled(1)
async def test_settings_that_no_replica_could_start_with_are_wrong_too(
    line: CommandLine, setting: str, value: str, problem: str
) -> None:
    """Rule 25: a replica that is told to load FILE anew goes on with the ones that it has."""
    found = await check_file(replace(line, environment={**line.environment, setting: value}))
    assert isinstance(found, WrongFile)
    assert problem in found.problem
