"""The faults: small things that are started and stopped, on real processes and a real database."""
