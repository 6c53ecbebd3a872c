"""The words that our English does without are found where people read them, and only there."""

from collections.abc import Iterable

from tools.words import WORDS, drawn, has, of_module, of_page

PAGE = """# What is at work

Nothing runs
beside it. What is due waits. What is due?
Of these `whoever` counts, [also](beside.md) when
it is late.

- Of two, one is told.

| Of a run | for ever |
| --- | --- |

```sh
leased run beside.py  # a sentence
```
"""
MODULE = '''"""A module goes by its docstring."""

class Mistake(Exception):
    """A sentence."""

    why: str
    """What it is."""

def status(name: str) -> str:
    """Show what is at work, be it late or not."""
    return f"{name} is loaded anew " "by whoever asks for `it is told`"
'''


def found(sentences: Iterable[str]) -> list[str]:
    return [text for text in sentences if any(has(word, text) for word, _ in WORDS)]


def test_a_page_is_read_sentence_by_sentence_but_for_headings_questions_and_code() -> None:
    assert found(of_page(PAGE)) == [
        "Nothing runs beside it.",
        "What is due waits.",
        "Of these `whoever` counts, [also] when it is late.",
        "Of two, one is told.",
        "Of a run",
        "for ever",
    ]


def test_a_module_is_read_for_its_messages_and_help_but_not_its_docstrings() -> None:
    assert found(of_module(MODULE, with_help=False)) == ["{} is loaded anew by whoever asks for `it is told`"]
    assert len(found(of_module(MODULE, with_help=True))) == 2


def test_forty_sentences_are_drawn() -> None:
    assert len({*drawn("1")}) == 40
