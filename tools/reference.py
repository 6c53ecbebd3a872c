"""What is made from the declarations of settings and metrics: the tables of the reference, and the keywords in
Python.

`make docs` writes them. A test compares them with what would be written.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from daemon.cli.commands.defining.schema import answer_schema
from daemon.cli.screen import ANSWERS
from daemon.definitions.defaults import DefaultSettings
from daemon.definitions.definition import Definition
from daemon.definitions.schedule import TRIGGERS, Job, Schedule
from daemon.definitions.sources.toml_file import json_schema_of
from daemon.service.embedded import NOT_EMBEDDED
from daemon.service.environment import variable_of
from daemon.service.settings import Settings, flag_of
from daemon.web.metrics.families import FAMILIES
from lease.durations import format_duration

ROOT = Path(__file__).parent.parent
SCHEDULES = ROOT / "docs" / "reference" / "schedules.md"
METRICS = ROOT / "docs" / "reference" / "metrics.md"
SETTINGS = ROOT / "docs" / "reference" / "settings.md"
SCHEMAS = ROOT / "docs" / "reference" / "schemas"
KEYWORDS = ROOT / "daemon" / "definitions" / "sources" / "keywords.py"

Schema = Mapping[str, Any]


def made() -> dict[Path, str]:
    """Return the whole text of each file that has something made in it."""
    schedules = _filled(SCHEDULES.read_text(), "settings of a schedule", _table(_settings(Schedule)))
    schedules = _filled(schedules, "settings of a default", _names(DefaultSettings))
    return {
        SCHEDULES: _filled(schedules, "settings of a job", _table(_settings(Job))),
        SETTINGS: _filled(
            SETTINGS.read_text(),
            "settings of a command",
            _table(json_schema_of(Settings)["properties"], of_command=True),
        ),
        METRICS: _filled(
            _filled(METRICS.read_text(), "metrics of the fleet", _families("fleet")),
            "metrics of a replica",
            _families("replica"),
        ),
        KEYWORDS: _keywords(),
        **{
            SCHEMAS / f"{command}.json": json.dumps(answer_schema(command), ensure_ascii=False, indent=2) + "\n"
            for command in ANSWERS
        },
    }


def _filled(page: str, what: str, table: str) -> str:
    """Return the page with the table between the two comments that name it."""
    begin, end = f"<!-- {what}: written by make docs -->\n", "<!-- until here -->\n"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{table}\n{end}{after}"


def _families(of: str) -> str:
    rows = [["metric", "type", "labels", ""], ["---"] * 4]
    for family in FAMILIES:
        if family.of == of:
            labels = ", ".join(f"`{label}`" for label in family.labels)
            rows.append([f"`{family.name}`", family.kind, labels, family.meaning.removesuffix(".")])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows).replace("|  |", "| |")


def _settings(model: type[Definition]) -> dict[str, Schema]:
    properties = json_schema_of(model)["properties"]
    return {name: properties[name] for name in model.settings()}


def _table(settings: Mapping[str, Schema], *, of_command: bool = False) -> str:
    columns = ["setting", *(["variable", "flag"] if of_command else []), "values", "default", ""]
    rows = [columns, ["---"] * len(columns)]
    for name, schema in settings.items():
        given_by = [f"`{variable_of(name)}`", _code(flag_of(name))] if of_command else []
        rows.append([f"`{name}`", *given_by, _values(schema), _default(schema), _meaning(schema)])
    return "".join(f"| {' | '.join(row)} |\n".replace("|  |", "| |") for row in rows)


def _names(model: type[Definition]) -> str:
    rows = [
        f"| {kind} | {', '.join(f'`{name}`' for name in model.settings() if name in of.settings())} |\n"
        for kind, of in (("schedules", Schedule), ("jobs", Job))
    ]
    return "".join(["| of | settings |\n", "| --- | --- |\n", *rows])


def _values(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    if "title" in schema:
        return str(schema["title"])
    match schema["type"]:
        case "boolean":
            return "`true`, `false`"
        case "integer" if "maximum" in schema:
            return f"a whole number from {schema['minimum']:,} to {schema['maximum']:,}"
        case "integer":
            return f"a whole number of {schema['minimum']:,} or more"
        case kind:
            return f"a {kind}"


def _default(schema: Schema) -> str:
    default = schema.get("default")
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, float) and _is_duration(schema):
        return f"`{format_duration(default)}`"
    return _code(str(default)) if default or default == 0 else ""


def _meaning(schema: Schema) -> str:
    return " ".join(schema["description"].split())


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


def _is_duration(schema: Schema) -> bool:
    return [choice["type"] for choice in schema.get("anyOf", ())] == ["string", "number"]


def _keywords() -> str:
    schedule, job = _settings(Schedule), _settings(Job)
    without_triggers = {name: schema for name, schema in schedule.items() if name not in TRIGGERS}
    return "".join(
        [
            '"""The settings as keywords in Python, for type checkers; `make docs` writes them.\n\n',
            "No type checker derives them from the models: what people write, as `40m` in quotes, has another\n",
            'type than what is kept.\n"""\n\n',
            "from collections.abc import Mapping, Sequence\n",
            "from datetime import datetime\n",
            "from typing import Any, Literal, TypedDict\n\n",
            "from lease.durations import Duration\n",
            *_typed_dict("ScheduleKeywords", "The settings of a schedule apart from when it is due.", without_triggers),
            *_typed_dict("JobKeywords", "The settings of a job.", job),
            *_typed_dict("DefaultKeywords", "The settings that may be given for all.", _settings(DefaultSettings)),
            *_typed_dict("ReplicaKeywords", "The settings of a replica inside another program.", _of_embedded()),
        ]
    )


def _of_embedded() -> dict[str, Schema]:
    properties = json_schema_of(Settings)["properties"]
    return {name: schema for name, schema in properties.items() if name not in NOT_EMBEDDED}


def _typed_dict(name: str, meaning: str, settings: Mapping[str, Schema]) -> Iterator[str]:
    yield f'\n\nclass {name}(TypedDict, total=False):\n    """{meaning}"""\n\n'
    for setting, schema in settings.items():
        unset = "" if "default" in schema else " | None"
        yield f"    {setting}: {_type(schema)}{unset}\n"


def _type(schema: Schema) -> str:
    if "enum" in schema:
        return f"Literal{json.dumps(schema['enum'])}"
    if _is_duration(schema):
        return "Duration"
    if len(choices := schema.get("anyOf", ())) > 2 and _is_duration({"anyOf": choices[:2]}):
        return " | ".join(["Duration", *map(_type, choices[2:])])
    if schema.get("format") == "date-time":
        return "datetime | str"
    if "anyOf" in schema:
        return " | ".join(_type(choice) for choice in schema["anyOf"])
    match schema["type"]:
        case "array":
            return f"Sequence[{_type(schema['items'])}]"
        case "object":
            values = schema["additionalProperties"]
            return f"Mapping[str, {'Any' if isinstance(values, bool) else _type(values)}]"
        case kind:
            return {"string": "str", "boolean": "bool", "integer": "int", "number": "float"}[kind]


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text)
