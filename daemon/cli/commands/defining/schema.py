"""`leased schema`: the JSON Schema of TOML files, and of what commands answer."""

import json
import sys
from importlib import import_module
from typing import Annotated, Any

import typer

from ....answers.questions import schema_of
from ....definitions.sources.toml_file import json_schema, json_schema_of
from ....service.settings import Settings
from ....text import suggestion
from ...failures import Misused
from ...screen import ANSWERS, name_of


def schema(
    answer: Annotated[
        str | None,
        typer.Argument(
            metavar="COMMAND", help="Print the schema of this command's --json output instead: status, db-current, …"
        ),
    ] = None,
) -> None:
    """Print the JSON Schema of TOML files, so that an editor can check and complete them."""
    if answer is not None:
        if answer not in ANSWERS:
            raise Misused(f'no command "{answer}" answers with --json; {suggestion(answer, ANSWERS)}')
        document = answer_schema(answer)
    else:
        settings = json_schema_of(Settings)
        del settings["properties"]["revision"]  # in a file it is no setting: it stands at the top
        document = json_schema(settings)
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def answer_schema(command: str) -> dict[str, Any]:
    module, declared, _ = ANSWERS[command]
    return schema_of(name_of(command), getattr(import_module(f"daemon.{module}"), declared))
