"""What the loop of a replica works with: its agenda, its contact with the database, its claims, and its runs at work."""
