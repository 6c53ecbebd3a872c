"""Campaigns in which PostgreSQL's own clock steps (rule 1).

python -m tests.chaos --clock kept     by no more than is assumed of it: every promise holds
python -m tests.chaos --clock broken   by minutes to an hour: a second holder may start early, and the
                                       rest holds

Why the judgement is right, although the witness lives in the database whose clock is moved:

- The witness does not go by that clock. libfaketime reads a file, anew for each reading of the clock,
  and adds what stands in it; the witness (`witness/steps.sql`) reads the same file before and after a
  reading, and takes off what stands there, if it was the same both times. What is left is the time of
  the machine, by which faults, diaries and logs are put in order too. Effects are stamped likewise, as
  the last thing before their commit, because commit timestamps cannot be corrected: after a step back
  the same reading comes twice.
- What the database itself wrote down is a reading of its clock: when a lease goes stale, when a
  definition counts from. The campaign knows each step, when and by how much, and so what the clock
  showed at any moment. A lease is stale from the first moment at which it showed its end. That is
  too lenient where the clock stepped back afterwards, so each grant is judged once more by what it
  showed just before.
- Due instants are readings too, and are compared as such, with the clock's furthest reading in the
  place of the present: what it has once shown was due.

A test shows that each of these corrections is needed: without it, a history in which nothing went
wrong is found guilty, or one in which a zombie wrote is not.
"""
