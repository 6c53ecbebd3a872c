"""Chaos campaigns: real replicas on a real database, faults in a seeded order, and a checker.

python -m tests.chaos --database postgres --minutes 5 --seed 7

application   the schedules that the replicas run
releases      what differs from one of its releases to the next
worker        what their commands do
effect        the write under the fence
diary         the notes of each attempt of a job
mischief      what user code does to its replica, when a file orders it
witness       triggers that record what happens to leases, runs and definitions
site          the database of a campaign, and its URLs; pooler: PgBouncer
fleet         the replicas; processes: what is started beside them, and what they have started
faults        what is inflicted on them, a file per target
users         those who use locks beside the daemon
lanes         the order of faults
escapee       work that cannot be killed, held off by the fence alone
history       all that was recorded, as facts for `daemon.audit`
campaign      the main line
judgement     what the checker finds in it
trouble       jobs that kill their replica, or block it, and what that must not cost others
report        its numbers, its table, and its problems
stepping      campaigns in which PostgreSQL's own clock steps
soak          hours of work without a pause
"""
