"""The job `countries` of timezones.py, as a command that writes countries and their zones.

A command finds its grant in the environment. Its transactions commit only while that grant is in
force.
"""

import json
import os

from sqlalchemy import delete, insert
from tzsource import countries, country_zones
from tztables import database, tz_country, tz_country_zone

import lease

grant = lease.Grant(os.environ["LEASE_NAME"], int(os.environ["LEASE_TOKEN"]), os.environ["LEASE_HOLDER"])
rows = {
    tz_country: [{"code": code, "name": name} for code, name in countries().items()],
    tz_country_zone: [row._asdict() for row in country_zones()],
}

total = sum(len(new) for new in rows.values())
done = 0

with database() as engine:
    for table, new in rows.items():
        with engine.begin() as connection:
            lease.fence(connection, grant)
            connection.execute(delete(table))
            connection.execute(insert(table), new)
        done += len(new)
        print(f"{len(new)} rows written to {table.name}")  # noqa: T201 (a command reports through its output)
        progress = {"progress": {"done": done, "total": total, "message": f"last table: {table.name}"}}
        os.write(int(os.environ["LEASED_REPORT_FD"]), json.dumps(progress).encode() + b"\n")
