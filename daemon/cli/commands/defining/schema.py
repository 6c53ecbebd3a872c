"""`leased schema`: the JSON Schema of TOML files."""

import json
import sys

from ....definitions.schema import json_schema_of
from ....definitions.sources.toml_schema import json_schema
from ....service.settings import Settings


def schema() -> None:
    """Print the JSON Schema of TOML files, which lets an editor check and complete them."""
    settings = json_schema_of(Settings)
    del settings["properties"]["revision"]  # in a file it is no setting: it stands at the top
    sys.stdout.write(json.dumps(json_schema(settings), ensure_ascii=False, indent=2) + "\n")
