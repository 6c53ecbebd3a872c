"""From definitions to run rows: which definitions rule, sync, and the planning of due instants.

The life of a scheduled time, from the tick in which it is due to its run's row, in the order of the calls:

    plan_due.Planner.plan      a tick of a replica plans what is due of the schedules that it knows, if it may trust
                               the database's clock
    plan_due.plan_due          the transaction: of what the replica's look has found, as many schedules as it may, and
                               whether there are more. Late runs and requests come before the instants, which find them
                               in their places (`place_due`), and runs of backfills behind them (`feed_due`)
    plan_due._plan_instants    half of it for those that became due last, whose runs may start at once
    plan.plan                  what becomes of each due instant of one schedule, decided without a database: a run, or
                               none and why (rule 13)
    plan.spans                 the time before a pause, in it and after it
    plan.fold                  a long stretch of skipped instants becomes a count
    plan.Ledger.enter          a row for each of the others
    plan_due.write_plans       the rows, a set for all schedules, and when each of these is due next

A row that is pending is claimed; the docstring of `daemon.execution` goes on from there.
"""
