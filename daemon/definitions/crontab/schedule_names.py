"""The names of schedules, taken from what their commands run."""

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePosixPath

from .commands import words_of

_LONGEST = 40
_ENDS = frozenset(["&&", "||", ";", "|", "&", "(", ")", ";;"])
"""What ends a simple command, in a list or a pipe."""
_KEYWORDS = frozenset(["if", "then", "elif", "else", "do", "!", "{", "}", "fi", "done"])
"""What may stand before a simple command, or alone."""
_BESIDES = frozenset(
    [*("test", "[", "[[", "cd", "sleep", "umask", "export", "set", "ulimit", "true", "command", "which", "type", "."),
     *("printf", "echo", "source", ":", "while", "for")]
)  # fmt: skip
"""What only prepares, or asks, or says."""
_WRAPPERS = frozenset(
    ["sudo", "nice", "ionice", "env", "exec", "chronic", "nohup", "time", "timeout", "flock", "setsid", "runuser", "su",
     "chpst", "systemd-cat", "cronic", "stdbuf"]
)  # fmt: skip
_INTERPRETERS = re.compile(
    r"(?:python|pypy|perl|php|ruby|node|lua|tclsh|bash|dash|zsh|ksh|sh|java|run-parts|make)[\d.]*"
)
_TAKE_A_VALUE = frozenset(["-u", "-n", "-c", "-k", "-s", "-g", "-w", "-d", "-p"])
_ASSIGNMENT = re.compile(r"\w+=.*", re.DOTALL)
_VALUE = re.compile(r"[\d.]+[smhd]?|/\S*\.lock|/(?:run|var/lock|tmp)/\S+")
_SUFFIX = re.compile(r"\.(?:sh|py|pl|php|rb|js|jar|bash|cgi)$")


def name_for(command: str) -> str:
    """Return a readable name for what ``command`` runs; ``job`` if it says too little."""
    for words in _parts(command):
        word = _program(words)
        name = re.sub(r"[^a-z0-9]+", "-", _SUFFIX.sub("", PurePosixPath(word).name.lower())).strip("-")[:_LONGEST]
        if name:
            return name.strip("-")
    return "job"


def unique(name: str, taken: Collection[str]) -> str:
    """Return ``name``, numbered from 2 on if it is among those ``taken``."""
    number = 1
    while (found := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return found


def _parts(command: str) -> Iterator[Sequence[str]]:
    """Yield the simple commands: first those that work, then those that only prepare."""
    parts: list[list[str]] = [[]]
    for word in words_of(command):
        if word in _ENDS:
            parts.append([])
        elif parts[-1] or word not in _KEYWORDS:
            parts[-1].append(word)
    parts = [part for part in parts if part]
    yield from (part for part in parts if part[0] not in _BESIDES and not _sleeps(part))
    yield from parts


def _sleeps(part: Sequence[str]) -> bool:
    return any(word.startswith("sleep") for word in part)


def _program(words: Sequence[str]) -> str:
    """Return the word that says most about what a simple command runs."""
    left = list(words)
    wrapped = False
    while left:
        word = left.pop(0)
        if _ASSIGNMENT.fullmatch(word):
            continue
        if wrapped and word.startswith("-"):
            if word in _TAKE_A_VALUE and len(left) > 1:
                left.pop(0)
            continue
        if wrapped and _VALUE.fullmatch(word):
            continue
        if PurePosixPath(word).name in _WRAPPERS:
            wrapped = True
            continue
        if _INTERPRETERS.fullmatch(PurePosixPath(word).name):
            return _script(word, left)
        return word
    return words[0]


def _script(interpreter: str, arguments: Sequence[str]) -> str:
    """Return the script or the module that an interpreter is given, or the interpreter."""
    for at, word in enumerate(arguments):
        if word in {"-c", "-e", "-r"} and PurePosixPath(interpreter).name not in {"sh", "bash", "dash"}:
            return interpreter
        if word.startswith("-c") or (word.startswith("-") and word.endswith("c") and at + 1 < len(arguments)):
            return name_for(arguments[at + 1]) if at + 1 < len(arguments) else interpreter
        if not word.startswith("-"):
            return word
    return interpreter
