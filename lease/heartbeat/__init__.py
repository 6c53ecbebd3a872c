"""What keeps leases alive: the renewal loop, and what it knows of each answer, clock and lost grant."""
