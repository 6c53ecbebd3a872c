"""The main job: what it reads is right, and a run of it fills the tables with what the package has."""

import sys
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata, resources
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from examples import tzsource
from lease.database.address import parse_address
from tests.support.programs import ran

ROOT = Path(__file__).parent.parent.parent
DAY = 86_400


@pytest.fixture
def packaged_zones() -> Iterator[None]:
    """Have zoneinfo read the package, and not what the machine has."""
    zoneinfo.reset_tzpath(())
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()


def utc(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp())  # type: ignore[misc, arg-type]  # a date, or a date and a time


def in_year(zone: tzsource.Zone, year: int) -> list[tzsource.Transition]:
    return [each for each in zone.transitions if utc(year, 1, 1) <= each.at < utc(year + 1, 1, 1)]


def test_every_zone_of_the_package_is_read() -> None:
    files = {
        path.relative_to(root).as_posix()
        for root in [Path(str(resources.files("tzdata.zoneinfo")))]
        for path in root.rglob("*")
        if path.is_file() and path.read_bytes()[:4] == b"TZif"
    }
    assert set(tzsource.zone_names()) == files
    assert len(files) > 590


@pytest.mark.usefixtures("packaged_zones")
@pytest.mark.usefixtures("passing_seconds")
def test_every_transition_of_every_zone_is_what_zoneinfo_shows() -> None:
    """From 1970 to 2037, at both sides of each transition and each month between two: none is missing, none too many."""
    for name in tzsource.zone_names():
        zone, shown = tzsource.read_zone(name), zoneinfo.ZoneInfo(name)
        begin, local = tzsource.FIRST, zone.first
        for end, following in [*zone.transitions, (tzsource.END, None)]:
            assert following != local, f"{name} has a transition that changes nothing"
            for at in {begin, end - 1, *range(begin, end, 30 * DAY)}:
                there = datetime.fromtimestamp(at, shown)
                offset = there.utcoffset()
                assert offset is not None
                assert (local.utc_offset, local.abbreviation) == (offset.total_seconds(), there.tzname()), (
                    f"{name}, {there}"
                )
            begin, local = end, following or local


def test_daylight_saving_time_that_goes_backwards_is_kept_as_it_is_defined() -> None:
    """Ireland's standard time is that of summer; winter's is "saved" by an hour less."""
    spring, autumn = in_year(tzsource.read_zone("Europe/Dublin"), 2030)
    assert (spring.local, autumn.local) == ((3_600, False, "IST"), (0, True, "GMT"))


def test_an_alias_names_its_zone() -> None:
    assert tzsource.aliases()["US/Pacific"] == "America/Los_Angeles"


def test_countries_and_their_zones_are_those_of_the_tables() -> None:
    countries, zones = tzsource.countries(), tzsource.country_zones()
    assert countries["DE"] == "Germany"
    assert {pair.country for pair in zones} <= countries.keys()
    assert {pair.zone for pair in zones} <= set(tzsource.zone_names())
    assert len({(pair.country, pair.zone) for pair in zones}) == len(zones)


def test_the_release_is_that_of_the_package() -> None:
    assert metadata.version("tzdata").startswith(tzsource.version()[:4])


def full_sync(folder: Path, *options: str) -> None:
    """`leased run`, as a person starts it; the default database is a file in the current folder."""
    command = (sys.executable, "-c", "from daemon.cli import main; main()", "run", ROOT / "examples" / "timezones.py")
    done = ran([*command, "--now", "daily-full-sync", "--until-idle", "--no-web", *options], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stderr


def query(url: str, statement: str) -> int:
    engine = create_engine(parse_address(url))
    try:
        with engine.connect() as connection:
            return int(connection.execute(text(statement)).scalar_one())
    finally:
        engine.dispose()


def rows(url: str) -> dict[str, int]:
    tables = ("tz_zone", "tz_transition", "tz_country", "tz_country_zone")
    return {table: query(url, f"SELECT count(*) FROM {table}") for table in tables}


@pytest.mark.usefixtures("processes")
@pytest.mark.extended
def test_a_full_sync_fills_the_tables_and_a_second_one_does_so_again_under_a_higher_token(
    database_url: str, tmp_path: Path
) -> None:
    expected = {
        "tz_zone": len(tzsource.zone_names()),
        "tz_transition": sum(len(tzsource.read_zone(name).transitions) for name in tzsource.zone_names()),
        "tz_country": len(tzsource.countries()),
        "tz_country_zone": len(tzsource.country_zones()),
    }
    free = "SELECT token FROM lease WHERE name = 'run/timezones/daily-full-sync' AND holder IS NULL"
    tokens = []
    for _ in range(2):
        full_sync(tmp_path, "--database", database_url)
        assert rows(database_url) == expected
        tokens.append(query(database_url, free))
    assert 0 < tokens[0] < tokens[1]


@pytest.mark.usefixtures("processes")
@pytest.mark.extended
def test_without_a_database_url_the_file_is_made_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEASED_DATABASE_URL", raising=False)
    full_sync(tmp_path)
    assert query(f"sqlite:///{tmp_path / 'leased.db'}", "SELECT count(*) FROM tz_zone") == len(tzsource.zone_names())
