"""`make proof NAME=rolling`: what takes too long for `make test-all`, or needs what few machines have.

Without a name: the list. A variable is set on the same line, as in `make proof NAME=cancels COUNT=1000`.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.support.starter import ROOT

PYTEST = ("-m", "pytest", "-q")
LONG = ("-o", "timeout=20000", "-o", "faulthandler_timeout=20000")
SIDE_BY_SIDE = ("-n", "{WORKERS}")


@dataclass(frozen=True)
class Proof:
    """Commands for this Python, or programs by their path; `{NAME}` stands for a variable's value."""

    says: str
    commands: Sequence[Sequence[str]]
    variables: Mapping[str, str] = field(default_factory=dict)
    """Each with its default."""
    environment: Mapping[str, str] = field(default_factory=dict)


def tests(*arguments: str) -> Sequence[Sequence[str]]:
    return [(*PYTEST, "--all", *arguments)]


PROOFS = {
    "all": Proof(
        "every test: each on both kinds of database, and the stories of other proofs in short",
        tests(*SIDE_BY_SIDE, "tests/"),
    ),
    "backlog": Proof(
        "a year of missed scheduled times of 12 schedules, and 70,000 runs that did not start in time",
        tests("--durations=10", "tests/daemon/scheduling/test_catching_up.py"),
        environment={"LEASED_TEST_BEHIND": "12", "LEASED_TEST_LATE_RUNS": "70000"},
    ),
    "burst": Proof(
        "COUNT that acquire at once, release at once, and leave a queue at once; up to 2,000 threads; on both databases",
        tests("-s", *LONG, "tests/lease/calls/test_bursts.py"),
        {"COUNT": "10000"},
        {"LEASED_TEST_BURST": "{COUNT}"},
    ),
    "cancels": Proof(
        "COUNT runs of each kind, cancelled while they run; on both databases",
        tests("-s", *LONG, "tests/stories/test_many_cancels.py"),
        {"COUNT": "100"},
        {"LEASED_TEST_CANCELS": "{COUNT}"},
    ),
    "cancellations": Proof(
        "COUNT acquisitions of a free lease and COUNT of a contended one, cancelled at any moment; on both databases",
        tests("-s", *LONG, "tests/lease/calls/test_in_loops.py", "-k", "that_are_cancelled_as or is_cancelled_at_any"),
        {"COUNT": "1000", "SEED": ""},
        {"LEASED_TEST_CANCELLATIONS": "{COUNT}", "LEASED_TEST_SEED": "{SEED}"},
    ),
    "clock-steps": Proof(
        "campaigns on a PostgreSQL whose clock steps, first within what is assumed, then by up to an hour (libfaketime)",
        [
            ("-m", "tests.chaos", "--clock", clock, "--minutes", "{MINUTES}", "--seed={SEED}")
            for clock in ("kept", "broken")
        ],
        {"MINUTES": "5", "SEED": ""},
    ),
    "crashes": Proof(
        "COUNT crashes of the server while 16 callers of 4 clients hand one lease over: no token twice, none back",
        tests(*LONG, "tests/lease/test_server.py", "-k", "crashes_under_hand_overs"),
        {"COUNT": "10"},
        {"LEASED_TEST_CRASHES": "{COUNT}"},
    ),
    "cuts": Proof(
        "a hold cut short at every line of the library, in a thread and in an event loop; on both databases",
        tests("--durations=6", *LONG, "tests/lease/calls/test_cut_short.py"),
        environment={"LEASED_TEST_STRIDE": "1"},
    ),
    "dst": Proof(
        "cron against cronsim: 200 expressions at each change of a clock in the world from 2020 to 2030",
        [("-m", "tests.daemon.definitions.other_crons")],
    ),
    "failover": Proof(
        "a failover by Patroni in the middle of 50 runs (Debian: patroni, python3-etcd, etcd-server)",
        tests(*LONG, "--log-cli-level=INFO", "tests/stories/patroni"),
    ),
    "killers": Proof(
        "a job that kills its replica each time, while NEIGHBOURS others of each kind run",
        tests(*LONG, "tests/stories/test_failing_jobs.py", "-k", "neighbours"),
        {"NEIGHBOURS": "50"},
        {"LEASED_NEIGHBOURS": "{NEIGHBOURS}", "LEASED_TEST_LIMIT": "600"},
    ),
    "mass-cancel": Proof(
        "COUNT runs that wait behind a full lock are cancelled by one command, beside a schedule due every second",
        tests("-s", *LONG, "tests/stories/test_mass_cancel.py"),
        {"COUNT": "20000"},
        {"LEASED_TEST_CROWD": "{COUNT}"},
    ),
    "matrix": Proof(
        "every test on each Python from 3.11 to 3.14 with PostgreSQL 16, 17 and 18: those that are installed",
        [("tools/test-matrix",)],
    ),
    "mutants-in-campaigns": Proof(
        "the mutants that a campaign has caught before, one campaign each",
        [("-m", "tests.mutants.in_campaigns", "--database", "{DATABASE}")],
        {"DATABASE": "postgres"},
    ),
    "oncall": Proof(
        "something goes wrong in a shop, you find out what, and are told: one of 19 situations, which SEED decides",
        [("-m", "tests.oncall", "--seed={SEED}", "--limit={LIMIT}")],
        {"SEED": "", "LIMIT": "600"},
    ),
    "outages": Proof(
        "TIMES outages of the database, each shorter than the tolerated one",
        tests(*LONG, "tests/stories/test_faults_that_cost_no_lease.py", "-k", "no_outage"),
        {"TIMES": "200"},
        {"LEASED_TEST_OUTAGES": "{TIMES}"},
    ),
    "page": Proof(
        "each page and question of the API with SCHEDULES schedules and RUNS runs of each: 19 of 20 within 300 ms, a "
        "report within 1 s; and runs that start beside ten readers; on both databases",
        tests("-s", *LONG, "tests/daemon/web/pages/test_many_runs.py", "tests/stories/test_readers.py"),
        {"SCHEDULES": "5000", "RUNS": "600"},
        {"LEASED_TEST_PAGES": "{SCHEDULES},{RUNS}"},
    ),
    "prunes": Proof(
        "PRUNED of RUNS are deleted while 3 replicas run: how long claims take, and who waits for locks",
        tests("-s", *LONG, "tests/stories/pruning"),
        {"RUNS": "100000", "PRUNED": "10000"},
        {"LEASED_TEST_RUNS": "{RUNS}", "LEASED_TEST_PRUNED": "{PRUNED}"},
    ),
    "replaces": Proof(
        "COUNT runs of each kind, replaced every second by newer ones on 3 replicas; on both databases",
        tests("-s", *LONG, "tests/stories/test_replacing.py"),
        {"COUNT": "1000"},
        {"LEASED_TEST_REPLACES": "{COUNT}"},
    ),
    "rolling": Proof(
        "rolling restarts of 3 replicas with 50 schedules due every second, by SIGHUP and by SIGTERM; 15 minutes",
        tests("-s", *LONG, "tests/stories/test_rolling_restarts.py"),
        environment={"LEASED_TEST_ROLLING": "50", "LEASED_TEST_LIMIT": "600"},
    ),
    "rollouts": Proof(
        "releases that come and go with faults between them, with more replicas and longer faults than in the suite",
        tests(*SIDE_BY_SIDE, "tests/stories/weeks"),
        environment={"LEASED_TEST_ROLLOUTS": "long"},
    ),
    "shortages": Proof(
        "250 children at once under a limit of 1,024 descriptors; on both databases",
        tests(*LONG, "tests/stories/test_short_of_descriptors.py"),
        environment={"LEASED_TEST_CHILDREN": "250"},
    ),
    "signals": Proof(
        "COUNT single Ctrl-C and COUNT pairs of them within 200 microseconds, in threads and in event loops",
        tests("-s", *LONG, "tests/lease/test_signals.py"),
        {"COUNT": "1000", "SEED": ""},
        {"LEASED_TEST_SIGNALS": "{COUNT}", "LEASED_TEST_SEED": "{SEED}"},
    ),
    "sleepers": Proof(
        "500 jobs of each kind at once that only wait: memory, descriptors, renewals, and what is late",
        tests(*LONG, "tests/stories/test_many_at_rest.py"),
        environment={"LEASED_TEST_SLEEPERS": "500"},
    ),
    "soak": Proof(
        "HOURS of work: does anything grow?", [("-m", "tests.chaos.soak", "--hours", "{HOURS}")], {"HOURS": "2"}
    ),
}


