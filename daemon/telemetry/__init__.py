"""Facts of a replica at work, and who formats them."""
