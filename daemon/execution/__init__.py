"""A claimed run, from its claim to its end; every write is fenced.

The life of a run of one job, in the order of the calls:

    writes.batcher.WriteBatcher.claim                 a tick of a replica has free places, and asks for runs for them
    claim.claim                            the transaction: runs that may start, a lease for each, the first job's start
    run_execution.RunExecution.execute     the jobs that are left, in their order
    next_step.before_jobs                  what to do first: a run that was resumed may have nothing left but its end
    attempt.JobExecution.execute           one attempt of one job, in a child process, this process or a command
    held_run.HeldRun.work_ended            the lease may now be released at any time: nothing of the job is left
    next_step.after_job                    the next job, the next attempt, or the end; decided without a database
    held_run.HeldRun.end                   the end of the run, its last attempt and its lease, in one transaction ...
    writes.transactions.end_runs           ... with the ends of other runs, each of which proves its lease (rule 15)

The states of a run, and the function that writes each change (rules 13 to 16 and 18):

      plan_due, trigger                plan_due: missed, overlap, replaced, paused, excluded
               │                                        │
               ▼                                        ▼
          ┌─────────┐   plan_due: start_within has  ┌─────────┐
    ┌────▶│ pending │──────────────────────────────▶│ skipped │
    │     └────┬────┘   passed before it started    └─────────┘
    │          │ claim: run and lease, in one transaction
    │          ▼
    │     ┌─────────┐   finish: every job is done              ┌───────────┐
    └─────┤ running ├─────────────────────────────────────────▶│ succeeded │
          └────┬────┘                                          └───────────┘
               │        finish: a job failed for good          ┌────────┐
               └──────────────────────────────────────────────▶│ failed │
                        settle, settle_dead: abandoned for     └────────┘
                        the third time, with no job that
                        succeeded in between

    From running back to pending:
        retry                a job failed and has retries left; the run waits, and holds no lease
        hand_back            the replica stops
        let_go               its lease was lost, the work has ended, and nobody has it since
        settle, settle_dead  the holder died (abandoned), or lost the lease and did not say so
                             (stopped)

    To cancelled (rule 23):
        cancel               a run that is pending; one at work is marked, and its replica stops the
                             job as soon as it hears of it (CancelWatch)
        replace_older        the same of runs that a newer one replaces (plan_due)
        finish, retry, hand_back, let_go, settle, settle_dead
                             a run that is marked, whatever else they would have written

    `promote` makes a pending run due when the predecessor that it waited for ends.

The states of a job run, which is one attempt of one job:

    start_job ──▶ running ──┬──▶ succeeded     finish_job, or finish for the last job
                            ├──▶ failed        finish_job, retry, finish: error or timeout
                            ├──▶ stopped       hand_back, let_go, settle: its replica stops or lost
                            │                  the lease, or the run was cancelled;
                            │                  finish, retry without a job: it never ran
                            └──▶ abandoned     settle, settle_dead: its holder died
    finish ───────────────────▶ not started   an earlier job failed for good

A claim records the first attempt of a run too, and `recovery.settle` writes for a holder that is gone. A drawing of
both kinds of states is in docs/images/states.svg.
"""
