"""Chaos campaigns: real replicas on a real database, faults in an order that a seed decides, and a checker that can say no.

python -m tests.chaos --database postgres --minutes 5 --seed 7

application   the schedules that the replicas run
worker        what their commands do
effect        the write under the fence
diary         what each attempt of a job notes of itself
mischief      what user code does to the replica that it runs in, when asked
witness_*.sql triggers that write down what happens to leases and runs
site          the database of a campaign, and the ways to it; pooler: PgBouncer
fleet         the replicas
faults        what is done to them, one small thing each
lanes         the order of faults
escapee       work that nobody can kill, held by the fence alone
history       all that was written down, as facts for `daemon.audit`
campaign      the main line
summary       its numbers
report        its table, and what must not be
soak          hours of work without a pause; gauges: what it watches
"""
