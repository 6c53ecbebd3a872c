"""The output of a job: passed on line by line, with its tail kept."""

import asyncio
import codecs
from collections.abc import Callable

TAIL_BYTES = 8 * 1024
LONGEST_LINE = 8 * 1024


class Output:
    """Splits a stream of bytes into lines of text and keeps the tail, in bounded memory.

    Invalid UTF-8 becomes U+FFFD, and so does NUL, which no database accepts in text. A line longer
    than `LONGEST_LINE` characters is passed on in pieces.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._tail = b""

    @property
    def tail(self) -> str:
        """The last `TAIL_BYTES` bytes, without a character that is cut in two."""
        start = 0
        if len(self._tail) == TAIL_BYTES:
            while start < 3 and self._tail[start] & 0xC0 == 0x80:
                start += 1
        return self._tail[start:].decode(errors="replace").replace("\0", "\ufffd")

    def feed(self, data: bytes, *, last: bool = False) -> None:
        """Add bytes that were read; with `last`, an unfinished line counts as a line."""
        self._tail = (self._tail + data)[-TAIL_BYTES:]
        text = self._rest + self._decoder.decode(data, last).replace("\0", "\ufffd")
        *lines, self._rest = text.split("\n")
        for line in lines:
            self._pass_on(line)
        while len(self._rest) > LONGEST_LINE or (last and self._rest):
            piece, self._rest = self._rest[:LONGEST_LINE], self._rest[LONGEST_LINE:]
            self._pass_on(piece)

    def note(self, sentence: str) -> None:
        """Add a line of leased's own."""
        self.feed(b"" if self._tail.endswith(b"\n") or not self._tail else b"\n")
        self.feed(f"leased: {sentence}\n".encode(errors="replace"))

    def _pass_on(self, line: str) -> None:
        line = line.removesuffix("\r")
        for start in range(0, max(1, len(line)), LONGEST_LINE):
            try:
                self._on_line(line[start : start + LONGEST_LINE])
            except Exception as error:  # noqa: BLE001 (a listener that fails must not stop the reading)
                about = {"message": "the listener to a job's output failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(about)
