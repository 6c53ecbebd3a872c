"""Command lines without what may be secret in them."""

import re
from collections.abc import Iterable

from ...text import MASK

_SPEAKS = (
    r"(?:passw|passphrase|pwd|secret|token|api.?key|access.?key|private.?key|credential|auth|bearer|cookie)[\w.-]*+"
)
_PATTERNS = (
    re.compile(r"(?P<before>://[^\s/@:]*+:)(?P<value>[^\s@]++)(?=@)"),
    re.compile(rf"(?P<before>{_SPEAKS}[=:]\s*)(?P<value>'[^']*'|\"[^\"]*\"|[^\s&;]+)", re.IGNORECASE),
    re.compile(
        rf"(?P<before>(?:^|\s)-{{1,2}}[\w.-]*?{_SPEAKS}\s+)(?P<value>'[^']*'|\"[^\"]*\"|[^\s-]\S*)", re.IGNORECASE
    ),
    re.compile(r"(?P<before>(?:^|\s)-u\s*[^\s:]+:)(?P<value>\S+)"),
    re.compile(r"(?P<before>(?:^|[\s;&|(])[A-Za-z_]\w*=)(?P<value>'[^']*'|\"[^\"]*\"|[^\s;&|)]+)"),
)
"""A password in a URL; what has a name that speaks of a secret, as a field, a variable or an option; the user and password
of curl; and the value of any variable that is set. None takes long with any command line: a search lets no other thread run.
"""
_SHORTEST = 4
"""A secret value that is shorter than this is not looked for: it would be found everywhere."""


def masked(command: str, secrets: Iterable[str] = ()) -> str:
    """Return a command line with `***` in place of ``secrets`` and of what looks like one."""
    for secret in sorted((one for one in secrets if len(one) >= _SHORTEST), key=len, reverse=True):
        command = command.replace(secret, MASK)
    for pattern in _PATTERNS:
        command = pattern.sub(lambda found: found["before"] + MASK, command)
    return command
