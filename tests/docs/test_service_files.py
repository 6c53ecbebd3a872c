"""The files for service managers that the docs show: systemd, Docker, Kubernetes and platforms with a start command."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from daemon.service.settings import Settings
from tests.docs.pages import PAGES, ROOT, blocks
from tests.support.programs import ran

DEPLOY = ROOT / "docs" / "how-to" / "operate" / "deploy.md"


def units() -> Iterator[tuple[str, str]]:
    """Yield each unit of the docs with a name, which ends as its kind of unit."""
    for page in PAGES:
        for number, text in enumerate(blocks(page, "ini")):
            yield f"{page.stem}-{number}.{'timer' if '[Timer]' in text else 'service'}", text


@pytest.mark.usefixtures("processes")
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="install systemd: systemd-analyze verifies units")
def test_systemd_finds_no_mistake_in_any_unit(tmp_path: Path) -> None:
    """It looks for the programs that a unit starts, and for the units that it names."""
    command = tmp_path / ".venv" / "bin" / "leased"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    written = {tmp_path / name: text.replace("/srv/shop", str(tmp_path)) for name, text in units()}
    for file, text in written.items():
        file.write_text(text)
        if file.suffix == ".timer":
            shutil.copy(next(one for one in written if one.suffix == ".service"), file.with_suffix(".service"))
    (tmp_path / "tell-ops@.service").write_text("[Service]\nExecStart=/bin/true\n")
    done = ran(["systemd-analyze", "verify", "--man=no", *written])
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.usefixtures("processes")
def test_a_new_file_is_put_in_place_before_the_reload(tmp_path: Path) -> None:
    (line,) = (block for block in blocks(DEPLOY, "sh") if "systemctl" in block)
    (unit,) = (text for name, text in units() if name.startswith("deploy-"))
    file, place = re.findall(r"install -m 644 (\S+) (\S+)", line)[0]
    assert f"ExecStart=/srv/shop/.venv/bin/leased run {file} " in unit
    assert f"WorkingDirectory={Path(place).parent}\n" in unit
    (tmp_path / file).write_text("the new one")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / file).write_text("the old one")
    run = f'systemctl() {{ echo "$*: $(cat shop/{file})"; }}; {line.replace("/srv/", "")}'
    done = subprocess.run(["/bin/sh", "-ec", run], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "reload shop-schedules: the new one\n"


def dockerfile(text: str) -> dict[str, str]:
    """Return its instructions, of which it has one each; for the last stage of several."""
    lines = re.sub(r"\\\n", " ", text.rpartition("\nFROM")[2] if "\nFROM" in text else text).splitlines()
    return {word: rest for word, _, rest in (line.partition(" ") for line in lines)}


def test_the_image_with_a_file_is_built_on_the_one_of_this_repository() -> None:
    own = dockerfile((ROOT / "Dockerfile").read_text())
    (shown,) = blocks(DEPLOY, "dockerfile")
    image = dockerfile(shown)
    assert list(image) == ["FROM", "COPY", "RUN", "CMD"]
    assert f"`docker build -t {image['FROM']} .`" in DEPLOY.read_text()
    assert json.loads(own["ENTRYPOINT"]) == ["leased"]
    file = image["COPY"].split()[0]
    assert (json.loads(image["RUN"]), json.loads(image["CMD"])) == (["leased", "check", file], ["run", file])


def test_the_image_of_this_repository_is_built_and_run_as_every_change_tries_it() -> None:
    (shown,) = blocks(ROOT / "docs" / "reference" / "command.md", "sh")
    tried = (ROOT / ".ci" / "run").read_text()
    build, run = (shlex.split(line) for line in shown.splitlines())
    tag = build[build.index("-t") + 1]
    assert build == ["docker", "build", "-t", tag, "."]
    assert re.search(r"^ +docker build .*--tag leased:ci \.$", tried, re.MULTILINE)
    assert shlex.join(run).replace(f" {tag} ", " leased:ci ", 1) in tried
    file = next(word for word in run if word.endswith(".py"))
    assert (ROOT / file).is_file()
    assert dockerfile((ROOT / "Dockerfile").read_text())["COPY"] == "examples examples"


def read(text: str) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="pip install pyyaml: it reads the pages' YAML")
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def deployment() -> dict[str, Any]:
    (shown,) = blocks(DEPLOY, "yaml")
    return read(shown)


def test_all_yaml_can_be_read() -> None:
    assert all(read(block) for page in PAGES for block in blocks(page, "yaml"))


def test_the_deployment_of_kubernetes_starts_replicas_that_drain_in_time(deployment: dict[str, Any]) -> None:
    assert (deployment["apiVersion"], deployment["kind"]) == ("apps/v1", "Deployment")
    spec = deployment["spec"]
    pod = spec["template"]["spec"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    (tables,), (replica,) = pod["initContainers"], pod["containers"]
    assert (tables["image"], tables["args"]) == (replica["image"], ["db", "upgrade"])
    given = {one["name"]: one["value"] for one in replica["env"]}
    assert set(given) == {"LEASED_REVISION", "LEASED_WEB"}
    assert replica["image"].endswith(f":{given['LEASED_REVISION']}"), "its revision is the number of the build"
    settings = Settings(revision=given["LEASED_REVISION"], web=given["LEASED_WEB"], web_token=SecretStr("t" * 32))
    port = int(given["LEASED_WEB"].rpartition(":")[2])
    probes = {name: replica[name]["httpGet"] for name in ("readinessProbe", "livenessProbe")}
    assert probes == {
        "readinessProbe": {"path": "/readyz", "port": port},
        "livenessProbe": {"path": "/livez", "port": port},
    }
    assert tables["envFrom"] == replica["envFrom"] == [{"secretRef": {"name": deployment["metadata"]["name"]}}]
    assert pod["terminationGracePeriodSeconds"] >= settings.grace + settings.timing.kill_time + 7


def test_a_platform_starts_one_process_of_a_type() -> None:
    (shown,) = blocks(DEPLOY, "text")
    kind, command = re.fullmatch(r"(\w+): (.*)\n", shown).groups()  # type: ignore[union-attr]  # or the test fails
    assert (kind, shlex.split(command)[:2]) == ("worker", ["leased", "run"])
