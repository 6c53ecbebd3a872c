"""The command of a line: what of it is the command, what its input, and what may surprise in it."""

import re
import shlex
from collections.abc import Iterator

_SH = frozenset(["sh", "/bin/sh", "/usr/bin/sh"])
_SIMPLE = re.compile(r"[^;&|<>(){}#`\n]*")
"""A command of which a pipe feeds the whole."""
_GUARD = re.compile(r"(?:!\s+)?(?:\[\[? |test |command -v |which |type |pgrep )")
_IF = re.compile(r"\bif\b.*\bfi\b", re.DOTALL)
_FLOCK = re.compile(r"(?:^|[;&|(]\s*)(?:/usr/bin/)?flock\s")
_BACKGROUND = re.compile(r"[()]*&[()]*")
_SLEEP = re.compile(r"sleep\b.*(?:rand|RANDOM|\$\(\()|rand\b.*sleep|RANDOM.*sleep", re.DOTALL)


def split_input(written: str) -> tuple[str, str | None]:
    r"""Return the command, and what cron writes to its input; ``\%`` is a ``%``, and each other one ends a line."""
    parts = [""]
    escaped = False
    for letter in written:
        if letter == "%" and escaped:
            parts[-1] = parts[-1][:-1] + "%"
        elif letter == "%":
            parts.append("")
        else:
            parts[-1] += letter
        escaped = letter == "\\" and (not escaped or len(parts) > 1)
    command, *lines = parts
    if not any(lines) and len(lines) < 2:
        return command.rstrip(), None
    text = "\n".join(lines)
    return command.rstrip(), text if text.endswith("\n") else f"{text}\n"


def as_work(written: str, shell: str) -> str | list[str]:
    """Return the command of a job: a string for ``/bin/sh``, or the words of another shell's call."""
    command, given = split_input(written)
    if given is None:
        return command if shell in _SH else [shell, "-c", command]
    feed = "printf '%s\\n' " + " ".join(map(shlex.quote, given.removesuffix("\n").split("\n")))
    if shell in _SH and _SIMPLE.fullmatch(command):
        return f"{feed} | {command}"
    return f"{feed} | {shlex.quote(shell)} -c {shlex.quote(command)}"


def words_of(command: str) -> list[str]:
    """Return the words of a command, and apart from them what ends or joins its parts, such as ``&&``."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:  # a quote that is not closed
        return command.split()


def surprises_of(command: str) -> Iterator[str]:
    """Yield what a command does here that it did not do under cron."""
    plain = _IF.sub("", command)
    if _GUARD.match(command) and "&&" in plain and "||" not in plain and ";" not in plain:
        yield (
            "if its test is false, it exits with a status other than 0, which counts as a failed run here; write "
            "if …; then …; fi, which exits with 0"
        )
    if _FLOCK.search(command):
        yield (
            "flock is not needed: by default, a run is skipped while the one before it is active; "
            'for several schedules that must not overlap, replace it with lock = "NAME" in each'
        )
    words = words_of(command)
    if "wait" not in words and any(_BACKGROUND.fullmatch(word) for word in words):
        yield (
            "it leaves a process running in the background: leased kills what a job leaves running when its command "
            "ends; remove the &, or start the process with a service manager"
        )
    if _SLEEP.search(command):
        yield "it sleeps for a random time first; use jitter instead, which keeps no job waiting"
