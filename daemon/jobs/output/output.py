"""The output of a job: bytes made into lines of plain text, passed on and added to its transcript."""

import asyncio
import codecs
import re
from collections.abc import Callable

from .transcript import Transcript

LONGEST_LINE = 8 * 1024
_ESCAPES = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]"  # colours, and moves of the cursor
    "|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?"  # titles and links
    "|\x1b[PX^_][^\x1b]*(?:\x1b\\\\)?"
    "|\x1b[ -/]*[0-~]"
)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Output:
    """Splits a stream of bytes into lines of text, in bounded memory.

    Escapes of a terminal are left out, and of a line that is written over with a carriage return
    its last state is kept. Invalid UTF-8 becomes U+FFFD, and so do other control characters: no
    database accepts NUL in text. A line longer than `LONGEST_LINE` characters is passed on in
    pieces; in the transcript it is whole.
    """

    def __init__(self, on_line: Callable[[str], None], transcript: Transcript) -> None:
        self._on_line = on_line
        self._transcript = transcript
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._in_line = False

    @property
    def tail(self) -> str:
        """The last of it, with a line that has not ended."""
        return self._transcript.tail + self._rest

    def feed(self, data: bytes, *, last: bool = False) -> None:
        """Add bytes that were read; with `last`, an unfinished line counts as a line."""
        *lines, self._rest = (self._rest + self._decoder.decode(data, last)).split("\n")
        kept = [self._passed_on(line) + "\n" for line in lines]
        self._in_line = self._in_line and not lines
        self._rest = self._rest[self._rest.rfind("\r", 0, -1) + 1 :]
        while len(self._rest) > LONGEST_LINE or (last and self._rest):
            part, self._rest = self._rest[:LONGEST_LINE], self._rest[LONGEST_LINE:]
            kept.append(self._passed_on(part))
            self._in_line = True
        if text := "".join(kept):
            self._transcript.add(text)

    def note(self, sentence: str) -> None:
        """Add a line of leased's own."""
        self.feed(b"\n" if self._rest or self._in_line else b"")
        self.feed(f"leased: {sentence}\n".encode(errors="replace"))

    def _passed_on(self, line: str) -> str:
        text = plain_line(line)
        for start in range(0, max(1, len(text)), LONGEST_LINE):
            try:
                self._on_line(text[start : start + LONGEST_LINE])
            except Exception as error:  # noqa: BLE001 (a listener that fails must not stop the reading)
                about = {"message": "the listener to a job's output failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(about)
        return text


def plain_line(line: str) -> str:
    """Return a line as a terminal would leave it, without colours."""
    if line.isprintable():
        return line
    line = line.rstrip("\r")
    line = _ESCAPES.sub("", line[line.rfind("\r") + 1 :])
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", line)
