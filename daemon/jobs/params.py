"""The parameters of a run on their way to a child: in its environment, or in a file where they are too long for that."""

import json
import os
import tempfile
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from .brief import PARAMS_FILE_VARIABLE, PARAMS_VARIABLE

LONGEST_VARIABLE = 128 * 1024 - 1
"""Bytes of a variable with its name, beyond which Linux starts no process (MAX_ARG_STRLEN)."""


def hand_over(params: Mapping[str, Any], environment: MutableMapping[str, str]) -> str | None:
    """Put the parameters into the environment of a child; return the path of the file that holds them instead, if they
    are too long. It is to be removed at the end.
    """
    environment.pop(PARAMS_FILE_VARIABLE, None)  # as a job that runs `leased run` would pass on its own
    environment.pop(PARAMS_VARIABLE, None)
    text = json.dumps(dict(params))
    if len(PARAMS_VARIABLE) + 1 + len(text) <= LONGEST_VARIABLE:
        environment[PARAMS_VARIABLE] = text
        return None
    descriptor, path = tempfile.mkstemp(prefix="leased-params-", suffix=".json")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    except BaseException:
        os.unlink(path)  # noqa: PTH108 - as it came
        raise
    environment[PARAMS_FILE_VARIABLE] = path
    return path


def received(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters that were handed over."""
    path = environment.get(PARAMS_FILE_VARIABLE)
    text = environment[PARAMS_VARIABLE] if path is None else Path(path).read_text()
    return dict(json.loads(text))
