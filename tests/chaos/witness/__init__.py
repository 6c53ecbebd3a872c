"""What the database itself writes down in a campaign, and what follows from it."""
