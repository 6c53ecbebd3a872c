"""Schedules whose runs hold a lease: each due instant is one run, and no job runs twice at once.

Where to read on: `service` puts the parts together; `replica` is the loop (settle, plan, claim, rest); `planning` decides what is due,
`claiming` takes a run, `executing` runs its jobs, `deciding` says what follows, `completion` writes it, `settling` ends what others left;
`keeper` is the process around each child; `housekeeping` goes on beside the runs; `audit` checks what all of it has written. All SQL of replicas
is in `statements`, what people read in `reading`, the tables in `schema`.
"""

from .run import AsyncRun, Run
from .schedules import Schedules

__all__ = ["AsyncRun", "Run", "Schedules"]
