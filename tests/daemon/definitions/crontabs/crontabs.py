"""Crontabs, and what they become on a machine that is always the same."""

from pathlib import Path

from daemon.definitions.crontab import ImportedCrontab, ImportedSchedule, LocalFacts, translate, write_document

DATA = Path(__file__).parents[3] / "data" / "crontabs"
DEBIAN = sorted((DATA / "debian").iterdir())
ODDITIES = DATA / "oddities"
ZONE = "Europe/Berlin"
HOMES = {"ada": "/people/ada", "root": "/root", "nobody": "/nonexistent"}
HERE = LocalFacts("ada", ZONE, HOMES.get)


def imported(*lines: str, with_users: bool = False) -> ImportedCrontab:
    return translate("".join(f"{line}\n" for line in lines), HERE, with_users=with_users)


def only(*lines: str, with_users: bool = False) -> ImportedSchedule:
    [schedule] = imported(*lines, with_users=with_users).schedules
    return schedule


def remarks(*lines: str, with_users: bool = False) -> list[str]:
    return [remark.text for remark in imported(*lines, with_users=with_users).remarks]


def document(crontab: ImportedCrontab) -> str:
    return write_document(crontab, "web1", "crontab")
