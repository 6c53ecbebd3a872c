"""The schedules of the demo. Those that run when it starts are due so many minutes before that."""

import os
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from daemon import Run, Schedules

ZONE = ZoneInfo("Europe/Berlin")
BEGAN = datetime.fromisoformat(os.environ.get("SHOP_DEMO_BEGAN", "2026-10-24T02:47:00+02:00"))
IS_FORMER = "SHOP_DEMO_FORMER" in os.environ
"""The definitions before the last deploy."""
DAILY, EXPORT, INVOICES = (BEGAN.astimezone(ZONE) - timedelta(minutes=minutes) for minutes in (47, 41, 17))

schedules = Schedules("shop", timezone="Europe/Berlin")


def work(seconds: float, total: int, unit: str, *, until: float = 1.0) -> Callable[[Run], None]:
    """Return a job that takes so long, and reports what it has done; it stops working at that part of it."""

    def job(run: Run) -> None:
        steps = max(2, min(400, int(seconds)))
        for step in range(1, steps + 1):
            done = round(total * step / steps)
            run.progress(done, total)
            if step % 5 == 1:
                print(f"{done} of {total} {unit}", flush=True)
            if step / steps >= until:
                print("waiting for an answer of the warehouse", flush=True)
                time.sleep(3600)
            time.sleep(seconds / steps)

    return job


erp = schedules.add("sync-erp", cron="*/15 * * * *", tags=["erp"], description="Orders go to the ERP")
erp.command("fetch", "echo 214 orders to push", timeout="5m")
erp.command(
    "push",
    "echo POST https://erp.example.com/orders; echo '401 Unauthorized from erp.example.com: token expired'; exit 3",
    timeout="5m",
)

invoices = schedules.add(
    "invoice-batch", cron=f"{INVOICES:%M} * * * *", lock="ledger", tags=["finance"], description="Invoices of the hour"
)
invoices.job(name="invoices", timeout="30m")(work(120, 380, "invoices"))

export = schedules.add("warehouse-export", cron=f"{EXPORT:%M} * * * *", lock="ledger", tags=["finance", "warehouse"])
export.command("extract", "echo 5 tables", timeout="30m")
export.job(name="load", timeout="1h")(work(40, 96_000, "rows", until=0.4))
export.command("publish", "echo published", timeout="10m")

prices = schedules.add("refresh-prices", cron="*/5 * * * *", tags=["catalogue"], description="Prices of suppliers")
prices.job(name="fetch", timeout="20m")(work(400, 1_296, "prices"))

rates = schedules.add("currency-rates", cron="5 16 * * 1-5", tags=["finance"])
rates.command("rates", "echo 31 rates", timeout="5m")

daily = schedules.add(
    "daily-full-sync", cron=f"{DAILY:%M} {DAILY.hour} * * *", tags=["warehouse"], description="Copies the whole stock"
)
daily.command("countries", "echo 249 countries", timeout="30m")
daily.command("prices", "echo 31200 prices", timeout="30m")
daily.job(name="stock", timeout="2h")(work(1_500, 31_200, "items"))
daily.command("publish", "echo published", timeout="10m")

deletions = schedules.add("gdpr-deletion-requests-of-former-marketplace-tenants", cron="15 4 * * 0", tags=["legal"])
deletions.command("delete", "echo 12 tenants", timeout="1h")

canary = schedules.add("heartbeat-canary", cron="* * * * *", description="Shows that something runs")
canary.command("beat", [sys.executable, "-c", "print('beat')"], timeout="30s")

statements = schedules.add("monthly-statements", cron="0 6 1 * *", tags=["finance"])
statements.command("write", "echo 1802 statements", timeout="2h")

newsletter = schedules.add("newsletter-digest", cron="30 7 * * 1-5", tags=["mail"])
newsletter.command("send", "echo sent", timeout="30m")

quarter = schedules.add("quarter-close", cron="0 5 2 1,4,7,10 *", tags=["finance"])
quarter.command("close", "echo closed", timeout="4h")

search = schedules.add("search-reindex", cron=f"0 */{4 if IS_FORMER else 6} * * *", tags=["catalogue"])
search.job(name="index", timeout="1h" if IS_FORMER else "2h")(work(45, 8_400, "documents"))

thumbnails = schedules.add("thumbnail-prewarm", cron="20 * * * *", tags=["catalogue"])
thumbnails.command("prewarm", "echo 640 thumbnails", timeout="20m")
