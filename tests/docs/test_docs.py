"""The documentation is true: its links lead somewhere, its programs run, and it names what there is."""

import json
import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.main import get_command

import lease
from daemon.cli.app import LATER, app
from daemon.definitions.schedule import Job, Schedule
from daemon.definitions.sources.load import load
from daemon.jobs.run import AsyncRun
from daemon.service.settings import Settings
from tests.docs.pages import BLOCK, PAGES, ROOT, blocks, name_of, run_program
from tools.reference import made

MOST_COLUMNS = 100
MOST_LINES_OF_THE_README = 133  # with a picture
LINK = re.compile(r"(?<!`)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
PATH = re.compile(
    r"`(?:[\w./]+ )?(?P<path>(?:lease|daemon|tests|docs|examples|benchmarks|tools|requirements)/[\w./*-]+)"
)
TYPED = re.compile(r"""(?<!-t )\bleased (?P<words>(?:(?! \d?>)(?:"[^"]*"|'[^']*'|[^"'`|;&)]))+)""")
IN_FILE = re.compile(r"`(?P<name>\w+)`\s+in\s+`(?P<path>\w[\w./]+\.\w+)`")


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings: lower case, spaces as hyphens, all else but words left out."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    for found in LINK.finditer(BLOCK.sub("", page.read_text())):
        path, _, anchor = found["target"].partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            yield f"{name_of(page)}: {found['target']}"


def test_every_relative_link_leads_somewhere() -> None:
    assert [link for page in PAGES for link in broken_links(page)] == []


def test_no_section_is_on_a_page_twice() -> None:
    headings = Counter(
        (name_of(page), heading)
        for page in PAGES
        if page.name != "CHANGELOG.md"
        for heading in re.findall(r"^#+ .+$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    )
    assert [heading for heading, count in headings.items() if count > 1] == []


def test_prose_is_no_wider_than_a_hundred_columns() -> None:
    """Tables, pictures, code and words that cannot be broken are as wide as they are."""
    lines = [(name_of(page), line) for page in PAGES for line in BLOCK.sub("", page.read_text()).splitlines()]
    prose = [(page, line) for page, line in lines if not line.startswith(("|", "![", "<picture>", "    ", "#"))]
    assert [(page, line) for page, line in prose if len(line) > MOST_COLUMNS and len(line.split()) > 1] == []


def test_the_changelog_takes_three_lines_for_each_change() -> None:
    entries = re.findall(r"^- .*\n(?:  .*\n)*", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert [entry for entry in entries if entry.count("\n") > 3] == []


def test_every_file_that_is_named_is_there() -> None:
    named = {
        (name_of(page), found["path"]) for page in PAGES for found in PATH.finditer(BLOCK.sub("", page.read_text()))
    }
    assert sorted((page, path) for page, path in named if not any(ROOT.glob(path.rstrip("/.")))) == []


def test_what_is_said_to_be_in_a_file_is_in_it() -> None:
    for page in PAGES:
        for found in IN_FILE.finditer(BLOCK.sub("", page.read_text())):
            assert (ROOT / found["path"]).exists(), (name_of(page), found[0], "write the path from the root")
            assert re.search(rf"\b{found['name']}\b", (ROOT / found["path"]).read_text()), (name_of(page), found[0])


def test_every_page_can_be_reached_from_the_index() -> None:
    seen, waiting = set[Path](), [ROOT / "docs" / "index.md"]
    while waiting:
        at = waiting.pop()
        seen.add(at)
        targets = (found["target"].partition("#")[0] for found in LINK.finditer(at.read_text()))
        found = {(at.parent / path).resolve() for path in targets if path.endswith(".md") and "://" not in path}
        waiting += found - seen
    assert sorted(name_of(page) for page in {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - seen) == []


def test_the_pages_for_users_come_first_and_the_internals_are_apart() -> None:
    folders = {page.relative_to(ROOT / "docs").parts[0] for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert folders == {"index.md", "tutorials", "how-to", "reference", "explanation", "internals"}
    links = [found["target"] for found in LINK.finditer((ROOT / "docs" / "index.md").read_text())]
    internal = [link.startswith("internals/") for link in links]
    assert internal == sorted(internal)


def test_the_readme_is_read_in_minutes() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= MOST_LINES_OF_THE_README


@pytest.mark.usefixtures("processes")
def test_the_tests_that_are_shown_pass(tmp_path: Path) -> None:
    first, *others = [
        shown
        for name in ("schedules/test-your-schedules.md", "locks/test-programs-that-hold-leases.md")
        for shown in blocks(ROOT / "docs" / "how-to" / name, "python")
    ]
    files = [tmp_path / f"other_{number}.py" for number, _ in enumerate(others)]
    for file, shown in zip(files, others, strict=True):
        file.write_text(shown)
    done = run_program(first, tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", after=[*map(str, files)])
    assert done.returncode == 0, done.stdout
    assert f"{sum(shown.count('def test_') for shown in (first, *others))} passed" in done.stdout


def definitions() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for suffix, language in ((".py", "python"), (".toml", "toml")):
            for index, block in enumerate(blocks(page, language)):
                if "django.setup()" in block or "set_tracer_provider(" in block:
                    continue  # once in a process: the test of its page runs it in one of its own
                if "Schedules(" in block or "[schedules." in block:
                    yield f"{name_of(page)}-{language}-{index}", f"{suffix}\n{block}"


@pytest.mark.parametrize("block", [text for _, text in definitions()], ids=[name for name, _ in definitions()])
def test_every_definition_that_is_shown_is_a_right_one(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suffix, _, text = block.partition("\n")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()  # without it, a shop.py anywhere on the path would come first
    (tmp_path / "shop" / "sync.py").write_text("def customers(run): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in _modules_of_shop():
        monkeypatch.delitem(sys.modules, name)
    file = tmp_path / f"shown{suffix}"
    file.write_text(text)
    try:
        assert load(file).schedules
    finally:  # another `shop` that a test loads would have another name
        for name in _modules_of_shop():
            del sys.modules[name]


def _modules_of_shop() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "shop"]


@pytest.mark.parametrize("file", ["timezones.py", "schedules.toml", "embedded.py", "thumbnails.py"])
def test_every_example_is_well_defined(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples")
    assert load(ROOT / "examples" / file).schedules


def reference(name: str) -> str:
    return (ROOT / "docs" / "reference" / f"{name}.md").read_text()


def section(text: str, heading: str) -> str:
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def first_column(text: str) -> set[str]:
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_what_is_made_from_the_declarations_of_settings_is_up_to_date() -> None:
    old = [name_of(file) for file, text in made().items() if not file.exists() or file.read_text() != text]
    assert old == [], "write it: make docs"


def test_every_setting_is_documented_and_no_other() -> None:
    assert first_column(section(reference("schedules"), "Settings of a schedule")) == set(Schedule.settings())
    assert first_column(section(reference("schedules"), "Settings of a job")) == set(Job.settings())
    assert first_column(reference("settings")) == set(Settings.model_fields)


def commands() -> dict[str, set[str]]:
    """Every command, and its options."""
    root = get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    found = {}
    for name in root.list_commands(None):  # type: ignore[arg-type]
        command = root.get_command(None, name)  # type: ignore[arg-type]
        nested = getattr(command, "commands", {})
        for child, own in {name: command, **{f"{name} {child}": one for child, one in nested.items()}}.items():
            found[child] = {option for parameter in own.params for option in parameter.opts if option.startswith("--")}
    return found


def test_every_command_is_documented_and_no_other() -> None:
    text = reference("command").partition("\n## ")[0]
    shown = set(re.findall(r"`leased ([a-z]+(?: [a-z]+)?)[ `]", text))
    there = set(commands()) - {"db", "import"}
    assert shown == there, "correct the tables at the top of docs/reference/command.md"
    assert all(f"`{name}`" in text for name in LATER)


def test_every_option_that_prose_names_is_there() -> None:
    known = commands() | {name: set() for name in LATER}
    for page in (page for page in PAGES if page.name != "CHANGELOG.md"):
        for named, rest in re.findall(r"`leased ((?:[a-z]+\s?)+)([^`]*)`", BLOCK.sub("", page.read_text())):
            words = named.split()
            command = next(" ".join(words[:size]) for size in (2, 1) if " ".join(words[:size]) in known)
            assert set(re.findall(r"--[a-z-]+", rest)) <= known[command], (name_of(page), named, rest)


def test_what_an_older_replica_logs_is_what_is_shown() -> None:
    (shown,) = blocks(ROOT / "docs" / "how-to" / "operate" / "upgrade.md", "text")
    assert " ".join(shown.split()) == import_module("daemon.store.migrations.versions.0005_older_beside").CLAIM


def test_every_option_of_run_is_documented() -> None:
    text = section(reference("command"), "leased run") + reference("settings")
    assert set(re.findall(r"`(--[a-z-]+)", text)) == commands()["run"]


def command_lines() -> Iterator[tuple[str, str]]:
    """Yield what follows `leased` in each line that somebody types, or that a unit, an image or a crontab runs."""
    for page in PAGES:
        for found in BLOCK.finditer(page.read_text()):
            lines = re.sub(r"\\\n|(?m:\s#.*$)", " ", found["text"]).splitlines()
            language = found["language"]
            if language == "dockerfile":
                words = (json.loads(line.partition(" ")[2]) for line in lines if line.startswith(("RUN [", "CMD [")))
                lines = [f"leased {shlex.join(one).removeprefix('leased ')}" for one in words]
            elif language == "yaml":
                listed = re.findall(r" args: \[(.*)\]", found["text"])
                lines = [f"leased {one.replace(',', '')}" for one in listed]
            elif language == "text":
                lines = [line for line in lines if ": leased " in line]
            elif language not in {"sh", "ini", "crontab"}:
                continue
            yield from ((name_of(page), typed["words"]) for line in lines for typed in TYPED.finditer(line))


@pytest.mark.parametrize(("page", "line"), sorted({*command_lines()}))
def test_every_command_line_that_is_shown_is_taken(page: str, line: str) -> None:
    command, words = get_command(app), shlex.split(line)
    while isinstance(command, typer.core.TyperGroup):
        _, found, words = command.resolve_command(typer.Context(command), words)
        assert found is not None, page
        command = found
    command.make_context(line, words)


def test_every_statement_that_the_reference_names_is_there() -> None:
    told = re.search(r"`lease\.statements` has the protocol[^:]*: (?P<names>[^.]+)\.", reference("library"))
    assert told is not None
    names = re.findall(r"`(\w+)`", told["names"])
    assert len(names) > 5
    assert [name for name in names if name not in lease.statements.__all__] == []


def test_everything_that_a_job_gets_is_documented() -> None:
    text = reference("jobs")
    for name in (name for name in dir(AsyncRun) if not name.startswith("_")):
        assert f"`run.{name}" in text, name


def rules() -> list[int]:
    text = (ROOT / "docs" / "internals" / "rules.md").read_text()
    return [int(number) for number in re.findall(r"^### Rule (\d+): ", text, re.MULTILINE)]


def test_the_rules_are_there_by_number() -> None:
    assert rules()[:20] == list(range(1, 21))
    assert rules() == sorted(set(rules()))  # what is missing in between is not built yet


def test_no_page_for_users_sends_its_reader_to_a_rule_or_a_decision() -> None:
    schemas = (ROOT / "docs" / "reference" / "schemas").glob("*.json")
    for page in (*PAGES, *schemas):
        if page.is_relative_to(ROOT / "docs" / "internals") or page.name in {"CHANGELOG.md", "CONTRIBUTING.md"}:
            continue
        found = re.findall(r"\brules?\s+\[?\d+|\brules\.md#\w+|\badr/\d+|\bADR\s+\d+", page.read_text(), re.IGNORECASE)
        assert found == [], name_of(page)


def test_no_code_refers_to_a_rule_that_is_not_there() -> None:
    files = [path for folder in ("lease", "daemon", "tests") for path in (ROOT / folder).rglob("*.py")]
    known = {*rules()}
    for path in files:
        for numbers in re.findall(r"\(rules? ([\d, and-]+)\)", path.read_text()):
            assert {int(number) for number in re.findall(r"\d+", numbers)} <= known, f"{name_of(path)}: {numbers}"


def test_the_decisions_are_numbered_and_listed() -> None:
    folder = ROOT / "docs" / "internals" / "adr"
    records = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    index = (folder / "README.md").read_text()
    for number, record in enumerate(records, start=1):
        assert record.name.startswith(f"{number:04}-")
        assert record.read_text().startswith(f"# {number}. ")
        assert f"]({record.name})" in index
