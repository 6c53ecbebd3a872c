"""What the loop of a replica works with: its agenda, its contact to the database, its claims, and its runs at work."""
