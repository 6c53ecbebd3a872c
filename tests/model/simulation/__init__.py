"""A small world in which the real core and heartbeat of several clients run, step by step, under faults that a seed decides.

    world       the true time, what happens in it, and whose turn it is
    machine     a client's clock (it drifts), its event loop, which runs one handle when it is told to, its pauses and its crash
    database    `lease.testing.MemoryStore`, whose every change is recorded
    client      one incarnation: the real core on a machine
    network     requests and replies that come late, or never
    faults      what goes wrong for whom, and for how long
    worker      acquires, works, writes under a fence, releases
    watchman    what must hold after every step
    trial       one seed from beginning to end

`python -m tests.model.simulation --seed 1234` runs one seed and tells what happened.
"""
