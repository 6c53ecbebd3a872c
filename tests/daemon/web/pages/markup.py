"""A page as a parser reads it: which elements and attributes it has, and what of it is nobody's own."""

from html.parser import HTMLParser

_NAMES = """
html head meta title link script body a svg symbol defs use path circle rect line text pattern header nav span
main footer p b i bdi code kbd section aside article h1 h2 h3 ul ol li dl dt dd div form input textarea select
option label button details summary table caption colgroup col thead tbody tr th td time small strong em pre br
fieldset legend g dialog output
"""
HARMLESS = frozenset(_NAMES.split())
VOID = frozenset(["meta", "link", "input", "br", "col", "hr"])
BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Markup(HTMLParser):
    """Finds in a page what a record may have brought into it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.titles = 0
        self.scripts = 0
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in HARMLESS:
            self.wrong.append(f"the element {tag}")
        self.scripts += tag == "script"
        self.titles += tag == "title" and "svg" not in self._open
        for name, value in attrs:
            given = (value or "").strip().lower()
            if name.startswith("on") or name in {"style", "srcdoc", "formaction"}:
                self.wrong.append(f"{tag} has {name}")
            if name in {"href", "src", "action"} and not given.startswith(("/", "#", "?")):
                self.wrong.append(f"{tag} leads to {given[:60]}")
            if any(_is_control(letter) or letter in BIDIRECTIONAL for letter in value or ""):
                self.wrong.append(f"{name} of {tag} has a control character")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.wrong.append(f"{tag} ends within {self._open[-1:]}")
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if any(_is_control(letter) for letter in data):
            self.wrong.append(f"a control character in {self._open[-3:]}: {data[:80]!r}")
        if BIDIRECTIONAL & set(data):
            self.wrong.append(f"letters are turned around in {self._open[-3:]}: {data[:80]!r}")
        if self._open[-1:] == ["script"] and data.strip():
            self.wrong.append(f"a script of its own: {data[:60]}")

    def close(self) -> None:
        super().close()
        self.wrong += [f"{tag} does not end" for tag in self._open]


def _is_control(letter: str) -> bool:
    return (letter < " " and letter not in "\n\r\t") or "\x7f" <= letter <= "\x9f"
