"""Every block of the documentation is run or compared by a test.

Who adds a block writes the test that takes it off its page by its language, and counts the block here. A picture has
nothing to run.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import BLOCK, PAGES, ROOT, name_of
from tests.docs.test_docs import definitions
from tools import terminals

FENCE = re.compile(r"^[ >]*(?:```|~~~)", re.MULTILINE)
INDENTED = re.compile(r"\n\n {4,}(?![-*] |\d+\. )(?P<line>.*)")
TRIED = {
    "CONTRIBUTING.md": "sh*2",
    "README.md": "console*3 sh toml python*2",
    "docs/explanation/fixed-timeouts.md": "text",
    "docs/explanation/how-it-works.md": "mermaid text python sh",
    "docs/explanation/scaling.md": "sh",
    "docs/how-to/locks/choose-timings.md": "python text",
    "docs/how-to/locks/in-django-fastapi-celery.md": "python*5",
    "docs/how-to/locks/run-a-job-on-one-host.md": "python*4 crontab",
    "docs/how-to/locks/test-programs-that-hold-leases.md": "python",
    "docs/how-to/migrate/from-a-fixed-lock-timeout.md": "python*3 sh sql*3 toml",
    "docs/how-to/migrate/from-apscheduler-celery-beat-kubernetes.md": "python*2 toml",
    "docs/how-to/migrate/move-a-crontab.md": "sh crontab*2 toml*2",
    "docs/how-to/operate/alert-on-failures.md": "toml*2 sh*2 text python ini*2 yaml json",
    "docs/how-to/operate/ask-with-sql.md": "sql*11",
    "docs/how-to/operate/back-up-and-restore.md": "sh*5",
    "docs/how-to/operate/check-an-installation.md": "sh text",
    "docs/how-to/operate/deploy.md": "sh*3 dockerfile yaml ini text",
    "docs/how-to/operate/postgresql-in-production.md": "sql*6 sh text*2",
    "docs/how-to/operate/security.md": "nginx",
    "docs/how-to/operate/something-is-wrong.md": "sh text*2",
    "docs/how-to/operate/traces.md": "python",
    "docs/how-to/operate/troubleshooting.md": "sh",
    "docs/how-to/operate/upgrade.md": "text",
    "docs/how-to/operate/what-happened-last-night.md": "sh text",
    "docs/how-to/schedules/embed.md": "python sh",
    "docs/how-to/schedules/fill-in-what-did-not-run.md": "sh*3 text",
    "docs/how-to/schedules/queue-work.md": "python*3 sh*2",
    "docs/how-to/schedules/rename-a-schedule.md": "toml*2 sh",
    "docs/how-to/schedules/request-a-run.md": "toml sh*3 python",
    "docs/how-to/schedules/test-your-schedules.md": "python*2",
    "docs/how-to/schedules/write-a-safe-job.md": "python*3",
    "docs/internals/benchmarks.md": "sh",
    "docs/internals/evidence.md": "python",
    "docs/internals/rules.md": "text",
    "docs/reference/api.md": "sh",
    "docs/reference/command.md": "text*2 sh",
    "docs/reference/facts.md": "python toml",
    "docs/reference/jobs.md": "python*2",
    "docs/reference/library.md": "python*6",
    "docs/reference/messages.md": "toml json",
    "docs/reference/policies.md": "toml*2",
    "docs/reference/schedules.md": "python toml*2",
    "docs/reference/signals.md": "sh*2 ini",
    "docs/tutorials/first-lock.md": "sh python*3 console*5",
    "docs/tutorials/first-schedule.md": "sh*2 toml console*9 python*2 sql",
}
"""The languages of the blocks of each page, and how many there are."""
PICTURES = {("docs/explanation/fixed-timeouts.md", "text"), ("docs/internals/rules.md", "text")}
PICTURES |= {("docs/explanation/how-it-works.md", language) for language in ("text", "mermaid")}
EACH = {"ini"}
"""The languages whose blocks a test takes off all pages at once."""


def test_each_block_is_counted() -> None:
    there = {name_of(page): Counter(block["language"] for block in BLOCK.finditer(page.read_text())) for page in PAGES}
    shown = {
        page: " ".join(language if number == 1 else f"{language}*{number}" for language, number in found.items())
        for page, found in there.items()
        if found
    }
    assert shown == TRIED, "write a test that runs or compares the block, and count it in TRIED"


def test_each_block_has_a_fence_with_its_language() -> None:
    """What is no such block would be seen by no test."""
    for page in PAGES:
        text = page.read_text()
        assert len(FENCE.findall(text)) == 2 * len(BLOCK.findall(text)), f"{name_of(page)}: ```language, then ```"
        assert INDENTED.findall(BLOCK.sub("", text)) == [], f"{name_of(page)}: put it between ```language and ```"


def test_each_block_is_played_or_loaded_or_taken_off_its_page_by_a_test() -> None:
    """By one that takes blocks of its page and language, that is: which of them it takes is not asked."""
    tests = [file.read_text() for file in (ROOT / "tests").rglob("test_*.py") if file != Path(__file__)]
    taking = [text for text in tests if "blocks(" in text]
    loaded = {block.partition("\n")[2] for _, block in definitions()}
    for page, language, text in blocks_of_all():
        if (name_of(page), language) in PICTURES:
            assert not re.search(r"^(\$ |leased )", text, re.MULTILINE), page
        elif not (is_played(page, language, text) or text in loaded or language in EACH):
            assert any(page.name in test and f'"{language}"' in test for test in taking), (page, text)


def blocks_of_all() -> Iterator[tuple[Path, str, str]]:
    for page in PAGES:
        for found in BLOCK.finditer(page.read_text()):
            yield page, found["language"], found["text"]


def is_played(page: Path, language: str, text: str) -> bool:
    """Is it a terminal, or a file that a terminal of its page names?"""
    if page not in terminals.PAGES or language == "console":
        return page in terminals.PAGES
    files = [found["name"] for found in terminals.FILE.finditer(page.read_text()) if found["text"] == text]
    return any(name in block for name in files for block in terminals.blocks(page))
