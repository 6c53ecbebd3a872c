"""Settings that were given to a schedule and belong elsewhere: where, in the words of each kind of FILE."""

from collections.abc import Mapping

from ..job import Job
from ..values.refusal import Refusal

WORK = ("call", "command")
JOB_KEYS = ("name", *WORK, *Job.settings())

_OF_A_JOB, _OF_A_LOCK = "this is a setting of a job", "this is a setting of a lock"

IN_PYTHON: Mapping[str, Refusal] = {
    **{key: Refusal(_OF_A_JOB, "give it to .job() or .command() of the schedule") for key in Job.settings()},
    "slots": Refusal(_OF_A_LOCK, 'write lock={"name": "…", "slots": …}'),
}
IN_TOML: Mapping[str, Refusal] = {
    **{key: Refusal(_OF_A_JOB, "write it in jobs = [{ … }]") for key in JOB_KEYS},
    "slots": Refusal(_OF_A_LOCK, 'write lock = { name = "…", slots = … }'),
    "calendars": Refusal("this is not a setting of a schedule", "write [calendars.NAME], and name it in exclude"),
}
