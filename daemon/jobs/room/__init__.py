"""The reasons that keep attempts off this replica for a while: a shortage of the machine, or a FILE that has changed."""
