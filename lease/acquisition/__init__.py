"""The acquisition of a lease: whose turn it is within a client, asking, waiting, and being refused."""
