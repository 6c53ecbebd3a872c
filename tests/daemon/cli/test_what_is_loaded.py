"""A command loads what it needs, and no more."""

import pytest
from typer.main import get_command

from daemon.cli.app import COMMANDS, app
from daemon.store import migrations
from tests.support.loading import loaded_by, loaded_by_command

HEAVY = {"alembic", "croniter", "psycopg", "pydantic", "rich", "sqlalchemy", "starlette", "structlog", "uvicorn"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('database') / 'leased.db'}"
    migrations.upgrade(url)
    return url


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
@pytest.mark.usefixtures("processes")
def test_help_and_version_load_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert not loaded_by_command(*arguments) & HEAVY


@pytest.mark.parametrize("command", ["status", "runs", "locks", "replicas", "generations"])
@pytest.mark.usefixtures("processes")
@pytest.mark.sampled(1)
def test_a_command_that_reads_loads_no_migrations_and_no_web(command: str, url: str) -> None:
    loaded = loaded_by_command(command, "--database", url)
    assert "rich" in loaded
    assert not loaded & {"alembic", "croniter", "psycopg", "starlette", "structlog", "uvicorn"}


@pytest.mark.usefixtures("processes")
def test_what_is_written_as_json_is_not_drawn_by_rich(url: str) -> None:
    assert "rich" not in loaded_by_command("status", "--json", "--database", url)


@pytest.mark.usefixtures("processes")
def test_a_database_that_is_up_to_date_needs_no_alembic(url: str) -> None:
    assert "alembic" not in loaded_by_command("db", "upgrade", "--database", url)


@pytest.mark.usefixtures("processes")
def test_the_public_names_alone_load_nothing() -> None:
    assert loaded_by("import daemon") <= {"daemon", "lease"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_all_commands_says_of_each_what_its_own_help_says(name: str) -> None:
    command = get_command(app).get_command(None, name)  # type: ignore[attr-defined]
    assert " ".join(command.help.partition("\n\n")[0].split()) == COMMANDS[name]


@pytest.mark.usefixtures("processes")
def test_a_replica_whose_pages_nobody_looks_at_loads_no_templates() -> None:
    """They are compiled when somebody does, and take 6 MB."""
    loaded = loaded_by(
        "import daemon.service.service\n"
        "from daemon.web.api.desk import Desk\n"
        "from daemon.web.app import web_app\n"
        "from daemon.web.door import Door\n"
        "from daemon.web.pages.routes import page_routes\n"
        "web_app(Door(), dict, dict, routes=page_routes(Desk('sqlite:///none.db'), 60.0, dict))"
    )
    assert "starlette" in loaded
    assert not loaded & {"jinja2", "prometheus_client"}


@pytest.mark.parametrize("module", ["service.service", "service.web_service", "testing"])
@pytest.mark.usefixtures("processes")
def test_a_replica_loads_the_driver_of_postgresql_only_for_a_database_there(module: str) -> None:
    """It takes 9 MB."""
    loaded = loaded_by(f"import daemon.{module}")
    assert "sqlalchemy" in loaded
    assert "psycopg" not in loaded
