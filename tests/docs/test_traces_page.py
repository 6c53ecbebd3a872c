"""What the page about OpenTelemetry shows makes the spans that it lists."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT, blocks, on_the_path
from tests.support.programs import ran

(FILE,) = blocks(ROOT / "docs" / "how-to" / "operate" / "traces.md", "python")
EXPORTER = "ConsoleSpanExporter()"


@pytest.mark.usefixtures("processes")
def test_a_run_and_its_jobs_are_one_trace_and_the_span_of_a_function_stands_in_that_of_its_job(tmp_path: Path) -> None:
    assert EXPORTER in FILE
    (tmp_path / "shop.py").write_text(FILE.replace(EXPORTER, 'ConsoleSpanExporter(out=open("spans", "a"))'))
    words = ("run", "shop.py", "--now", "orders", "--until-idle", "--no-web")
    command = [sys.executable, "-P", "-m", "leased", *words]
    done = ran(command, tmp_path, on_the_path(tmp_path), PYTHONUNBUFFERED="1")
    assert done.returncode == 0, done.stderr
    spans = {span["name"]: span for span in read(tmp_path / "spans")}
    requested = spans.pop("leased.trigger orders")
    links = [link["context"]["span_id"] for link in spans["leased.run orders"]["links"]]
    assert links == [requested["context"]["span_id"]]
    assert set(spans) == {"leased.run orders", "leased.job load", "read the file", "leased.job send"}
    assert len({span["context"]["trace_id"] for span in spans.values()}) == 1
    of = {span["context"]["span_id"]: name for name, span in spans.items()}
    assert {name: of.get(span["parent_id"]) for name, span in spans.items()} == {
        "leased.run orders": None,
        "leased.job load": "leased.run orders",
        "read the file": "leased.job load",
        "leased.job send": "leased.run orders",
    }
    results = {span["attributes"].get("leased.result") for name, span in spans.items() if name.startswith("leased")}
    assert results == {"success"}


def read(file: Path) -> list[dict[str, Any]]:
    text, found = file.read_text().strip(), []
    while text:
        span, end = json.JSONDecoder().raw_decode(text)
        found.append(span)
        text = text[end:].strip()
    return found
