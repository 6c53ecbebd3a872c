"""What a job prints: its lines as they come, and the part of them that is kept."""
