"""The floors of a child: the same command without leased."""

import resource
import subprocess
import sys
from collections.abc import Sequence

_READER = """
import resource, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
lines = sum(1 for line in process.stdout)
process.wait()
def used(whose):
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime
print(lines, used(resource.RUSAGE_SELF), used(resource.RUSAGE_CHILDREN))
"""


def cpu_of_commands(number: int) -> float:
    """Run `true` so many times, and return the seconds of CPU that took, here and there."""
    before = _used()
    for _ in range(number):
        subprocess.run(["true"], check=True)  # noqa: S607 - as a shell finds it
    return _used() - before


def cpu_of_reader(command: Sequence[str]) -> tuple[float, float]:
    """Return the seconds of CPU of a Python program that reads a command's output line by line, and of the command."""
    words = [sys.executable, "-I", "-c", _READER, *command]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    _, reader, other = said.split()
    return float(reader), float(other)


def _used() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