def main(name: str) -> int:
    if name not in PROOFS:
        if not name:
            sys.stdout.write(f"{listed()}\n")
            return 0
        sys.stderr.write(f"no proof is called {name}; there are:\n{listed()}\n")
        return 2
    proof = PROOFS[name]
    values = {variable: os.environ.get(variable) or default for variable, default in proof.variables.items()}
    values["WORKERS"] = os.environ.get("WORKERS", "2")
    environment = {**os.environ, **{key: text.format(**values) for key, text in proof.environment.items()}}
    for command in proof.commands:
        status = subprocess.run(filled(command, values), cwd=ROOT, env=environment, check=False).returncode
        if status != 0:
            return status
    return 0


def filled(command: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Return the command with the values of the variables; an option whose value is empty is left out."""
    words = [word.format(**values) for word in command]
    program = [] if words[0].startswith("tools/") else [sys.executable]
    return [*program, *(word for word in words if not word.endswith("="))]


def listed() -> str:
    names = [
        " ".join((name, *(f"{one}={default}" for one, default in proof.variables.items())))
        for name, proof in PROOFS.items()
    ]
    width = max(map(len, names))
    return "\n".join(
        f"make proof NAME={name:{width}}  {proof.says}" for name, proof in zip(names, PROOFS.values(), strict=True)
    )


if __name__ == "__main__":
    sys.exit(main(os.environ.get("PROOF", "")))
