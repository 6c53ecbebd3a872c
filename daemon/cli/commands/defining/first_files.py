"""The first files that `leased init` writes, with FILE, APPLICATION and TIMEZONE to be put in."""

PYTHON = '''\
"""The schedules of APPLICATION.

    leased check FILE                            is it right, and when is each due?
    leased run FILE --now hello --until-idle     run hello now, and end
    leased run FILE                              run what is due, until Ctrl-C
    leased trigger hello                         from another terminal: once more
    leased status                                what runs, and what comes next
"""

from daemon import Run, Schedules

schedules = Schedules("APPLICATION", timezone="TIMEZONE")

# Its jobs run in this order, each only if the one before it has succeeded.
hello = schedules.add("hello", cron="*/5 * * * *", description="Every five minutes, to begin with")


@hello.job(timeout="1m", retries=2)
def greet(run: Run) -> None:
    print(f"hello, this is {run.schedule}, due at {run.scheduled_for}, attempt {run.attempt}")


hello.command("disk", "df -h .", timeout="30s")

# Once a night, by the clock of TIMEZONE. If nothing ran at that time, it runs afterwards.
nightly = schedules.add("nightly", cron="30 2 * * *", catch_up="latest", overlap="skip")
nightly.command("report", "echo \\"the report of $LEASED_SCHEDULED_FOR\\"", timeout="10m")
'''

TOML = """\
# The schedules of APPLICATION.
#
#   leased check FILE                            is it right, and when is each due?
#   leased run FILE --now hello --until-idle     run hello now, and end
#   leased run FILE                              run what is due, until Ctrl-C
#   leased trigger hello                         from another terminal: once more
#   leased status                                what runs, and what comes next
application = "APPLICATION"

[defaults]  # of every schedule and job that does not say otherwise
timezone = "TIMEZONE"
timeout = "10m"

[schedules.hello]
description = "Every five minutes, to begin with"
cron = "*/5 * * * *"
jobs = [  # they run in this order, each only if the one before it has succeeded
  { name = "greet", command = 'echo "hello, this is run $LEASED_RUN of $LEASED_SCHEDULE"', retries = 2 },
  { name = "disk", command = "df -h .", timeout = "30s" },
]

# Once a night, by the clock of TIMEZONE. If nothing ran at that time, it runs afterwards.
[schedules.nightly]
cron = "30 2 * * *"
catch_up = "latest"
overlap = "skip"
jobs = [{ name = "report", command = 'echo "the report of $LEASED_SCHEDULED_FOR"' }]
"""
