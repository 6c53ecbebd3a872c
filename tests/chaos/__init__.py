"""Chaos campaigns: real replicas on a real database, faults by a seeded schedule, and a checker that can say no.

python -m tests.chaos --database postgres --minutes 5 --seed 7

application   the schedules that the replicas run; worker: what their commands do; effect: the write under the fence
diary         what each attempt of a job notes of itself
witness       triggers in the database that write down what happens to leases and runs
site          the database of a campaign, and the ways to it
fleet         the replicas
faults        what is done to them, one small thing each
lanes         the seeded order of faults
escapee       work that nobody can kill, held by the fence alone
history       all that was written down, as facts for `daemon.audit`
campaign      the main line; report: its table
"""
