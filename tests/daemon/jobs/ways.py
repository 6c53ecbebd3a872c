"""The ways in which a keeper and its child are started: anew, or forked from a template. What is promised holds for each."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from daemon.definitions.application import Application
from daemon.definitions.sources.load import load
from daemon.jobs.brief import Brief
from daemon.jobs.processes.spawn import StartedKeeper
from daemon.jobs.templates.templates import Launch, Template, launch_bare, launch_loaded
from tests.daemon.jobs.family import linux
from tests.daemon.jobs.test_run import BRIEF
from tests.support.waiting import wait_until

WAYS = [pytest.param("anew"), pytest.param("forked", marks=linux)]


@contextmanager
def a_template(launch: Launch = launch_bare, folder: str | None = None) -> Iterator[Template]:
    """A template that is ready."""
    template = Template(launch, folder)
    try:
        wait_until(lambda: has_settled(template), "the template is ready")
        yield template
    finally:
        template.close()


def has_settled(template: Template) -> bool:
    template.hear()
    return template.was_ready or template.has_ended


@contextmanager
def one_way(way: str) -> Iterator[Template | None]:
    """The template of one of the `WAYS`, for commands."""
    if way == "anew":
        yield None
        return
    with a_template() as template:
        yield template


def loaded_template(file: Path) -> tuple[Launch, str]:
    """What starts the template of a replica that has loaded this file."""
    made = load(file)
    return partial(launch_loaded, made.spec, made.stamp, variables={}, environment=os.environ), str(file.parent)


def brief_of(made: Application, job: str) -> Brief:
    """What a replica tells a child that has loaded this application."""
    brief = replace(BRIEF, job=job, source=made.spec, file=str(made.source), stamp=made.stamp)
    return replace(brief, digest=made.run_digests["nightly"])


def wait_until_ended(keeper: StartedKeeper) -> None:
    wait_until(lambda: keeper.poll() is not None, "the keeper has ended")
