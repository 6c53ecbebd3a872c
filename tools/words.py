"""The words that our English does without, looked for in the docs, the help and the messages.

    python -m tools.words [FILE …]
    python -m tools.words --draw SEED

`make check` runs it. It prints each sentence that has one, with a better word, and then exits with 1.
`--draw` prints 40 sentences, for a person to read; the same text and seed give the same ones.
"""

import ast
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
INSTEAD = {
    r"\banew\b": "again, or re- (reload)",
    r"\bbeside\b": "alongside; while X is running; next to",
    r"\bat work\b": "running",
    r"\bbe it\b": "drop it",
    r"\ba sentence\b": "an error, a message",
    r"\bfor ever\b": "without limit, for good",
    r"\bwho(so)?ever\b": "if you …",
    r"\b(goes|go) by\b": "uses, follows",
    r"\b(is|are|was|were|be) told\b": "is notified; learns",
    r"\balso (if|where|when)\b": "even if, including when",
    r"^(Of|Whoever) ": "subject, verb, object; the condition last",
    r"^What ": "subject, verb, object (a question may begin so)",
}
WORDS = [(re.compile(word, re.IGNORECASE if word.startswith(r"\b") else 0), better) for word, better in INSTEAD.items()]
RECORDS = ("docs/internals/", "CHANGELOG.md", "daemon/store/migrations/versions/")
HELP = "daemon/cli/commands/"
_BLOCK = re.compile(r"^( *)```.*?^\1```$|<!--.*?-->", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"``[^`]*``|`[^`]*`")
_TARGET = re.compile(r"(\])\([^)]*\)")
_APART = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*>|]|\d+\.) )|\n(?=#)|\|")
_MARKS = re.compile(r"^[\s>*_-]*(?:\d+\. )?[\s*_\[(]*")
_ENDS = re.compile(r"(?<=[.!?])[*_)]*\s+")
_PARTS = re.compile(r"(?<=[.:!?])[*_)]*\s+")


def main(words: list[str]) -> int:
    """Print what is found in these files, or in all, and return the exit status."""
    if words[:1] == ["--draw"]:
        sys.stdout.writelines(f"{name}: {sentence}\n" for name, sentence in drawn(words[1]))
        return 0
    found = 0
    for name in words or sorted(files()):
        for sentence, better in findings(name):
            found += 1
            sys.stdout.write(f"{name}: {sentence!r}: {better}\n")
    return 1 if found else 0


def files() -> Iterator[str]:
    """Yield the names of the pages and modules that people read."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    modules = [ROOT / "leased.py", *(ROOT / "daemon").rglob("*.py"), *(ROOT / "lease").rglob("*.py")]
    for path in (*pages, *modules):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(RECORDS):
            yield name


def drawn(seed: str, count: int = 40) -> list[tuple[str, str]]:
    """Return so many sentences of five words or more, with their files."""
    read = ((name, text) for name in files() for text in sentences(name))
    texts = {(name, text) for name, text in read if len(re.findall(r"(?<!\S)[A-Za-z]{2,}", _CODE.sub("", text))) > 4}
    return random.Random(seed).sample(sorted(texts), count)  # noqa: S311 - nothing is secret here


def findings(name: str) -> Iterator[tuple[str, str]]:
    """Yield each sentence of the file that has such a word, and what to write instead."""
    for sentence in sentences(name):
        yield from ((sentence, better) for word, better in WORDS if has(word, sentence))


def has(word: re.Pattern[str], sentence: str) -> bool:
    """Return whether a sentence has the word, other than in code or in a question."""
    parts = _PARTS.split(_CODE.sub("``", sentence))
    return any(word.search(part) for part in parts if not part.endswith("?"))


def sentences(name: str) -> Iterator[str]:
    """Yield the sentences that people read in the file."""
    text = (ROOT / name).read_text(encoding="utf-8")
    yield from of_page(text) if name.endswith(".md") else of_module(text, with_help=name.startswith(HELP))


def of_page(text: str) -> Iterator[str]:
    """Yield the sentences of a page but for its headings and code."""
    for part in _APART.split(_TARGET.sub(r"\1", _BLOCK.sub("", text))):
        if not part.startswith("#"):
            yield from _sentences(part)


def of_module(source: str, *, with_help: bool) -> Iterator[str]:
    """Yield the sentences in its strings: messages, the help of options, and with ``with_help`` that of commands."""
    nodes = list(ast.walk(ast.parse(source)))
    passed = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}  # docstrings
    if with_help:
        functions = [node.body[0] for node in nodes if isinstance(node, ast.FunctionDef)]
        passed -= {id(first.value) for first in functions if isinstance(first, ast.Expr)}
    passed |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield from _sentences("".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed:
            yield from _sentences(node.value)


def _sentences(text: str) -> Iterator[str]:
    for sentence in _ENDS.split(text):
        if words := " ".join(_MARKS.sub("", sentence).split()):
            yield words


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
