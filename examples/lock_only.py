"""The lock library alone, without the daemon.

Run `python examples/lock_only.py` in two terminals at once: the second waits for the first and gets
a higher token. On SQLite it takes `pip install aiosqlite`, which leased needs nowhere else: the
engine here is SQLAlchemy's asynchronous one.
"""

import asyncio
import os

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

import lease

URL = os.environ.get("LEASED_DATABASE_URL", "sqlite:///leased.db")


async def main() -> None:
    engine = create_async_engine(URL.replace("sqlite://", "sqlite+aiosqlite://"))
    async with lease.LeaseClient(URL) as client, client.hold("daily-report", wait="1m") as held:
        say(f"token {held.token}, trusted for {held.remaining():.1f}s; a heartbeat renews it meanwhile")
        for page in range(1, 6):
            await asyncio.sleep(1)  # the work; if the lease is lost, this line is cancelled
            async with engine.begin() as connection:
                await held.fence(connection)
                await connection.execute(text("CREATE TABLE IF NOT EXISTS report (page INTEGER, token INTEGER)"))
                await connection.execute(
                    text("INSERT INTO report (page, token) VALUES (:page, :token)"),
                    {"page": page, "token": held.token},
                )
            say(f"page {page} written under token {held.token}")
    await engine.dispose()


def say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 (output is what this script is for)


if __name__ == "__main__":
    asyncio.run(main())
