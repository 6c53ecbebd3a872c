"""From definitions to run rows: which definitions rule, sync, and the planning of due instants.

The life of a scheduled time, from the tick in which it is due to its run's row, in the order of the calls:

    plan_due.Planner.plan      a tick of a replica plans what is due of the schedules that it knows, if it may trust
                               the database's clock
    plan_due.plan_due          the transaction: as many schedules as it may, and whether there are more
    plan_due.place_due         the requested runs whose moment has come; first, as an instant may have to wait for them
    plan.plan                  what becomes of each due instant of one schedule, decided without a database: a run, or
                               none and why (rule 13)
    plan.fold                  a long stretch of skipped instants becomes a count
    plan_due.write_plans       the rows, a set for all schedules, and when each of these is due next
    telling.tell               a message for each target that wants to hear of what was skipped
    plan_due.feed_due          the next run of each backfill whose turn it is

A row that is pending is claimed; the docstring of `daemon.execution` goes on from there.
"""
