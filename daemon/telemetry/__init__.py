"""Facts about a replica at work, and the subscribers that format them."""
