"""A web application that has a replica inside it: a job in a child, and one in the replica."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from daemon import AsyncRun, Run, Schedules
from tests.support.telling import NEVER, opens, tell, wait_for

schedules = Schedules("embedding")


@schedules.cron(NEVER)
def child(run: Run) -> None:
    told = [name for name in os.environ if name.startswith("LEASED_")]
    tell("began", run, told=told, url=os.environ["LEASED_DATABASE_URL"])
    wait_for("child")
    tell("ended", run)


@schedules.cron(NEVER)
async def task(run: AsyncRun) -> None:
    tell("began", run)
    await opens("task")
    tell("ended", run)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with schedules.replica(os.environ["DATABASE_URL"]) as replica:
        app.state.replica = replica
        yield


async def ready(request: Request) -> JSONResponse:
    problems = dict(request.app.state.replica.problems())
    return JSONResponse({"ready": not problems, "problems": problems}, status_code=503 if problems else 200)


app = Starlette(routes=[Route("/readyz", ready)], lifespan=lifespan)

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=0)
