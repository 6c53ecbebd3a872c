"""The first files that `leased init` writes, with FILE, APPLICATION and TIMEZONE to be put in."""

PYTHON = '''\
"""The schedules of APPLICATION.

    leased check FILE                            validate, and show the next runs
    leased run FILE --now hello --until-idle     run hello once, then exit
    leased run FILE                              run what is due until Ctrl-C
    leased trigger hello                         from another terminal: run hello again
    leased status                                what is running and what is next
"""

from daemon import Run, Schedules

# keep: delete a run after 90 days, but never one of the last 500 of its schedule.
schedules = Schedules("APPLICATION", timezone="TIMEZONE", keep={"days": 90, "runs": 500})

# Its jobs run in this order, each only if the one before it has succeeded.
hello = schedules.add("hello", cron="*/5 * * * *", description="Every five minutes")


@hello.job(timeout="1m", retries=2)
def greet(run: Run) -> None:
    print(f"hello, this is {run.schedule}, due at {run.scheduled_for}, attempt {run.attempt}")


hello.command("disk", "df -h .", timeout="30s")

# Once a night, in the time zone TIMEZONE. If no replica was running at that time, it runs later.
nightly = schedules.add("nightly", cron="30 2 * * *", catch_up="latest", overlap="skip")
nightly.command("report", "echo \\"the report of $LEASED_SCHEDULED_FOR\\"", timeout="10m")
'''

TOML = """\
# The schedules of APPLICATION.
#
#   leased check FILE                            validate, and show the next runs
#   leased run FILE --now hello --until-idle     run hello once, then exit
#   leased run FILE                              run what is due until Ctrl-C
#   leased trigger hello                         from another terminal: run hello again
#   leased status                                what is running and what is next
application = "APPLICATION"

[defaults]  # for every schedule and job that sets nothing else
timezone = "TIMEZONE"
timeout = "10m"
keep = { days = 90, runs = 500 }  # delete a run after 90 days, but never one of the last 500

[schedules.hello]
description = "Every five minutes"
cron = "*/5 * * * *"
jobs = [  # they run in this order, each only if the one before it has succeeded
  { name = "greet", command = 'echo "hello, this is run $LEASED_RUN of $LEASED_SCHEDULE"', retries = 2 },
  { name = "disk", command = "df -h .", timeout = "30s" },
]

# Once a night, in the time zone TIMEZONE. If no replica was running at that time, it runs later.
[schedules.nightly]
cron = "30 2 * * *"
catch_up = "latest"
overlap = "skip"
jobs = [{ name = "report", command = 'echo "the report of $LEASED_SCHEDULED_FOR"' }]
"""
