"""Users of the lock library beside the daemon: they hold, wait, write, break and close.

plans         what a user does next, drawn from its seed
journal       the notes of a user's process
visits        one acquisition and what comes of it: held, written under, written under too late
threads       a user of the sync client, in threads or in its main thread; tasks: one of the async client
mishaps       what befalls their own code: a callback that raises, a fork, an interrupt, a burst
user          the program
crowd         the processes, restarted when they end
records       what journals and witness have, as records
inquiry       what is asked when all have ended
promises      what must hold, checked over the records
"""
