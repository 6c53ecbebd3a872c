"""A web application that runs its schedules itself.

Run `python examples/embedded.py`, look at http://127.0.0.1:8000/, and at `leased status` beside it. Ctrl-C drains.
"""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from daemon import AsyncRun, Run, Schedules

URL = os.environ.get("LEASED_DATABASE_URL", "sqlite:///leased.db")

schedules = Schedules("embedded")


@schedules.every("10s", timeout="1m")
async def greet(run: AsyncRun) -> None:
    run.log.info("hello from the program itself, at %s", run.scheduled_for)


@schedules.every("15s", timeout="1m")
def count(run: Run) -> None:
    run.log.info("hello from process %d, a child, under token %d", os.getpid(), run.token)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with schedules.replica(URL, grace="10s") as replica:
        app.state.replica = replica
        yield


async def health(request: Request) -> JSONResponse:
    replica = request.app.state.replica
    problems = dict(replica.problems())
    shown = {"replica": replica.label, "ready": not problems, "problems": problems}
    return JSONResponse(shown, status_code=503 if problems else 200)


app = Starlette(routes=[Route("/", health)], lifespan=lifespan)

if __name__ == "__main__":  # for a child imports this file, too
    logging.basicConfig(level=logging.INFO)
    uvicorn.run(app)
